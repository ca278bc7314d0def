"""Run the map of a segment onto a resource, field by field and repetition by repetition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simdes.mapper.hl7v2.rules import NULL, Rule, by_source
from simdes.mapper.hl7v2.state import Leftover, State
from simdes.mapper.model import Json
from simdes.mapper.places import Slots

if TYPE_CHECKING:
    from simdes.mapper.hl7v2.maps import Maps

_PATHS = [str(number) for number in range(512)]

Taken = dict[tuple[int, int], list[Leftover]]
"""For each field and repetition that a map took: the parts it left over."""


class SegmentMap:
    """A segment's map onto one resource; ``ignored`` are fields left out on purpose, with why."""

    __slots__ = ("_always", "_by_field", "ignored", "resource", "segment")

    def __init__(self, data: Json, maps: Maps) -> None:
        self.segment: str = data["segment"]
        self.resource: str = data["resource"]
        self.ignored: dict[int, str] = {int(k): v for k, v in data["ignored"].items()}
        rules = by_source(data["rows"], maps, 0, f"{self.segment}[{self.resource}]")
        self._always = rules.pop(0)
        self._by_field = sorted(rules.items())

    def run(self, state: State, slots: Slots) -> Taken:
        """Map the segment at hand into ``slots``; returns what was taken."""
        fields = state.fields
        taken: Taken = {}
        state.field = 0
        for rule in self._always:
            if rule.when is None or rule.when(state, fields):
                rest = rule.run(state, slots, fields, "", 0, 1, "")
                if rest is not None and rule.mask:
                    _take_whole(state, rule, taken)
        sign = state.separators.repetition
        count = len(fields)
        for at, rules in self._by_field:  # maps know fewer fields than _PATHS
            if at >= count:
                break
            text = fields[at]
            if not text:
                continue
            state.field = at
            if sign in text:
                for repetition, part in enumerate(text.split(sign)):
                    if part and part != NULL:
                        _field(state, slots, at, repetition, part, taken, rules)
            elif text != NULL:
                _field(state, slots, at, 0, text, taken, rules)
        state.field = 0
        return taken


def _field(  # noqa: PLR0912 - the hot path: every call saved is worth it
    state: State,
    slots: Slots,
    at: int,
    repetition: int,
    text: str,
    taken: Taken,
    rules: list[Rule],
) -> None:
    state.text = text
    fields = state.fields
    key = (at, repetition)
    best = taken.get(key)
    bare = state.component not in text and state.subcomponent not in text
    plain = state.plain(text) if bare and state.escape in text else text
    varies = False
    others = 0
    for rule in rules:
        if rule.when is not None and not rule.when(state, fields):
            continue
        if not rule.constant:
            varies = True
        elif varies and best is None:
            continue
        if rule.plain and bare:
            value = rule.convert(plain, state.zone)  # type: ignore[misc]
            if value is not None and rule.place.put(state, slots, repetition, value):
                short = [(_PATHS[at], text)] if rule.shortens(text) else []
                best = short if best is None else common(best, short)
                if state.explained is not None:
                    rule.explain(state, _PATHS[at])
            else:
                state.fragments = True
            continue
        rest = rule.run(state, slots, fields, text, repetition, 1, _PATHS[at])
        if rest is None:
            continue
        if rule.other:
            taken[(rule.other, 0)] = rest
            continue
        if rule.borrows:
            continue
        others |= rule.mask
        if best is None:
            if not rule.constant or rule.when is not None:  # a bare constant says nothing of it
                best = rest
        elif not rule.constant:
            best = common(best, rest)
    if best is not None:
        taken[key] = best
        others &= ~(1 << at)
        if others:
            _take_others(others, len(fields), taken)


def _take_others(mask: int, count: int, taken: Taken) -> None:
    """Note the other fields of this segment that a row's function read."""
    for at in range(1, count):
        if mask >> at & 1:
            taken[(at, 0)] = []


def _take_whole(state: State, rule: Rule, taken: Taken) -> None:
    for at in range(1, len(state.fields)):
        if rule.mask >> at & 1:
            for repetition in range(state.fields[at].count(state.separators.repetition) + 1):
                taken[(at, repetition)] = []


def common(one: list[Leftover], other: list[Leftover]) -> list[Leftover]:
    """Give the leftovers that neither of two maps took."""
    if not one or not other:
        return []
    return [item for item in one if _within(item[0], other)] + [
        item for item in other if _within(item[0], one) and item not in one
    ]


def _within(path: str, items: list[Leftover]) -> bool:
    """Say whether ``path`` is one of those, or a part of one."""
    return any(path == whole or path.startswith(f"{whole}.") for whole, _ in items)
