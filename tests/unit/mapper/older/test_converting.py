"""FHIR DSTU2 and STU3 become R4; Synthea's exports (tests/vectors/older) are the examples."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simdes.fhir.validate import validate
from simdes.mapper import Mapped, Mapping, map_bytes

VECTORS = sorted((Path(__file__).parents[3] / "vectors/older").glob("*.json.gz"))
UNMAPPED = {v: f"urn:simdes:fhir-{v}:unmapped" for v in ("dstu2", "stu3")}


def convert(value: dict[str, Any], version: str) -> Mapped:
    mapping = map_bytes("x.json", json.dumps(value).encode(), kind=f"fhir-{version}")
    assert not mapping.quarantined, mapping.quarantined
    assert [p for p in validate(mapping.messages[0].bundle) if p.is_error] == []
    return mapping.messages[0]


def resource(value: dict[str, Any], version: str) -> dict[str, Any]:
    found: dict[str, Any] = convert(value, version).bundle["entry"][0]["resource"]
    return found


def beside(made: dict[str, Any], version: str) -> dict[str, Any]:
    """What the extension keeps, by path."""
    return {
        inner["url"]: next(part for name, part in inner.items() if name != "url")
        for extension in made.get("extension", ())
        if extension["url"] == UNMAPPED[version]
        for inner in extension["extension"]
    }


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            if name != "system":  # R4 moved HL7's code systems
                yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)
    elif value is not None:
        yield str(value)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_a_patient_of_synthea_becomes_valid_r4_with_all_its_values(path: Path) -> None:
    data = gzip.decompress(path.read_bytes())
    mapping: Mapping = map_bytes(path.stem, data)
    assert mapping.quarantined == ()
    one = mapping.messages[0]
    assert one.event.split()[1].lower() in path.name
    assert [p for p in validate(one.bundle) if p.is_error] == []
    source = json.loads(data)
    for entry in source["entry"]:
        entry.pop("request")
    made = set(texts(one.bundle))
    missing = [text for text in texts(source) if text not in made]
    assert len(missing) < 0.05 * sum(1 for _ in texts(source))


def test_the_same_input_gives_the_same_bundle() -> None:
    data = gzip.decompress(VECTORS[0].read_bytes())
    assert map_bytes("a", data).messages[0].bundle == map_bytes("b", data).messages[0].bundle


def test_a_medication_order_becomes_a_medication_request() -> None:
    made = resource(
        {
            "resourceType": "MedicationOrder",
            "id": "m1",
            "dateWritten": "2015-01-15",
            "status": "active",
            "patient": {"reference": "Patient/p"},
            "prescriber": {"reference": "Practitioner/d"},
            "medicationCodeableConcept": {"text": "aspirin"},
            "reasonCodeableConcept": {"text": "pain"},
            "note": "with food",
            "dateEnded": "2015-02-15",
            "dosageInstruction": [
                {
                    "text": "one a day",
                    "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnits": "d"}},
                    "doseQuantity": {"value": 1.5, "unit": "tab"},
                }
            ],
            "priorPrescription": {"reference": "MedicationOrder/m0"},
        },
        "dstu2",
    )
    assert made["resourceType"] == "MedicationRequest"
    assert made["id"] == "m1"
    assert made["authoredOn"] == "2015-01-15"
    assert made["subject"] == {"reference": "Patient/p"}
    assert made["requester"] == {"reference": "Practitioner/d"}
    assert made["reasonCode"] == [{"text": "pain"}]
    assert made["note"] == [{"text": "with food"}]
    assert made["intent"] == "order"
    assert made["priorPrescription"] == {"reference": "MedicationRequest/m0"}
    dosage = made["dosageInstruction"][0]
    assert dosage["timing"]["repeat"] == {"frequency": 1, "period": 1, "periodUnit": "d"}
    assert str(dosage["doseAndRate"][0]["doseQuantity"]["value"]) == "1.5"
    assert beside(made, "dstu2") == {"dateEnded": "2015-02-15"}
