"""A hospital that claims, an insurer that pays, a patient; workers go on when a test says so."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from support import consortium
from support.claim_scene import Visit, declare
from support.consortium import Clock, Consortium
from support.fhir_api import Api, application

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Consortium, Clock, Path]]:
    """Opened organisations, with a tariff, a plan and what the insurer declared."""
    folder, clock = tmp_path_factory.mktemp("claims") / "network", Clock()
    consortium.found(folder, names=("north", "south", "east"))
    for name in ("north", "south", "east"):
        consortium.let_read(folder / name)
    declare(folder)
    with consortium.opened(folder, clock=clock) as network:
        yield network, clock, folder


@pytest.fixture
def network(founded: tuple[Consortium, Clock, Path]) -> Consortium:
    """The network."""
    return founded[0]


@pytest.fixture
def clock(founded: tuple[Consortium, Clock, Path]) -> Clock:
    """Its clock."""
    return founded[1]


@pytest.fixture(scope="session")
def doctor(founded: tuple[Consortium, Clock, Path]) -> Api:
    """A doctor of the hospital, over FHIR."""
    network = founded[0]
    return Api.of(network["north"], "dr.north", app=application(network["north"]))


@pytest.fixture
def visit(network: Consortium, clock: Clock, doctor: Api) -> Visit:
    """A patient with a finished encounter that costs something."""
    return Visit.of(network, clock, doctor, f"claim-{next(_NUMBERS)}")
