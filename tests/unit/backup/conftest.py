"""North on SQLite and on PostgreSQL, to be backed up, lost and restored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.postgres import Databases
from support.backups import Stage, found, staged


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network on SQLite."""
    folder = tmp_path_factory.mktemp("backup") / "network"
    found(folder, {})
    return folder


@pytest.fixture(scope="session")
def postgresql_template(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str
) -> Iterator[tuple[Path, Databases]]:
    """The network with north on PostgreSQL, and databases that are copies of north's."""
    folder = tmp_path_factory.mktemp("backup-pg") / "network"
    databases = Databases(postgres_url, lambda url: found(folder, {"north": url}))
    yield folder, databases
    databases.drop_all()


@pytest.fixture
def stage(sqlite_template: Path, tmp_path: Path) -> Stage:
    """North on SQLite."""
    return staged(sqlite_template, tmp_path, {})


@pytest.fixture(params=["sqlite", "postgresql"])
def each_stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    """North on SQLite, then on PostgreSQL."""
    if request.param == "sqlite":
        return staged(request.getfixturevalue("sqlite_template"), tmp_path, {})
    template, databases = request.getfixturevalue("postgresql_template")
    one = staged(template, tmp_path, {"north": databases.create()})
    one.empty_database = databases.create_empty
    return one
