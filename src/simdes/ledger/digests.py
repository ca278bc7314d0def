"""Keccak-256 and EIP-712 typed-data digests (https://eips.ethereum.org/EIPS/eip-712).

`simdes.ledger` stands on the lowest floor and imports no other, hence its own two lines of keccak.
"""

from __future__ import annotations

from collections.abc import Sequence

import sha3

from simdes.errors import Invalid

_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


def keccak256(data: bytes) -> bytes:
    """Return the Keccak-256 digest (Ethereum's padding, not that of SHA-3)."""
    return bytes(sha3.keccak_256(data).digest())


def selector(signature: str) -> bytes:
    """Return the four bytes that name a function or error, such as ``anchor(bytes32,uint32)``."""
    return keccak256(signature.encode())[:4]


def domain_separator(*, name: str, version: str, chain_id: int, contract: bytes) -> bytes:
    """Return the separator that binds a signature to one contract on one chain."""
    texts = (keccak256(name.encode()), keccak256(version.encode()))
    kinds = ("bytes32", "bytes32", "uint256", "address")
    return struct_hash(_DOMAIN_TYPE, kinds, (*texts, chain_id, contract))


def struct_hash(type_text: str, kinds: Sequence[str], values: Sequence[bytes | int]) -> bytes:
    """Return hashStruct of a flat struct; dynamic members must already be hashed to bytes32.

    Each member is one word, so there is nothing to encode but its padding. Raises `Invalid` where
    a value doesn't fit its type.
    """
    words = [_word(kind, value) for kind, value in zip(kinds, values, strict=True)]
    return keccak256(keccak256(type_text.encode()) + b"".join(words))


def typed_digest(separator: bytes, struct: bytes) -> bytes:
    """Return the 32 bytes that a key signs."""
    return keccak256(b"\x19\x01" + separator + struct)


def _word(kind: str, value: bytes | int) -> bytes:
    if isinstance(value, int) and kind.startswith("uint"):
        if 0 <= value < 1 << int(kind.removeprefix("uint")):
            return value.to_bytes(32, "big")
    elif isinstance(value, bytes) and len(value) == {"bytes32": 32, "address": 20}.get(kind):
        return value.rjust(32, b"\0")
    raise Invalid(f"a value to be signed is no {kind}")
