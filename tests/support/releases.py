"""The release after this one, as far as a database knows: its migrations."""

from __future__ import annotations

import shutil
from pathlib import Path

from simdes.index import migrations
from simdes.index.migrations import HEAD

VERSIONS = Path(migrations.__file__).parent / "versions"

LATER = """
from alembic import op
revision = "9999"
down_revision = "{head}"
branch_labels = None
depends_on = None

def upgrade():
    run = op.get_bind().exec_driver_sql
    run("ALTER TABLE resource ADD COLUMN security TEXT NOT NULL DEFAULT 'none'")
    run("CREATE TABLE something_new (id INTEGER NOT NULL PRIMARY KEY)")
    run("CREATE INDEX ix_outbox_attempts ON outbox (attempts)")
    run("UPDATE schema_release SET oldest = '{oldest}'")
"""


def next_release(folder: Path, *, oldest: str = HEAD) -> Path:
    """The migrations of a release after this one, which programs since ``oldest`` go on with."""
    shutil.copytree(VERSIONS.parent, folder)
    (folder / "versions" / "later.py").write_text(LATER.format(head=HEAD, oldest=oldest))
    return folder
