"""From the counter to the ledger: submitted, opened, checked, dispensed, refused, transferred.

Proofs are real and cost a second each, so that stories go on where others end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest

from simdes.access.consent import Grantee
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, SimdesError, Unavailable
from simdes.exchange import consents
from simdes.exchange.interactions import finding
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import (
    codes,
    dispensing,
    holding,
    issuing,
    proving,
    settling,
    submitting,
)
from simdes.exchange.prescriptions.dispensing import Wanted
from simdes.exchange.prescriptions.states import State
from simdes.exchange.rights import Asking, ask
from simdes.fhir.json import loads
from simdes.index import resources
from simdes.ledger.lane import Lane
from support.fhir_api import Json
from support.prescribing import Ward


@dataclass(frozen=True, slots=True)
class Counter:
    """A patient with an issued prescription, and two pharmacies."""

    ward: Ward
    request: Json

    def node(self, name: str) -> Node:
        return self.ward.network[name].node

    def patient(self) -> Asking:
        session = self.ward.network.session("north", f"p.{self.ward.number}")
        return ask(self.node("north"), session)

    def pharmacist(self, name: str) -> Asking:
        node = self.node(name)
        node.following.catch_up()
        return ask(node, self.ward.network.session(name, f"ph.{name}"))

    def submit(self, name: str, **others: Any) -> submitting.Submitted:
        return submitting.submit(
            self.node("north"), self.patient(), self.id, self.node(name).organisation, **others
        )

    def dispense(self, name: str, **wanted: Any) -> Json:
        return dispensing.dispense(
            self.node(name), self.pharmacist(name), self.id, Wanted(**wanted), vault=self.vault
        )

    def told(self, name: str) -> holding.Told:
        node = self.node(name)
        asking = self.patient() if name == "north" else self.pharmacist(name)
        return holding.tell(node, holding.hold(node, asking, self.id, vault=self.vault))

    @property
    def id(self) -> str:
        return str(self.request["id"])

    @property
    def vault(self) -> bytes:
        return self.ward.vault


def counter_of(ward: Ward, **others: Any) -> Counter:
    request = ward.issued(**others)
    ward.network.enrol(ward.vault, f"p.{ward.number}")
    return Counter(ward, request)


@pytest.fixture
def counter(ward: Ward) -> Counter:
    return counter_of(ward)


CONTROLLED = [{"coding": [{"system": "urn:simdes:prescription", "code": "controlled"}]}]


def test_a_prescription_is_dispensed_in_fills_and_parts_until_nothing_is_left(
    counter: Counter,
) -> None:
    with pytest.raises(NotFound):
        counter.dispense("west")
    made = counter.submit("west")
    consent = submitting.consent_of_code(
        counter.node("west"), counter.pharmacist("west"), made.code.lower().replace("-", " ")
    )
    assert (consent.handle, consent.vault) == (made.handle, counter.vault)
    with pytest.raises(NotFound):
        submitting.consent_of_code(counter.node("cove"), counter.pharmacist("cove"), made.code)

    first = counter.dispense("west", quantity=Decimal(10))
    assert first["status"] == "completed"
    assert first["quantity"] == {
        "value": 10,
        "unit": "capsule",
        "system": "http://unitsofmeasure.org",
        "code": "{capsule}",
    }
    assert first["type"]["coding"][0]["code"] == "FFP"
    with pytest.raises(Conflict, match="at most 50"):
        counter.dispense("west", quantity=Decimal(60))
    with pytest.raises(Invalid):
        counter.dispense("west", quantity=Decimal("0.5"))
    assert counter.dispense("west")["quantity"]["value"] == 20

    # At the next pharmacy the patient takes the rest; both see the same state, as does the patient.
    counter.submit("cove")
    assert counter.dispense("cove")["type"]["coding"][0]["code"] == "RF"
    assert counter.told("west").state is State.PARTLY
    assert counter.told("north").left["value"] == 30
    counter.dispense("cove")
    told = counter.told("north")
    assert (told.state, told.left["value"]) == (State.COMPLETED, 0)
    assert [one.amount["value"] for one in told.fills] == [10, 30, 60, 90]
    assert [one.pharmacy for one in told.fills] == ["Pharmacy West"] * 2 + ["Pharmacy Cove"] * 2
    # The consents ended with the prescription, by the ledger: nothing opens any more.
    for name in ("west", "cove"):
        with pytest.raises(NotFound):
            counter.told(name)


def test_of_two_pharmacies_at_once_one_hands_out(counter: Counter) -> None:
    counter.submit("west")
    counter.submit("cove")
    real = proving.prove

    def later(node: Node, *given: Any) -> Any:
        made = real(node, *given)
        if node is counter.node("cove"):
            counter.dispense("west")  # the other one is first, after both looked
        return made

    with mock.patch.object(proving, "prove", later), pytest.raises(Conflict, match="hand nothing"):
        counter.dispense("cove")
    assert counter.told("north").dispensed["value"] == 30
    assert _dispenses(counter, "cove") == []


def test_who_submits_to_nobody_or_for_others_is_refused(counter: Counter) -> None:
    north = counter.node("north")
    doctor = ask(north, counter.ward.network.session("north", "dr.north"))
    with pytest.raises(Forbidden):
        submitting.submit(north, doctor, counter.id, counter.node("west").organisation)
    with pytest.raises(Invalid):
        submitting.submit(north, counter.patient(), counter.id, bytes(32))
    with pytest.raises(NotFound):
        submitting.submit(north, counter.patient(), "another", counter.node("west").organisation)
    with pytest.raises(Forbidden):
        dispensing.dispense(north, doctor, counter.id, Wanted())


def test_what_a_consent_does_not_name_does_not_open(counter: Counter) -> None:
    consents.grant(
        counter.node("north"),
        counter.patient().session,
        vault=counter.vault,
        grantee=Grantee.role_in(counter.node("west").organisation, "pharmacist"),
        categories=["medications", "demographics", "allergies", "documents"],
        purposes=["TREAT"],
        valid_seconds=3_600,
    )
    with pytest.raises(NotFound):
        counter.dispense("west")


def test_it_is_accepted_released_and_transferred(counter: Counter) -> None:
    counter.submit("west")
    west = counter.node("west")
    accepted = dispensing.accept(west, counter.pharmacist("west"), counter.id, vault=counter.vault)
    assert accepted is State.HELD
    with pytest.raises(Conflict, match="another pharmacy"):
        counter.submit("cove")
    state = dispensing.release(west, counter.pharmacist("west"), counter.id, vault=counter.vault)
    assert state is State.ISSUED
    submitting.transfer(
        counter.node("north"), counter.patient(), counter.id, counter.node("cove").organisation
    )
    west.following.catch_up()
    with pytest.raises(NotFound):
        counter.told("west")
    assert counter.told("cove").state is State.ISSUED


def test_a_controlled_substance_is_accepted_first_and_stays(ward: Ward) -> None:
    counter = counter_of(ward, category=CONTROLLED)
    counter.submit("west")
    with pytest.raises(Conflict, match="accepted it"):
        counter.dispense("west")
    west = counter.node("west")
    dispensing.accept(west, counter.pharmacist("west"), counter.id, vault=counter.vault)
    with pytest.raises(Conflict, match="transferred"):
        dispensing.release(west, counter.pharmacist("west"), counter.id, vault=counter.vault)
    assert counter.dispense("west")["status"] == "completed"


def test_a_cancelled_or_expired_prescription_is_not_dispensed(counter: Counter) -> None:
    counter.submit("west")
    counter.ward.doctor.update(counter.request | {"status": "cancelled"})
    issuing.work(counter.node("north"))
    counter.ward.network.settle("north")
    with pytest.raises(SimdesError):
        counter.dispense("west")
    assert counter.told("north").state is State.CANCELLED


def test_a_pharmacist_refuses_with_a_coded_reason(counter: Counter) -> None:
    counter.submit("west")
    west, pharmacist = counter.node("west"), counter.pharmacist("west")
    with pytest.raises(Invalid, match="outofstock"):
        dispensing.refuse(west, pharmacist, counter.id, "no", vault=counter.vault)
    made = dispensing.refuse(
        west, pharmacist, counter.id, "outofstock", text="Next week", vault=counter.vault
    )
    assert made["status"] == "declined"
    assert counter.told("west").state is State.ISSUED
    assert [one["status"] for one in _dispenses(counter, "west")] == ["declined"]


def test_a_grave_finding_needs_a_reason_which_stays_in_the_record(ward: Ward) -> None:
    ward.doctor.create(
        {
            "resourceType": "AllergyIntolerance",
            "patient": {"reference": f"Patient/{ward.patient['id']}"},
            "clinicalStatus": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/"
                        "allergyintolerance-clinical",
                        "code": "active",
                    }
                ]
            },
            "code": {"text": "Amoxicillin"},
        }
    )
    counter = counter_of(ward)
    counter.submit("west")
    with pytest.raises(Conflict, match="Not dispensed") as refused:
        counter.dispense("west")
    assert "moxicillin" not in f"{refused.value.message} {refused.value.advice}"
    made = counter.dispense("west", reason="Tolerated in 2024, spoke with Dr North")
    assert made["detectedIssue"][0]["reference"].startswith("DetectedIssue/")


def test_a_substitution_needs_its_reason_and_the_prescribers_leave(ward: Ward) -> None:
    counter = counter_of(ward, substitution={"allowedBoolean": False})
    counter.submit("west")
    other = {"text": "Amoxicillin 250 mg capsule, other maker"}
    with pytest.raises(Conflict, match="substitution"):
        counter.dispense("west", medication=other, why="out of stock")


def test_by_preference_a_pharmacy_has_every_prescription(counter: Counter) -> None:
    north, west, cove = (counter.node(name) for name in ("north", "west", "cove"))
    assert submitting.preferred(north, counter.vault) is None
    submitting.prefer(north, counter.patient(), counter.vault, west.organisation)
    assert submitting.preferred(north, counter.vault) == west.organisation
    asking = counter.pharmacist("west")
    assert [
        one.request["id"] for one in holding.all_held(west, asking, vaults=(counter.vault,))
    ] == [counter.id]
    submitting.prefer(north, counter.patient(), counter.vault, cove.organisation)
    assert submitting.preferred(north, counter.vault) == cove.organisation
    with pytest.raises(NotFound):
        counter.told("west")
    submitting.prefer(north, counter.patient(), counter.vault, None)
    assert submitting.preferred(north, counter.vault) is None


def test_an_opening_that_somebody_copied_into_another_vault_hides_no_prescription(
    counter: Counter,
) -> None:
    ward, west = counter.ward, counter.node("west")
    other = Ward.of(ward.network, ward.clock, ward.doctor, f"{ward.number}-other")
    [opening] = ward.openings(counter.request)
    kept = {name: one for name, one in opening.items() if name not in ("id", "meta", "context")}
    ward.doctor.create(kept | {"subject": {"reference": f"Patient/{other.patient['id']}"}})
    ward.network.settle()
    ward.network.enrol(other.vault, f"p.{other.number}")
    for one in (counter, Counter(other, counter.request)):
        submitting.prefer(counter.node("north"), one.patient(), one.vault, west.organisation)
    vaults = (counter.vault, other.vault)
    found = holding.all_held(west, counter.pharmacist("west"), vaults=vaults)
    assert [(one.vault, one.request["id"]) for one in found] == [(counter.vault, counter.id)]


def test_the_payload_shows_what_was_stated_and_nothing_else(counter: Counter) -> None:
    made = counter.submit("west")
    payload = codes.read_payload(made.payload)
    assert (payload.vault, payload.handle) == (counter.vault, made.handle)
    payload.opened.require_whole()
    ordered = payload.ordered()
    assert ordered is not None
    assert ordered["medicationCodeableConcept"] == counter.request["medicationCodeableConcept"]
    assert len(made.payload) <= codes.MOST_CHARACTERS
    for wrong in ("", "simdes:rx:1:", "simdes:rx:1:!!", "hello", made.payload[:-9], "x" * 9_000):
        with pytest.raises(Invalid):
            codes.read_payload(wrong)


# Crashes and silence --------------------------------------------------------------------------


def _dispenses(counter: Counter, name: str) -> list[Json]:
    node = counter.node(name)
    with node.database.read() as tx:
        rows = tx.all(
            "SELECT logical_id FROM resource WHERE type = 'MedicationDispense' AND vault = :v"
            " ORDER BY id",
            v=counter.vault,
        )
        key = finding.keys_of(node, tx, {counter.vault})[counter.vault]
        found = [resources.latest_of(tx, "MedicationDispense", row[0])[0] for row in rows]
        return [loads(finding.version_of(node, one, key).content) for one in found]


def test_ended_after_the_ledger_took_it_the_worker_writes_it_once(counter: Counter) -> None:
    counter.submit("west")
    with (
        mock.patch.object(dispensing, "finish", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        counter.dispense("west")
    assert settling.settle(counter.node("west")) == settling.Settled()  # somebody may work on it
    counter.ward.clock.ahead_seconds += 61
    assert settling.settle(counter.node("west")).dispensed == 1
    assert settling.settle(counter.node("west")) == settling.Settled()
    [made] = _dispenses(counter, "west")
    assert (made["status"], made["quantity"]["value"]) == ("in-progress", 30)
    assert "whenHandedOver" not in made


def test_ended_before_it_was_sent_nothing_is_dispensed_and_it_can_be_tried_again(
    counter: Counter,
) -> None:
    counter.submit("west")
    with (
        mock.patch.object(Lane, "transact", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        counter.dispense("west")
    made = counter.dispense("west")
    assert [one["id"] for one in _dispenses(counter, "west")] == [made["id"]]
    assert counter.told("north").dispensed["value"] == 30


def test_while_the_ledger_is_away_nothing_is_handed_out_unless_that_is_asked_for(
    counter: Counter,
) -> None:
    counter.submit("west")
    away = mock.patch.object(Lane, "transact", side_effect=Unavailable("The ledger is away."))
    with away, pytest.raises(Unavailable, match="do not hand"):
        counter.dispense("west")
    with away:
        made = counter.dispense("west", offline=True)
        assert settling.settle(counter.node("west")) == settling.Settled()
    assert "Handed out" in made["note"][0]["text"]
    assert settling.settle(counter.node("west")) == settling.Settled()  # not in every round
    counter.ward.clock.ahead_seconds += 61
    assert settling.settle(counter.node("west")).dispensed == 1
    assert counter.told("north").dispensed["value"] == 30
    assert len(_dispenses(counter, "west")) == 1


def test_what_was_handed_out_offline_and_no_longer_fits_is_said_in_the_record(
    counter: Counter,
) -> None:
    counter.submit("west")
    away = mock.patch.object(Lane, "transact", side_effect=Unavailable("The ledger is away."))
    with away:
        counter.dispense("west", offline=True)
    counter.ward.doctor.update(counter.request | {"status": "stopped"})
    issuing.work(counter.node("north"))
    assert settling.settle(counter.node("west")).conflicts == 1
    assert settling.settle(counter.node("west")) == settling.Settled()
    with counter.node("west").database.read() as tx:
        rows = tx.all(
            "SELECT 1 FROM resource WHERE type = 'DetectedIssue' AND vault = :v", v=counter.vault
        )
    assert len(rows) == 1


def test_without_keys_nothing_is_proved(counter: Counter) -> None:
    none = replace(counter.node("west").rules, development=False)
    with pytest.raises(Invalid, match="no keys"):
        proving._keys(replace(counter.node("west"), rules=none))
