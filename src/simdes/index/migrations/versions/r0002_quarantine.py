"""Quarantine: reason codes, where a message came from, and a history of what was decided."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the table and add its history; the statements stand in the SQL files beside this."""
    dialect = op.get_bind().dialect.name
    script = Path(__file__).with_name(f"r0002_{dialect}.sql").read_text(encoding="utf-8")
    for statement in script.split(";\n"):
        if statement.strip():
            op.get_bind().exec_driver_sql(statement)
