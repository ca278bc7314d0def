"""In any history a release has exactly those who take part then and meet the criteria.

Random orders of joining, leaving, standing by, approving, waiting and releasing against the real
exchange, on both databases, beside a model of a few lines.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from itertools import count
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from simdes.errors import Conflict
from simdes.exchange.research import studies, taking_part
from simdes.exchange.research.releasing import release
from simdes.exchange.research.studies import Document
from simdes.research.policy import Policy, read_policy
from support import consortium, researching
from support.consortium import Clock, Consortium
from support.fhir_api import Api, application
from support.researching import DAY, Patient

VALUES = (7.1, 7.4, 8.0, 5.0)
LOW = 3
"""Whose result is below what the criteria want."""
STEPS = ("join",) * 4 + ("leave",) * 2 + ("release",) * 3 + ("judge", "wait")
Steps = list[tuple[str, int]]
_NUMBERS = count(1)


@dataclass
class Town:
    """A network, its people, and where packages go."""

    network: Consortium
    clock: Clock
    people: list[Patient]
    folder: Path


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def town(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Town]:
    """The hospital and the clinic on the database in turn."""
    folder, clock = tmp_path_factory.mktemp("histories"), Clock()
    databases = {}
    if request.param == "postgresql":
        create = request.getfixturevalue("postgres_databases").create
        databases = {name: create() for name in ("north", "south")}
    consortium.found(folder / "network", databases=databases)
    for name in ("north", "south", "east"):
        consortium.let_read(folder / "network" / name)
    with consortium.opened(folder / "network", clock=clock) as network:
        doctor = Api.of(network["north"], "dr.north", app=application(network["north"]))
        people = [
            researching.patient(network, doctor, f"history-{number}", value=value)
            for number, value in enumerate(VALUES)
        ]
        yield Town(network, clock, people, folder)


def pairs() -> Policy:
    """Safe Harbor for classes of two, as there are few patients."""
    file = resources.files("simdes.research").joinpath("policies/hipaa-safe-harbor.json")
    told = json.loads(file.read_bytes())
    told["anonymity"] |= {"k": 2, "l": 1, "class_at_least": 2}
    return read_policy(json.dumps(told).encode())


@dataclass
class History:
    """One study of a town, what was done, and who must be in a release now."""

    town: Town
    document: Document
    number: int
    inside: dict[int, bytes] = field(default_factory=dict)
    gone: set[bytes] = field(default_factory=set)
    approved: bool = True
    waited: int = 0

    @property
    def over(self) -> bool:
        return self.waited >= 2

    @property
    def expected(self) -> set[bytes]:
        return {tag for who, tag in self.inside.items() if who != LOW}

    def step(self, what: str, who: int) -> None:
        network, one = self.town.network, self.town.people[who]
        north = network["north"].node
        if what == "join" and who not in self.inside and not self.over:
            made = taking_part.opt_in(north, one.session, self.document, vault=one.vault)
            assert made.tag not in self.gone
            self.inside[who] = made.tag
        elif what == "join" and self.over:
            with pytest.raises(Conflict):
                taking_part.opt_in(north, one.session, self.document, vault=one.vault)
        elif what == "leave" and who in self.inside:
            study = studies.id_of(north, self.document)
            taking_part.withdraw(north, one.session, vault=one.vault, study=study)
            self.gone.add(self.inside.pop(who))
        elif what == "judge" and not self.over:
            judged = studies.retract if self.approved else studies.approve
            judged(north, network.session("north", "dr.north"), self.document)
            self.approved = not self.approved
        elif what == "wait":
            self.town.clock.ahead_seconds += DAY
            self.waited += 1
        elif what == "release":
            self.release()

    def release(self) -> None:
        network = self.town.network
        package = self.town.folder / f"{self.number}-{next(_NUMBERS)}.zip"
        session = network.session("south", "prof.ray")
        runs = self.approved and not self.over
        try:
            release(network["south"].node, session, self.document, pairs(), package)
        except Conflict:
            assert not runs or len(self.expected) < 2
            assert not package.exists()
            return
        assert runs
        with zipfile.ZipFile(package) as file:
            told = msgspec.json.decode(file.read("manifest.json"))
        assert {studies.octets(one) for one in told["members"]} == self.expected
        assert not self.expected & self.gone


@settings(max_examples=3, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, LOW)), min_size=6, max_size=12)
)
@example(
    steps=[
        *(("join", who) for who in range(4)),
        ("release", 0),
        ("leave", 1),
        ("release", 0),
        ("judge", 0),
        ("release", 0),
        ("judge", 0),
        ("join", 1),
        ("wait", 0),
        ("release", 0),
        ("wait", 0),
        ("release", 0),
        ("join", 2),
    ]
)
def test_a_release_has_exactly_those_who_take_part_then(town: Town, steps: Steps) -> None:
    number = next(_NUMBERS)
    ends = town.network["south"].node.now_seconds() + 2 * DAY - 60
    document = researching.running(town.network, title=f"History {number}", ends=ends)
    history = History(town, document, number)
    for what, who in [*steps, ("release", 0)]:
        history.step(what, who)
    for who in list(history.inside):
        history.step("leave", who)
