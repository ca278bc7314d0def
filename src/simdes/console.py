"""What commands print, and what they exit with.

People get sentences and tables on standard output, progress and errors on standard error; with
``--json`` standard output holds one JSON document and nothing else. Exit codes:

=====  ==================================================
code   meaning
=====  ==================================================
0      all of it was done
1      something this program did not foresee
2      the command line is wrong
3      refused: not signed in, or not allowed
4      no such thing
5      bad input, some of it kept in quarantine or refused
6      a part does not answer now; try again
7      a signature, digest or proof does not hold
8      the state changed meanwhile, or is already settled
=====  ==================================================
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from simdes import errors

BAD_INPUT = 5

EXIT_CODES: dict[type[errors.SimdesError], int] = {
    errors.Unauthenticated: 3,
    errors.Forbidden: 3,
    errors.NotFound: 4,
    errors.Invalid: BAD_INPUT,
    errors.TooLarge: BAD_INPUT,
    errors.Unsupported: BAD_INPUT,
    errors.Unavailable: 6,
    errors.Tampered: 7,
    errors.Conflict: 8,
}

WIDE_COLUMNS = 200
"""The width of a table where no terminal limits it."""

_BIDIRECTIONAL = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE_COLUMNS)
err = Console(stderr=True, highlight=False, soft_wrap=True)


_CONTROLS = (*range(0x20), *range(0x7F, 0xA0), *_BIDIRECTIONAL)
_STEERING = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in _CONTROLS
    if chr(code) not in "\n\t"
}
_STEERING_IN_JSON = {code: f"\\u{code:04x}" for code in _CONTROLS if code >= 0x7F}


def exit_code(error: errors.SimdesError) -> int:
    """Return the exit code of an error's class; subclasses share their parent's."""
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)


def visible(text: str) -> str:
    """Text for a terminal: what would steer it, or turn its writing around, is spelled out.

    Names and content come from outside: ESC and its like (ECMA-48, C0 and C1) and the bidirectional
    controls of Unicode (UAX 9) become ``\\x1b``, ``\\u202e``. Tabs and line feeds stay.
    """
    return text.translate(_STEERING)


def say(text: str, *, style: str = "") -> None:
    """Print one line for people; the text is never read as markup."""
    out.print(Text(visible(text), style=style))


def warn(text: str) -> None:
    """Print one line of warning on standard error."""
    err.print(Text(visible(text), style="yellow"))


def show_error(error: errors.SimdesError) -> None:
    """Print what failed and what to do about it."""
    err.print(Text(visible(f"Error: {error.message}"), style="bold red"))
    if error.advice:
        err.print(Text(visible(f"  {error.advice}")))


def print_json(value: Any) -> None:
    """Print one JSON document; bytes become 0x-hex."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=_plain)
    # Only inside strings can these stand, where JSON takes them escaped just as well.
    sys.stdout.write(text.translate(_STEERING_IN_JSON) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; cells are never read as markup."""
    table = Table(title=visible(title), title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(str(cell))) for cell in row))
    out.print(table)


def instant(seconds: float) -> str:
    """Write a unix time as readers do: ``2026-11-22 18:04:05 UTC``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@contextmanager
def progress(quiet: bool) -> Iterator[Progress]:
    """A progress bar on standard error, hidden where nobody looks."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        disable=quiet or not err.is_terminal,
    )
    with bar:
        yield bar


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return str(value)
