"""Vaults' next epochs: what this organisation sees to, and where capsules of later epochs lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

AGREED, DONE = "agreed", "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """A next epoch that was agreed on; ``signatures`` are 65 bytes each, one after the other."""

    tag: bytes
    epoch: int
    descriptor: bytes
    m: int
    n: int
    deadline_seconds: int
    signatures: bytes
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Capsule:
    """Where a record's capsule of an epoch lies."""

    record_id: bytes
    epoch: int
    vault: bytes
    capsule_cid: str


_RENEWAL = select(Renewal, "renewal")


def put(tx: Transaction, renewal: Renewal) -> None:
    """Write a renewal down, in the place of the vault's earlier one."""
    tx.run("DELETE FROM renewal WHERE tag = :tag", tag=renewal.tag)
    tx.insert("renewal", [row_of(renewal)], conflict="(tag) DO NOTHING")


def get(tx: Transaction, tag: bytes) -> Renewal | None:
    """Return the vault's renewal, under way or done."""
    row = tx.one(_RENEWAL + " WHERE tag = :tag", tag=tag)
    return None if row is None else read(Renewal, row)


def in_state(tx: Transaction, state: str) -> list[Renewal]:
    """Return the renewals in a state."""
    return [
        read(Renewal, row) for row in tx.all(_RENEWAL + " WHERE state = :s ORDER BY tag", s=state)
    ]


def set_done(tx: Transaction, tag: bytes, epoch: int) -> None:
    """Say that a renewal is in force."""
    tx.run(
        "UPDATE renewal SET state = 'done' WHERE tag = :tag AND epoch = :epoch",
        tag=tag,
        epoch=epoch,
    )


def add_capsules(tx: Transaction, capsules: Sequence[Capsule]) -> None:
    """Keep where capsules lie; a later one of the same record and epoch takes its place."""
    tx.insert(
        "renewed_capsule",
        [row_of(one) for one in capsules],
        conflict="(record_id, epoch) DO UPDATE SET capsule_cid = excluded.capsule_cid",
    )


def capsules(tx: Transaction, records: Sequence[bytes], *, epoch: int) -> Mapping[bytes, Capsule]:
    """Return the newest capsule, of this epoch at most, of those of these records that have one."""
    if not records:
        return {}
    rows = tx.all(
        "SELECT record_id, epoch, vault, capsule_cid FROM renewed_capsule"
        " WHERE record_id IN :ids AND epoch <= :epoch ORDER BY epoch",
        ids=records,
        epoch=epoch,
    )
    return {bytes(row[0]): read(Capsule, row) for row in rows}


def drop_capsules(tx: Transaction, records: Sequence[bytes], *, epoch: int) -> None:
    """Forget capsules of an epoch that turned out bad."""
    tx.run(
        "DELETE FROM renewed_capsule WHERE record_id IN :ids AND epoch = :epoch",
        ids=records,
        epoch=epoch,
    )


def superseded_keys(tx: Transaction) -> list[bytes]:
    """Return the vaults for which a key of an earlier epoch than the present is still held."""
    rows = tx.all(
        "SELECT DISTINCT custody_key.vault FROM custody_key"
        " JOIN chain_vault ON chain_vault.tag = custody_key.vault"
        " WHERE custody_key.state = 'bound' AND custody_key.epoch < chain_vault.epoch"
    )
    return [bytes(row[0]) for row in rows]
