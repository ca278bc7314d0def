"""Run the maps that sheets describe (`sheets`) over a tree of branches (`tree`).

Maps are built when first used and checked against the R4 definitions; `Maps.check` builds all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from threading import RLock
from typing import Any

from simdes.fhir.definitions import resource_types
from simdes.mapper import making, paths, primitives
from simdes.mapper.choosing import Choice, Each, guarded, when_of
from simdes.mapper.draft import Node, Scope
from simdes.mapper.making import CALL, TEXT, Function, Make, Vocabulary
from simdes.mapper.model import Json
from simdes.mapper.places import Place, Slots, place
from simdes.mapper.sheets import BadSheet, Block, Line, blocks, rows
from simdes.mapper.tree import Branch, Select, first_name, select
from simdes.mapper.work import Waiting, Work

_LABEL = re.compile(r"\[(\+?)(\w+)\]")


class Maps:
    """All maps of a format: its sheets, its functions, its vocabularies."""

    def __init__(
        self,
        sheets: Mapping[str, str],
        *,
        functions: Mapping[str, Function],
        codes: Mapping[str, str] | None = None,
    ) -> None:
        self.functions = functions
        self._blocks = blocks(sheets)
        self._maps: dict[str, Map | Choice | Each] = {}
        self._begun: dict[str, Map | Choice | Each] = {}
        self._building = RLock()
        self._vocabularies: dict[str, Vocabulary] = {}
        for name, text in (codes or {}).items():
            self._read_codes(name, text)

    def _read_codes(self, name: str, text: str) -> None:
        for line in rows(name, text):
            vocabulary = self._vocabularies.setdefault(line.cell("vocabulary"), Vocabulary())
            target = (line.cell("target"), line.cell("display"), line.cell("system"))
            vocabulary.codes[line.cell("code")] = target

    def check(self) -> None:
        """Build every map. Raises `BadSheet` for the first that can't be followed."""
        for name, block in self._blocks.items():
            if block.type != "rows":
                self.map(name)

    def lines(self, name: str, having: tuple[str, ...] = ()) -> list[Line]:
        """Give the rows of a map, and after them those of the maps it has them from.

        ``having`` are the maps that have its rows. Raises `BadSheet`.
        """
        block = self._blocks.get(name)
        if block is None:
            raise BadSheet(f"no map is called {name}")
        if name in having:
            raise BadSheet(f"map {name} has its own rows again")
        having = (*having, name)
        more = (line for other in block.others for line in self.lines(other, having))
        return [*block.lines, *more]

    def map(self, name: str) -> Map | Choice | Each:
        """Give a map, built when first asked for. Raises `BadSheet`."""
        found = self._maps.get(name)
        if found is not None:
            return found
        with self._building:
            return self._build(name)

    def _build(self, name: str) -> Map | Choice | Each:
        """Build a map and those it needs; others see them when all of them are whole."""
        found = self._maps.get(name) or self._begun.get(name)
        if found is not None:
            return found
        block = self._blocks.get(name)
        if block is None:
            raise BadSheet(f"no map is called {name}")
        outermost = not self._begun
        found = self._begun[name] = _KINDS.get(block.type, Map)(block, self)
        try:
            found.build()
            if outermost:
                self._maps |= self._begun
        finally:
            if outermost:
                self._begun.clear()
        return found

    def maker(self, how: str) -> Make:
        """Give what a map or a function of the format makes. Raises `BadSheet`, `KeyError`."""
        if CALL.fullmatch(how):
            return making.call(how, self.functions)
        return self.map(how).make

    def vocabulary(self, name: str) -> Vocabulary:
        """Give a vocabulary. Raises `BadSheet`."""
        found = self._vocabularies.get(name)
        if found is None:
            raise BadSheet(f"no vocabulary is called {name}")
        return found

    def run(self, name: str, work: Work, branch: Branch, scope: Scope) -> Any:
        """Run a map on ``branch``: gives a `Node` for a resource, else the element made."""
        return self.map(name).make(work, branch, scope)


class Map:
    """A map onto one resource type, data type or element."""

    def __init__(self, block: Block, maps: Maps) -> None:
        self.name = block.name
        self.type = block.type
        self.is_resource = block.type in resource_types()
        self._block = block
        self._maps = maps
        self._rows: list[Row] = []

    def build(self) -> None:
        """Build the rows."""
        self._rows = [Row(line, self, self._maps) for line in self._maps.lines(self.name)]

    def make(self, work: Work, branch: Branch, scope: Scope) -> Any:
        """Make the resource (a `Node`) or element of ``branch``; None where it holds nothing."""
        return (
            self._resource(work, branch, scope)
            if self.is_resource
            else self._element(work, branch, scope)
        )

    def _element(self, work: Work, branch: Branch, scope: Scope) -> Json | None:
        slots = Slots({})
        self._run(work, branch, slots, scope)
        return slots.body or None

    def _resource(self, work: Work, branch: Branch, scope: Scope) -> Node | None:
        mark = work.mark()
        around = (work.branch, work.scope, work.here, work.prefix)
        inner = Scope(scope)
        work.branch, work.scope = branch, inner
        node = work.node(self.type)
        node.maker = self.name
        branch.node = branch.node or node
        for alias in (self.type, self.name):
            inner.aliases[alias] = node
        inner.aliases["outer"] = around[2]
        work.here, work.prefix = node, ""
        self._run(work, branch, Slots(node.body), inner)
        work.branch, work.scope, work.here, work.prefix = around
        if len(node.body) <= len(("resourceType", "id")):
            work.back(mark)
            return None
        for alias in (self.type, self.name):
            scope.aliases.setdefault(alias, node)
        return node

    def _run(self, work: Work, branch: Branch, slots: Slots, scope: Scope) -> None:
        inner = branch.inner
        for row in self._rows:
            # Most rows find nothing: look before anything is called.
            if (not row.first or row.first in inner) and (row.when is None or row.when(branch)):
                row.run(work, branch, slots, scope)


class Row:
    """One row of a map."""

    __slots__ = (
        "_alias",
        "_ends",
        "_make",
        "_named",
        "_place",
        "_plain",
        "_source",
        "_target",
        "_targets",
        "first",
        "rule",
        "when",
    )

    def __init__(self, line: Line, owner: Map, maps: Maps) -> None:
        self.rule = f"{owner.name} ({line.place})"
        self.when = when_of(line)
        self._target = _LABEL.sub("", line.cell("target"))
        self._source: Select | None = None
        self._plain = not line.cell("as")
        self.first = first_name(line.cell("source"))
        self._place: Place | None = None
        self._ends = False
        self._targets: frozenset[str] = frozenset()
        kind = ""
        if line.cell("source"):
            self._source = guarded(line, lambda cell: select(cell("source")))
        if line.cell("target"):
            tokens, kind = guarded(line, lambda cell: _tokens(cell("target"), owner.type, line))
            self._place = place(tuple(tokens))
            self._ends = kind == "Period" or self._place.ends
            if kind == "Reference":
                self._targets = paths.targets(self._target, owner.type)
        how = line.cell("as")
        self._alias = how[1:] if how.startswith("@") else ""
        self._named: Make | None = None
        if how.startswith(">"):
            self._named = guarded(line, lambda cell: making.name(cell("as")[1:], maps.functions))
        self._make: Make = guarded(line, lambda _: _maker(line, kind, maps))

    def run(self, work: Work, branch: Branch, slots: Slots, scope: Scope) -> None:
        """Put what this row makes of each branch it selects."""
        if self._source is None:
            self._put(work, branch, slots, 0, scope)
            return
        repetition = 0
        for found in self._source(branch):
            repetition += self._put(work, found, slots, repetition, scope)

    def _put(self, work: Work, branch: Branch, slots: Slots, repetition: int, scope: Scope) -> int:
        """Put what the row makes of one branch; says how many values that were, at least one."""
        if self._alias or self._named is not None:
            self._refer(work, branch, slots, repetition, scope)
            return 1
        if self._plain:
            taken = branch.taken
            value = self._make(work, branch, scope)
            if value is None or not self._set(work, branch, slots, repetition, value):
                work.fragments = work.fragments or value is not None
                if not taken:
                    work.give_back(branch)
            return 1
        mark = work.mark()
        if work.explained is None:
            value = self._make(work, branch, scope)
        else:
            prefix = work.prefix
            work.prefix = f"{prefix}{self._target}." if self._target else prefix
            value = self._make(work, branch, scope)
            work.prefix = prefix
        if value is None:
            work.back(mark)
            return 1
        if self._place is None:
            return 1
        several = value if type(value) is list else (value,)
        for number, one in enumerate(several, repetition):
            if not self._set(work, branch, slots, number, one):
                work.fragments = True
                if number == repetition:
                    work.back(mark)
                else:  # what was put before refers to what was made since
                    work.untake(mark)
                break
        return len(several)

    def _set(self, work: Work, branch: Branch, slots: Slots, repetition: int, value: Any) -> bool:
        place = self._place
        if place is None:
            return False
        if isinstance(value, Node):
            if self._targets and value.type not in self._targets:
                return True  # it stands for itself: its type may not be referred to here
            return work.point(slots, place, repetition, value) is not None
        if not place.put(work, slots, repetition, value):
            return False
        if self._ends:
            self._note_period(work, slots, repetition)
        if work.explained is not None and not isinstance(value, dict):
            work.note(self._target, branch.path(), self.rule)
        return True

    def _note_period(self, work: Work, slots: Slots, repetition: int) -> None:
        if self._place is None:
            return
        body = self._place.container(work, slots, repetition)
        period = body if self._place.ends or body is None else body.get(self._place.name)
        if isinstance(period, dict):
            work.periods.append(period)

    def _refer(
        self, work: Work, branch: Branch, slots: Slots, repetition: int, scope: Scope
    ) -> None:
        if self._place is None:
            return
        wait = Waiting(slots, self._place, repetition, scope, self._targets, self._alias)
        if self._named is not None:
            before = work.mark().taken
            text = self._named(work, branch, scope)
            if text:
                taken = work.taken_since(before)
                work.waiting.append(wait._replace(named=text, taken=taken))
            return
        found = scope.find(self._alias)
        if not isinstance(found, Node):
            work.waiting.append(wait)
            return
        if self._targets and found.type not in self._targets:
            return
        body = work.point(slots, self._place, repetition, found)
        if body is not None:
            work.upward[id(body)] = body
            if work.explained is not None:
                work.note(self._target, branch.path(), self.rule)


def _tokens(target: str, owner: str, line: Line) -> tuple[list[str], str]:
    """Compile a target; list elements without a label belong to their row alone."""
    row = re.sub(r"\W", "_", line.place)
    made = paths.compile_path(_LABEL.sub(r"[\2]", target), owner, pivot=False)
    each = {label for plus, label in _LABEL.findall(target) if plus}
    tokens: list[str] = []
    pivoted = False
    for token in made.tokens:
        name, star, label = token.partition("*")
        if not star or (label and label not in each):
            tokens.append(token)
        else:
            tokens.append(f"{name}{'*' if pivoted else '+'}{label or row}")
            pivoted = True
    return tokens, made.kind


def _maker(line: Line, kind: str, maps: Maps) -> Make:
    how, codes = line.cell("as"), line.cell("codes")
    vocabulary = maps.vocabulary(codes) if codes else None
    convert = primitives.CONVERSIONS.get(kind)
    text = TEXT.fullmatch(how)
    if how == "=":
        return making.taken
    if how == "-":
        return making.left_out(line.cell("why"))
    if how[:1] in ("@", ">"):
        return lambda *_: None
    if text is not None:
        return making.constant(text[1], kind, taken=bool(line.cell("source")))
    if how:
        make = maps.maker(how)
    elif not kind:
        raise BadSheet("a row needs a target or what to do (as)")
    elif convert is None and not (codes and kind in making.CODED):
        raise BadSheet(f"{line.cell('target')} is no primitive ({kind}): say by which map")
    else:
        make = making.text
    return making.finished(make, convert, kind, vocabulary)


_KINDS: dict[str, type[Choice | Each]] = {"choose": Choice, "each": Each}
