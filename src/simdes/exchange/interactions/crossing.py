"""Searches across what is kept and what is a view: conditions and includes that go either way.

The database follows references between entries; a consent, an audit entry or the caller as a
Practitioner is none (`views`). What leads to a view, or from one, is followed here, so that chains,
``_has`` and includes find the same as if all were kept in one place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from simdes.errors import TooLarge
from simdes.exchange.interactions import finding, views
from simdes.exchange.interactions.found import Found
from simdes.exchange.interactions.stating import leaf
from simdes.exchange.interactions.views import View
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.json import loads
from simdes.fhir.search.conditions import (
    All,
    AnyOf,
    Chain,
    Condition,
    Has,
    Ids,
    Include,
    Listed,
    Match,
    Not,
    Query,
    Reference,
    ReferenceTest,
    Slot,
    Valued,
)
from simdes.fhir.search.extract import extract
from simdes.fhir.search.match import matches
from simdes.fhir.search.parameters import parameter
from simdes.index import entries, search
from simdes.index.entries import Entry
from simdes.index.search import Hit
from simdes.index.transaction import Transaction
from simdes.index.visible import Visible, narrowed

MOST_INCLUDED: Final = 2_000
MOST_ASKED: Final = 500
"""Look-ups in the database that the views of one search may need."""
_UNASKED: Final = frozenset(("AuditEvent", "ResearchStudy", "ResearchSubject"))
"""Found where their type is named: what was looked at, and the network's studies, are nothing to
go through with everything else of a patient."""


@dataclass(slots=True)
class Views:
    """The views that one request may find, each type made when it is first needed."""

    node: Node
    asking: Asking
    vaults: tuple[bytes, ...] | None = None
    _made: dict[str, list[View]] = field(default_factory=dict)
    _asked: dict[tuple[Condition, str], bool] = field(default_factory=dict)

    def of(self, type_: str) -> list[View]:
        """The views of a type; of people only those who are not kept as well."""
        if type_ not in views.TYPES:
            return []
        if type_ not in self._made:
            found = views.searched(self.node, self.asking, type_, self.vaults)
            self._made[type_] = self._unkept(found) if type_ in views.PEOPLE else found
        return self._made[type_]

    def _unkept(self, found: list[View]) -> list[View]:
        """Who wrote and named themselves came along into the vault (`referring`)."""
        names = {(one.found.type, one.found.id) for one in found}
        if not names:
            return found
        with self.node.database.read() as tx:
            kept = {
                (one.type, one.logical_id)
                for one in search.named(tx, self._visible, names)
                if not one.deleted
            }
        return [one for one in found if (one.found.type, one.found.id) not in kept]

    @property
    def _visible(self) -> Visible:
        return narrowed(self.asking.rights.searching, self.vaults)

    # Conditions -------------------------------------------------------------------------------

    def widened(self, where: Condition, types: Sequence[str]) -> Condition:
        """A condition on what is kept that also holds by way of views."""
        if isinstance(where, All):
            return All(tuple(self.widened(one, types) for one in where.of))
        if isinstance(where, AnyOf):
            return AnyOf(tuple(self.widened(one, types) for one in where.of))
        if isinstance(where, Not):
            return Not(self.widened(where.what, types))
        if isinstance(where, Chain):
            return self._chained(where)
        if isinstance(where, Has):
            return self._had(where, types)
        return leaf(self.node, where)

    def _chained(self, where: Chain) -> Condition:
        chain = Chain(where.slot, where.types, self.widened(where.where, where.types))
        found = [one for type_ in where.types for one in self._that(type_, where.where)]
        if not found:
            return chain
        tests = tuple(ReferenceTest(one.found.type, one.found.id) for one in found)
        return AnyOf((chain, Match(where.slot, tests[:MOST_ASKED])))

    def _had(self, where: Has, types: Sequence[str]) -> Condition:
        has = Has(where.type, where.slot, self.widened(where.where, (where.type,)))
        named = {
            name.partition("/")
            for one in self._that(where.type, where.where)
            for name in targets(one.values, (where.slot,))
        }
        ids = tuple(sorted({id_ for type_, _, id_ in named if type_ in types}))
        return AnyOf((has, Ids(ids[:MOST_ASKED]))) if ids else has

    def _that(self, type_: str, where: Condition) -> list[View]:
        return [one for one in self.of(type_) if self.meets(one, where)]

    def meets(self, one: View, where: Condition) -> bool:
        """Whether a view meets a condition, be it on what it refers to or what refers to it."""
        found = one.found
        return matches(
            where,
            type=found.type,
            id=found.id,
            updated_ms=found.updated_ms,
            values=one.values,
            resolver=lambda condition: self._resolved(one, condition),
        )

    def _resolved(self, one: View, condition: Chain | Has | Listed) -> bool:
        if isinstance(condition, Chain):
            names = targets(one.values, (condition.slot,))
            return any(self._is_led(condition, name) for name in names)
        if isinstance(condition, Listed):
            item = parameter("List", "item")
            assert item is not None  # noqa: S101 (R4 has it)
            condition = Has("List", item.slot, Ids((condition.list_id,)))
        return self._is_referred(condition, one.found)

    def _is_led(self, chain: Chain, name: str) -> bool:
        type_, _, id_ = name.partition("/")
        if type_ not in chain.types:
            return False
        if any(one.found.id == id_ for one in self._that(type_, chain.where)):
            return True
        return self._is_kept(type_, All((chain.where, Ids((id_,)))), name)

    def _is_referred(self, has: Has, found: Found) -> bool:
        if any(
            found.name in targets(one.values, (has.slot,))
            for one in self._that(has.type, has.where)
        ):
            return True
        refers = Match(has.slot, (ReferenceTest(found.type, found.id),))
        return self._is_kept(has.type, All((has.where, refers)), found.name)

    def _is_kept(self, type_: str, where: Condition, name: str) -> bool:
        key = (where, name)
        if key not in self._asked:
            if len(self._asked) >= MOST_ASKED:
                raise TooLarge("The search asks too much of other resources.")
            query = Query(types=(type_,), where=self.widened(where, (type_,)))
            with self.node.database.read() as tx:
                self._asked[key] = bool(search.search(tx, self._visible, query, limit=1))
        return self._asked[key]

    # Searches ---------------------------------------------------------------------------------

    def find(self, query: Query) -> list[View]:
        """The views that meet a search, in its order."""
        types = [one for one in query.types if len(query.types) == 1 or one not in _UNASKED]
        found = [one for type_ in types for one in self._that(type_, query.where)]
        return views.in_order(found, query.sorts)

    def included(
        self,
        tx: Transaction,
        includes: Sequence[Include],
        page: Sequence[Hit],
        kept: Sequence[Found],
        shown: Sequence[View],
    ) -> list[Found]:
        """What ``_include`` and ``_revinclude`` add to a page of hits, loaded, and of views."""
        visible = self._visible
        first = search.include(tx, visible, includes, [hit.id for hit in page], limit=MOST_INCLUDED)
        more = [*self._kept_of(tx, visible, includes, shown)]
        again = [one for one in includes if one.iterate]
        if more and again:
            more += search.include(tx, visible, again, more, limit=MOST_INCLUDED)
        known = {hit.id for hit in page}
        ids = [one for one in dict.fromkeys([*first, *more]) if one not in known]
        fits = finding.fitting(tx, entries.get_many(tx, ids[:MOST_INCLUDED]))
        loaded = finding.load(self.node, tx, fits)
        found = [*self._views_of(includes, kept, shown)]
        if again:
            found += self._views_of(again, loaded, found)
        here = {one.found.name for one in shown}
        named = {one.found.name: one.found for one in found if one.found.name not in here}
        return [*loaded, *named.values()][:MOST_INCLUDED]

    def _kept_of(
        self,
        tx: Transaction,
        visible: Visible,
        includes: Sequence[Include],
        shown: Sequence[View],
    ) -> Iterator[int]:
        """Entries that views refer to, or that refer to views."""
        for one in includes:
            if one.reverse:
                tests = tuple(ReferenceTest(v.found.type, v.found.id) for v in shown)
                met = AnyOf(tuple(Match(slot, tests) for slot in one.slots)) if tests else None
                if met is not None and one.source:
                    query = Query(types=(one.source,), where=met)
                    hits = search.search(tx, visible, query, limit=MOST_INCLUDED)
                    yield from (hit.id for hit in hits)
                continue
            of_source = [v for v in shown if one.source in ("", v.found.type)]
            names = {_split(name) for v in of_source for name in _wanted(v.values, one)}
            if names:
                first: dict[tuple[str, str], Entry] = {}
                for each in search.named(tx, visible, names):
                    first.setdefault((each.type, each.logical_id), each)
                yield from (each.id for each in first.values() if not each.deleted)

    def _views_of(
        self, includes: Sequence[Include], kept: Sequence[Found], shown: Sequence[View]
    ) -> Iterator[View]:
        """Views that a page refers to, or that refer to it."""
        names = {one.name for one in kept} | {one.found.name for one in shown}
        for one in includes:
            if one.reverse:
                for source in (one.source,) if one.source else sorted(views.TYPES - _UNASKED):
                    for view in self.of(source):
                        if not names.isdisjoint(_wanted(view.values, one)):
                            yield view
                continue
            referred = {
                name
                for view in shown
                if one.source in ("", view.found.type)
                for name in _wanted(view.values, one)
            }
            for type_ in (one.target,) if one.target else sorted(views.TYPES):
                if not _is_type_named(type_, referred, kept):
                    continue
                for view in self.of(type_):
                    if view.found.name in referred or _is_named(view.found.name, one, kept):
                        yield view


def _is_type_named(type_: str, referred: Iterable[str], kept: Iterable[Found]) -> bool:
    """Whether a page refers to anything of a type: most pages to no view, which takes making."""
    named, written = f"{type_}/", f'"{type_}/'.encode()
    return any(one.startswith(named) for one in referred) or any(
        written in one.content for one in kept
    )


def _is_named(name: str, include: Include, kept: Iterable[Found]) -> bool:
    """Whether a kept resource names a view under the slots of an include."""
    written = f'"{name}"'.encode()
    return any(
        name in _wanted(extract(loads(one.content)), include)
        for one in kept
        if include.source in ("", one.type) and written in one.content
    )


def _wanted(values: Iterable[Valued], include: Include) -> set[str]:
    """The resources to which an include's references lead, of its target type."""
    found = targets(values, include.slots or None)
    return {one for one in found if include.target in ("", one.partition("/")[0])}


def targets(values: Iterable[Valued], slots: Sequence[Slot] | None) -> set[str]:
    """``Type/id`` of what references lead to, under some slots or (None) under any."""
    return {
        one.value.target
        for one in values
        if isinstance(one.value, Reference) and (slots is None or one.slot in slots)
    }


def _split(name: str) -> tuple[str, str]:
    type_, _, id_ = name.partition("/")
    return type_, id_
