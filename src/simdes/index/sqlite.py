"""SQLite behind `simdes.index.database`: one writing connection, a pool of readers.

WAL with ``synchronous=FULL`` makes each commit durable (https://www.sqlite.org/pragma.html).
``secure_delete`` overwrites deleted rows with zeros, so that an erased vault's wrapped key does
not stay in free pages. Writers of several processes queue on the file's lock (BEGIN IMMEDIATE).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from simdes.errors import Conflict, Invalid, SimdesError, Unavailable, Unsupported
from simdes.index import statements
from simdes.index.pool import Pool
from simdes.index.statements import Value
from simdes.index.transaction import INSERT_ROWS, Database, Row, Transaction

WAIT_SECONDS = 30
OLDEST_SQLITE = (3, 37, 0)  # STRICT tables
READERS = 32


def path_of(url: str) -> Path:
    """Return the path in ``sqlite:PATH``; memory databases are refused, nothing would be kept."""
    path = url.removeprefix("sqlite:")
    if path in ("", ":memory:"):
        raise Invalid("A sqlite: URL needs the path of a file")
    return Path(path)


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection with every durability setting on; the file is created for its owner only.

    Raises:
        Unsupported: this Python carries an SQLite without STRICT tables.
        Unavailable: the file cannot be opened.

    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise Unsupported(
            f"SQLite {sqlite3.sqlite_version} is older than 3.37",
            advice="Use a newer Python or system, or PostgreSQL.",
        )
    try:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = sqlite3.connect(
            path,
            timeout=WAIT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
            "trusted_schema=OFF",
            "temp_store=MEMORY",
            "cache_size=-16000",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"The database file cannot be opened ({type(error).__name__})") from error
    return connection


class SqliteTransaction(Transaction):
    """One open transaction on an SQLite connection."""

    dialect = "sqlite"
    skip_locked = ""  # one writer at a time: no other claimer can be between select and update
    lock_rows = ""  # the same
    unled = "+"  # https://www.sqlite.org/optoverview.html#disqualifying_where_clause_terms
    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__()
        self._connection = connection

    def run(self, sql: str, /, **params: Value) -> int:
        """See `Transaction`."""
        return self._execute(sql, params).rowcount

    def all(self, sql: str, /, **params: Value) -> list[Row]:
        """See `Transaction`."""
        cursor = self._execute(sql, params)
        with _translated():
            return cursor.fetchall()

    def one(self, sql: str, /, **params: Value) -> Row | None:
        """See `Transaction`."""
        cursor = self._execute(sql, params)
        with _translated():
            row: Row | None = cursor.fetchone()
            cursor.close()
        return row

    def many(self, sql: str, rows: Sequence[Mapping[str, Value]], /) -> int:
        """See `Transaction`."""
        if not rows:
            return 0
        self.statements += 1
        with _translated():
            return self._connection.executemany(sql, rows).rowcount

    def insert(
        self,
        table: str,
        rows: Sequence[Mapping[str, Value]],
        *,
        conflict: str = "",
        returning: str = "",
    ) -> list[Row]:
        """See `Transaction`."""
        if not rows:
            return []
        columns = tuple(rows[0])
        with _translated():
            if not returning:
                # Repeating one prepared statement is quicker here than parsing a long one.
                text = statements.insert_text(
                    table, columns, conflict=conflict, returning="", rows=1, mark="?"
                )
                self.statements += 1
                self._connection.executemany(text, [tuple(row.values()) for row in rows])
                return []
            found: list[Row] = []
            for start in range(0, len(rows), INSERT_ROWS):
                part = rows[start : start + INSERT_ROWS]
                text = statements.insert_text(
                    table, columns, conflict=conflict, returning=returning, rows=len(part), mark="?"
                )
                self.statements += 1
                flat: list[Any] = [value for row in part for value in row.values()]
                found += self._connection.execute(text, flat).fetchall()
            return found

    def lock(self, name: str) -> None:
        """See `Transaction`; BEGIN IMMEDIATE already keeps every other writer out."""

    def _execute(self, sql: str, params: Mapping[str, Value]) -> sqlite3.Cursor:
        text, flat = statements.for_sqlite(sql, params)
        self.statements += 1
        with _translated():
            return self._connection.execute(text, flat)


class SqliteDatabase(Database):
    """An SQLite file: one writer (a lock in this process, the file's lock between processes)."""

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        self._writer = connect(path)
        self._turn = threading.Lock()
        self._writing = threading.local()
        self._readers = Pool(
            lambda: _reader(path), sqlite3.Connection.close, size=READERS, wait_seconds=WAIT_SECONDS
        )

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """See `Database`."""
        if getattr(self._writing, "now", False):
            raise Conflict("This thread has a transaction open already")
        if not self._turn.acquire(timeout=WAIT_SECONDS):
            raise Unavailable("The database has been busy for too long")
        self._writing.now = True
        try:
            with _translated():
                self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield SqliteTransaction(self._writer)
                with _translated():
                    self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
        finally:
            self._writing.now = False
            self._turn.release()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """See `Database`."""
        connection = self._readers.take()
        try:
            with _translated():
                connection.execute("BEGIN")
            try:
                yield SqliteTransaction(connection)
            finally:
                connection.execute("ROLLBACK")
        except BaseException:
            if connection.in_transaction:
                self._readers.discard(connection)
            else:
                self._readers.give(connection)
            raise
        self._readers.give(connection)

    def close(self) -> None:
        """See `Database`."""
        self._readers.close()
        with self._turn:
            self._writer.close()


def _reader(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    connection.execute("PRAGMA query_only=ON")
    return connection


@contextmanager
def _translated() -> Iterator[None]:
    """Turn SQLite's errors into ours; its texts name columns, never values, but are not passed on.

    ``from None`` where a message could be chained into a log with bound values beside it.
    """
    try:
        yield
    except SimdesError:
        raise
    except sqlite3.IntegrityError as error:
        raise Conflict(f"A row breaks a rule of the database: {error}") from None
    except sqlite3.ProgrammingError as error:
        if "closed" in str(error):
            raise Unavailable("The database is closed") from None
        raise
    except (sqlite3.DataError, OverflowError) as error:
        raise Invalid(f"A value does not fit its column ({type(error).__name__})") from None
    except sqlite3.OperationalError as error:
        raise Unavailable(f"The database cannot do this now: {error}") from None
