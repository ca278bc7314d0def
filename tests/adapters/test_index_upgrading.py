"""Upgrades without downtime: what a migration may do, and programs of two releases side by side."""

from __future__ import annotations

import re
import shutil
import threading
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from adapters.index_rows import batch, seal, submit
from adapters.postgres import Databases
from simdes.errors import Conflict
from simdes.index import batches
from simdes.index.database import Database, open_database
from simdes.index.migrations import HEAD, bring_up, migrate, revision
from simdes.index.migrations.upgrade import upgrade
from support.releases import VERSIONS, next_release

RULES_SINCE = "0015"
"""Earlier revisions were written before there was anything to keep running."""

EXPANDING = (
    r"CREATE TABLE \w+ \(",
    r"CREATE (UNIQUE )?INDEX \w+ ON \w+",
    r"ALTER TABLE \w+ ADD COLUMN (?!.*NOT NULL)",
    r"ALTER TABLE \w+ ADD COLUMN .*(NOT NULL.*DEFAULT|DEFAULT.*NOT NULL)",
    r"INSERT INTO \w+",
)
"""What a program that does not know of it goes on with."""
CONTRACTS = re.compile(r"UPDATE schema_release SET oldest = '(\d{4})'")
"""Taking something away says since which revision no program needs it."""


def statements(path: Path) -> list[str]:
    return [" ".join(one.split()) for one in path.read_text().split(";\n") if one.strip()]


def later() -> list[Path]:
    return [one for one in sorted(VERSIONS.glob("r*.sql")) if one.name[1:5] >= RULES_SINCE]


@pytest.mark.parametrize("path", later(), ids=lambda path: path.name)
def test_a_revision_takes_nothing_away_that_the_release_before_it_needs(path: Path) -> None:
    found = statements(path)
    said = [match[1] for one in found if (match := CONTRACTS.fullmatch(one))]
    if said:
        before = f"{int(path.name[1:5]) - 1:04}"
        assert all(oldest <= before for oldest in said), "the release before goes on"
        return
    known = re.compile("|".join(f"({one})" for one in EXPANDING))
    assert [one for one in found if not known.match(one)] == []


def test_the_rules_refuse_what_would_stop_an_older_program() -> None:
    known = re.compile("|".join(f"({one})" for one in EXPANDING))
    for wrong in (
        "DROP TABLE session",
        "ALTER TABLE resource DROP COLUMN account",
        "ALTER TABLE resource RENAME COLUMN account TO person",
        "ALTER TABLE resource ADD COLUMN person BIGINT NOT NULL",
        "ALTER TABLE resource ALTER COLUMN account SET NOT NULL",
        "UPDATE resource SET account = NULL",
    ):
        assert not known.match(wrong), wrong


def fill(database: Database, first: int) -> None:
    """What gateways and workers write, from taking in to a batch."""
    with database.transaction() as tx:
        ids = submit(tx, range(first, first + 100))
        leaves = [leaf for at in range(5) for leaf in seal(tx, first + at, ids[at * 20 :][:20])]
        batches.build(tx, batch(first + 1, len(leaves)), leaves=leaves)


def test_this_program_goes_on_with_the_next_releases_schema(
    database_url: str, tmp_path: Path
) -> None:
    scripts = next_release(tmp_path / "scripts")
    with closing(open_database(database_url)) as running:
        fill(running, 0)
        upgrade(database_url, scripts=scripts)
        fill(running, 1_000)  # connections that were open before the upgrade
        with closing(open_database(database_url)) as started:
            bring_up(started, database_url)  # and one that is started again
            fill(started, 2_000)
            assert revision(started) == "9999"
            with started.read() as tx:
                assert tx.one("SELECT count(*) FROM resource") == (300,)


def test_a_program_that_was_left_behind_does_not_start(database_url: str, tmp_path: Path) -> None:
    upgrade(database_url, scripts=next_release(tmp_path / "scripts", oldest="9998"))
    with closing(open_database(database_url)) as database, pytest.raises(Conflict) as refused:
        bring_up(database, database_url)
    assert "left this program" in refused.value.message


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'a.db'}"
    databases: Databases = request.getfixturevalue("postgres_databases")
    return databases.create_empty()


def test_an_older_database_is_brought_up_at_the_start_unless_it_is_to_stay(
    empty_url: str, tmp_path: Path
) -> None:
    older = tmp_path / "older"
    shutil.copytree(VERSIONS.parent, older)
    for one in (older / "versions").glob(f"r{HEAD}*"):
        one.unlink()
    upgrade(empty_url, scripts=older)
    with closing(open_database(empty_url)) as database:
        before = revision(database)
        assert before is not None and before < HEAD
        with pytest.raises(Conflict):
            bring_up(database, empty_url, upgrade=False)
        assert revision(database) == before
        bring_up(database, empty_url)
        assert revision(database) == HEAD


def test_a_database_of_nobodys_is_not_begun_anew_by_itself(empty_url: str) -> None:
    with closing(open_database(empty_url)) as database:
        with pytest.raises(Conflict):
            bring_up(database, empty_url)
        assert revision(database) is None


def test_an_upgrade_gives_way_to_requests_and_they_to_it(
    postgres_databases: Databases, tmp_path: Path
) -> None:
    """A long reader holds a table: the upgrade lets others pass, and comes when it has gone."""
    url = postgres_databases.create_empty()
    migrate(url)
    scripts = next_release(tmp_path / "scripts")
    done = threading.Event()

    def change() -> None:
        upgrade(url, scripts=scripts)
        done.set()

    with psycopg.connect(url) as reader, closing(open_database(url)) as database:
        reader.execute(b"SELECT count(*) FROM resource")  # its transaction stays open
        thread = threading.Thread(target=change)
        thread.start()
        slowest, number = 0.0, 0
        until = time.monotonic() + 5
        while time.monotonic() < until:
            began = time.monotonic()
            with database.read() as tx:
                tx.one("SELECT count(*) FROM resource")
            slowest = max(slowest, time.monotonic() - began)
            number += 1
        assert not done.is_set()
        reader.rollback()
        thread.join(60)
    assert done.is_set() and number > 3
    assert slowest < 5, "nobody waits as long as the reader reads"
