"""SQL text with ``:name`` parameters, turned into what each driver wants.

Rules for SQL in this package: parameters are ``:name``; a list is only ever the right side of
``IN :name``; casts are spelled ``CAST(x AS t)``, never ``x::t``. Translations are cached by text,
so a hot statement is translated once per program.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from simdes.errors import TooLarge

Value = int | float | str | bytes | None | Sequence[int] | Sequence[str] | Sequence[bytes]
"""What a parameter may be; a sequence (not bytes) only after ``IN``."""

MAX_LIST = 30_000
"""Values one ``IN :name`` list may hold; SQLite takes 32,766 parameters to a statement."""

_TOKEN = re.compile(r"'(?:[^']|'')*'|\bIN\s+:([a-z_][a-z0-9_]*)|:([a-z_][a-z0-9_]*)|%", re.I)


@lru_cache(maxsize=1024)
def for_postgresql(sql: str) -> bytes:
    """Turn ``:name`` into ``%(name)s`` and ``IN :name`` into ``= ANY(%(name)s)``."""

    def swap(found: re.Match[str]) -> str:
        whole, listed, single = found.group(0), found.group(1), found.group(2)
        if listed:
            return f"= ANY(%({listed})s)"
        if single:
            return f"%({single})s"
        return whole.replace("%", "%%")

    return _TOKEN.sub(swap, sql).encode()


@lru_cache(maxsize=1024)
def _lists(sql: str) -> tuple[str, ...]:
    """Return the names that stand after IN."""
    return tuple(found.group(1) for found in _TOKEN.finditer(sql) if found.group(1))


def postgresql_values(sql: str, params: Mapping[str, Value]) -> Mapping[str, object]:
    """Make every list a list: psycopg sends a tuple as a composite, not as an array."""
    lists = _lists(sql)
    return {**params, **{name: list(_as_list(params[name])) for name in lists}} if lists else params


def for_sqlite(sql: str, params: Mapping[str, Value]) -> tuple[str, Mapping[str, Value]]:
    """Spell every list out, one parameter a value; text without a list is returned as it is."""
    lists = _lists(sql)
    if not lists:
        return sql, params
    flat: dict[str, Value] = dict(params)
    for name in lists:
        values = _as_list(params[name])
        for at, value in enumerate(values):
            flat[f"{name}_{at}"] = value
    return _spell_out(sql, tuple((name, len(_as_list(params[name]))) for name in lists)), flat


@lru_cache(maxsize=256)
def _spell_out(sql: str, counts: tuple[tuple[str, int], ...]) -> str:
    count_of = dict(counts)

    def swap(found: re.Match[str]) -> str:
        name = found.group(1)
        if not name:
            return found.group(0)
        return f"IN ({', '.join(f':{name}_{at}' for at in range(count_of[name]))})"

    return _TOKEN.sub(swap, sql)


def _as_list(value: Value) -> Sequence[int | str | bytes]:
    if value is None or isinstance(value, int | float | str | bytes):
        raise TypeError("a value after IN must be a list or a tuple")
    if len(value) > MAX_LIST:
        raise TooLarge(f"A list of {len(value)} values is more than one statement takes")
    return value


@lru_cache(maxsize=512)
def insert_text(
    table: str, columns: tuple[str, ...], *, conflict: str, returning: str, rows: int, mark: str
) -> str:
    """Build a multi-row INSERT with positional ``mark`` parameters (``?`` or ``%s``)."""
    one = f"({', '.join([mark] * len(columns))})"
    # Names come from this package's own code, never from input; values are bound.
    text = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([one] * rows)}"  # noqa: S608
    return text + _tail(conflict, returning)


@lru_cache(maxsize=512)
def insert_arrays_text(
    table: str, columns: tuple[str, ...], types: tuple[str, ...], *, conflict: str, returning: str
) -> str:
    """Build PostgreSQL's INSERT of any number of rows from one array parameter a column."""
    arrays = ", ".join(f"CAST(%s AS {one}[])" for one in types)
    text = f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608
    return text + _tail(conflict, returning)


def _tail(conflict: str, returning: str) -> str:
    text = f" ON CONFLICT {conflict}" if conflict else ""
    return text + (f" RETURNING {returning}" if returning else "")
