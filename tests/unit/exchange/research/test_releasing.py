"""Who is in a release: those who take part and meet the criteria, while the study runs."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import pytest

from simdes.access.asking import Because, ask
from simdes.access.categories import Purpose
from simdes.access.evidence import verify_audit_proof
from simdes.access.messages import ReleasedBody
from simdes.access.requests import hexed
from simdes.access.trails import DIFFERENT, MISSING
from simdes.crypto.digest import sha256
from simdes.crypto.keys import recover
from simdes.errors import (
    Conflict,
    Forbidden,
    NotFound,
    SimdesError,
    Tampered,
    TooLarge,
    Unavailable,
)
from simdes.exchange import logbook, retrieve
from simdes.exchange.research import entered as entering
from simdes.exchange.research import opening, releasing, studies, taking_part, telling
from simdes.exchange.research.releasing import Released, release
from simdes.exchange.research.studies import Document
from simdes.ledger.contracts import members_digest
from support import researching
from support.consortium import Clock, Consortium
from support.fhir_api import Api
from support.researching import DAY, Patient


@pytest.fixture(scope="module")
def people(researched: tuple[Consortium, Clock], doctor: Api) -> list[Patient]:
    """Three who meet the criteria, and one whose result is too low."""
    network = researched[0]
    return [
        researching.patient(network, doctor, f"release-{number}", value=value)
        for number, value in enumerate((7.1, 7.4, 8.0, 5.0))
    ]


def made(network: Consortium, document: Document, package: Path) -> Released:
    session = network.session("south", "prof.ray")
    return release(
        network["south"].node, session, document, researching.pairs(), package, tables=("csv",)
    )


def join(network: Consortium, document: Document, who: Patient) -> bytes:
    north = network["north"].node
    return taking_part.opt_in(north, who.session, document, vault=who.vault).tag


def leave(network: Consortium, document: Document, who: Patient) -> None:
    north = network["north"].node
    study = studies.id_of(north, document)
    taking_part.withdraw(north, who.session, vault=who.vault, study=study)


def members_of(package: Path) -> list[bytes]:
    with zipfile.ZipFile(package) as file:
        told = msgspec.json.decode(file.read("manifest.json"))
    return [studies.octets(one) for one in told["members"]]


def test_those_who_take_part_and_meet_the_criteria_are_released(
    network: Consortium, people: list[Patient], tmp_path: Path
) -> None:
    document = researching.running(network, title="Released")
    south, ray = network["south"].node, network.session("south", "prof.ray")
    tags = [join(network, document, one) for one in people]
    first = made(network, document, tmp_path / "first.zip")
    assert (first.number, first.members) == (1, 3), "the fourth doesn't meet the criteria"
    assert members_of(first.package) == sorted(tags[:3])
    recorded = south.contracts.studies.release(first.study, 1)
    assert recorded is not None
    assert recorded.members == members_digest(tags[:3])
    assert recorded.policy == researching.pairs().digest

    opened = opening.open_release(
        south, ray, document, first.package, tmp_path / "opened", accepts=True
    )
    content = b"".join(path.read_bytes() for path in opened.files)
    assert {path.name for path in opened.files} >= {"Patient.ndjson"}
    assert any(path.suffix == ".csv" for path in opened.files)
    for number in range(4):
        assert f"release-{number}".encode() not in content
    for one in people:
        assert one.vault.hex().encode() not in content
    accepted = json.loads((tmp_path / "opened" / opening.ACCEPTED).read_bytes())
    digest = opening.acceptance_digest(first.study, 1, studies.octets(accepted["terms"]))
    assert recover(digest, studies.octets(accepted["signature"])) == ray.actor.address

    leave(network, document, people[0])
    second = made(network, document, tmp_path / "second.zip")
    assert (second.number, members_of(second.package)) == (2, sorted(tags[1:3]))
    [told] = [
        one
        for one in taking_part.listed(network["north"].node, people[0].vault)
        if one.tag == tags[0]
    ]
    assert told.withdrawn
    assert told.releases == (1,), "what was released before is told"

    leave(network, document, people[1])
    with pytest.raises(Conflict, match="Nobody is left"):
        made(network, document, tmp_path / "third.zip")
    assert not (tmp_path / "third.zip").exists()


def test_who_stands_by_is_released_under_a_tag_of_the_study(
    network: Consortium, people: list[Patient], tmp_path: Path
) -> None:
    north, south = network["north"].node, network["south"].node
    area = "hearts"
    for one in people[:3]:
        taking_part.prefer(
            north,
            one.session,
            vault=one.vault,
            sponsor=south.organisation,
            area=area,
            categories=("demographics", "observations"),
        )
    one = researching.running(network, title="First of hearts", area=area)
    two = researching.running(network, title="Second of hearts", area=area)
    leave(network, two, people[0])
    first = made(network, one, tmp_path / "one.zip")
    second = made(network, two, tmp_path / "two.zip")
    assert (first.members, second.members) == (3, 2)
    assert not set(members_of(first.package)) & set(members_of(second.package))
    for who in people[:3]:
        leaving = south.contracts.studies.group_of(
            sponsor=south.organisation, area=studies.area_of(area)
        )
        taking_part.withdraw(north, who.session, vault=who.vault, study=leaving)


def test_nothing_is_released_without_approval_or_after_the_end(
    network: Consortium, clock: Clock, people: list[Patient], tmp_path: Path
) -> None:
    south, north = network["south"].node, network["north"].node
    ends = south.now_seconds() + DAY
    document = researching.document(network, title="Bounds", ends=ends)
    studies.register(south, network.session("south", "prof.ray"), document)
    for one in people[:2]:
        join(network, document, one)
    with pytest.raises(Conflict, match="not approved"):
        made(network, document, tmp_path / "early.zip")
    studies.approve(north, network.session("north", "dr.north"), document)
    assert made(network, document, tmp_path / "in-time.zip").members == 2
    studies.retract(north, network.session("north", "dr.north"), document)
    with pytest.raises(Conflict, match="not approved"):
        made(network, document, tmp_path / "retracted.zip")
    studies.approve(north, network.session("north", "dr.north"), document)
    clock.ahead_seconds += DAY + 60
    with pytest.raises(Conflict, match="is over"):
        made(network, document, tmp_path / "late.zip")


def test_a_release_opens_to_its_researchers_with_its_terms_and_in_time(
    network: Consortium, clock: Clock, people: list[Patient], tmp_path: Path
) -> None:
    document = researching.running(network, title="Opened")
    for one in people[:2]:
        join(network, document, one)
    south, ray = network["south"].node, network.session("south", "prof.ray")
    package = tmp_path / "release.zip"
    release(south, ray, document, researching.pairs(), package, kept_seconds=DAY)

    def opens(who: str = "prof.ray", *, into: str, accepts: bool = True) -> opening.Opened:
        session = network.session("south", who)
        return opening.open_release(
            south, session, document, package, tmp_path / into, accepts=accepts
        )

    with pytest.raises(Forbidden, match="terms"):
        opens(into="a", accepts=False)
    with pytest.raises(Forbidden, match="researcher"):
        opens("dr.lee", into="b")
    opens(into="c")
    with pytest.raises(Conflict, match="not empty"):
        opens(into="c")
    with pytest.raises(NotFound):
        opening.open_release(
            south, ray, document, tmp_path / "none.zip", tmp_path / "d", accepts=True
        )
    for number, name in enumerate(("manifest.json", "release.json", "sealed/")):
        package.write_bytes(_spoiled(package, name))
        with pytest.raises(SimdesError) as error:
            opens(into=f"spoiled-{number}")
        assert isinstance(error.value, Tampered), name
        package.write_bytes((tmp_path / "kept.zip").read_bytes())
    clock.ahead_seconds += DAY + 60
    with pytest.raises(Conflict, match="time is over"):
        opens(into="late")


def _spoiled(package: Path, start: str) -> bytes:
    """The package with one entry changed; as it was is kept beside it."""
    kept = package.with_name("kept.zip")
    shutil.copyfile(package, kept)
    target = package.with_name("spoiled.zip")
    with zipfile.ZipFile(kept) as old, zipfile.ZipFile(target, "w") as new:
        done = False
        for name in old.namelist():
            content = old.read(name)
            if name.startswith(start) and not done:
                done = True
                content = (
                    content.replace(b'"numbers":[', b'"numbers":[9')
                    if name.endswith(".json")
                    else (content[:-1] + bytes([content[-1] ^ 1]))
                )
                content = content.replace(b'"v":1', b'"v":2')
            new.writestr(name, content)
    return target.read_bytes()


def test_a_release_of_many_is_recorded_in_parts_that_opening_compares(
    network: Consortium, people: list[Patient], tmp_path: Path
) -> None:
    document = researching.running(network, title="Many")
    tags = sorted(join(network, document, one) for one in people[:3])
    south, ray = network["south"].node, network.session("south", "prof.ray")
    with mock.patch.object(releasing, "MOST_MEMBERS", 2):
        whole = made(network, document, tmp_path / "many.zip")
        assert (whole.numbers, whole.members) == ((1, 2), 3)
        recorded = [south.contracts.studies.release(whole.study, one) for one in (1, 2)]
        assert [one.members for one in recorded if one] == [
            members_digest(tags[:2]),
            members_digest(tags[2:]),
        ]
        opened = opening.open_release(
            south, ray, document, whole.package, tmp_path / "opened", accepts=True
        )
    assert opened.number == 1
    with pytest.raises(Tampered):  # parts that were not recorded so
        opening.open_release(south, ray, document, whole.package, tmp_path / "no", accepts=True)
    found = told_of(network, people[0], whole.manifest)
    assert {one.observer for one in found} >= {south.organisation}


def told_of(network: Consortium, who: Patient, manifest: bytes) -> list[logbook.Logged]:
    log = logbook.read_log(network["north"].node, who.session, vault=who.vault)
    assert not log.silent
    digest = sha256(manifest)
    return [one for one in log.entries if one.verb == "released" and one.records == (digest,)]


def test_a_patient_elsewhere_finds_the_release_in_every_custodians_trail(
    network: Consortium, clock: Clock, people: list[Patient], tmp_path: Path
) -> None:
    began_ms = network["south"].node.now_ms()
    document = researching.running(network, title="In every trail")
    for one in people[:3]:
        join(network, document, one)
    leave(network, document, people[0])
    whole = made(network, document, tmp_path / "entered.zip")
    network.settle()
    clock.ahead_seconds += 3_600  # old enough for trails to be held against each other
    members = {network[name].node.organisation for name in ("north", "south", "east")}
    for one in people[1:3]:
        found = told_of(network, one, whole.manifest)
        assert {entry.observer for entry in found} == members, "sponsor and both other custodians"
        for entry in found:
            assert (entry.role, entry.purpose, entry.granted) == ("researcher", "HRESCH", True)
            assert entry.organisation == network["south"].node.organisation
            assert entry.anchored
            verified = verify_audit_proof(entry.proof, network["north"].node.contracts)
            assert verified.entry.attempt.vault == one.vault
        log = logbook.read_log(network["north"].node, one.session, vault=one.vault)
        assert not [doubt for doubt in log.doubts if doubt.time_ms >= began_ms]
    assert told_of(network, people[0], whole.manifest) == []


def test_a_sponsor_that_hides_a_release_is_found_by_what_custodians_show(
    network: Consortium, clock: Clock, people: list[Patient], tmp_path: Path
) -> None:
    began_ms = network["south"].node.now_ms()
    document = researching.running(network, title="Hidden")
    for one in people[:2]:
        join(network, document, one)
    with mock.patch.object(releasing, "_on_record"):
        made(network, document, tmp_path / "hidden.zip")
    network.settle()
    clock.ahead_seconds += 3_600
    who = people[0]
    log = logbook.read_log(network["north"].node, who.session, vault=who.vault)
    south = network["south"].node.organisation
    found = [one for one in log.doubts if one.time_ms >= began_ms]
    assert {(one.kind, one.organisations) for one in found} <= {
        (MISSING, (south,)),
        (DIFFERENT, (south,)),
    }
    assert {one.by for one in found} == {
        network[name].node.organisation for name in ("north", "east")
    }


def test_custodians_enter_a_release_that_the_ledger_has_and_no_other(
    network: Consortium, people: list[Patient], tmp_path: Path
) -> None:
    document = researching.running(network, title="Entered")
    tags = [join(network, document, one) for one in people[:3]]
    south, told = network["south"].node, []
    with mock.patch.object(releasing, "tell", lambda *_, **named: told.append(named)):
        whole = made(network, document, tmp_path / "entered.zip")
    [named] = told
    north = network["north"].node.organisation
    consents = list(named["released"].values())

    def says(who: str = "prof.ray", of: str = "south", **changed: Any) -> None:
        given = {
            "study": hexed(whole.study),
            "number": 1,
            "members": [hexed(tag) for tag in tags],
            "patients": [Because(Purpose.HRESCH, consents[0]).basis(consents[0].vault)],
        }
        asked = ReleasedBody(**(given | changed))
        ask(network[of].node.caller(network.session(of, who).key), north, "released", asked)

    basis = Because(Purpose.HRESCH, consents[0]).basis(consents[0].vault)
    others = Because(Purpose.HRESCH, consents[0]).basis(consents[1].vault)
    refused: list[tuple[str, dict[str, Any]]] = [
        ("WRONG_ROLE", {"who": "dr.lee"}),
        ("NOT_SPONSOR", {"study": "0x" + "ab" * 32}),
        ("NOT_RELEASED", {"number": 2}),
        ("NOT_RELEASED", {"members": [hexed(tag) for tag in tags[:2]]}),
        ("NOT_RELEASED", {"patients": [basis, others]}),
        ("NOT_RELEASED", {"patients": [msgspec.structs.replace(basis, salt="0x" + "cd" * 32)]}),
    ]
    for reason, changed in refused:
        with pytest.raises(Forbidden, match=reason):
            says(**changed)
    log = logbook.read_log(network["north"].node, people[0].session, vault=people[0].vault)
    mine = [one for one in log.entries if one.records == (sha256(whole.manifest),)]
    assert [one.observer for one in mine] == [south.organisation], "only the sponsor's own"
    says()
    log = logbook.read_log(network["north"].node, people[0].session, vault=people[0].vault)
    mine = [one for one in log.entries if one.records == (sha256(whole.manifest),)]
    assert {one.observer for one in mine} >= {south.organisation}


@dataclass(frozen=True, slots=True)
class Telling:
    """A release of some patients that custodians were not told of yet."""

    network: Consortium
    people: list[Patient]
    whole: Released
    body: ReleasedBody

    @classmethod
    def of(cls, network: Consortium, people: list[Patient], folder: Path, *, title: str) -> Telling:
        document = researching.running(network, title=title)
        tags = [join(network, document, one) for one in people]
        told: list[dict[str, Any]] = []
        with mock.patch.object(releasing, "tell", lambda *_, **named: told.append(named)):
            whole = made(network, document, folder / "once.zip")
        consents = {one.vault: one for one in told[0]["released"].values()}
        bases = [Because(Purpose.HRESCH, consents[one.vault]).basis(one.vault) for one in people]
        members = [hexed(one) for one in tags]
        asked = ReleasedBody(study=hexed(whole.study), number=1, members=members, patients=bases)
        return cls(network, people, whole, asked)

    def entered(self) -> list[int]:
        """How many entries of it each patient's log has at hospital north."""
        north, manifest = self.network["north"].node, (sha256(self.whole.manifest),)
        logs = [north.desk.trail.entries(north.database, vault=one.vault) for one in self.people]
        return [sum(e.attempt.records == manifest for _, e in each) for each in logs]

    def says(self, *patients: int) -> None:
        """Tell hospital north of these of them."""
        south = self.network["south"].node
        caller = south.caller(self.network.session("south", "prof.ray").key)
        named = [self.body.patients[one] for one in patients]
        asked = msgspec.structs.replace(self.body, patients=named)
        ask(caller, self.network["north"].node.organisation, "released", asked)


def test_a_release_that_is_told_again_is_entered_once_for_each_patient(
    network: Consortium, people: list[Patient], tmp_path: Path
) -> None:
    told = Telling.of(network, people[:2], tmp_path, title="Entered once")
    told.says(0)
    assert told.entered() == [1, 0]
    told.says(0, 0, 1)
    assert told.entered() == [1, 1]
    told.says(0, 1)
    assert told.entered() == [1, 1]


def test_a_release_that_is_told_twice_at_once_is_entered_once_for_each_patient(
    network: Consortium, people: list[Patient], tmp_path: Path
) -> None:
    told = Telling.of(network, people[:2], tmp_path, title="Entered once at once")
    inner = entering._is_entered

    def meanwhile(*given: Any) -> bool:
        looking.stop()
        found = inner(*given)
        told.says(0, 1)
        return found

    looking = mock.patch.object(entering, "_is_entered", meanwhile)
    looking.start()
    told.says(0, 1)
    assert told.entered() == [1, 1]


def test_custodians_are_told_of_some_patients_at_a_time_and_asked_again_when_busy(
    network: Consortium, people: list[Patient], tmp_path: Path
) -> None:
    document = researching.running(network, title="Some at a time")
    for one in people[:3]:
        join(network, document, one)
    real, told = ask, []

    def busy(caller: Any, custodian: bytes, method: str, body: ReleasedBody) -> Any:
        told.append((custodian, len(body.patients)))
        if len(told) == 1:
            raise TooLarge("Too many requests by this account; wait a minute.")
        return real(caller, custodian, method, body)

    with (
        mock.patch.object(telling, "WAIT_SECONDS", 0.0),
        mock.patch.object(telling, "MAX_RELEASED", 2),
        mock.patch.object(telling, "ask", busy),
    ):
        whole = made(network, document, tmp_path / "some.zip")
    others = {network[name].node.organisation for name in ("north", "east")}
    assert {custodian for custodian, _ in told} == others, "our own trail has them already"
    assert sorted(count for _, count in told[1:]) == [1, 1, 2, 2]
    for one in people[:3]:
        assert {entry.observer for entry in told_of(network, one, whole.manifest)} >= others


def test_there_is_no_package_that_too_few_custodians_entered(
    network: Consortium, people: list[Patient], tmp_path: Path
) -> None:
    document = researching.running(network, title="Few")
    for one in people[:2]:
        join(network, document, one)
    package = tmp_path / "few.zip"
    with (
        mock.patch.object(telling, "WAIT_SECONDS", 0.0),
        mock.patch.object(telling, "ask", mock.Mock(side_effect=Unavailable("Away."))),
        pytest.raises(Unavailable, match="Too few custodians"),
    ):
        made(network, document, package)
    assert not package.exists()


def test_whom_busy_custodians_keep_waiting_is_not_left_out(
    network: Consortium, clock: Clock, people: list[Patient], tmp_path: Path
) -> None:
    document = researching.running(network, title="Busy")
    for one in people[:2]:
        join(network, document, one)
    real, told = retrieve.retrieve, []

    def busy(*given: Any, **named: Any) -> Any:
        told.append(named["vault"])
        clock.ahead_seconds += 400  # longer than the researcher's token lives
        if len(told) in (1, 2, 4):
            raise TooLarge("Too many requests by this account; wait a minute.")
        return real(*given, **named)

    seen: list[tuple[int, int]] = []
    with (
        mock.patch.object(retrieve, "retrieve", busy),
        mock.patch.object(telling, "WAIT_SECONDS", 0.0),
    ):
        session = network.session("south", "prof.ray")
        node = network["south"].node
        whole = release(
            node,
            session,
            document,
            researching.pairs(),
            tmp_path / "busy.zip",
            progress=lambda done, total: seen.append((done, total)),
        )
    assert whole.members == 2
    assert len(told) == 5
    assert seen == [(0, 2), (1, 2), (2, 2), (2, 2)], "the last before the ledger takes it"


def test_only_the_sponsors_researchers_release(
    network: Consortium, people: list[Patient], tmp_path: Path
) -> None:
    document = researching.running(network, title="Only")
    for member, user in (("south", "dr.lee"), ("north", "dr.north")):
        with pytest.raises(Forbidden):
            release(
                network[member].node,
                network.session(member, user),
                document,
                researching.pairs(),
                tmp_path / "none.zip",
            )
