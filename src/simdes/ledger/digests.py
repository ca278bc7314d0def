"""Keccak-256 and EIP-712 typed-data digests (https://eips.ethereum.org/EIPS/eip-712).

`simdes.ledger` stands on the lowest floor and imports no other, hence its own two lines of keccak.
"""

from __future__ import annotations

from collections.abc import Sequence

import sha3
from eth_abi.abi import encode

_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


def keccak256(data: bytes) -> bytes:
    """Return the Keccak-256 digest (Ethereum's padding, not that of SHA-3)."""
    return bytes(sha3.keccak_256(data).digest())


def selector(signature: str) -> bytes:
    """Return the four bytes that name a function or error, such as ``anchor(bytes32,uint32)``."""
    return keccak256(signature.encode())[:4]


def domain_separator(*, name: str, version: str, chain_id: int, contract: bytes) -> bytes:
    """Return the separator that binds a signature to one contract on one chain."""
    return keccak256(
        encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [
                keccak256(_DOMAIN_TYPE),
                keccak256(name.encode()),
                keccak256(version.encode()),
                chain_id,
                contract,
            ],
        )
    )


def struct_hash(type_text: str, kinds: Sequence[str], values: Sequence[object]) -> bytes:
    """Return hashStruct of a flat struct; dynamic members must already be hashed to bytes32."""
    return keccak256(encode(["bytes32", *kinds], [keccak256(type_text.encode()), *values]))


def typed_digest(separator: bytes, struct: bytes) -> bytes:
    """Return the 32 bytes that a key signs."""
    return keccak256(b"\x19\x01" + separator + struct)
