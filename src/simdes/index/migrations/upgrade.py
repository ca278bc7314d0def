"""Run Alembic's revisions from the program: no ini file, no command line, plain driver connections.

https://alembic.sqlalchemy.org/en/latest/api/commands.html
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.pool import NullPool

from simdes.errors import Unavailable
from simdes.index import sqlite

TRIES = 30
PAUSE_SECONDS = 1.0
"""Between tries to get the tables' locks."""

_ONE_AT_A_TIME = threading.Lock()  # Alembic keeps the running migration in module globals


def upgrade(url: str, *, scripts: Path = Path(__file__).parent, revision: str = "head") -> None:
    """Run every outstanding revision of ``scripts`` up to one in one transaction.

    Raises:
        Unavailable: it failed, or the database was written by a newer release; nothing changed.

    """
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    engine = _engine(url)
    try:
        for tries in range(TRIES):
            try:
                with _ONE_AT_A_TIME, engine.connect() as connection:
                    config.attributes["connection"] = connection
                    command.upgrade(config, revision)
                return
            except sqlalchemy.exc.OperationalError as error:
                if not _is_busy(error) or tries == TRIES - 1:
                    raise
                time.sleep(PAUSE_SECONDS)  # requests go on meanwhile
    except (sqlalchemy.exc.SQLAlchemyError, CommandError) as error:
        raise Unavailable(
            f"The database's schema could not be upgraded ({type(error).__name__})",
            advice="Use the newest SIMDES that wrote this database, with the right to change it.",
        ) from error
    finally:
        engine.dispose()


def _is_busy(error: sqlalchemy.exc.OperationalError) -> bool:
    """Whether somebody else had a table for too long; nothing was changed then."""
    return isinstance(error.orig, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected)


def _engine(url: str) -> sqlalchemy.Engine:
    """Return an engine on plain driver connections, with BEGIN in our hands on SQLite."""
    if not url.startswith("sqlite:"):
        return sqlalchemy.create_engine(
            "postgresql+psycopg://",
            creator=lambda: psycopg.connect(url, connect_timeout=10),
            poolclass=NullPool,
        )
    path = sqlite.path_of(url)
    engine = sqlalchemy.create_engine(
        "sqlite://", creator=lambda: sqlite.connect(path), poolclass=NullPool
    )
    # The driver would otherwise commit before each DDL statement.
    sqlalchemy.event.listen(
        engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE")
    )
    return engine
