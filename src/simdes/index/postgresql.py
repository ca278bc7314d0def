"""PostgreSQL behind `simdes.index.database`, by psycopg 3 (https://www.psycopg.org/psycopg3/).

Values are bound on the server and travel in binary form, so bytes are BYTEA both ways. Writes run
READ COMMITTED: verbs that need more take row locks, ``ON CONFLICT`` or a named lock. Reads are one
REPEATABLE READ snapshot. Lost connections empty the pool; the next caller connects afresh.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from simdes import budget, tracing
from simdes.budget import left
from simdes.errors import Conflict, Invalid, SimdesError, Unavailable
from simdes.index import statements
from simdes.index.pool import LEAST_SECONDS, Pool
from simdes.index.statements import Value
from simdes.index.transaction import Database, Repeat, Row, Transaction

WAIT_SECONDS = 30
CONNECT_SECONDS = 3
ANSWER_SECONDS = 20.0
"""For one exchange with the server, also where it says nothing at all; a caller may have less."""
SETTINGS = (
    "SET lock_timeout = '15s'; SET statement_timeout = '20s';"
    " SET idle_in_transaction_session_timeout = '30s'; SET synchronous_commit = on;"
    " SET plan_cache_mode = force_custom_plan"
)
"""A plan is made for the values at hand: one for any values, which the server else takes from the
sixth time on, knows neither the type nor the patient of a search and reads most of its tables."""
ALIVE: Mapping[str, int] = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""So that the system notices when the server's machine is gone (libpq-connect in its manual)."""
ARRAY_ROWS = 5_000
"""Rows of one INSERT by arrays, whose text doesn't grow with them."""
_TYPES = (
    "SELECT CAST(attname AS text), format_type(atttypid, atttypmod) FROM pg_attribute"
    " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
)

T = TypeVar("T")


class Connection(psycopg.Connection[Row]):
    """A connection on which no exchange takes longer than whoever asks will wait."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """See psycopg; a connection that stays silent is closed, what it was told is in doubt."""
        seconds = left(ANSWER_SECONDS, least=LEAST_SECONDS)
        with _counted(seconds if timeout is None else min(timeout, seconds)) as seconds:
            try:
                return super().wait(gen, interval, seconds)
            except errors._WaitTimeout:
                self.pgconn.finish()
                raise psycopg.OperationalError("the server does not answer in time") from None


@contextmanager
def _counted(seconds: float) -> Iterator[float]:
    """Have a caller's account of waits charged; how long this one may take of ``seconds``."""
    account = budget.account()
    if account is None:
        yield seconds
        return
    if account.left <= 0:
        raise psycopg.OperationalError("the server is too slow for this call")
    begun = time.monotonic()
    try:
        yield min(seconds, account.left)
    finally:
        account.waited += time.monotonic() - begun


class PostgresqlTransaction(Transaction):
    """One open transaction on a PostgreSQL connection."""

    dialect = "postgresql"
    skip_locked = "FOR UPDATE SKIP LOCKED"
    unled = ""
    lock_rows = "FOR NO KEY UPDATE"  # foreign keys may go on pointing at them meanwhile
    __slots__ = ("_connection", "_types")

    def __init__(self, connection: Connection, types: dict[str, dict[str, str]]) -> None:
        """``types`` remembers the columns' types by table, for all transactions of a database."""
        super().__init__()
        self._connection = connection
        self._types = types

    def run(self, sql: str, /, **params: Value) -> int:
        """See `Transaction`."""
        return self._execute(sql, params).rowcount

    def all(self, sql: str, /, **params: Value) -> list[Row]:
        """See `Transaction`."""
        return self._execute(sql, params).fetchall()

    def one(self, sql: str, /, **params: Value) -> Row | None:
        """See `Transaction`."""
        return self._execute(sql, params).fetchone()

    def many(self, sql: str, rows: Sequence[Mapping[str, Value]], /) -> int:
        """See `Transaction`; psycopg sends all rows in one pipeline, one round trip."""
        if not rows:
            return 0
        self.statements += 1
        with _translated(), self._connection.cursor(binary=True) as cursor:
            cursor.executemany(statements.for_postgresql(sql), rows)
            return cursor.rowcount

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
        tail = {"conflict": conflict, "returning": returning}
        if len(rows) == 1:
            text = statements.insert_text(table, columns, rows=1, mark="%s", **tail)
            return self._insert(text, list(rows[0].values()), returning=bool(returning))
        # One array a column: the text is the same for any number of rows, so that it stays
        # prepared; psycopg would take longer to parse a long VALUES list than the server to run it.
        text = statements.insert_arrays_text(table, columns, self._types_of(table, columns), **tail)
        found: list[Row] = []
        for start in range(0, len(rows), ARRAY_ROWS):
            part = rows[start : start + ARRAY_ROWS]
            arrays = [[row[column] for row in part] for column in columns]
            found += self._insert(text, arrays, returning=bool(returning))
        return found

    def _insert(self, text: str, values: Sequence[Any], *, returning: bool) -> list[Row]:
        self.statements += 1
        with _translated():
            cursor = self._connection.execute(text.encode(), values, binary=True)
            return cursor.fetchall() if returning else []

    def _types_of(self, table: str, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Return the columns' types, asked for once a table and program."""
        known = self._types.get(table)
        if known is None or not known.keys() >= set(columns):
            with _translated():
                known = self._types[table] = dict(self._connection.execute(_TYPES, [table]))
        return tuple(known[column] for column in columns)

    def lock(self, name: str) -> None:
        """See `Transaction`; an advisory lock under the first 8 bytes of the name's digest."""
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        self._execute("SELECT pg_advisory_xact_lock(CAST(:key AS BIGINT))", {"key": key})

    def _execute(self, sql: str, params: Mapping[str, Value]) -> psycopg.Cursor[Row]:
        self.statements += 1
        with _translated():
            values = statements.postgresql_values(sql, params)
            return self._connection.execute(statements.for_postgresql(sql), values, binary=True)


class PostgresqlDatabase(Database):
    """A PostgreSQL database through a bounded pool of connections."""

    dialect = "postgresql"

    def __init__(self, url: str, *, connections: int) -> None:
        self._pool = Pool(
            lambda: _connect(url), _disconnect, size=connections, wait_seconds=WAIT_SECONDS
        )
        self._writing = threading.local()
        self._types: dict[str, dict[str, str]] = {}
        self._pool.give(self._pool.take())

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """See `Database`."""
        if getattr(self._writing, "now", False):
            raise Conflict("This thread has a transaction open already")
        self._writing.now = True
        try:
            with (
                tracing.span("transaction", kind=tracing.CLIENT, db_system_name=self.dialect),
                self._lent() as connection,
                _ended(connection, b"COMMIT"),
            ):
                with _translated():
                    connection.execute(b"BEGIN ISOLATION LEVEL READ COMMITTED")
                yield PostgresqlTransaction(connection, self._types)
        finally:
            self._writing.now = False

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """See `Database`."""
        with (
            tracing.span("read", kind=tracing.CLIENT, db_system_name=self.dialect),
            self._lent() as connection,
            _ended(connection, b"ROLLBACK"),
        ):
            with _translated():
                connection.execute(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield PostgresqlTransaction(connection, self._types)

    @contextmanager
    def look(self) -> Iterator[Transaction]:
        """See `Database`."""
        with self._lent() as connection:
            yield PostgresqlTransaction(connection, self._types)

    def close(self) -> None:
        """See `Database`."""
        self._pool.close()

    @contextmanager
    def _lent(self) -> Iterator[Connection]:
        connection = self._pool.take()
        try:
            yield connection
        finally:
            if connection.info.transaction_status == TransactionStatus.IDLE:
                self._pool.give(connection)
            else:
                self._pool.discard(connection)


@contextmanager
def _ended(connection: Connection, ending: bytes) -> Iterator[None]:
    try:
        yield
        with _translated():
            done = connection.execute(ending).statusmessage
        if done != ending.decode():  # COMMIT of a failed transaction answers ROLLBACK
            raise Unavailable("The database undid the transaction")
    except BaseException:
        if connection.info.transaction_status in (
            TransactionStatus.INTRANS,
            TransactionStatus.INERROR,
        ):
            with suppress(psycopg.Error):
                connection.execute(b"ROLLBACK")
        raise


def _connect(url: str) -> Connection:
    try:
        with _counted(CONNECT_SECONDS):
            connection = Connection.connect(make_conninfo(url, **ALIVE), autocommit=True)
        connection.execute(SETTINGS)
    except psycopg.ProgrammingError:
        raise Invalid("The PostgreSQL URL cannot be read") from None
    except psycopg.Error as error:
        raise Unavailable(
            f"PostgreSQL does not accept a connection ({type(error).__name__})",
            advice="Check that the server runs and that the database URL is right.",
        ) from None
    return connection


def _disconnect(connection: Connection) -> None:
    with suppress(psycopg.Error):
        connection.close()


@contextmanager
def _translated() -> Iterator[None]:
    """Turn psycopg's errors into ours, without its texts: those quote the values of the row."""
    try:
        yield
    except SimdesError:
        raise
    except (errors.SerializationFailure, errors.DeadlockDetected):
        raise Repeat("The database ended the transaction because of another one") from None
    except psycopg.IntegrityError as error:
        name = error.diag.constraint_name or error.diag.column_name or error.sqlstate
        raise Conflict(f"A row breaks a rule of the database: {name}") from None
    except psycopg.DataError as error:
        raise Invalid(f"A value does not fit its column ({error.sqlstate})") from None
    except (psycopg.OperationalError, psycopg.InternalError) as error:
        kind = type(error).__name__
        raise Unavailable(f"PostgreSQL does not answer or gave up ({kind})") from None
