"""How much there is and how much waits, in counts that cost little on full tables.

For operators' figures. No statement here walks the resources: what waits stands in the outbox and
in partial indexes, what is anchored is the sum over its batches.
"""

from __future__ import annotations

from dataclasses import dataclass

from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Counts of one moment; ``oldest_ms`` None where nothing waits.

    ``pending``, ``sealed`` and ``anchored`` count versions of resources, each in one of the three;
    ``claimed`` are those of ``pending`` that a worker has, or put off. ``copies`` are records of
    other organisations held for a time, ``audit`` entries whose batch is not on chain.
    """

    pending: int
    claimed: int
    sealed: int
    anchored: int
    oldest_ms: int | None
    copies: int
    audit: int
    quarantine: int


_SEALED = """
    SELECT (SELECT count(*) FROM leaf JOIN record ON record.record_id = leaf.record_id
             WHERE record.batch_id IS NULL)
         + (SELECT coalesce(sum(count), 0) FROM batch WHERE state <> 'anchored')
"""
_OLDEST = """
    SELECT min(waiting) FROM (
        SELECT created_ms AS waiting FROM resource
         WHERE id = (SELECT resource_id FROM outbox ORDER BY id LIMIT 1)
        UNION ALL
        SELECT min(resource.created_ms) FROM resource JOIN leaf ON leaf.resource_id = resource.id
         WHERE leaf.record_id = (SELECT record_id FROM record WHERE batch_id IS NULL
                                  ORDER BY created_ms LIMIT 1)
        UNION ALL
        SELECT min(created_ms) FROM batch WHERE state <> 'anchored'
    ) AS waits
"""
_AUDIT = """
    SELECT coalesce((SELECT max(seq) FROM audit_entry), 0)
         - coalesce((SELECT last_seq FROM audit_batch WHERE state = 'anchored'
                      ORDER BY seq DESC LIMIT 1), 0)
"""
_COUNTS = {
    "pending": "SELECT count(*) FROM outbox",
    "claimed": "SELECT count(*) FROM outbox WHERE claimed_until_ms > :now",
    "sealed": _SEALED,
    "anchored": "SELECT coalesce(sum(count), 0) FROM batch WHERE state = 'anchored'",
    "copies": "SELECT count(*) FROM remote_copy WHERE expires_ms > :now",
    "audit": _AUDIT,
    "quarantine": "SELECT count(*) FROM quarantine WHERE state = 'open'",
}


def backlog(tx: Transaction, *, now_ms: int) -> Backlog:
    """Count everything at one moment."""
    oldest = tx.one(_OLDEST)
    return Backlog(
        oldest_ms=None if oldest is None else oldest[0],
        **{name: _count(tx, sql, now_ms) for name, sql in _COUNTS.items()},
    )


def _count(tx: Transaction, sql: str, now_ms: int) -> int:
    row = tx.one(sql, now=now_ms) if ":now" in sql else tx.one(sql)
    return 0 if row is None else int(row[0])
