"""Invented people with records: births, places, common and rare diagnoses, visits, texts.

The same seed gives the same people. Codes are SNOMED CT and LOINC identifiers with true check
digits; nobody here exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

SNOMED, LOINC, UCUM = "http://snomed.info/sct", "http://loinc.org", "http://unitsofmeasure.org"
COMMON = ("44054006", "38341003", "195662009", "444814009", "10509002", "162864005", "15777000")
RARE = ("190905008", "86299006", "48638002", "87433001", "61462000", "403192003")
VISIT, CHECKUP = "185345009", "410620009"
HEIGHT, WEIGHT = "8302-2", "29463-7"
PLACES = (("MA", "02118"), ("MA", "02139"), ("MA", "01105"), ("NH", "03101"), ("VT", "05901"))


def people(count: int, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the resources of ``count`` people, each with the person's name among people."""
    rng = Random(seed)
    for number in range(count):
        yield from _person(f"vault-{number}", number, rng)


def _person(subject: str, number: int, rng: Random) -> Iterator[tuple[str, dict[str, Any]]]:
    born = date(1930, 1, 1) + timedelta(rng.randrange(85 * 365))
    state, code = rng.choice(PLACES)
    me = {"reference": f"Patient/p{number}", "display": f"Person {number} Ndiaye"}
    patient: dict[str, Any] = {
        "resourceType": "Patient",
        "id": f"p{number}",
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-ssn", "value": f"999-{number:06}"}],
        "name": [{"family": f"Ndiaye{number}", "given": ["Awa"]}],
        "gender": rng.choice(("female", "male")),
        "birthDate": born.isoformat(),
        "address": [{"line": [f"{number} Rue X"], "state": state, "postalCode": code}],
    }
    if rng.random() < 0.08:
        patient["deceasedDateTime"] = "2024-05-05T10:00:00Z"
    yield subject, patient
    for visit in range(rng.randint(2, 7)):
        day = (date(2014, 1, 1) + timedelta(rng.randrange(4000))).isoformat()
        yield subject, _encounter(f"e{number}-{visit}", day, me, rng)
        for name, unit, most in ((HEIGHT, "cm", 200), (WEIGHT, "kg", 130)):
            value = {"value": rng.randrange(40, most), "system": UCUM, "code": unit, "unit": unit}
            yield (
                subject,
                {**_fact("Observation", day, me, "effectiveDateTime", LOINC, name)}
                | {
                    "status": "final",
                    "id": f"o{number}-{visit}-{name}",
                    "encounter": {"reference": f"Encounter/e{number}-{visit}"},
                    "valueQuantity": value,
                },
            )
    diagnoses = rng.sample(COMMON, rng.randint(1, 4))
    diagnoses += [rng.choice(RARE)] if rng.random() < 0.05 else []
    for place, diagnosis in enumerate(diagnoses):
        day = (date(2014, 1, 1) + timedelta(rng.randrange(4000))).isoformat()
        condition = _fact("Condition", day, me, "onsetDateTime", SNOMED, diagnosis)
        note = [{"text": f"Awa Ndiaye{number} told me at 555-01{number:02}"}]
        yield subject, {**condition, "id": f"c{number}-{place}", "note": note}


def _encounter(own: str, day: str, me: dict[str, Any], rng: Random) -> dict[str, Any]:
    kind = VISIT if rng.random() < 0.7 else CHECKUP
    return {
        "resourceType": "Encounter",
        "id": own,
        "status": "finished",
        "class": {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": "AMB",
        },
        "type": [{"coding": [{"system": SNOMED, "code": kind, "display": "visit"}]}],
        "subject": me,
        "period": {"start": f"{day}T09:00:00+01:00", "end": f"{day}T09:30:00+01:00"},
    }


def _fact(
    kind: str, day: str, me: dict[str, Any], when: str, system: str, code: str
) -> dict[str, Any]:
    coded = {"text": f"said of {me['display']}", "coding": [{"system": system, "code": code}]}
    return {"resourceType": kind, "code": coded, "subject": me, when: f"{day}T09:10:00Z"}
