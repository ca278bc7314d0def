"""Migrations on both databases: their result equals the metadata, repeat safely, run at once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from adapters.index_rows import batch, seal, submit
from adapters.postgres import Databases
from simdes.errors import Unavailable
from simdes.index import batches, migrations, resources
from simdes.index.database import Database, open_database
from simdes.index.migrations import HEAD, migrate, revision
from simdes.index.migrations.upgrade import _engine, upgrade
from simdes.index.resources import NewResource
from simdes.index.rows import row_of
from simdes.index.schema import metadata
from simdes.index.statements import Value

SQLITE_SHAPE = """
    SELECT type, name, tbl_name, sql FROM sqlite_master
    WHERE tbl_name <> 'alembic_version' ORDER BY type, name
"""
POSTGRESQL_SHAPE = """
    SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
           pg_get_expr(d.adbin, d.adrelid)
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
     WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND c.relkind IN ('r', 'S')
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), true, null
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'index', tablename, indexname, indexdef, true, null
      FROM pg_indexes WHERE schemaname = 'public'
    ORDER BY 1, 2, 3
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """URLs of two databases without tables."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'a.db'}", f"sqlite:{tmp_path / 'b.db'}"
    databases: Databases = request.getfixturevalue("postgres_databases")
    return databases.create_empty(), databases.create_empty()


def _shape(url: str) -> list[tuple[object, ...]]:
    query = SQLITE_SHAPE if url.startswith("sqlite:") else POSTGRESQL_SHAPE
    engine = _engine(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.exec_driver_sql(query)]
    engine.dispose()
    normal = [tuple(" ".join(x.split()) if isinstance(x, str) else x for x in row) for row in found]
    return [row for row in normal if "alembic_version" not in str(row)]


def test_the_migrations_give_exactly_the_schema_of_the_metadata(
    empty_urls: tuple[str, str],
) -> None:
    migrated, created = empty_urls
    assert migrate(migrated) == HEAD
    engine = _engine(created)
    with engine.begin() as connection:
        metadata.create_all(connection)
    engine.dispose()
    assert _shape(migrated) == _shape(created)
    assert len(_shape(migrated)) > 80


def test_every_sqlite_table_is_strict(migrated_sqlite: Path) -> None:
    with closing(open_database(f"sqlite:{migrated_sqlite}")) as database, database.read() as tx:
        tables = tx.all(
            "SELECT name, strict FROM pragma_table_list WHERE schema = 'main'"
            " AND name NOT LIKE 'sqlite_%' AND name <> 'alembic_version'"
        )
    assert {name for name, _ in tables} == set(metadata.tables)
    assert all(strict for _, strict in tables)


def test_every_foreign_key_leads_an_index() -> None:
    for table in metadata.tables.values():
        leading = {
            tuple(column.name for column in index.columns)
            for index in (*table.indexes, table.primary_key, *table.constraints)
            if isinstance(
                index,
                sqlalchemy.Index | sqlalchemy.PrimaryKeyConstraint | sqlalchemy.UniqueConstraint,
            )
        }
        for key in table.foreign_key_constraints:
            names = tuple(column.name for column in key.columns)
            assert any(index[: len(names)] == names for index in leading), f"{table.name}{names}"


def test_migrating_twice_changes_nothing(empty_urls: tuple[str, str]) -> None:
    url = empty_urls[0]
    migrate(url)
    before = _shape(url)
    assert migrate(url) == HEAD
    assert _shape(url) == before


def test_a_database_without_schema_has_no_revision(empty_urls: tuple[str, str]) -> None:
    with closing(open_database(empty_urls[0])) as database:
        assert revision(database) is None


def test_replicas_that_start_at_once_migrate_once(empty_urls: tuple[str, str]) -> None:
    url = empty_urls[0]
    code = "import sys; from simdes.index.migrations import migrate; print(migrate(sys.argv[1]))"
    replicas = [
        subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [replica.communicate(timeout=60)[0].strip() for replica in replicas] == [HEAD] * 2
    with closing(open_database(url)) as database:
        assert revision(database) == HEAD


def test_a_database_of_a_newer_release_is_refused(empty_urls: tuple[str, str]) -> None:
    url = empty_urls[0]
    migrate(url)
    with closing(open_database(url)) as database, database.transaction() as tx:
        tx.run("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Unavailable):
        migrate(url)


LATER = """
from alembic import op
revision = "later"
down_revision = "{head}"
branch_labels = None
depends_on = None

def upgrade():
    run = op.get_bind().exec_driver_sql
    run("ALTER TABLE resource ADD COLUMN security TEXT NOT NULL DEFAULT 'none'")
    run("UPDATE outbox SET attempts = attempts + 1")
    {end}
"""


def _scripts(folder: Path, *, end: str) -> Path:
    """The project's migrations with a later one behind them."""
    shutil.copytree(Path(migrations.__file__).parent, folder)
    (folder / "versions" / "later.py").write_text(LATER.format(head=HEAD, end=end))
    return folder


def _rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.read() as tx:
        return {
            name: tx.all(
                f"SELECT {', '.join(column.name for column in table.columns)}"
                f" FROM {name} ORDER BY 1"
            )
            for name, table in metadata.tables.items()
            if name != "outbox"
        }


def _fill(database: Database) -> None:
    with database.transaction() as tx:
        ids = submit(tx, range(500))
        leaves = [leaf for at in range(20) for leaf in seal(tx, at, ids[at * 20 : at * 20 + 20])]
        batches.build(tx, batch(1, len(leaves)), leaves=leaves)


def test_an_upgrade_of_filled_tables_keeps_every_row(database_url: str, tmp_path: Path) -> None:
    with closing(open_database(database_url)) as database:
        _fill(database)
        before = _rows(database)
        upgrade(database_url, scripts=_scripts(tmp_path / "scripts", end="pass"))
        assert _rows(database) == before
        assert revision(database) == "later"
        with database.read() as tx:
            added = tx.one("SELECT count(*) FROM resource WHERE security = 'none'")
            assert added == (500,)
            assert tx.all("SELECT DISTINCT attempts FROM outbox") == [(1,)]


def _row_of_the_first_release(one: NewResource) -> dict[str, Value]:
    return {name: value for name, value in row_of(one).items() if name not in LATER_COLUMNS}


LATER_COLUMNS = frozenset(("deleted", "account"))
"""What rows of `resource` have today and had not then."""


def test_a_database_of_the_first_release_is_upgraded_with_all_it_holds(
    empty_urls: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / "first"
    shutil.copytree(Path(migrations.__file__).parent, first)
    for later in (first / "versions").glob("r*"):
        if not later.name.startswith("r0001"):
            later.unlink()
    upgrade(empty_urls[0], scripts=first)
    with closing(open_database(empty_urls[0])) as database:
        with monkeypatch.context() as earlier:
            earlier.setattr(resources, "row_of", _row_of_the_first_release)
            _fill(database)
        with database.read() as tx:
            before = tx.all("SELECT id, digest, salt, state, record_id FROM resource ORDER BY id")
            leaves = tx.all("SELECT leaf, resource_id, position FROM leaf ORDER BY leaf")
        assert migrate(empty_urls[0]) == HEAD
        with database.read() as tx:
            after = tx.all("SELECT id, digest, salt, state, record_id FROM resource ORDER BY id")
            assert after == before
            assert tx.all("SELECT leaf, resource_id, position FROM leaf ORDER BY leaf") == leaves
            assert len(before) == 500


def test_revisions_are_brought_in_together_so_that_nobody_comes_between_two(
    empty_urls: tuple[str, str], tmp_path: Path
) -> None:
    scripts = _scripts(tmp_path / "scripts", end="run('SELECT nonsense')")
    with pytest.raises(Unavailable):
        upgrade(empty_urls[0], scripts=scripts)
    with closing(open_database(empty_urls[0])) as database:
        assert revision(database) is None


KILL = """
import sys
from pathlib import Path
from simdes.index.migrations.upgrade import upgrade
upgrade(sys.argv[1], scripts=Path(sys.argv[2]))
"""


@pytest.mark.parametrize("end", ["run('SELECT nonsense')", "import os; os.kill(os.getpid(), 9)"])
def test_an_upgrade_that_fails_or_is_killed_changes_nothing(
    database_url: str, tmp_path: Path, end: str
) -> None:
    scripts = _scripts(tmp_path / "scripts", end=end)
    with closing(open_database(database_url)) as database:
        _fill(database)
        shape, before = _shape(database_url), _rows(database)
        if "kill" in end:
            killed = subprocess.run(
                [sys.executable, "-c", KILL, database_url, scripts], check=False
            )
            assert killed.returncode == -9
        else:
            with pytest.raises(Unavailable):
                upgrade(database_url, scripts=scripts)
        assert _shape(database_url) == shape
        assert _rows(database) == before
        assert revision(database) == HEAD
        with database.read() as tx:
            assert tx.all("SELECT DISTINCT attempts FROM outbox") == [(0,)]
