"""Codes under a published system's name that the system does not have stay, as the sender's."""

from __future__ import annotations

from typing import Any

import pytest

from simdes.fhir.validate import validate
from simdes.mapper import map_bytes
from simdes.mapper.codings import own_system, settle

HL7 = "http://terminology.hl7.org/CodeSystem/"


def test_a_code_its_system_lacks_is_the_senders() -> None:
    body: dict[str, Any] = {
        "identifier": [
            {"type": {"coding": [{"system": HL7 + "v2-0203", "code": "Z9", "display": "x"}]}}
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": "never-heard-of"}]},
        "valueQuantity": {"value": 1, "system": "http://unitsofmeasure.org", "code": "MG/DL"},
        "name": [{"given": ["A", None]}],
    }
    settle(body)
    assert body["identifier"][0]["type"]["coding"][0] == {
        "system": "urn:id:HL70203",
        "code": "Z9",
        "display": "x",
    }
    assert body["code"]["coding"][0]["system"] == "http://loinc.org"
    assert body["valueQuantity"] == {"value": 1, "system": "urn:id:UCUM", "code": "MG/DL"}


def test_a_text_without_a_code_is_none_of_its_systems() -> None:
    body: dict[str, Any] = {"code": {"coding": [{"system": HL7 + "v2-0001", "display": "x"}]}}
    settle(body)
    assert body["code"]["coding"] == [{"system": "urn:id:HL70001", "display": "x"}]


@pytest.mark.parametrize(
    ("system", "own"),
    [
        (HL7 + "v2-0001", "urn:id:HL70001"),
        (HL7 + "v3-MaritalStatus", "urn:id:v3-MaritalStatus"),
        ("http://unitsofmeasure.org", "urn:id:UCUM"),
    ],
)
def test_its_system_is_named_after_the_published_one(system: str, own: str) -> None:
    assert own_system(system) == own


def test_a_message_with_codes_nobody_published_is_valid() -> None:
    text = (
        "MSH|^~\\&|A|B|||20240101||ORU^R01|1|P|2.5\rPID|1||7^^^H^ZZZ||A^B||||||||||Q^q^HL70002\r"
        "OBR|1||2|x^y^L\rOBX|1|NM|GLU^G^L||5|MG/DL^^UCUM|||||F"
    )
    (message,) = map_bytes("x.hl7", text.encode()).messages
    assert [p for p in validate(message.bundle) if p.is_error] == []
    found = str(message.bundle)
    assert "MG/DL" in found and "urn:id:UCUM" in found and "'Q'" in found


def test_a_code_without_a_system_is_of_the_fields_table() -> None:
    text = "MSH|^~\\&|A|B|||20240101||ADT^A01|1|P|2.5\rPID|1||7||A^B|||||||||||ZZ"
    (message,) = map_bytes("x.hl7", text.encode()).messages
    (patient,) = [
        e["resource"] for e in message.bundle["entry"] if e["resource"]["resourceType"] == "Patient"
    ]
    assert patient["maritalStatus"]["coding"] == [{"code": "ZZ", "system": "urn:id:HL70002"}]
