"""Corrections that patients ask of another organisation: told, and heard."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables; the statements stand in the SQL files beside this one."""
    dialect = op.get_bind().dialect.name
    script = Path(__file__).with_name(f"r0034_{dialect}.sql").read_text(encoding="utf-8")
    for statement in script.split(";\n"):
        if statement.strip():
            op.get_bind().exec_driver_sql(statement)
