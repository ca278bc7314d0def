"""Orders and records to check, as short as they can be."""

from __future__ import annotations

from datetime import date
from typing import Any

Resource = dict[str, Any]

TODAY = date(2026, 3, 1)
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
UCUM = "http://unitsofmeasure.org"
SUBJECT = {"reference": "Patient/p"}


def concept(system: str, code: str, display: str = "") -> Resource:
    coding = {"system": system, "code": code}
    return {"coding": [coding | ({"display": display} if display else {})]}


def quantity(value: float, code: str) -> Resource:
    return {"value": value, "system": UCUM, "code": code}


def dosage(
    value: float, code: str, *, frequency: float = 1, period: float = 1, unit: str = "d"
) -> Resource:
    repeat = {"frequency": frequency, "period": period, "periodUnit": unit}
    return {
        "timing": {"repeat": repeat},
        "doseAndRate": [{"doseQuantity": quantity(value, code)}],
    }


def order(drug: str | Resource, *dosages: Resource, **more: Any) -> Resource:
    return {
        "resourceType": "MedicationRequest",
        "id": "order",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {"text": drug} if isinstance(drug, str) else drug,
        "subject": SUBJECT,
        **({"dosageInstruction": list(dosages)} if dosages else {}),
        **more,
    }


def using(drug: str | Resource, id: str = "other", **more: Any) -> Resource:
    return order(drug, **{"id": id, "status": "active", **more})


def allergy(code: str | Resource, id: str = "allergy", **more: Any) -> Resource:
    return {
        "resourceType": "AllergyIntolerance",
        "id": id,
        "code": {"text": code} if isinstance(code, str) else code,
        "patient": SUBJECT,
        **more,
    }


def condition(code: str | Resource, id: str = "condition", **more: Any) -> Resource:
    return {
        "resourceType": "Condition",
        "id": id,
        "code": {"text": code} if isinstance(code, str) else code,
        "subject": SUBJECT,
        **more,
    }


def observation(
    loinc: str, id: str = "observation", when: str = "2026-02-01", **value: Any
) -> Resource:
    return {
        "resourceType": "Observation",
        "id": id,
        "status": "final",
        "code": concept(LOINC, loinc),
        "subject": SUBJECT,
        "effectiveDateTime": when,
        **value,
    }


def person(birth: str = "1970-01-01", gender: str = "male") -> Resource:
    return {"resourceType": "Patient", "id": "p", "birthDate": birth, "gender": gender}


def status(system: str, code: str) -> Resource:
    return concept(f"http://terminology.hl7.org/CodeSystem/{system}", code)
