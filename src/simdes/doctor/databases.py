"""Checks of the database, over a connection of their own: the program's would not open at all.

PostgreSQL: https://www.postgresql.org/docs/current/runtime-config-client.html. Its texts may quote
addresses and names, so that of an error only the class is shown.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg

from simdes.doctor.check import Look, Said, good, unknown, warning, wrong
from simdes.doctor.place import Place
from simdes.index.migrations import HEAD

CONNECT_SECONDS: Final = 3
CLOCK_SECONDS: Final = 5
FREE_CONNECTIONS: Final = 16
"""Two gateways' worth."""

T = TypeVar("T")
_LIMITS: Final = b"SET statement_timeout = '3s'; SET lock_timeout = '2s'"
_FAILURES: Final = (psycopg.Error, sqlite3.Error, OSError)


def answer(place: Place) -> Iterator[Said]:
    """The database takes a connection."""
    what = "PostgreSQL" if _is_postgresql(place) else "The database file"
    try:
        found = _asked(place, "SHOW server_version" if _is_postgresql(place) else _OPENS)
    except _FAILURES as error:
        yield wrong(f"{what} does not take a connection ({type(error).__name__}).")
        return
    yield good(f"{what} answers ({str(found).partition(' ')[0]}).")


_OPENS: Final = "SELECT sqlite_version() FROM sqlite_master LIMIT 1"


def answering(look: Look) -> Look:
    """A check that could not look where the database does not answer, which `answer` says."""

    def looking(place: Place) -> Iterable[Said]:
        try:
            return list(look(place))
        except _FAILURES:
            return [unknown("the database does not answer")]

    return looking


def schema(place: Place) -> Iterator[Said]:
    """The schema is the one that this program was written for."""
    sql = "SELECT version_num FROM alembic_version"
    try:
        found = str(_asked(place, sql))
    except psycopg.errors.UndefinedTable:
        found = ""
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        found = ""
    if found == HEAD:
        yield good(f"Revision {found}.")
    elif not found:
        yield wrong("The database holds no schema of SIMDES.")
    elif found < HEAD:
        yield wrong(
            f"The database is at revision {found}, this program needs {HEAD}.",
            "Restart a gateway of this release: the first one brings the schema up.",
        )
    elif str(_asked(place, "SELECT oldest FROM schema_release") or found) <= HEAD:
        yield warning(
            f"The database is at revision {found}; this program knows {HEAD} and may go on.",
            "Bring this gateway to the release of the others.",
        )
    else:
        yield wrong(
            f"The database is at revision {found}; this program knows {HEAD} at most.",
            "Run the release that wrote it, or restore a backup (docs/operations/upgrade.md).",
        )


def modes(place: Place) -> Iterator[Said]:
    """What is acknowledged is durable, and transactions see what they have to."""
    if not _is_postgresql(place):
        mode = _on_sqlite(place, lambda one: one.execute("PRAGMA journal_mode").fetchone()[0])
        found = wrong(f"journal_mode is {mode}, not wal.") if mode != "wal" else None
        yield found or good("Write-ahead log.")
        return
    settings = {name: str(_asked(place, f"SHOW {name}")) for name in _WANTED}
    differing = [name for name, wanted in _WANTED.items() if settings[name] != wanted]
    for name in differing:
        say = wrong if name in _MUST else warning
        yield say(f"{name} is {settings[name]}, not {_WANTED[name]}.")
    if _asked(place, "SELECT pg_is_in_recovery()"):
        yield wrong("This PostgreSQL is a standby: it takes no writes.")
    if _pooled(place):
        yield wrong(
            "A pooler stands between the program and PostgreSQL.",
            "Connect past it: sessions are kept, with settings, locks and prepared statements.",
        )
    if not differing:
        yield good("Committed is durable; sessions begin read committed.")


_WANTED: Final = {
    "fsync": "on",
    "full_page_writes": "on",
    "default_transaction_read_only": "off",
    "default_transaction_isolation": "read committed",
    "server_encoding": "UTF8",
}
_MUST: Final = ("fsync", "default_transaction_read_only", "server_encoding")


def rights(place: Place) -> Iterator[Said]:
    """This user may read and change every table, and the schema itself when it is upgraded."""
    if not _is_postgresql(place):
        path = _path(place)
        if path.is_file():
            with path.open("r+b"):
                pass
        yield good("The database file can be written.")
        return
    missing = _rows(place, _NO_RIGHTS)
    if missing:
        named = ", ".join(str(row[0]) for row in missing[:5])
        yield wrong(f"This user may not read and change {len(missing)} tables: {named} …")
    owned = _asked(place, _OWNED)
    if not owned:
        yield warning(
            "This user owns the tables or the schema not, so that an upgrade will fail.",
            "Upgrade as the owner, or let this user own the schema.",
        )
    if not missing and owned:
        yield good("This user may read, write and upgrade.")


_TABLES: Final = (
    " FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'r' AND n.nspname = current_schema()"
)
_NO_RIGHTS: Final = (
    "SELECT c.relname" + _TABLES + " AND NOT (has_table_privilege(c.oid, 'SELECT')"
    " AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')"
    " AND has_table_privilege(c.oid, 'DELETE')) ORDER BY 1"
)
_OWNED: Final = (
    "SELECT has_schema_privilege(current_schema(), 'CREATE') AND NOT EXISTS ("
    "SELECT 1" + _TABLES + " AND NOT pg_has_role(c.relowner, 'USAGE'))"
)


def connections(place: Place) -> Iterator[Said]:
    """There are connections left for another gateway."""
    if not _is_postgresql(place):
        return
    free = int(_asked(place, _FREE))
    if free < FREE_CONNECTIONS:
        yield warning(f"PostgreSQL has {free} connections left; each process may take 8.")
    else:
        yield good(f"{free} connections are left.")


_FREE: Final = (
    "SELECT current_setting('max_connections')::int"
    " - current_setting('superuser_reserved_connections')::int"
    " - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')"
)


def clock(place: Place) -> Iterator[Said]:
    """The server's clock and this machine's agree."""
    if not _is_postgresql(place):
        return
    before = place.clock()
    theirs = float(_asked(place, "SELECT extract(epoch FROM clock_timestamp())::float8"))
    off = theirs - (before + place.clock()) / 2
    if abs(off) > CLOCK_SECONDS:
        yield wrong(f"PostgreSQL's clock is {off:+.0f} seconds off this machine's.")
    else:
        yield good("PostgreSQL's clock is this machine's.")


def _is_postgresql(place: Place) -> bool:
    return place.settings.database_url.startswith(("postgresql://", "postgres://"))


def _path(place: Place) -> Path:
    return Path(place.settings.database_url.removeprefix("sqlite:"))


def _pooled(place: Place) -> bool:
    """Whether the server's process is another than the one that was said to be ours."""

    def look(one: psycopg.Connection[Any]) -> bool:
        row = one.execute("SELECT pg_backend_pid()").fetchone()
        return row is not None and row[0] != one.info.backend_pid

    return _on_postgresql(place, look)


def _asked(place: Place, sql: str) -> Any:
    """The first value that a statement gives."""
    found = _rows(place, sql)
    return found[0][0] if found else None


def _rows(place: Place, sql: str) -> list[Any]:
    if _is_postgresql(place):
        return _on_postgresql(place, lambda one: one.execute(sql.encode()).fetchall())
    return _on_sqlite(place, lambda one: one.execute(sql).fetchall())


def _on_postgresql(place: Place, work: Callable[[psycopg.Connection[Any]], T]) -> T:
    url = place.settings.database_url
    with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS) as one:
        one.execute(_LIMITS)
        return work(one)


def _on_sqlite(place: Place, work: Callable[[sqlite3.Connection], T]) -> T:
    uri = f"{_path(place).resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=2)) as one:
        return work(one)
