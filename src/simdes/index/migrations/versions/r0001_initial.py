"""The first schema: vaults, resources, outbox, batches, chain read model, custody, audit."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table; the statements stand in the SQL files beside this one."""
    dialect = op.get_bind().dialect.name
    script = Path(__file__).with_name(f"r0001_{dialect}.sql").read_text(encoding="utf-8")
    for statement in script.split(";\n"):
        if statement.strip():
            op.get_bind().exec_driver_sql(statement)
