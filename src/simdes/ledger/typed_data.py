"""What a key signs as EIP-712 typed data: its digest, and the document that a wallet is shown.

https://eips.ethereum.org/EIPS/eip-712; the document is what ``eth_signTypedData_v4`` takes. Structs
are flat: every member is one word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from simdes.ledger.digests import domain_separator, struct_hash, typed_digest

_DOMAIN = (
    ("string", "name"),
    ("string", "version"),
    ("uint256", "chainId"),
    ("address", "verifyingContract"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedData:
    """A struct with its values, for one contract (by name and address) on one chain.

    ``struct`` is the type as the contract hashes it: ``Revoke(bytes32 tag,bytes32 handle,…)``.
    """

    name: str
    chain_id: int
    contract: bytes
    struct: str
    values: tuple[bytes | int, ...]

    @property
    def primary(self) -> str:
        """The struct's name."""
        return self.struct.partition("(")[0]

    @property
    def members(self) -> tuple[tuple[str, str], ...]:
        """Kind and name of each member."""
        inner = re.findall(r"(\w+) (\w+)", self.struct)
        return tuple((kind, name) for kind, name in inner)

    @property
    def digest(self) -> bytes:
        """The 32 bytes that are signed. Raises Invalid where a value doesn't fit its type."""
        separator = domain_separator(
            name=self.name, version="1", chain_id=self.chain_id, contract=self.contract
        )
        kinds = [kind for kind, _ in self.members]
        return typed_digest(separator, struct_hash(self.struct, kinds, self.values))

    def document(self) -> dict[str, Any]:
        """The same for a wallet: bytes in hex, numbers as decimal text (they pass 2^53)."""
        named = zip(self.members, self.values, strict=True)
        return {
            "types": {"EIP712Domain": _listed(_DOMAIN), self.primary: _listed(self.members)},
            "primaryType": self.primary,
            "domain": {
                "name": self.name,
                "version": "1",
                "chainId": self.chain_id,
                "verifyingContract": f"0x{self.contract.hex()}",
            },
            "message": {name: _said(value) for (_, name), value in named},
        }


def _listed(members: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for kind, name in members]


def _said(value: bytes | int) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
