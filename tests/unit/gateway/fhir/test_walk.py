"""R4's HTTP page, section by section, where a client would notice a wrong answer.

https://hl7.org/fhir/R4/http.html#history, #patch, #search; what other tests have is not repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from starlette.applications import Starlette

from support.consortium import Consortium
from support.fhir_api import Api, Json

Make = Callable[..., Json]
FIELDS = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def changed(doctor: Api, pulse: Make) -> tuple[str, list[str]]:
    """An Observation of three versions, and when they were made, which differs by milliseconds."""
    made = doctor.create(pulse())
    path, times = f"Observation/{made['id']}", [made["meta"]["lastUpdated"]]
    for value in (73, 74):
        answer = doctor.send("PUT", path, pulse(value, id=made["id"]))
        times.append(answer.json()["meta"]["lastUpdated"])
    return path, times


def _versions(api: Api, path: str, query: str) -> list[str]:
    answer = api.get(f"{path}/_history?{query}")
    assert answer.status_code == 200, answer.text
    return [one["response"]["etag"] for one in answer.json().get("entry", [])]


# History --------------------------------------------------------------------------------------


def test_who_may_not_search_a_type_sees_no_history_of_it(
    network: Consortium, north: Starlette, changed: tuple[str, list[str]]
) -> None:
    reader = Api.of(network["north"], "dr.north", app=north, scope="user/Observation.r")
    assert reader.get(changed[0]).status_code == 200
    assert len(_versions(reader, changed[0], "")) == 3
    assert reader.get("Observation/_history").status_code == 403
    both = Api.of(
        network["north"], "dr.north", app=north, scope="user/Observation.r user/Patient.rs"
    )
    assert both.get("Patient/_history").status_code == 200
    answer = both.get("_history?_type=Patient,Observation")
    assert answer.status_code == 403 or not any(
        one["fullUrl"].split("/")[-2] == "Observation" for one in answer.json().get("entry", [])
    )


def test_at_gives_the_versions_that_stood_at_a_time(
    doctor: Api, changed: tuple[str, list[str]]
) -> None:
    path, times = changed
    found = [_versions(doctor, path, f"_at={quote(one)}") for one in ("2001-02-03", *times, "2099")]
    assert found == [[], ['W/"1"'], ['W/"2"'], ['W/"3"'], ['W/"3"']]
    assert _versions(doctor, path, f"_at={times[0][:4]}") == ['W/"3"', 'W/"2"', 'W/"1"']


def test_since_leaves_out_what_was_before_and_takes_any_time_zone(
    doctor: Api, changed: tuple[str, list[str]]
) -> None:
    path, (_, later, _) = changed
    assert later.endswith("+00:00")
    for written in (later, quote(later), later.replace("+00:00", "Z")):
        assert _versions(doctor, path, f"_since={written}") == ['W/"3"', 'W/"2"']
    assert _versions(doctor, path, "_since=2099-01-01T00:00:00Z") == []


def test_a_history_can_be_counted(doctor: Api, changed: tuple[str, list[str]]) -> None:
    path, _ = changed
    for query in ("_count=0", "_summary=count"):
        bundle = doctor.get(f"{path}/_history?{query}").json()
        assert bundle["total"] == 3
        assert "entry" not in bundle
        assert [one["relation"] for one in bundle["link"]] == ["self"]


def test_a_history_says_what_it_does_not_understand(
    doctor: Api, changed: tuple[str, list[str]]
) -> None:
    path, _ = changed
    for query in ("_list=abc", "code=8867-4", "_sort=-_lastUpdated"):
        assert doctor.get(f"{path}/_history?{query}").status_code == 400
        lenient = doctor.get(f"{path}/_history?{query}&_count=5", prefer="handling=lenient")
        assert [one["url"].partition("?")[2] for one in lenient.json()["link"]] == ["_count=5"]
    assert doctor.get(f"{path}/_history/1?_format=xml").status_code == 200


def test_the_history_of_everything_is_narrowed_by_type(doctor: Api, pulse: Make) -> None:
    doctor.create(pulse())
    entries = doctor.get("_history?_type=Observation&_count=20").json()["entry"]
    assert {one["request"]["url"].partition("/")[0] for one in entries} == {"Observation"}


# Search by POST -------------------------------------------------------------------------------


def test_a_search_by_post_names_its_form_among_its_fields(doctor: Api, patient: Json) -> None:
    body = f"_id={patient['id']}&_format=xml".encode()
    answer = doctor.send("POST", "Patient/_search", content=body, headers=FIELDS)
    assert answer.headers["content-type"].startswith("application/fhir+xml")
    assert answer.text.startswith("<?xml")
    refused = doctor.send("POST", "Patient/_search", content=b"_format=ttl", headers=FIELDS)
    assert refused.status_code == 406


def test_fields_may_be_in_utf_8_as_they_are(doctor: Api, patient: Json) -> None:
    family = patient["name"][0]["family"]
    assert not family.isascii()
    answer = doctor.send(
        "POST", "Patient/_search", content=f"family={family}".encode(), headers=FIELDS
    )
    assert [one["resource"]["id"] for one in answer.json()["entry"]] == [patient["id"]]
    assert (
        doctor.send("POST", "Patient/_search", content=b"family=\xff", headers=FIELDS).status_code
        == 400
    )


def test_a_search_by_post_takes_no_other_body(doctor: Api, pulse: Make) -> None:
    for path in ("Observation/_search", "_search"):
        assert doctor.send("POST", path, {"status": "final"}).status_code == 415
    assert doctor.send("POST", "Observation", content=b"a=b", headers=FIELDS).status_code == 415


def test_a_patch_that_is_not_taken_says_what_is(doctor: Api, pulse: Make) -> None:
    made = doctor.create(pulse())
    for media in ("application/xml-patch+xml", "text/plain"):
        refused = doctor.send(
            "PATCH",
            f"Observation/{made['id']}",
            content=b"<diff/>",
            headers={"content-type": media},
        )
        assert refused.status_code == 415
        assert "application/json-patch+json" in refused.headers["accept-patch"]
        assert "json-patch" in refused.json()["issue"][0]["diagnostics"]
