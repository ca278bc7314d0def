"""Conditions and what may be seen as SQL: on an alias, or as the list of entries that meet it.

Each condition has two forms. ``meets`` is a test of one entry, by what lies under its own id;
``source`` selects the ids of all entries that meet it, by value. Of conditions that hold together
the one with the fewest entries is the source, the others test what it gives (`restricted`); how
many there are is asked beforehand (`leaves`), because neither database knows it of such tables.
"""

# ruff: noqa: S608
# Text is made of names in this package; every value is bound.

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from simdes.errors import Unsupported
from simdes.fhir.search.conditions import (
    ALWAYS,
    All,
    AnyOf,
    Authors,
    Chain,
    Condition,
    Exists,
    Has,
    Ids,
    Kind,
    Listed,
    Match,
    Not,
    ReferenceTest,
    Slot,
    States,
    Together,
    Updated,
)
from simdes.index import kept
from simdes.index.bound import Bound
from simdes.index.leading import PATIENTS, On, backwards, leads, ways
from simdes.index.leaves import row_tests, span_test
from simdes.index.seeing import SHARED, grounded, scoped
from simdes.index.sql import NEVER, both, either
from simdes.index.trees import conjuncts, subjects, walk
from simdes.index.values import TABLES, key, slot_number
from simdes.index.visible import OWN, Visible

MANY = 2_000
"""From how many entries on a condition is no source."""

_LIST_ITEM = Slot("List.item", Kind.REFERENCE)
_INDIRECT = (Chain, Has, Listed)


@dataclass(slots=True)
class Predicates:
    """Writes conditions of one statement down.

    ``unled`` is the transaction's. ``sizes`` are of `leaves`, as they were asked for beforehand.
    Joins are written CROSS JOIN, in which SQLite keeps the order.
    """

    visible: Visible
    unled: str
    bound: Bound = field(default_factory=Bound)
    sizes: Mapping[Condition, int] = field(default_factory=dict)

    # What may be seen --------------------------------------------------------------------------

    def seen(self, on: On, *, deleted: bool = False, chosen: bool = True) -> str:
        """The condition that an entry may be seen.

        ``chosen``: and that none stands in its place (`chosen`). ``deleted``: tombstones too.
        """
        parts = [] if deleted else [f"{on.alias}.deleted = 0"]
        parts.append(self._scoped(on))
        parts.append(grounded(self.visible, on.alias, on.types, self.bound))
        if chosen:
            parts += self.chosen(on)
        return both(parts)

    def _scoped(self, on: On) -> str:
        return scoped(
            self.visible,
            on.alias,
            on.types,
            self.bound,
            lambda where, alias: self.plainly(where, On(alias, on.types)),
        )

    def plainly(self, where: Condition, on: On) -> str:
        """The test of a scope's condition, which looks at the entry itself alone."""
        if any(isinstance(one, _INDIRECT) for one in walk(where, negated=True)):
            raise Unsupported("A scope's condition can look at the resource itself alone.")
        scopes = {
            type_: tuple(replace(one, where=ALWAYS) for one in its)
            for type_, its in self.visible.scopes.items()
        }
        # Conditions within are not asked for again: a Patient's scope may name a Patient.
        plain = Predicates(replace(self.visible, scopes=scopes), self.unled, self.bound)
        return plain.meets(where, on)

    def chosen(self, on: On) -> Iterator[str]:
        """Of what is one to a client, the one that counts: what is nobody's lies in many vaults,
        and of one patient's resource there may be several copies, or an own one.
        """
        copies = any(one.handle != OWN for one in self.visible.grounds)
        shared, others = on.types & SHARED, on.types - SHARED
        if shared:
            better = self.bound.alias()
            newest = self._better(on, On(better, shared), _newer(on.alias, better))
            yield (
                either((self.bound.among(f"{on.alias}.type", others), newest))
                if (others)
                else newest
            )
        if others and copies:
            better = self.bound.alias()
            same = f"{better}.vault = {on.alias}.vault"
            own = f"{better}.handle = {self.bound(OWN)}"
            newest = self._better(
                on, On(better, others), both((same, either((own, _newer(on.alias, better)))))
            )
            free = [f"{on.alias}.handle = {self.bound(OWN)}", newest]
            if shared:
                free.append(self.bound.among(f"{on.alias}.type", shared))
            yield either(free)

    def _better(self, on: On, better: On, how: str) -> str:
        name = better.alias
        return (
            f"NOT EXISTS (SELECT 1 FROM entry AS {name} WHERE {name}.type = {on.alias}.type"
            f" AND {name}.logical_id = {on.alias}.logical_id AND {both((how,))}"
            f" AND {both((self.seen(better, deleted=True, chosen=False),))})"
        )

    # Conditions --------------------------------------------------------------------------------

    def restricted(self, where: Condition, on: On) -> str:
        """The condition that entries meet ``where``, found by the part of it with the fewest."""
        parts = list(conjuncts(where))
        sizes = [self.size(one) for one in parts]
        least = min(sizes, default=MANY)
        if least >= MANY:
            return both(self.meets(one, on) for one in parts)
        lead = sizes.index(least)
        return both(
            (
                f"{on.alias}.id IN ({self.source(parts[lead], on.types)})",
                *(self.meets(one, on) for at, one in enumerate(parts) if at != lead),
            )
        )

    def size(self, where: Condition) -> int:
        """About how many entries meet a condition; `MANY`: so many, or nobody knows."""
        if isinstance(where, All):
            return min((self.size(one) for one in where.of), default=MANY)
        if isinstance(where, AnyOf):
            return min(MANY, sum(self.size(one) for one in where.of))
        if isinstance(where, Chain):
            return min(MANY, 8 * self.size(where.where))
        if isinstance(where, Has):
            return self.size(where.where)
        if isinstance(where, Listed):
            return 1
        return self.sizes.get(where, MANY)

    def meets(self, where: Condition, on: On) -> str:
        """The test of one entry."""
        return _MEETS[type(where)](self, where, on)

    def source(self, where: Condition, types: frozenset[str]) -> str:
        """Select the ids of all entries (of these types) that meet a condition, some repeatedly."""
        return " UNION ALL ".join(_SOURCES[type(where)](self, where, types)) or (
            f"SELECT e.id FROM entry AS e WHERE {NEVER}"
        )

    # Values ------------------------------------------------------------------------------------

    def _match(self, where: Match, on: On) -> str:
        row = self.bound.alias()
        tests = row_tests(where, self.unled + row, self.bound)
        if where.slot.kind is Kind.REFERENCE:
            tests += [
                f"{row}.subject = 1 AND {on.alias}.vault IN ({self._known_as(one)})"
                for one in subjects(where)
            ]
        return self._has_row(where.slot, row, on, either(tests))

    def _has_row(self, slot: Slot, row: str, on: On, test: str) -> str:
        return (
            f"EXISTS (SELECT 1 FROM {TABLES[slot.kind]} AS {row} WHERE {row}.entry = {on.alias}.id"
            f" AND {self._slot(slot, row)} AND {both((test,))})"
        )

    def _slot(self, slot: Slot, row: str) -> str:
        return f"{row}.slot = {self.bound(slot_number(slot.name))}"

    def _match_source(self, where: Match, types: frozenset[str]) -> Iterator[str]:
        row = self.bound.alias()
        table = TABLES[where.slot.kind]
        for test in row_tests(where, row, self.bound):
            slot = self._slot(where.slot, row)
            yield f"SELECT {row}.entry FROM {table} AS {row} WHERE {slot} AND {both((test,))}"
        if where.slot.kind is Kind.REFERENCE:
            for one in subjects(where):
                row, source = self.bound.alias(), self.bound.alias()
                yield (
                    f"SELECT {source}.id FROM entry AS {source}"
                    f" CROSS JOIN search_reference AS {row}"
                    f" WHERE {source}.vault IN ({self._known_as(one)})"
                    f" AND {self.bound.among(f'{source}.type', types)}"
                    f" AND {row}.entry = {source}.id AND {self._slot(where.slot, row)}"
                    f" AND {self.unled}{row}.subject = 1"
                )

    def _known_as(self, test: ReferenceTest) -> str:
        """Select the vaults whose patient a caller may see under this id."""
        on = On(self.bound.alias(), PATIENTS)
        return (
            f"SELECT {on.alias}.vault FROM entry AS {on.alias}"
            f" WHERE {on.alias}.logical_id = {self.bound(key(test.target))} AND {self.seen(on)}"
        )

    def _exists(self, where: Exists, on: On) -> str:
        return either(
            self._has_row(slot, row, on, "1 = 1")
            for slot in where.slots
            for row in (self.bound.alias(),)
        )

    def _together(self, where: Together, on: On) -> str:
        first, joined = self._joined(where)
        return f"EXISTS (SELECT 1 {joined} AND {first}.entry = {on.alias}.id)"

    def _together_source(self, where: Together, types: frozenset[str]) -> Iterator[str]:
        first, joined = self._joined(where)
        yield f"SELECT {first}.entry {joined}"

    def _joined(self, where: Together) -> tuple[str, str]:
        rows = [self.bound.alias() for _ in where.matches]
        tables = [
            f"{TABLES[one.slot.kind]} AS {row}"
            for one, row in zip(where.matches, rows, strict=True)
        ]
        parts = []
        for one, row in zip(where.matches, rows, strict=True):
            parts.append(self._slot(one.slot, row))
            parts.append(either(row_tests(one, row, self.bound)))
            if row != rows[0]:
                parts.append(f"{row}.entry = {rows[0]}.entry AND {row}.part = {rows[0]}.part")
        return rows[0], f"FROM {', '.join(tables)} WHERE {both(parts)}"

    def _ids(self, where: Ids, on: On) -> str:
        return self.bound.among(f"{on.alias}.logical_id", set(where.ids)) if where.ids else NEVER

    def _ids_source(self, where: Ids, types: frozenset[str]) -> Iterator[str]:
        on = On(self.bound.alias(), types)
        kinds = self.bound.among(f"{on.alias}.type", types)
        ids = self._ids(where, on)
        yield f"SELECT {on.alias}.id FROM entry AS {on.alias} WHERE {kinds} AND {ids}"

    def _updated(self, where: Updated, on: On) -> str:
        low, high = f"{on.alias}.updated_ms", f"{on.alias}.updated_ms + 1"
        return either(span_test(one, low, high, self.bound) for one in where.tests)

    def _updated_source(self, where: Updated, types: frozenset[str]) -> Iterator[str]:
        on = On(self.bound.alias(), types)
        kinds = self.bound.among(f"{on.alias}.type", types)
        yield (
            f"SELECT {on.alias}.id FROM entry AS {on.alias} WHERE {kinds}"
            f" AND {both((self._updated(where, on),))}"
        )

    def _kept(self, where: Authors | States, on: On) -> str:
        return either(kept.ways(where, on.alias, self.bound))

    def _kept_source(self, where: Authors | States, types: frozenset[str]) -> Iterator[str]:
        alias = self.bound.alias()
        kinds = self.bound.among(f"{alias}.type", types)
        for one in kept.ways(where, alias, self.bound):
            yield f"SELECT {alias}.id FROM entry AS {alias} WHERE {kinds} AND {both((one,))}"

    # References --------------------------------------------------------------------------------

    def _chain(self, where: Chain, on: On) -> str:
        return either(
            f"EXISTS (SELECT 1 FROM search_reference AS {row} CROSS JOIN entry AS {target.alias}"
            f" WHERE {row}.entry = {on.alias}.id AND {self._slot(where.slot, row)}"
            f" AND {leads} AND {self.seen(target)} AND {both((self.meets(where.where, target),))})"
            for row, target, leads in self._targets(where, on)
        )

    def _targets(self, where: Chain, on: On) -> Iterator[tuple[str, On, str]]:
        """For each way a Reference leads: its row, where to, and the condition that it does."""
        for about in ways(where.types):
            row = self.bound.alias()
            target = On(self.bound.alias(), PATIENTS if about else frozenset(where.types))
            yield row, target, self.leads(row, on, target, about=about)

    def _chain_source(self, where: Chain, types: frozenset[str]) -> Iterator[str]:
        for about in ways(where.types):
            row, source = self.bound.alias(), On(self.bound.alias(), types)
            target = On(self.bound.alias(), PATIENTS if about else frozenset(where.types))
            yield (
                f"SELECT {source.alias}.id FROM entry AS {target.alias}"
                f" {backwards(row, source, about=about)}"
                f" WHERE {self.restricted(where.where, target)} AND {self.seen(target)}"
                f" AND {self.leads(row, source, target, about=about)}"
                f" AND {row}.entry = {source.alias}.id AND {self._slot(where.slot, row)}"
                f" AND {self.bound.among(f'{source.alias}.type', types)}"
            )

    def _has(self, where: Has, on: On) -> str:
        types = frozenset((where.type,))
        found = []
        for about in ways(on.types):
            row, source = self.bound.alias(), On(self.bound.alias(), types)
            tables = backwards(row, source, about=about).removeprefix("CROSS JOIN ")
            found.append(
                f"EXISTS (SELECT 1 FROM {tables}"
                f" WHERE {self.leads(row, source, on, about=about)}"
                f" AND {row}.entry = {source.alias}.id AND {self._slot(where.slot, row)}"
                f" AND {self.seen(source)} AND {both((self.meets(where.where, source),))})"
            )
        return either(found)

    def _has_source(self, where: Has, types: frozenset[str]) -> Iterator[str]:
        for about in ways(types):
            row, source = self.bound.alias(), On(self.bound.alias(), frozenset((where.type,)))
            target = On(self.bound.alias(), PATIENTS if about else types)
            yield (
                f"SELECT {target.alias}.id FROM entry AS {source.alias}"
                f" CROSS JOIN search_reference AS {row} CROSS JOIN entry AS {target.alias}"
                f" WHERE {self.restricted(where.where, source)} AND {self.seen(source)}"
                f" AND {row}.entry = {source.alias}.id AND {self._slot(where.slot, row)}"
                f" AND {self.leads(row, source, target, about=about)}"
                f" AND {self.bound.among(f'{target.alias}.type', target.types)}"
            )

    def _listed(self, where: Listed, on: On) -> str:
        return self._has(_as_has(where), on)

    def _listed_source(self, where: Listed, types: frozenset[str]) -> Iterator[str]:
        return self._has_source(_as_has(where), types)

    def leads(self, row: str, source: On, target: On, *, about: bool) -> str:
        """See `leading.leads`."""
        return leads(self.bound, self.unled, row, source, target, about=about)

    # Several -----------------------------------------------------------------------------------

    def _all(self, where: All, on: On) -> str:
        return both(self.meets(one, on) for one in where.of)

    def _all_source(self, where: All, types: frozenset[str]) -> Iterator[str]:
        on = On(self.bound.alias(), types)
        yield f"SELECT {on.alias}.id FROM entry AS {on.alias} WHERE {self.restricted(where, on)}"

    def _any_of(self, where: AnyOf, on: On) -> str:
        return either(self.meets(one, on) for one in where.of)

    def _any_of_source(self, where: AnyOf, types: frozenset[str]) -> Iterator[str]:
        return (part for one in where.of for part in (self.source(one, types),))

    def _not(self, where: Not, on: On) -> str:
        return f"NOT ({self.meets(where.what, on)})"


_MEETS: Mapping[type, Callable[..., str]] = {
    All: Predicates._all,
    AnyOf: Predicates._any_of,
    Authors: Predicates._kept,
    Chain: Predicates._chain,
    Exists: Predicates._exists,
    Has: Predicates._has,
    Ids: Predicates._ids,
    Listed: Predicates._listed,
    Match: Predicates._match,
    Not: Predicates._not,
    States: Predicates._kept,
    Together: Predicates._together,
    Updated: Predicates._updated,
}
_SOURCES: Mapping[type, Callable[..., Iterator[str]]] = {
    All: Predicates._all_source,
    AnyOf: Predicates._any_of_source,
    Authors: Predicates._kept_source,
    Chain: Predicates._chain_source,
    Has: Predicates._has_source,
    Ids: Predicates._ids_source,
    Listed: Predicates._listed_source,
    Match: Predicates._match_source,
    States: Predicates._kept_source,
    Together: Predicates._together_source,
    Updated: Predicates._updated_source,
}


def _as_has(where: Listed) -> Has:
    return Has("List", _LIST_ITEM, Ids((where.list_id,)))


def _newer(one: str, other: str) -> str:
    return (
        f"{other}.updated_ms > {one}.updated_ms"
        f" OR ({other}.updated_ms = {one}.updated_ms AND {other}.id > {one}.id)"
    )
