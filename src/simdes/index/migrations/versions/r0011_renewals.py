"""Vaults' next epochs: who custodians were, what is under way, capsules of later epochs."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and fill them; the statements stand in the SQL files beside this one."""
    dialect = op.get_bind().dialect.name
    script = Path(__file__).with_name(f"r0011_{dialect}.sql").read_text(encoding="utf-8")
    for statement in script.split(";\n"):
        if statement.strip():
            op.get_bind().exec_driver_sql(statement)
