"""The authorization server: apps, what they were allowed, codes, refresh tokens; sessions anew."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables; the statements stand in the SQL files beside this one.

    Sessions live five minutes: the table is made anew, and whoever is signed in signs in again.
    """
    dialect = op.get_bind().dialect.name
    script = Path(__file__).with_name(f"r0005_{dialect}.sql").read_text(encoding="utf-8")
    for statement in script.split(";\n"):
        if statement.strip():
            op.get_bind().exec_driver_sql(statement)
