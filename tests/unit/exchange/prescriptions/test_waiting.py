"""A pharmacy's queue is of everybody who let it in, however many: hospitals tell it who has
something there, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from simdes.access.asking import ask
from simdes.access.audit_event import Verb
from simdes.access.consent import Consent, Grantee
from simdes.access.custody_told import ToldBody
from simdes.errors import Forbidden
from simdes.exchange import consents, rights
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import announcing, submitting, waiting
from simdes.exchange.rights import Asking
from simdes.index import prescriptions, whereabouts
from simdes.index.transaction import Transaction
from simdes.index.whereabouts import Told
from support import consortium
from support.consortium import Clock, Consortium
from support.fhir_api import Api
from support.prescribing import Ward
from support.two_patients import statements

PATIENTS = 40
HIV = {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"}]}


class Town:
    """A hospital, two pharmacies, an insurer, and patients with a prescription each."""

    def __init__(self, network: Consortium, clock: Clock) -> None:
        self.network, self.clock = network, clock
        self.doctor = Api.of(network["north"], "dr.north")
        self.wards: list[Ward] = []

    def node(self, name: str) -> Node:
        return self.network[name].node

    def move_in(self, *, prefers: str = "", prescription: bool = True) -> Ward:
        """A patient with an account who may prefer a pharmacy, and a doctor's order."""
        ward = Ward.of(self.network, self.clock, self.doctor, f"queue-{len(self.wards)}")
        self.wards.append(ward)
        if prescription:
            ward.prescribe()
        self.network.settle()
        self.network.enrol(ward.vault, self.user(ward))
        if prefers:
            self.prefer(ward, prefers)
        return ward

    def user(self, ward: Ward) -> str:
        return f"p.{ward.number}"

    def patient(self, ward: Ward) -> Asking:
        return rights.ask(self.node("north"), self.network.session("north", self.user(ward)))

    def pharmacist(self, name: str) -> Asking:
        return rights.ask(self.node(name), self.network.session(name, f"ph.{name}"))

    def prefer(self, ward: Ward, name: str | None) -> None:
        pharmacy = self.node(name).organisation if name else None
        submitting.prefer(self.node("north"), self.patient(ward), ward.vault, pharmacy)

    def hear(self, name: str = "west") -> int:
        """The hospital's worker does a round, and a pharmacy asks."""
        self.node("north").following.catch_up()
        while announcing.announce(self.node("north")):
            pass
        self.node(name).following.catch_up()
        return waiting.collect(self.node(name))

    def look(self, page: int = 1, name: str = "west") -> waiting.Page:
        self.node(name).following.catch_up()
        return waiting.look(self.node(name), self.pharmacist(name), page)

    def told(self, ward: Ward) -> list[bytes]:
        """Whom the hospital told of a patient, by the patient's own log."""
        north = self.node("north")
        return [
            entry.attempt.organisation
            for _, entry in north.desk.trail.entries(north.database, vault=ward.vault)
            if entry.attempt.verb is Verb.PRESCRIPTIONS
        ]

    def known(self, ward: Ward, name: str = "west") -> bool:
        with self.node(name).database.read() as tx:
            return ward.vault in whereabouts.PRESCRIPTIONS.known(tx).values()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Forty patients who prefer one pharmacy, told of at once."""
    folder, clock = tmp_path_factory.mktemp("queue") / "network", Clock()
    names = ("north", "west", "cove", "east")
    consortium.found(folder, names=names)
    for name in names:
        consortium.let_read(folder / name)
    with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:
        found = Town(network, clock)
        for _ in range(PATIENTS):
            found.move_in(prefers="west")
        found.wards[0].issue()
        network.settle()
        assert found.hear() == PATIENTS
        yield found


def test_of_forty_who_prefer_a_pharmacy_all_are_in_its_queue_page_by_page(town: Town) -> None:
    pages = [town.look(number) for number in (1, 2, 3)]
    assert [(len(one.found), one.more) for one in pages] == [(16, True), (16, True), (8, False)]
    assert not any(one.warnings for one in pages)
    vaults = [one.held.vault for page in pages for one in page.found]
    assert sorted(vaults) == sorted(one.vault for one in town.wards)
    assert town.hear() == 0, "each is told once"


def test_a_page_asks_the_database_little_for_each_patient(town: Town) -> None:
    """What judges their consents, and what these open, is looked for together."""
    town.look(2)
    with statements(town.node("west")) as count:
        assert len(town.look(2).found) == waiting.PATIENTS
    assert count[0] < 100


def test_what_is_listed_late_is_opened_by_its_code(town: Town) -> None:
    last = town.look(3).found[-1]
    west, asking = town.node("west"), town.pharmacist("west")
    consent = submitting.consent_of_code(west, asking, last.code)
    assert consent.vault == last.held.vault


def test_the_patient_sees_who_was_told_and_nobody_else_is(town: Town) -> None:
    west, north = town.node("west").organisation, town.node("north").organisation
    assert [town.told(one) for one in town.wards[:3]] == [[west]] * 3
    assert town.hear("cove") == 0
    assert town.look(name="cove").found == []
    for name in ("west", "cove"):
        answer = ask(town.node(name).agent_caller(), north, "prescriptions", ToldBody(after=0))
        assert len(answer.body["prescriptions"]) == (PATIENTS if name == "west" else 0)
    with pytest.raises(Forbidden, match="NOT_DISPENSER"):
        ask(town.node("east").agent_caller(), north, "prescriptions", ToldBody(after=0))


def test_who_consents_after_the_prescription_is_told_of_then(town: Town) -> None:
    one = town.move_in()
    one.issue()
    town.network.settle()
    assert town.hear() == 0
    town.prefer(one, "west")
    assert town.hear() == 1
    assert town.look().found[0].held.vault == one.vault, "the newest first"


def test_under_a_consent_that_was_withdrawn_or_is_over_nobody_is_told(town: Town) -> None:
    gone, over = town.move_in(prefers="west"), town.move_in()
    north, west = town.node("north"), town.node("west").organisation
    submitting.prefer(north, town.patient(over), over.vault, west, valid_seconds=3_600)
    gone.issue()
    town.network.settle()
    assert announcing.announce(north) == 2
    town.prefer(gone, None)
    town.clock.ahead_seconds += 3_601
    assert town.hear() == 0
    assert town.told(gone) == town.told(over) == []
    town.prefer(gone, "west")
    assert town.hear() == 1, "under the new consent"
    assert town.told(gone) == [west]


def test_whose_consent_begins_later_holds_up_nobody(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing, "AT_ONCE", 1)
    north = town.node("north")
    early = [town.move_in(prefers="west") for _ in range(2)]
    early[0].issue()
    town.network.settle()
    decoded = announcing.decode_terms_row
    first = min(one.vault for one in early)

    def later(row: Any) -> Consent:
        found = decoded(row)
        begins = north.now_seconds() + 3_600
        terms = replace(found.terms, not_before=begins)
        return replace(found, terms=terms) if found.vault == first else found

    with monkeypatch.context() as patched:
        patched.setattr(announcing, "decode_terms_row", later)
        assert announcing.announce(north) == 1
    assert announcing.announce(north) == 1, "once it has begun"
    assert town.hear() == 2


def test_a_sensitive_prescription_is_told_under_a_consent_that_opens_it_alone(town: Town) -> None:
    one = town.move_in(prefers="west", prescription=False)
    request = one.issued(meta=HIV)
    assert town.hear() == 0
    west = town.node("west").organisation
    submitting.submit(town.node("north"), town.patient(one), str(request["id"]), west)
    assert town.hear() == 1


def test_a_consent_that_opens_no_prescriptions_or_names_other_people_tells_nothing(
    town: Town,
) -> None:
    one = town.move_in()
    one.issue()
    town.network.settle()
    west = town.node("west").organisation
    for grantee, categories in (
        (Grantee.role_in(west, "pharmacist"), ["medications"]),
        (Grantee.role_in(west, "doctor"), ["prescriptions"]),
    ):
        consents.grant(
            town.node("north"),
            town.patient(one).session,
            vault=one.vault,
            grantee=grantee,
            categories=categories,
            purposes=["TREAT"],
            valid_seconds=3_600,
        )
    assert town.hear() == 0


def test_a_pharmacy_forgets_what_was_cancelled_and_is_not_told_again(town: Town) -> None:
    one = town.move_in(prefers="west", prescription=False)
    request = one.issued()
    assert town.hear() == 1 and town.known(one)
    town.doctor.update(request | {"status": "cancelled"})
    one.issue()
    assert waiting.tidy(town.node("west")) == 1
    assert town.hear() == 0 and not town.known(one)


def test_a_hospital_that_lost_what_it_told_tells_again_under_higher_numbers(town: Town) -> None:
    north, west = town.node("north"), town.node("west")
    one = town.wards[0]

    def heard() -> int:
        with west.database.read() as tx:
            return whereabouts.PRESCRIPTIONS.heard_up_to(tx, north.organisation)

    def lost(tx: Transaction) -> None:
        tx.run("DELETE FROM prescription_told")
        prescriptions.note(tx, one.vault)

    before, pages = heard(), len(town.look().found)
    north.database.write(lost)
    assert town.hear() == 1
    assert heard() > before
    assert len(town.look().found) == pages


def test_nobody_is_told_of_a_vault_that_was_erased(town: Town) -> None:
    one, north, west = town.wards[1], town.node("north"), town.node("west").organisation

    def erased(tx: Transaction) -> None:
        tx.run("UPDATE vault SET state = 'erased' WHERE tag = :vault", vault=one.vault)
        register = whereabouts.PRESCRIPTIONS
        register.drop_vault(tx, one.vault)
        assert not register.tell(tx, b"\x08" * 32, one.vault, west, now_ms=north.now_ms())
        assert one.vault not in {its.vault for its in register.told(tx, west, after=0)}
        raise _Enough

    with pytest.raises(_Enough):
        north.database.write(erased)


class _Enough(Exception):
    """Undoes what was tried."""


def test_a_hospital_that_tells_of_who_did_not_let_us_in_is_not_believed(town: Town) -> None:
    stranger, friend = town.move_in(), town.wards[2]
    north, west = town.node("north"), town.node("west")
    with north.database.read() as tx:
        last = whereabouts.PRESCRIPTIONS.told(tx, west.organisation, after=0)[-1].number
    lies = [
        [last + 10**9, b"\x01" * 32, friend.vault],
        [last + 10**9 + 1, b"\x02" * 32, stranger.vault],
    ]
    told = mock.Mock(body={"prescriptions": lies, "more": 0})
    with mock.patch("simdes.exchange.hearing.ask", return_value=told):
        assert waiting.collect(west) == 0
    with west.database.read() as tx:
        known = whereabouts.PRESCRIPTIONS.known(tx)
    assert not town.known(stranger)
    # What somebody who let us in is said to have opens nothing that they did not.
    assert known[b"\x01" * 32] == friend.vault
    with mock.patch.object(waiting, "MOST_OF_A_VAULT", 1):
        row = Told(last + 10**9 + 2, b"\x03" * 32, friend.vault)
        assert not waiting.is_ours(west, north.organisation, row)
        another = b"\x0a" * 32
        assert waiting.is_ours(west, another, row), "what one says shuts nobody else up"


def test_what_nobody_lets_us_see_holds_up_what_comes_behind_it_for_minutes(town: Town) -> None:
    stranger, friend, west = town.move_in(), town.wards[3], town.node("west")
    with west.database.read() as tx:
        last = whereabouts.PRESCRIPTIONS.heard_up_to(tx, town.node("north").organisation)
    now = max(west.now_ms(), last + 1)
    told = mock.Mock(
        body={
            "prescriptions": [
                [now, b"\x04" * 32, stranger.vault],
                [now + 1, b"\x05" * 32, friend.vault],
            ],
            "more": 0,
        }
    )
    with mock.patch("simdes.exchange.hearing.ask", return_value=told):
        assert waiting.collect(west) == 0
        town.clock.ahead_seconds += (now - west.now_ms()) // 1000 + waiting.PATIENCE_SECONDS + 2
        assert waiting.collect(west) == 1
    with west.database.read() as tx:
        known = whereabouts.PRESCRIPTIONS.known(tx)
        assert known[b"\x05" * 32] == friend.vault
        assert b"\x04" * 32 not in known
