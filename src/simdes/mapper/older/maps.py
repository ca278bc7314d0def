"""The sheets of an older version: what changed between it and R4.

``types.psv``: resource types that R4 calls otherwise (``type | target | ids | why``). ``*.psv``:
blocks ``@ Type : R4 type`` of rows in the columns of all sheets (`simdes.mapper.sheets`); an inline
type is named by its path. An element without a row is carried over by the definitions of both
versions. Rows run first, in their order, so that a row can claim an element that holds one value.

source
    Path in the older element: ``dispenseRequest/medicationCodeableConcept``, ``reason[x]`` for a
    choice, ``related[type=has-member]/target`` for those whose type is that, ``author[1]`` for the
    first, ``author[2..]`` for the others.
target
    Path in the R4 element: ``note.text`` begins a note for each value, ``class[plan].value`` keeps
    rows of one label together, ``occurrence[x]`` is chosen by the value's type.
as
    Empty: by the types of both. ``'text'`` or ``'system#code'``: a constant. A name: one of
    `coercing.FUNCTIONS`. ``-``: kept beside, because of ``why``.
codes
    Vocabulary (``codes*.psv``); a code it has without target is said by leaving the element out,
    a code it does not have is carried over where R4 has it, too.

Sheets are kept per version in ``sheets/dstu2`` and ``sheets/stu3``; ``sheets/both`` is in front.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from simdes.errors import Invalid
from simdes.fhir.definitions import type_names
from simdes.mapper.model import Sheet, Site
from simdes.mapper.older.coercing import FUNCTIONS
from simdes.mapper.older.shapes import R4, resource_names, shape
from simdes.mapper.sheets import BadSheet, Line, blocks, rows

_STEP = re.compile(r"([A-Za-z]\w*(?:\[x\])?)((?:\[[^\]]*\])?)")
_TARGET = re.compile(r"([A-Za-z]\w*(?:\[x\])?)(?:\[(\w+)\])?")
_CONSTANT = re.compile(r"'([^']*)'")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a source path: a name, and which of its values are meant."""

    name: str
    tested: str = ""
    values: frozenset[str] = frozenset()
    first: int = 1
    last: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row, read. ``target`` has names with their labels."""

    place: str
    source: tuple[Step, ...]
    target: tuple[tuple[str, str], ...]
    how: str
    constant: str
    codes: str
    why: str


@dataclass(frozen=True, slots=True)
class Block:
    """What becomes of a type: the R4 type, the rows."""

    target: str
    rows: tuple[Row, ...]


class Vocabulary:
    """Codes of an older version as (code, display, system) of R4."""

    def __init__(self) -> None:
        self.codes: dict[str, tuple[str, str, str]] = {}

    def find(self, code: str) -> tuple[str, str, str] | None:
        """Translate ``code``; None where the vocabulary does not know it."""
        return self.codes.get(code)

    def says_all(self, code: str) -> bool:
        """Say whether no other code becomes the same: then nothing of it is lost."""
        return list(self.codes.values()).count(self.codes[code]) == 1


@dataclass(frozen=True, slots=True)
class Renamed:
    """A resource type's R4 name; ``keeps_ids``: no other type of that name could have the same."""

    target: str
    keeps_ids: bool


@dataclass(frozen=True, slots=True)
class Maps:
    """All that changed between a version and R4."""

    version: str
    types: Mapping[str, Renamed]
    blocks: Mapping[str, Block]
    vocabularies: Mapping[str, Vocabulary]


def maps_of(version: str, site: Site) -> Maps:
    """Read the sheets of ``version`` with a site's in front.

    Raises Invalid naming the line of a site's sheet that can't be followed.
    """
    return _read(version, site.sheets_of(f"fhir-{version}"))


@lru_cache(maxsize=16)
def _read(version: str, own: tuple[Sheet, ...]) -> Maps:
    texts: dict[str, str] = {}
    for folder in ("both", version):
        for entry in sorted((files(__package__) / "sheets" / folder).iterdir(), key=str):
            if entry.name.endswith(".psv"):
                texts[f"{folder}/{entry.name}"] = entry.read_text(encoding="utf-8")
    texts |= {sheet.name: sheet.text for sheet in own}
    try:
        return _maps(version, texts)
    except BadSheet as error:
        raise Invalid(str(error), advice="Correct that line of the site's sheet.") from error


def _maps(version: str, texts: Mapping[str, str]) -> Maps:
    types: dict[str, Renamed] = {}
    vocabularies: dict[str, Vocabulary] = {}
    sheets: dict[str, str] = {}
    for name, text in texts.items():
        plain = name.rpartition("/")[2]
        if plain.startswith("types"):
            types |= {
                line.cell("type"): Renamed(line.cell("target"), line.cell("ids") != "named")
                for line in rows(name, text)
            }
        elif plain.startswith("codes"):
            _read_codes(name, text, vocabularies)
        else:
            sheets[name] = text
    read = {
        name: Block(
            block.type, tuple(_row(line, version, name, block.type) for line in block.lines)
        )
        for name, block in blocks(sheets).items()
    }
    maps = Maps(version, types, read, vocabularies)
    _check(maps)
    return maps


def _read_codes(name: str, text: str, vocabularies: dict[str, Vocabulary]) -> None:
    for line in rows(name, text):
        vocabulary = vocabularies.setdefault(line.cell("vocabulary"), Vocabulary())
        target = (line.cell("target"), line.cell("display"), line.cell("system"))
        for code in line.cell("code").split(","):
            vocabulary.codes[code.strip()] = target


def _row(line: Line, version: str, source: str, target: str) -> Row:
    if shape(version, source) is None:
        raise BadSheet(f"{line.place}: {version} has no type {source}")
    if target not in type_names():
        raise BadSheet(f"{line.place}: R4 has no type {target}")
    how, constant = line.cell("as"), ""
    if match := _CONSTANT.fullmatch(how):
        how, constant = "constant", match[1]
    elif how not in ("", "-") and how not in FUNCTIONS:
        raise BadSheet(f"{line.place}: no function is called {how}")
    if how == "-" and not line.cell("why"):
        raise BadSheet(f"{line.place}: what is kept beside needs a reason (why)")
    steps = tuple(_step(part, line.place) for part in line.cell("source").split("/"))
    return Row(
        place=line.place,
        source=_checked(steps, version, source, line.place),
        target=_target(line.cell("target"), target, line.place) if how != "-" else (),
        how=how,
        constant=constant,
        codes=line.cell("codes"),
        why=line.cell("why"),
    )


def _step(text: str, place: str) -> Step:
    match = _STEP.fullmatch(text)
    if match is None:
        raise BadSheet(f"{place}: no step of a path: {text!r}")
    name, test = match[1], match[2].strip("[]")
    if not test:
        return Step(name)
    if test.isdigit():
        return Step(name, first=int(test), last=int(test))
    if test.endswith(".."):
        return Step(name, first=int(test[:-2]))
    tested, _, values = test.partition("=")
    return Step(name, tested, frozenset(value.strip() for value in values.split(",")))


def _checked(steps: tuple[Step, ...], version: str, kind: str, place: str) -> tuple[Step, ...]:
    """Check that the older version has the elements of a source path."""
    for step in steps:
        found = shape(version, kind)
        plain = step.name.removesuffix("[x]")
        by = [
            part
            for name, part in (found.parts if found else {}).items()
            if name == step.name or (part.name == plain and step.name.endswith("[x]"))
        ]
        if not by:
            raise BadSheet(f"{place}: {version} has no {kind}.{step.name}")
        kind = by[0].type
    return steps


def _target(text: str, kind: str, place: str) -> tuple[tuple[str, str], ...]:
    """Read a target path, checked against R4's definitions."""
    steps = []
    for part in text.split("."):
        match = _TARGET.fullmatch(part)
        found = shape(R4, kind)
        if match is None or found is None:
            raise BadSheet(f"{place}: no path of R4: {text!r}")
        name, label = match[1], match[2] or ""
        plain = name.removesuffix("[x]")
        by = [
            one
            for json_name, one in found.parts.items()
            if json_name == name or (one.name == plain and name.endswith("[x]"))
        ]
        if not by:
            raise BadSheet(f"{place}: R4 has no {kind}.{name}")
        steps.append((name, label))
        kind = by[0].type
    return tuple(steps)


def _check(maps: Maps) -> None:
    for name, renamed in maps.types.items():
        if renamed.target not in resource_names(R4) or name not in resource_names(maps.version):
            raise BadSheet(f"types: {name} -> {renamed.target} is no pair of resource types")
    for block in maps.blocks.values():
        for row in block.rows:
            if row.codes and row.codes not in maps.vocabularies:
                raise BadSheet(f"{row.place}: no vocabulary is called {row.codes}")
