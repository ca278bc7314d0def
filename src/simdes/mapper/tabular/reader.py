"""Read tables: CSV (RFC 4180) and tab-separated text, with the separator and encoding they use."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from simdes.mapper.model import UTF16_MARKS, Limits, Site
from simdes.mapper.refusal import Unreadable
from simdes.mapper.tree import Branch

_SEPARATORS = ",;\t|"
_ENDINGS = (".gz", ".csv", ".tsv", ".tab", ".txt")
_CELL_BYTES = 1024 * 1024

csv.field_size_limit(_CELL_BYTES)


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its number (the header is 0), its text as it came, and why it can't be mapped."""

    number: int
    text: str
    cells: tuple[str, ...]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the ``name`` maps know it by, its ``columns`` as names for paths, header and text.

    ``header`` is the first line as it came, ``titles`` what it says; ``text`` is all of it.
    """

    name: str
    columns: tuple[str, ...]
    titles: tuple[str, ...]
    header: str
    separator: str
    text: str

    def rows(self, limit: int) -> Iterator[Row]:
        """Read the rows one after the other; blank lines are passed over.

        The row after the first ``limit`` is the last and has all the text that is left.
        """
        lines = _Lines(self.text)
        reader = csv.reader(lines, delimiter=self.separator, strict=True)
        next(reader)
        number = 0
        while True:
            lines.begin()
            fault = ""
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                cells, fault = [], f"quotes that do not close, or a cell too large ({error})"
            if not cells and not fault:
                continue
            number += 1
            if number > limit:
                yield Row(number, lines.taken + lines.rest(), (), f"more than {limit} rows")
                return
            if not fault and len(cells) != len(self.columns):
                fault = f"{len(cells)} cells; the header has {len(self.columns)}"
            yield Row(number, lines.taken, tuple(cells), fault)

    def branch(self, row: Row) -> Branch:
        """Make the tree of a row: a branch for each cell that holds something, and the columns."""
        root = Branch("row")
        root.add("@table", self.name).taken = True
        columns = root.add("columns")
        for column, cell in zip(self.columns, row.cells, strict=True):
            columns.add(column)
            if cell.strip():
                root.add(column, cell.strip())
        return root


class _Lines:
    """Gives a reader its lines, and keeps those of the row at hand."""

    def __init__(self, text: str) -> None:
        self._lines = iter(io.StringIO(text, newline=""))
        self._taken: list[str] = []

    @property
    def taken(self) -> str:
        """The lines read since `begin`."""
        return "".join(self._taken)

    def begin(self) -> None:
        self._taken = []

    def rest(self) -> str:
        """Read all that is left."""
        return "".join(self._lines)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._taken.append(line)
        return line


def read(name: str, data: bytes, *, site: Site, limits: Limits) -> Table:
    """Read a table's header. Raises `Unreadable` naming what is wrong with the table as a whole."""
    text = _decoded(data, site.encoding)
    lines = _Lines(text)
    separator = separator_of(name, text)
    try:
        titles = next(csv.reader(lines, delimiter=separator, strict=True))
    except (StopIteration, csv.Error):
        raise Unreadable(
            "no-header", "no header line can be read", "The first line names the columns."
        ) from None
    if len(titles) > limits.repetitions:
        raise Unreadable("too-large", f"{len(titles)} columns", "Check the separator.")
    return Table(_table_name(name), _columns(titles), tuple(titles), lines.taken, separator, text)


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode("utf-16" if data[:2] in UTF16_MARKS else "utf-8-sig")
    except UnicodeDecodeError as first:
        try:
            return data.decode(encoding if encoding != "utf-8" else "ascii")
        except UnicodeDecodeError:
            raise Unreadable(
                "wrong-encoding",
                f"byte {first.start} is neither UTF-8 nor {encoding}",
                "Set the site's encoding, and replay.",
            ) from None


def separator_of(name: str, text: str) -> str:
    """Tell the separator: a tab by the name, else the sign that the header has most of."""
    if name.lower().removesuffix(".gz").endswith((".tsv", ".tab")):
        return "\t"
    header = text[: text.find("\n")] if "\n" in text else text
    return max(_SEPARATORS, key=header.count)


def _table_name(name: str) -> str:
    stem = PurePosixPath(name).name.lower()
    for ending in _ENDINGS:
        stem = stem.removesuffix(ending)
    return stem


def _columns(titles: list[str]) -> tuple[str, ...]:
    """Make names for paths: ``First Name`` is ``First_Name``; a second one is ``First_Name_2``."""
    found: dict[str, int] = {}
    made = []
    for at, title in enumerate(titles, 1):
        name = re.sub(r"\W+", "_", title.strip()).strip("_") or f"column_{at}"
        found[name] = found.get(name, 0) + 1
        made.append(name if found[name] == 1 else f"{name}_{found[name]}")
    return tuple(made)
