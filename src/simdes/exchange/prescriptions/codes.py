"""What a patient shows at the counter: a short code to say, or a payload for a QR code.

The code leads a pharmacist to the consent that the patient gave this pharmacy; it opens nothing by
itself. The payload also holds the statement's opening and what was ordered, so that a pharmacy that
is offline sees what it is about. docs/prescriptions.md, "At the counter".
"""

from __future__ import annotations

import zlib
from base64 import b32encode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from hashlib import sha256
from typing import Annotated, Final

import msgspec

from simdes.decoding import ready
from simdes.errors import Invalid, Tampered
from simdes.fhir.json import loads
from simdes.fhir.prescribing import essence
from simdes.proofs.openings import Opening, decode, encode

PREFIX: Final = "simdes:rx:1:"
MOST_CHARACTERS: Final = 2_900
"""What a QR code of the largest kind holds at the lowest correction, with some room."""
_MOST_ORDER_BYTES: Final = 65_536
_CODE_BYTES: Final = 10
_GROUP: Final = 4


class Payload(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which consent, of which vault; the opening; what was ordered, deflated ("" if too long)."""

    vault: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    handle: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    opening: bytes
    order: bytes = b""

    @property
    def opened(self) -> Opening:
        """The opening."""
        return decode(self.opening)

    def ordered(self) -> dict[str, object] | None:
        """What was ordered, None where it is not in it. Raises Tampered where it is another."""
        if not self.order:
            return None
        inflate = zlib.decompressobj()
        try:
            text = inflate.decompress(self.order, _MOST_ORDER_BYTES)
        except zlib.error:
            raise Invalid("The code's order can't be read.") from None
        if sha256(text).digest() != self.opened.essence or not inflate.eof:
            raise Tampered("The code shows another order than the one that was stated.")
        found: dict[str, object] = loads(text.replace(b"\\u0000", b""))
        return found


def code_of(handle: bytes) -> str:
    """The code that leads to a consent: 16 letters and digits in groups of four."""
    text = b32encode(handle[:_CODE_BYTES]).decode()
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def is_code_of(code: str, handle: bytes) -> bool:
    """Whether somebody's typing means this consent."""
    return code.replace("-", "").replace(" ", "").upper() == code_of(handle).replace("-", "")


def payload_of(vault: bytes, handle: bytes, opening: Opening, request: dict[str, object]) -> str:
    """The text of a QR code; without the order where that makes it too long for one."""
    content = encode(opening)
    order = zlib.compress(essence(request), 9)
    text = _text(Payload(vault=vault, handle=handle, opening=content, order=order))
    if len(text) <= MOST_CHARACTERS:
        return text
    return _text(Payload(vault=vault, handle=handle, opening=content))


def _text(payload: Payload) -> str:
    return PREFIX + urlsafe_b64encode(msgspec.msgpack.encode(payload)).decode().rstrip("=")


def read_payload(text: str) -> Payload:
    """Read the text of a QR code. Raises Invalid for anything else."""
    body = text.strip().removeprefix(PREFIX)
    if not text.strip().startswith(PREFIX) or len(body) > 2 * MOST_CHARACTERS:
        raise Invalid("This is no code of a prescription.")
    try:
        content = urlsafe_b64decode(body + "=" * (-len(body) % 4))
        return msgspec.msgpack.decode(content, type=ready(Payload))
    except (NotBase64, ValueError, msgspec.DecodeError):
        raise Invalid("This is no code of a prescription.") from None
