"""Attacks on who wrote what about whom: forged sources and labels, captured patients, addresses.

Each was possible once or looked as if it were; docs/security/red-team-fhir.md lists them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import anyio
import httpx
import pytest
from starlette.applications import Starlette

from simdes.access.categories import Label, Role
from simdes.errors import Forbidden
from simdes.exchange import enrolment
from simdes.exchange.interactions import writing
from simdes.exchange.interactions.changes import Change, Method
from simdes.exchange.rights import ask
from simdes.gateway.fhir import bundles
from simdes.index import resources
from simdes.index.vaults import Identifier, find
from support import consortium
from support.consortium import Consortium, passphrase_of
from support.fhir_api import JSON, Api, Json, request

STATE = "urn:simdes:state"
SYSTEM = "urn:oid:2.16.840.1.113883.4.1"
PSYCHIATRY = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY"}


@pytest.fixture(scope="module")
def researcher(network: Consortium, north: Starlette) -> Api:
    """A researcher of hospital north."""
    return _somebody(network, north, "prof.forgery", Role.RESEARCHER)


@pytest.fixture(scope="module")
def administrator(network: Consortium, north: Starlette) -> Api:
    """An administrator of hospital north."""
    return Api.of(network["north"], "admin", app=north)


@pytest.fixture
def person(network: Consortium, north: Starlette, patient: Json, number: str) -> Api:
    """The patient at their own account."""
    node = network["north"].node
    with node.database.read() as tx:
        vault = find(tx, Identifier(SYSTEM, number))
    assert vault is not None
    network.settle()
    network.enrol(vault, f"p.{number}")
    return Api.of(network["north"], f"p.{number}", app=north)


def _somebody(network: Consortium, app: Starlette, user: str, role: Role) -> Api:
    with consortium.cheap_locks():
        enrolment.add_person(
            network["north"].node,
            network.session("north", "admin"),
            user,
            role=role,
            passphrase=passphrase_of(user),
        )
    return Api.of(network["north"], user, app=app)


# Who wrote it, and what became of it -----------------------------------------------------------


def test_who_writes_into_some_vaults_alone_writes_into_no_other(
    network: Consortium, doctor: Api, pulse: Callable[..., Json]
) -> None:
    node = network["north"].node
    asking = ask(node, network.session("north", "dr.north"))
    narrow = replace(asking, rights=replace(asking.rights, vaults=(bytes(32),)))
    change = Change(method=Method.CREATE, type="Observation", id="", resource=pulse())
    with pytest.raises(Forbidden, match="own records alone"):
        writing.apply(node, narrow, [change], base=node.issuer.audience)
    [made] = writing.apply(node, asking, [change], base=node.issuer.audience)
    assert made.found is not None


def test_an_app_writes_only_what_its_constraint_lets_it(
    network: Consortium, north: Starlette, doctor: Api, pulse: Callable[..., Json]
) -> None:
    app = Api.of(
        network["north"],
        "dr.north",
        app=north,
        scope="user/Patient.rs user/Observation.cruds?status=final",
    )
    made = app.create(pulse(status="final"))
    name = f"Observation/{made['id']}"
    for answer in (
        app.send("POST", "Observation", pulse(status="preliminary")),
        app.send("PUT", name, {**made, "status": "amended"}),
        app.send(
            "PATCH",
            name,
            content=b'[{"op": "replace", "path": "/status", "value": "amended"}]',
            headers={"content-type": "application/json-patch+json"},
        ),
    ):
        assert answer.status_code == 403, answer.text
    assert doctor.get(name).json()["status"] == "final"
    assert doctor.get(name).json()["meta"]["versionId"] == "1"


def test_an_author_names_neither_source_nor_state(
    doctor: Api, pulse: Callable[..., Json], network: Consortium
) -> None:
    forged = {
        "source": "https://another.example",
        "tag": [{"system": STATE, "code": "anchored"}, {"system": "urn:x", "code": "mine"}],
    }
    made = doctor.create(pulse(meta=forged))
    own = network["north"].settings.custody_url
    for meta in (made["meta"], doctor.get(f"Observation/{made['id']}").json()["meta"]):
        assert meta["source"] == own
        assert meta["tag"] == [
            {"system": "urn:x", "code": "mine"},
            {"system": STATE, "code": resources.PENDING},
        ]


def test_a_submitted_message_names_neither_source_nor_state(
    doctor: Api, patient: Json, pulse: Callable[..., Json], number: str, network: Consortium
) -> None:
    forged = {"source": "https://another.example", "tag": [{"system": STATE, "code": "anchored"}]}
    entries = [{"resource": patient}, {"resource": pulse(id=f"forged-{number}", meta=forged)}]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    answer = doctor.send("POST", "$submit-legacy", bundle)
    assert answer.status_code == 200, answer.text
    meta = doctor.get(f"Observation/forged-{number}").json()["meta"]
    assert meta["source"] == network["north"].settings.custody_url
    assert meta["tag"] == [{"system": STATE, "code": resources.PENDING}]


@pytest.mark.parametrize("how", ["PUT", "PATCH", "FHIRPath Patch", "conditional", "transaction"])
def test_no_update_takes_a_label_away(
    doctor: Api, pulse: Callable[..., Json], network: Consortium, how: str
) -> None:
    made = doctor.create(pulse(meta={"security": [PSYCHIATRY]}))
    name, plain = f"Observation/{made['id']}", pulse(80, id=made["id"])
    if how == "PUT":
        answer = doctor.send("PUT", name, plain)
    elif how == "PATCH":
        remove = json.dumps([{"op": "remove", "path": "/meta/security"}]).encode()
        headers = {"content-type": "application/json-patch+json"}
        answer = doctor.send("PATCH", name, content=remove, headers=headers)
    elif how == "FHIRPath Patch":
        parts = [
            {"name": "type", "valueCode": "delete"},
            {"name": "path", "valueString": "Observation.meta.security[0]"},
        ]
        patch = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}
        answer = doctor.send("PATCH", name, patch)
    elif how == "conditional":
        answer = doctor.send("PUT", f"Observation?_id={made['id']}", plain)
    else:
        entry = {"resource": plain, "request": {"method": "PUT", "url": name}}
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
        answer = doctor.send("POST", "", bundle)
    assert answer.status_code == 200, answer.text
    read = doctor.get(name).json()
    assert read["meta"]["security"] == [PSYCHIATRY]
    with network["north"].node.database.read() as tx:
        found = tx.all("SELECT DISTINCT labels FROM entry WHERE logical_id = :id", id=made["id"])
    assert found == [(1 << Label.PSY,)]


def test_a_label_may_be_added(doctor: Api, pulse: Callable[..., Json]) -> None:
    made = doctor.create(pulse())
    sent = pulse(80, id=made["id"], meta={"security": [PSYCHIATRY]})
    answer = doctor.send("PUT", f"Observation/{made['id']}", sent)
    assert answer.json()["meta"]["security"] == [PSYCHIATRY]


# Whose record it is ----------------------------------------------------------------------------


def test_nobody_names_a_patient_by_the_identifier_of_an_organisation(
    doctor: Api, network: Consortium
) -> None:
    value = f"0x{network['north'].node.organisation.hex()}"
    identifier = [{"system": "urn:simdes:organisation", "value": value}]
    sent = {"resourceType": "Patient", "identifier": identifier}
    assert doctor.send("POST", "Patient", sent).status_code == 400
    assert doctor.send("POST", "$submit-legacy", sent).status_code == 422
    about = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"identifier": identifier[0]},
    }
    assert doctor.send("POST", "Observation", about).status_code == 400


def test_a_number_without_an_assigner_makes_nobody_the_same(
    doctor: Api, network: Consortium
) -> None:
    sent = {"resourceType": "Patient", "identifier": [{"value": "forgery-42"}]}
    one, other = doctor.create(sent), doctor.create(sent)
    with network["north"].node.database.read() as tx:
        vaults = {
            tag
            for made in (one, other)
            for (tag,) in tx.all("SELECT vault FROM entry WHERE logical_id = :id", id=made["id"])
        }
    assert len(vaults) == 2


def test_a_patient_does_not_learn_who_else_is_one(person: Api, doctor: Api, number: str) -> None:
    somebody = {"system": SYSTEM, "value": f"else-{number}"}
    doctor.create({"resourceType": "Patient", "identifier": [somebody]})
    told = []
    for value in (somebody["value"], f"nobody-{number}"):
        about = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "x"},
            "subject": {"identifier": {"system": SYSTEM, "value": value}},
        }
        answer = person.send("POST", "Observation", about)
        told.append((answer.status_code, answer.json()))
    assert told[0] == told[1] and told[0][0] == 400


@pytest.mark.parametrize("type_", ["Bundle", "Binary", "DocumentReference", "Observation"])
def test_what_clinicians_keep_without_naming_a_patient_is_theirs(
    doctor: Api, researcher: Api, administrator: Api, pulse: Callable[..., Json], type_: str
) -> None:
    whole: dict[str, Json] = {
        "Bundle": {"type": "collection", "entry": [{"resource": pulse(id="inner")}]},
        "Binary": {"contentType": "text/plain", "data": "c2VjcmV0"},
        "DocumentReference": {
            "status": "current",
            "content": [{"attachment": {"contentType": "text/plain", "data": "c2VjcmV0"}}],
        },
        "Observation": {"status": "final", "code": {"text": "told by their sister"}},
    }
    sent = {"resourceType": type_, **whole[type_]}
    if type_ == "Bundle":
        sent["entry"][0]["fullUrl"] = "urn:uuid:6b2b1b1e-7d9c-4a51-8a6e-0c1d7f6d2f11"
    made = doctor.create(sent)
    name = f"{type_}/{made['id']}"
    assert doctor.get(name).status_code == 200
    for one in (researcher, administrator):
        assert one.get(name).status_code == 404
        assert one.found(f"{type_}?_id={made['id']}") == []


# Addresses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/sign-in/", "/account//", "/auth/token/", "/healthz/"])
def test_nobody_is_sent_to_the_host_of_a_request(north: Starlette, path: str) -> None:
    answer = request(north, "GET", path, headers={"host": "evil.example"})
    assert answer.status_code in (404, 405) and "location" not in answer.headers


def test_an_encoded_question_mark_stays_in_the_path(doctor: Api, patient: Json) -> None:
    assert doctor.get(f"Patient/{patient['id']}%3F_format=xml").status_code == 404
    assert doctor.get(f"Patient/{patient['id']}%23x").status_code == 404
    assert doctor.get(f"Patient/..%2FPatient/{patient['id']}").status_code == 404


@pytest.mark.parametrize("url", ["http://[", "//[", "Patient/[]", "%", "Patient?%", "?", "#"])
@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_an_entry_with_a_broken_url_is_refused(doctor: Api, kind: str, url: str) -> None:
    entry = {"request": {"method": "PUT", "url": url}, "resource": {"resourceType": "Patient"}}
    answer = doctor.send("POST", "", {"resourceType": "Bundle", "type": kind, "entry": [entry]})
    assert answer.status_code < 500
    if kind == "batch":
        assert answer.json()["entry"][0]["response"]["status"].startswith("4")
    else:
        assert answer.status_code >= 400


def test_a_stranger_sends_no_body(north: Starlette) -> None:
    taken = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(64):
            taken += 1
            yield b" " * 65536

    async def run() -> int:
        transport = httpx.ASGITransport(app=north)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            headers = {"authorization": "Bearer x.y.z", "content-type": JSON}
            answer = await client.post("/fhir/Patient", content=pieces(), headers=headers)
            return answer.status_code

    assert anyio.run(run) == 401 and taken <= 1


# Time ------------------------------------------------------------------------------------------


def test_a_batch_ends_when_nobody_waits_for_it(
    doctor: Api, patient: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"request": {"method": "GET", "url": f"Patient/{patient['id']}"}}
    batch = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
    assert doctor.send("POST", "", batch).status_code == 200
    monkeypatch.setattr(bundles, "MOST_SECONDS", 0.0)
    answer = doctor.send("POST", "", batch)
    assert answer.status_code == 503 and "retry-after" in answer.headers


def test_a_large_body_is_answered_like_any_other(doctor: Api, pulse: Callable[..., Json]) -> None:
    told = [{"text": "x" * 1000} for _ in range(1500)]
    made = doctor.create(pulse(note=told))
    assert len(doctor.get(f"Observation/{made['id']}").json()["note"]) == 1500


def test_a_researcher_writes_into_no_patients_vault(
    researcher: Api, patient: Json, number: str
) -> None:
    subject: Json = {
        "resourceType": "ResearchSubject",
        "status": "candidate",
        "study": {"reference": "ResearchStudy/s"},
    }
    identifier = {"system": "urn:oid:2.16.840.1.113883.4.1", "value": number}
    for named in ({"reference": f"Patient/{patient['id']}"}, {"identifier": identifier}):
        answer = researcher.send("POST", "ResearchSubject", subject | {"individual": named})
        assert answer.status_code in (400, 403), answer.text
    own = {"resourceType": "ResearchStudy", "status": "active"}
    assert researcher.send("POST", "ResearchStudy", own).status_code == 201
