"""Rows for the index's tests: plain values, distinct by a number."""

from __future__ import annotations

import hashlib

from simdes.index import batches, outbox, records, resources, vaults
from simdes.index.records import NewLeaf, NewRecord
from simdes.index.resources import NewResource
from simdes.index.transaction import Transaction
from simdes.index.vaults import Vault


def id32(*parts: object) -> bytes:
    """32 bytes that depend on the parts."""
    return hashlib.sha256(repr(parts).encode()).digest()


def vault(number: int = 1, *, state: str = vaults.OPEN) -> Vault:
    """A home vault."""
    return Vault(
        tag=id32("vault", number),
        m=2,
        n=3,
        epoch=1,
        descriptor_cid="bafk",
        control=None,
        home=1,
        key_wrapped=b"wrapped",
        state=state,
        created_ms=number,
    )


def resource(
    number: int,
    *,
    type: str = "Observation",
    content: str = "first",
    vault: int = 1,
    category: int = 3,
    labels: int = 0,
) -> NewResource:
    """A version of resource ``number`` with the given content."""
    return NewResource(
        type=type,
        logical_id=f"r{number}",
        vault=id32("vault", vault),
        category=category,
        labels=labels,
        content_wrapped=content.encode(),
        digest=id32("content", number, content),
        salt=id32("salt", number, content),
        source_id=None,
        created_ms=number,
    )


def record(number: int, *, vault: int = 1) -> NewRecord:
    """A sealed record."""
    return NewRecord(
        record_id=id32("record", number),
        vault=id32("vault", vault),
        category=3,
        labels=0,
        epoch=1,
        body_cid=f"body{number}",
        body_digest=id32("body", number),
        capsule_cid=f"capsule{number}",
        organisation=id32("organisation"),
        author=id32("author")[:20],
        created_ms=number,
    )


def submit(tx: Transaction, numbers: range) -> list[int]:
    """Add one vault, and one resource with an outbox row for each number; return row ids."""
    vaults.add(tx, vault())
    ids = [one.id for one in resources.add(tx, [resource(number) for number in numbers])]
    outbox.add(tx, ids)
    return ids


def seal(tx: Transaction, number: int, resource_ids: list[int]) -> list[bytes]:
    """Seal resources into one record and return the leaves."""
    leaves = [NewLeaf(id32("leaf", number, id_), id_) for id_ in resource_ids]
    records.add(tx, [(record(number), leaves)])
    return [leaf.leaf for leaf in leaves]


def batch(number: int, count: int) -> batches.NewBatch:
    """A batch to build."""
    return batches.NewBatch(
        batch_id=id32("batch", number),
        root=id32("root", number),
        count=count,
        manifest_cid=f"manifest{number}",
        created_ms=number,
    )
