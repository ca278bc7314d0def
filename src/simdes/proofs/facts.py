"""The statement that something was recorded about a person, and showing one such fact.

docs/formats/statements.md, disclosure; circuit ``circuits/disclosure.circom``. A fact has a code
and says either another code or a number; days count from 1970-01-01. Its holder alone can show it:
the leaf names a commitment to a key that the proof needs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from simdes.errors import Conflict, Invalid
from simdes.proofs.poseidon import FIELD, poseidon
from simdes.proofs.trees import LATEST_DAY, Place

_LEAF, _HOLDER = 3, 4
MOST_VALUE: Final = 2**64 - 1


def holder_of(key: int) -> int:
    """The commitment to a holder's key, which facts name."""
    return poseidon(_HOLDER, key)


def element_of_code(system: str, code: str) -> int:
    """What stands for a code of a coding system: 248 bits of SHA-256 over both, with lengths."""
    digest = hashlib.sha256()
    for part in (system.encode(), code.encode()):
        digest.update(len(part).to_bytes(4, "big") + part)
    return int.from_bytes(digest.digest(), "big") >> 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What is recorded: `coded` where it says a code (else 0), `value` where it says a number."""

    holder: int
    salt: int
    code: int
    day: int
    coded: int = 0
    value: int = 0

    def __post_init__(self) -> None:
        """Refuse what the circuit could never show. Raises Invalid."""
        elements = (self.holder, self.salt, self.code, self.coded)
        if not (
            all(0 <= one < FIELD for one in elements)
            and 0 <= self.value <= MOST_VALUE
            and 0 <= self.day <= LATEST_DAY
        ):
            raise Invalid("the fact's value, day or keys are outside what can be proved")

    @property
    def leaf(self) -> int:
        """Its commitment, to be issued in a batch."""
        said = poseidon(self.code, self.coded, self.value, self.day)
        return poseidon(_LEAF, self.holder, self.salt, said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a third party asks: a code, what it says within bounds, true of a day within bounds.

    `challenge` is the asker's own, random and used once: a proof answers this question alone.
    """

    challenge: int
    code: int
    coded: int = 0
    least: int = 0
    most: int = MOST_VALUE
    first_day: int = 0
    last_day: int = LATEST_DAY

    def require_answered_by(self, fact: Fact) -> None:
        """Say what is wrong before a prover would only fail. Raises Conflict."""
        answers = (
            (self.code, self.coded) == (fact.code, fact.coded)
            and self.least <= fact.value <= self.most
            and self.first_day <= fact.day <= self.last_day
        )
        if not answers:
            raise Conflict("this fact does not answer the question")

    def public_inputs(self, root: int) -> list[int]:
        """What the verifier sees, in its order."""
        bounds = (self.least, self.most, self.first_day, self.last_day)
        return [root, self.challenge, self.code, self.coded, *bounds]


_PUBLIC = ("root", "challenge", "code", "coded", "least", "most", "firstDay", "lastDay")


def signals(
    question: Question, fact: Fact, place: Place, *, root: int, holder_key: int
) -> dict[str, Any]:
    """All inputs of the circuit, by the names that it gives them."""
    return {
        **dict(zip(_PUBLIC, question.public_inputs(root), strict=True)),
        "holderKey": holder_key,
        "salt": fact.salt,
        "value": fact.value,
        "day": fact.day,
        **place.signals(),
    }
