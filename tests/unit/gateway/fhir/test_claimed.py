"""Profiles that a resource claims (``meta.profile``) are held against what is written.

https://hl7.org/fhir/R4/profiling.html; the profile is R4's own example of a claim,
https://hl7.org/fhir/R4/bp.html, and one of a package in the organisation's folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from simdes.app import Opened
from simdes.fhir.profiles import Package, Profiles
from simdes.gateway.app import create_gateway
from support.consortium import Consortium
from support.fhir_api import Api, Json

VITAL = "http://hl7.org/fhir/StructureDefinition/vitalsigns"
METHOD = "http://north.example/StructureDefinition/pulse-with-method"
UNKNOWN = "http://south.example/StructureDefinition/never-loaded"
CATEGORY = {
    "category": [
        {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                    "code": "vital-signs",
                }
            ]
        }
    ]
}
DEFINITION: Json = {
    "resourceType": "StructureDefinition",
    "url": METHOD,
    "name": "Pulse",
    "status": "active",
    "kind": "resource",
    "abstract": False,
    "type": "Observation",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Observation",
    "derivation": "constraint",
    "differential": {
        "element": [
            {"id": "Observation", "path": "Observation"},
            {"id": "Observation.method", "path": "Observation.method", "min": 1},
        ]
    },
}
OUTCOME = {"prefer": "return=OperationOutcome"}


def _reader(one: Opened, *, definition: Json = DEFINITION, binding: bool = True) -> Api:
    """A doctor where a package with one profile is loaded."""
    files = {("StructureDefinition", METHOD): json.dumps(definition).encode()}
    profiles = Profiles([Package("north.example", "1.0.0", files)])
    node = replace(one.node, profiles=profiles, profiles_bind=binding)
    return Api.of(one, "dr.north", app=create_gateway(one.custody, node=node))


@pytest.fixture
def strict(network: Consortium) -> Api:
    """A doctor at north, where a package is loaded."""
    return _reader(network["north"])


@pytest.fixture
def mild(network: Consortium) -> Api:
    """The same where profiles only warn."""
    return _reader(network["north"], binding=False)


def _claiming(pulse: Callable[..., Json], *urls: str, **others: object) -> Json:
    return pulse(meta={"profile": list(urls)}, **others)


def test_a_resource_that_breaks_a_profile_it_claims_is_refused(
    strict: Api, doctor: Api, pulse: Callable[..., Json]
) -> None:
    for api, url in ((strict, METHOD), (doctor, VITAL)):
        refused = api.send("POST", "Observation", _claiming(pulse, url))
        assert refused.status_code == 422, refused.text
        issue = refused.json()["issue"][0]
        assert issue["severity"] == "error"
        assert issue["expression"][0].startswith("Observation.")
    assert strict.create(_claiming(pulse, METHOD, method={"text": "by hand"}))["id"]
    assert doctor.create(_claiming(pulse, VITAL, **CATEGORY))["id"]


def test_an_update_and_a_patch_are_held_against_the_claims_of_what_they_make(
    strict: Api, pulse: Callable[..., Json]
) -> None:
    made = strict.create(_claiming(pulse, METHOD, method={"text": "by hand"}))
    path = f"Observation/{made['id']}"
    without = {key: value for key, value in made.items() if key != "method"}
    assert strict.send("PUT", path, without).status_code == 422
    removing = [{"op": "remove", "path": "/method"}]
    refused = strict.send(
        "PATCH",
        path,
        content=str(removing).replace("'", '"').encode(),
        headers={"content-type": "application/json-patch+json"},
    )
    assert refused.status_code == 422, refused.text
    assert strict.get(path).json()["method"] == {"text": "by hand"}


def test_a_profile_that_is_not_loaded_is_a_warning(doctor: Api, pulse: Callable[..., Json]) -> None:
    answer = doctor.send("POST", "Observation", _claiming(pulse, UNKNOWN), headers=OUTCOME)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["resourceType"] == "OperationOutcome"
    warnings = [one for one in told["issue"] if one["severity"] == "warning"]
    unknown = [one for one in warnings if UNKNOWN in one["details"]["text"]]
    assert [one["expression"] for one in unknown] == [["Observation.meta.profile"]], told


def test_where_profiles_only_warn_the_resource_is_stored_and_the_warnings_told(
    mild: Api, pulse: Callable[..., Json]
) -> None:
    answer = mild.send("POST", "Observation", _claiming(pulse, METHOD), headers=OUTCOME)
    assert answer.status_code == 201, answer.text
    warnings = [one for one in answer.json()["issue"] if one["severity"] == "warning"]
    assert any("method" in str(one) for one in warnings)
    stored = mild.get(answer.headers["location"].partition("/fhir/")[2])
    assert stored.json()["meta"]["profile"] == [METHOD]


def test_in_a_transaction_the_place_is_that_of_the_entry(
    strict: Api, pulse: Callable[..., Json]
) -> None:
    entries = [
        {"request": {"method": "GET", "url": "Patient?_count=1"}},
        {"resource": pulse(), "request": {"method": "POST", "url": "Observation"}},
        {
            "resource": _claiming(pulse, METHOD),
            "request": {"method": "POST", "url": "Observation"},
        },
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    refused = strict.send("POST", "", bundle)
    assert refused.status_code == 422
    assert refused.json()["issue"][0]["expression"][0].startswith("Bundle.entry[2].resource")
    entries[2]["resource"] = _claiming(pulse, UNKNOWN)
    taken = strict.send("POST", "", bundle, headers=OUTCOME).json()
    outcome = taken["entry"][2]["response"]["outcome"]
    assert any(UNKNOWN in one["details"]["text"] for one in outcome["issue"])
    assert "resource" not in taken["entry"][2]


def test_a_profile_that_can_not_be_read_holds_nobody_up(
    network: Consortium, pulse: Callable[..., Json]
) -> None:
    api = _reader(network["north"], definition={**DEFINITION, "differential": {"element": "no"}})
    answer = api.send("POST", "Observation", _claiming(pulse, METHOD), headers=OUTCOME)
    assert answer.status_code == 201, answer.text
    warnings = [one for one in answer.json()["issue"] if one["severity"] == "warning"]
    assert any(METHOD in one["details"]["text"] for one in warnings)
