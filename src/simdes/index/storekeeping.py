"""How well the store is kept, in counts; for operators' figures."""

from __future__ import annotations

from dataclasses import dataclass

from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Storekeeping:
    """Counts of one moment.

    ``contents`` are ours and kept; ``short`` of them have fewer confirmed copies than they are to
    have, ``damaged`` were missing or wrong here when they were read last, ``overdue`` were to be
    read again before the given time and were not. ``erasing`` are being erased here or elsewhere.
    ``kept``, ``kept_bytes`` and ``fetching`` are of other organisations.
    """

    contents: int
    short: int
    damaged: int
    overdue: int
    erasing: int
    kept: int
    kept_bytes: int
    fetching: int


_COUNTS = {
    "contents": "SELECT count(*) FROM content WHERE state = 'kept'",
    "short": "SELECT (SELECT count(*) FROM content WHERE state = 'kept' AND plan = '')"
    " + (SELECT count(DISTINCT cid) FROM content_copy WHERE state = 'wanted' AND assigned = 1)",
    "damaged": "SELECT count(*) FROM content WHERE state = 'kept' AND damaged = 1",
    "overdue": "SELECT (SELECT count(*) FROM content WHERE state = 'kept' AND next_ms < :before)"
    " + (SELECT count(*) FROM kept_content WHERE state = 'held' AND next_ms < :before)",
    "erasing": "SELECT count(*) FROM content WHERE state = 'erasing'",
    "kept": "SELECT count(*) FROM kept_content WHERE state = 'held'",
    "kept_bytes": "SELECT coalesce(sum(bytes), 0) FROM kept_content WHERE state = 'held'",
    "fetching": "SELECT count(*) FROM kept_content WHERE state = 'wanted'",
}


def storekeeping(tx: Transaction, *, overdue_before_ms: int) -> Storekeeping:
    """Count everything at one moment."""
    return Storekeeping(
        **{
            name: int((tx.one(sql, **_parameters(sql, overdue_before_ms)) or (0,))[0])
            for name, sql in _COUNTS.items()
        }
    )


def _parameters(sql: str, before_ms: int) -> dict[str, int]:
    return {"before": before_ms} if ":before" in sql else {}
