"""Fixtures that any test may use: real databases, and the tests' own shared modules on the path.

SIMDES_DATABASE_URL points them at a PostgreSQL server of yours (with the right to create
databases); otherwise one is started for the session.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from simdes.index.database import Database, open_database
from simdes.index.migrations import migrate

sys.path.insert(0, str(Path(__file__).parent))  # so that `from adapters.postgres import ...` works

from adapters.postgres import Databases, running_postgres
from support import acceptance, kubo, nginx

# The same examples each time, and none of them fails because the machine is busy.
settings.register_profile(
    "simdes",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("simdes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave slow acceptance suites to `make accept`, and what needs IPFS nodes to `make kubo`."""
    acceptance.choose(config, items)
    kubo.choose(config, items)
    nginx.choose(config, items)


@pytest.fixture(autouse=True)
def _log_of_its_own() -> Iterator[None]:
    """What a test makes of the log, as every program does, is not the next one's."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a real PostgreSQL server's maintenance database."""
    configured = os.environ.get("SIMDES_DATABASE_URL", "")
    if configured.startswith("postgres"):
        yield configured
        return
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_databases(postgres_url: str) -> Iterator[Databases]:
    """Makes PostgreSQL databases: ``create()`` with the newest schema, ``create_empty()``."""
    databases = Databases(postgres_url, migrate)
    yield databases
    if os.environ.get("SIMDES_DATABASE_URL"):  # ours vanishes as a whole, which is much quicker
        databases.drop_all()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("template") / "index.db"
    migrate(f"sqlite:{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a fresh database with the newest schema; each test runs on SQLite and PostgreSQL."""
    if request.param == "postgresql":
        databases: Databases = request.getfixturevalue("postgres_databases")
        url = databases.create()
        yield url
        databases.give_back(url)
        return
    path = tmp_path / "index.db"
    shutil.copyfile(request.getfixturevalue("migrated_sqlite"), path)
    yield f"sqlite:{path}"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database with the newest schema, SQLite and PostgreSQL in turn."""
    opened = open_database(database_url)
    yield opened
    opened.close()
