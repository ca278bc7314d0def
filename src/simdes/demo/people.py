"""Who works in the living demo, and the record of its patient, as FHIR resources."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from simdes.access.categories import Role

Json = dict[str, Any]

PEOPLE: Final = (
    ("north", "rosa", Role.PATIENT, "Rosa Okafor"),
    ("north", "dr.adams", Role.DOCTOR, "Dr Ann Adams"),
    ("north", "nurse.kim", Role.NURSE, "Kim Park"),
    ("south", "dr.lee", Role.DOCTOR, "Dr Sam Lee"),
    ("west", "ph.novak", Role.PHARMACIST, "Eva Novak"),
    ("east", "clerk.poe", Role.INSURER, "Max Poe"),
    ("north", "prof.ray", Role.RESEARCHER, "Prof Ada Ray"),
    ("north", "admin", Role.ADMINISTRATOR, "admin"),
)
"""Where each signs in, with user name, role and name."""

NUMBER: Final = ("urn:oid:2.16.840.1.113883.4.1", "DEMO-1001")
_UNITS: Final = "http://unitsofmeasure.org"
_LOINC: Final = "http://loinc.org"
_CLINICAL: Final = "http://terminology.hl7.org/CodeSystem"
_LABS: Final = (
    ("2823-3", "Potassium", "mmol/L", "3.5", "5.1", (("2024-02-03", "4.1"), ("2025-03-11", "5.4"))),
    (
        "718-7",
        "Hemoglobin",
        "g/dL",
        "12.0",
        "15.5",
        (("2024-02-03", "12.9"), ("2025-03-11", "12.1")),
    ),
    ("4548-4", "Hemoglobin A1c", "%", "4.0", "5.6", (("2024-02-03", "5.9"), ("2025-03-11", "5.5"))),
)


def patient() -> Json:
    """The patient of the demo."""
    return {
        "resourceType": "Patient",
        "identifier": [{"system": NUMBER[0], "value": NUMBER[1]}],
        "name": [{"family": "Okafor", "given": ["Rosa"]}],
        "gender": "female",
        "birthDate": "1974-11-30",
        "address": [{"line": ["12 Harbour Road"], "city": "Portsea"}],
    }


def history(reference: str) -> list[Json]:
    """What a hospital knows of the patient ``Patient/…``."""
    of = {"reference": reference}
    labs = [
        _lab(of, code, name, unit, low, high, day, value)
        for code, name, unit, low, high, values in _LABS
        for day, value in values
    ]
    return [
        *labs,
        {
            "resourceType": "Condition",
            "clinicalStatus": _active("condition-clinical"),
            "code": {"text": "High blood pressure"},
            "subject": of,
            "onsetDateTime": "2021-05",
        },
        {
            "resourceType": "AllergyIntolerance",
            "clinicalStatus": _active("allergyintolerance-clinical"),
            "code": {"text": "Latex"},
            "patient": of,
            "reaction": [{"manifestation": [{"text": "Rash"}]}],
            "recordedDate": "2019",
        },
        {
            "resourceType": "Encounter",
            "status": "finished",
            "class": {
                "system": f"{_CLINICAL}/v3-ActCode",
                "code": "AMB",
                "display": "ambulatory",
            },
            "type": [{"text": "Check-up"}],
            "subject": of,
            "period": {"start": "2025-03-11T08:00:00Z", "end": "2025-03-11T08:40:00Z"},
        },
        {
            "resourceType": "DocumentReference",
            "status": "current",
            "type": {"text": "Letter to the general practitioner"},
            "subject": of,
            "date": "2025-03-11T15:00:00Z",
            "content": [{"attachment": {"contentType": "text/plain", "data": "QWxsIGlzIHdlbGwu"}}],
        },
    ]


def order(reference: str) -> Json:
    """A prescription, to be dispensed three times."""
    capsule = {"value": 30, "unit": "capsule", "system": _UNITS, "code": "{capsule}"}
    return {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {
            "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "308182"}],
            "text": "Amoxicillin 250 mg capsule",
        },
        "subject": {"reference": reference},
        "dosageInstruction": [{"text": "1 capsule three times a day"}],
        "dispenseRequest": {"quantity": capsule, "numberOfRepeatsAllowed": 2},
    }


def _lab(
    of: Json, code: str, name: str, unit: str, low: str, high: str, day: str, value: str
) -> Json:
    def quantity(number: str) -> Json:
        return {"value": Decimal(number), "unit": unit, "system": _UNITS, "code": unit}

    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": _LOINC, "code": code}], "text": name},
        "subject": of,
        "effectiveDateTime": f"{day}T08:30:00Z",
        "valueQuantity": quantity(value),
        "referenceRange": [{"low": quantity(low), "high": quantity(high)}],
    }


def _active(system: str) -> Json:
    return {"coding": [{"system": f"{_CLINICAL}/{system}", "code": "active"}]}
