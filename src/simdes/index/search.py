"""Find entries: what a search asks, and what its caller may see, as one statement.

Pages are continued behind the last hit by its sort values and row id. A row id is an entry's for
good, newer entries have greater ones, and without ``_sort`` the newest come first: so while pages
are read, nothing that stays is passed over or given twice, whatever else is added, changed or
removed. Under ``_sort`` that holds for what keeps its sort values; what changes them stands where
its new ones put it.
"""

# ruff: noqa: S608
# Text is made of names in this package; every value is bound.

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from simdes.fhir.search.conditions import All, Include, Query
from simdes.index.entries import Entry
from simdes.index.leading import PATIENTS, On, backwards, ways
from simdes.index.pages import Asked, Hit, Statement
from simdes.index.predicates import MANY, Predicates
from simdes.index.rows import read, select
from simdes.index.seeing import SHARED, vaults_of
from simdes.index.transaction import Transaction
from simdes.index.trees import leaves
from simdes.index.values import key, slot_number
from simdes.index.visible import OWN, Visible

__all__ = ["SHARED", "Hit", "count", "get", "include", "named", "search"]

MOST_NAMED = 1_000
"""How many entries of one name are looked at, at most."""
_ROUNDS = 8
"""How far ``_include:iterate`` goes."""


def search(
    tx: Transaction, visible: Visible, query: Query, *, limit: int, after: Hit | None = None
) -> list[Hit]:
    """Return the entries that a caller may see and that meet a query, a page of them.

    ``after`` is the last hit of the page before. Three statements at most, whatever the query.
    """
    asked = _ask(tx, visible, query)
    if asked is None:
        return []
    sorts = query.sorts
    if not asked.is_walked(sorts):
        return _hits(tx, asked.page(sorts, limit, after))
    hits: list[Hit] = []
    if after is None or after.keys[0] is not None:
        hits = _hits(tx, asked.walk(sorts, limit, after))
        after = None
    if len(hits) < limit:
        more = _hits(tx, asked.valueless(sorts, limit - len(hits), after))
        hits += [Hit(one.id, (None, *one.keys)) for one in more]
    return hits


def _hits(tx: Transaction, statement: Statement) -> list[Hit]:
    text, values = statement
    return [Hit(int(row), tuple(keys)) for row, *keys in tx.all(text, **values)]


def count(tx: Transaction, visible: Visible, query: Query) -> int:
    """Return how many entries `search` would find in all."""
    asked = _ask(tx, visible, query)
    if asked is None:
        return 0
    text, values = asked.total()
    row = tx.one(text, **values)
    return 0 if row is None else int(row[0])


def get(
    tx: Transaction, visible: Visible, type: str, logical_id: str, *, limit: int = MOST_NAMED
) -> list[Entry]:
    """Return what a caller may see under an id, tombstones too: own first, then the newest.

    Of what is nobody's the newest comes first, wherever it was written.
    """
    if type not in visible.scopes:
        return []
    written = Predicates(visible, tx.unled)
    on = On("e", frozenset((type,)))
    order = "e.updated_ms DESC, e.id DESC"
    if type not in SHARED:
        order = f"CASE WHEN e.handle = {written.bound(OWN)} THEN 0 ELSE 1 END, {order}"
    rows = tx.all(
        select(Entry, "entry AS e", prefix="e.")
        + f" WHERE e.logical_id = {written.bound(key(logical_id))}"
        + f" AND {written.seen(on, deleted=True, chosen=False)} ORDER BY {order} LIMIT :limit",
        limit=limit,
        **written.bound.values,
    )
    return [read(Entry, row) for row in rows]


def named(
    tx: Transaction,
    visible: Visible,
    names: Collection[tuple[str, str]],
    *,
    vaults: Collection[bytes] | None = None,
) -> list[Entry]:
    """Return what a caller may see under any of these (type, id): tombstones too, as `get`.

    ``vaults``: in these alone. A ward or a doctor stands in every patient's vault.
    """
    types = frozenset(type_ for type_, _ in names) & visible.scopes.keys()
    if not types:
        return []
    written = Predicates(visible, tx.unled)
    own, ids = written.bound(OWN), {key(logical_id) for _, logical_id in names}
    there = "" if vaults is None else f" AND {written.bound.among('e.vault', set(vaults))}"
    rows = tx.all(
        select(Entry, "entry AS e", prefix="e.")
        + f" WHERE {written.bound.among('e.logical_id', ids)}"
        + f" AND {written.seen(On('e', types), deleted=True, chosen=False)}{there}"
        + f" ORDER BY CASE WHEN e.handle = {own} THEN 0 ELSE 1 END, e.updated_ms DESC, e.id DESC",
        **written.bound.values,
    )
    wanted = set(names)
    found = (read(Entry, row) for row in rows)
    return [one for one in found if (one.type, one.logical_id) in wanted]


def include(
    tx: Transaction,
    visible: Visible,
    includes: Sequence[Include],
    ids: Sequence[int],
    *,
    limit: int,
) -> list[int]:
    """Return what ``_include`` and ``_revinclude`` add to hits, at most ``limit`` entries.

    One statement for all of them; one more for each round of those that iterate.
    """
    found: dict[int, None] = {}
    known = set(ids)
    following: Sequence[Include] = includes
    waiting = list(ids)
    for _ in range(_ROUNDS):
        waiting = [
            one for one in _followed(tx, visible, following, waiting, limit) if one not in known
        ]
        known.update(waiting)
        found.update(dict.fromkeys(waiting))
        following = [one for one in includes if one.iterate]
        if len(found) >= limit or not waiting or not following:
            break
    return list(found)[:limit]


# One search ---------------------------------------------------------------------------------------


def _ask(tx: Transaction, visible: Visible, query: Query) -> Asked | None:
    """Get ready to write a query down; None where its caller sees nothing of its types.

    One statement asks how many entries the values that it looks for have, up to `MANY` each.
    """
    types = frozenset(query.types or visible.scopes) & visible.scopes.keys()
    if not types or not visible.grounds:
        return None
    vaults = vaults_of(visible, types)
    if vaults is not None and not vaults:
        return None
    where = query.where if isinstance(query.where, All) else All((query.where,))
    parts = leaves(where)
    probe = Predicates(visible, tx.unled)
    selects = [probe.source(one, types) for one in parts]
    if vaults is not None:
        selects.append(
            f"SELECT e.id FROM entry AS e WHERE {probe.bound.among('e.vault', vaults)}"
            f" AND {probe.bound.among('e.type', types)}"
        )
    sizes: list[int] = []
    if selects:
        counts = ", ".join(
            f"(SELECT count(*) FROM ({one} LIMIT {MANY}) AS q{number})"
            for number, one in enumerate(selects)
        )
        sizes = [int(size) for size in tx.one(f"SELECT {counts}", **probe.bound.values) or ()]
    return Asked(
        visible=visible,
        unled=tx.unled,
        where=where,
        types=types,
        sizes=dict(zip(parts, sizes, strict=False)),
        vaults=vaults,
        in_vaults=MANY if vaults is None else sizes[-1],
    )


# Includes -----------------------------------------------------------------------------------------


def _followed(
    tx: Transaction, visible: Visible, includes: Sequence[Include], ids: Sequence[int], limit: int
) -> list[int]:
    written = Predicates(visible, tx.unled)
    selects = [
        part for one in includes for part in (_back if one.reverse else _forth)(written, one)
    ]
    if not selects or not ids:
        return []
    sql = " UNION ".join(selects)
    size = written.bound(limit + len(ids))  # what is known already may be among it
    rows = tx.all(f"{sql} ORDER BY 1 LIMIT {size}", ids=ids, **written.bound.values)
    return [int(row) for (row,) in rows]


def _forth(written: Predicates, one: Include) -> Iterator[str]:
    """Select what resources of the source refer to."""
    types, sources = _targets(written, one), _sources(written, one)
    for about in ways(types) if sources else ():
        row, source = written.bound.alias(), On(written.bound.alias(), sources)
        target = On(written.bound.alias(), PATIENTS if about else types)
        yield (
            f"SELECT {target.alias}.id FROM entry AS {source.alias}"
            f" CROSS JOIN search_reference AS {row} CROSS JOIN entry AS {target.alias}"
            f" WHERE {source.alias}.id IN :ids"
            f" AND {_step(written, one, row, source, target, about)}"
        )


def _back(written: Predicates, one: Include) -> Iterator[str]:
    """Select what resources of the source refer to these."""
    types, sources = _targets(written, one), _sources(written, one)
    for about in ways(types) if sources else ():
        row, source = written.bound.alias(), On(written.bound.alias(), sources)
        target = On(written.bound.alias(), PATIENTS if about else types)
        yield (
            f"SELECT {source.alias}.id FROM entry AS {target.alias}"
            f" {backwards(row, source, about=about)}"
            f" WHERE {target.alias}.id IN :ids"
            f" AND {_step(written, one, row, source, target, about)}"
        )


def _sources(written: Predicates, one: Include) -> frozenset[str]:
    scopes = written.visible.scopes
    return frozenset((one.source,) if one.source else scopes) & scopes.keys()


def _targets(written: Predicates, one: Include) -> frozenset[str]:
    scopes = written.visible.scopes
    return frozenset((one.target,) if one.target else scopes) & scopes.keys()


def _step(written: Predicates, one: Include, row: str, source: On, target: On, about: bool) -> str:
    slots = {slot_number(slot.name) for slot in one.slots}
    under = f" AND {written.bound.among(f'{row}.slot', slots)}" if slots else ""
    return (
        f"{written.leads(row, source, target, about=about)} AND {row}.entry = {source.alias}.id"
        f"{under} AND {written.seen(source)} AND {written.seen(target)}"
    )
