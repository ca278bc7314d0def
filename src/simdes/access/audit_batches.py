"""Entries of the audit trail put on chain in batches, in order: the worker's steps.

A batch is built in the database first and sent then, so that a kill at any point anchors nothing
twice (docs/formats/audit-entry.md, "Chain and batches").
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from simdes.access.accounts import Transactor
from simdes.crypto import anchor
from simdes.errors import Conflict, Tampered
from simdes.index import audit as rows
from simdes.index.database import Database
from simdes.index.transaction import Transaction
from simdes.ledger.contracts import Contracts

BATCH_ENTRIES: Final = 16_384


def build_batch(
    database: Database,
    *,
    random: Callable[[int], bytes],
    now_ms: int,
    even_if_empty: bool = False,
    most: int = BATCH_ENTRIES,
) -> int:
    """Put the entries that wait into a batch; its number, 0 when there was nothing to do.

    With `even_if_empty` a batch of one random leaf is built when nothing waits, so that a fixed
    cadence tells members nothing.
    """

    def write(tx: Transaction) -> int:
        waiting = rows.unbatched(tx, limit=most)
        if not waiting and not even_if_empty:
            return 0
        last = rows.newest_batch(tx)
        filler = None if waiting else anchor.random_leaf(random)
        leaves = [one.leaf for one in waiting] or [filler or b""]
        first = last.last_seq + 1 if last else 1
        batch = rows.NewBatch(
            seq=last.seq + 1 if last else 1,
            previous_root=last.root if last else rows.ZERO,
            root=anchor.root(leaves),
            count=len(leaves),
            first_seq=first,
            last_seq=first + len(waiting) - 1,
            filler=filler,
            created_ms=now_ms,
        )
        rows.build(tx, batch)
        return batch.seq

    return database.write(write)


def send_batches(
    database: Database, contracts: Contracts, lane: Transactor, *, organisation: bytes
) -> int:
    """Put every built batch on chain, in order; how many were found or put there.

    Repeating it is harmless: what the chain holds is not sent again. Raises `Tampered` when the
    chain holds another root under our number (somebody else writes with our keys).
    """
    with database.read() as tx:
        waiting = rows.unfinished(tx)
    for batch in waiting:
        block = _on_chain(contracts, organisation, batch)
        if block is None:
            block = _send(database, contracts, lane, organisation, batch)
        database.write(partial(_anchored, seq=batch.seq, block_number=block))
    return len(waiting)


def _anchored(tx: Transaction, *, seq: int, block_number: int) -> None:
    rows.anchored(tx, seq, block_number=block_number)


def _on_chain(contracts: Contracts, organisation: bytes, batch: rows.Batch) -> int | None:
    root = contracts.audit_log.root_at(organisation=organisation, seq=batch.seq)
    if root is None:
        return None
    if root != batch.root:
        raise Tampered(f"Audit batch {batch.seq} on chain is not the one that was built here.")
    return contracts.ledger.head().number


def _send(
    database: Database,
    contracts: Contracts,
    lane: Transactor,
    organisation: bytes,
    batch: rows.Batch,
) -> int:
    call = contracts.audit_log.append(
        seq=batch.seq, previous_root=batch.previous_root, root=batch.root, count=batch.count
    )
    try:
        receipt = lane.transact(call)
    except Conflict:
        # Another process of ours, or our own transaction of before a crash, was faster.
        block = _on_chain(contracts, organisation, batch)
        if block is None:
            raise
        return block
    database.write(lambda tx: rows.sent(tx, batch.seq, transaction_hash=receipt.transaction_hash))
    return receipt.block_number
