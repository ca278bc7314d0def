"""The group ristretto255 (https://www.rfc-editor.org/rfc/rfc9496) by libsodium, which rbcl carries.

Elements are 32 bytes in their one encoding, scalars numbers below the group's prime `ORDER`.
Multiplication by a secret scalar is libsodium's, in constant time. The library is loaded when
something is first calculated: few processes need it.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

from simdes.crypto.digest import Random
from simdes.errors import Tampered, Unsupported

ORDER: Final = 2**252 + 27742317777372353535851937790883648493
ELEMENT_BYTES: Final = 32
SCALAR_BYTES: Final = 32
UNIFORM_BYTES: Final = 64
_IDENTITY: Final = bytes(ELEMENT_BYTES)


@cache
def _sodium() -> ModuleType:
    """libsodium's functions. rbcl loads its library from a file in the temporary folder, which is
    not needed any more once it is loaded, and would stay there.
    """
    try:
        rbcl = import_module("rbcl")
    except OSError as error:
        raise Unsupported(
            "The library of fingerprints can't be loaded from the temporary folder.",
            advice="Point TMPDIR at a folder from which programs may be run.",
        ) from error
    loaded = getattr(getattr(rbcl, "_sodium", None), "_name", "")
    if loaded:
        Path(loaded).unlink(missing_ok=True)
    return rbcl


def random_scalar(random: Random) -> int:
    """Draw a scalar that is not zero: 64 bytes, little-endian, reduced."""
    while True:
        if scalar := int.from_bytes(random(UNIFORM_BYTES), "little") % ORDER:
            return scalar


def scalar_bytes(scalar: int) -> bytes:
    """Return a scalar's 32 bytes, little-endian."""
    return scalar.to_bytes(SCALAR_BYTES, "little")


def read_scalar(data: bytes) -> int:
    """Read a scalar; `Tampered` unless it is 32 bytes and below the order."""
    scalar = int.from_bytes(data, "little")
    if len(data) != SCALAR_BYTES or scalar >= ORDER:
        raise Tampered("A scalar is 32 bytes, below the order of the group.")
    return scalar


def check_element(data: bytes) -> bytes:
    """Return `data`, which is an element and not the identity; else `Tampered`."""
    known: bool = (
        len(data) == ELEMENT_BYTES
        and data != _IDENTITY
        and _sodium().crypto_core_ristretto255_is_valid_point(data)
    )
    if not known:
        raise Tampered("An element of the group is 32 bytes in their one encoding, not zero.")
    return data


def from_uniform(data: bytes) -> bytes:
    """Map 64 uniform bytes to an element (RFC 9496, 4.3.4)."""
    element: bytes = _sodium().crypto_core_ristretto255_from_hash(data)
    return element


def multiply(scalar: int, element: bytes) -> bytes:
    """Multiply an element by a scalar; `Tampered` where the product is the identity."""
    try:
        product: bytes = _sodium().crypto_scalarmult_ristretto255(scalar_bytes(scalar), element)
    except RuntimeError as error:
        raise Tampered("A product in the group is the identity, or no element.") from error
    return product


def multiply_base(scalar: int) -> bytes:
    """Multiply the group's generator by a scalar that is not zero."""
    try:
        product: bytes = _sodium().crypto_scalarmult_ristretto255_base(scalar_bytes(scalar))
    except RuntimeError as error:
        raise Tampered("A product in the group is the identity.") from error
    return product


def add(left: bytes, right: bytes) -> bytes:
    """Add two elements; `Tampered` where one is none."""
    try:
        total: bytes = _sodium().crypto_core_ristretto255_add(left, right)
    except (RuntimeError, TypeError, ValueError) as error:
        raise Tampered("A sum in the group is of what is no element.") from error
    return total


def add_all(elements: list[bytes]) -> bytes:
    """Add elements, at least one."""
    total = elements[0]
    for element in elements[1:]:
        total = add(total, element)
    return total
