"""Answers and bodies that would take more memory than there is: cut, or refused for a while."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simdes.exchange import room as rooms
from simdes.exchange.interactions import finding
from simdes.exchange.room import Visit
from simdes.gateway.app import create_gateway
from simdes.gateway.fhir import server
from simdes.gateway.limits import GatewayLimits
from support.fhir_api import JSON, Api, Json

Make = Callable[..., Json]
BIG = 2 << 20
LINES = 4


@pytest.fixture
def notes(doctor: Api, pulse: Make) -> list[str]:
    """Observations of one patient, each of some kilobytes."""
    told = [{"text": "x" * 3000}]
    return sorted(doctor.create(pulse(note=told))["id"] for _ in range(LINES))


@pytest.fixture
def full(doctor: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Visit]:
    """Somebody who holds all the room there is; who comes now is impatient."""
    monkeypatch.setattr(rooms, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(server, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(rooms, "COUNTED_BYTES", 10_000)
    room = doctor.one.node.room
    assert room.used_bytes == 0, "something was not given back"
    visit = Visit(room)
    visit.need(room.most_bytes)
    yield visit
    visit.leave()
    # A thread that nobody waits for any more ends a little later.
    until = time.monotonic() + 60
    while room.used_bytes and time.monotonic() < until:
        time.sleep(0.01)
    assert room.used_bytes == 0, "something was not given back"


def pages(api: Api, path: str) -> Iterator[list[Json]]:
    """The entries of each page."""
    while path:
        bundle = api.get(path).json()
        yield [one["resource"] for one in bundle.get("entry", ())]
        after = [one["url"] for one in bundle["link"] if one["relation"] == "next"]
        path = after[0].partition("/fhir/")[2] if after else ""


@pytest.mark.parametrize(
    "path",
    [
        "Observation?patient={}&_count=1000",
        "Observation?patient={}&_sort=-date&_total=accurate",
        "Patient/{}/$everything?_type=Observation&_since=2020-01-01",
        "Patient/{}/Observation",
    ],
)
def test_a_page_ends_before_it_is_too_large_and_the_next_goes_on(
    doctor: Api, patient: Json, notes: list[str], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "PAGE_BYTES", 8_000)
    found = list(pages(doctor, path.format(patient["id"])))
    assert [len(one) for one in found] == [2, 2]
    assert sorted(one["id"] for page in found for one in page) == notes
    monkeypatch.setattr(finding, "PAGE_BYTES", 1)
    found = list(pages(doctor, path.format(patient["id"])))
    assert [len(one) for one in found] == [1] * LINES, "a page holds one in any case"


def test_a_page_of_a_history_ends_before_it_is_too_large(
    doctor: Api, pulse: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = doctor.create(pulse(1, note=[{"text": "x" * 3000}]))
    for value in (2, 3):
        made["valueQuantity"]["value"] = value
        doctor.send("PUT", f"Observation/{made['id']}", made)
    monkeypatch.setattr(finding, "PAGE_BYTES", 8_000)
    found = list(pages(doctor, f"Observation/{made['id']}/_history"))
    values = [[one["valueQuantity"]["value"] for one in page] for page in found]
    assert values == [[3, 2], [1]]


def test_what_is_included_is_no_more_than_a_page_holds(
    doctor: Api, patient: Json, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"Patient?_id={patient['id']}&_revinclude=Observation:subject"
    assert len(doctor.get(path).json()["entry"]) == 1 + LINES
    monkeypatch.setattr(finding, "PAGE_BYTES", 8_000)
    assert len(doctor.get(path).json()["entry"]) == 3


@pytest.mark.parametrize(
    "path",
    [
        "Observation?patient={}",
        "Patient/{}/$everything",
        "Observation/_history",
        "Patient?_id={}&_revinclude=Observation:subject",
        "Observation?patient={}&_format=xml",
    ],
)
def test_large_answers_wait_for_room_and_small_ones_do_not(
    doctor: Api, patient: Json, notes: list[str], full: Visit, path: str
) -> None:
    path = path.format(patient["id"])
    answer = doctor.get(path)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "OperationOutcome" in answer.text
    assert doctor.get(f"Patient/{patient['id']}").status_code == 200
    full.leave()
    assert doctor.get(path).status_code == 200


def test_what_is_written_anew_for_xml_needs_room_of_its_own(
    doctor: Api, patient: Json, notes: list[str], full: Visit
) -> None:
    full.keep(full.room.most_bytes - 100_000)  # room for the page, not for parsing it
    path = f"Observation?patient={patient['id']}"
    assert doctor.get(path).status_code == 200
    answer = doctor.get(f"{path}&_format=xml")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.headers["content-type"].startswith("application/fhir+xml")
    read = doctor.get(f"Observation/{notes[0]}")
    assert read.headers["etag"]
    full.need(100_000)
    assert "etag" not in doctor.get(f"Observation/{notes[0]}").headers


@pytest.mark.parametrize("form", ["", "?_format=xml", "?_summary=text"])
def test_a_large_resource_waits_for_room(doctor: Api, pulse: Make, full: Visit, form: str) -> None:
    full.leave()
    made = doctor.create(pulse(note=[{"text": "x" * 5000}]))
    full.need(full.room.most_bytes)
    assert doctor.get(f"Observation/{made['id']}{form}").status_code == 503
    full.leave()
    assert doctor.get(f"Observation/{made['id']}{form}").status_code == 200


def large(pulse: Make) -> bytes:
    """An Observation of two megabytes."""
    told = [{"text": "x" * 1000} for _ in range(BIG // 1000)]
    return json.dumps(pulse(note=told)).encode()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "Observation/{0}", [{"op": "replace", "path": "/status", "value": "amended"}]),
        (
            "PATCH",
            "Observation/{0}",
            {
                "resourceType": "Parameters",
                "parameter": [
                    {
                        "name": "operation",
                        "part": [
                            {"name": "type", "valueCode": "replace"},
                            {"name": "path", "valueString": "Observation.status"},
                            {"name": "value", "valueCode": "amended"},
                        ],
                    }
                ],
            },
        ),
    ],
    ids=["json-patch", "fhirpath-patch"],
)
def test_a_small_patch_of_a_large_resource_needs_the_room_of_the_resource(
    doctor: Api, pulse: Make, full: Visit, method: str, path: str, body: Any
) -> None:
    room = doctor.one.node.room
    full.leave()
    large = doctor.create(pulse(note=[{"text": "x" * 20_000}]))["id"]
    full.need(room.most_bytes - 12 * 2_000)  # enough for the patch itself
    kind = JSON if isinstance(body, dict) else "application/json-patch+json"
    content, headers = json.dumps(body).encode(), {"content-type": kind}
    answer = doctor.send(method, path.format(large), content=content, headers=headers)
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    full.leave()
    assert doctor.send(method, path.format(large), content=content, headers=headers).is_success


@pytest.mark.parametrize(
    "path",
    [
        "ValueSet/{0}/$expand",
        "ValueSet/$expand?url=http://x.example/{0}",
        "Observation?code:in=http://x.example/{0}",
        "ValueSet/{0}/$validate",
    ],
)
def test_what_is_parsed_is_counted_as_what_it_grows_to(
    doctor: Api, number: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [{"code": f"c{at}", "display": "x" * 50} for at in range(400)]
    name = f"large-{number}"
    service = Api.of_agent(doctor.one, doctor.app)
    made = service.send(
        "PUT",
        f"ValueSet/{name}",
        {
            "resourceType": "ValueSet",
            "id": name,
            "url": f"http://x.example/{name}",
            "status": "active",
            "compose": {"include": [{"system": "http://x.example/s", "concept": names}]},
        },
    )
    assert made.status_code == 201, made.text
    counted: list[int] = []
    monkeypatch.setattr(rooms, "need", lambda size, **_: counted.append(size))
    assert service.get(path.format(name)).status_code == 200
    assert max(counted) >= 12 * 20_000


def test_however_far_includes_go_no_more_is_held_than_one_page_of_them(
    doctor: Api, patient: Json, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "PAGE_BYTES", 10_000)
    counted: list[int] = []
    monkeypatch.setattr(rooms, "need", lambda size, **_: counted.append(size))
    path = f"Patient?_id={patient['id']}&_revinclude=Observation:patient&_include:iterate=*"
    entries = doctor.get(path).json()["entry"]
    assert len(entries) < 1 + len(notes)
    # The page and what is included, each as much as fits; one resource goes in any case.
    assert len(counted) <= 3
    assert sum(counted) <= 2 * 5 * (10_000 + 4_000)


def test_large_bodies_wait_for_room_before_they_are_read(
    doctor: Api, pulse: Make, full: Visit
) -> None:
    sent: dict[str, Any] = {"content": large(pulse), "headers": {"content-type": JSON}}
    answer = doctor.send("POST", "Observation", **sent)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    full.leave()
    assert doctor.send("POST", "Observation", **sent).status_code == 201


def test_a_batch_answers_what_there_is_room_for(
    doctor: Api, patient: Json, notes: list[str], full: Visit
) -> None:
    full.keep(full.room.most_bytes - 50_000)  # room for two of them
    reads = [{"request": {"method": "GET", "url": f"Observation/{one}"}} for one in notes]
    reads.append({"request": {"method": "GET", "url": f"Patient/{patient['id']}"}})
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": reads}
    answer = doctor.send("POST", "", bundle)
    assert answer.status_code == 200
    told = [one["response"]["status"][:3] for one in answer.json()["entry"]]
    assert told == ["200", "200", "503", "503", "200"]


def test_an_answer_that_nobody_waits_for_gives_its_room_back(
    doctor: Api, patient: Json, notes: list[str], full: Visit
) -> None:
    full.leave()
    hasty = create_gateway(
        doctor.one.custody, GatewayLimits(answer_seconds=0.001), node=doctor.one.node
    )
    client = Api(doctor.one, doctor.user, hasty, doctor.token)
    assert client.get(f"Observation?patient={patient['id']}").status_code in (200, 503)
