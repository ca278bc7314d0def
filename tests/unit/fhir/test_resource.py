"""Type, id, references and patient of a resource, also of resources that are not well formed."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from simdes.errors import Invalid
from simdes.fhir.json import dumps
from simdes.fhir.resource import (
    logical_id,
    patient_references,
    references,
    resource_type,
    subject_reference,
    version_id,
)
from unit.fhir.published import published


def ref(text: str) -> dict[str, Any]:
    return {"reference": text}


def test_a_resource_has_the_type_and_id_it_says() -> None:
    resource = {"resourceType": "Patient", "id": "1", "meta": {"versionId": "2"}}
    assert resource_type(resource) == "Patient"
    assert logical_id(resource) == "1"
    assert version_id(resource) == "2"
    assert logical_id({"resourceType": "Patient"}) is None
    assert version_id({"resourceType": "Patient", "meta": []}) is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "Patient",
        [],
        {},
        {"resourceType": "Nonsense"},
        {"resourceType": "Resource"},
        {"resourceType": ["Patient"]},
        {"resourceType": "Patient.contact"},
    ],
)
def test_what_is_no_resource_is_refused(value: Any) -> None:
    with pytest.raises(Invalid):
        resource_type(value)


def test_every_reference_is_found_in_document_order() -> None:
    resource = {
        "resourceType": "Observation",
        "contained": [{"resourceType": "Patient", "managingOrganization": ref("Organization/o")}],
        "subject": ref("#p"),
        "performer": [
            ref("Practitioner/1"),
            {"identifier": {"value": "x"}, "type": "Practitioner"},
        ],
        "extension": [{"url": "http://x", "valueReference": ref("Group/g")}],
        "identifier": [{"value": "no reference"}],
    }
    assert [(f.expression, f.literal) for f in references(resource)] == [
        ("Observation.contained[0].managingOrganization", "Organization/o"),
        ("Observation.subject", "#p"),
        ("Observation.performer[0]", "Practitioner/1"),
        ("Observation.performer[1]", ""),
        ("Observation.extension[0].valueReference", "Group/g"),
    ]


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (
            {
                "resourceType": "Observation",
                "subject": ref("Patient/1"),
                "performer": [ref("Practitioner/2")],
            },
            ["Patient/1"],
        ),
        ({"resourceType": "Observation", "subject": ref("urn:uuid:x")}, ["urn:uuid:x"]),
        ({"resourceType": "Observation", "subject": ref("Group/1")}, []),
        (
            {
                "resourceType": "Coverage",
                "beneficiary": ref("Patient/1"),
                "payor": [ref("Patient/2")],
            },
            ["Patient/1", "Patient/2"],
        ),
        (
            {
                "resourceType": "Appointment",
                "participant": [{"actor": ref("Patient/1")}, {"actor": ref("Location/1")}, {}],
            },
            ["Patient/1"],
        ),
        (
            {
                "resourceType": "Encounter",
                "subject": {"type": "Patient", "identifier": {"value": "1"}},
            },
            [None],
        ),
        (
            {
                "resourceType": "Encounter",
                "subject": {"type": "Group", "identifier": {"value": "1"}},
            },
            [],
        ),
        ({"resourceType": "Practitioner"}, []),
        ({"resourceType": "Encounter", "subject": "rubbish"}, []),
    ],
)
def test_the_compartment_definition_says_which_references_lead_to_a_patient(
    resource: dict[str, Any], expected: list[str | None]
) -> None:
    assert [r.get("reference") for r in patient_references(resource)] == expected


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (
            {
                "resourceType": "Observation",
                "subject": ref("Patient/1"),
                "performer": [ref("Patient/2")],
            },
            "Patient/1",
        ),
        ({"resourceType": "Immunization", "patient": ref("Patient/1")}, "Patient/1"),
        (
            {
                "resourceType": "Coverage",
                "payor": [ref("Patient/2")],
                "beneficiary": ref("Patient/1"),
            },
            "Patient/1",
        ),
        ({"resourceType": "ResearchSubject", "individual": ref("Patient/1")}, "Patient/1"),
        ({"resourceType": "Task", "for": ref("Patient/1")}, "Patient/1"),
        ({"resourceType": "Observation", "performer": [ref("Patient/2")]}, None),
        ({"resourceType": "Observation", "subject": ref("Device/1")}, None),
        ({"resourceType": "Organization"}, None),
    ],
)
def test_the_subject_is_the_patient_a_resource_is_about(
    resource: dict[str, Any], expected: str | None
) -> None:
    found = subject_reference(resource)
    assert (found and found["reference"]) == expected


def test_nothing_changes_the_resource() -> None:
    for resource in published().values():
        before = dumps(copy.deepcopy(resource))
        list(references(resource))
        patient_references(resource)
        subject_reference(resource)
        assert dumps(resource) == before
