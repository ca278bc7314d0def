"""Histories: every version that this organisation wrote, as far as a caller may see it.

A version is seen by the grounds for its own vault, category and labels, so that what was once
closed stays closed in the history, too. A scope's condition can be looked up for what stands now
alone: of a type that an app may see under conditions, it sees present versions and no older ones.
"""

# ruff: noqa: S608
# Text is made of names in this package; every value is bound.

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, kw_only=True)
class During:
    """Which versions are meant: written at or after ``since_ms``; current at some time in ``at``,
    from and before. None: whenever."""

    since_ms: int | None = None
    at: tuple[int, int] | None = None


WHENEVER = During()
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
    rows: Sequence[int] | None = None,
    during: During = WHENEVER,
) -> list[Resource]:
    """Return versions, deletions too, newest first by row id before ``before``; two statements.

    ``logical_id``, ``vaults`` and ``version`` narrow to one resource, ``rows`` to versions by
    their row ids, ``during`` to when they were written or stood.
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
        rows=rows,
        during=during,
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
    rows: Sequence[int] | None = None,
    during: During = WHENEVER,
) -> dict[int, int]:
    """Return the row ids of `versions`, newest first, and how many bytes each has wrapped."""
    if not _is_any(visible, types):
        return {}
    written = Predicates(visible, tx.unled)
    bound, parts = written.bound, _seen(written, types, logical_id, vaults, during)
    parts.append(f"r.id < {bound(before)}")
    if version is not None:
        parts.append(f"r.version = {bound(version)}")
    if rows is not None:
        parts.append(bound.among("r.id", rows))
    found = tx.all(
        "SELECT r.id, length(r.content_wrapped) FROM "
        + _LIKE_ENTRIES.format(own=bound(OWN))
        + f" WHERE {both(parts)} ORDER BY r.id DESC LIMIT {bound(limit)}",
        **bound.values,
    )
    return {int(row): int(size) for row, size in found}


def count(
    tx: Transaction,
    visible: Visible,
    *,
    types: Sequence[str],
    logical_id: str | None = None,
    vaults: Sequence[bytes] | None = None,
    during: During = WHENEVER,
) -> int:
    """Return how many versions there are; see `versions`."""
    if not _is_any(visible, types):
        return 0
    written = Predicates(visible, tx.unled)
    bound, parts = written.bound, _seen(written, types, logical_id, vaults, during)
    like = _LIKE_ENTRIES.format(own=bound(OWN))
    row = tx.one(f"SELECT count(*) FROM {like} WHERE {both(parts)}", **bound.values)
    return 0 if row is None else int(row[0])


def _is_any(visible: Visible, types: Sequence[str]) -> bool:
    return bool(visible.grounds) and not visible.scopes.keys().isdisjoint(types)


def _seen(
    written: Predicates,
    types: Sequence[str],
    logical_id: str | None,
    vaults: Sequence[bytes] | None,
    during: During,
) -> list[str]:
    """The conditions of versions (alias ``r``) that may be seen, narrowed."""
    visible, bound = written.visible, written.bound
    seen = frozenset(types) & visible.scopes.keys()
    on = On("e", seen)
    parts = [
        bound.among("r.type", seen),
        grounded(visible, "r", seen, bound),
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
    if during.since_ms is not None:
        parts.append(f"r.created_ms >= {bound(during.since_ms)}")
    if during.at is not None:
        low_ms, high_ms = during.at
        parts.append(f"r.created_ms < {bound(high_ms)}")
        parts.append(
            "NOT EXISTS (SELECT 1 FROM resource AS n WHERE n.type = r.type AND n.vault = r.vault"
            " AND n.logical_id = r.logical_id AND n.version > r.version"
            f" AND n.created_ms <= {bound(low_ms)})"
        )
    return parts


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
