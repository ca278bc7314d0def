"""A PostgreSQL database as of one moment; see `simdes.index.snapshot`.

Every table by COPY in its binary form inside one REPEATABLE READ transaction; the schema is laid
by the migrations that made it. So no program of the server's version is needed, the keys never
leave the server, and all is in one commit on the way back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import groupby
from typing import Any, Final

import psycopg
from psycopg import IsolationLevel, sql

from simdes.errors import Conflict, Tampered, Unavailable
from simdes.index.migrations import upgrade
from simdes.index.snapshot import KEYS, PIECE_BYTES, Part, Plan

Connection = psycopg.Connection[Any]
_CONNECT_SECONDS: Final = 10
_PREFIX: Final = "database/"
_TABLES: Final = (
    "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    " AND tablename <> 'alembic_version' ORDER BY tablename"
)
_COLUMNS: Final = (
    "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(quote_ident(%s))"
    " AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
)
_LEADS: Final = (
    "SELECT CAST(conrelid AS regclass)::text, CAST(confrelid AS regclass)::text"
    " FROM pg_constraint WHERE contype = 'f' AND connamespace = to_regnamespace(current_schema())"
)
_SEQUENCES: Final = (
    "SELECT sequencename, last_value FROM pg_sequences"
    " WHERE schemaname = current_schema() AND last_value IS NOT NULL"
)
_OTHERS: Final = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


@dataclass(frozen=True, slots=True)
class PostgresqlSnapshot:
    """An open transaction; see `simdes.index.snapshot.Snapshot`."""

    plan: Plan
    size: int
    connection: Connection

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """See `Snapshot`."""
        return self.connection.execute(query.encode(), binary=True).fetchall()

    def parts(self) -> Iterator[Part]:
        """The tables, each behind those that it refers to."""
        for table, columns in self.plan.tables.items():
            yield from _copied(self.connection, table, columns)


@contextmanager
def taken(url: str) -> Iterator[PostgresqlSnapshot]:
    """See `simdes.index.snapshot.taken`."""
    with _translated(), psycopg.connect(url, connect_timeout=_CONNECT_SECONDS) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        sized = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        plan = Plan(
            dialect="postgresql",
            revision="" if revision is None else revision[0],
            tables={name: _columns(connection, name) for name in _in_order(connection)},
            sequences=dict(connection.execute(_SEQUENCES).fetchall()),
        )
        yield PostgresqlSnapshot(plan, 0 if sized is None else int(sized[0]), connection)
        connection.rollback()


def _in_order(connection: Connection) -> list[str]:
    """The tables, each behind those that its foreign keys lead to."""
    order: TopologicalSorter[str] = TopologicalSorter()
    for (name,) in connection.execute(_TABLES).fetchall():
        order.add(name)
    for source, target in connection.execute(_LEADS).fetchall():
        if source != target:
            order.add(source, target)
    return list(order.static_order())


def _columns(connection: Connection, table: str) -> tuple[str, ...]:
    return tuple(row[0] for row in connection.execute(_COLUMNS, (table,)).fetchall())


def _copied(connection: Connection, table: str, columns: Iterable[str]) -> Iterator[Part]:
    chosen = sql.SQL(", ").join(
        sql.SQL("substr({0}, 1, 0) AS {0}").format(sql.Identifier(column))
        if KEYS.get(table) == column
        else sql.Identifier(column)
        for column in columns
    )
    statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT binary)").format(
        chosen, sql.Identifier(table)
    )
    gathered = bytearray()
    with connection.cursor().copy(statement) as copy:
        for piece in copy:
            gathered += piece
            while len(gathered) >= PIECE_BYTES:
                yield _PREFIX + table, bytes(gathered[:PIECE_BYTES])
                del gathered[:PIECE_BYTES]
    yield _PREFIX + table, bytes(gathered)


def lay(url: str, plan: Plan, parts: Iterable[Part], *, replace: bool) -> None:
    """See `simdes.index.snapshot.lay`."""
    with _translated():
        _clear(url, replace=replace)
    upgrade.upgrade(url, revision=plan.revision)
    with _translated(), psycopg.connect(url, connect_timeout=_CONNECT_SECONDS) as connection:
        for name, pieces in groupby(parts, lambda part: part[0]):
            table = name.removeprefix(_PREFIX)
            if table not in plan.tables:
                raise Tampered("The backup holds a table that its plan does not name.")
            statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, plan.tables[table])),
            )
            # A migration may have put rows of its own into a new table.
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
            with connection.cursor().copy(statement) as copy:
                for _, piece in pieces:
                    copy.write(piece)
        _count_on(connection, plan.sequences)


def _count_on(connection: Connection, sequences: Mapping[str, int]) -> None:
    for name, last in sequences.items():
        connection.execute(sql.SQL("SELECT setval({}, %s)").format(sql.Literal(name)), (last,))


def require_free(url: str, *, replace: bool) -> None:
    """See `simdes.index.snapshot.require_free`."""
    with _translated(), psycopg.connect(url, connect_timeout=_CONNECT_SECONDS) as connection:
        _may_go(connection, replace=replace)


def _may_go(connection: Connection, *, replace: bool) -> list[str]:
    """The tables that are there: none, or they may go."""
    others = connection.execute(_OTHERS).fetchone()
    if others is not None and others[0]:
        raise Conflict(
            f"{others[0]} other programs are connected to this database.",
            advice="Stop every gateway of the organisation, then restore.",
        )
    tables = [row[0] for row in connection.execute(_TABLES).fetchall()]
    if tables and not replace:
        raise Conflict(
            "The database holds tables already.",
            advice="Restore into an empty database, or let go of this one with --replace.",
        )
    return tables


def _clear(url: str, *, replace: bool) -> None:
    """Make room for the tables."""
    with psycopg.connect(url, connect_timeout=_CONNECT_SECONDS) as connection:
        tables = _may_go(connection, replace=replace)
        for table in (*tables, *(("alembic_version",) if tables else ())):
            connection.execute(
                sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(sql.Identifier(table))
            )


@contextmanager
def _translated() -> Iterator[None]:
    """The driver's errors as ours; their texts could hold values and are not passed on."""
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate or type(error).__name__
        raise Unavailable(
            f"PostgreSQL does not do this now ({state}).",
            advice="Check that it runs, that its disk has room, and the database's address.",
        ) from None
