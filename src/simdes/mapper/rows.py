"""Run the maps that sheets describe (`sheets`) over a tree of branches (`tree`).

Maps are built when first used and checked against the R4 definitions; `Maps.check` builds all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from simdes.fhir.definitions import resource_types
from simdes.mapper import paths, primitives
from simdes.mapper.draft import Node, Scope
from simdes.mapper.model import Json
from simdes.mapper.places import Place, Slots, place
from simdes.mapper.sheets import BadSheet, Block, Line, blocks, rows
from simdes.mapper.tree import BadPath, Branch, Select, Test, select, test
from simdes.mapper.work import Waiting, Work

Function = Callable[..., Any]
"""Called with the work, the branch, and each argument as a text or a list of texts."""

Make = Callable[[Work, Branch, Scope], Any]

_LABEL = re.compile(r"\[(\+?)(\w+)\]")
_CALL = re.compile(r"([a-z_]\w*)\((.*)\)")
_TEXT = re.compile(r"'([^']*)'")


class Vocabulary:
    """Codes of a source, as (code, display, system) in FHIR; ``*`` stands for all others."""

    __slots__ = ("codes",)

    def __init__(self) -> None:
        self.codes: dict[str, tuple[str, str, str]] = {}

    def find(self, code: str) -> tuple[str, str, str] | None:
        """Translate ``code``; None where the vocabulary does not know it."""
        return self.codes.get(code.strip()) or self.codes.get("*")


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
        self._maps: dict[str, Map | Choice] = {}
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
        for name in self._blocks:
            self.map(name)

    def map(self, name: str) -> Map | Choice:
        """Give a map, built when first asked for. Raises `BadSheet`."""
        found = self._maps.get(name)
        if found is None:
            block = self._blocks.get(name)
            if block is None:
                raise BadSheet(f"no map is called {name}")
            found = Choice(block, self) if block.type == "choose" else Map(block, self)
            self._maps.setdefault(name, found)
            found.build()
        return found

    def vocabulary(self, name: str) -> Vocabulary:
        """Give a vocabulary. Raises `BadSheet`."""
        found = self._vocabularies.get(name)
        if found is None:
            raise BadSheet(f"no vocabulary is called {name}")
        return found

    def run(self, name: str, work: Work, branch: Branch, scope: Scope) -> Any:
        """Run a map on ``branch``: gives a `Node` for a resource, else the element made."""
        return self.map(name).make(work, branch, scope)


class Choice:
    """Picks the map of the first row whose condition holds."""

    def __init__(self, block: Block, maps: Maps) -> None:
        self._block = block
        self._maps = maps
        self._rows: list[tuple[Test | None, Map | Choice]] = []

    def build(self) -> None:
        """Build what it chooses from."""
        for line in self._block.lines:
            when = _when(line)
            self._rows.append((when, _guarded(line, lambda cell: self._maps.map(cell("as")))))

    def make(self, work: Work, branch: Branch, scope: Scope) -> Any:
        """Run the chosen map; None where no row's condition holds."""
        for when, chosen in self._rows:
            if when is None or when(branch):
                return chosen.make(work, branch, scope)
        return None


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
        self._rows = [Row(line, self, self._maps) for line in self._block.lines]

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
        for row in self._rows:
            if row.when is None or row.when(branch):
                row.run(work, branch, slots, scope)


class Row:
    """One row of a map."""

    __slots__ = (
        "_alias",
        "_ends",
        "_make",
        "_named",
        "_place",
        "_source",
        "_target",
        "rule",
        "when",
    )

    def __init__(self, line: Line, owner: Map, maps: Maps) -> None:
        self.rule = f"{owner.name} ({line.place})"
        self.when = _when(line)
        self._target = _LABEL.sub("", line.cell("target"))
        self._source: Select | None = None
        self._place: Place | None = None
        self._ends = False
        kind = ""
        if line.cell("source"):
            self._source = _guarded(line, lambda cell: select(cell("source")))
        if line.cell("target"):
            tokens, kind = _guarded(line, lambda cell: _tokens(cell("target"), owner.type, line))
            self._place = place(tuple(tokens))
            self._ends = kind == "Period" or self._place.ends
        how = line.cell("as")
        self._alias = how[1:] if how.startswith("@") else ""
        self._named = (
            _guarded(line, lambda cell: select(cell("as")[1:])) if how.startswith(">") else None
        )
        self._make: Make = _guarded(line, lambda _: _maker(line, kind, maps))

    def run(self, work: Work, branch: Branch, slots: Slots, scope: Scope) -> None:
        """Put what this row makes of each branch it selects."""
        if self._source is None:
            self._put(work, branch, slots, 0, scope)
            return
        for repetition, found in enumerate(self._source(branch)):
            self._put(work, found, slots, repetition, scope)

    def _put(self, work: Work, branch: Branch, slots: Slots, repetition: int, scope: Scope) -> None:
        if self._alias or self._named is not None:
            self._refer(work, branch, slots, repetition, scope)
            return
        mark = work.mark()
        prefix = work.prefix
        work.prefix = f"{prefix}{self._target}." if self._target else prefix
        value = self._make(work, branch, scope)
        work.prefix = prefix
        if value is None:
            work.back(mark)
            return
        if self._place is None:
            return
        if isinstance(value, Node):
            node, value = value, {}
            work.refer(value, node)
        if not self._place.put(work, slots, repetition, value):
            work.fragments = True
            work.back(mark)
            return
        if self._ends:
            self._note_period(work, slots, repetition)
        if not isinstance(value, dict):
            work.note(self._target, branch, self.rule)

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
        if self._named is not None:
            for text in [work.take(one) for one in self._named(branch)][:1]:
                work.waiting.append(Waiting(slots, self._place, repetition, scope, "", text))
            return
        found = scope.find(self._alias)
        if not isinstance(found, Node):
            work.waiting.append(Waiting(slots, self._place, repetition, scope, self._alias, ""))
            return
        value: Json = {}
        if self._place.put(work, slots, repetition, value):
            work.refer(value, found)
            work.note(self._target, branch, self.rule)


def _guarded(line: Line, build: Callable[[Callable[[str], str]], Any]) -> Any:
    """Build a part of a row; whatever is wrong with it is told with the row's place."""
    try:
        return build(line.cell)
    except (BadPath, paths.Unreadable, KeyError) as error:
        raise BadSheet(f"{line.place}: {error}") from error
    except BadSheet as error:
        if ":" in str(error).split(" ")[0]:
            raise
        raise BadSheet(f"{line.place}: {error}") from error


def _when(line: Line) -> Test | None:
    text = line.cell("when")
    made: Test | None = _guarded(line, lambda _: test(text)) if text else None
    return made


def _tokens(target: str, owner: str, line: Line) -> tuple[list[str], str]:
    """Compile a target; list elements without a label belong to their row alone."""
    row = "r" + line.place.rpartition(":")[2]
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
    text = _TEXT.fullmatch(how)
    call = _CALL.fullmatch(how)
    if how == "=":
        return _taken
    if how == "-":
        return _left_out(line.cell("why"))
    if how[:1] in ("@", ">"):
        return lambda *_: None
    if text is not None:
        return _constant(text[1], kind, taken=bool(line.cell("source")))
    if call is not None:
        make = _call(maps.functions[call[1]], call[2])
    elif how:
        chosen = maps.map(how)
        make = chosen.make
    elif not kind:
        raise BadSheet("a row needs a target or what to do (as)")
    elif convert is None:
        raise BadSheet(f"{line.cell('target')} is no primitive ({kind}): say by which map")
    else:
        make = _text
    return _finished(make, convert, kind, vocabulary)


def _taken(work: Work, branch: Branch, scope: Scope) -> Any:
    """Count a branch as said by what is made of its surroundings."""
    del scope
    work.take(branch)
    return True


def _left_out(reason: str) -> Make:
    if not reason:
        raise BadSheet("what is left out needs a reason (why)")

    def make(work: Work, branch: Branch, scope: Scope) -> Any:
        del scope
        if branch.value:
            work.drop(branch, reason)
        return True

    return make


def _text(work: Work, branch: Branch, scope: Scope) -> Any:
    del scope
    return work.take(branch) or None


def _constant(text: str, kind: str, *, taken: bool) -> Make:
    convert = primitives.CONVERSIONS.get(kind)
    value = convert(text, "Z") if convert is not None else None
    if value is None:
        raise BadSheet(f"{text!r} is no {kind or 'target'}")

    def make(work: Work, branch: Branch, scope: Scope) -> Any:
        del scope
        if taken:
            work.take(branch)
        return value

    return make


def _call(function: Function, text: str) -> Make:
    arguments = [_argument(part.strip()) for part in text.split(",")] if text.strip() else []

    def make(work: Work, branch: Branch, scope: Scope) -> Any:
        del scope
        return function(work, branch, *[argument(work, branch) for argument in arguments])

    return make


def _argument(text: str) -> Callable[[Work, Branch], str | list[str]]:
    constant = _TEXT.fullmatch(text)
    if constant is not None:
        return lambda *_: constant[1]
    if text.startswith("all:"):
        several = select(text[4:])
        return lambda work, branch: [work.take(one) for one in several(branch)]
    one = select(text)

    def first(work: Work, branch: Branch) -> str:
        found = one(branch)
        return work.take(found[0]) if found else ""

    return first


def _finished(
    make: Make, convert: Callable[..., Any] | None, kind: str, vocabulary: Vocabulary | None
) -> Make:
    """Translate and convert what ``make`` gives to the target's type."""
    if vocabulary is None and convert is None:
        return make

    def finish(work: Work, branch: Branch, scope: Scope) -> Any:
        value = make(work, branch, scope)
        if vocabulary is not None and value is not None:
            value = _translated(value, kind, vocabulary)
        if convert is not None and isinstance(value, str):
            value = convert(value, work.zone)
        return value

    return finish


def _translated(value: Any, kind: str, vocabulary: Vocabulary) -> Any:
    """Translate a code, or put the standard code before the source's own."""
    if isinstance(value, str):
        found = vocabulary.find(value)
        if found is None or kind in primitives.CONVERSIONS:
            return None if found is None else found[0]
        return _coded(found, kind)
    codings = [value] if kind == "Coding" else value.get("coding", [])
    for coding in codings:
        found = vocabulary.find(coding.get("code", ""))
        if found is None:
            continue
        standard = _coding(found)
        if kind == "Coding":
            return standard
        if standard.items() <= coding.items():
            return value
        return {**value, "coding": [standard, *codings]}
    return value


def _coding(found: tuple[str, str, str]) -> Json:
    code, display, system = found
    coding = {"system": system, "code": code, "display": display}
    return {name: text for name, text in coding.items() if text}


def _coded(found: tuple[str, str, str], kind: str) -> Json:
    return _coding(found) if kind == "Coding" else {"coding": [_coding(found)]}
