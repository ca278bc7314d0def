"""Open the gateway's database and run transactions on it: SQLite or PostgreSQL, one interface.

``sqlite:PATH`` needs no server: WAL, ``synchronous=FULL``, one writer at a time, any number of
readers (https://www.sqlite.org/wal.html). ``postgresql://…`` serves several gateway replicas
(https://www.postgresql.org/docs/current/mvcc.html); writes run READ COMMITTED, reads see one
snapshot. What is committed when ``transaction()`` returns survives a crash of program or machine.

A worker killed in a transaction leaves nothing of it behind. PostgreSQL may end a transaction
because of a deadlock; ``write(body)`` repeats such a body, ``transaction()`` raises `Unavailable`.
"""

from __future__ import annotations

from simdes.errors import Invalid
from simdes.index.sqlite import SqliteDatabase, path_of
from simdes.index.statements import Value
from simdes.index.transaction import Database, Repeat, Row, Transaction

__all__ = ["Database", "Repeat", "Row", "Transaction", "Value", "open_database"]


def open_database(url: str, *, connections: int = 8) -> Database:
    """Open ``sqlite:PATH`` or ``postgresql://USER:PASSWORD@HOST:PORT/NAME``.

    The schema is laid by `simdes.index.migrations.migrate`. ``connections`` bounds the
    PostgreSQL pool; further threads wait. SQLite opens one writer and a few readers.

    Raises:
        Invalid: the URL names neither.
        Unavailable: the database cannot be opened.

    """
    if url.startswith("sqlite:"):
        return SqliteDatabase(path_of(url))
    if url.startswith(("postgresql://", "postgres://")):
        # Loaded where it is used: a command on SQLite has no need of its driver.
        from simdes.index.postgresql import PostgresqlDatabase  # noqa: PLC0415

        return PostgresqlDatabase(url, connections=connections)
    raise Invalid(
        "The database URL is neither sqlite:PATH nor postgresql://…",
        advice="Set the database URL to sqlite:PATH or postgresql://USER@HOST/NAME.",
    )
