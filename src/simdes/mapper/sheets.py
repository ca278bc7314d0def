"""The sheets that map a tree of branches (`tree`) to FHIR: plain text, for analysts.

A sheet is a text file of lines with fields between ``|``. Lines that start with ``#`` are comments.
``@ Name : Type`` begins a map onto a FHIR resource (``Condition``), data type (``Identifier``) or
element (``Encounter.participant``); ``@ Name : choose`` one that picks another map, and
``@ Name : each`` one that gives what several maps make. ``@ Name : Type + Other`` has the rows of
another map after its own; ``@ Other : rows`` is there for others alone. Its rows:

source | target | as | codes | when | why

source
    Path of what is read, from the branch the map is run on; empty: always.
target
    Element of the map's type; ``name[1]`` keeps rows of one list element together, ``name[+1]``
    makes such an element for each branch the source selects; without a label every row makes
    list elements of its own. Empty: the resource that ``as`` makes stands for itself.
as
    Empty: the text as the target's primitive type. ``'text'``: that text. ``Name``: by that map; a
    resource is made and referred to. ``@Type``: a reference to the nearest resource of that type or
    map (``outer``: of any type). ``>path``: a reference to the resource that the source calls by
    the text at that path, or by what a function gives.
    ``name(path, 'text', all:path)``: a function of the format. ``-``: left out, because of
    ``why``; it is reported. ``=``: said by what the map makes; it counts as taken.
codes
    Vocabulary (sheet ``codes``) that translates a code.
when
    Tests on the branch the map is run on.
why
    For readers.

In a ``choose`` map the first row whose ``when`` holds gives the map to use in ``as``; in an
``each`` map all rows do, each for the branches at ``source``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

COLUMNS = ("source", "target", "as", "codes", "when", "why")


class BadSheet(ValueError):
    """A sheet that can't be followed; says where and why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row: its cells by column, and where it stands (``problems.psv:12``)."""

    place: str
    cells: Mapping[str, str]

    def cell(self, name: str) -> str:
        """Give a cell; empty where the row has none."""
        return self.cells.get(name, "")


@dataclass(frozen=True, slots=True)
class Block:
    """A map as written: its name and type, the maps whose rows it has too, its own rows."""

    name: str
    type: str
    others: tuple[str, ...] = ()
    lines: list[Line] = field(default_factory=list)


def rows(name: str, text: str, columns: Iterable[str] | None = None) -> list[Line]:
    """Read a plain sheet; the first line names the columns unless they are given."""
    header = list(columns) if columns is not None else None
    found: list[Line] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("|")]
        if header is None:
            header = cells
            continue
        if len(cells) > len(header):
            raise BadSheet(f"{name}:{number}: {len(cells)} fields, expected {len(header)}")
        found.append(Line(f"{name}:{number}", dict(zip(header, cells, strict=False))))
    return found


def blocks(sheets: Mapping[str, str]) -> dict[str, Block]:
    """Read sheets by name; a map that is begun again gets the further rows in front of the others.

    So a site's own sheet, read last, goes before what ships.
    """
    found: dict[str, Block] = {}
    for name, text in sheets.items():
        for block in _blocks(name, text):
            known = found.get(block.name)
            if known is None:
                found[block.name] = block
            elif block.type not in ("", known.type):
                raise BadSheet(f"{name}: map {block.name} makes {known.type}, not {block.type}")
            else:
                known.lines[:0] = block.lines
    return found


def _blocks(name: str, text: str) -> list[Block]:
    found: list[Block] = []
    for number, line in enumerate(text.splitlines(), 1):
        place = f"{name}:{number}"
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("@ "):
            title, _, kind = line[2:].partition(":")
            made, *others = [part.strip() for part in kind.split("+")]
            found.append(Block(title.strip(), made, tuple(others)))
            continue
        if not found:
            raise BadSheet(f"{place}: a row before the first map; begin one by `@ Name : Type`")
        cells = [cell.strip() for cell in line.split("|")]
        if tuple(cells) == COLUMNS:
            continue
        if len(cells) > len(COLUMNS):
            raise BadSheet(f"{place}: {len(cells)} fields, expected {len(COLUMNS)}")
        found[-1].lines.append(Line(place, dict(zip(COLUMNS, cells, strict=False))))
    return found
