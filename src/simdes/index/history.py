"""Versions of own resources, as far as a caller may see them: vread and history.

https://hl7.org/fhir/R4/http.html#history. A version may be seen when its vault, its own category
and its own labels hold on a ground, whatever the newest version's are. Under a scope with a
condition only the version that is found by it may: of older ones no values are kept to ask. Of what
is nobody's, and in several vaults, the history is that of the one which a client reads.
"""

# ruff: noqa: S608
# Text is made of names in this package; every value is bound.

from __future__ import annotations

from simdes.fhir.search.conditions import Condition
from simdes.index.leading import On
from simdes.index.predicates import Predicates
from simdes.index.resources import Resource
from simdes.index.rows import read, select
from simdes.index.seeing import grounded, scoped
from simdes.index.sql import both
from simdes.index.transaction import Transaction
from simdes.index.values import key
from simdes.index.visible import OWN, Visible


def history(
    tx: Transaction,
    visible: Visible,
    *,
    type: str | None = None,
    logical_id: str | None = None,
    version: int | None = None,
    since_ms: int | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Resource]:
    """Return versions, newest first: of a resource, of a type's, or of every type's resources.

    ``version`` asks for that one alone, ``since_ms`` for those written then or later, ``before``
    for those before a row id: the last one's of the page before. Tombstones are versions.
    """
    types = frozenset(visible.scopes if type is None else (type,)) & visible.scopes.keys()
    if not types or not visible.grounds:
        return []
    written = Predicates(visible, tx.unled)
    bound = written.bound
    entry = On("e", types)
    parts = [
        f"e.handle = {bound(OWN)}",
        bound.among("e.type", types),
        "r.type = e.type AND r.logical_id = e.logical_id AND r.vault = e.vault",
        *written.chosen(entry),
    ]
    if logical_id is not None:
        parts.append(f"e.logical_id = {bound(key(logical_id))}")
    if version is not None:
        parts.append(f"r.version = {bound(version)}")
    if since_ms is not None:
        # What has a version since then was updated since then, which has an index.
        since = bound(since_ms)
        parts.append(f"r.created_ms >= {since} AND e.updated_ms >= {since}")
    if before is not None:
        parts.append(f"r.id < {bound(before)}")
    versions = (
        "(SELECT r.*, e.handle, e.id AS entry, e.version AS newest"
        f" FROM entry AS e, resource AS r WHERE {both(parts)})"
    )
    sees = both((grounded(visible, "v", types, bound), _scoped(written, types)))
    rows = tx.all(
        f"{select(Resource, f'{versions} AS v', prefix='v.')} WHERE {sees}"
        f" ORDER BY v.id DESC LIMIT {bound(limit)}",
        **bound.values,
    )
    return [read(Resource, row) for row in rows]


def _scoped(written: Predicates, types: frozenset[str]) -> str:
    def meets(where: Condition, alias: str) -> str:
        name = written.bound.alias()
        test = written.plainly(where, On(name, types))
        return (
            f"{alias}.version = {alias}.newest AND EXISTS (SELECT 1 FROM entry AS {name}"
            f" WHERE {name}.id = {alias}.entry AND {both((test,))})"
        )

    return scoped(written.visible, "v", types, written.bound, meets)
