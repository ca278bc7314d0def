"""The International Patient Summary: complete, honest about what is missing, valid."""

from __future__ import annotations

import copy
import uuid
from typing import Any

import pytest

from simdes.fhir.ips import summarise
from simdes.fhir.ips_sections import ABSENT
from simdes.fhir.reference import BundleIndex, parse_reference
from simdes.fhir.resource import references
from simdes.fhir.validate import validate
from support import validator
from unit.fhir.published import published

NOW = "2026-03-01T10:00:00Z"
SPACE = uuid.UUID("6f5b8d7e-0000-4000-8000-000000000000")
HOSPITAL = {"resourceType": "Organization", "id": "own", "name": "Hospital A"}
PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "name": [{"family": "Doe"}],
    "birthDate": "1980-01-01",
    "generalPractitioner": [{"reference": "Practitioner/d"}],
    "managingOrganization": {"reference": "Organization/elsewhere"},
}
DOCTOR = {"resourceType": "Practitioner", "id": "d", "name": [{"text": "Dr D"}]}
SUBJECT = {"reference": "Patient/p"}
REQUIRED = ["10160-0", "48765-2", "11450-4"]


def summary(*resources: dict[str, Any], patient: dict[str, Any] = PATIENT) -> dict[str, Any]:
    return summarise(
        patient,
        resources,
        organisation=HOSPITAL,
        now=NOW,
        ids=lambda name: str(uuid.uuid5(SPACE, name)),
    )


def sections(bundle: dict[str, Any]) -> dict[str, dict[str, Any]]:
    rows = bundle["entry"][0]["resource"]["section"]
    return {row["code"]["coding"][0]["code"]: row for row in rows}


def entries(bundle: dict[str, Any], code: str) -> list[dict[str, Any]]:
    by_url = {e["fullUrl"]: e["resource"] for e in bundle["entry"]}
    found = sections(bundle).get(code, {}).get("entry", [])
    return [by_url[e["reference"]] for e in found]


def errors(bundle: dict[str, Any]) -> list[Any]:
    return [p for p in validate(bundle) if p.is_error]


def condition(id_: str, status: str = "active", **more: Any) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    return {
        "resourceType": "Condition",
        "id": id_,
        "clinicalStatus": {"coding": [{"system": system, "code": status}]},
        "code": {"text": f"Illness {id_}"},
        "subject": SUBJECT,
        **more,
    }


def observation(
    id_: str, category: str, date: str, code: str = "1-8", **more: Any
) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "category": [{"coding": [{"system": system, "code": category}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code}], "text": "Measure"},
        "subject": SUBJECT,
        "effectiveDateTime": date,
        **more,
    }


def test_a_patient_of_whom_nothing_is_recorded_has_a_summary_that_says_so() -> None:
    bundle = summary()
    assert list(sections(bundle)) == REQUIRED
    told = [entries(bundle, code)[0] for code in REQUIRED]
    assert [r["resourceType"] for r in told] == [
        "MedicationStatement",
        "AllergyIntolerance",
        "Condition",
    ]
    codes = [(r.get("code") or r["medicationCodeableConcept"])["coding"][0] for r in told]
    assert {c["system"] for c in codes} == {ABSENT}
    assert [c["code"] for c in codes] == [
        "no-medication-info",
        "no-allergy-info",
        "no-problem-info",
    ]
    assert errors(bundle) == []


def test_it_is_a_document_with_everything_that_ips_demands() -> None:
    bundle = summary(condition("c"), DOCTOR)
    composition = bundle["entry"][0]["resource"]
    assert bundle["type"] == "document"
    assert bundle["timestamp"] == NOW
    assert bundle["identifier"]["value"].startswith("urn:uuid:")
    assert composition["type"]["coding"][0]["code"] == "60591-5"
    assert composition["status"] == "final"
    by_url = {e["fullUrl"]: e["resource"] for e in bundle["entry"]}
    assert by_url[composition["subject"]["reference"]]["resourceType"] == "Patient"
    assert by_url[composition["author"][0]["reference"]]["name"] == "Hospital A"
    assert by_url[composition["custodian"]["reference"]]["name"] == "Hospital A"
    assert all(row["text"]["div"] and row["title"] for row in composition["section"])


def test_each_resource_stands_in_its_section() -> None:
    bundle = summary(
        condition("now"),
        condition("then", "resolved"),
        observation("lab", "laboratory", "2025-01-01"),
        observation("vital", "vital-signs", "2025-01-01", "8867-4"),
        observation("smoker", "social-history", "2025-01-01", "72166-2"),
        observation("pregnant", "social-history", "2025-01-01", "82810-3"),
    )
    expected = {"11450-4": "now", "11348-0": "then", "30954-2": "lab", "8716-3": "vital"}
    expected |= {"29762-2": "smoker", "10162-6": "pregnant"}
    assert {code: entries(bundle, code)[0]["id"] for code in expected} == expected
    assert all(len(entries(bundle, code)) == 1 for code in expected)
    assert errors(bundle) == []


def test_mistakes_and_what_was_not_done_are_left_out() -> None:
    system = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    wrong = {"coding": [{"system": system, "code": "entered-in-error"}]}
    mistake = condition("x", verificationStatus=wrong)
    del mistake["clinicalStatus"]
    draft = observation("y", "laboratory", "2025-01-01", status="preliminary")
    stopped = {
        "resourceType": "MedicationRequest",
        "id": "z",
        "status": "stopped",
        "intent": "order",
        "medicationCodeableConcept": {"text": "Pill"},
        "subject": SUBJECT,
    }
    bundle = summary(mistake, draft, stopped)
    assert list(sections(bundle)) == REQUIRED
    assert {e["resource"].get("id") for e in bundle["entry"]}.isdisjoint({"x", "y", "z"})


def test_of_many_results_of_one_kind_the_newest_is_shown() -> None:
    rows = [observation(str(y), "laboratory", f"20{y}-01-01") for y in range(10, 20)]
    bundle = summary(*rows)
    assert [r["id"] for r in entries(bundle, "30954-2")] == ["19"]


def test_references_lead_inside_the_bundle_or_nowhere() -> None:
    medication = {"resourceType": "Medication", "id": "m", "code": {"text": "Aspirin"}}
    request = {
        "resourceType": "MedicationRequest",
        "id": "r",
        "status": "active",
        "intent": "order",
        "medicationReference": {"reference": "Medication/m"},
        "subject": SUBJECT,
        "requester": {"reference": "Practitioner/d/_history/3"},
        "basedOn": [{"reference": "CarePlan/none", "display": "Plan"}],
        "meta": {"versionId": "7", "lastUpdated": NOW},
    }
    before = copy.deepcopy(request)
    bundle = summary(request, medication, DOCTOR)
    assert request == before
    index = BundleIndex(bundle)
    for entry in bundle["entry"]:
        for found in references(entry["resource"]):
            if found.literal:
                literal = parse_reference(found.literal)
                assert index.find(literal, full_url=entry["fullUrl"]) is not None
    (shown,) = entries(bundle, "10160-0")
    assert shown["basedOn"] == [{"type": "CarePlan", "display": "Plan"}]
    assert "meta" not in shown
    assert "Aspirin" in sections(bundle)["10160-0"]["text"]["div"]
    types = [e["resource"]["resourceType"] for e in bundle["entry"]]
    assert types.count("Practitioner") == 1
    patient = bundle["entry"][1]["resource"]
    assert patient["managingOrganization"] == {
        "type": "Organization",
        "display": "not part of this summary",
    }
    assert errors(bundle) == []


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a & b",
        '"><img src=x onerror=y>',
        "]]>",
        "x\x00\x1by",
        "\ufffe",
    ],
    ids=["script", "ampersand", "attribute", "cdata", "control", "noncharacter"],
)
def test_narratives_hold_no_markup_from_the_record(text: str) -> None:
    bundle = summary(condition("c", code={"text": text}))
    div = sections(bundle)["11450-4"]["text"]["div"]
    assert "<script" not in div
    assert "<img" not in div
    found = {p.expression for p in validate(bundle["entry"][0]["resource"]) if p.is_error}
    assert found == set()


def test_the_same_record_has_the_same_summary_whatever_its_order() -> None:
    rows = [condition("a"), condition("b"), observation("o", "laboratory", "2025"), DOCTOR]
    assert summary(*rows) == summary(*rows[::-1])


def big_record() -> dict[str, Any]:
    """US Core's examples as one record."""
    patient = published()["Patient-example.json"]
    rows = [r for n, r in published().items() if n.endswith(".json") and "synthea" not in n]
    others = [r for r in rows if "id" in r and r["resourceType"] not in ("Patient", "Bundle")]
    return summary(*others, patient=patient)


def test_a_published_record_makes_a_valid_summary() -> None:
    bundle = big_record()
    assert errors(bundle) == []
    assert len(sections(bundle)) >= 9
    assert len(bundle["entry"]) > 60


@pytest.mark.accept
def test_hl7s_own_validator_finds_no_error_in_a_summary() -> None:
    found = validator.errors([("empty", summary()), ("record", big_record())])
    assert found == {"empty": [], "record": []}
