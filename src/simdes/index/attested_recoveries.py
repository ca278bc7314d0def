"""What administrators signed who saw somebody hosted here, and their papers, for a new key.

How the identity was checked is wrapped by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

TABLE = "recovery_attestation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """One organisation's word that a new key is somebody's."""

    account: bytes
    address: bytes
    organisation: bytes
    details_wrapped: bytes


_ATTESTATION = select(Attestation, TABLE)


def put(tx: Transaction, attestation: Attestation) -> None:
    """Keep an organisation's word, in the place of the one it gave before."""
    tx.insert(
        TABLE,
        [row_of(attestation)],
        conflict="(account, address, organisation) DO UPDATE SET"
        " details_wrapped = excluded.details_wrapped",
    )


def of_key(tx: Transaction, account: bytes, address: bytes) -> list[Attestation]:
    """Return what was attested for a new key, by organisation."""
    rows = tx.all(
        _ATTESTATION + " WHERE account = :account AND address = :address ORDER BY organisation",
        account=account,
        address=address,
    )
    return [read(Attestation, row) for row in rows]
