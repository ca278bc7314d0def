"""Consents and emergencies as the chain's events tell them, by (vault, handle).

A handle only moves forward: granted or emergency, then revoked for good; a revocation of a handle
never seen burns it. Whether a consent still counts also depends on its vault's generation
(`simdes.index.chain`). States are those of ``Consents``; times are unix seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

GRANTED, REVOKED, EMERGENCY = 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What stands under a handle of a vault.

    ``commitment`` and ``pointer`` are a grant's; the five from ``account`` on are an emergency's,
    ``outcome`` its review (0 none, 1 justified, 2 unjustified). ``emergency`` is 1 also after an
    emergency was revoked.
    """

    vault: bytes
    handle: bytes
    state: int
    emergency: int = 0
    generation: int
    commitment: bytes | None = None
    pointer: bytes | None = None
    account: bytes | None = None
    organisation: bytes | None = None
    reason: bytes | None = None
    opened_seconds: int | None = None
    until_seconds: int | None = None
    review_due_seconds: int | None = None
    outcome: int = 0
    block_number: int


_CONSENT = select(Consent, "chain_consent")


def add(tx: Transaction, consents: Sequence[Consent]) -> None:
    """Add grants and emergencies; a handle known already (also a burned one) stays as it is."""
    tx.insert(
        "chain_consent",
        [row_of(consent) for consent in consents],
        conflict="(vault, handle) DO NOTHING",
    )


def revoke(tx: Transaction, vault: bytes, handle: bytes, *, block_number: int) -> None:
    """Close a handle for good, whether it was seen before or not."""
    burned = Consent(
        vault=vault, handle=handle, state=REVOKED, generation=0, block_number=block_number
    )
    tx.insert(
        "chain_consent",
        [row_of(burned)],
        conflict="(vault, handle) DO UPDATE SET state = excluded.state",
    )


def review(tx: Transaction, vault: bytes, handle: bytes, outcome: int) -> None:
    """Note the outcome of an emergency's review."""
    tx.run(
        "UPDATE chain_consent SET outcome = :outcome"
        " WHERE vault = :vault AND handle = :handle AND emergency = 1",
        outcome=outcome,
        vault=vault,
        handle=handle,
    )


def get(tx: Transaction, vault: bytes, handle: bytes) -> Consent | None:
    """Return what stands under a handle of a vault."""
    row = tx.one(
        _CONSENT + " WHERE vault = :vault AND handle = :handle", vault=vault, handle=handle
    )
    return None if row is None else read(Consent, row)


def among(tx: Transaction, vaults: Collection[bytes]) -> list[Consent]:
    """Return everything ever granted or opened in these vaults, in no order."""
    rows = tx.all(_CONSENT + " WHERE vault IN :vaults", vaults=sorted(vaults))
    return [read(Consent, row) for row in rows]


def of_vault(tx: Transaction, vault: bytes) -> list[Consent]:
    """Return everything ever granted or opened in a vault, oldest first."""
    rows = tx.all(_CONSENT + " WHERE vault = :vault ORDER BY block_number, handle", vault=vault)
    return [read(Consent, row) for row in rows]


def emergencies(tx: Transaction, organisation: bytes) -> list[Consent]:
    """Return the emergencies that an organisation opened, oldest first."""
    rows = tx.all(
        _CONSENT + " WHERE organisation = :organisation ORDER BY opened_seconds, handle",
        organisation=organisation,
    )
    return [read(Consent, row) for row in rows]
