"""In any history a release has exactly those who take part then and meet the criteria.

Random orders of joining, leaving, standing by (and no longer), approving, waiting and releasing
against the real exchange, on both databases, beside a model of a few lines.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from simdes.errors import Conflict
from simdes.exchange.following import known_consents
from simdes.exchange.research import studies, taking_part
from simdes.exchange.research.releasing import release
from simdes.exchange.research.studies import Document
from support import consortium, researching
from support.consortium import Clock, Consortium
from support.fhir_api import Api, application
from support.researching import DAY, Patient

VALUES = (7.1, 7.4, 8.0, 5.0)
LOW = 3
"""Whose result is below what the criteria want."""
STEPS = (
    *("join",) * 4,
    *("leave",) * 2,
    *("release",) * 3,
    *("prefer",) * 3,
    *("tire", "elsewhere", "judge", "wait"),
)
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


@dataclass
class History:
    """One study of a town, what was done, and who must be in a release now."""

    town: Town
    document: Document
    number: int
    inside: dict[int, bytes] = field(default_factory=dict)
    standing: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    """Who stands by: under which tag in this study, and since how many days."""
    gone: set[bytes] = field(default_factory=set)
    approved: bool = True
    waited: int = 0

    @property
    def over(self) -> bool:
        return self.waited >= 2

    @property
    def expected(self) -> list[set[bytes]]:
        """Those who must be in a release now, each by the tags that they may be in it under."""
        tags: defaultdict[int, set[bytes]] = defaultdict(set)
        for who, tag in self.inside.items():
            tags[who].add(tag)
        for who, (tag, since) in self.standing.items():
            if since == self.waited:
                tags[who].add(tag)
        tags.pop(LOW, None)
        return list(tags.values())

    @property
    def study(self) -> bytes:
        return studies.id_of(self.town.network["north"].node, self.document)

    def stand_by(self, who: int, area: str) -> bytes:
        """Prefer an area of research for most of a day; under which tag in this study that is."""
        one, north = self.town.people[who], self.town.network["north"].node
        made = taking_part.prefer(
            north,
            one.session,
            vault=one.vault,
            sponsor=self.town.network["south"].node.organisation,
            area=area,
            categories=("demographics", "observations"),
            valid_seconds=DAY - 3_600,
        )
        north.following.catch_up()
        known = [each.consent for each in known_consents(north.desk, one.vault)]
        [consent] = [each for each in known if each.handle == made.handle]
        return taking_part.tag_in(north, consent, self.study)

    def tire(self, who: int) -> None:
        """Stand by no longer, for any study of the area."""
        one, south = self.town.people[who], self.town.network["south"].node
        group = south.contracts.studies.group_of(
            sponsor=south.organisation, area=studies.area_of(self.document.area)
        )
        north = self.town.network["north"].node
        taking_part.withdraw(north, one.session, vault=one.vault, study=group)
        self.gone.add(self.standing.pop(who)[0])

    def leave(self, who: int) -> None:
        """Leave this study, however it was that one took part."""
        one, north = self.town.people[who], self.town.network["north"].node
        taking_part.withdraw(north, one.session, vault=one.vault, study=self.study)
        self.gone.update([self.inside.pop(who)] if who in self.inside else [])
        self.gone.update([self.standing.pop(who)[0]] if who in self.standing else [])

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
        elif what == "prefer" and who not in self.standing:
            self.standing[who] = (self.stand_by(who, self.document.area), self.waited)
        elif what == "elsewhere":
            self.gone.add(self.stand_by(who, f"{self.document.area}, but not this one"))
        elif what == "tire" and who in self.standing:
            self.tire(who)
        elif what == "leave" and (who in self.inside or who in self.standing):
            self.leave(who)
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
            release(network["south"].node, session, self.document, researching.pairs(), package)
        except Conflict:
            assert not runs or len(self.expected) < 2
            assert not package.exists()
            return
        assert runs
        with zipfile.ZipFile(package) as file:
            told = msgspec.json.decode(file.read("manifest.json"))
        members = {studies.octets(one) for one in told["members"]}
        assert len(members) == len(told["members"]) == len(self.expected)
        assert all(len(members & tags) == 1 for tags in self.expected)
        assert not members & self.gone


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
@example(
    steps=[
        *(("prefer", who) for who in range(4)),
        ("release", 0),
        ("leave", 0),
        ("join", 1),
        ("release", 0),
        ("tire", 1),
        ("elsewhere", 0),
        ("release", 0),
        ("prefer", 0),
        ("release", 0),
        ("wait", 0),
        ("release", 0),
        ("join", 2),
        ("release", 0),
    ]
)
def test_a_release_has_exactly_those_who_take_part_then(town: Town, steps: Steps) -> None:
    number = next(_NUMBERS)
    ends = town.network["south"].node.now_seconds() + 2 * DAY - 60
    title, area = f"History {number}", f"area {number}"
    document = researching.running(town.network, title=title, area=area, ends=ends)
    history = History(town, document, number)
    for what, who in [*steps, ("release", 0)]:
        history.step(what, who)
    for who in {*history.inside, *history.standing}:
        history.leave(who)
