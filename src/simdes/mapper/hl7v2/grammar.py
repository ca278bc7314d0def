"""Group a message's segments as its structure says, forgiving what is missing or out of order.

A structure is the tree of HL7's message map. A segment goes to the innermost open group that can
take it next; else a group around it starts again; else, out of order, to wherever the structure has
it. A segment that the structure does not have gets no place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simdes.mapper.draft import Scope
from simdes.mapper.model import Json


class Frame(Scope):
    """What one repetition of a group made, and its latest segments."""

    __slots__ = ("segments",)

    outer: Frame | None

    def __init__(self, outer: Frame | None = None) -> None:
        super().__init__(outer)
        self.segments: dict[str, list[str]] = {}

    def find(self, alias: str) -> Any | None:
        """Find the resource of ``alias`` here or around; ``^alias`` only around."""
        if alias[0] == "^":
            return None if self.outer is None else self.outer.find(alias[1:])
        return super().find(alias)

    def fields(self, segment: str) -> list[str] | None:
        """Find the fields of the latest ``segment`` here or around."""
        frame: Frame | None = self
        while frame is not None:
            found = frame.segments.get(segment)
            if found is not None:
                return found
            frame = frame.outer
        return None


@dataclass(slots=True)
class Item:
    """A segment or group of a structure: what it ``holds``, what it may begin with (``first``)."""

    name: str
    repeats: bool
    items: tuple[Item, ...] = ()
    targets: tuple[Any, ...] = ()
    first: frozenset[str] = frozenset()
    holds: frozenset[str] = field(default_factory=frozenset)


@dataclass(slots=True)
class _Open:
    group: Item
    frame: Frame
    at: int = -1


def build(node: Json, target: Callable[[Json], Any]) -> Item:
    """Build a structure from its compiled form (tools/v2_to_fhir/structures.py)."""
    if "segment" in node:
        only = frozenset((node["segment"],))
        targets = tuple(target(data) for data in node["targets"])
        return Item(node["segment"], node["repeats"], (), targets, only, only)
    items = tuple(build(inner, target) for inner in node["items"])
    first: frozenset[str] = frozenset()
    for item in items:  # a leading group may be missing, the segment after it begins then
        first |= item.first
        if not item.items:
            break
    holds = frozenset[str]().union(*(item.holds for item in items))
    return Item(node["name"], node["repeats"], items, (), first, holds)


class Walk:
    """Places one segment after the other."""

    def __init__(self, structure: Item) -> None:
        self._open = [_Open(structure, Frame())]

    @property
    def frame(self) -> Frame:
        """The frame of the innermost open group."""
        return self._open[-1].frame

    def place(self, name: str) -> Item | None:
        """Find the item for segment ``name``, opening and closing groups; None: no place."""
        for depth in range(len(self._open) - 1, -1, -1):
            here = self._open[depth]
            at = _next(here, name)
            if at is None and depth and here.group.repeats and name in here.group.first:
                outer = self._open[depth - 1].frame
                self._open[depth] = _Open(here.group, Frame(outer))
                at = _next(self._open[depth], name)
            if at is not None:
                self._open[depth].at = at
                return self._enter(depth, at, name)
        return self._out_of_order(name)

    def _out_of_order(self, name: str) -> Item | None:
        for depth in range(len(self._open) - 1, -1, -1):
            for at, item in enumerate(self._open[depth].group.items):
                if name in item.holds:
                    return self._enter(depth, at, name)
        return None

    def _enter(self, depth: int, at: int, name: str) -> Item:
        del self._open[depth + 1 :]
        here = self._open[depth]
        item = here.group.items[at]
        while item.items:
            frame = Frame(here.frame) if item.repeats else here.frame
            at = next(i for i, inner in enumerate(item.items) if name in inner.holds)
            here = _Open(item, frame, at)
            self._open.append(here)
            item = item.items[at]
        return item


def _next(here: _Open, name: str) -> int | None:
    """Find the item of this group that can take ``name`` now."""
    if name not in here.group.holds:
        return None
    items = here.group.items
    if here.at >= 0:
        last = items[here.at]
        if last.repeats and last.name == name and not last.items:
            return here.at
    for at in range(here.at + 1, len(items)):
        if name in items[at].first:
            return at
    return None
