"""Staff write: visits with checked numbers, prescriptions with the checks, each once a form."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from simdes.access.categories import Role
from support.fhir_api import Api
from support.pages import Visitor
from support.portal import Enrolled, concept, enrolled, history
from support.two_patients import statements
from unit.gateway.pages.conftest import Place

HOSTILE = "<script>alert(1)</script>"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


@pytest.fixture(scope="module")
def theo(founded_pages: Place, doctor: Api) -> Enrolled:
    """A patient with an allergy to penicillin."""
    who = enrolled(founded_pages.network, doctor, "pages-theo", user="theo", given="Theo")
    doctor.create(
        {
            "resourceType": "AllergyIntolerance",
            "clinicalStatus": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
                        "code": "active",
                    }
                ]
            },
            "code": concept(RXNORM, "7980", "Penicillin"),
            "patient": {"reference": f"Patient/{who.patient['id']}"},
            "criticality": "high",
        }
    )
    return who


@pytest.fixture
def desk(place: Place) -> Iterator[Visitor]:
    """A doctor's browser."""
    visitor = place.visitor()
    visitor.sign_in(place.person(Role.DOCTOR, display="Dr Ann Smith").user)
    yield visitor


def form_of(text: str) -> str:
    found = re.search(r'name="form" value="([0-9a-f-]{36})"', text)
    assert found, text
    return found.group(1)


def visit(patient: str, form: str, **others: str) -> dict[str, str]:
    usual = {
        "patient": patient,
        "form": form,
        "kind": "AMB",
        "reason": f"Cough {HOSTILE}",
        "temperature": "38,2",
        "systolic": "131",
        "diastolic": "84",
        "problem-1": "Bronchitis",
        "code-1": "j20.9",
        "order-1": "Chest X-ray",
        "kind-1": "imaging",
    }
    return usual | others


def test_a_visit_is_written_once_and_stands_in_the_record(
    desk: Visitor, doctor: Api, theo: Enrolled
) -> None:
    patient = theo.patient["id"]
    address = f"/patients/visit?patient={patient}"
    form = form_of(desk.get(address).text)
    for _ in range(2):
        done = desk.post("/patients/visit", visit(patient, form))
        assert done.headers["location"] == f"/patients/record?patient={patient}&done=written"
    [encounter] = doctor.found(f"Encounter?subject=Patient/{patient}")
    assert encounter["participant"][0]["individual"]["display"] == "Dr Ann Smith"
    signs = doctor.found(f"Observation?subject=Patient/{patient}")
    assert len(signs) == 2
    assert {one["encounter"]["reference"] for one in signs} == {f"Encounter/{encounter['id']}"}
    [problem] = doctor.found(f"Condition?subject=Patient/{patient}")
    assert problem["code"]["coding"][0]["code"] == "J20.9"
    [ordered] = doctor.found(f"ServiceRequest?subject=Patient/{patient}")
    assert (ordered["intent"], ordered["code"]["text"]) == ("order", "Chest X-ray")
    text = desk.get(done.headers["location"]).text
    assert "It is written into the record." in text and "Bronchitis" in text
    assert "38.2" in text and "<script" not in text


def test_what_is_seldom_seen_is_confirmed_before_it_is_written(
    desk: Visitor, doctor: Api, theo: Enrolled
) -> None:
    patient = theo.patient["id"]
    form = form_of(desk.get(f"/patients/visit?patient={patient}").text)
    before = len(doctor.found(f"Encounter?subject=Patient/{patient}"))
    asked = desk.post("/patients/visit", visit(patient, form, pulse="190"))
    assert asked.status_code == 200 and "They are right" in asked.text
    assert 'value="190"' in asked.text and "&lt;script&gt;" in asked.text
    assert len(doctor.found(f"Encounter?subject=Patient/{patient}")) == before
    done = desk.post("/patients/visit", visit(patient, form, pulse="190", sure="yes"))
    assert done.status_code == 303
    assert len(doctor.found(f"Encounter?subject=Patient/{patient}")) == before + 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": "382"},
        {"temperature": "warm"},
        {"diastolic": ""},
        {"diastolic": "140"},
        {"code-1": "asthma"},
        {"problem-1": ""},
        {"kind": "XX"},
        {"kind-1": "anything"},
        {"reason": "x" * 401},
        {"form": "1"},
        {"form": ""},
    ],
    ids=range(11),
)
def test_what_can_t_be_is_asked_for_again(
    desk: Visitor, theo: Enrolled, wrong: dict[str, str]
) -> None:
    patient = theo.patient["id"]
    form = "00000000-0000-4000-8000-000000000000"
    answer = desk.post("/patients/visit", visit(patient, form) | wrong)
    assert answer.status_code == 400
    assert "Bronchitis" in answer.text or wrong == {"problem-1": ""}, "what was typed is kept"


def test_a_patient_of_others_gets_nothing_written(place: Place, theo: Enrolled) -> None:
    from simdes.gateway.app import create_gateway

    south = place.network["south"]
    visitor = Visitor(create_gateway(south.custody, node=south.node))
    visitor.sign_in("dr.lee")
    patient, form = theo.patient["id"], "00000000-0000-4000-8000-000000000001"
    assert visitor.post("/patients/visit", visit(patient, form)).status_code == 404
    assert visitor.get(f"/patients/prescribe?patient={patient}").status_code == 404
    assert visitor.post("/patients/visit", {"form": form}).status_code == 404


# Prescribing ------------------------------------------------------------------------------------


def order(patient: str, form: str, **others: str) -> dict[str, str]:
    usual = {
        "patient": patient,
        "form": form,
        "medicine": "Amoxicillin 250 mg capsule",
        "code": "308182",
        "dosage": "1 capsule three times a day",
        "amount": "30",
        "unit": "capsule",
        "repeats": "1",
        "days": "90",
        "substitution": "yes",
    }
    return usual | others


def seen(text: str) -> str:
    found = re.search(r'name="seen" value="([^"]*)"', text)
    assert found, text
    return found.group(1)


def test_a_grave_finding_is_shown_and_needs_a_reason(
    desk: Visitor, doctor: Api, theo: Enrolled
) -> None:
    patient = theo.patient["id"]
    form = form_of(desk.get(f"/patients/prescribe?patient={patient}").text)
    shown = desk.post("/patients/prescribe", order(patient, form, step="check"))
    assert shown.status_code == 200
    assert "grave" in shown.text and "Sign and prescribe" in shown.text
    assert not doctor.found(f"MedicationRequest?subject=Patient/{patient}")
    first = re.search(r'<button type="submit"[^>]*name="step" value="(\w+)"', shown.text)
    assert first and first.group(1) == "check", "the Enter key never signs"
    signed = order(patient, form, step="sign", seen=seen(shown.text))
    refused = desk.post("/patients/prescribe", signed)
    assert refused.status_code == 400 and "something grave" in refused.text
    unseen = desk.post("/patients/prescribe", signed | {"seen": "", "reason": "Desensitised."})
    assert unseen.status_code == 200, "what was not shown is shown first"
    for _ in range(2):
        done = desk.post("/patients/prescribe", signed | {"reason": "Desensitised."})
        assert done.headers["location"].endswith("&done=prescribed"), done.text
    [made] = doctor.found(f"MedicationRequest?subject=Patient/{patient}")
    assert made["dispenseRequest"]["quantity"]["value"] == 30
    issues = doctor.found(f"DetectedIssue?patient=Patient/{patient}")
    assert [one["mitigation"][0]["action"]["text"] for one in issues] == ["Desensitised."] * len(
        issues
    )
    assert {one["implicated"][0]["reference"] for one in issues} == {
        f"MedicationRequest/{made['id']}"
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"medicine": ""},
        {"dosage": ""},
        {"amount": "many"},
        {"amount": "0"},
        {"unit": "bag"},
        {"repeats": "13"},
        {"repeats": "-1"},
        {"days": "10000"},
        {"code": "x"},
        {"medicine": HOSTILE, "amount": "x"},
    ],
    ids=range(10),
)
def test_what_can_t_be_dispensed_is_asked_for_again(
    desk: Visitor, theo: Enrolled, wrong: dict[str, str]
) -> None:
    form = "00000000-0000-4000-8000-000000000002"
    fields = order(theo.patient["id"], form, step="check") | wrong
    answer = desk.post("/patients/prescribe", fields)
    assert answer.status_code == 400
    assert "<script" not in answer.text


def test_a_controlled_substance_wants_a_fresh_sign_in(
    place: Place, desk: Visitor, theo: Enrolled
) -> None:
    form = "00000000-0000-4000-8000-000000000003"
    fields = order(
        theo.patient["id"], form, medicine="Morphine 10 mg tablet", code="", controlled="yes"
    )
    place.clock.ahead_seconds += 400
    shown = desk.post("/patients/prescribe", fields | {"step": "check"})
    fields |= {"step": "sign", "seen": seen(shown.text), "reason": "Pain."}
    refused = desk.post("/patients/prescribe", fields)
    assert refused.status_code == 403 and "within five minutes" in refused.text


def test_a_nurse_reads_why_she_does_not_prescribe_and_writes_the_rest(
    place: Place, theo: Enrolled
) -> None:
    patient, nurse = theo.patient["id"], place.visitor()
    nurse.sign_in(place.person(Role.NURSE).user)
    record = nurse.get(f"/patients/record?patient={patient}").text
    assert "Nurses don&#39;t prescribe at this hospital" in record
    assert "/patients/prescribe" not in record and "/patients/visit" in record
    page = nurse.get(f"/patients/prescribe?patient={patient}").text
    assert "Nurses don&#39;t prescribe" in page and 'name="medicine"' not in page
    form = "00000000-0000-4000-8000-000000000004"
    for step in ("check", "sign"):
        refused = nurse.post("/patients/prescribe", order(patient, form, step=step))
        assert refused.status_code == 403
    done = nurse.post("/patients/visit", visit(patient, form))
    assert done.status_code == 303


def test_a_form_costs_as_many_statements_for_a_long_record(
    place: Place, desk: Visitor, doctor: Api, theo: Enrolled
) -> None:
    patient = theo.patient["id"]

    def cost(path: str) -> int:
        desk.get(path)  # what a first look remembers
        with statements(place.north.node) as count:
            assert desk.get(path).status_code == 200
        return count[0]

    paths = [f"/patients/{name}?patient={patient}" for name in ("record", "visit", "prescribe")]
    before = {path: cost(path) for path in paths}
    for one in history(patient):
        doctor.create(one)
    for path, most in before.items():
        assert cost(path) <= most + 2, path
