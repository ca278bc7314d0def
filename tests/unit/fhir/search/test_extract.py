"""What extraction finds, by data type (https://hl7.org/fhir/R4/search.html#table)."""

from __future__ import annotations

from typing import Any

from simdes.fhir.search.conditions import Reference, Span, Text, Token, Value
from simdes.fhir.search.extract import extract


def values(resource: dict[str, Any], slot: str) -> list[Value]:
    """Return what `resource` has under the slot `slot` of its type."""
    name = f"{resource['resourceType']}.{slot}"
    return [v.value for v in extract(resource) if v.slot.name == name]


def test_a_code_has_the_code_system_of_its_required_binding() -> None:
    patient = {"resourceType": "Patient", "gender": "female"}
    assert values(patient, "gender") == [
        Token("http://hl7.org/fhir/administrative-gender", "female")
    ]


def test_a_name_gives_each_of_its_parts_and_none_twice() -> None:
    name = {"text": "Ana Müller", "family": "Müller", "given": ["Ana", "Eva"], "suffix": ["Eva"]}
    patient = {"resourceType": "Patient", "name": [name]}
    assert values(patient, "name") == [
        Text("Ana Müller", "ana muller"),
        Text("Müller", "muller"),
        Text("Ana", "ana"),
        Text("Eva", "eva"),
    ]
    assert values(patient, "family") == [Text("Müller", "muller")]


def test_a_date_covers_its_precision() -> None:
    patient = {"resourceType": "Patient", "birthDate": "1970-01"}
    assert values(patient, "birthdate") == [Span(0, 31 * 86_400_000)]


def test_the_subject_is_told_from_other_references() -> None:
    observation = {
        "resourceType": "Observation",
        "subject": {"reference": "Patient/1/_history/2"},
        "performer": [{"reference": "Patient/1"}],
    }
    assert values(observation, "patient") == [Reference("Patient/1", "2", True)]
    assert values(observation, "performer") == [Reference("Patient/1")]


def test_what_is_misshapen_gives_no_value_and_no_error() -> None:
    for wrong in (7, "x", [], {}, [[]], [None], None, {"coding": 1}, [{"given": [{}]}]):
        for name in ("name", "identifier", "birthDate", "generalPractitioner", "telecom", "meta"):
            extract({"resourceType": "Patient", name: wrong})
