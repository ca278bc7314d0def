"""What passes between a patient and who asks for one fact: question, kept fact, answer.

docs/formats/statements.md, "disclosure". Questions and answers are texts for QR codes. A question
names code and bounds, so that the patient sees what would be shown before showing it.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Final, TypeVar

import msgspec

from simdes.decoding import ready
from simdes.errors import Invalid
from simdes.proofs.facts import MOST_VALUE, Fact, Question, element_of_code
from simdes.proofs.poseidon import FIELD
from simdes.proofs.trees import BATCH_DEPTH, LATEST_DAY

ASK, ANSWER = "SIMDES-ASK-1:", "SIMDES-FACT-1:"
ELEMENT_BYTES: Final = 32
MOST_TEXT: Final = 2_000
"""Characters, of a QR code with room for errors."""

Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Day = Annotated[int, msgspec.Meta(ge=0, le=LATEST_DAY)]
Coding = tuple[str, str]
"""System and code; two empty texts for none."""
T = TypeVar("T")


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """A question: what the fact is about, what it says, of which days; asked at `asked_seconds`."""

    challenge: Bytes32
    asked_seconds: int
    code: Coding
    coded: Coding = ("", "")
    least: int = 0
    most: int = MOST_VALUE
    first_day: Day = 0
    last_day: Day = LATEST_DAY

    @property
    def question(self) -> Question:
        """What the circuit is asked. Raises Invalid for what can't be."""
        challenge = int.from_bytes(self.challenge, "big")
        if challenge >= FIELD or not 0 <= self.least <= self.most <= MOST_VALUE:
            raise Invalid("this question can't be answered")
        return Question(
            challenge=challenge,
            code=element_of_code(*self.code),
            coded=coded_element(self.coded),
            least=self.least,
            most=self.most,
            first_day=self.first_day,
            last_day=self.last_day,
        )


class Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """An answer: the forest's root and a proof, which only its question gives a meaning."""

    root: Bytes32
    proof: Annotated[bytes, msgspec.Meta(min_length=256, max_length=256)]


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A stated fact as its patient keeps it; nobody can show it without the holder's key."""

    v: int = 1
    issuer: Bytes32
    record: str
    code: Coding
    coded: Coding
    value: Annotated[int, msgspec.Meta(ge=0)]
    day: Day
    holder: Bytes32
    salt: Bytes32
    batch_root: Bytes32
    place: Annotated[int, msgspec.Meta(ge=0, lt=1 << BATCH_DEPTH)]
    siblings: Annotated[
        tuple[Bytes32, ...], msgspec.Meta(min_length=BATCH_DEPTH, max_length=BATCH_DEPTH)
    ]

    @property
    def fact(self) -> Fact:
        """The statement. Raises Invalid."""
        return Fact(
            holder=int.from_bytes(self.holder, "big"),
            salt=int.from_bytes(self.salt, "big"),
            code=element_of_code(*self.code),
            coded=coded_element(self.coded),
            value=self.value,
            day=self.day,
        )


def coded_element(coding: Coding) -> int:
    """The element of what a fact says as a code, 0 where it says none."""
    return element_of_code(*coding) if any(coding) else 0


def octets(element: int) -> bytes:
    """An element of the field as 32 bytes."""
    return element.to_bytes(ELEMENT_BYTES, "big")


def question_text(asked: Asked) -> str:
    """A question as the text of a QR code."""
    return _text(ASK, asked)


def answer_text(shown: Shown) -> str:
    """An answer as the text of a QR code."""
    return _text(ANSWER, shown)


def read_question(text: str) -> Asked:
    """Read a question. Raises Invalid."""
    return _read(ASK, text, Asked)


def read_answer(text: str) -> Shown:
    """Read an answer. Raises Invalid."""
    return _read(ANSWER, text, Shown)


def read_kept(content: bytes) -> Kept:
    """Read a fact that was kept as JSON. Raises Invalid."""
    try:
        found = msgspec.json.decode(content, type=ready(Kept))
    except msgspec.DecodeError:
        raise Invalid("this is no fact that was stated") from None
    if found.v != 1:
        raise Invalid("the fact is of another version")
    return found


def _text(mark: str, value: msgspec.Struct) -> str:
    return mark + urlsafe_b64encode(msgspec.msgpack.encode(value)).decode().rstrip("=")


def _read(mark: str, text: str, kind: type[T]) -> T:
    words = text.strip()
    if not words.startswith(mark) or len(words) > MOST_TEXT:
        raise Invalid(f"this text does not begin with {mark}")
    code = words.removeprefix(mark)
    try:
        content = urlsafe_b64decode(code.encode() + b"=" * (-len(code) % 4))
        return msgspec.msgpack.decode(content, type=ready(kind))
    except (ValueError, msgspec.DecodeError):
        raise Invalid("this is no question and no answer, or it was cut") from None
