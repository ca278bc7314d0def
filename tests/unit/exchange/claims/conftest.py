"""A hospital that claims, an insurer that pays, a patient; workers go on when a test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from simdes.crypto.oprf_forms import Key
from simdes.exchange.claims import fingerprint_keys
from support import consortium
from support.claim_scene import Visit, declare
from support.consortium import Clock, Consortium
from support.fhir_api import Api, application
from support.insured import CUSTODIANS, make_key

_NUMBERS = count(1)
INSURERS = ("east", "vale")
MEMBERS = ("north", "south", *INSURERS)


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Consortium, Clock, Path]]:
    """Opened organisations, with a tariff, a plan and what the insurer declared."""
    folder, clock = tmp_path_factory.mktemp("claims") / "network", Clock()
    consortium.found(folder, names=MEMBERS)
    for name in MEMBERS:
        consortium.let_read(folder / name)
    declare(folder, INSURERS)
    consortium.write_mails(folder / "north")
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


Visiting = Callable[..., Visit]


@pytest.fixture
def visiting(network: Consortium, clock: Clock, doctor: Api) -> Visiting:
    """Make a patient with an account and a finished encounter that costs something."""

    def make(**others: object) -> Visit:
        made = Visit.of(network, clock, doctor, f"claim-{next(_NUMBERS)}", **others)  # type: ignore[arg-type]
        made.enrol()
        return made

    return make


@pytest.fixture
def visit(network: Consortium, clock: Clock, doctor: Api) -> Visit:
    """A patient with a finished encounter that costs something."""
    return Visit.of(network, clock, doctor, f"claim-{next(_NUMBERS)}")


@pytest.fixture(scope="session")
def insured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Consortium, Clock]]:
    """A network with three custodians of fingerprints and two insurers, and its clock."""
    folder, clock = tmp_path_factory.mktemp("insured") / "network", Clock()
    consortium.found(folder, names=(*CUSTODIANS, "east", "dale"))
    with consortium.opened(folder, clock=clock) as network:
        yield network, clock


@pytest.fixture(scope="session")
def key(insured: tuple[Consortium, Clock]) -> Key:
    """A key of fingerprints that two of the three custodians use together, in use at insurers."""
    network, _ = insured
    made = make_key(network)
    for insurer in ("east", "dale"):
        fingerprint_keys.adopt(network[insurer].node, made.encode())
    return made
