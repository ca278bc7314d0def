"""A gateway with an authorization server, and an app that people use it with."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from starlette.applications import Starlette

from simdes.gateway.app import create_gateway
from support import consortium
from support.consortium import Clock, Consortium
from support.smart import Asking, register

_NUMBERS = count(5000)


@pytest.fixture
def who() -> str:
    """The record number of a patient that no other test is about."""
    return f"g{next(_NUMBERS)}"


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Consortium, Clock]]:
    """Opened organisations with a clock that may be moved."""
    folder, clock = tmp_path_factory.mktemp("smart") / "network", Clock()
    consortium.found(folder)
    with consortium.opened(folder, clock=clock) as network:
        yield network, clock


@pytest.fixture
def network(founded: tuple[Consortium, Clock]) -> Consortium:
    """The organisations."""
    return founded[0]


@pytest.fixture
def clock(founded: tuple[Consortium, Clock]) -> Clock:
    """The network's clock, which goes on from wherever a test moves it."""
    return founded[1]


@pytest.fixture
def app(network: Consortium) -> Starlette:
    """North's gateway."""
    return create_gateway(network["north"].custody, node=network["north"].node)


@pytest.fixture
def asking(network: Consortium, who: str) -> Asking:
    """A public app at north."""
    return register(network["north"].node, f"app-{who}")
