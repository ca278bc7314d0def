"""Lay or upgrade the schema: ``migrate(url)``, forward only, by Alembic.

Each revision is one file in ``versions/`` with its statements for both databases beside it, frozen
once released. A revision runs in one transaction under a lock, so that replicas may start at once
and a kill leaves the older schema whole (https://alembic.sqlalchemy.org/en/latest/tutorial.html).
"""

from __future__ import annotations

from contextlib import closing

from simdes.errors import Conflict
from simdes.index.database import Database, open_database

HEAD = "0034"
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


def bring_up(database: Database, url: str, *, upgrade: bool = True) -> None:
    """Make sure that this program and the open database at ``url`` fit; see docs/operations.

    An older schema is brought up, or refused without ``upgrade``. A newer one is fine as long as
    its release says that this program may go on with it: so old and new gateways run side by side.

    Raises:
        Conflict: it holds no schema, an older one that is to stay, or one that left us behind.
        Unavailable: see `migrate`.

    """
    found = revision(database)
    if found == HEAD:
        return
    if found is None:
        raise Conflict(
            "The database holds no schema of SIMDES.",
            advice="Correct database_url, or restore a backup into it.",
        )
    if found > HEAD:
        _require_kept(database, found)
    elif upgrade:
        migrate(url)
    else:
        raise Conflict(
            f"The database is at revision {found}, this program needs {HEAD}.",
            advice="Restart a gateway of this release: the first one brings the schema up.",
        )


def _require_kept(database: Database, found: str) -> None:
    with database.read() as tx:
        row = tx.one("SELECT oldest FROM schema_release")
    if row is None or str(row[0]) > HEAD:
        raise Conflict(
            f"The database is at revision {found}, which left this program ({HEAD}) behind.",
            advice="Run the release that wrote it, or restore a backup.",
        )


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
