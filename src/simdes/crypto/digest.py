"""Hashes and key derivation.

Keccak-256 (the pre-standard SHA-3 of Ethereum) where a contract recomputes the value, SHA-256
elsewhere; HKDF-SHA256 as in https://www.rfc-editor.org/rfc/rfc5869.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import sha3

_keccak = sha3.keccak_256
_sha256 = hashlib.sha256
Random = Callable[[int], bytes]
"""Source of randomness: returns that many unpredictable bytes, as `os.urandom` does."""


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 digest, as `keccak256` in Solidity."""
    return _keccak(data).digest()  # type: ignore[no-any-return]  # pysha3 has no annotations


def sha256(data: bytes) -> bytes:
    """Return the 32-byte SHA-256 digest."""
    return _sha256(data).digest()


def hkdf(secret: bytes, *, salt: bytes, info: bytes, length: int = 32) -> bytes:
    """Derive `length` bytes (at most 8160) from `secret` by HKDF-SHA256 (RFC 5869)."""
    return hkdf_expand(hkdf_extract(secret, salt=salt), info=info, length=length)


def hkdf_extract(secret: bytes, *, salt: bytes) -> bytes:
    """Return the pseudorandom key from which `hkdf_expand` derives for several infos."""
    return hmac.digest(salt, secret, "sha256")


def hkdf_expand(key: bytes, *, info: bytes, length: int = 32) -> bytes:
    """Derive `length` bytes (at most 8160) from a pseudorandom key."""
    block, output, counter = b"", b"", 0
    while len(output) < length:
        counter += 1
        block = hmac.digest(key, block + info + bytes((counter,)), "sha256")
        output += block
    return output[:length]
