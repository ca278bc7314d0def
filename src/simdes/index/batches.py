"""Anchor batches: which leaves go on chain together, and how far each batch has come.

The anchoring worker reads `unbatched`, computes root and manifest and stores the manifest, all
outside a transaction, then `build` takes exactly those records or nothing. A batch is built, sent
(its transaction is signed and stored), anchored (in a block). After a crash `unfinished` says
where to go on; every step may be repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.errors import Conflict, NotFound
from simdes.index import resources
from simdes.index.records import LeafPlace, Record
from simdes.index.rows import read, row_of, select
from simdes.index.statements import Value
from simdes.index.transaction import Transaction

BUILT, SENT, ANCHORED = "built", "sent", "anchored"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """A batch to build: its id is derived from chain, organisation and root."""

    batch_id: bytes
    root: bytes
    count: int
    manifest_cid: str
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(NewBatch):
    """A batch and how far it has come."""

    state: str
    transaction_hash: bytes | None
    block_number: int | None


@dataclass(frozen=True, slots=True)
class UnbatchedLeaf:
    """A leaf that waits for a batch, with the type of its resource."""

    leaf: bytes
    resource_id: int
    type: str


@dataclass(frozen=True, slots=True)
class Unbatched:
    """A record that waits for a batch, with its leaves in the order of the body's items."""

    record: Record
    leaves: tuple[UnbatchedLeaf, ...]


_BATCH = select(Batch, "batch")
_RECORD = select(Record, "record")


def unbatched(tx: Transaction, *, limit: int) -> list[Unbatched]:
    """Return up to ``limit`` records that are in no batch, oldest first, in two statements."""
    records = [
        read(Record, row)
        for row in tx.all(
            _RECORD + " WHERE batch_id IS NULL ORDER BY created_ms, record_id LIMIT :limit",
            limit=limit,
        )
    ]
    if not records:
        return []
    rows = tx.all(
        "SELECT l.record_id, l.leaf, l.resource_id, r.type FROM leaf AS l"
        " JOIN resource AS r ON r.id = l.resource_id"
        " WHERE l.record_id IN :ids ORDER BY l.record_id, l.place",
        ids=[record.record_id for record in records],
    )
    by_record: dict[bytes, list[UnbatchedLeaf]] = {record.record_id: [] for record in records}
    for record_id, leaf, resource_id, type_ in rows:
        by_record[record_id].append(UnbatchedLeaf(leaf, resource_id, type_))
    return [Unbatched(record, tuple(by_record[record.record_id])) for record in records]


def build(
    tx: Transaction, batch: NewBatch, *, leaves: Sequence[bytes], filler: bool = False
) -> None:
    """Put leaves into a batch in the given order, in one transaction, all or nothing.

    ``filler`` marks a batch whose only leaf is random and belongs to no record. Building the same
    batch again is harmless.

    Raises:
        Conflict: a leaf is in another batch, or a record would be split; undo everything.

    """
    if not tx.insert(
        "batch",
        [row_of(batch) | {"state": BUILT}],
        conflict="(batch_id) DO NOTHING",
        returning="batch_id",
    ):
        return
    if filler:
        own: list[dict[str, Value]] = [
            {"leaf": leaf, "place": 0, "batch_id": batch.batch_id, "position": at}
            for at, leaf in enumerate(leaves)
        ]
        tx.insert("leaf", own)
        return
    taken = tx.many(
        "UPDATE leaf SET batch_id = :batch, position = :position"
        " WHERE leaf = :leaf AND batch_id IS NULL",
        [{"batch": batch.batch_id, "position": at, "leaf": leaf} for at, leaf in enumerate(leaves)],
    )
    if taken != len(leaves):
        raise Conflict("Another worker took some of these leaves")
    tx.run(
        "UPDATE record SET batch_id = :batch WHERE batch_id IS NULL AND record_id IN"
        " (SELECT record_id FROM leaf WHERE batch_id = :batch)",
        batch=batch.batch_id,
    )
    if tx.one(
        "SELECT 1 FROM leaf AS l JOIN record AS r ON r.record_id = l.record_id"
        " WHERE r.batch_id = :batch AND l.batch_id IS NULL LIMIT 1",
        batch=batch.batch_id,
    ):
        raise Conflict("A record's leaves belong into one batch")


def sent(tx: Transaction, batch_id: bytes, *, transaction_hash: bytes) -> None:
    """Note the transaction that anchors a batch; an anchored batch stays so. Raises `NotFound`."""
    _changed(
        tx.run(
            "UPDATE batch SET transaction_hash = :hash,"
            " state = CASE state WHEN 'built' THEN 'sent' ELSE state END WHERE batch_id = :id",
            hash=transaction_hash,
            id=batch_id,
        )
    )


def anchored(tx: Transaction, batch_id: bytes, *, block_number: int) -> None:
    """Note the block that holds a batch and set its resources anchored. Raises `NotFound`."""
    _changed(
        tx.run(
            "UPDATE batch SET state = 'anchored', block_number = :block WHERE batch_id = :id",
            block=block_number,
            id=batch_id,
        )
    )
    resources.anchored(tx, batch_id)


def get(tx: Transaction, batch_id: bytes) -> Batch | None:
    """Return a batch by its id."""
    row = tx.one(_BATCH + " WHERE batch_id = :id", id=batch_id)
    return None if row is None else read(Batch, row)


def unfinished(tx: Transaction) -> list[Batch]:
    """Return the batches that are not anchored, oldest first."""
    rows = tx.all(_BATCH + " WHERE state <> 'anchored' ORDER BY created_ms, batch_id")
    return [read(Batch, row) for row in rows]


def newest(tx: Transaction) -> Batch | None:
    """Return the batch built last."""
    row = tx.one(_BATCH + " ORDER BY created_ms DESC LIMIT 1")
    return None if row is None else read(Batch, row)


def leaves(tx: Transaction, batch_id: bytes) -> list[LeafPlace]:
    """Return a batch's leaves in order."""
    rows = tx.all(
        select(LeafPlace, "leaf") + " WHERE batch_id = :id ORDER BY position", id=batch_id
    )
    return [LeafPlace(*row) for row in rows]


def _changed(count: int) -> None:
    if count == 0:
        raise NotFound("No such batch")
