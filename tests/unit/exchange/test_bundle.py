"""From a Bundle to resources: local references, categories; bytes stay exact."""

from __future__ import annotations

from decimal import Decimal

import pytest

from simdes.access.categories import Category
from simdes.errors import Invalid
from simdes.exchange.bundle import resources_of
from simdes.fhir.json import loads

PATIENT = {
    "fullUrl": "urn:uuid:6f0a1c9e-0a4b-4b6e-9c39-4f6f5c1f2a10",
    "resource": {
        "resourceType": "Patient",
        "id": "6f0a1c9e-0a4b-4b6e-9c39-4f6f5c1f2a10",
        "identifier": [{"system": "urn:oid:1.2.3", "value": "77"}, {"value": "loose"}],
    },
}
OBSERVATION = {
    "fullUrl": "https://lab.example/fhir/Observation/o1",
    "resource": {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "Glucose"},
        "subject": {"reference": PATIENT["fullUrl"]},
        "hasMember": [{"reference": "Observation/elsewhere"}],
        "valueQuantity": {"value": Decimal("4.00")},
    },
}


def test_references_inside_the_bundle_become_local() -> None:
    _, observation = resources_of({"entry": [PATIENT, OBSERVATION]})
    stored = loads(observation.content)
    assert stored["subject"]["reference"] == f"Patient/{PATIENT['resource']['id']}"
    assert stored["hasMember"][0]["reference"] == "Observation/elsewhere"


def test_an_id_is_taken_from_the_full_url_where_the_resource_has_none() -> None:
    (observation,) = resources_of({"entry": [OBSERVATION]})
    assert observation.logical_id == "o1"
    assert loads(observation.content)["id"] == "o1"


def test_decimals_stay_as_written() -> None:
    (observation,) = resources_of({"entry": [OBSERVATION]})
    assert b'"value":4.00' in observation.content


def test_each_resource_knows_its_category() -> None:
    patient, observation = resources_of({"entry": [PATIENT, OBSERVATION]})
    assert patient.category == Category.DEMOGRAPHICS
    assert observation.category == Category.OBSERVATIONS


def test_the_same_resource_twice_is_stored_once() -> None:
    assert len(resources_of({"entry": [PATIENT, PATIENT]})) == 1


def test_two_different_resources_of_one_id_are_refused() -> None:
    changed = {**PATIENT, "resource": {**PATIENT["resource"], "gender": "female"}}
    with pytest.raises(Invalid, match="share one id"):
        resources_of({"entry": [PATIENT, changed]})


def test_a_resource_without_any_id_is_refused() -> None:
    with pytest.raises(Invalid, match="neither an id nor a fullUrl"):
        resources_of({"entry": [{"resource": {"resourceType": "Patient"}}]})
