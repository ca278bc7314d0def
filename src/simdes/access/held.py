"""What a custodian knows of the records whose shares it keeps: entries of anchored manifests."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simdes.crypto.manifest import ManifestEntry
from simdes.index.transaction import Row, Transaction


@dataclass(frozen=True, slots=True)
class Held:
    """One record as its anchored manifest lists it. `position` orders by time of anchoring."""

    batch_id: bytes
    record_id: bytes
    vault: bytes
    category: int
    labels: int
    types: tuple[str, ...]
    body_cid: str
    body_digest: bytes
    capsule_cid: str
    leaf_indexes: tuple[int, ...]
    organisation: bytes
    author: bytes
    created_ms: int


_COLUMNS = (
    "e.batch_id, e.record_id, e.vault, e.category, e.labels, e.types, e.body_cid, e.body_digest, "
    "e.capsule_cid, e.indexes, e.organisation, e.author, e.created_ms"
)
_FROM = "FROM manifest_entry e JOIN chain_batch b ON b.batch_id = e.batch_id"
_ORDER = "ORDER BY b.block_number, e.batch_id, e.record_id"


def keep_entries(
    tx: Transaction, batch_id: bytes, vault: bytes, entries: Sequence[ManifestEntry]
) -> None:
    """Keep the entries of a batch; keeping them again changes nothing."""
    tx.insert(
        "manifest_entry",
        [
            {
                "batch_id": batch_id,
                "record_id": entry.record_id,
                "vault": vault,
                "category": entry.category,
                "labels": entry.labels,
                "types": json.dumps(entry.types),
                "body_cid": entry.body_cid,
                "body_digest": entry.body_digest,
                "capsule_cid": entry.capsule_cid,
                "indexes": json.dumps(entry.leaf_indexes),
                "organisation": entry.organisation,
                "author": entry.author,
                "created_ms": entry.time_ms,
            }
            for entry in entries
        ],
        conflict="(batch_id, record_id) DO NOTHING",
    )


def held_records(
    tx: Transaction, vault: bytes, records: Sequence[bytes]
) -> Mapping[bytes, list[Held]]:
    """The entries of these records in this vault, each record's in the order of anchoring."""
    found: dict[bytes, list[Held]] = defaultdict(list)
    rows = tx.all(
        f"SELECT {_COLUMNS} {_FROM} WHERE e.vault = :vault AND e.record_id IN :records {_ORDER}",
        vault=vault,
        records=list(records),
    )
    for row in rows:
        found[row[1]].append(_held(row))
    return found


def held_page(tx: Transaction, vault: bytes) -> list[Held]:
    """Every entry of a vault in the order of anchoring, one a record."""
    rows = tx.all(f"SELECT {_COLUMNS} {_FROM} WHERE e.vault = :vault {_ORDER}", vault=vault)
    first: dict[bytes, Held] = {}
    for row in rows:
        first.setdefault(row[1], _held(row))
    return list(first.values())


def _held(row: Row) -> Held:
    return Held(*row[:5], tuple(json.loads(row[5])), *row[6:9], tuple(json.loads(row[9])), *row[10:])
