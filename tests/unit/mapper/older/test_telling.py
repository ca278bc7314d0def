"""Which version of FHIR a resource is of."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from simdes.mapper import DEFAULT_SITE, map_bytes, site_of
from simdes.mapper.older.shapes import VERSIONS
from simdes.mapper.older.telling import version_of

VECTORS = Path(__file__).parents[3] / "vectors"


def told(value: dict[str, Any], prefer: str = "") -> str:
    return version_of(dict.fromkeys(VERSIONS, value), prefer)


SUBJECT = {"subject": {"reference": "Patient/p"}}
PATIENT = {"patient": {"reference": "Patient/p"}}
CODE = {"code": {"text": "x"}}


@pytest.mark.parametrize(
    ("version", "value"),
    [
        ("dstu2", {"resourceType": "MedicationOrder", "status": "active"}),
        ("dstu2", {"resourceType": "DiagnosticOrder", **SUBJECT}),
        (
            "dstu2",
            {
                "resourceType": "Condition",
                "verificationStatus": "confirmed",
                "dateRecorded": "2015-01-02",
                **PATIENT,
                **CODE,
            },
        ),
        ("dstu2", {"resourceType": "Observation", "status": "final", "comments": "x", **CODE}),
        ("dstu2", {"resourceType": "Patient", "careProvider": [{"reference": "Practitioner/1"}]}),
        (
            "stu3",
            {
                "resourceType": "Encounter",
                "status": "finished",
                "class": {"code": "AMB"},
                "reason": [{"text": "x"}],
                "diagnosis": [{"condition": {"reference": "Condition/1"}}],
            },
        ),
        (
            "stu3",
            {
                "resourceType": "ProcedureRequest",
                "status": "active",
                "intent": "order",
                "context": {"reference": "Encounter/1"},
                **SUBJECT,
                **CODE,
            },
        ),
        ("stu3", {"resourceType": "Condition", "clinicalStatus": "active", **SUBJECT}),
        ("stu3", {"resourceType": "CapabilityStatement", "fhirVersion": "3.0.1"}),
        ("r4", {"resourceType": "Observation", "status": "final", **CODE}),
        ("r4", {"resourceType": "Patient", "gender": "male"}),
        ("r4", {"resourceType": "Condition", "clinicalStatus": {"text": "active"}, **SUBJECT}),
        ("r4", {"resourceType": "Patient", "gender": "M", "name": "wrong"}),
        ("r4", {"resourceType": "ServiceRequest", "status": "active"}),
    ],
)
def test_what_only_one_version_has_tells_it(version: str, value: dict[str, Any]) -> None:
    assert told(value) == version


def test_a_profile_that_is_of_one_version_says_it_outright() -> None:
    profile = "http://fhir.org/guides/argonaut/StructureDefinition/argo-patient"
    value = {"resourceType": "Patient", "meta": {"profile": [profile]}, "gender": "male"}
    assert told(value) == "dstu2"


def test_what_fits_several_versions_is_what_the_site_sends() -> None:
    value = {"resourceType": "Patient", "gender": "male"}
    assert told(value, "dstu2") == "dstu2"
    site = site_of({"site.toml": b'fhir_version = "stu3"'}, default=DEFAULT_SITE)
    mapping = map_bytes("x.json", json.dumps(value).encode(), site=site)
    assert mapping.messages[0].event == "FHIR STU3 Patient"


def test_what_fits_one_version_alone_is_of_it_whatever_the_site_sends() -> None:
    value = {"resourceType": "MedicationOrder", "status": "active"}
    assert told(value, "r4") == "dstu2"


def test_a_bundle_is_of_one_version() -> None:
    for version in ("dstu2", "stu3"):
        data = (VECTORS / f"older/synthea-{version}.json.gz").read_bytes()
        assert told(json.loads(gzip.decompress(data))) == version


def test_r4_stays_r4() -> None:
    for path in sorted((VECTORS / "fhir").glob("*.json*")):
        data = path.read_bytes()
        value = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
        for entry in value.get("entry", [{"resource": value}]):
            assert told(entry["resource"]) == "r4", path


def test_rubbish_is_of_some_version() -> None:
    for value in ({}, {"resourceType": "Nothing"}, {"resourceType": 5}, {"resourceType": []}):
        assert told(value) in VERSIONS
