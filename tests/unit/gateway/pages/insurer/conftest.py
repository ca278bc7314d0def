"""A claim between a hospital, an insurer and a patient, each with a browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from support import consortium
from support.claim_scene import Visit, declare
from support.consortium import Clock, Consortium
from support.fhir_api import Api, application
from support.pages import Visitor

_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Desk:
    """The network of the claims, and how browsers come by their gateways."""

    network: Consortium
    clock: Clock
    doctor: Api
    north: object
    east: object

    def visit(self) -> Visit:
        """A patient whose finished encounter costs something, with an account."""
        made = Visit.of(self.network, self.clock, self.doctor, f"desk-{next(_NUMBERS)}")
        made.enrol()
        made.work()
        made.work()
        return made

    def patient(self, visit: Visit) -> Visitor:
        """The patient's browser."""
        visitor = Visitor(self.north)  # type: ignore[arg-type]
        assert visitor.sign_in(f"p.{visit.number}").headers["location"] == "/home"
        return visitor

    def clerk(self) -> Visitor:
        """The browser of the insurer's clerk."""
        visitor = Visitor(self.east)  # type: ignore[arg-type]
        assert visitor.sign_in("clerk.poe").headers["location"] == "/home"
        return visitor


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Opened organisations, with a tariff, a plan and what the insurer declared."""
    folder, clock = tmp_path_factory.mktemp("desk") / "network", Clock()
    consortium.found(folder, names=("north", "south", "east"))
    for name in ("north", "south", "east"):
        consortium.let_read(folder / name)
    declare(folder)
    with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:
        north, east = application(network["north"]), application(network["east"])
        doctor = Api.of(network["north"], "dr.north", app=north)
        yield Desk(network, clock, doctor, north, east)
