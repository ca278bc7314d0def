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


def test_an_allergy_of_dstu2_says_its_status_twice() -> None:
    made = resource(
        {
            "resourceType": "AllergyIntolerance",
            "patient": {"reference": "Patient/p"},
            "substance": {"text": "nuts"},
            "status": "refuted",
            "criticality": "CRITH",
            "lastOccurence": "2015-02-01",
        },
        "dstu2",
    )
    assert made["code"] == {"text": "nuts"}
    assert made["clinicalStatus"]["coding"][0]["code"] == "inactive"
    assert made["verificationStatus"]["coding"][0]["code"] == "refuted"
    assert made["criticality"] == "high"
    assert made["lastOccurrence"] == "2015-02-01"


def test_an_entry_in_error_has_no_clinical_status() -> None:
    made = resource(
        {
            "resourceType": "AllergyIntolerance",
            "patient": {"reference": "Patient/p"},
            "clinicalStatus": "active",
            "verificationStatus": "entered-in-error",
        },
        "stu3",
    )
    assert "clinicalStatus" not in made
    assert made["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "active" in beside(made, "stu3").values()


def test_what_has_ended_is_resolved_unless_it_is_said_to_be_active() -> None:
    value = {
        "resourceType": "Condition",
        "subject": {"reference": "Patient/p"},
        "abatementDateTime": "2016-01-01",
    }
    made = resource(value, "stu3")
    assert made["abatementDateTime"] == "2016-01-01"
    assert made["clinicalStatus"]["coding"][0]["code"] == "resolved"
    made = resource(value | {"clinicalStatus": "active"}, "stu3")
    assert made["clinicalStatus"]["coding"][0]["code"] == "active"
    assert "abatementDateTime" not in made
    assert "2016-01-01" in beside(made, "stu3").values()


@pytest.mark.parametrize(("sent", "status"), [(True, "resolved"), (False, None)])
def test_an_abatement_that_is_only_true_or_false_is_the_status(
    sent: bool, status: str | None
) -> None:
    value = {
        "resourceType": "Condition",
        "patient": {"reference": "Patient/p"},
        "code": {"text": "x"},
        "verificationStatus": "confirmed",
        "abatementBoolean": sent,
    }
    made = resource(value, "dstu2")
    assert beside(made, "dstu2") == {}
    coding = made.get("clinicalStatus", {}).get("coding", [{}])
    assert coding[0].get("code") == status


@pytest.mark.parametrize(
    ("version", "value", "status"),
    [
        ("dstu2", {"resourceType": "Immunization", "wasNotGiven": True}, "not-done"),
        ("dstu2", {"resourceType": "Immunization", "status": "stopped"}, "not-done"),
        ("dstu2", {"resourceType": "Procedure", "notPerformed": True}, "not-done"),
        ("dstu2", {"resourceType": "Procedure", "status": "aborted"}, "stopped"),
        ("dstu2", {"resourceType": "MedicationStatement", "wasNotTaken": True}, "not-taken"),
        ("dstu2", {"resourceType": "DiagnosticOrder", "status": "rejected"}, "revoked"),
        ("stu3", {"resourceType": "MedicationStatement", "taken": "n"}, "not-taken"),
        ("stu3", {"resourceType": "ProcedureRequest", "status": "suspended"}, "on-hold"),
        ("stu3", {"resourceType": "MedicationDispense", "notDone": True}, "declined"),
        ("stu3", {"resourceType": "CarePlan", "status": "cancelled"}, "revoked"),
    ],
)
def test_what_was_not_done_is_said_by_the_status(
    version: str, value: dict[str, Any], status: str
) -> None:
    """Even where the sender's own status says that it was completed."""
    made = resource({"status": "completed", **value}, version)
    assert made["status"] == status


def test_merged_types_get_ids_that_cannot_meet_and_references_follow() -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {
                "fullUrl": f"http://x.example/{kind}/1",
                "resource": {
                    "resourceType": kind,
                    "id": "1",
                    "status": "active",
                    "intent": "order",
                    "subject": {"reference": "Patient/p"},
                },
            }
            for kind in ("ProcedureRequest", "ReferralRequest")
        ]
        + [
            {
                "fullUrl": "http://x.example/Task/2",
                "resource": {
                    "resourceType": "Task",
                    "id": "2",
                    "status": "requested",
                    "intent": "order",
                    "basedOn": [
                        {"reference": "ProcedureRequest/1"},
                        {"reference": "http://x.example/ReferralRequest/1"},
                    ],
                },
            }
        ],
    }
    entries = convert(bundle, "stu3").bundle["entry"]
    first, second, task = (entry["resource"] for entry in entries)
    assert first["id"] == "1"
    assert second["id"] != "1"
    assert entries[1]["fullUrl"] == f"http://x.example/ServiceRequest/{second['id']}"
    assert [one["reference"] for one in task["basedOn"]] == [
        "ServiceRequest/1",
        entries[1]["fullUrl"],
    ]


def test_contained_resources_stay_where_they_are_referred_to() -> None:
    made = resource(
        {
            "resourceType": "MedicationOrder",
            "patient": {"reference": "Patient/p"},
            "contained": [{"resourceType": "Medication", "id": "m", "code": {"text": "x"}}],
            "medicationReference": {"reference": "#m"},
        },
        "dstu2",
    )
    assert made["contained"][0]["id"] == "m"
    assert made["medicationReference"] == {"reference": "#m"}


def test_what_extends_a_primitive_is_carried_and_decimals_keep_their_digits() -> None:
    born = {"extension": [{"url": "http://x.example/t", "valueDateTime": "1980-02-03T04:05:06Z"}]}
    value = {
        "resourceType": "Patient",
        "birthDate": "1980-02-03",
        "_birthDate": born,
        "name": [{"family": ["van", "Dyck"], "given": ["Ann"]}],
        "extension": [{"url": "http://x.example/d", "valueDecimal": "DECIMAL"}],
    }
    data = json.dumps(value).replace('"DECIMAL"', "4.00").encode()
    made = map_bytes("x", data, kind="fhir-dstu2").messages[0].bundle["entry"][0]["resource"]
    assert made["_birthDate"] == born
    assert str(made["extension"][0]["valueDecimal"]) == "4.00"
    assert made["name"] == [{"family": "van Dyck", "given": ["Ann"]}]


def test_a_class_of_encounter_that_shares_its_code_is_kept_beside() -> None:
    made = resource({"resourceType": "Encounter", "class": "outpatient"}, "dstu2")
    assert made["class"]["code"] == "AMB"
    assert beside(made, "dstu2") == {"class": "outpatient"}


def test_a_dose_of_stu3_stands_together_with_its_rate() -> None:
    dosage = {"doseQuantity": {"value": 1}, "rateQuantity": {"value": 2}}
    made = resource(
        {
            "resourceType": "MedicationStatement",
            "status": "active",
            "taken": "y",
            "dosage": [dosage],
            "subject": {"reference": "Patient/p"},
            "medicationCodeableConcept": {"text": "x"},
        },
        "stu3",
    )
    assert made["dosage"] == [{"doseAndRate": [dosage]}]


def test_a_type_r4_does_not_have_is_a_basic_of_its_patient() -> None:
    made = resource(
        {
            "resourceType": "Order",
            "id": "o",
            "subject": {"reference": "Patient/p"},
            "detail": [{"reference": "MedicationOrder/m"}],
        },
        "dstu2",
    )
    assert made["resourceType"] == "Basic"
    assert made["id"] == "o"
    assert made["subject"] == {"reference": "Patient/p"}
    assert made["code"]["coding"][0]["code"] == "Order"
    assert beside(made, "dstu2")["detail"] == {"reference": "MedicationRequest/m"}


def test_an_unknown_type_in_a_bundle_costs_nothing_but_itself() -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"resource": {"resourceType": "Nothing", "x": 1}},
            {"resource": {"resourceType": "Patient", "gender": "male"}},
        ],
    }
    made = [entry["resource"] for entry in convert(bundle, "dstu2").bundle["entry"]]
    assert [one["resourceType"] for one in made] == ["Basic", "Patient"]


def test_a_binary_takes_no_extension_so_what_is_left_is_reported() -> None:
    one = convert(
        {"resourceType": "Binary", "contentType": "text/plain", "content": "eA==", "x": "y"},
        "stu3",
    )
    assert one.bundle["entry"][0]["resource"]["data"] == "eA=="
    assert [item.path for item in one.dropped] == ["Binary.x"]


def test_comments_of_a_file_are_reported_not_kept() -> None:
    one = convert({"resourceType": "Patient", "fhir_comments": [" hello "]}, "dstu2")
    assert "extension" not in one.bundle["entry"][0]["resource"]
    assert [item.path for item in one.dropped] == ["Patient.fhir_comments"]
