"""Bulk import from kick-off to report: everything that may be written is, whatever else comes."""

from __future__ import annotations

from itertools import count

import pytest
from starlette.applications import Starlette

from support.bulk import Service
from support.consortium import Consortium
from support.fhir_api import Json
from support.imports import (
    left,
    load,
    ndjson,
)

SYSTEM = "urn:oid:2.16.840.1.113883.4.1"
_NUMBERS = count(1)


@pytest.fixture
def service(network: Consortium, north: Starlette) -> Service:
    """A backend service of hospital north that may read and write everything."""
    return Service.of(network["north"], north, "system/*.cruds")


@pytest.fixture
def name() -> str:
    """The beginning of ids that no other test has."""
    return f"in-{next(_NUMBERS)}"


def patient(id_: str) -> Json:
    return {
        "resourceType": "Patient",
        "id": id_,
        "identifier": [{"system": SYSTEM, "value": id_}],
        "name": [{"family": "Abel"}],
    }


def observation(id_: str, patient_: str, **others: object) -> Json:
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"text": "pulse"},
        "subject": {"reference": f"Patient/{patient_}"},
        "valueInteger": 60,
        **others,
    }


def test_lines_in_any_order_are_written_under_their_ids(service: Service, name: str) -> None:
    lines = [
        observation(f"{name}-o1", f"{name}-p", encounter={"reference": f"Encounter/{name}-e"}),
        {
            "resourceType": "Encounter",
            "id": f"{name}-e",
            "status": "finished",
            "class": {"code": "AMB"},
            "subject": {"reference": f"Patient/{name}-p"},
        },
        patient(f"{name}-p") | {"managingOrganization": {"reference": f"Organization/{name}-g"}},
        {"resourceType": "Organization", "id": f"{name}-g", "name": "General"},
    ]
    imported = load(service.api, ndjson(lines))
    assert (imported.good, imported.bad) == ([4], 0), imported.texts
    for one in lines:
        got = service.api.get(f"{one['resourceType']}/{one['id']}").json()
        assert got["meta"]["versionId"] == "1"
        assert {key: got[key] for key in one} == one
    assert left(service.api) == []
