"""Forms of requests and answers: JSON and XML, parts, preferences, conditions of reads.

https://hl7.org/fhir/R4/http.html, https://hl7.org/fhir/R4/search.html#summary.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from starlette.applications import Starlette

from simdes.fhir.json import loads
from simdes.fhir.xml import dumps_xml, loads_xml
from support.fhir_api import JSON, Api, Json, request

Make = Callable[..., Json]
XML = "application/fhir+xml"


# XML ------------------------------------------------------------------------------------------


def test_a_resource_is_taken_and_given_as_xml(doctor: Api, pulse: Make) -> None:
    sent = loads(json.dumps(pulse(note=[{"text": "<b> & 'ö'"}])).encode())
    answer = doctor.send(
        "POST",
        "Observation",
        content=dumps_xml(sent),
        headers={"content-type": XML, "accept": XML},
    )
    assert answer.status_code == 201
    assert answer.headers["content-type"] == f"{XML}; charset=utf-8"
    made = loads_xml(answer.content)
    assert made["note"] == [{"text": "<b> & 'ö'"}]
    assert doctor.get(f"Observation/{made['id']}").json()["note"] == made["note"]


@pytest.mark.parametrize("form", ["xml", "application/fhir+xml", "application/xml", "text/xml"])
def test_format_beats_accept(doctor: Api, patient: Json, form: str) -> None:
    path = f"Patient/{patient['id']}?_format={quote(form)}"
    answer = doctor.get(path, accept=JSON)
    assert answer.headers["content-type"].startswith(XML)
    assert loads_xml(answer.content)["id"] == patient["id"]


def test_searches_bundles_and_failures_come_as_xml_too(doctor: Api, patient: Json) -> None:
    found = doctor.get(f"Patient?_id={patient['id']}", accept=XML)
    assert loads_xml(found.content)["entry"][0]["resource"]["id"] == patient["id"]
    failed = doctor.get("Patient/nobody", accept=XML)
    assert failed.status_code == 404
    assert loads_xml(failed.content)["resourceType"] == "OperationOutcome"
    batch = {"resourceType": "Bundle", "type": "batch"}
    answer = doctor.send("POST", "", content=dumps_xml(batch), headers={"content-type": XML})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"<Patient xmlns='http://hl7.org/fhir'><name/>",
        b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><Patient>&e;</Patient>",
        b"<Patient/>",
        b"\xff\xfe",
        b"{}",
    ],
)
def test_xml_that_is_none_is_refused_and_nothing_of_it_repeated(doctor: Api, body: bytes) -> None:
    answer = doctor.send("POST", "Patient", content=body, headers={"content-type": XML})
    assert answer.status_code in (400, 422)
    assert "passwd" not in answer.text


@pytest.mark.parametrize("accept", ["text/html", "application/pdf", "application/fhir+json;q=0"])
def test_other_forms_are_not_acceptable(doctor: Api, patient: Json, accept: str) -> None:
    answer = doctor.get(f"Patient/{patient['id']}", accept=accept)
    assert answer.status_code == 406
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert doctor.get(f"Patient/{patient['id']}?_format=turtle").status_code == 406


@pytest.mark.parametrize(
    "media",
    ["text/plain", "application/json; charset=utf-16", f"{JSON}; fhirVersion=5.0", ""],
)
def test_other_bodies_are_not_taken(doctor: Api, pulse: Make, media: str) -> None:
    body = json.dumps(pulse()).encode()
    headers = {"content-type": media} if media else {}
    answer = doctor.send("POST", "Observation", content=body, headers=headers)
    assert answer.status_code == 415


@pytest.mark.parametrize("media", ["application/xml-patch+xml", JSON, "text/plain"])
def test_other_patches_are_not_taken(doctor: Api, patient: Json, media: str) -> None:
    body = b'{"resourceType":"Patient"}' if media == JSON else b"<diff/>"
    answer = doctor.send(
        "PATCH", f"Patient/{patient['id']}", content=body, headers={"content-type": media}
    )
    assert answer.status_code == 415


def test_pretty_is_the_same_in_lines(doctor: Api, patient: Json) -> None:
    path = f"Patient/{patient['id']}"
    plain, pretty = doctor.get(path), doctor.get(f"{path}?_pretty=true")
    assert plain.json() == pretty.json()
    assert "\n" in pretty.text
    assert "\n" not in plain.text


# Parts ----------------------------------------------------------------------------------------


def test_summary_and_elements_leave_parts_that_say_so(doctor: Api, patient: Json) -> None:
    path = f"Patient/{patient['id']}"
    summary = doctor.get(f"{path}?_summary=true").json()
    assert summary["meta"]["tag"][-1]["code"] == "SUBSETTED"
    named = doctor.get(f"{path}?_elements=gender").json()
    assert set(named) == {"resourceType", "id", "meta", "gender"}
    entry = doctor.get(f"Patient?_id={patient['id']}&_elements=birthDate").json()["entry"][0]
    assert set(entry["resource"]) == {"resourceType", "id", "meta", "birthDate"}
    assert set(doctor.get(f"{path}?_summary=text").json()) <= {"resourceType", "id", "meta", "text"}
    assert doctor.get(f"{path}?_summary=odd").status_code == 400


def test_a_count_is_a_total_alone(doctor: Api, patient: Json) -> None:
    for path in ("_summary=count", "_count=0"):
        bundle = doctor.get(f"Patient?_id={patient['id']}&{path}").json()
        assert bundle["total"] == 1
        assert "entry" not in bundle


def test_a_part_can_not_be_stored_over_the_whole(doctor: Api, pulse: Make) -> None:
    made = doctor.create(pulse())
    part = doctor.get(f"Observation/{made['id']}?_elements=status").json()
    answer = doctor.send("PUT", f"Observation/{made['id']}", part)
    assert answer.status_code == 422


# Conditions of reads --------------------------------------------------------------------------


def test_who_has_the_present_version_is_told_so(doctor: Api, pulse: Make) -> None:
    made = doctor.create(pulse())
    path = f"Observation/{made['id']}"
    first = doctor.get(path)
    for headers in (
        {"if-none-match": first.headers["etag"]},
        {"if-none-match": '"0", W/"1"'},
        {"if-none-match": "*"},
        {"if-modified-since": first.headers["last-modified"]},
    ):
        again = doctor.get(path, **headers)
        assert (again.status_code, again.content) == (304, b""), headers
        assert again.headers["etag"] == first.headers["etag"]
    for headers in (
        {"if-none-match": 'W/"7"'},
        {"if-modified-since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"if-none-match": 'W/"7"', "if-modified-since": first.headers["last-modified"]},
    ):
        assert doctor.get(path, **headers).status_code == 200, headers


def test_head_is_a_get_without_its_body(doctor: Api, patient: Json) -> None:
    path = f"Patient/{patient['id']}"
    got, head = doctor.get(path), doctor.send("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "last-modified", "content-type", "content-length"):
        assert head.headers[name] == got.headers[name]
    assert doctor.send("HEAD", "Patient/nobody").status_code == 404


# Preferences ----------------------------------------------------------------------------------


def test_prefer_says_what_a_write_answers_with(doctor: Api, pulse: Make) -> None:
    minimal = doctor.send("POST", "Observation", pulse(), headers={"prefer": "return=minimal"})
    assert (minimal.status_code, minimal.content) == (201, b"")
    assert minimal.headers["location"]
    assert minimal.headers["etag"] == 'W/"1"'
    told = doctor.send(
        "POST", "Observation", pulse(), headers={"prefer": "return=OperationOutcome"}
    )
    assert (told.status_code, told.json()["resourceType"]) == (201, "OperationOutcome")
    whole = doctor.send("POST", "Observation", pulse(), headers={"prefer": "return=representation"})
    assert whole.json()["resourceType"] == "Observation"


def test_prefer_says_what_becomes_of_unknown_parameters(doctor: Api, patient: Json) -> None:
    path = f"Patient?_id={patient['id']}&favourite=blue"
    assert doctor.get(path).status_code == 400
    assert doctor.get(path, prefer="handling=strict").status_code == 400
    bundle = doctor.get(path, prefer="handling=lenient").json()
    modes = [one["search"]["mode"] for one in bundle["entry"]]
    assert modes == ["match", "outcome"]
    [self_link] = [one["url"] for one in bundle["link"] if one["relation"] == "self"]
    assert "favourite" not in self_link


# Addresses and methods ------------------------------------------------------------------------


def test_a_search_by_post_is_the_search_by_get(doctor: Api, patient: Json) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = f"_id={patient['id']}".encode()
    posted = doctor.send("POST", "Patient/_search", content=body, headers=headers).json()
    got = doctor.get(f"Patient?_id={patient['id']}").json()
    assert posted["entry"] == got["entry"]
    assert posted["link"] == got["link"]


def test_methods_and_addresses_that_are_not_there_say_so(doctor: Api, patient: Json) -> None:
    wrong = doctor.send("DELETE", f"Patient/{patient['id']}/_history")
    assert wrong.status_code == 405
    assert "GET" in wrong.headers["allow"]
    for path in ("Nothing/1", "Patient/1/2/3/4", "$odd", "Patient/$odd", "patient/1"):
        assert doctor.get(path).status_code == 404, path


def test_without_a_token_nothing_is_told_but_how_to_get_one(north: Starlette) -> None:
    for method, path in (("GET", "Patient/1"), ("GET", "Nothing/1"), ("POST", "Binary")):
        answer = request(north, method, f"/fhir/{path}")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["resourceType"] == "OperationOutcome"
