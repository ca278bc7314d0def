"""Lay or upgrade the schema: ``migrate(url)``, forward only, by Alembic.

Each revision is one file in ``versions/`` with its statements for both databases beside it, frozen
once released. A revision runs in one transaction under a lock, so that replicas may start at once
and a kill leaves the older schema whole (https://alembic.sqlalchemy.org/en/latest/tutorial.html).
"""

from __future__ import annotations

from contextlib import closing

from simdes.index.database import Database, open_database

HEAD = "0014"
"""The newest revision; a test compares it with the files."""


def migrate(url: str) -> str:
    """Bring the database at ``url`` to the newest schema and return its revision; idempotent.

    Raises:
        Invalid: the URL names no database.
        Unavailable: the database does not answer or the upgrade failed; nothing was changed.

    """
    with closing(open_database(url, connections=1)) as database:
        if revision(database) == HEAD:
            return HEAD
    # Alembic and SQLAlchemy take half a second to load, which no ordinary start should pay.
    from simdes.index.migrations.upgrade import upgrade  # noqa: PLC0415

    upgrade(url)
    return HEAD


def revision(database: Database) -> str | None:
    """Return the schema revision the database is at; None when it has none."""
    exists = {
        "sqlite": "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'",
        "postgresql": "SELECT 1 WHERE to_regclass('alembic_version') IS NOT NULL",
    }[database.dialect]
    with database.read() as tx:
        if tx.one(exists) is None:
            return None
        row = tx.one("SELECT version_num FROM alembic_version")
    return None if row is None else str(row[0])
