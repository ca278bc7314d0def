"""Every attempt leaves an audit entry: what is refused, too, on every endpoint, and tells nothing.

docs/decisions/0034-refused-attempts.md; the entry is docs/formats/audit-entry.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from unittest import mock

import httpx
import pytest
from starlette.applications import Starlette

from simdes.access import tokens
from simdes.access.reasons import words
from simdes.app import ADMINISTRATOR
from simdes.errors import Unavailable
from simdes.exchange.interactions.terms import TERMINOLOGY
from simdes.exchange.journal import Journal
from simdes.exchange.node import Node
from simdes.fhir.validate import validate
from simdes.gateway.fhir import routes
from simdes.gateway.fhir.routes import Endpoint
from support.consortium import Clock, Consortium
from support.fhir_api import Api
from support.trail import Kept, Watched
from support.two_patients import World, observation_of, seed

KNOWLEDGE = frozenset(name for _, name in TERMINOLOGY)
ABOUT_PATIENTS = [one for one in routes.endpoints() if one.interaction not in KNOWLEDGE]
NOTHING = "user/Slot.r"
"""A scope that lets an app do nothing with records."""
BAD = "_count=no.one&mode=no.one&start=no.one&dry-run=no.one&content=no.one&version=no.one"
"""Parameters of which every endpoint that takes parameters knows one, and none this value."""


@pytest.fixture(scope="module")
def world(network: Consortium, north: Starlette) -> World:
    """Anna and Bert, patients of north."""
    doctor = Api.of(network["north"], "dr.north", app=north)
    return seed(network, {"north": north}, doctor, "tried")


@pytest.fixture
def watched(network: Consortium) -> Watched:
    """North's trail from now on."""
    return Watched(network["north"].node)


BODIES: Mapping[str, tuple[str, bytes]] = {
    "patch": ("application/json-patch+json", b'[{"op":"remove","path":"/note"}]'),
    "$submit-legacy": ("application/hl7-v2+er7", b"MSH|^~\\&|A|B|||||ADT^A04|1|P|2.5\r"),
}


def ask(api: Api, endpoint: Endpoint, names: Mapping[str, str], query: str = "") -> httpx.Response:
    """One request to an endpoint, about what the names name."""
    parts = {
        "type": "Observation",
        "compartment": "Patient",
        "target": "Observation",
        "version": "1",
        "job": "A" * 43,
        "file": "0",
        "id": names["patient" if "Patient/" in endpoint.template else "observation"],
    }
    parts["id"] = names["patient"] if "{compartment}" in endpoint.template else parts["id"]
    address = endpoint.template.format(**parts)
    if endpoint.template == "{type}" and endpoint.method != "POST":
        query = f"_id={parts['id']}&{query}"
    kind, content = BODIES.get(endpoint.interaction, ("", b""))
    if endpoint.interaction in ("create", "update"):
        made = observation_of(names["patient"], code=names["code"], note=names["note"])
        made |= {"id": parts["id"]} if endpoint.interaction == "update" else {}
        kind, content = "application/fhir+json", json.dumps(made).encode()
    headers = (
        {"content-type": kind, "prefer": "respond-async"} if kind else {"prefer": "respond-async"}
    )
    return api.send(endpoint.method, f"{address}?{query}", content=content or None, headers=headers)


def name_of(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.template}"


@pytest.mark.parametrize("endpoint", ABOUT_PATIENTS, ids=name_of)
def test_a_refused_call_leaves_one_entry_on_every_endpoint(
    world: World, network: Consortium, endpoint: Endpoint
) -> None:
    node, api = network["north"].node, world.api("north", "dr.north", scope=NOTHING)
    refused = 0
    for query in ("", BAD):
        watched = Watched(node)
        answer = ask(api, endpoint, world.anna.names, query)
        if answer.status_code < 400:
            continue
        refused += 1
        kept = watched.refusal()
        check(kept, node, "dr.north", endpoint.interaction)
        for told in (*world.anna.texts(), *world.bert.texts(), "no.one"):
            assert told not in kept.text, told
    assert refused, "nothing that was tried was refused"


def check(kept: Kept, node: Node, user: str, interaction: str) -> None:
    """Who, what, when, how it ended and why, as a valid AuditEvent."""
    attempt, event = kept.attempt, json.loads(kept.text)
    person = node.desk.keystore.person(user)
    assert (attempt.account, attempt.role) == (person.account, person.role)
    assert attempt.asked.partition(" ")[0] == interaction
    assert words(attempt.reason) != attempt.reason
    assert event["outcome"] == "4"
    assert event["recorded"]
    assert [one for one in validate(event) if one.is_error] == []


@pytest.mark.parametrize(
    "endpoint", [one for one in routes.endpoints() if one.interaction in KNOWLEDGE], ids=name_of
)
def test_a_question_about_codes_is_about_no_patient(
    world: World, watched: Watched, endpoint: Endpoint
) -> None:
    answer = ask(world.api("north", "dr.north"), endpoint, world.anna.names, "system=%zz")
    assert answer.status_code >= 400
    assert watched.entries() == []


# Who is told what -----------------------------------------------------------------------------


def enrolment(patient: str) -> dict[str, Any]:
    """What a doctor may not write."""
    return {
        "resourceType": "ResearchSubject",
        "status": "candidate",
        "study": {"display": "x"},
        "individual": {"reference": f"Patient/{patient}"},
    }


def test_a_patient_sees_who_was_refused_and_why(world: World, watched: Watched) -> None:
    doctor = world.api("north", "dr.north")
    answer = doctor.send("POST", "ResearchSubject", enrolment(world.anna["patient"]))
    assert answer.status_code == 403
    kept = watched.refusal().attempt
    assert (kept.vault, kept.reason) == (world.anna.vault, "WRONG_ROLE")
    assert kept.asked == "create ResearchSubject"
    seen = world.api("north", world.anna.user).found("AuditEvent?outcome=4&action=C&_count=1")
    assert seen[0]["outcomeDesc"] == "WRONG_ROLE"
    assert seen[0]["agent"][0]["role"][0]["coding"][0]["code"] == "doctor"
    assert "create ResearchSubject" in json.dumps(seen[0]["entity"])
    assert world.api("north", world.bert.user).found("AuditEvent?outcome=4") == []


def test_the_record_is_named_where_the_caller_could_read_it(world: World, watched: Watched) -> None:
    api = world.api("north", "dr.north", scope="user/Observation.rs")
    assert api.send("DELETE", f"Observation/{world.anna['observation']}").status_code == 403
    kept = watched.refusal().attempt
    assert (kept.vault, kept.reason, kept.asked) == (
        world.anna.vault,
        "SCOPE",
        "delete Observation",
    )
    assert len(kept.records) == 1


BLIND = {
    "an administrator": (ADMINISTRATOR, ""),
    "another patient": ("bert", ""),
    "an app without the scope": ("dr.north", "user/Condition.rs"),
}
PATHS = (
    ("GET", "Observation/<observation>"),
    ("GET", "Observation/<observation>/_history/1"),
    ("PUT", "Observation/<observation>"),
    ("DELETE", "Observation/<observation>"),
    ("GET", "Patient/<patient>/$everything"),
    ("GET", "Patient/<patient>/Observation"),
)


@pytest.mark.parametrize(
    ("caller", "method", "path"),
    [
        (caller, method, path)
        for caller, (_, scope) in BLIND.items()
        for method, path in PATHS
        # What a doctor's app is not allowed of a patient it is told in other words.
        if not (scope and path.startswith("Patient/"))
    ],
)
def test_an_entry_does_not_tell_that_something_exists(
    world: World, network: Consortium, caller: str, method: str, path: str
) -> None:
    """What is there and may not be seen leaves the entry of what is not there."""
    user, scope = BLIND[caller]
    api = world.api("north", world.bert.user if user == "bert" else user, scope=scope)
    for none in ("Observation/none-9", "Patient/none-9/$everything"):
        api.get(none)  # what they have elsewhere is opened, which is on record
    left = []
    for names in (world.anna.names, world.nobody):
        watched = Watched(network["north"].node)
        address = path.replace("<observation>", names["observation"])
        address = address.replace("<patient>", names["patient"])
        body = (
            observation_of(names["patient"], id=names["observation"]) if method == "PUT" else None
        )
        assert api.send(method, address, body).status_code >= 400
        left.append(watched.refusal().attempt)
    assert left[0] == left[1]
    assert left[0].vault is None


def test_an_app_of_one_patient_is_on_that_patients_record(world: World, watched: Watched) -> None:
    api = world.api("north", "dr.north", scope="patient/Condition.rs", vault=world.bert.vault)
    assert api.get(f"Observation/{world.anna['observation']}").status_code == 403
    kept = watched.refusal().attempt
    assert (kept.vault, kept.records, kept.reason) == (world.bert.vault, (), "SCOPE")


# Forms, bundles, tokens -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "headers", "reason"),
    [
        (b"{", {}, "INVALID"),
        (b"{}", {}, "INVALID"),
        (b'{"resourceType":"Observation"}', {}, "INVALID"),
        (b"x", {"content-type": "application/pdf"}, "UNSUPPORTED"),
        (b"{}", {"accept": "image/png"}, "UNSUPPORTED"),
        (b'{"resourceType":"Patient"}', {"if-none-exist": "identifier=1&x"}, "INVALID"),
    ],
)
def test_what_cannot_be_read_was_tried_too(
    world: World, watched: Watched, content: bytes, headers: dict[str, str], reason: str
) -> None:
    api = world.api("north", "dr.north")
    headers = {"content-type": "application/fhir+json", **headers}
    answer = api.send("POST", "Observation", content=content, headers=headers)
    assert answer.status_code >= 400
    kept = watched.refusal().attempt
    assert (kept.asked, kept.reason) == ("create Observation", reason)


def test_a_refused_transaction_is_one_attempt(world: World, watched: Watched) -> None:
    entries = [
        {
            "resource": enrolment(world.anna["patient"]),
            "request": {"method": "POST", "url": "ResearchSubject"},
        }
    ] * 3
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    assert world.api("north", "dr.north").send("POST", "", bundle).status_code == 403
    kept = watched.refusal().attempt
    assert (kept.asked, kept.vault, kept.reason) == ("transaction", world.anna.vault, "WRONG_ROLE")


def test_each_refused_entry_of_a_batch_is_one(world: World, watched: Watched) -> None:
    entries = [
        {"request": {"method": "GET", "url": "Observation/none-1"}},
        {"request": {"method": "DELETE", "url": "Consent/none-2"}},
        {"request": {"method": "GET", "url": "Nowhere"}},
    ]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answer = world.api("north", "dr.north").send("POST", "", bundle)
    assert answer.status_code == 200
    kept = [one.attempt for one in watched.entries()]
    assert [(one.asked, one.reason) for one in kept] == [
        ("read Observation", "NOT_FOUND"),
        ("delete Consent", "WRONG_ROLE"),
    ]


def test_a_read_that_fails_in_a_transaction_is_one(world: World, watched: Watched) -> None:
    entries = [{"request": {"method": "GET", "url": "Observation/none-3"}}]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    assert world.api("north", "dr.north").send("POST", "", bundle).status_code == 404
    assert watched.refusal().attempt.asked == "read Observation"


def test_an_address_that_is_none_is_no_attempt(world: World, watched: Watched) -> None:
    api = world.api("north", "dr.north")
    assert api.get("nowhere/at/all").status_code == 404
    assert api.send("DELETE", "_history").status_code == 405
    assert watched.entries() == []


def test_equal_refusals_of_a_minute_are_counted(
    world: World, network: Consortium, watched: Watched, clock: Clock
) -> None:
    node, api = network["north"].node, world.api("north", "dr.north")
    for _ in range(20):
        assert api.get("Observation/none-4").status_code == 404
    assert watched.refusal().attempt.count == 1
    clock.ahead_seconds += 120
    node.desk.trail.close_folds(node.database)
    assert [one.attempt.count for one in watched.entries()] == [1, 19]


def test_a_revoked_token_is_on_record_and_a_strangers_is_not(
    world: World, network: Consortium, watched: Watched, clock: Clock
) -> None:
    node, api = network["north"].node, world.api("north", "dr.north")
    for token in ("", "a.b.c", api.token[:-8] + "AAAAAAAA"):
        answer = Api(api.one, "", api.app, token).get("Observation/none-5")
        assert answer.status_code == 401
    assert watched.entries() == []
    tokens.revoke(node.issuer, tokens.session_of(api.token))
    assert api.get("Observation/none-5").status_code == 401
    kept = watched.refusal()
    check(kept, node, "dr.north", "read")
    assert kept.attempt.reason == "UNAUTHENTICATED"
    clock.ahead_seconds += 400  # its time is over: the bearer proves nothing any more
    assert api.get("Condition/none-6").status_code == 401
    assert len(watched.entries()) == 1


def test_a_purpose_that_the_role_may_not_ask_for_is_on_record(
    world: World, network: Consortium, watched: Watched
) -> None:
    api = world.api("north", "dr.north")
    assert api.get("Observation/none-7", **{"x-purpose-of-use": "HRESCH"}).status_code == 403
    kept = watched.refusal()
    check(kept, network["north"].node, "dr.north", "read")
    assert (kept.attempt.reason, kept.attempt.purpose) == ("PURPOSE", None)


# When the trail can't be written --------------------------------------------------------------


def test_without_a_trail_nothing_is_shown_and_refusals_stay_what_they_are(
    world: World, network: Consortium, watched: Watched
) -> None:
    node, api = network["north"].node, world.api("north", "dr.north")
    lost, path = node.desk.trail.lost, f"Observation/{world.anna['observation']}"
    with mock.patch.object(Journal, "write", side_effect=Unavailable("The database is away.")):
        shown = api.get(path)
        assert shown.status_code == 503
        assert world.anna["note"] not in shown.text
        assert api.get("Observation/none-8").status_code == 404
    assert node.desk.trail.lost == lost + 2
    assert watched.entries() == []
    assert api.get(path).status_code == 200
