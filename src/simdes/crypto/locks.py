"""Secrets at rest: under a passphrase (key store) or under another key (local copies).

`lock` derives a key by Argon2id (https://www.rfc-editor.org/rfc/rfc9106) and seals with
ChaCha20-Poly1305; `wrap` derives a key of its own for each message from a 24-byte random salt, so
that one wrapping key can serve without counting messages. Format: ``docs/formats/key-store.md``.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from simdes.crypto import cbor
from simdes.crypto.digest import Random
from simdes.errors import Invalid, Tampered, TooLarge, Unauthenticated, Unsupported

ZERO_NONCE: Final = bytes(12)
_WRAP_VERSION: Final = b"\x01"
_WRAP_TAG: Final = b"simdes/wrap/v1\0"
_WRAP_SALT_BYTES: Final = 24
_KNOWN: Final = frozenset(("type", "v", "suite", "passes", "memory", "lanes", "salt"))


@dataclass(frozen=True, slots=True)
class ArgonCost:
    """What one guess of a passphrase costs: passes over memory, KiB of memory, parallel lanes."""

    passes: int
    memory_kib: int
    lanes: int


DEFAULT_COST: Final = ArgonCost(passes=3, memory_kib=64 * 1024, lanes=4)
"""The second recommended option of RFC 9106, section 4."""
MAX_COST: Final = ArgonCost(passes=16, memory_kib=1024 * 1024, lanes=16)
"""The most that `unlock` spends on a file somebody else may have written."""


def _check_cost(cost: ArgonCost) -> None:
    if cost.passes < 1 or cost.lanes < 1 or cost.memory_kib < 8 * cost.lanes:
        raise Invalid("Argon2id needs a pass, a lane and 8 KiB of memory per lane.")
    if (
        cost.passes > MAX_COST.passes
        or cost.memory_kib > MAX_COST.memory_kib
        or cost.lanes > MAX_COST.lanes
    ):
        raise TooLarge("The Argon2id cost is over the limit of 16 passes, 1 GiB, 16 lanes.")


def _passphrase_key(passphrase: str, salt: bytes, cost: ArgonCost) -> bytes:
    return hash_secret_raw(
        passphrase.encode(),
        salt,
        time_cost=cost.passes,
        memory_cost=cost.memory_kib,
        parallelism=cost.lanes,
        hash_len=32,
        type=Type.ID,
    )


def lock(
    secret: bytes, passphrase: str, *, cost: ArgonCost = DEFAULT_COST, random: Random
) -> bytes:
    """Seal `secret` under a passphrase; the cost is stored beside it. `TooLarge` over the limit."""
    _check_cost(cost)
    salt = random(16)
    header = cbor.encode_header(
        {
            "type": "lock",
            "v": 1,
            "suite": 1,
            "passes": cost.passes,
            "memory": cost.memory_kib,
            "lanes": cost.lanes,
            "salt": salt,
        }
    )
    cipher = ChaCha20Poly1305(_passphrase_key(passphrase, salt, cost))
    return header + cbor.encode(cipher.encrypt(ZERO_NONCE, secret, header))


def unlock(locked: bytes, passphrase: str) -> bytes:
    """Undo `lock`. `Unauthenticated` for a wrong passphrase or altered bytes (one looks like the
    other), `TooLarge` for a cost beyond the limit, `Invalid` or `Unsupported` for a bad format.
    """
    header, end = cbor.decode_first(locked)
    fields = cbor.Fields(header, kind="lock", known=_KNOWN)
    fields.suite()
    wide = 2**32
    cost = ArgonCost(
        passes=fields.uint("passes", wide),
        memory_kib=fields.uint("memory", wide),
        lanes=fields.uint("lanes", wide),
    )
    _check_cost(cost)
    salt, sealed = fields.fixed("salt", 16), cbor.decode(locked[end:])
    try:
        cipher = ChaCha20Poly1305(_passphrase_key(passphrase, salt, cost))
        return cipher.decrypt(ZERO_NONCE, cbor.as_bytes(sealed, "data"), locked[:end])
    except InvalidTag:
        raise Unauthenticated(
            "The passphrase does not open this key store.",
            advice="Check the passphrase; if it is right, restore the key store from a backup.",
        ) from None


def _message_key(key: bytes, salt: bytes) -> ChaCha20Poly1305:
    if len(key) != 32:
        raise Invalid("A wrapping key is 32 bytes.")
    return ChaCha20Poly1305(hmac.digest(key, _WRAP_TAG + salt, "sha256"))


def wrap(key: bytes, plaintext: bytes, *, aad: bytes, random: Random) -> bytes:
    """Seal `plaintext` under a 32-byte key, bound to `aad`; 41 bytes longer than the plaintext."""
    salt = random(_WRAP_SALT_BYTES)
    return _WRAP_VERSION + salt + _message_key(key, salt).encrypt(ZERO_NONCE, plaintext, aad)


def unwrap(key: bytes, wrapped: bytes, *, aad: bytes) -> bytes:
    """Undo `wrap`; `Tampered` if key, `aad` or any byte differs."""
    if wrapped[:1] != _WRAP_VERSION:
        raise Unsupported("This version of wrapped data is not known.")
    salt, sealed = wrapped[1 : 1 + _WRAP_SALT_BYTES], wrapped[1 + _WRAP_SALT_BYTES :]
    try:
        return _message_key(key, salt).decrypt(ZERO_NONCE, sealed, aad)
    except InvalidTag:
        raise Tampered("Wrapped data does not open: wrong key, place or altered bytes.") from None
