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

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from simdes.fhir.search.conditions import All, Condition, Include, Kind, Query, Sort
from simdes.index.bound import Bound
from simdes.index.entries import Entry
from simdes.index.predicates import MANY, On, Predicates, leaves
from simdes.index.rows import read, select
from simdes.index.seeing import SHARED, vaults_of
from simdes.index.sql import both
from simdes.index.transaction import Transaction
from simdes.index.values import TABLES, key, slot_number
from simdes.index.visible import OWN, Visible

__all__ = ["SHARED", "Hit", "count", "get", "include", "named", "search"]

Key = int | float | str | None

SORTED_BY = {
    Kind.DATE: "low_ms",
    Kind.NUMBER: "value",
    Kind.QUANTITY: "value",
    Kind.REFERENCE: "target",
    Kind.STRING: "head",
    Kind.TOKEN: "code",
    Kind.URI: "text",
}
"""What of a value an order looks at."""

_ROUNDS = 8
"""How far ``_include:iterate`` goes."""


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that was found, and its values under the keys of the search's ``_sort``."""

    id: int
    keys: tuple[Key, ...] = ()


def search(
    tx: Transaction, visible: Visible, query: Query, *, limit: int, after: Hit | None = None
) -> list[Hit]:
    """Return the entries that a caller may see and that meet a query, a page of them.

    ``after`` is the last hit of the page before. Two statements, whatever the query.
    """
    asked = _ask(tx, visible, query)
    if asked is None:
        return []
    rows = tx.all(asked.page(query.sorts, limit, after), **asked.bound.values)
    return [Hit(int(row), tuple(keys)) for row, *keys in rows]


def count(tx: Transaction, visible: Visible, query: Query) -> int:
    """Return how many entries `search` would find in all."""
    asked = _ask(tx, visible, query)
    if asked is None:
        return 0
    row = tx.one(asked.total(), **asked.bound.values)
    return 0 if row is None else int(row[0])


def get(tx: Transaction, visible: Visible, type: str, logical_id: str) -> list[Entry]:
    """Return what a caller may see under an id, tombstones too: own first, then the newest.

    Of what is nobody's the newest comes first, wherever it was written.
    """
    if type not in visible.scopes:
        return []
    written = Predicates(visible)
    on = On("e", frozenset((type,)))
    order = "e.updated_ms DESC, e.id DESC"
    if type not in SHARED:
        order = f"CASE WHEN e.handle = {written.bound(OWN)} THEN 0 ELSE 1 END, {order}"
    rows = tx.all(
        select(Entry, "entry AS e", prefix="e.")
        + f" WHERE e.logical_id = {written.bound(key(logical_id))}"
        + f" AND {written.seen(on, deleted=True, chosen=False)} ORDER BY {order}",
        **written.bound.values,
    )
    return [read(Entry, row) for row in rows]


def named(tx: Transaction, visible: Visible, names: Collection[tuple[str, str]]) -> list[Entry]:
    """Return what a caller may see under any of these (type, id): tombstones too, as `get`."""
    types = frozenset(type_ for type_, _ in names) & visible.scopes.keys()
    if not types:
        return []
    written = Predicates(visible)
    own, ids = written.bound(OWN), {key(logical_id) for _, logical_id in names}
    rows = tx.all(
        select(Entry, "entry AS e", prefix="e.")
        + f" WHERE {written.bound.among('e.logical_id', ids)}"
        + f" AND {written.seen(On('e', types), deleted=True, chosen=False)}"
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


@dataclass(slots=True)
class _Asked:
    """A query and what may be seen, ready to be written down."""

    written: Predicates
    where: Condition
    types: frozenset[str]
    vaults: frozenset[bytes] | None
    in_vaults: int = MANY
    bound: Bound = field(init=False)

    def __post_init__(self) -> None:
        self.bound = self.written.bound

    def total(self) -> str:
        """Count what meets it."""
        return f"SELECT count(*) FROM entry AS e WHERE {self._meeting(On('e', self.types))}"

    def page(self, sorts: Sequence[Sort], limit: int, after: Hit | None) -> str:
        """A page in an order."""
        on = On("e", self.types)
        keys = "".join(f", {self._key(one, on)} AS k{number}" for number, one in enumerate(sorts))
        inner = f"SELECT e.id AS id{keys} FROM entry AS e WHERE {self._meeting(on)}"
        order = [*(_order(f"k{at}", one) for at, one in enumerate(sorts)), self._by_id(sorts)]
        names = "".join(f", k{number}" for number in range(len(sorts)))
        behind = f" WHERE {self._behind(sorts, after)}" if after is not None else ""
        return (
            f"SELECT id{names} FROM ({inner}) AS q{behind}"
            f" ORDER BY {', '.join(order)} LIMIT {self.bound(limit)}"
        )

    def _meeting(self, on: On) -> str:
        parts = [self.written.seen(on)]
        least = self.written.size(self.where)
        if self.vaults is not None and self.in_vaults <= least:
            # The patients asked for have fewer entries than any value has.
            tags = self.bound.among(f"{on.alias}.vault", self.vaults)
            kinds = self.bound.among(f"{on.alias}.type", self.types)
            parts.append(
                f"{on.alias}.id IN (SELECT v.id FROM entry AS v WHERE"
                f" {tags.replace(on.alias + '.', 'v.')}"
                f" AND {kinds.replace(on.alias + '.', 'v.')})"
            )
            parts.append(self.written.meets(self.where, on))
        else:
            parts.append(self.written.restricted(self.where, on))
        return both(parts)

    def _key(self, one: Sort, on: On) -> str:
        if one.slot is None:
            return f"{on.alias}.{'logical_id' if one.by == 'id' else 'updated_ms'}"
        column = SORTED_BY[one.slot.kind]
        best = "max" if one.descending else "min"
        slot = self.bound(slot_number(one.slot.name))
        return (
            f"(SELECT {best}(k.{column}) FROM {TABLES[one.slot.kind]} AS k"
            f" WHERE k.entry = {on.alias}.id AND k.slot = {slot})"
        )

    def _by_id(self, sorts: Sequence[Sort]) -> str:
        return "id" if sorts and not sorts[0].descending else "id DESC"

    def _behind(self, sorts: Sequence[Sort], after: Hit) -> str:
        """The condition that a row comes behind a hit in the order."""
        same: list[str] = []
        found: list[str] = []
        for number, (one, at) in enumerate(zip(sorts, after.keys, strict=True)):
            name = f"k{number}"
            if at is None:
                same.append(f"{name} IS NULL")
                continue
            mark = self.bound(at)
            sign = "<" if one.descending else ">"
            found.append(both((*same, f"({name} {sign} {mark} OR {name} IS NULL)")))
            same.append(f"{name} = {mark}")
        sign = ">" if self._by_id(sorts) == "id" else "<"
        found.append(both((*same, f"id {sign} {self.bound(after.id)}")))
        return " OR ".join(f"({one})" for one in found)


def _order(name: str, one: Sort) -> str:
    return f"{name} IS NULL, {name}{' DESC' if one.descending else ''}"


def _ask(tx: Transaction, visible: Visible, query: Query) -> _Asked | None:
    """Get ready to write a query down; None where its caller sees nothing of its types.

    One statement asks how many entries the values that it looks for have, up to `MANY` each.
    """
    types = frozenset(query.types) & visible.scopes.keys()
    if not types or not visible.grounds:
        return None
    vaults = vaults_of(visible, types)
    if vaults is not None and not vaults:
        return None
    where = query.where if isinstance(query.where, All) else All((query.where,))
    parts = leaves(where)
    probe = Predicates(visible)
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
    asked = _Asked(
        Predicates(visible, sizes=dict(zip(parts, sizes, strict=False))), where, types, vaults
    )
    if vaults is not None:
        asked.in_vaults = sizes[-1]
    return asked


# Includes -----------------------------------------------------------------------------------------


def _followed(
    tx: Transaction, visible: Visible, includes: Sequence[Include], ids: Sequence[int], limit: int
) -> list[int]:
    written = Predicates(visible)
    selects = [
        part
        for one in includes
        for part in (_back if one.reverse else _forth)(written, visible, one)
    ]
    if not selects or not ids:
        return []
    sql = " UNION ".join(selects)
    size = written.bound(limit + len(ids))  # what is known already may be among it
    rows = tx.all(f"{sql} ORDER BY 1 LIMIT {size}", ids=ids, **written.bound.values)
    return [int(row) for (row,) in rows]


def _forth(written: Predicates, visible: Visible, one: Include) -> Iterator[str]:
    """Select what resources of the source refer to."""
    types = frozenset((one.target,) if one.target else visible.scopes) & visible.scopes.keys()
    source = On(written.bound.alias(), frozenset((one.source,)))
    for about in _ways(types):
        target = On(written.bound.alias(), frozenset(("Patient",)) if about else types)
        yield _step(written, one, source, target, given=source, wanted=target, about=about)


def _back(written: Predicates, visible: Visible, one: Include) -> Iterator[str]:
    """Select what resources of the source refer to these."""
    if one.source not in visible.scopes:
        return
    types = frozenset((one.target,) if one.target else visible.scopes) & visible.scopes.keys()
    source = On(written.bound.alias(), frozenset((one.source,)))
    for about in _ways(types):
        target = On(written.bound.alias(), frozenset(("Patient",)) if about else types)
        yield _step(written, one, source, target, given=target, wanted=source, about=about)


def _ways(types: Iterable[str]) -> tuple[bool, ...]:
    its = set(types)
    return () if not its else (False, True) if "Patient" in its else (False,)


def _step(
    written: Predicates,
    one: Include,
    source: On,
    target: On,
    *,
    given: On,
    wanted: On,
    about: bool,
) -> str:
    row = written.bound.alias()
    slots = {slot_number(slot.name) for slot in one.slots}
    leads = (written.is_about if about else written.leads)(row, source, target)
    return (
        f"SELECT {wanted.alias}.id FROM entry AS {source.alias}, search_reference AS {row},"
        f" entry AS {target.alias} WHERE {given.alias}.id IN :ids"
        f" AND {row}.entry = {source.alias}.id AND {written.bound.among(f'{row}.slot', slots)}"
        f" AND {leads} AND {written.seen(source)} AND {written.seen(target)}"
    )
