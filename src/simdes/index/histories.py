"""Histories: every version that this organisation wrote, as far as a caller may see it.

A version is seen by the grounds for its own vault, category and labels, so that what was once
closed stays closed in the history, too. A scope's condition can be looked up for what stands now
alone: of a type that an app may see under conditions, it sees present versions and no older ones.
"""

# ruff: noqa: S608
# Text is made of names in this package; every value is bound.

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from simdes.fhir.search.conditions import ALWAYS
from simdes.index.bound import Bound
from simdes.index.leading import On
from simdes.index.predicates import Predicates
from simdes.index.resources import Resource, get_many
from simdes.index.seeing import grounded
from simdes.index.sql import both, either
from simdes.index.transaction import Transaction
from simdes.index.values import key
from simdes.index.visible import OWN, Visible

LAST = 1 << 62
"""Behind every row id: where a history begins."""
_LIKE_ENTRIES = "(SELECT resource.*, {own} AS handle FROM resource) AS r"


def versions(
    tx: Transaction,
    visible: Visible,
    *,
    types: Sequence[str],
    before: int,
    limit: int,
    logical_id: str | None = None,
    vaults: Sequence[bytes] | None = None,
    version: int | None = None,
    since_ms: int | None = None,
    rows: Sequence[int] | None = None,
) -> list[Resource]:
    """Return versions, deletions too, newest first by row id before ``before``; two statements.

    ``logical_id``, ``vaults`` and ``version`` narrow to one resource, ``since_ms`` to what was
    written at or after a time, ``rows`` to versions by their row ids.
    """
    listed = sizes(
        tx,
        visible,
        types=types,
        before=before,
        limit=limit,
        logical_id=logical_id,
        vaults=vaults,
        version=version,
        since_ms=since_ms,
        rows=rows,
    )
    return sorted(get_many(tx, sorted(listed)), key=lambda one: -one.id)


def sizes(
    tx: Transaction,
    visible: Visible,
    *,
    types: Sequence[str],
    before: int,
    limit: int,
    logical_id: str | None = None,
    vaults: Sequence[bytes] | None = None,
    version: int | None = None,
    since_ms: int | None = None,
    rows: Sequence[int] | None = None,
) -> dict[int, int]:
    """Return the row ids of `versions`, newest first, and how many bytes each has wrapped."""
    seen = frozenset(types) & visible.scopes.keys()
    if not seen or not visible.grounds:
        return {}
    written = Predicates(visible, tx.unled)
    bound = written.bound
    on = On("e", seen)
    parts = [
        bound.among("r.type", seen),
        grounded(visible, "r", seen, bound),
        f"r.id < {bound(before)}",
        # Its present entry, deleted or not, is one that the caller may see.
        "EXISTS (SELECT 1 FROM entry AS e WHERE e.type = r.type AND e.logical_id = r.logical_id"
        f" AND e.vault = r.vault AND e.handle = {bound(OWN)}"
        f" AND {both((written.seen(on, deleted=True, chosen=False),))}"
        f" AND ({both(_present(visible, seen, bound))}))",
    ]
    if logical_id is not None:
        parts.append(f"r.logical_id = {bound(key(logical_id))}")
    if vaults is not None:
        parts.append(bound.among("r.vault", vaults))
    if version is not None:
        parts.append(f"r.version = {bound(version)}")
    if rows is not None:
        parts.append(bound.among("r.id", rows))
    if since_ms is not None:
        parts.append(f"r.created_ms >= {bound(since_ms)}")
    found = tx.all(
        "SELECT r.id, length(r.content_wrapped) FROM "
        + _LIKE_ENTRIES.format(own=bound(OWN))
        + f" WHERE {both(parts)} ORDER BY r.id DESC LIMIT {bound(limit)}",
        **bound.values,
    )
    return {int(row): int(size) for row, size in found}


def _present(visible: Visible, types: Collection[str], bound: Bound) -> Iterator[str]:
    """The condition that a version of a type seen under conditions is the present one."""
    bound_to_now = {
        type_
        for type_ in types
        if not any(one.where == ALWAYS and one.vaults is None for one in visible.scopes[type_])
        and any(one.where != ALWAYS for one in visible.scopes[type_])
    }
    if bound_to_now:
        yield either((f"NOT ({bound.among('r.type', bound_to_now)})", "e.resource_id = r.id"))
