"""A request for a correction reaches who wrote the entry, wherever the patient's account is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from simdes.access import custody_corrections
from simdes.access.asking import ask
from simdes.access.audit_event import Verb
from simdes.access.categories import ACT_CODE, Label, labels_of, mask
from simdes.access.custody_corrections import MOST_OF_A_VAULT, CorrectBody, correct_body
from simdes.access.requests import b64
from simdes.access.rights import EVERYTHING, Scopes
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from simdes.exchange import (
    correcting,
    correction_telling,
    corrections,
    erasure,
    rights,
    worker,
)
from simdes.exchange.correcting import Request
from simdes.exchange.corrections import MOST_TEXT, Correction, Decision
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.everything import everything
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.index import corrections as rows
from support import consortium
from support.besieged import wait_until
from support.consortium import Clock, Consortium
from support.fhir_api import Api, Json
from support.portal import Enrolled, enrolled, measured, written_elsewhere

WORDS = "It was 4.2, the paper says so: zanzibar"


@dataclass(slots=True)
class Town:
    """Hospital north, where patients have their accounts, and clinic south, which treats them."""

    network: Consortium
    clock: Clock
    doctor: Api
    lee: Api
    count: int = 0

    def node(self, name: str) -> Node:
        return self.network[name].node

    def treated(self, **others: Any) -> Treated:
        """A patient of north for whom south writes a value, under a consent that then ends."""
        self.count += 1
        number = f"told-{self.count}"
        who = enrolled(self.network, self.doctor, number, user=f"p.{number}")
        entry = written_elsewhere(self.network, who, self.lee, "2024-08-19", **others)
        return Treated(self, who, entry)

    def of(self, name: str, user: str) -> Asking:
        return rights.ask(self.node(name), self.network.session(name, user))

    @property
    def staff(self) -> Asking:
        return self.of("south", "dr.lee")

    def queue(self) -> list[Request]:
        return correcting.waiting(self.node("south"), self.staff)[0]

    def tell(self, name: str = "north") -> int:
        return correction_telling.tell(self.node(name))


@dataclass(slots=True)
class Treated:
    """A patient of north, and what south wrote about them."""

    town: Town
    who: Enrolled
    entry: Json

    @property
    def about(self) -> str:
        return f"{self.entry['resourceType']}/{self.entry['id']}"

    @property
    def asking(self) -> Asking:
        return self.town.of("north", self.who.user)

    def ask(self, text: str = WORDS, about: str = "") -> str:
        node, patient = self.town.node("north"), self.who.patient["id"]
        return corrections.ask(node, self.asking, patient, about or self.about, text)

    def read(self) -> Correction:
        """The newest of what was asked, as the patient reads it when all is settled."""
        self.town.network.settle()
        self.town.clock.ahead_seconds += 120
        node = self.town.node("north")
        return corrections.listed(node, self.asking, self.who.patient["id"])[0]

    def sent(self, id_: str) -> rows.Sent:
        with self.town.node("north").database.read() as tx:
            return rows.sent(tx, [id_])[id_]

    def body(self, **others: str) -> CorrectBody:
        """What north's software would tell south."""
        said = {"id_": "a" * 36, "about": self.about, "text": WORDS} | others
        public = self.town.node("south").desk.keystore.descriptor_key.public
        return correct_body(public, vault=self.who.vault, **said)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder, clock = tmp_path_factory.mktemp("told") / "network", Clock()
    consortium.found(folder, names=("north", "south", "east"))
    for name in ("north", "south"):
        consortium.let_read(folder / name)
    with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:
        doctor, lee = Api.of(network["north"], "dr.north"), Api.of(network["south"], "dr.lee")
        yield Town(network, clock, doctor, lee)


@pytest.fixture(scope="module")
def treated(town: Town) -> Treated:
    return town.treated()


def test_the_author_hears_it_corrects_it_and_the_patient_reads_the_answer(town: Town) -> None:
    one = town.treated()
    asked = one.ask()
    assert asked not in {each.id for each in town.queue()}
    assert town.tell() == 1
    [waits] = [each for each in town.queue() if each.id == asked]
    assert (waits.text, waits.about) == (WORDS, one.about)
    assert waits.teller == town.node("north").organisation
    way = one.read().way
    assert way is not None
    assert (way.state, way.author) == (rows.TOLD, town.node("south").organisation)

    south = town.node("south")
    opened = correcting.opened(south, town.staff, asked)
    assert opened.own and opened.entry is not None
    correcting.accept(
        south,
        town.staff,
        asked,
        version=str(opened.entry.version),
        typed={"valueQuantity.value": "4.2"},
        error=False,
        text="Thank you.",
    )
    assert asked not in {each.id for each in town.queue()}
    [answer] = one.read().answers
    assert (answer.decision, answer.text) == (Decision.ACCEPTED, "Thank you.")
    assert answer.source == town.network["south"].settings.custody_url
    found = corrections.about(town.node("north"), one.asking, one.who.patient["id"], one.about)
    assert b'"value":4.2' in found.content.replace(b" ", b"")
    with pytest.raises(Conflict, match="answered already"):
        correcting.opened(south, town.staff, asked)


def test_staff_without_a_consent_see_their_own_entry_and_nothing_else(
    town: Town, treated: Treated
) -> None:
    asked = treated.ask()
    town.tell()
    assert asked in {one.id for one in town.queue()}
    for path in (f"Patient/{treated.who.patient['id']}", f"Communication/{asked}"):
        assert town.lee.get(path).status_code == 404, path
    correcting.refuse(town.node("south"), town.staff, asked, text="The paper says 4.1.")
    [answer] = treated.read().answers
    assert (answer.decision, answer.text) == (Decision.REFUSED, "The paper says 4.1.")
    with town.node("south").database.read() as tx:
        kept = rows.heard(tx, asked)
    assert kept is not None and kept.words_wrapped is None, "words go with the answer"


def test_the_author_strikes_an_entry_whose_patient_they_may_not_see(town: Town) -> None:
    one = town.treated()
    asked = one.ask("I was not there that day")
    town.tell()
    south = town.node("south")
    opened = correcting.opened(south, town.staff, asked)
    assert opened.entry is not None
    version = str(opened.entry.version)
    correcting.accept(south, town.staff, asked, version=version, typed={}, error=True, text="")
    assert one.read().answers[0].decision is Decision.ACCEPTED
    found = corrections.about(town.node("north"), one.asking, one.who.patient["id"], one.about)
    assert b"entered-in-error" in found.content


def test_what_is_said_of_a_sensitive_entry_is_as_sensitive(town: Town) -> None:
    labelled = {"meta": {"security": [{"system": ACT_CODE, "code": "HIV"}]}}
    one = town.treated(**labelled)
    asked = one.ask()
    town.tell()
    correcting.refuse(town.node("south"), town.staff, asked, text="The paper says 4.1.")
    assert one.read().answers, "the patient reads both all the same"
    node, patient = town.node("north"), one.who.patient["id"]
    page = everything(node, one.asking, patient, types=("Communication",), count=100)
    said = [finding.parsed(found.content) for found in page.matches]
    assert [labels_of(each) for each in said] == [mask([Label.HIV])] * 2


def test_what_is_told_waits_in_one_queue_alone(town: Town, treated: Treated) -> None:
    north, doctor = town.node("north"), town.of("north", "dr.north")
    asked = treated.ask()

    def here() -> bool:
        return asked in {one.id for one in correcting.waiting(north, doctor)[0]}

    assert here(), "as long as its author does not have it"
    town.tell()
    assert not here()


def test_what_was_answered_here_first_is_told_to_nobody(town: Town, treated: Treated) -> None:
    asked = treated.ask()
    correcting.refuse(town.node("north"), town.of("north", "dr.north"), asked, text="See me.")
    assert town.tell() == 0
    with town.node("north").database.read() as tx:
        assert rows.sent(tx, [asked]) == {}


def test_who_is_away_is_asked_again_and_the_patient_sees_it(town: Town, treated: Treated) -> None:
    asked = treated.ask()
    town.network.down("south")
    try:
        assert town.tell() == 0
        way = treated.read().way
        assert way is not None and way.state == rows.WAITING
        assert treated.sent(asked).next_ms >= treated.sent(asked).asked_ms + 60_000
    finally:
        town.network.up("south")
    town.clock.ahead_seconds += 3600
    assert town.tell() == 1
    assert town.tell() == 0, "once"
    assert treated.sent(asked).words_wrapped is None, "the words are in the record alone"


def test_the_program_tells_by_itself(town: Town, treated: Treated) -> None:
    asked, stop = treated.ask(), threading.Event()
    telling = threading.Thread(target=worker.tell_authors, args=(town.node("north"), stop))
    telling.start()
    try:
        wait_until(lambda: treated.sent(asked).state != rows.TOLD, 20)
    finally:
        stop.set()
        telling.join()
    assert asked in {one.id for one in town.queue()}


def test_nobody_is_asked_for_longer_than_a_month(town: Town, treated: Treated) -> None:
    asked = treated.ask()
    town.network.down("south")
    try:
        town.clock.ahead_seconds += correction_telling.GIVE_UP_MS // 1000
        assert town.tell() == 0
    finally:
        town.network.up("south")
    assert treated.sent(asked).state == rows.REFUSED


def test_what_its_author_erased_is_turned_away_at_once(town: Town) -> None:
    one = town.treated()
    asked = one.ask()
    assert town.lee.send("DELETE", one.about).status_code == 204
    assert town.tell() == 0
    assert one.sent(asked).state == rows.REFUSED


def test_words_about_an_entry_go_with_it_at_its_author(town: Town) -> None:
    one = town.treated()
    asked = one.ask()
    assert town.tell() == 1
    assert town.lee.send("DELETE", one.about).status_code == 204
    with town.node("south").database.read() as tx:
        assert rows.heard(tx, asked) is None, "nobody could answer, and they took up room"


def test_an_entry_of_ones_own_organisation_is_told_to_nobody(town: Town, treated: Treated) -> None:
    own = town.doctor.create(measured(treated.who.patient["id"], "2024-02-03", 4.6))
    asked = treated.ask(about=f"Observation/{own['id']}")
    with town.node("north").database.read() as tx:
        assert rows.sent(tx, [asked]) == {}


def test_it_is_on_record_at_both_and_nowhere_in_clear(town: Town, treated: Treated) -> None:
    treated.ask()
    town.tell()
    for name in ("north", "south"):
        node = town.node(name)
        entries = node.desk.trail.entries(node.database, vault=treated.who.vault)
        noted = [entry.attempt for _, entry in entries if entry.attempt.verb is Verb.CORRECT]
        assert noted and {one.organisation for one in noted} == {town.node("north").organisation}
    folder = town.network["north"].data.parent
    files = [one for one in folder.rglob("*") if one.is_file()]
    assert files
    assert not [one for one in files if b"zanzibar" in one.read_bytes()]


# Abuse ------------------------------------------------------------------------------------------


def refused(town: Town, body: CorrectBody, *, by: str = "north", why: str) -> None:
    node = town.node("south")
    with pytest.raises((Forbidden, TooLarge), match=why):
        ask(town.node(by).agent_caller(), node.organisation, "correct", body)
    entries = [one.attempt for _, one in node.desk.trail.entries(node.database, limit=100_000)]
    asker = town.node(by).organisation
    assert (Verb.CORRECT, why, asker) in {
        (one.verb, one.reason, one.organisation) for one in entries
    }, "on record"


def test_only_who_hosts_the_patient_tells(town: Town, treated: Treated) -> None:
    refused(town, treated.body(), by="east", why="NOT_ITS_PATIENT")
    refused(town, treated.body(), by="south", why="NOT_ITS_PATIENT")
    for name, user in (("north", treated.who.user), ("north", "dr.north")):
        node, session = town.node(name), town.network.session(name, user)
        with pytest.raises(Forbidden, match="WRONG_ROLE"):
            ask(
                node.caller(session.key),
                town.node("south").organisation,
                "correct",
                treated.body(),
            )


def test_it_is_about_what_was_written_there_alone(town: Town, treated: Treated) -> None:
    other = town.treated()
    for about in ("Observation/none", f"Patient/{treated.who.patient['id']}", other.about):
        refused(town, treated.body(about=about), why="NOT_AUTHOR")


def test_words_are_sealed_to_the_author_for_one_entry_and_not_too_many(
    town: Town, treated: Treated
) -> None:
    good = treated.body()
    public = town.node("east").desk.keystore.descriptor_key.public
    said = {"id_": good.id, "about": good.about, "text": WORDS}
    elsewhere = correct_body(public, vault=treated.who.vault, **said)
    named = msgspec.structs.replace(good, id="b" * 36)
    for one in (
        elsewhere,
        named,
        msgspec.structs.replace(good, words=b64(b"in clear")),
        treated.body(text="x" * (MOST_TEXT + 1)),
    ):
        refused(town, one, why="NOT_SEALED")
    with pytest.raises(Invalid):
        ask(
            town.node("north").agent_caller(),
            town.node("south").organisation,
            "correct",
            msgspec.structs.replace(good, words="A" * 20_000),
        )


def test_told_twice_it_waits_once_and_a_number_is_of_one_request(
    town: Town, treated: Treated
) -> None:
    north, south = town.node("north"), town.node("south").organisation
    id_ = "c" * 36
    for _ in range(2):
        ask(north.agent_caller(), south, "correct", treated.body(id_=id_))
    assert [one.id for one in town.queue()].count(id_) == 1
    other = town.treated()
    refused(town, other.body(id_=id_), why="CONFLICT")


def test_nobody_takes_the_number_of_what_is_in_a_record_here(town: Town, treated: Treated) -> None:
    """Who reads a record knows it; told of another entry, it would hide the patient's own words."""
    patient = town.lee.create({"resourceType": "Patient"})
    said = town.lee.create(
        {
            "resourceType": "Communication",
            "status": "completed",
            "subject": {"reference": f"Patient/{patient['id']}"},
        }
    )
    refused(town, treated.body(id_=said["id"]), why="CONFLICT")


def test_a_vault_and_a_teller_have_so_many_waiting_and_no_more(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = town.treated()
    north, south = town.node("north"), town.node("south").organisation
    for at in range(MOST_OF_A_VAULT):
        ask(north.agent_caller(), south, "correct", one.body(id_=f"full-{at}"))
    refused(town, one.body(id_="full-more"), why="QUOTA")
    ask(north.agent_caller(), south, "correct", one.body(id_="full-0"))
    monkeypatch.setattr(custody_corrections, "MOST_OF_A_TELLER", MOST_OF_A_VAULT)
    refused(town, town.treated().body(id_="teller-more"), why="QUOTA")
    asked = one.ask()
    town.tell()
    assert one.sent(asked).state == rows.WAITING, "it is told once there is room"


def test_so_many_are_on_their_way_at_once_and_no_more(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is tried again and again, and the author writes down each that it turns away."""
    monkeypatch.setattr(corrections, "MOST_UNTOLD", 2)
    one = town.treated()
    for _ in range(2):
        one.ask()
    with pytest.raises(TooLarge):
        one.ask()
    assert len(corrections.listed(town.node("north"), one.asking, one.who.patient["id"])) == 2
    assert town.tell() == 2
    one.ask()


def test_who_may_not_read_the_entry_hears_nothing_of_it(town: Town, treated: Treated) -> None:
    asked = treated.ask()
    town.tell()
    south, session = town.node("south"), town.network.session("south", "nurse.kim")
    nurse = rights.ask(south, session)
    assert asked in {one.id for one in correcting.waiting(south, nurse)[0]}
    app = rights.ask(south, session, scopes=Scopes({"Communication": EVERYTHING}))
    assert asked not in {one.id for one in correcting.waiting(south, app)[0]}
    with pytest.raises(NotFound):
        correcting.opened(south, app, asked)


def test_an_erasure_leaves_nothing_of_it(town: Town) -> None:
    one = town.treated()
    told = one.ask()
    town.tell()
    town.network.settle()
    waits = one.ask()
    session = town.network.session("north", one.who.user)
    erasure.erase(town.node("north"), one.who.vault, control=session.key)
    with town.node("north").database.read() as tx:
        assert rows.sent(tx, [waits, told]) == {}
    with town.node("south").database.read() as tx:
        assert rows.heard(tx, told) is None
