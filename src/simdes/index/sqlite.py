"""SQLite behind `simdes.index.database`: one writing connection, a pool of readers.

WAL with ``synchronous=FULL`` makes each commit durable (https://www.sqlite.org/pragma.html).
``secure_delete`` overwrites deleted rows with zeros, so that an erased vault's wrapped key does
not stay in free pages; where a key was destroyed the log goes into the file at once and is emptied,
so that it does not stay in older pages either. Writers of several processes queue on a lock of
their own, and hold SQLite's besides (BEGIN IMMEDIATE).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from simdes import tracing
from simdes.budget import left
from simdes.errors import Conflict, Invalid, Unavailable, Unsupported
from simdes.index import statements
from simdes.index.pool import LEAST_SECONDS, Pool
from simdes.index.statements import Value
from simdes.index.transaction import INSERT_ROWS, Database, Row, Transaction

WAIT_SECONDS = 30
_LOOK_SECONDS = 0.001
OLDEST_SQLITE = (3, 37, 0)  # STRICT tables
READERS = 32
READING_AT_ONCE = 4
"""How many threads read at once. The driver lets go of the interpreter's lock at every row: where
many threads wait for it each row costs a change of threads. Who waits for a turn sleeps."""


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
        _write_ahead(connection)
        for pragma in (
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


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn the log of writes on; SQLite doesn't wait here for who has a new file at that moment."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _emptied(connection: sqlite3.Connection) -> bool:
    """Bring the log's pages into the file and cut it off, waiting for nobody; whether that went.

    Who reads what was there before is in the way; the next commit tries again.
    """
    connection.execute("PRAGMA busy_timeout=0")
    try:
        [(busy, *_)] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.OperationalError:
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout={WAIT_SECONDS * 1000}")
    return not busy


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
        try:
            return cursor.fetchall()
        except FAILURES as error:
            raise _ours(error) from None

    def one(self, sql: str, /, **params: Value) -> Row | None:
        """See `Transaction`."""
        cursor = self._execute(sql, params)
        try:
            row: Row | None = cursor.fetchone()
            cursor.close()
        except FAILURES as error:
            raise _ours(error) from None
        return row

    def many(self, sql: str, rows: Sequence[Mapping[str, Value]], /) -> int:
        """See `Transaction`."""
        if not rows:
            return 0
        self.statements += 1
        try:
            return self._connection.executemany(sql, rows).rowcount
        except FAILURES as error:
            raise _ours(error) from None

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
        try:
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
        except FAILURES as error:
            raise _ours(error) from None

    def lock(self, name: str) -> None:
        """See `Transaction`; BEGIN IMMEDIATE already keeps every other writer out."""

    def _execute(self, sql: str, params: Mapping[str, Value]) -> sqlite3.Cursor:
        text, flat = statements.for_sqlite(sql, params)
        self.statements += 1
        return _execute(self._connection, text, flat)


class _Turn:
    """The file on which writers of several processes wait for each other, beside the database.

    SQLite's own lock is taken with it, but who waits for that sleeps up to 100 ms at a time.
    """

    def __init__(self, path: Path) -> None:
        name = path.with_name(f"{path.name}-turn")
        try:
            self._file = open(  # noqa: SIM115 (open as long as the database)
                name, "ab", opener=lambda file, flags: os.open(file, flags, 0o600)
            )
        except OSError as error:
            raise Unavailable("The database's folder cannot be written") from error

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the turn and have it; the system ends it with the process.

        Asked for again and again: the system's own waiting has no end, and who has the turn may be
        frozen.
        """
        if self._file.closed:
            raise Unavailable("The database is closed")
        until = time.monotonic() + left(WAIT_SECONDS, least=LEAST_SECONDS)
        while not self._begun():
            if time.monotonic() > until:
                raise Unavailable("Another process writes for too long")
            time.sleep(_LOOK_SECONDS)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _begun(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class SqliteDatabase(Database):
    """An SQLite file: one writer (a lock in this process, the file's lock between processes)."""

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        self._writer = connect(path)
        self._shredding = not _emptied(self._writer)
        self._turn = threading.Lock()
        self._processes_turn = _Turn(path)
        self._writing = threading.local()
        self._reading = threading.local()
        self._reading_turns = threading.BoundedSemaphore(READING_AT_ONCE)
        self._readers = Pool(
            lambda: _reader(path), sqlite3.Connection.close, size=READERS, wait_seconds=WAIT_SECONDS
        )

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """See `Database`."""
        if getattr(self._writing, "now", False):
            raise Conflict("This thread has a transaction open already")
        if not self._turn.acquire(timeout=left(WAIT_SECONDS, least=LEAST_SECONDS)):
            raise Unavailable("The database has been busy for too long")
        self._writing.now = True
        try:
            with (
                tracing.span("transaction", kind=tracing.CLIENT, db_system_name=self.dialect),
                self._processes_turn.taken(),
            ):
                _execute(self._writer, "BEGIN IMMEDIATE")
                try:
                    tx = SqliteTransaction(self._writer)
                    yield tx
                    _execute(self._writer, "COMMIT")
                except BaseException:
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
                    raise
                if tx.shredding or self._shredding:
                    self._shredding = not _emptied(self._writer)
        finally:
            self._writing.now = False
            self._turn.release()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """See `Database`."""
        with (
            tracing.span("read", kind=tracing.CLIENT, db_system_name=self.dialect),
            self._turn_to_read(),
        ):
            connection = self._readers.take()
            yield from self._read(connection)

    def _read(self, connection: sqlite3.Connection) -> Iterator[Transaction]:
        try:
            _execute(connection, "BEGIN")
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

    @contextmanager
    def _turn_to_read(self) -> Iterator[None]:
        """Wait for a turn; who reads within a reading has one."""
        depth = getattr(self._reading, "depth", 0)
        # A writer has everybody waiting for it: it waits for no reader.
        depth = depth or int(getattr(self._writing, "now", False))
        seconds = left(WAIT_SECONDS, least=LEAST_SECONDS)
        if not depth and not self._reading_turns.acquire(timeout=seconds):
            raise Unavailable("The database has been busy for too long")
        self._reading.depth = depth + 1
        try:
            yield
        finally:
            self._reading.depth = depth
            if not depth:
                self._reading_turns.release()

    @contextmanager
    def look(self) -> Iterator[Transaction]:
        """See `Database`."""
        connection = self._readers.take()
        try:
            yield SqliteTransaction(connection)
        finally:
            self._readers.give(connection)

    def close(self) -> None:
        """See `Database`."""
        self._readers.close()
        with self._turn:
            self._writer.close()
            self._processes_turn.close()


def _reader(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    connection.execute("PRAGMA query_only=ON")
    return connection


FAILURES: Final = (sqlite3.Error, OverflowError)
"""What SQLite's driver raises; no context manager, a request makes dozens of statements."""


def _execute(
    connection: sqlite3.Connection, text: str, values: Mapping[str, Value] | None = None
) -> sqlite3.Cursor:
    try:
        return connection.execute(text, values or ())
    except FAILURES as error:
        raise _ours(error) from None


def _ours(error: Exception) -> Exception:
    """SQLite's errors as ours; its texts name columns, never values, but are not passed on.

    Raise it ``from None``: a chained message could take bound values into a log.
    """
    if isinstance(error, sqlite3.IntegrityError):
        return Conflict(f"A row breaks a rule of the database: {error}")
    if isinstance(error, sqlite3.ProgrammingError):
        return Unavailable("The database is closed") if "closed" in str(error) else error
    if isinstance(error, sqlite3.DataError | OverflowError):
        return Invalid(f"A value does not fit its column ({type(error).__name__})")
    if isinstance(error, sqlite3.OperationalError):
        return Unavailable(f"The database cannot do this now: {error}")
    return error
