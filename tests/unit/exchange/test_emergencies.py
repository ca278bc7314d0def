"""Break glass and asking for access, between two hospitals and a patient."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
from typer.testing import CliRunner

from simdes.access.audit_event import Verb
from simdes.app import ADMINISTRATOR
from simdes.cli import command_line
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from simdes.exchange import access_requests, consents, emergencies, rights
from simdes.exchange.consents import whom
from simdes.exchange.interactions.search import find
from simdes.exchange.retrieve import retrieve
from simdes.exchange.signin import Session
from simdes.fhir.search.parse import parse
from support import consortium
from support.consortium import Clock, Consortium, passphrase_of
from support.fhir_api import Api
from support.portal import Enrolled, enrolled, history


@dataclass(frozen=True, slots=True)
class Town:
    """Two hospitals, a patient of the first, and the clock."""

    network: Consortium
    clock: Clock
    rosa: Enrolled
    folder: Path

    @property
    def lee(self) -> Session:
        """A doctor of the other hospital."""
        return self.network.session("south", "dr.lee")

    @property
    def patient(self) -> Session:
        """The patient."""
        return self.network.session("north", self.rosa.user)

    @property
    def reviewer(self) -> Session:
        """The other hospital's administrator."""
        return self.network.session("south", ADMINISTRATOR)

    def open_(self, reason: str = "unconscious", text: str = "") -> emergencies.Emergency:
        """The doctor opens an emergency for the patient."""
        return emergencies.open_(
            self.network["south"].node,
            self.lee,
            vault=self.rosa.vault,
            reason=reason,
            text=text,
            name="Dr Lee",
        )

    def ask(self, session: Session | None = None, text: str = "A second opinion.") -> None:
        """Somebody of the other hospital asks the patient for measurements."""
        access_requests.request(
            self.network["south"].node,
            session or self.lee,
            vault=self.rosa.vault,
            categories=["observations", "demographics"],
            purpose="TREAT",
            days=30,
            text=text,
            name="Dr Lee",
        )


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder, clock = tmp_path_factory.mktemp("emergencies") / "network", Clock()
    consortium.found(folder, names=("north", "south"))
    with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:
        doctor = Api.of(network["north"], "dr.north")
        rosa = enrolled(network, doctor, "emergency-1", user="rosa")
        for one in history(rosa.patient["id"]):
            doctor.create(one)
        hidden = {"meta": {"security": [{"system": ACT_CODE, "code": "HIV"}]}}
        labelled = next(one for one in history(rosa.patient["id"]) if "valueQuantity" in one)
        doctor.create(labelled | hidden | {"effectiveDateTime": "2024-01-01"})
        network.settle()
        yield Town(network, clock, rosa, folder)


ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def verbs(town: Town, member: str, verb: Verb) -> list[tuple[str, bytes | None]]:
    node = town.network[member].node
    entries = node.desk.trail.entries(node.database, limit=100_000)
    return [
        (one.attempt.reason, one.attempt.vault) for _, one in entries if one.attempt.verb is verb
    ]


def test_a_doctor_reads_six_kinds_of_records_for_hours_and_is_reviewed(town: Town) -> None:
    south = town.network["south"].node
    with pytest.raises(Forbidden):
        retrieve(south, town.lee, vault=town.rosa.vault)
    made = town.open_()
    assert made.open and not made.overdue and not made.outcome
    assert (made.name, made.reason) == ("Dr Lee", "unconscious")
    found = retrieve(
        south, town.lee, vault=town.rosa.vault, purpose="ETREAT", emergency=made.handle
    )
    types = {one.type for one in found.resources}
    assert {"Patient", "Observation", "Condition", "AllergyIntolerance"} <= types
    assert types.isdisjoint({"Encounter", "DocumentReference"}), "not of the six kinds"
    assert not [one for one in found.resources if b'"HIV"' in one.content], "sensitive stays closed"

    asking = rights.ask(south, town.lee, purpose="ETREAT", emergency=(town.rosa.vault, made.handle))
    query = parse(("Patient",), [], now_ms=south.now_ms())
    assert [one.id for one in find(south, asking, query).matches] == [town.rosa.patient["id"]]

    [told] = emergencies.of_vault(town.network["north"].node, town.patient, town.rosa.vault)
    assert (told.reason, told.name, told.organisation) == (
        "unconscious", "Dr Lee", south.organisation,
    )  # fmt: skip
    assert told.open

    judged = emergencies.review(south, town.reviewer, made.handle, outcome="unjustified")
    assert judged.outcome == "unjustified" and not judged.open
    with pytest.raises(Forbidden):
        retrieve(south, town.lee, vault=town.rosa.vault, purpose="ETREAT", emergency=made.handle)
    with pytest.raises(Conflict):
        emergencies.review(south, town.reviewer, made.handle, outcome="justified")
    assert verbs(town, "south", Verb.EMERGENCY).count(("", town.rosa.vault)) == 2
    assert ("", town.rosa.vault) in verbs(town, "north", Verb.EXPLAIN)


def test_its_time_ends_it(town: Town) -> None:
    made = town.open_("life-threatening")
    south = town.network["south"].node
    town.clock.ahead_seconds += made.until_seconds - south.now_seconds() + 1
    assert not emergencies.standing(south, town.lee, made.handle).open
    with pytest.raises(Forbidden):
        retrieve(south, town.lee, vault=town.rosa.vault, purpose="ETREAT", emergency=made.handle)
    emergencies.review(south, town.reviewer, made.handle, outcome="justified")


def test_the_patient_can_end_it(town: Town) -> None:
    made = town.open_()
    north, south = town.network["north"].node, town.network["south"].node
    consents.revoke(north, town.patient, vault=town.rosa.vault, handle=made.handle)
    with pytest.raises(Forbidden):
        retrieve(south, town.lee, vault=town.rosa.vault, purpose="ETREAT", emergency=made.handle)
    assert not emergencies.standing(south, town.lee, made.handle).open
    emergencies.review(south, town.reviewer, made.handle, outcome="justified")


def test_an_overdue_review_keeps_the_next_one_shut(town: Town) -> None:
    south = town.network["south"].node
    made = town.open_()
    town.clock.ahead_seconds += made.review_due_seconds - south.now_seconds() + 2
    with pytest.raises(Forbidden, match="waits for its review"):
        town.open_()
    [late] = [one for one in emergencies.listed(south, town.reviewer) if one.overdue]
    assert late.handle == made.handle
    emergencies.review(south, town.reviewer, made.handle, outcome="justified")
    again = town.open_()
    emergencies.review(south, town.reviewer, again.handle, outcome="justified")
    assert len(emergencies.listed(south, town.lee)) == len(emergencies.listed(south, town.reviewer))


def test_who_may_not_opens_and_sees_and_judges_nothing(town: Town) -> None:
    south, north = town.network["south"].node, town.network["north"].node
    before = len(emergencies.listed(south, town.reviewer))
    for user in ("prof.ray", ADMINISTRATOR):
        with pytest.raises(Forbidden):
            emergencies.open_(
                south,
                town.network.session("south", user),
                vault=town.rosa.vault,
                reason="unconscious",
            )
    with pytest.raises(Invalid):
        town.open_("curiosity")
    with pytest.raises(Invalid):
        town.open_("other", "  ")
    with pytest.raises(NotFound):
        emergencies.open_(south, town.lee, vault=bytes(31) + b"x", reason="unconscious")
    assert len(emergencies.listed(south, town.reviewer)) == before
    with south.database.read() as tx:
        kept = tx.one("SELECT count(*) FROM emergency_reason WHERE told_ms IS NULL")
    assert kept is not None and kept[0] == 0, "what the ledger refused is not kept"
    nurse = town.network.session("south", "nurse.kim")
    assert emergencies.listed(south, nurse) == []
    made = town.open_()
    with pytest.raises(NotFound):
        emergencies.standing(south, nurse, made.handle)
    with pytest.raises(Forbidden):
        retrieve(south, nurse, vault=town.rosa.vault, purpose="ETREAT", emergency=made.handle)
    for session in (town.lee, nurse):
        with pytest.raises(Forbidden):
            emergencies.review(south, session, made.handle, outcome="justified")
    with pytest.raises(NotFound):
        emergencies.review(
            north, town.network.session("north", ADMINISTRATOR), made.handle, outcome="justified"
        )
    with pytest.raises(Forbidden):
        emergencies.of_vault(south, town.lee, town.rosa.vault)
    with pytest.raises(Invalid):
        emergencies.review(south, town.reviewer, made.handle, outcome="fine")
    emergencies.review(south, town.reviewer, made.handle, outcome="justified")
    assert ("WRONG_ROLE", town.rosa.vault) in verbs(town, "south", Verb.EMERGENCY)


def test_the_reason_reaches_the_patient_later_where_their_gateway_was_away(town: Town) -> None:
    south, north = town.network["south"].node, town.network["north"].node
    town.network.down("north")
    made = town.open_("other", "Found without papers.")
    told = emergencies.of_vault(north, town.patient, town.rosa.vault)[0]
    assert (told.handle, told.reason) == (made.handle, ""), "that it is open, the chain says"
    assert not emergencies.tell(south, town.lee, town.rosa.vault, made.handle)
    town.network.up("north")
    assert emergencies.tell(south, town.lee, town.rosa.vault, made.handle)
    told = emergencies.of_vault(north, town.patient, town.rosa.vault)[0]
    assert (told.reason, told.text) == ("other", "Found without papers.")
    emergencies.review(south, town.reviewer, made.handle, outcome="justified")


def test_a_command_opens_lists_and_reviews(town: Town) -> None:
    def run(*words: str, user: str) -> object:
        environment = {"SIMDES_USER_PASSPHRASE": passphrase_of(user)}
        arguments = [*words, "--data", str(town.folder / "south"), "--user", user, "--json"]
        with mock.patch("simdes.commands.emergency.organisation") as opened:
            opened.return_value.__enter__.return_value = town.network["south"]
            result = CliRunner().invoke(
                command_line(), ["emergency", *arguments], env=environment, catch_exceptions=False
            )
        return json.loads(result.output)

    tag = f"0x{town.rosa.vault.hex()}"
    made = run("open", "--patient", tag, "--reason", "incapable", user="dr.lee")
    assert isinstance(made, dict) and made["open"]
    listed = run("list", user=ADMINISTRATOR)
    assert isinstance(listed, list) and made["handle"] in [one["handle"] for one in listed]
    assert run("list", "--overdue", user=ADMINISTRATOR) == []
    start = made["handle"][:18]
    judged = run("review", "--handle", start, "--outcome", "justified", user=ADMINISTRATOR)
    assert isinstance(judged, dict) and judged["outcome"] == "justified"


# Asking -----------------------------------------------------------------------------------------


def test_a_patient_reads_who_asks_for_what_and_opens_it(town: Town) -> None:
    north, south = town.network["north"].node, town.network["south"].node
    town.ask(text="Old.")
    town.ask(text="A second opinion on your potassium.")
    [asked] = access_requests.waiting(north, town.patient, town.rosa.vault)
    assert (asked.role, asked.name, asked.organisation) == ("doctor", "Dr Lee", south.organisation)
    assert asked.categories == ("demographics", "observations")
    assert asked.text == "A second opinion on your potassium."
    given = consents.grant(
        north,
        town.patient,
        vault=town.rosa.vault,
        grantee=whom(asked.organisation, asked.role),
        categories=asked.categories,
        purposes=[asked.purpose],
        valid_seconds=asked.days * 86_400,
    )
    access_requests.accept(north, town.patient, town.rosa.vault, asked.id, handle=given.handle)
    assert access_requests.waiting(north, town.patient, town.rosa.vault) == []
    with pytest.raises(NotFound):
        access_requests.decline(north, town.patient, town.rosa.vault, asked.id)
    found = retrieve(south, town.lee, vault=town.rosa.vault)
    assert {one.type for one in found.resources} == {"Patient", "Observation"}
    consents.revoke(north, town.patient, vault=town.rosa.vault, handle=given.handle)
    assert ("", town.rosa.vault) in verbs(town, "north", Verb.REQUEST)


def test_who_is_declined_is_not_told_and_not_heard_for_a_week(town: Town) -> None:
    north = town.network["north"].node
    town.ask()
    [asked] = access_requests.waiting(north, town.patient, town.rosa.vault)
    access_requests.decline(north, town.patient, town.rosa.vault, asked.id)
    town.ask()
    assert access_requests.waiting(north, town.patient, town.rosa.vault) == []
    town.clock.ahead_seconds += 8 * 86_400
    town.ask()
    assert len(access_requests.waiting(north, town.patient, town.rosa.vault)) == 1
    town.clock.ahead_seconds += 31 * 86_400
    assert access_requests.waiting(north, town.patient, town.rosa.vault) == []


def test_nobody_else_reads_or_answers_what_a_patient_was_asked(town: Town) -> None:
    north = town.network["north"].node
    for user in ("dr.north", ADMINISTRATOR):
        session = town.network.session("north", user)
        with pytest.raises(Forbidden):
            access_requests.waiting(north, session, town.rosa.vault)
        with pytest.raises(Forbidden):
            access_requests.decline(north, session, town.rosa.vault, bytes(32))
    with north.database.read() as tx:
        rows = tx.all("SELECT words_wrapped FROM access_request")
    assert rows and not any(b"opinion" in row[0] for row in rows)


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": "  "},
        {"text": "x" * 401},
        {"days": 0},
        {"days": 367},
        {"categories": []},
        {"categories": ["everything"]},
        {"purpose": "FUN"},
    ],
    ids=range(7),
)
def test_a_request_says_what_for_how_long_and_why(town: Town, wrong: dict[str, object]) -> None:
    usual = {"categories": ["observations"], "purpose": "TREAT", "days": 7, "text": "Follow-up."}
    with pytest.raises(Invalid):
        access_requests.request(
            town.network["south"].node,
            town.lee,
            vault=town.rosa.vault,
            **(usual | wrong),  # type: ignore[arg-type]
        )


def test_only_staff_ask_and_only_who_has_an_account_is_asked(town: Town) -> None:
    with pytest.raises(Forbidden):
        town.ask(town.network.session("south", "prof.ray"))
    south = town.network["south"].node
    with pytest.raises(NotFound):
        access_requests.request(
            south,
            town.lee,
            vault=bytes(32),
            categories=["observations"],
            purpose="TREAT",
            days=7,
            text="Follow-up.",
        )


def test_twenty_wait_and_no_more(town: Town) -> None:
    with mock.patch("simdes.access.custody_requests.MOST_WAITING", 1):
        town.ask()
        nurse = town.network.session("south", "nurse.kim")
        with pytest.raises(TooLarge):
            town.ask(nurse)
