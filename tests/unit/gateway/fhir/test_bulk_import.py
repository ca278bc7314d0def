"""Bulk import from kick-off to report: everything that may be written is, whatever else comes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from simdes.access.audit_event import Verb
from simdes.app import ADMINISTRATOR
from simdes.exchange import clients
from simdes.exchange.bulk import importing, jobs, lines
from simdes.import_http import HttpFiles
from simdes.index import bulk
from simdes.index.vaults import Identifier, find
from support.bulk import ASYNC, Service
from support.consortium import Clock, Consortium
from support.fhir_api import Api, Json, application
from support.imports import (
    NDJSON,
    FileServer,
    begin,
    drain,
    finished,
    left,
    load,
    manifest,
    ndjson,
    send,
    serving_files,
)
from support.trail import Watched

SYSTEM = "urn:oid:2.16.840.1.113883.4.1"
EVERYTHING = "system/*.cruds"
_NUMBERS = count(1)


@pytest.fixture
def service(network: Consortium, north: Starlette) -> Service:
    """A backend service of hospital north that may read and write everything."""
    return Service.of(network["north"], north, EVERYTHING)


@pytest.fixture
def name() -> str:
    """The beginning of ids that no other test has."""
    return f"in-{next(_NUMBERS)}"


@pytest.fixture
def server(network: Consortium) -> Iterator[FileServer]:
    """A file server that hospital north may fetch from."""
    one = network["north"].node
    was = one.files
    with serving_files() as found:
        object.__setattr__(one, "files", HttpFiles("127.0.0.1"))
        yield found
        object.__setattr__(one, "files", was)


def patient(id_: str, **others: object) -> Json:
    return {
        "resourceType": "Patient",
        "id": id_,
        "identifier": [{"system": SYSTEM, "value": id_}],
        "name": [{"family": f"Abel-{id_}"}],
        **others,
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


def encounter(id_: str, patient_: str, **others: object) -> Json:
    return {
        "resourceType": "Encounter",
        "id": id_,
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": f"Patient/{patient_}"},
        **others,
    }


def organization(id_: str, **others: object) -> Json:
    return {"resourceType": "Organization", "id": id_, "name": "General", **others}


def to(type_: str, id_: str) -> Json:
    return {"reference": f"{type_}/{id_}"}


def version(api: Api, type_: str, id_: str) -> str:
    """The version that stands; "" where there is none."""
    answer = api.get(f"{type_}/{id_}")
    found: Json = answer.json()
    return str(found["meta"]["versionId"]) if answer.status_code == 200 else ""


# What is written --------------------------------------------------------------------------------


def test_lines_in_any_order_are_written_under_their_ids(service: Service, name: str) -> None:
    sent = [
        observation(f"{name}-o1", f"{name}-p", encounter=to("Encounter", f"{name}-e")),
        encounter(f"{name}-e", f"{name}-p"),
        patient(f"{name}-p", managingOrganization=to("Organization", f"{name}-g")),
        organization(f"{name}-g"),
    ]
    imported = load(service.api, ndjson(sent))
    assert (imported.good, imported.bad) == ([4], 0), imported.texts
    for one in sent:
        got = service.api.get(f"{one['resourceType']}/{one['id']}").json()
        assert got["meta"]["versionId"] == "1"
        assert {key: got[key] for key in one} == one
    assert left(service.api) == []


def test_circles_and_chains_are_written_however_few_lines_go_together(
    service: Service, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "AT_ONCE", 2)
    monkeypatch.setattr(lines, "CHUNK_LINES", 3)
    monkeypatch.setattr(importing, "_KEPT_CHUNKS", 1)
    ring = [f"{name}-r{number}" for number in range(5)]
    sent: list[Json] = [
        observation(
            one,
            f"{name}-p",
            hasMember=[to("Observation", ring[(at + 1) % len(ring)])],
            encounter=to("Encounter", f"{name}-e"),
        )
        for at, one in enumerate(ring)
    ]
    sent += [
        observation(
            f"{name}-c{at}", f"{name}-p", derivedFrom=[to("Observation", f"{name}-c{at + 1}")]
        )
        for at in range(4)
    ]
    sent += [
        observation(f"{name}-c4", f"{name}-p"),
        encounter(f"{name}-e", f"{name}-p"),
        patient(f"{name}-p", link=[{"other": to("Patient", f"{name}-q"), "type": "seealso"}]),
        patient(f"{name}-q", link=[{"other": to("Patient", f"{name}-p"), "type": "seealso"}]),
    ]
    imported = load(service.api, ndjson(sent))
    assert (imported.good, imported.bad) == ([len(sent)], 0), imported.texts
    for one in sent:
        assert version(service.api, one["resourceType"], one["id"]) == "1"


def test_what_is_nobodys_goes_into_the_organisations_own_vault(
    network: Consortium, service: Service, name: str
) -> None:
    sent = [
        patient(f"{name}-p", managingOrganization=to("Organization", f"{name}-g")),
        organization(f"{name}-g"),
        {"resourceType": "Device", "id": f"{name}-d", "patient": to("Patient", f"{name}-p")},
    ]
    assert load(service.api, ndjson(sent)).good == [3]
    node = network["north"].node
    with node.database.read() as tx:
        own = find(tx, Identifier(SYSTEM, f"{name}-p"))
        rows = tx.all(
            "SELECT logical_id, vault FROM resource WHERE logical_id IN :ids",
            ids=[one["id"] for one in sent],
        )
    vaults: dict[str, set[bytes]] = {}
    for id_, vault in rows:
        vaults.setdefault(str(id_), set()).add(bytes(vault))
    assert own is not None
    assert vaults[f"{name}-d"] == {own}
    assert len(vaults[f"{name}-g"]) == 2  # and a copy beside the patient who refers to it


def test_the_same_again_changes_nothing_and_a_change_is_a_version(
    service: Service, name: str
) -> None:
    sent = [patient(f"{name}-p"), observation(f"{name}-o", f"{name}-p")]
    load(service.api, ndjson(sent))
    before = service.api.found(f"Provenance?target=Observation/{name}-o")
    assert load(service.api, ndjson(sent)).good == [2]
    assert version(service.api, "Observation", f"{name}-o") == "1"
    assert service.api.found(f"Provenance?target=Observation/{name}-o") == before
    sent[1]["valueInteger"] = 61
    assert load(service.api, ndjson(sent)).good == [2]
    assert version(service.api, "Observation", f"{name}-o") == "2"
    assert version(service.api, "Patient", f"{name}-p") == "1"


def test_of_a_resource_that_comes_twice_the_later_line_stands(service: Service, name: str) -> None:
    sent = [
        observation(f"{name}-o", f"{name}-p"),
        observation(f"{name}-o", f"{name}-p", valueInteger=61),
        patient(f"{name}-p"),
    ]
    assert load(service.api, ndjson(sent)).good == [3]
    assert version(service.api, "Observation", f"{name}-o") == "2"
    assert service.api.get(f"Observation/{name}-o").json()["valueInteger"] == 61


def test_decimals_keep_their_digits(service: Service, name: str) -> None:
    line = json.dumps(observation(f"{name}-o", f"{name}-p", valueInteger=None))
    line = line.replace('"valueInteger": null', '"valueQuantity": {"value": 7.200}')
    assert load(service.api, ndjson([patient(f"{name}-p"), line])).good == [2]
    assert '"value":7.200' in service.api.get(f"Observation/{name}-o").text


def test_writes_of_an_import_are_audited_and_documented(
    network: Consortium, service: Service, name: str
) -> None:
    node = network["north"].node
    watched = Watched(node)
    load(service.api, ndjson([patient(f"{name}-p"), organization(f"{name}-g")]))
    tried = [one.attempt for one in watched.entries()]
    [provenance] = service.api.found(f"Provenance?target=Patient/{name}-p")
    assert provenance["target"][0]["reference"] == f"Patient/{name}-p/_history/1"
    with node.database.read() as tx:
        vault = find(tx, Identifier(SYSTEM, f"{name}-p"))
    assert all(one.granted for one in tried)
    written = [one.vault for one in tried if one.verb is Verb.WRITE]
    assert set(written) == {None, vault, node.own_vault[0]}  # the request, and each vault
    assert len(written) == 3


# What is refused --------------------------------------------------------------------------------


def test_lines_that_are_wrong_stop_no_other_and_are_told_by_number(
    service: Service, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MOST_LINE_BYTES", 1_500)
    secret = "Schlüsselwort"
    sent: list[Json | str] = [
        patient(f"{name}-p"),
        '{"resourceType": "Patient", ' + secret,
        f'["{secret}"]',
        {"resourceType": secret, "id": "x"},
        {"resourceType": "Patient", "name": [{"family": secret}]},
        patient(f"{name}/{secret}"),
        patient(f"{name}-x", gender=secret),
        observation(f"{name}-o1", f"{name}-p", status=secret),
        observation(f"{name}-o2", f"{name}-nobody"),
        observation(f"{name}-o3", f"{name}-p", hasMember=[to("Observation", f"{name}-o1")]),
        observation(f"{name}-o4", f"{name}-p", hasMember=[to("Observation", f"{name}-o3")]),
        '{"resourceType": "Patient", "id": "a", "id": "' + secret + '"}',
        {"resourceType": "Provenance", "id": f"{name}-v", "recorded": "2024-01-01T00:00:00Z"},
        {"resourceType": "Consent", "id": f"{name}-c", "status": "active"},
        patient(f"{name}-y", name=[{"family": secret * 200}]),
        "",
        observation(f"{name}-o5", f"{name}-p"),
    ]
    with capture_logs() as logged:
        imported = load(service.api, ndjson(sent))
    assert secret not in str(logged) and name not in str(logged)
    assert imported.good == [2], imported.texts
    assert imported.lines == list(range(2, 16))
    assert imported.bad == 14
    assert not any(secret in text for text in imported.texts)
    assert all(
        text.startswith(f"Line {issue['extension'][0]['valueInteger']}: ")
        for its in imported.errors.values()
        for outcome in its
        for issue in outcome["issue"]
        for text in [issue["details"]["text"]]
    )
    assert version(service.api, "Observation", f"{name}-o5") == "1"
    assert left(service.api) == []


def test_what_only_the_database_refuses_is_found_line_by_line(service: Service, name: str) -> None:
    load(service.api, ndjson([patient(f"{name}-p"), patient(f"{name}-q")]))
    load(service.api, ndjson([observation(f"{name}-moved", f"{name}-p")]))
    both = [{"system": SYSTEM, "value": f"{name}-{which}"} for which in "pq"]
    sent = [observation(f"{name}-o{at}", f"{name}-p") for at in range(7)]
    sent.insert(3, observation(f"{name}-moved", f"{name}-q"))
    sent.insert(6, patient(f"{name}-z", identifier=both))
    imported = load(service.api, ndjson(sent))
    assert imported.good == [7], imported.texts
    assert imported.lines == [4, 7]
    assert service.api.get(f"Observation/{name}-moved").json()["subject"] == to(
        "Patient", f"{name}-p"
    )


def test_so_many_refusals_are_told_and_all_are_counted(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simdes.exchange.bulk import refusals

    monkeypatch.setattr(refusals, "MOST_LISTED", 3)
    imported = load(service.api, b"x\n" * 10)
    assert (imported.good, imported.bad) == ([0], 10)
    assert [len(its) for its in imported.errors.values()] == [4]


def test_refused_lines_are_on_record(network: Consortium, service: Service, name: str) -> None:
    watched = Watched(network["north"].node)
    wrong = [observation(f"{name}-o{at}", f"{name}-nobody") for at in range(3)]
    provenance = {"resourceType": "Provenance", "id": f"{name}-v", "recorded": "2024-01-01"}
    load(service.api, ndjson([*wrong, provenance]))
    refused = [one for one in watched.entries() if not one.attempt.granted]
    assert sorted((one.attempt.asked, one.attempt.reason) for one in refused) == [
        ("$import Observation", "INVALID"),
        ("$import Provenance", "WRONG_ROLE"),
    ]
    assert not any(name in one.text for one in refused)


# Where from -------------------------------------------------------------------------------------


def test_files_of_a_manifest_are_fetched_and_counted_each(
    service: Service, server: FileServer, name: str
) -> None:
    source = "https://source.example/fhir"
    away = observation(f"{name}-o2", f"{name}-p", subject=to("Patient", f"{name}-p"))
    away["subject"] = {"reference": f"{source}/Patient/{name}-p"}
    observations = server.put("/o.ndjson", observation(f"{name}-o1", f"{name}-p"), away, "{}")
    patients = server.put("/p.ndjson.gz", patient(f"{name}-p"), organization(f"{name}-g"))
    gone = server.url + "/gone"
    body = manifest(("Observation", observations), ("Patient", patients), ("Patient", gone))
    imported = load(service.api, body)
    told = imported.manifest
    assert told["output"] == [
        {"type": "Observation", "inputUrl": observations, "count": 2},
        {"type": "Patient", "inputUrl": patients, "count": 1},
        {"type": "Patient", "inputUrl": gone, "count": 0},
    ]
    assert [(one["inputUrl"], one["count"]) for one in told["error"]] == [
        (observations, 1),
        (patients, 1),
        (gone, 1),
    ]
    assert "HTTP 404" in str(imported.errors[gone])
    assert told["outcome"] == [{"type": one["type"], "url": one["url"]} for one in told["error"]]
    assert told["request"].endswith("/fhir/$import")
    assert service.api.get(f"Observation/{name}-o2").json()["subject"] == to("Patient", f"{name}-p")


PARAMETERS = {
    "resourceType": "Parameters",
    "parameter": [
        {"name": "inputFormat", "valueCode": NDJSON},
        {"name": "inputSource", "valueUri": "http://example.com/fhir/"},
        {
            "name": "storageDetail",
            "part": [
                {"name": "type", "valueCode": "https"},
                {"name": "credentialHttpBasic", "valueString": "ann:secret"},
            ],
        },
    ],
}


@pytest.mark.parametrize("form", ["json", "xml"])
def test_the_parameters_that_hapi_takes_are_taken(
    service: Service, server: FileServer, name: str, form: str
) -> None:
    from simdes.fhir.form import Form

    url = server.put("/p.ndjson", patient(f"{name}-p"))
    part = [{"name": "type", "valueCode": "Patient"}, {"name": "url", "valueUri": url}]
    sent = {
        **PARAMETERS,
        "parameter": [*PARAMETERS["parameter"], {"name": "input", "part": part}],
    }
    form_ = Form[form.upper()]
    answer = service.api.send(
        "POST",
        "$import",
        content=form_.write(sent),
        headers={**ASYNC, "content-type": form_.value},
    )
    assert answer.status_code == 202, answer.text
    imported = finished(service.api, answer.headers["content-location"].rpartition("/")[2])
    assert imported.good == [1]
    assert server.headers[0]["authorization"] == "Basic YW5uOnNlY3JldA=="


def test_a_finished_export_is_pulled_by_its_manifest(
    service: Service, server: FileServer, name: str
) -> None:
    listed = [
        {"type": "Observation", "url": server.put("/1", observation(f"{name}-o", f"{name}-p"))},
        {"type": "Patient", "url": server.put("/2", patient(f"{name}-p"))},
    ]
    server.files["/manifest"] = json.dumps({"output": listed, "error": []}).encode()
    named = [
        {"name": "exportUrl", "valueUrl": server.url + "/manifest"},
        {"name": "exportType", "valueCode": "static"},
    ]
    body = {"resourceType": "Parameters", "parameter": named}
    imported = load(service.api, body, **{"content-type": "application/fhir+json"})
    assert imported.good == [1, 1]
    assert [one["inputUrl"] for one in imported.manifest["output"]] == [
        one["url"] for one in listed
    ]


def deletion(*urls: str) -> Json:
    """A line of a ``deleted`` file."""
    entries = [{"request": {"method": "DELETE", "url": url}} for url in urls]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def test_what_an_export_says_was_deleted_is_deleted(
    service: Service, server: FileServer, name: str
) -> None:
    patient_, kept, gone = f"{name}-p", f"{name}-kept", [f"{name}-{number}" for number in range(3)]
    first = [patient(patient_), *(observation(one, patient_) for one in (kept, *gone))]
    assert load(service.api, ndjson(first)).bad == 0
    listed = [{"type": "Observation", "url": server.put("/1", observation(kept, patient_))}]
    deletions = [
        deletion(f"Observation/{gone[0]}"),
        deletion(f"Observation/{gone[1]}", f"https://source.example/fhir/Observation/{gone[2]}"),
        deletion("Observation/never-was"),
        deletion("Consent/c"),
        deletion("Observation"),
        {
            "resourceType": "Bundle",
            "entry": [{"request": {"method": "PUT", "url": f"Patient/{kept}"}}],
        },
        patient(f"{name}-x"),
        "no json",
    ]
    ended = {"type": "Bundle", "url": server.put("/d", *deletions)}
    server.files["/manifest"] = json.dumps({"output": listed, "deleted": [ended]}).encode()
    body = {
        "exportUrl": server.url + "/manifest",
        "exportType": "static",
        "inputSource": "https://source.example/fhir",
    }
    imported = load(service.api, body)
    assert imported.good == [1, 3]
    assert imported.lines == [4, 5, 6, 7, 8]
    assert [service.api.get(f"Observation/{one}").status_code for one in gone] == [410] * 3
    assert service.api.get(f"Observation/{kept}").status_code == 200
    assert service.api.get(f"Patient/{name}-x").status_code == 404


def test_who_may_not_delete_has_deletions_refused(
    service: Service, server: FileServer, name: str
) -> None:
    patient_ = f"{name}-p"
    load(service.api, ndjson([patient(patient_), observation(f"{name}-o", patient_)]))
    server.files["/manifest"] = json.dumps(
        {
            "output": [],
            "deleted": [
                {"type": "Bundle", "url": server.put("/d", deletion(f"Observation/{name}-o"))}
            ],
        }
    ).encode()
    service.renew("system/*.cu")
    imported = load(service.api, {"exportUrl": server.url + "/manifest", "exportType": "static"})
    service.renew(EVERYTHING)
    assert (imported.good, imported.bad) == ([0], 1)
    assert service.api.get(f"Observation/{name}-o").status_code == 200


def test_an_export_is_begun_elsewhere_waited_for_taken_and_ended(
    service: Service, server: FileServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simdes import import_http
    from simdes.exchange.bulk import staging

    monkeypatch.setattr(staging, "FIRST_STATE_MS", 1)
    monkeypatch.setattr(import_http, "LEAST_PAUSE_SECONDS", 0.001)

    def answer(status: int, **headers: str) -> Callable[[Any], None]:
        def act(handler: Any) -> None:
            handler.send_response(status)
            for name_, value in {"content-length": "0", **headers}.items():
                handler.send_header(name_.replace("_", "-"), value)
            handler.end_headers()
            if server.asked.count("/state") == 2:
                server.answers.pop("/state", None)

        return act

    server.answers["/$export?_since=2020"] = answer(202, content_location=server.url + "/state")
    server.answers["/state"] = answer(202, retry_after="0")
    listed = [{"type": "Patient", "url": server.put("/1", patient(f"{name}-p"))}]
    server.files["/state"] = json.dumps({"output": listed}).encode()
    body = {
        "exportUrl": server.url + "/$export?_since=2020",
        "storageDetail": {"type": "https", "credentialHttpBasic": "ann:secret"},
    }
    assert load(service.api, body).good == [1]
    assert server.asked == ["/$export?_since=2020", *["/state"] * 3, "/1", "/state"]
    assert server.headers[0]["prefer"] == "respond-async"
    assert {one["authorization"] for one in server.headers} == {"Basic YW5uOnNlY3JldA=="}
    assert left(service.api) == []


@pytest.mark.parametrize("status", [200, 401, 404])
def test_an_export_that_is_not_begun_ends_the_job(
    service: Service, server: FileServer, status: int
) -> None:
    def refuse(handler: Any) -> None:
        handler.send_response(status)
        handler.send_header("content-length", "0")
        handler.end_headers()

    server.answers["/$export"] = refuse
    name = begin(service.api, {"exportUrl": server.url + "/$export"})
    drain(service.api)
    assert service.api.get(f"jobs/{name}").json()["issue"][0]["code"] == "not-found"


def test_an_export_whose_state_is_elsewhere_is_not_followed(
    service: Service, server: FileServer
) -> None:
    def lead(handler: Any) -> None:
        handler.send_response(202)
        handler.send_header("content-location", "https://elsewhere.example/state")
        handler.send_header("content-length", "0")
        handler.end_headers()

    server.answers["/$export"] = lead
    name = begin(service.api, {"exportUrl": server.url + "/$export"})
    drain(service.api)
    assert service.api.get(f"jobs/{name}").json()["issue"][0]["code"] == "invalid"


@pytest.mark.parametrize(
    "content",
    [
        b"no manifest",
        b"[]",
        b"{}",
        b'{"output": []}',
        b'{"output": [7]}',
        b'{"output": [{"type": "Patient", "url": "https://elsewhere.example/"}]}',
        b'{"output": [{"type": "Patient", "url": "file:///etc/passwd"}]}',
        b'{"output": [{"type": "Nothing", "url": "http://127.0.0.1:1/"}]}',
    ],
)
def test_a_manifest_that_is_none_ends_the_job(
    service: Service, server: FileServer, content: bytes
) -> None:
    server.files["/manifest"] = content
    body = {"exportUrl": server.url + "/manifest", "exportType": "static"}
    name = begin(service.api, body)
    drain(service.api)
    answer = service.api.get(f"jobs/{name}")
    assert answer.status_code == 500, answer.text
    assert answer.json()["issue"][0]["code"] == "invalid"
    assert left(service.api) == []


def test_a_server_that_fails_is_asked_again_and_then_given_up(
    service: Service, server: FileServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simdes.exchange.bulk import staging

    def busy(handler: Any) -> None:
        handler.send_response(503)
        handler.send_header("content-length", "0")
        handler.end_headers()
        if server.asked.count("/busy") == 2:
            server.answers.pop("/busy", None)

    monkeypatch.setattr(staging, "PAUSES_MS", (1, 1, 1))
    server.answers["/busy"] = server.answers["/never"] = busy
    server.put("/busy", patient(f"{name}-p"))
    body = manifest(("Patient", server.url + "/busy"), ("Patient", server.url + "/never"))
    imported = load(service.api, body)
    assert server.asked == ["/busy"] * 3 + ["/never"] * 4
    assert imported.good == [1, 0]
    assert [one["count"] for one in imported.manifest["error"]] == [1]
    assert "503" in str(imported.errors)


def test_a_worker_that_stops_while_it_fetches_leaves_the_file_to_the_next(
    service: Service, server: FileServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simdes.exchange.bulk import staging

    monkeypatch.setattr(staging, "_COMMIT_SECONDS", 0.0)
    monkeypatch.setattr(lines, "CHUNK_LINES", 10)
    many = [
        observation(f"{name}-{at}", f"{name}-p", note=[{"text": "x" * 900}]) for at in range(200)
    ]
    url = server.put("/o", *many)
    body = manifest(("Patient", server.put("/p", patient(f"{name}-p"))), ("Observation", url))
    job = begin(service.api, body)
    stops = iter([False] * 4)
    drain(service.api, stopped=lambda: next(stops, True))
    assert left(service.api) != []
    imported = finished(service.api, job)
    assert (imported.good, imported.bad) == ([1, 200], 0)


def test_a_file_that_is_too_large_is_left_out_whole(
    service: Service, server: FileServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simdes.exchange.bulk import staging

    monkeypatch.setattr(staging, "MOST_LINES", 3)
    first = server.put("/1", patient(f"{name}-p"), patient(f"{name}-q"))
    second = server.put("/2", patient(f"{name}-r"), patient(f"{name}-s"))
    third = server.put("/3", patient(f"{name}-t"))
    body = manifest(("Patient", first), ("Patient", second), ("Patient", third))
    imported = load(service.api, body)
    assert imported.good == [2, 0, 1]
    assert version(service.api, "Patient", f"{name}-r") == ""
    monkeypatch.setattr(staging, "MOST_BYTES", 300)
    imported = load(service.api, body)
    assert imported.good[1:] == [0, 1]


@pytest.mark.parametrize("url", ["https://10.0.0.1/a", "file:///etc/passwd", "http://a.example/"])
def test_an_address_that_is_not_listed_is_refused_at_once(
    service: Service, server: FileServer, url: str
) -> None:
    assert send(service.api, manifest(("Patient", url))).status_code == 400
    static = {"exportUrl": url, "exportType": "static"}
    assert send(service.api, static).status_code == 400


def test_without_listed_hosts_nothing_is_fetched(service: Service) -> None:
    with serving_files() as server:
        url = server.put("/p", patient("nobody"))
        assert send(service.api, manifest(("Patient", url))).status_code == 400
        assert server.asked == []


# Who may ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scope", ["system/*.rs", "system/*.c", "system/*.ud", "system/Observation.cu?code=x", "none"]
)
def test_who_may_not_create_and_update_imports_nothing(
    network: Consortium, north: Starlette, scope: str, name: str
) -> None:
    if scope == "none":
        api = Api.of(network["north"], "dr.north", app=north)
    else:
        api = Service.of(network["north"], north, scope).api
    assert send(api, ndjson([patient(f"{name}-p")])).status_code == 403
    assert left(api) == []


def test_a_patient_and_an_app_let_at_one_import_nothing(
    network: Consortium, north: Starlette, service: Service, name: str
) -> None:
    load(service.api, ndjson([patient(f"{name}-p")]))
    node = network["north"].node
    with node.database.read() as tx:
        vault = find(tx, Identifier(SYSTEM, f"{name}-p"))
    assert vault is not None
    network.settle()
    network.enrol(vault, f"p.{name}")
    for scope in ("", "patient/*.cu", "user/*.cu"):
        api = Api.of(network["north"], f"p.{name}", app=north, scope=scope)
        assert send(api, ndjson([observation(f"{name}-o", f"{name}-p")])).status_code == 403


def test_a_person_imports_what_their_role_writes(
    network: Consortium, north: Starlette, service: Service, name: str
) -> None:
    api = Api.of(network["north"], ADMINISTRATOR, app=north, scope="user/*.cruds")
    sent = [organization(f"{name}-g"), patient(f"{name}-p"), observation(f"{name}-o", f"{name}-p")]
    imported = load(api, ndjson(sent))
    assert imported.good == [1], imported.texts
    assert imported.lines == [2, 3]
    assert version(service.api, "Organization", f"{name}-g") == "1"
    assert version(service.api, "Patient", f"{name}-p") == ""


def test_a_scope_imports_its_types_alone(
    network: Consortium, north: Starlette, service: Service, server: FileServer, name: str
) -> None:
    narrow = Service.of(network["north"], north, "system/Patient.cu").api
    url = server.put("/o", observation(f"{name}-o", f"{name}-p"))
    answer = send(narrow, manifest(("Observation", url)))
    assert answer.status_code == 403
    assert "Observation" in answer.text
    imported = load(narrow, ndjson([patient(f"{name}-p"), observation(f"{name}-o", f"{name}-p")]))
    assert (imported.good, imported.lines) == ([1], [2])


def test_nobody_writes_over_what_another_organisation_wrote(
    network: Consortium, north: Starlette, service: Service, name: str
) -> None:
    load(service.api, ndjson([patient(f"{name}-p"), observation(f"{name}-o", f"{name}-p")]))
    south = network["south"]
    other = Service.of(south, application(south), EVERYTHING)
    changed = observation(f"{name}-o", f"{name}-p", valueInteger=1)
    imported = load(other.api, ndjson([changed]))
    assert imported.good == [0]
    assert service.api.get(f"Observation/{name}-o").json()["valueInteger"] == 60


def test_a_job_is_there_for_who_asked_alone(
    network: Consortium, north: Starlette, service: Service, name: str
) -> None:
    imported = load(service.api, ndjson([patient(f"{name}-p"), "x"]))
    url = imported.manifest["error"][0]["url"].partition("/fhir/")[2]
    other = Service.of(network["north"], north, EVERYTHING)
    for method, path in (("GET", url), ("GET", f"jobs/{imported.name}"), ("DELETE", url[:48])):
        assert other.api.send(method, path).status_code == 404, path
    assert service.api.get(f"jobs/{imported.name}").status_code == 200


def test_what_came_in_lies_wrapped_and_no_address_leads_to_it(
    network: Consortium, service: Service, name: str
) -> None:
    job = begin(service.api, ndjson([patient(f"{name}-p")]))
    node = network["north"].node
    with node.database.read() as tx:
        rows = tx.all("SELECT file, content_wrapped FROM bulk_part WHERE kind = 'input'")
    assert rows
    assert not any(name.encode() in bytes(content) for _, content in rows)
    for number, _ in rows:
        assert service.api.get(f"jobs/{job}/{number}").status_code == 404
    assert service.api.send("DELETE", f"jobs/{job}").status_code == 202
    assert left(service.api) == []
    assert version(service.api, "Patient", f"{name}-p") == ""


def test_a_removed_service_ends_its_import(service: Service, name: str) -> None:
    begin(service.api, ndjson([patient(f"{name}-p")]))
    node = service.one.node
    clients.remove(node, None, service.asking.client.id)
    drain(service.api)
    with node.database.read() as tx:
        rows = tx.all(
            "SELECT state, failure FROM bulk_job WHERE client = :c", c=service.asking.client.id
        )
    assert rows == [(bulk.FAILED, "forbidden")]
    assert left(service.api) == []
    with node.database.read() as tx:
        assert tx.all("SELECT 1 FROM resource WHERE logical_id = :id", id=f"{name}-p") == []


def test_imports_of_a_service_are_bounded_and_leave_exports_alone(service: Service) -> None:
    made = [begin(service.api, b"{}\n") for _ in range(jobs.MOST_RUNNING[jobs.IMPORT])]
    answer = send(service.api, b"{}\n")
    assert (answer.status_code, "retry-after" in answer.headers) == (429, True)
    assert service.api.get("$export?_type=Basic", **ASYNC).status_code == 202
    for one in made:
        assert service.api.send("DELETE", f"jobs/{one}").status_code == 202
    assert left(service.api) == []


def test_a_job_that_is_cancelled_amidst_stops_there(
    service: Service, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "AT_ONCE", 2)
    monkeypatch.setattr(jobs, "_TURN_SECONDS", -1.0)
    sent = [patient(f"{name}-{at}") for at in range(10)]
    job = begin(service.api, ndjson(sent))
    for _ in range(4):
        jobs.work(service.one.node, worker="test", kinds=(jobs.IMPORT,))
    assert service.api.get(f"jobs/{job}").headers["x-progress"] == "4 of 10 resources done"
    assert service.api.send("DELETE", f"jobs/{job}").status_code == 202
    drain(service.api)
    written = [one for one in sent if version(service.api, "Patient", one["id"])]
    assert len(written) == 4
    assert left(service.api) == []


def test_imports_are_no_work_of_the_other_worker(service: Service, name: str) -> None:
    job = begin(service.api, ndjson([patient(f"{name}-p")]))
    drain(service.api, kinds=(jobs.EXPORT,))
    assert service.api.get(f"jobs/{job}").status_code == 202
    drain(service.api, kinds=(jobs.IMPORT,))
    assert finished(service.api, job).good == [1]


# The protocol -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"\n \n", {}, 400),
        (b"{}\n", {"prefer": "return=minimal"}, 400),
        (b"{}\n", {"content-type": "text/csv"}, 415),
        (b"{}\n", {"content-encoding": "gzip"}, 415),
        (b"[1]", {"content-type": "application/json"}, 400),
        (b"{", {"content-type": "application/json"}, 400),
        ({}, {}, 400),
        ({"input": []}, {}, 400),
        ({"resourceType": "Bundle"}, {}, 400),
        ({"resourceType": "Parameters", "parameter": 7}, {}, 400),
        ({"resourceType": "Parameters", "parameter": [{"name": "input"}]}, {}, 400),
        (manifest(("Patient", "http://127.0.0.1:9/")) | {"inputFormat": "csv"}, {}, 400),
        (manifest(("Nothing", "http://127.0.0.1:9/")), {}, 400),
        (manifest(("", "http://127.0.0.1:9/")), {}, 400),
        (manifest(("Patient", "")), {}, 400),
        (manifest(("Patient", "http://127.0.0.1:9/"), mode="new"), {}, 400),
        (manifest(("Patient", "http://127.0.0.1:9/"), storageDetail="aws-s3"), {}, 422),
        (manifest(("Patient", "http://127.0.0.1:9/"), storageDetail={"type": 7}), {}, 400),
        (
            manifest(("Patient", "http://127.0.0.1:9/"))
            | {"exportUrl": "http://127.0.0.1:9/", "exportType": "static"},
            {},
            400,
        ),
        (manifest(("Patient", "http://127.0.0.1:9/"), inputSource=["x"]), {}, 400),
        ({"exportUrl": "http://127.0.0.1:9/", "exportType": "sometimes"}, {}, 400),
        ({"exportUrl": "https://elsewhere.example/", "exportType": "dynamic"}, {}, 400),
        (manifest(*[("Patient", "http://127.0.0.1:9/")] * 1001), {}, 400),
    ],
)
def test_what_can_not_be_meant_is_refused(
    service: Service, server: FileServer, body: Any, headers: dict[str, str], status: int
) -> None:
    answer = send(service.api, body, **headers)
    assert answer.status_code == status, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert left(service.api) == []


def test_lenient_handling_passes_over_what_is_not_known(
    service: Service, server: FileServer, name: str
) -> None:
    body = manifest(("Patient", server.put("/p", patient(f"{name}-p"))), mode="new")
    imported = load(service.api, body, prefer="respond-async, handling=lenient")
    assert imported.good == [1]


def test_a_batch_starts_no_import_and_only_the_system_has_one(service: Service) -> None:
    entry = {"request": {"method": "POST", "url": "$import"}, "resource": PARAMETERS}
    answer = service.api.send(
        "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [entry]}, headers=ASYNC
    )
    assert answer.json()["entry"][0]["response"]["status"].startswith("400")
    for path in ("Patient/$import", "Group/1/$import"):
        answer = service.api.send("POST", path, content=b"{}", headers={"content-type": NDJSON})
        assert answer.status_code in (404, 405), path
    assert service.api.get("$import", **ASYNC).status_code == 405


def test_the_capability_statement_names_the_operation(service: Service) -> None:
    [rest] = service.api.get("metadata").json()["rest"]
    assert "import" in {one["name"] for one in rest["operation"]}
    assert not any(
        one["name"] == "import" for type_ in rest["resource"] for one in type_.get("operation", ())
    )


def test_who_asks_too_often_waits(service: Service, name: str, clock: Clock) -> None:
    job = begin(service.api, ndjson([patient(f"{name}-p")]))
    first = service.api.get(f"jobs/{job}")
    assert first.status_code == 202
    assert first.headers["x-progress"] and int(first.headers["retry-after"]) >= 1
    assert service.api.get(f"jobs/{job}").status_code == 429
    clock.ahead_seconds += 1
    assert service.api.get(f"jobs/{job}").status_code == 202
    finished(service.api, job)
