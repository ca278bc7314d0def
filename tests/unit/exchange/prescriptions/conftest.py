"""A hospital, two pharmacies and a patient; the hospital's worker issues when a test says so."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from starlette.applications import Starlette

from support import consortium
from support.consortium import Clock, Consortium
from support.fhir_api import Api, application
from support.prescribing import Ward

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Consortium, Clock]]:
    """Opened organisations."""
    folder, clock = tmp_path_factory.mktemp("prescriptions") / "network", Clock()
    consortium.found(folder, names=("north", "west", "cove"))
    for name in ("north", "west", "cove"):
        consortium.let_read(folder / name)
    with consortium.opened(folder, clock=clock) as network:
        yield network, clock


@pytest.fixture
def clock(founded: tuple[Consortium, Clock]) -> Clock:
    """The network's clock, which goes on from wherever a test moves it."""
    return founded[1]


@pytest.fixture
def network(founded: tuple[Consortium, Clock]) -> Consortium:
    """The network."""
    return founded[0]


@pytest.fixture(scope="session")
def north(founded: tuple[Consortium, Clock]) -> Starlette:
    """The gateway of the hospital."""
    return application(founded[0]["north"])


@pytest.fixture(scope="session")
def doctor(founded: tuple[Consortium, Clock], north: Starlette) -> Api:
    """A doctor of the hospital."""
    return Api.of(founded[0]["north"], "dr.north", app=north)


@pytest.fixture
def ward(network: Consortium, clock: Clock, doctor: Api) -> Ward:
    """A patient whom no other test is about, with a doctor at hand."""
    return Ward.of(network, clock, doctor, f"rx-{next(_NUMBERS)}")
