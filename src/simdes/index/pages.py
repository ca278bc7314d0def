"""A search written down: its page in an order, and how many it finds in all.

Where few entries can meet it they are all looked at and sorted. Where many can, and the first key
of the order is a value, that value's index is walked in its order until the page is full: first
the entries that have the value, then (`valueless`) those that have none.
"""

# ruff: noqa: S608
# Text is made of names in this package; every value is bound.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simdes.fhir.search.conditions import Condition, Kind, Slot, Sort
from simdes.index.bound import Bound
from simdes.index.leading import On
from simdes.index.predicates import MANY, Predicates
from simdes.index.sql import both, either
from simdes.index.statements import Value
from simdes.index.values import TABLES, slot_number
from simdes.index.visible import Visible

Key = int | float | str | None

SORTED_BY: Mapping[Kind, str] = {
    Kind.DATE: "low_ms",
    Kind.NUMBER: "value",
    Kind.QUANTITY: "value",
    Kind.REFERENCE: "target",
    Kind.STRING: "head",
    Kind.TOKEN: "code",
    Kind.URI: "text",
}
"""What of a value an order looks at; it is what comes first in the index of its table."""

Statement = tuple[str, Mapping[str, Value]]
"""A text and its values."""


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that was found, and its values under the keys of the search's ``_sort``."""

    id: int
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A search with what it needs to be written down.

    ``sizes`` of its leaves; ``vaults`` None: of every patient, else the only ones that are seen,
    which hold ``in_vaults`` entries of these types.
    """

    visible: Visible
    unled: str
    where: Condition
    types: frozenset[str]
    sizes: Mapping[Condition, int]
    vaults: frozenset[bytes] | None
    in_vaults: int = MANY

    def is_walked(self, sorts: Sequence[Sort]) -> bool:
        """Whether a page is best found by walking the index of its first key."""
        many = self._writing().written.size(self.where) >= MANY and self.in_vaults >= MANY
        return many and bool(sorts) and sorts[0].slot is not None

    def total(self) -> Statement:
        """Count what meets it."""
        one = self._writing()
        return f"SELECT count(*) FROM entry AS e WHERE {one.meeting()}", one.bound.values

    def page(self, sorts: Sequence[Sort], limit: int, after: Hit | None) -> Statement:
        """A page: row id and keys."""
        one = self._writing()
        one.add_keys(sorts, after)
        return one.sorted(one.meeting(), _down(sorts), limit, after), one.bound.values

    def walk(self, sorts: Sequence[Sort], limit: int, after: Hit | None) -> Statement:
        """A page of the entries that have a value under the first key."""
        one = self._writing()
        slot, down = sorts[0].slot, sorts[0].descending
        if slot is None:
            raise ValueError("a walk follows a value")
        first = f"w.{SORTED_BY[slot.kind]}"
        one.keys.append(_Key(first, down, False, after.keys[0] if after else None))
        one.add_keys(sorts[1:], None if after is None else Hit(after.id, after.keys[1:]))
        sign = ">" if down else "<"
        best = (
            f"NOT EXISTS (SELECT 1 FROM {TABLES[slot.kind]} AS o WHERE o.entry = w.entry"
            f" AND o.slot = w.slot AND ({self.unled}o.{SORTED_BY[slot.kind]} {sign} {first}"
            f" OR ({self.unled}o.{SORTED_BY[slot.kind]} = {first} AND o.n < w.n)))"
        )
        tables = f"{TABLES[slot.kind]} AS w CROSS JOIN entry AS e"
        found = f"w.slot = {one.bound(slot_number(slot.name))} AND e.id = w.entry AND {best}"
        parts = [found, one.meeting()]
        if after is not None:
            parts.append(one.behind(after, down, "w.entry"))
        names = "".join(f", {key.text} AS k{number}" for number, key in enumerate(one.keys))
        order = ", ".join([*(key.order(key.text) for key in one.keys), _by_id("w.entry", down)])
        return (
            f"SELECT w.entry AS id{names} FROM {tables} WHERE {both(parts)}"
            f" ORDER BY {order} LIMIT {one.bound(limit)}",
            one.bound.values,
        )

    def valueless(self, sorts: Sequence[Sort], limit: int, after: Hit | None) -> Statement:
        """A page of the entries that have no value under the first key; without that key."""
        one = self._writing()
        slot = sorts[0].slot
        if slot is None:
            raise ValueError("every entry has an id and a time")
        if after is not None:
            after = Hit(after.id, after.keys[1:])
        one.add_keys(sorts[1:], after)
        none = (
            f"NOT EXISTS (SELECT 1 FROM {TABLES[slot.kind]} AS o WHERE o.entry = e.id"
            f" AND o.slot = {one.bound(slot_number(slot.name))})"
        )
        found = both((none, one.meeting()))
        return one.sorted(found, sorts[0].descending, limit, after), one.bound.values

    def _writing(self) -> _Writing:
        return _Writing(self, Predicates(self.visible, self.unled, sizes=self.sizes))


@dataclass(frozen=True, slots=True)
class _Key:
    """A key of an order: its SQL, whether it may be null, and where the page before ended."""

    text: str
    down: bool
    nullable: bool
    at: Key

    def order(self, name: str) -> str:
        way = f"{name} DESC" if self.down else name
        return f"{name} IS NULL, {way}" if self.nullable else way


@dataclass(slots=True)
class _Writing:
    """One statement while it is written."""

    asked: Asked
    written: Predicates
    keys: list[_Key] = field(default_factory=list)

    @property
    def bound(self) -> Bound:
        return self.written.bound

    @property
    def on(self) -> On:
        return On("e", self.asked.types)

    def add_keys(self, sorts: Sequence[Sort], after: Hit | None) -> None:
        ends: Sequence[Key] = [None] * len(sorts) if after is None else after.keys
        for one, at in zip(sorts, ends, strict=True):
            if one.slot is None:
                column = "e.logical_id" if one.by == "id" else "e.updated_ms"
                self.keys.append(_Key(column, one.descending, False, at))
            else:
                text = self._least(one.slot, down=one.descending)
                self.keys.append(_Key(text, one.descending, True, at))

    def _least(self, slot: Slot, *, down: bool) -> str:
        best = f"{'max' if down else 'min'}({self.asked.unled}k.{SORTED_BY[slot.kind]})"
        return (
            f"(SELECT {best} FROM {TABLES[slot.kind]} AS k WHERE k.entry = e.id"
            f" AND k.slot = {self.bound(slot_number(slot.name))})"
        )

    def meeting(self) -> str:
        """The condition that an entry is seen and meets the search."""
        asked, written = self.asked, self.written
        parts = [written.seen(self.on)]
        if asked.vaults is not None and asked.in_vaults <= written.size(asked.where):
            # The patients asked for have fewer entries than any value has.
            parts.append(
                f"e.id IN (SELECT v.id FROM entry AS v WHERE"
                f" {self.bound.among('v.vault', asked.vaults)}"
                f" AND {self.bound.among('v.type', asked.types)})"
            )
            parts.append(written.meets(asked.where, self.on))
        else:
            parts.append(written.restricted(asked.where, self.on))
        return both(parts)

    def sorted(self, where: str, down: bool, limit: int, after: Hit | None) -> str:
        """Select what meets a condition, in the order of the keys, behind a hit."""
        columns = "".join(f", {key.text} AS k{number}" for number, key in enumerate(self.keys))
        names = [f"k{number}" for number in range(len(self.keys))]
        self.keys = [
            _Key(name, key.down, key.nullable, key.at)
            for name, key in zip(names, self.keys, strict=True)
        ]
        behind = f" WHERE {self.behind(after, down, 'id')}" if after is not None else ""
        order = ", ".join([*(key.order(key.text) for key in self.keys), _by_id("id", down)])
        return (
            f"SELECT {', '.join(['id', *names])} FROM"
            f" (SELECT e.id AS id{columns} FROM entry AS e WHERE {where}) AS q{behind}"
            f" ORDER BY {order} LIMIT {self.bound(limit)}"
        )

    def behind(self, after: Hit, down: bool, row: str) -> str:
        """The condition that something comes behind a hit."""
        same: list[str] = []
        found: list[str] = []
        for key in self.keys:
            if key.at is None:
                same.append(f"{key.text} IS NULL")
                continue
            mark = self.bound(key.at)
            beyond = f"{key.text} {'<' if key.down else '>'} {mark}"
            found.append(
                both((*same, f"{beyond} OR {key.text} IS NULL" if key.nullable else beyond))
            )
            same.append(f"{key.text} = {mark}")
        found.append(both((*same, f"{row} {'<' if down else '>'} {self.bound(after.id)}")))
        some = either(found)
        first = next(iter(self.keys), None)
        if first is None or first.nullable or first.at is None:
            return some
        # Said once more for the index: where the page begins.
        begins = f"{first.text} {'<=' if first.down else '>='} {self.bound(first.at)}"
        return both((begins, some))


def _down(sorts: Sequence[Sort]) -> bool:
    """Whether equal entries come newest first: as the first key goes; newest first without any."""
    return sorts[0].descending if sorts else True


def _by_id(name: str, down: bool) -> str:
    return f"{name} DESC" if down else name
