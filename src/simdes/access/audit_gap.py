"""The audit trail of an organisation that was restored from a backup: going on behind a gap.

What was written down between the backup and the loss stands on chain as roots and nowhere else. The
trail goes on behind them, so that the contract's chain stays without gap or fork, and an entry of
its own says that a restore was made and how many batches have no entries here any more.
"""

from __future__ import annotations

from functools import partial

from simdes.access.audit_event import Attempt, Verb
from simdes.errors import Tampered, Unavailable
from simdes.index import audit as rows
from simdes.index.database import Database
from simdes.index.transaction import Transaction
from simdes.ledger.contracts import Contracts, Standing
from simdes.ledger.records import AuditBatch


def adopt_lost(
    database: Database, contracts: Contracts, *, organisation: bytes, now_ms: int
) -> int:
    """After a restore: take note of the batches that the chain has and the database lost; how many.

    The chain of roots goes on behind them; their entries are gone, and proofs of them still hold.
    Raises `Tampered` when a batch that is here has another root on chain.
    """
    with database.read() as tx:
        last = rows.newest_batch(tx)
    if last is not None:
        root = contracts.audit_log.root_at(organisation=organisation, seq=last.seq)
        if root not in (None, last.root):
            raise Tampered(f"Audit batch {last.seq} on chain is not the one in this database.")
    head = contracts.audit_log.head(organisation)
    block = contracts.ledger.head().number
    known = 0 if last is None else last.seq
    for seq in range(known + 1, head.seq + 1):
        found = contracts.audit_log.entry_at(organisation=organisation, seq=seq)
        if found is None:
            raise Unavailable("The ledger's node does not know all of our audit batches.")
        database.write(partial(_adopt, seq=seq, found=found, now_ms=now_ms, block=block))
    return max(0, head.seq - known)


def _adopt(tx: Transaction, *, seq: int, found: AuditBatch, now_ms: int, block: int) -> None:
    last = rows.newest_batch(tx)
    first = 1 if last is None else last.last_seq + 1
    batch = rows.NewBatch(
        seq=seq,
        previous_root=rows.ZERO if last is None else last.root,
        root=found.root,
        count=found.count,
        first_seq=first,
        last_seq=first - 1,
        filler=found.root,
        created_ms=now_ms,
    )
    rows.adopt(tx, batch, block_number=block)


def restored(standing: Standing, address: bytes, *, lost: int) -> Attempt:
    """The entry that says so; ``count`` is one more than the batches whose entries are lost."""
    return Attempt(
        verb=Verb.RESTORE,
        account=standing.account,
        address=address,
        role=int(standing.role),
        organisation=standing.organisation,
        purpose=None,
        vault=None,
        count=lost + 1,
    )
