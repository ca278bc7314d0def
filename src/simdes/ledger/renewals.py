"""The next epoch of a vault, as it is signed, sent and asked about (`Accounts.renewVault`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from simdes.ledger.accounts import AccountsContract
from simdes.ledger.digests import domain_separator, struct_hash, typed_digest
from simdes.ledger.lane import Call
from simdes.ledger.ledger import Address

_TYPE = (
    "RenewVault(bytes32 tag,uint32 epoch,bytes32 descriptor,uint8 m,uint8 n,"
    "bytes32 organisation,uint256 deadline)"
)
_KINDS = ("bytes32", "uint32", "bytes32", "uint8", "uint8", "bytes32", "uint256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """Who a vault's custodians will be: `descriptor` is the SHA-256 of the block that names them.

    `organisation` sees to it and sends it, until `deadline` (Unix seconds).
    """

    tag: bytes
    epoch: int
    descriptor: bytes
    m: int
    n: int
    organisation: bytes
    deadline: int


def digest(accounts: AccountsContract, renewal: Renewal) -> bytes:
    """What the control account, or two organisations, sign (EIP-712)."""
    separator = domain_separator(
        name="SIMDES Accounts",
        version="1",
        chain_id=accounts.ledger.chain_id(),
        contract=accounts.address,
    )
    return typed_digest(separator, struct_hash(_TYPE, _KINDS, astuple(renewal)))


def renew_vault(accounts: AccountsContract, renewal: Renewal, signatures: Sequence[bytes]) -> Call:
    """Put the next epoch in force; sent by an agent of `renewal.organisation`."""
    return accounts.write("renewVault", astuple(renewal), list(signatures))


def require_agreed(
    accounts: AccountsContract, renewal: Renewal, signatures: Sequence[bytes], *, sender: Address
) -> None:
    """Ask the contract, changing nothing, whether `sender` could put it in force now.

    Raises what the contract's refusal means.
    """
    accounts.read("renewVault", astuple(renewal), list(signatures), sender=sender)
