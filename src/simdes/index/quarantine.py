"""Input that could not become resources, kept with its reason until somebody decides on it."""

from __future__ import annotations

from dataclasses import dataclass

from simdes.errors import NotFound
from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

OPEN, REPLAYED, DISCARDED = "open", "replayed", "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewQuarantined:
    """A refused document; ``name``, ``reason`` and ``advice`` hold no patient data."""

    digest: bytes
    name: str
    reason: str
    advice: str
    content_wrapped: bytes
    received_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined(NewQuarantined):
    """A refused document as kept."""

    id: int
    state: str


_QUARANTINED = select(Quarantined, "quarantine")


def add(tx: Transaction, document: NewQuarantined) -> int:
    """Keep a document and return its id.

    One that comes again has the newest reason and is open again, unless it was discarded.
    """
    rows = tx.insert(
        "quarantine",
        [row_of(document) | {"state": OPEN}],
        conflict="(digest) DO UPDATE SET reason = excluded.reason, advice = excluded.advice,"
        " state = CASE quarantine.state WHEN 'discarded' THEN 'discarded' ELSE 'open' END",
        returning="id",
    )
    return int(rows[0][0])


def get(tx: Transaction, quarantine_id: int) -> Quarantined | None:
    """Return a document by its id."""
    row = tx.one(_QUARANTINED + " WHERE id = :id", id=quarantine_id)
    return None if row is None else read(Quarantined, row)


def page(
    tx: Transaction, *, state: str = OPEN, after: int = 0, limit: int = 100
) -> list[Quarantined]:
    """Return documents in a state, oldest first, those behind the id ``after``."""
    rows = tx.all(
        _QUARANTINED + " WHERE state = :state AND id > :after ORDER BY id LIMIT :limit",
        state=state,
        after=after,
        limit=limit,
    )
    return [read(Quarantined, row) for row in rows]


def count(tx: Transaction, *, state: str = OPEN) -> int:
    """Return how many documents are in a state."""
    row = tx.one("SELECT count(*) FROM quarantine WHERE state = :state", state=state)
    return 0 if row is None else int(row[0])


def set_state(tx: Transaction, quarantine_id: int, state: str) -> None:
    """Mark a document replayed or discarded. Raises `NotFound`."""
    changed = tx.run(
        "UPDATE quarantine SET state = :state WHERE id = :id", state=state, id=quarantine_id
    )
    if not changed:
        raise NotFound("No such document in quarantine")
