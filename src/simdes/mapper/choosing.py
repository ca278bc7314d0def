"""Maps that pick another map (``choose``) or run several (``each``), and what rows share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

from simdes.mapper import paths
from simdes.mapper.draft import Node, Scope
from simdes.mapper.making import Make
from simdes.mapper.sheets import BadSheet, Block, Line
from simdes.mapper.tree import BadPath, Branch, Select, Test, select, test
from simdes.mapper.work import Work

_COMPARED = re.compile(r"([^\s=!\[\]]+)=([^=!\[\]]+?)(?<! )")


class Makers(Protocol):
    """Gives what a row's ``as`` makes (`simdes.mapper.rows.Maps`)."""

    def maker(self, how: str) -> Make:
        """Give the maker that ``how`` names. Raises `BadSheet`."""


class Choice:
    """Picks the map of the first row whose condition holds.

    Rows that compare one and the same path with values (a template, a qualifier) are looked up by
    the value, so that a choice of a hundred costs as much as one of ten.
    """

    def __init__(self, block: Block, maps: Makers) -> None:
        self._block = block
        self._maps = maps
        self._made: list[Make] = []
        self._tests: list[tuple[int, Test | None]] = []
        self._key: Select | None = None
        self._rows_of: dict[str, int] = {}

    def build(self) -> None:
        """Build what it chooses from."""
        key = ""
        for number, line in enumerate(self._block.lines):
            when = when_of(line)
            self._made.append(guarded(line, lambda cell: self._maps.maker(cell("as"))))
            compared = _COMPARED.fullmatch(line.cell("when"))
            if compared is None or " and " in compared[2] or (key and compared[1] != key):
                self._tests.append((number, when))
                continue
            key = compared[1]
            self._key = select(key)
            for value in compared[2].split(","):
                self._rows_of.setdefault(value.strip(), number)

    def make(self, work: Work, branch: Branch, scope: Scope) -> Any:
        """Run the chosen map; None where no row's condition holds."""
        last = len(self._made)
        best = last
        if self._key is not None:
            known = self._rows_of
            texts = (one.value or "" for one in self._key(branch))
            best = min((known[text] for text in texts if text in known), default=last)
        for number, when in self._tests:
            if number > best:
                break
            if when is None or when(branch):
                best = number
                break
        return None if best == last else self._made[best](work, branch, scope)


class Each:
    """Gives the value of every row: several resources or elements of one branch."""

    def __init__(self, block: Block, maps: Makers) -> None:
        self._block = block
        self._maps = maps
        self._rows: list[tuple[Test | None, Select, Make]] = []

    def build(self) -> None:
        """Build what it runs."""
        for line in self._block.lines:
            source = guarded(line, lambda cell: select(cell("source") or "."))
            chosen = guarded(line, lambda cell: self._maps.maker(cell("as")))
            self._rows.append((when_of(line), source, chosen))

    def make(self, work: Work, branch: Branch, scope: Scope) -> list[Any] | None:
        """Run every row whose condition holds; None where none gives anything.

        What of the branch no row takes belongs to the first resource made.
        """
        made: list[Any] = []
        for when, source, chosen in self._rows:
            if when is None or when(branch):
                for found in source(branch):
                    value = chosen(work, found, scope)
                    made += value if isinstance(value, list) else [] if value is None else [value]
        if made and isinstance(made[0], Node):
            branch.node = branch.node or made[0]
        return made or None


def guarded(line: Line, build: Callable[[Callable[[str], str]], Any]) -> Any:
    """Build a part of a row; whatever is wrong with it is told with the row's place."""
    try:
        return build(line.cell)
    except (BadPath, paths.Unreadable, KeyError) as error:
        raise BadSheet(f"{line.place}: {error}") from error
    except BadSheet as error:
        if ":" in str(error).split(" ")[0]:
            raise
        raise BadSheet(f"{line.place}: {error}") from error


def when_of(line: Line) -> Test | None:
    """Build the condition of a row; None where it has none. Raises `BadSheet`."""
    text = line.cell("when")
    made: Test | None = guarded(line, lambda _: test(text)) if text else None
    return made
