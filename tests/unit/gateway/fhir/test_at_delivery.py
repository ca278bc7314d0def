"""What is decided when something is handed over, whatever was true when it was asked for.

Files of a bulk export, and what subscribers are told: rights, permissions, reading limits, the
trail.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from starlette.applications import Starlette

from simdes.access.anomaly import rules
from simdes.access.audit_event import Verb
from simdes.exchange import authorization, clients
from simdes.exchange.bulk import delivering
from simdes.exchange.interactions.found import Found
from simdes.exchange.node import Node
from simdes.exchange.subscriptions import telling, wanted
from simdes.gateway.app import create_gateway
from simdes.hook_http import HttpHooks
from simdes.index.vaults import Identifier, find
from support import smart
from support.bulk import Service, export, fetch, kick_off, parameters, work
from support.consortium import Clock, Consortium
from support.fhir_api import Api, Json
from support.receivers import Receiver, receiving, reply
from unit.gateway.fhir import test_bulk_elsewhere, test_elsewhere
from unit.gateway.fhir.test_elsewhere import Shared

shared = test_elsewhere.shared
south = test_elsewhere.south

SYSTEM = "urn:oid:2.16.840.1.113883.4.1"


def cautious(node: Node, patients: int) -> Node:
    """The same organisation, which asks for a second factor after so many patients."""
    reading = rules(strangers_per_hour=0, patients_per_hour=patients, patients_per_day=0)
    limits = dataclasses.replace(node.desk.limits, reading=reading)
    return dataclasses.replace(node, desk=dataclasses.replace(node.desk, limits=limits))


def forget_readings(node: Node) -> None:
    """Whatever other tests read."""

    def forget(tx: Any) -> None:
        tx.run("DELETE FROM recent_reading")

    node.database.write(forget)


def more_patients(doctor: Api, number: str, count: int) -> list[Json]:
    """Patients of the hospital."""
    return [
        doctor.create(
            {
                "resourceType": "Patient",
                "identifier": [{"system": SYSTEM, "value": f"{number}-{at}"}],
            }
        )
        for at in range(count)
    ]


def vault_of(node: Node, number: str) -> bytes:
    """The vault of the patient with this record number."""
    with node.database.read() as tx:
        vault = find(tx, Identifier(SYSTEM, number))
    assert vault is not None
    return vault


def reads(node: Node, vault: bytes) -> int:
    """Entries of the trail that say that somebody read in a vault."""
    noted = node.desk.trail.entries(node.database, vault=vault)
    return sum(entry.attempt.verb is Verb.READ for _, entry in noted)


# Files ----------------------------------------------------------------------------------------


def test_a_file_about_too_many_patients_asks_for_a_second_factor_before_its_first_line(
    network: Consortium, doctor: Api, number: str
) -> None:
    one = network["north"]
    app = create_gateway(one.custody, node=cautious(one.node, 2))
    reader = Api.of(one, "dr.north", app=app, scope="user/*.rs")
    made = more_patients(doctor, number, 3)
    named = [{"reference": f"Patient/{one['id']}"} for one in made]

    def file_of(patients: Sequence[Json]) -> Any:
        body = parameters(patient=list(patients), _type="Patient")
        name = kick_off(reader, "Patient/$export", method="POST", body=body)
        [file] = work(one, reader, name).json()["output"]
        forget_readings(one.node)
        return reader.get(file["url"].partition("/fhir/")[2], accept="application/fhir+ndjson")

    few, many = file_of(named[:2]), file_of(named)
    assert (few.status_code, len(few.content.splitlines())) == (200, 2)
    assert many.status_code == 401
    assert "insufficient_user_authentication" in many.headers["www-authenticate"]
    assert made[0]["id"] not in many.text
    forget_readings(one.node)


def test_a_consent_that_runs_out_while_a_file_is_fetched_closes_the_rest_of_it(
    shared: Shared,
    doctor: Api,
    pulse: Callable[..., Json],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    doctor.create(pulse(81))
    shared.network.settle()
    test_bulk_elsewhere.grant(shared, "observations", "demographics")
    api = test_bulk_elsewhere.reader(shared)
    exported = export(api, "Patient/$export?_type=Observation")
    [file] = exported.manifest["output"]
    of_patient = f"Patient/{shared.patient['id']}"

    def own(lines: Sequence[Json]) -> int:
        return sum(one["subject"]["reference"] == of_patient for one in lines)

    assert own(exported.files["Observation"]) == 2
    shown = delivering._shown

    def shown_slowly(*given: Any) -> bytes:
        found: Sequence[Found] = given[2]
        line = shown(*given)
        if any(one.vault == shared.vault for one in found):
            clock.ahead_seconds += 3_700
        return line

    monkeypatch.setattr(delivering, "PAGE", 1)
    monkeypatch.setattr(delivering, "_shown", shown_slowly)
    assert own(fetch(api, file["url"])) == 1


def test_what_an_export_lists_as_deleted_is_told_only_to_who_may_still_see_its_type(
    network: Consortium, north: Starlette, doctor: Api, patient: Json, pulse: Callable[..., Json]
) -> None:
    scope = "system/*.rs system/Patient.rs"
    service = Service.of(network["north"], north, scope)
    gone = doctor.create(pulse(61))
    body = parameters(patient=[{"reference": f"Patient/{patient['id']}"}], _type="Observation")
    first = export(service.api, "Patient/$export", method="POST", body=body)
    assert doctor.send("DELETE", f"Observation/{gone['id']}").status_code in (200, 204)
    body["parameter"].append({"name": "_since", "valueInstant": first.manifest["transactionTime"]})
    later = export(service.api, "Patient/$export", method="POST", body=body)
    [file] = later.manifest["deleted"]
    assert gone["id"] in str(later.deleted)
    service.renew("system/Patient.rs")
    assert fetch(service.api, file["url"]) == []


# Notifications --------------------------------------------------------------------------------


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody's endpoint on this machine."""
    with receiving() as found:
        yield found


@pytest.fixture
def node(network: Consortium) -> Iterator[Node]:
    """Hospital north, which lets notifications go to this machine."""
    hooks = HttpHooks("127.0.0.1")
    found = network["north"].node
    object.__setattr__(found, "hooks", hooks)
    yield found
    hooks.close()


def tell(node: Node) -> None:
    """Let the worker tell everything that is due."""
    for _ in range(50):
        if not telling.work(node, name="test"):
            return
    raise AssertionError("there is always more to do")


def hook(receiver: Receiver, criteria: str) -> Json:
    """A Subscription with whole resources."""
    channel = {"type": "rest-hook", "endpoint": receiver.url, "payload": "application/fhir+json"}
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "to know",
        "criteria": criteria,
        "channel": channel,
    }


def told(receiver: Receiver) -> list[str]:
    """The ids of what a receiver was told of."""
    return [one["id"] for got in receiver.events for one in got.resources]


def an_app(network: Consortium, north: Starlette, name: str) -> tuple[smart.Asking, Api, bytes]:
    """An app that a doctor allowed everything, and the permission's id."""
    one = network["north"]
    asking = smart.register(one.node, name, scope="user/*.cruds")
    session = network.session("north", "dr.north")
    given = smart.redeem(asking, smart.allow(asking, session, "user/*.cruds"))
    [grant] = [
        each.id
        for each in authorization.grants(one.node, session)
        if each.client_id == asking.client.id
    ]
    return asking, Api(one, "", north, given["access_token"]), grant


@pytest.mark.parametrize("ended", ["nothing", "permission", "app"])
def test_a_subscriber_whose_permission_or_app_is_gone_is_told_nothing_more(
    network: Consortium,
    node: Node,
    north: Starlette,
    receiver: Receiver,
    doctor: Api,
    patient: Json,
    pulse: Callable[..., Json],
    number: str,
    ended: str,
) -> None:
    asking, app, grant = an_app(network, north, f"app-{ended}-{number}")
    made = app.create(hook(receiver, f"Observation?patient=Patient/{patient['id']}"))
    tell(node)
    new = doctor.create(pulse(61))["id"]
    if ended == "permission":
        authorization.end_grant(node, network.session("north", "dr.north"), grant)
    if ended == "app":
        clients.remove(node, None, asking.client.id)
    tell(node)
    assert told(receiver) == ([new] if ended == "nothing" else [])
    status = app.get(f"Subscription/{made['id']}")
    assert status.status_code == (200 if ended == "nothing" else 401)


def test_a_removed_service_is_told_nothing_more(
    network: Consortium,
    node: Node,
    north: Starlette,
    receiver: Receiver,
    doctor: Api,
    patient: Json,
    pulse: Callable[..., Json],
) -> None:
    services = [Service.of(network["north"], north, "system/*.cruds") for _ in range(2)]
    for one in services:
        one.api.create(hook(receiver, f"Observation?patient=Patient/{patient['id']}"))
    tell(node)
    clients.remove(node, None, services[0].asking.client.id)
    new = doctor.create(pulse(61))["id"]
    tell(node)
    assert told(receiver) == [new]


def test_a_permission_that_ends_between_two_notifications_ends_the_second(
    network: Consortium,
    node: Node,
    north: Starlette,
    receiver: Receiver,
    doctor: Api,
    patient: Json,
    pulse: Callable[..., Json],
    number: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, app, grant = an_app(network, north, f"app-between-{number}")
    app.create(hook(receiver, f"Observation?patient=Patient/{patient['id']}"))
    tell(node)
    monkeypatch.setattr(wanted, "DEFAULT_AT_ONCE", 1)
    first, _ = (doctor.create(pulse(value))["id"] for value in (61, 62))
    session = network.session("north", "dr.north")

    def last(request: BaseHTTPRequestHandler) -> None:
        if any(one.id == grant for one in authorization.grants(node, session)):
            authorization.end_grant(node, session, grant)
        reply(request, 200)

    receiver.answer = last
    tell(node)
    assert told(receiver) == [first]


def test_a_version_from_before_a_resource_was_for_the_app_is_not_told(
    network: Consortium,
    node: Node,
    north: Starlette,
    receiver: Receiver,
    doctor: Api,
    patient: Json,
    pulse: Callable[..., Json],
) -> None:
    scope = "user/Subscription.crs user/Observation.rs?category=vital-signs"
    app = Api.of(network["north"], "dr.north", app=north, scope=scope)
    app.create(hook(receiver, f"Observation?patient=Patient/{patient['id']}"))
    tell(node)
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    vital = [{"coding": [{"system": system, "code": "vital-signs"}]}]
    made = doctor.create(pulse(61))
    doctor.update(pulse(62, id=made["id"], category=vital))
    tell(node)
    [got] = [one for event in receiver.events for one in event.resources]
    assert (got["id"], got["meta"]["versionId"]) == (made["id"], "2")
    assert receiver.numbers == [1]


def test_what_a_subscriber_is_told_is_on_record_for_each_patient(
    node: Node,
    receiver: Receiver,
    doctor: Api,
    patient: Json,
    pulse: Callable[..., Json],
    number: str,
) -> None:
    doctor.create(hook(receiver, f"Observation?patient=Patient/{patient['id']}"))
    tell(node)
    vault = vault_of(node, number)
    before = reads(node, vault)
    new = doctor.create(pulse(61))["id"]
    assert reads(node, vault) == before
    tell(node)
    assert told(receiver) == [new]
    assert reads(node, vault) == before + 1


def test_a_person_beyond_their_reading_limit_is_told_nothing_until_it_is_over(
    node: Node,
    receiver: Receiver,
    doctor: Api,
    number: str,
    pulse: Callable[..., Json],
    clock: Clock,
) -> None:
    patients = more_patients(doctor, number, 3)
    criteria = "Observation?patient=" + ",".join(f"Patient/{one['id']}" for one in patients)
    made = doctor.create(hook(receiver, criteria))
    tell(node)
    forget_readings(node)
    careful = cautious(node, 2)
    for at, one in enumerate(patients):
        doctor.create(pulse(60 + at, subject={"reference": f"Patient/{one['id']}"}))
        tell(careful)
    assert len(told(receiver)) == 2
    clock.ahead_seconds += 3_700
    tell(careful)
    assert len(told(receiver)) == 3
    assert doctor.get(f"Subscription/{made['id']}").json()["status"] == "active"
    forget_readings(node)
