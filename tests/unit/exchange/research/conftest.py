"""A hospital and a clinic that does research, an insurer to keep shares, and their people."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support import consortium
from support.consortium import Clock, Consortium
from support.fhir_api import Api, application


@pytest.fixture(scope="session")
def researched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Consortium, Clock]]:
    """Opened organisations."""
    folder, clock = tmp_path_factory.mktemp("research") / "network", Clock()
    consortium.found(folder)
    for name in ("north", "south", "east"):
        consortium.let_read(folder / name)
    with consortium.opened(folder, clock=clock) as network:
        yield network, clock


@pytest.fixture
def clock(researched: tuple[Consortium, Clock]) -> Clock:
    """The network's clock, which goes on from wherever a test moves it."""
    return researched[1]


@pytest.fixture
def network(researched: tuple[Consortium, Clock]) -> Consortium:
    """The network."""
    return researched[0]


@pytest.fixture(scope="session")
def doctor(researched: tuple[Consortium, Clock]) -> Api:
    """A doctor of the hospital."""
    one = researched[0]["north"]
    return Api.of(one, "dr.north", app=application(one))
