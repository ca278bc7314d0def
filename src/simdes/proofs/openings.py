"""The opening of a prescription's statement: what its patient and a pharmacy need to prove with it.

docs/formats/statements.md, "Opening". It goes with the sealed record, never on the ledger. It names
what was prescribed by a digest that the statement's salt commits to, so that nobody can put another
drug beside a statement.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Final, Protocol, TypeVar

import msgspec

from simdes.decoding import ready
from simdes.errors import Invalid, Tampered
from simdes.proofs.poseidon import poseidon
from simdes.proofs.prescriptions import Prescription, nullifier_key
from simdes.proofs.trees import BATCH_DEPTH

ELEMENT_BYTES: Final = 32
_SALT_TAG: Final = b"simdes/prescription-salt/v1\0"
_MOST_BYTES: Final = 8_192


class _Versioned(Protocol):
    @property
    def v(self) -> int: ...


Kind = TypeVar("Kind", bound=_Versioned)
Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Opening(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A statement opened. Elements are 32 bytes, big-endian; ``siblings`` stand beside the leaf's
    way to ``batch_root``, the lowest first; ``unit`` is how much of the prescribed quantity's unit
    one unit is. ``chain`` and ``contract`` say where it is dispensed from, ``issuer`` who stated
    it. ``signer`` and ``signature`` are the prescriber's account and word, empty where none was
    needed.
    """

    v: int = 1
    chain: int
    contract: Annotated[bytes, msgspec.Meta(min_length=20, max_length=20)]
    issuer: Bytes32
    request: str
    essence: Bytes32
    nonce: Bytes32
    key: Bytes32
    total: int
    per_fill: int
    interval: int
    first_day: int
    last_day: int
    bound: Bytes32
    controlled: bool
    unit: str
    batch_root: Bytes32
    place: int
    siblings: Annotated[tuple[Bytes32, ...], msgspec.Meta(max_length=BATCH_DEPTH)]
    signer: bytes = b""
    signature: bytes = b""

    @property
    def prescription(self) -> Prescription:
        """The statement. Raises Invalid for terms that nothing can be proved about."""
        return Prescription(
            key=number(self.key),
            salt=salt_of(self.nonce, self.essence),
            total=self.total,
            per_fill=self.per_fill,
            interval=self.interval,
            first_day=self.first_day,
            last_day=self.last_day,
            bound=number(self.bound),
            controlled=self.controlled,
        )

    def require_whole(self) -> None:
        """Raise Tampered unless the statement stands in the batch that it names."""
        node, place = self.prescription.leaf, self.place
        if len(self.siblings) != BATCH_DEPTH or not 0 <= place < 1 << BATCH_DEPTH:
            raise Tampered("The opening of a prescription has no place in a batch.")
        for sibling in self.siblings:
            other = number(sibling)
            node = poseidon(other, node) if place & 1 else poseidon(node, other)
            place >>= 1
        if node != number(self.batch_root):
            raise Tampered("The prescription is not the one that was stated.")


def encode(opening: Opening) -> bytes:
    """The bytes of an opening (MessagePack)."""
    return msgspec.msgpack.encode(opening)


def decode(content: bytes) -> Opening:
    """Read an opening. Raises Invalid for anything else, or another version."""
    return read(content, Opening, most_bytes=_MOST_BYTES, of="a prescription")


def read(content: bytes, kind: type[Kind], *, most_bytes: int, of: str) -> Kind:
    """Read an opening of a kind. Raises Invalid for anything else, or another version."""
    try:
        if len(content) > most_bytes:
            raise Invalid(f"This is no opening of {of}.")
        found = msgspec.msgpack.decode(content, type=ready(kind))
    except msgspec.DecodeError:
        raise Invalid(f"This is no opening of {of}.") from None
    if found.v != 1:
        raise Invalid(f"The opening of {of} is of another version.")
    return found


def salt_of(nonce: bytes, essence: bytes) -> int:
    """The salt that commits to what was prescribed: 248 bits."""
    digest = hashlib.sha256(_SALT_TAG + nonce + essence).digest()
    return int.from_bytes(digest, "big") >> 8


def number(element: bytes) -> int:
    """An element of the field from its bytes."""
    return int.from_bytes(element, "big")


def octets(element: int) -> bytes:
    """An element of the field as bytes."""
    return element.to_bytes(ELEMENT_BYTES, "big")


@dataclass(frozen=True, slots=True)
class Secret:
    """What only the issuer has: who knows it cancels."""

    value: int

    @property
    def key(self) -> int:
        """The key that goes with the opening."""
        return nullifier_key(self.value)
