"""``$meta``, ``$meta-add``, ``$meta-delete`` (https://hl7.org/fhir/R4/resource-operation-meta.html)."""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette

from simdes.app import ADMINISTRATOR
from support.consortium import Consortium
from support.fhir_api import Api, Json

TAG = {"system": "urn:x:tag", "code": "study"}
PROFILE = "http://x.example/StructureDefinition/unknown"
HIV = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"}


def _asked(**meta: object) -> Json:
    return {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]}


def _told(api: Api, method: str, path: str, body: Json | None = None) -> Json:
    answer = api.send(method, path, body)
    assert answer.status_code == 200, answer.text
    (row,) = answer.json()["parameter"]
    assert row["name"] == "return"
    meta: Json = row["valueMeta"]
    return meta


def test_tags_and_profiles_are_added_once_and_taken_away(
    doctor: Api, pulse: Callable[..., Json]
) -> None:
    made = doctor.create(pulse())
    path = f"Observation/{made['id']}"
    assert _told(doctor, "GET", f"{path}/$meta") == made["meta"]
    added = _told(doctor, "POST", f"{path}/$meta-add", _asked(tag=[TAG], profile=[PROFILE]))
    assert TAG in added["tag"]
    assert added["profile"] == [PROFILE]
    assert added["versionId"] == "2"
    again = _asked(tag=[{**TAG, "display": "again"}])
    assert _told(doctor, "POST", f"{path}/$meta-add", again)["versionId"] == "2"
    assert doctor.get(path).json()["valueQuantity"] == made["valueQuantity"]
    assert [one["id"] for one in doctor.found(f"Observation?_tag=urn:x:tag|study&_id={made['id']}")]
    gone = _told(doctor, "POST", f"{path}/$meta-delete", _asked(tag=[TAG], profile=[PROFILE]))
    assert TAG not in gone["tag"]
    assert "profile" not in gone
    assert doctor.found(f"Observation?_tag=urn:x:tag|study&_id={made['id']}") == []


def test_a_label_is_added_and_never_taken_away(doctor: Api, pulse: Callable[..., Json]) -> None:
    path = f"Observation/{doctor.create(pulse())['id']}"
    assert _told(doctor, "POST", f"{path}/$meta-add", _asked(security=[HIV]))["security"] == [HIV]
    refused = doctor.send("POST", f"{path}/$meta-delete", _asked(security=[HIV]))
    assert refused.status_code == 422
    assert _told(doctor, "GET", f"{path}/$meta")["security"] == [HIV]


def test_what_is_no_meta_is_refused(doctor: Api, pulse: Callable[..., Json]) -> None:
    path = f"Observation/{doctor.create(pulse())['id']}"
    for body in (
        {"resourceType": "Parameters"},
        _asked(tag="x"),
        _asked(profile=["not a uri"]),
        _asked(tag=[{"code": 7}]),
    ):
        assert doctor.send("POST", f"{path}/$meta-add", body).status_code in (400, 422)
    assert doctor.send("POST", "Observation/none/$meta-add", _asked(tag=[TAG])).status_code == 404
    assert doctor.get("Observation/none/$meta").status_code == 404


def test_labels_in_use_are_told_by_type_and_of_all_that_is_seen(
    doctor: Api, pulse: Callable[..., Json], patient: Json, number: str
) -> None:
    tag = {"system": "urn:x:in-use", "code": number}
    profile = f"http://x.example/StructureDefinition/{number}"
    doctor.create(pulse(meta={"tag": [tag], "security": [HIV], "profile": [profile]}))
    for path in ("$meta", "Observation/$meta"):
        told = _told(doctor, "GET", path)
        assert tag in told["tag"]
        assert profile in told["profile"]
        assert [one["code"] for one in told["security"]].count("HIV") == 1
        assert {"versionId", "lastUpdated", "source"}.isdisjoint(told)
        assert all(one["system"] != "urn:simdes:state" for one in told["tag"])
    assert tag not in _told(doctor, "GET", "Encounter/$meta").get("tag", [])


def test_labels_of_what_is_not_seen_are_not_told(
    network: Consortium, north: Starlette, doctor: Api, pulse: Callable[..., Json], number: str
) -> None:
    tag = {"system": "urn:x:in-use", "code": f"hidden-{number}"}
    doctor.create(pulse(meta={"tag": [tag]}))
    app = Api.of(network["north"], "dr.north", app=north, scope="user/Encounter.rs")
    assert tag not in _told(app, "GET", "$meta").get("tag", [])
    assert app.get("Observation/$meta").status_code == 403
    keeper = Api.of(network["north"], ADMINISTRATOR, app=north)
    assert tag not in _told(keeper, "GET", "$meta").get("tag", [])
