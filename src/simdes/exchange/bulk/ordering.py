"""In which order and in which batches lines are written, so that every reference finds its target.

A line comes after those that it refers to, wherever these stand; lines that refer to each other in
a circle come in one batch. The circles are the strongly connected components of the graph of
references, which Tarjan's algorithm gives out targets first (https://doi.org/10.1137/0201010); it
is written without recursion, since chains may be as long as the files. Pure.

What is nobody's has batches of its own: in one transaction with a single patient's records it would
go into that patient's vault (docs/decisions/0016-whose-records.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

NOBODYS, PATIENT, OTHER, ENDED = 0, 1, 2, 3
"""Ranks: lines of a lower one come earlier where references leave it open."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line to write: where it is kept, its rank, its ``Type/id`` and those it refers to."""

    place: int
    rank: int
    name: str
    refers: tuple[str, ...] = ()


Group = tuple[int, ...]
"""Places of lines that are written together or not at all."""


def batches(lines: Sequence[Line], *, at_once: int) -> list[tuple[Group, ...]]:
    """The lines in batches of groups, ``at_once`` lines to a batch unless a group has more.

    Of two lines with the same name the first comes first, in another batch.
    """
    made: list[tuple[Group, ...]] = []
    groups: list[Group] = []
    names: set[str] = set()
    size, nobodys = 0, False
    for group in _Walk(lines).groups():
        its = [lines[at] for at in group]
        own = all(one.rank == NOBODYS for one in its)
        again = any(one.name in names for one in its)
        if groups and (size + len(its) > at_once or own is not nobodys or again):
            made.append(tuple(groups))
            groups, names, size = [], set(), 0
        nobodys = own
        groups.append(tuple(one.place for one in its))
        names.update(one.name for one in its)
        size += len(its)
    return [*made, tuple(groups)] if groups else made


def _targets(lines: Sequence[Line]) -> list[list[int]]:
    """Which lines each one has to come after: what it refers to, and itself as it was before."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    before: dict[int, int] = {}
    for at, line in enumerate(lines):
        first.setdefault(line.name, at)
        if line.name in last:
            before[at] = last[line.name]
        last[line.name] = at
    found = []
    for at, line in enumerate(lines):
        its = [first[name] for name in line.refers if first.get(name, at) != at]
        found.append([*its, before[at]] if at in before else its)
    return found


@dataclass(slots=True)
class _Walk:
    """A walk from line to line along the references. ``number`` says when a line was met, 0: not
    yet; ``lowest`` is the earliest line still open that it leads back to."""

    lines: Sequence[Line]
    met: int = 0
    number: list[int] = field(init=False)
    lowest: list[int] = field(init=False)
    left: list[Iterator[int]] = field(init=False)
    open: list[int] = field(default_factory=list)
    is_open: bytearray = field(init=False)

    def __post_init__(self) -> None:
        self.number, self.lowest = [0] * len(self.lines), [0] * len(self.lines)
        self.left = [iter(one) for one in _targets(self.lines)]
        self.is_open = bytearray(len(self.lines))

    def groups(self) -> Iterator[list[int]]:
        """Indices of lines, those that depend on each other together, targets first."""
        for root in sorted(range(len(self.lines)), key=lambda at: self.lines[at].rank):
            path = [] if self.number[root] else [self._enter(root)]
            while path:
                at = path[-1]
                if (target := self._next(at)) is not None:
                    path.append(self._enter(target))
                    continue
                path.pop()
                if path:
                    self.lowest[path[-1]] = min(self.lowest[path[-1]], self.lowest[at])
                if self.lowest[at] == self.number[at]:
                    yield sorted(self._close(at))

    def _enter(self, at: int) -> int:
        self.met += 1
        self.number[at] = self.lowest[at] = self.met
        self.open.append(at)
        self.is_open[at] = 1
        return at

    def _next(self, at: int) -> int | None:
        for target in self.left[at]:
            if not self.number[target]:
                return target
            if self.is_open[target]:
                self.lowest[at] = min(self.lowest[at], self.number[target])
        return None

    def _close(self, at: int) -> Iterator[int]:
        while True:
            one = self.open.pop()
            self.is_open[one] = 0
            yield one
            if one == at:
                return
