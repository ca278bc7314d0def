"""What is refused before anything is stored, and why."""

from __future__ import annotations

from typing import Any

import pytest

from simdes.exchange.submit import Accepted, Refused, check
from simdes.fhir.json import dumps
from simdes.mapper import map_bytes

MRN = "urn:oid:2.999.7"


def bundle(*resources: dict[str, Any]) -> bytes:
    entries = [
        {"fullUrl": f"https://a.example/fhir/{one['resourceType']}/{one['id']}", "resource": one}
        for one in resources
    ]
    return dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


def patient(name: str) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": name,
        "identifier": [{"system": MRN, "value": name}],
    }


def answer(data: bytes) -> Accepted | Refused:
    [found] = check(map_bytes("input", data))
    return found


def test_a_message_of_one_patient_is_accepted() -> None:
    found = answer(bundle(patient("one")))
    assert isinstance(found, Accepted)
    assert found.resources == 1


def test_a_message_of_two_patients_is_checked_as_a_whole() -> None:
    found = answer(bundle(patient("one"), patient("two")))
    assert isinstance(found, Accepted)
    assert found.resources == 2


def test_a_message_whose_resources_belong_to_two_patients_is_refused() -> None:
    both = {
        "resourceType": "List",
        "id": "both",
        "status": "current",
        "mode": "working",
        "entry": [
            {"item": {"reference": f"https://a.example/fhir/Patient/{one}"}}
            for one in ("one", "two")
        ],
    }
    found = answer(bundle(patient("one"), patient("two"), both))
    assert isinstance(found, Refused)
    assert "several patients" in found.reason


def test_a_message_without_identifier_is_kept_for_a_person() -> None:
    nameless = patient("one") | {"identifier": []}
    del nameless["identifier"]
    found = answer(bundle(nameless))
    assert isinstance(found, Refused)
    assert found.code == "no-patient-identifier"


@pytest.mark.parametrize("wrong", [{"gender": "unknowable"}, {"nme": []}, {"birthDate": "1.1.70"}])
def test_what_is_not_valid_r4_is_refused_without_its_values(wrong: dict[str, Any]) -> None:
    found = answer(bundle(patient("one") | wrong))
    assert isinstance(found, Refused)
    assert found.code == "not-valid-r4"
    assert "unknowable" not in found.reason
    assert "1.1.70" not in found.reason
