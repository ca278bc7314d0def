"""Make the tree of a transaction: loops as its implementation guide nests them (``loops.psv``).

Branches: loops (``2010AA``), in them segments (``NM1``), in them elements (``NM101``; a repeated
element is several), in composites components (``SV101-2``). Groups of elements that repeat in a
segment are branches ``each`` (``groups.psv``). The envelope's segments stand at the top.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from simdes.mapper.sheets import Line, rows
from simdes.mapper.tree import Branch
from simdes.mapper.x12.reader import Delimiters, Segment, Transaction

_TOP = "top"
_TITLE = re.compile(r"[0-9A-Za-z]{1,3}")
_SEPARATED = re.compile(r"[0-9A-Z]{1,3}([:>])")
"""A composite as it begins, in whatever sign parts it."""


class Loop(NamedTuple):
    """Where a loop begins: the element that tells, the codes it has then, the loops it is in."""

    name: str
    parents: tuple[str, ...]
    element: int
    codes: frozenset[str]

    def begins(self, segment: Segment) -> bool:
        """Say whether ``segment``, which has the right name, begins this loop."""
        return not self.codes or segment.element(self.element) in self.codes


class Kind(NamedTuple):
    """A transaction set that is mapped: whose rows of loops.psv it has, and how it is called."""

    set: str
    event: str


@cache
def _sheet(name: str) -> list[Line]:
    text = (files("simdes.mapper.x12") / name).read_text(encoding="utf-8")
    return rows(name, text)


def kind_of(transaction: Transaction) -> Kind | None:
    """Tell which transaction set it is; None where that is not mapped.

    Where an 837 does not name its guide, its service lines tell.
    """
    guide = transaction.version
    if transaction.name == "837" and "X" not in guide:
        lines = {one.name for one in transaction.segments} & _GUIDES.keys()
        guide = _GUIDES[min(lines)] if lines else "X222"
    for line in _sheet("sets.psv"):
        guides = line.cell("guides")
        if line.cell("st01") == transaction.name and (
            guides == "*" or any(one in guide for one in guides.split())
        ):
            return Kind(line.cell("set"), line.cell("event"))
    return None


_GUIDES = {"SV1": "X222", "SV2": "X223", "SV3": "X224"}


@cache
def loops(kind: str) -> dict[str, list[Loop]]:
    """Give the loops of a transaction set, by the segment they begin with."""
    found: dict[str, list[Loop]] = {}
    for line in _sheet("loops.psv"):
        if kind in line.cell("sets").split(","):
            element, _, codes = line.cell("when").partition("=")
            parents = tuple(line.cell("parents").split(","))
            known = frozenset(codes.split(",")) if codes else frozenset()
            loop = Loop(line.cell("loop"), parents, int(element or 0), known)
            found.setdefault(line.cell("segment"), []).append(loop)
    return found


@cache
def _groups() -> dict[str, tuple[int, int]]:
    return {
        line.cell("segment"): (int(line.cell("first")), int(line.cell("elements")))
        for line in _sheet("groups.psv")
    }


@cache
def _composites() -> frozenset[str]:
    return frozenset(" ".join(line.cell("elements") for line in _sheet("composites.psv")).split())


Place = tuple[str, Branch]


def tree(kind: str, transaction: Transaction, segments: list[Segment]) -> Branch:
    """Make the tree of ``segments``, a transaction of this kind, in its envelope."""
    group = transaction.group
    signs = group.interchange.delimiters
    root = Branch("transaction")
    _add(root, group.interchange.header, signs._replace(repetition="", component=""))
    _add(root, group.header, signs)
    starts = loops(kind)
    stack: list[Place] = [(_TOP, root)]
    levels: dict[str, list[Place]] = {}
    for segment in segments:
        where = stack
        if segment.name == "HL":
            where = levels.get(segment.element(2), stack)
        found = _beginning(starts.get(segment.name, ()), segment, where)
        if found is not None:
            name, depth = found
            stack = [*where[:depth], (name, where[depth - 1][1].add(name))]
        if segment.name == "HL":
            levels[segment.element(1)] = stack
        _add(stack[-1][1], segment, signs)
    return root


def _beginning(
    candidates: Sequence[Loop], segment: Segment, stack: list[Place]
) -> tuple[str, int] | None:
    """Tell which loop ``segment`` begins and how much of ``stack`` stays open: most of it."""
    candidates = [loop for loop in candidates if loop.begins(segment)]
    for depth in range(len(stack), 0, -1) if candidates else ():
        for loop in candidates:
            if stack[depth - 1][0] in loop.parents:
                return loop.name, depth
    return None


def _add(outer: Branch, segment: Segment, signs: Delimiters) -> None:
    """Grow the branch of a segment."""
    title = segment.name
    if not _TITLE.fullmatch(title):  # damaged: what it was called is kept like an element
        title = "segment"
    branch = outer.add(title)
    if title != segment.name and segment.name:
        branch.add("segment00", segment.name)
    first, size = _groups().get(title, (0, 0))
    each = branch
    for number, text in enumerate(segment.elements):
        if number == 0 or not text.strip():
            continue
        name = f"{title}{number:02}"
        if first and number >= first:
            at = (number - first) % size
            if at == 0 or each is branch or each.content != (number - first) // size:
                each = branch.add("each")
                each.content = (number - first) // size
            name = f"{title}{first + at:02}"
        several = text.split(signs.repetition) if signs.repetition else [text]
        for one in several:
            if one.strip():
                _add_element(each, name, one, signs)


def _add_element(outer: Branch, name: str, text: str, signs: Delimiters) -> None:
    mark = signs.component
    is_composite = name in _composites()
    if is_composite and (not mark or mark not in text):
        match = _SEPARATED.match(text)  # some senders part by another sign than they name
        mark = match[1] if match else mark
    if not mark or (mark not in text and not is_composite):
        outer.add(name, text.strip())
        return
    branch = outer.add(name)
    for number, part in enumerate(text.split(mark), 1):
        if part.strip():
            branch.add(f"{name}-{number}", part.strip())
