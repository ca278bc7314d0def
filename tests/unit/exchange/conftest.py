"""A network whose hospital has a quarantine, on SQLite and PostgreSQL in turn."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from support import consortium
from support.consortium import Clock, Consortium

_NUMBERS = count(1000)


@pytest.fixture
def who() -> str:
    """The record number of a patient that no other test is about."""
    return f"w{next(_NUMBERS)}"


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def founded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Consortium, Clock]]:
    """Opened organisations, north's database of the kind in turn."""
    folder, clock = tmp_path_factory.mktemp("founded") / "network", Clock()
    databases = {}
    if request.param == "postgresql":
        databases["north"] = request.getfixturevalue("postgres_databases").create()
    consortium.found(folder, databases=databases)
    with consortium.opened(folder, clock=clock) as network:
        yield network, clock


@pytest.fixture
def clock(founded: tuple[Consortium, Clock]) -> Clock:
    """The network's clock, which goes on from wherever a test moves it."""
    return founded[1]


@pytest.fixture
def network(founded: tuple[Consortium, Clock]) -> Consortium:
    """The network with an empty quarantine at north."""
    with founded[0]["north"].node.database.transaction() as tx:
        tx.run("DELETE FROM quarantine_action")
        tx.run("DELETE FROM quarantine")
    return founded[0]
