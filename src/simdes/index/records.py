"""Sealed records of this organisation and their leaves: what a sealing worker hands over.

A record is one body (several resource versions of one vault, category and label set); each of its
versions has a leaf. A record waits without batch until `batches.build` takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.errors import Conflict
from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """A sealed body: where its bytes and its capsule lie, and who wrote it for whom."""

    record_id: bytes
    vault: bytes
    category: int
    labels: int
    epoch: int
    body_cid: str
    body_digest: bytes
    capsule_cid: str
    organisation: bytes
    author: bytes
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(NewRecord):
    """A record as kept; ``batch_id`` None until it is in a batch."""

    batch_id: bytes | None


@dataclass(frozen=True, slots=True)
class NewLeaf:
    """The leaf of one resource version, in the order of the body's items."""

    leaf: bytes
    resource_id: int


@dataclass(frozen=True, slots=True)
class LeafPlace:
    """Where a leaf stands: item ``place`` of its record, leaf ``position`` of its batch."""

    leaf: bytes
    record_id: bytes | None
    resource_id: int | None
    place: int
    batch_id: bytes | None
    position: int | None


_RECORD = select(Record, "record")
_LEAF = select(LeafPlace, "leaf")


def add(tx: Transaction, sealed: Sequence[tuple[NewRecord, Sequence[NewLeaf]]]) -> None:
    """Keep sealed records and set their resource versions ``sealed``; few statements for many.

    Call `outbox.complete` in the same transaction.

    Raises:
        Conflict: a version is sealed already, by another worker; undo everything.

    """
    leaves = add_again(tx, sealed)
    changed = tx.many(
        "UPDATE resource SET state = 'sealed', record_id = :record, leaf = :leaf"
        " WHERE id = :id AND state = 'pending'",
        [
            {"record": record_id, "leaf": leaf.leaf, "id": leaf.resource_id}
            for record_id, _, leaf in leaves
        ],
    )
    if changed != len(leaves):
        raise Conflict("A resource version was sealed by another worker meanwhile")


def add_again(
    tx: Transaction, sealed: Sequence[tuple[NewRecord, Sequence[NewLeaf]]]
) -> list[tuple[bytes, int, NewLeaf]]:
    """Keep records of versions that may be sealed already: their leaves (record, place, leaf)."""
    tx.insert("record", [row_of(record) for record, _ in sealed])
    leaves = [
        (record.record_id, place, leaf) for record, its in sealed for place, leaf in enumerate(its)
    ]
    tx.insert(
        "leaf",
        [
            {
                "leaf": leaf.leaf,
                "record_id": record_id,
                "resource_id": leaf.resource_id,
                "place": place,
            }
            for record_id, place, leaf in leaves
        ],
    )
    return leaves


def get(tx: Transaction, record_id: bytes) -> Record | None:
    """Return a record by its id."""
    row = tx.one(_RECORD + " WHERE record_id = :id", id=record_id)
    return None if row is None else read(Record, row)


def get_many(tx: Transaction, record_ids: Sequence[bytes]) -> dict[bytes, Record]:
    """Return the known ones among ``record_ids`` by id, in one statement."""
    rows = tx.all(_RECORD + " WHERE record_id IN :ids", ids=record_ids)
    return {row[0]: read(Record, row) for row in rows}


def of_vault(tx: Transaction, vault: bytes) -> list[Record]:
    """Return a vault's records, oldest first."""
    rows = tx.all(_RECORD + " WHERE vault = :vault ORDER BY created_ms, record_id", vault=vault)
    return [read(Record, row) for row in rows]


def leaves(tx: Transaction, record_ids: Sequence[bytes]) -> list[LeafPlace]:
    """Return the leaves of records, each record's in the order of its items."""
    rows = tx.all(_LEAF + " WHERE record_id IN :ids ORDER BY record_id, place", ids=record_ids)
    return [LeafPlace(*row) for row in rows]


def leaf_of(tx: Transaction, resource_id: int) -> LeafPlace | None:
    """Return the leaf of a resource version."""
    row = tx.one(_LEAF + " WHERE resource_id = :id", id=resource_id)
    return None if row is None else LeafPlace(*row)
