"""A destroyed key's bytes leave an SQLite file at once, the log of commits included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.index_rows import vault
from simdes.index import vaults
from simdes.index.database import Database, open_database
from simdes.index.migrations import migrate

KEY = b"a wrapped key that nobody may find again"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "simdes.sqlite"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    """A database with a vault whose key is in the file, and another commit behind it."""
    migrate(f"sqlite:{path}")
    opened = open_database(f"sqlite:{path}")
    with opened.transaction() as tx:
        vaults.add(tx, replace(vault(), key_wrapped=KEY))
    with opened.transaction() as tx:
        tx.run(
            "INSERT INTO checkpoint (name, block_number, block_hash) VALUES ('a', 1, zeroblob(32))"
        )
    yield opened
    opened.close()


def holding(path: Path) -> list[str]:
    """Which of the database's files hold the key."""
    return sorted(one.name for one in path.parent.iterdir() if KEY in one.read_bytes())


def erase(database: Database) -> None:
    with database.transaction() as tx:
        vaults.erase(tx, vault().tag)


def test_a_destroyed_key_is_in_no_file_while_the_database_is_open(
    database: Database, path: Path
) -> None:
    assert holding(path)
    erase(database)
    assert holding(path) == []


def test_who_reads_meanwhile_delays_it_to_the_next_commit(database: Database, path: Path) -> None:
    with database.read() as tx:
        assert vaults.get(tx, vault().tag)
        erase(database)
        assert holding(path), "the reader still sees what was there"
    with database.transaction() as tx:
        tx.run("UPDATE checkpoint SET block_number = 2")
    assert holding(path) == []


def test_a_process_that_ended_in_between_is_made_good_when_it_is_opened_again(
    database: Database, path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with database.read() as tx:
        assert vaults.get(tx, vault().tag)
        erase(database)
        killed = tmp_path_factory.mktemp("killed")  # what a power cut would leave
        for one in path.parent.glob("simdes.sqlite*"):
            (killed / one.name).write_bytes(one.read_bytes())
    assert holding(killed / path.name)
    again = open_database(f"sqlite:{killed / path.name}")
    try:
        assert holding(killed / path.name) == []
    finally:
        again.close()
