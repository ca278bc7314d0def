"""FHIR R4 JSON as input."""

import json
from decimal import Decimal
from typing import Any

import pytest

from simdes.fhir.validate import validate
from simdes.mapper import Limits, Mapped, map_bytes
from unit.mapper.hl7v2.messages import resource

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{"system": "urn:oid:1.2", "value": "7"}],
}
RESULT: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "x"},
    "subject": {"reference": "Patient/p1"},
}


def take(value: object) -> Mapped:
    mapping = map_bytes("x.json", json.dumps(value).encode())
    assert not mapping.quarantined, mapping.quarantined
    return mapping.messages[0]


def test_one_resource_becomes_a_collection() -> None:
    one = take(PATIENT)
    assert (one.event, one.bundle["type"]) == ("FHIR Patient", "collection")
    assert resource(one, "Patient") == PATIENT
    assert one.patient_identifiers == (("urn:oid:1.2", "7"),)
    assert not [p for p in validate(one.bundle) if p.is_error]


def test_a_transaction_becomes_a_collection_whose_references_resolve() -> None:
    request = {"method": "POST", "url": "x"}
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"resource": PATIENT, "request": request},
            {"resource": RESULT, "request": request},
        ],
    }
    one = take(bundle)
    assert one.bundle["type"] == "collection"
    assert not [p for p in validate(one.bundle) if p.is_error]
    assert resource(one, "Observation")["subject"]["reference"] == one.bundle["entry"][0]["fullUrl"]
    assert {d.path for d in one.dropped} == {"Bundle.entry[0].request", "Bundle.entry[1].request"}


def test_a_search_result_loses_its_totals_and_says_so() -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": 1,
        "link": [{"relation": "self", "url": "http://a.example"}],
        "entry": [
            {"fullUrl": "http://a.example/Patient/p1", "resource": PATIENT, "search": {}},
        ],
    }
    one = take(bundle)
    assert {d.path for d in one.dropped} == {
        "Bundle.total", "Bundle.link", "Bundle.entry[0].search",
    }  # fmt: skip
    assert one.bundle["entry"][0]["fullUrl"] == "http://a.example/Patient/p1"


def test_a_resource_without_id_gets_one_that_stays() -> None:
    first, second = take(RESULT), take(RESULT)
    assert resource(first, "Observation")["id"] == resource(second, "Observation")["id"]


def test_decimals_keep_their_text() -> None:
    data = b'{"resourceType":"Observation","status":"final","code":{"text":"x"},' \
        b'"valueQuantity":{"value":4.00}}'  # fmt: skip
    value = resource(map_bytes("x", data).messages[0], "Observation")["valueQuantity"]["value"]
    assert isinstance(value, Decimal)
    assert str(value) == "4.00"


@pytest.mark.parametrize(
    "data",
    [
        b'{"resourceType":"Patient"',
        b'{"resourceType":"Nonsense"}',
        b'{"resourceType":5}',
        b'["resourceType"]',
        b'{"resourceType":"Bundle","entry":5}',
        b'{"resourceType":"Bundle","entry":[5]}',
        b'{"resourceType":"Bundle","entry":[{"resource":{"a":1}}]}',
        b'{"a":"resourceType\xff","resourceType":"Patient"}',
        b'{"resourceType":"Patient","resourceType":"Patient"}',
    ],
)
def test_what_is_no_resource_is_quarantined(data: bytes) -> None:
    mapping = map_bytes("x.json", data, kind="fhir")
    assert mapping.messages == ()
    assert mapping.quarantined[0].reason_code == "invalid-fhir"
    assert mapping.quarantined[0].source == data


def test_too_many_entries_are_refused() -> None:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": PATIENT}] * 3}
    mapping = map_bytes("x", json.dumps(bundle).encode(), limits=Limits(resources=2))
    assert mapping.quarantined[0].reason_code == "too-large"


def test_an_empty_bundle_is_no_fault() -> None:
    one = take({"resourceType": "Bundle", "type": "batch"})
    assert one.bundle == {"resourceType": "Bundle", "type": "collection"}


def test_a_reference_that_a_server_was_to_search_for_names_the_identifier() -> None:
    """Outside of a transaction nobody searches; R4's logical reference says the same."""
    searched = "Patient?identifier=urn:oid:1.2%7C7"
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": "urn:uuid:1f2dd1d5-4b8a-4d6e-9c6a-0d2a3b4c5d6e",
                "resource": RESULT | {"subject": {"reference": searched, "display": "Ann"}},
                "request": {"method": "POST", "url": "Observation"},
            }
        ],
    }
    one = take(bundle)
    assert resource(one, "Observation")["subject"] == {
        "display": "Ann",
        "type": "Patient",
        "identifier": {"system": "urn:oid:1.2", "value": "7"},
    }
    assert not [p for p in validate(one.bundle) if p.is_error]
