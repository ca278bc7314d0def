"""A set of guardians, the proof that somebody is in it, and the code of a new key.

Guardians stand on chain as the root of a Merkle tree of salted addresses alone
(`contracts/src/accounts/Recovery.sol`; docs/contracts.md, "Accounts"): whoever watches the chain
learns how many there are, not who. A guardian is given salt and path when appointed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from simdes.crypto.anchor import path, root, verify_path
from simdes.crypto.cbor import Value
from simdes.crypto.digest import keccak256
from simdes.errors import Invalid, Tampered

MOST_GUARDIANS: Final = 10
LASTING_SECONDS: Final = 7 * 86_400
"""How long a new key waits to be let in, from the moment that it was asked for."""
SKEW_SECONDS: Final = 300
"""How far the clock of another organisation may be ahead of ours."""
CODE_BYTES: Final = 10
_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32 (https://www.crockford.com/base32.html): nothing that is easily misread."""
_MISREAD: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})
_GUARDIAN: Final = b"\x03"


@dataclass(frozen=True, slots=True)
class Seat:
    """A guardian's place in a set, and what proves it."""

    salt: bytes
    index: int
    count: int
    path: tuple[bytes, ...]


def leaf(salt: bytes, address: bytes) -> bytes:
    """The leaf of a guardian: keccak256(3 ‖ salt ‖ address on 32 bytes)."""
    return keccak256(_GUARDIAN + salt + address.rjust(32, b"\0"))


def seat_all(guardians: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, tuple[Seat, ...]]:
    """The root over guardians (salt, address), and each one's seat, in their order."""
    leaves = [leaf(salt, address) for salt, address in guardians]
    count = len(leaves)
    seats = tuple(
        Seat(salt, index, count, path(leaves, index)) for index, (salt, _) in enumerate(guardians)
    )
    return root(leaves), seats


def is_seated(seat: Seat, address: bytes, expected: bytes) -> bool:
    """Whether this address has this seat in the set of this root."""
    return verify_path(
        leaf(seat.salt, address),
        index=seat.index,
        count=seat.count,
        path=seat.path,
        root=expected,
    )


def code_of(address: bytes) -> str:
    """What a person reads to their guardians: the first 80 bits of a key's address.

    Sixteen letters and digits in groups of four. Whoever would have guardians sign for another key
    needs one whose address begins alike.
    """
    number = int.from_bytes(address[:CODE_BYTES], "big")
    letters = [_LETTERS[number >> shift & 31] for shift in range(75, -1, -5)]
    return "-".join("".join(letters[start : start + 4]) for start in range(0, 16, 4))


def start_of_code(code: str) -> bytes:
    """The ten bytes that the address of a code begins with; Invalid for what is no code."""
    plain = "".join(code.split()).replace("-", "").upper().translate(_MISREAD)
    if len(plain) != 16 or any(letter not in _LETTERS for letter in plain):
        raise Invalid("That is no code of a recovery.", advice="It has sixteen letters and digits.")
    number = 0
    for letter in plain:
        number = number << 5 | _LETTERS.index(letter)
    return number.to_bytes(CODE_BYTES, "big")


def key_said(said: Mapping[str, Value], start: bytes, *, now_seconds: int) -> tuple[bytes, int]:
    """Key and deadline that an organisation names for a code. Raises Tampered for another key than
    the code's, or a time that no new key is given."""
    key, deadline = said.get("key"), said.get("deadline")
    latest = now_seconds + LASTING_SECONDS + SKEW_SECONDS
    if (
        not isinstance(key, bytes)
        or len(key) != 20
        or not key.startswith(start)
        or not isinstance(deadline, int)
        or not now_seconds < deadline <= latest
    ):
        raise Tampered("The answer names another key than the code.")
    return key, deadline
