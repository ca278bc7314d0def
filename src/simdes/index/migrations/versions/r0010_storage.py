"""The content store: what is ours, who keeps copies, what is kept for others.

What was stored before is found where it was written down; its copies are chosen and asked for then.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and fill them; the statements stand in the SQL files beside this one."""
    dialect = op.get_bind().dialect.name
    script = Path(__file__).with_name(f"r0010_{dialect}.sql").read_text(encoding="utf-8")
    for statement in script.split(";\n"):
        if statement.strip():
            op.get_bind().exec_driver_sql(statement)
