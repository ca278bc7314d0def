"""What happened: versions that became findable, in the order in which subscribers are told of them.

What becomes findable of a type that somebody subscribed to is a *happening*, written in the
transaction that makes it findable. Happenings are numbered afterwards, under a lock, so that their
order is that of the commits and whoever has seen one has seen all before it, on any database.
"""

# ruff: noqa: S608
# Text is made of names in this package; every value is bound.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.index.leading import On
from simdes.index.predicates import Predicates
from simdes.index.rows import read, select
from simdes.index.seeing import grounded
from simdes.index.sql import both
from simdes.index.transaction import Transaction
from simdes.index.visible import OWN, Visible

NUMBERED_AT_ONCE = 5_000
LIVE = "('requested', 'active', 'error')"
"""The states in which a subscription is served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """A version that became findable. ``resource_id`` None: a copy of another organisation's."""

    position: int
    type: str
    logical_id: str
    version: int
    deleted: int
    entry: int
    resource_id: int | None


_HAPPENING = select(Happening, "happening")


def note(tx: Transaction, entries: Sequence[int]) -> None:
    """Note that these entries became findable, those of types that are subscribed to."""
    tx.run(
        "INSERT INTO happening (type, logical_id, version, deleted, entry, resource_id)"
        " SELECT e.type, e.logical_id, e.version, e.deleted, e.id, e.resource_id FROM entry AS e"
        " WHERE e.id IN :ids AND EXISTS (SELECT 1 FROM subscription AS s"
        f" WHERE s.type = e.type AND s.status IN {LIVE}) ORDER BY e.resource_id, e.id",
        ids=entries,
    )


def number(tx: Transaction) -> int:
    """Give numbers to what was committed without one; how many. One program at a time does."""
    if tx.one("SELECT 1 FROM happening WHERE position IS NULL LIMIT 1") is None:
        return 0
    tx.lock("happenings")
    return tx.run(
        "UPDATE happening SET position = :last + q.place FROM (SELECT id,"
        " row_number() OVER (ORDER BY id) AS place FROM happening WHERE position IS NULL"
        " ORDER BY id LIMIT :most) AS q WHERE happening.id = q.id",
        last=last(tx),
        most=NUMBERED_AT_ONCE,
    )


def last(tx: Transaction) -> int:
    """The last number that was given; it never falls below what a subscription has looked at."""
    row = tx.one(
        "SELECT max(n) FROM (SELECT max(position) AS n FROM happening"
        " UNION ALL SELECT max(position) AS n FROM subscription) AS q"
    )
    return int(row[0]) if row is not None and row[0] is not None else 0


def happenings(tx: Transaction, type: str, *, after: int, limit: int) -> list[Happening]:
    """What happened to a type behind a position, in order."""
    rows = tx.all(
        _HAPPENING + " WHERE type = :type AND position > :after ORDER BY position LIMIT :limit",
        type=type,
        after=after,
        limit=limit,
    )
    return [read(Happening, row) for row in rows]


def forget_seen(tx: Transaction) -> int:
    """Drop happenings that every living subscription of their type has looked at."""
    return tx.run(
        "DELETE FROM happening WHERE position IS NOT NULL AND NOT EXISTS (SELECT 1 FROM"
        " subscription AS s WHERE s.type = happening.type AND s.position < happening.position"
        f" AND s.status IN {LIVE})"
    )


def visible_own(tx: Transaction, visible: Visible, type: str, ids: Sequence[int]) -> set[int]:
    """Which of these versions (row ids) of own resources of one type a caller may see.

    As in histories: by the grounds of the version itself, and the resource as it stands now.
    """
    if type not in visible.scopes or not visible.grounds or not ids:
        return set()
    written = Predicates(visible, tx.unled)
    bound, types = written.bound, frozenset((type,))
    parts = [
        "r.id IN :ids",
        grounded(visible, "r", types, bound),
        "EXISTS (SELECT 1 FROM entry AS e WHERE e.type = r.type AND e.logical_id = r.logical_id"
        f" AND e.vault = r.vault AND e.handle = {bound(OWN)}"
        f" AND {written.seen(On('e', types), deleted=True, chosen=False)})",
    ]
    rows = tx.all(
        f"SELECT r.id FROM (SELECT resource.*, {bound(OWN)} AS handle FROM resource) AS r"
        f" WHERE {both(parts)}",
        ids=ids,
        **bound.values,
    )
    return {int(row) for (row,) in rows}


def visible_entries(
    tx: Transaction, visible: Visible, type: str, ids: Sequence[int]
) -> dict[int, int]:
    """Which of these entries of one type a caller may see, with the version that stands there."""
    if type not in visible.scopes or not visible.grounds or not ids:
        return {}
    written = Predicates(visible, tx.unled)
    seen = written.seen(On("e", frozenset((type,))), deleted=True, chosen=False)
    rows = tx.all(
        f"SELECT e.id, e.version FROM entry AS e WHERE e.id IN :ids AND {seen}",
        ids=ids,
        **written.bound.values,
    )
    return {int(row): int(version) for row, version in rows}
