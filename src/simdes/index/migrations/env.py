"""Alembic's entry: run the revisions on the connection that ``migrate`` opened."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

LOCK = 0x51_4D_44_45_53  # any fixed number: one migration at a time in this database

WAIT_FOR_OTHERS = "120s"
"""For another program that is upgrading the same database."""
WAIT_FOR_TABLES = "2s"
"""For requests under way. A statement that waits for a table holds up all who come after it."""


def run(connection: Connection) -> None:
    """Run every outstanding revision in one transaction, under a lock."""
    # SQLite rolls DDL back as well; Alembic thinks that its driver commits it (`upgrade._engine`).
    context.configure(
        connection=connection, transactional_ddl=True, transaction_per_migration=False
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = '{WAIT_FOR_OTHERS}'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            connection.execute(text(f"SET LOCAL lock_timeout = '{WAIT_FOR_TABLES}'"))
        context.run_migrations()


run(context.config.attributes["connection"])
