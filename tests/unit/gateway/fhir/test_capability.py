"""The CapabilityStatement (https://hl7.org/fhir/R4/capabilitystatement.html), by its own words.

What it claims is asked for, one request for each claim of the pairs that are tried; what the table
of endpoints has is claimed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from starlette.applications import Starlette

from simdes.exchange.interactions.offered import deleted_types, written_types
from simdes.exchange.subscriptions.wanted import BACKPORT, wanted
from simdes.fhir.definitions import resource_types
from simdes.fhir.validate import validate
from simdes.fhir.xml import loads_xml
from simdes.gateway.fhir.capability import (
    definition_of,
    interactions_of,
    operations,
    place_of,
    statement,
)
from simdes.gateway.fhir.routes import endpoints
from simdes.index.vaults import Identifier, find
from support.consortium import ADMINISTRATOR, Consortium
from support.fhir_api import JSON, Api, Json, request

CLAIMED = statement("https://north.example", "North", date="2026-01-01")
[REST] = CLAIMED["rest"]
TYPES: list[Json] = REST["resource"]
ALL = os.environ.get("SIMDES_ACCEPT") == "1"
NO_ID = "no-such-id"
GUIDE = "http://hl7.org/fhir/uv/subscriptions-backport/"


@pytest.fixture(scope="module")
def callers(network: Consortium, north: Starlette, doctor: Api) -> list[Api]:
    """A service and people whose roles write everything that is written at all."""
    one, system = network["north"], "urn:oid:2.16.840.1.113883.4.1"
    who = {"resourceType": "Patient", "identifier": [{"system": system, "value": "capability"}]}
    doctor.create(who)
    with one.node.database.read() as tx:
        vault = find(tx, Identifier(system, "capability"))
    assert vault is not None
    network.settle("north")
    network.enrol(vault, "p.capability")
    patient = Api.of(one, "p.capability", app=north)
    return [Api.of_agent(one, north), doctor, patient, Api.of(one, ADMINISTRATOR, app=north)]


def test_it_is_valid_r4() -> None:
    assert [one for one in validate(CLAIMED) if one.is_error] == []


def test_the_topics_that_can_be_subscribed_to_are_listed_where_the_backport_has_them() -> None:
    """https://hl7.org/fhir/uv/subscriptions-backport/conformance.html"""
    (one,) = [one for one in TYPES if one["type"] == "Subscription"]
    listed = [
        each["valueCanonical"]
        for each in one["extension"]
        if each["url"] == f"{BACKPORT}capabilitystatement-subscriptiontopic-canonical"
    ]
    base = "https://north.example/fhir"
    assert len(listed) == len(set(listed)) == 4 * len(resource_types())
    channel = {"type": "websocket", "payload": "application/fhir+json"}
    for topic in listed:
        assert wanted({"criteria": topic, "channel": channel}, base=base, now_ms=0).topic == topic
    assert one["supportedProfile"] == [f"{BACKPORT}backport-subscription"]
    assert {each["name"] for each in one["operation"]} >= {"status", "events"}
    assert f"{GUIDE}CapabilityStatement/backport-subscription-server-r4" in CLAIMED["instantiates"]
    (socket,) = REST["extension"]
    assert socket["valueUri"] == "wss://north.example/fhir/ws"


def test_it_is_read_without_a_token_in_both_forms(north: Starlette) -> None:
    answer = request(north, "GET", "/fhir/metadata")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(JSON)
    assert answer.json()["kind"] == "instance"
    xml = request(north, "GET", "/fhir/metadata", headers={"accept": "application/fhir+xml"})
    assert xml.headers["content-type"].startswith("application/fhir+xml")
    assert loads_xml(xml.content) == answer.json()
    assert request(north, "HEAD", "/fhir/metadata").content == b""


def test_its_addresses_are_the_servers_own(network: Consortium, north: Starlette) -> None:
    headers = {"host": "evil.example"}
    told = request(north, "GET", "/fhir/metadata", headers=headers).text
    assert network["north"].node.issuer.name in told
    assert "evil.example" not in told


def test_who_has_it_is_told_so(north: Starlette) -> None:
    first = request(north, "GET", "/fhir/metadata")
    headers = {"if-none-match": first.headers["etag"]}
    again = request(north, "GET", "/fhir/metadata", headers=headers)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_a_part_of_it_can_be_asked_for(north: Starlette) -> None:
    told = request(north, "GET", "/fhir/metadata?_elements=fhirVersion").json()
    assert told["fhirVersion"] == "4.0.1"
    assert told["meta"]["tag"][0]["code"] == "SUBSETTED"
    assert "software" not in told


def test_every_type_is_in_it_with_all_that_is_offered_for_it() -> None:
    assert {one["type"] for one in TYPES} == resource_types()
    for one in TYPES:
        assert [row["code"] for row in one["interaction"]] == interactions_of(one["type"])


def test_what_no_role_may_write_is_not_offered_for_writing() -> None:
    for one in TYPES:
        codes = {row["code"] for row in one["interaction"]}
        is_written = one["type"] in written_types()
        assert ({"create", "update", "patch"} <= codes) == is_written
        assert ("delete" in codes) == (one["type"] in deleted_types())
        assert one["conditionalCreate"] == is_written
    assert "AuditEvent" not in written_types()


def test_every_endpoint_is_in_it() -> None:
    claimed = {row["code"] for one in TYPES for row in one["interaction"]}
    claimed |= {row["code"] for row in REST["interaction"]}
    named = {row["definition"] for row in REST.get("operation", ())}
    named |= {row["definition"] for one in TYPES for row in one.get("operation", ())}
    for one in endpoints():
        # A job is no interaction: its address is in the answer of the operation that began it.
        if not one.interaction.startswith(("$", "job-")):
            assert one.interaction in claimed, one
    assert named == {definition_of(one) for one in operations()}


def test_operations_stand_with_their_type() -> None:
    for one in operations():
        place = place_of(one)
        rows = [row for kind in TYPES if kind["type"] == place for row in kind["operation"]]
        if place == "{type}":
            rows = TYPES[0]["operation"]
        if place == "":
            rows = REST["operation"]
        assert one.interaction.removeprefix("$") in {row["name"] for row in rows}


# Tried ----------------------------------------------------------------------------------------


def claims() -> Iterator[tuple[str, str]]:
    """Pairs of type and interaction: each type with three, so that each meets every interaction."""
    for at, one in enumerate(TYPES):
        codes = [row["code"] for row in one["interaction"]]
        chosen = codes if ALL else [codes[(at + step) % len(codes)] for step in (0, 3, 5)]
        yield from ((one["type"], code) for code in dict.fromkeys(chosen))


REQUESTS = {
    "read": ("GET", "{type}/" + NO_ID),
    "vread": ("GET", "{type}/" + NO_ID + "/_history/1"),
    "history-instance": ("GET", "{type}/" + NO_ID + "/_history"),
    "history-type": ("GET", "{type}/_history"),
    "search-type": ("GET", "{type}?_id=" + NO_ID),
    "create": ("POST", "{type}"),
    "update": ("PUT", "{type}/new"),
    "patch": ("PATCH", "{type}/" + NO_ID),
    "delete": ("DELETE", "{type}/" + NO_ID),
}
ANSWERED = {
    **{key: {404} for key in ("read", "vread", "history-instance", "patch")},
    **{key: {200} for key in ("history-type", "search-type")},
    **{key: {200, 201, 400, 422} for key in ("create", "update")},
    "delete": {204},
}
# Who ends a consent and got its id wrong has to know that nothing ended.
ANSWERED_OF = {("Consent", "delete"): {404}}


def test_each_interaction_is_there_as_claimed(callers: list[Api]) -> None:
    for type_, code in claims():
        method, path = REQUESTS[code]
        body: object = {"resourceType": type_, **({"id": "new"} if code == "update" else {})}
        media = JSON
        if code == "patch":
            body, media = [], "application/json-patch+json"
        sent = body if code in ("create", "update", "patch") else None
        for caller in callers:
            answer = caller.send(
                method,
                path.format(type=type_),
                sent,  # type: ignore[arg-type]
                headers={"content-type": media} if sent is not None else {},
            )
            if answer.status_code != 403:
                break
        expected = ANSWERED_OF.get((type_, code), ANSWERED[code])
        assert answer.status_code in expected, (type_, code, answer.text)


_VALUES = {
    "date": "2020",
    "number": "1",
    "quantity": "1",
    "reference": "Patient/x",
    "string": "x",
    "token": "true",
    "uri": "urn:x",
    "special": "x",
}
_ODD_VALUES = {"near": "1|1|1|km", "_has": "", "_type": "Patient", "_lastUpdated": "2020"}


def searches(one: Json) -> Iterator[str]:
    """Searches by the parameters and includes that a type claims, several at once."""
    rows = [row for row in one["searchParam"] if row["type"] != "composite"]
    pairs = [
        (row["name"], _ODD_VALUES.get(row["name"], _VALUES[row["type"]]))
        for row in rows
        if row["name"] != "_has"
    ]
    pairs += [("_include", name) for name in one.get("searchInclude", ())[:5]]
    pairs += [("_revinclude", name) for name in one.get("searchRevInclude", ())[:3]]
    for start in range(0, len(pairs), 20):
        chosen = pairs[start : start + 20]
        yield "&".join(f"{name}={quote(value)}" for name, value in chosen)


def test_search_parameters_and_includes_are_known_as_claimed(doctor: Api) -> None:
    for one in TYPES if ALL else TYPES[::6]:
        for query in searches(one):
            answer = doctor.get(f"{one['type']}?{query}")
            assert answer.status_code == 200, (one["type"], query, answer.text)


def test_a_parameter_that_is_not_claimed_is_refused(doctor: Api) -> None:
    assert doctor.get("Patient?favourite-colour=blue").status_code == 400


def test_the_forms_claimed_are_answered(doctor: Api) -> None:
    for form in CLAIMED["format"]:
        answer = doctor.get(f"Patient?_id={NO_ID}&_format={quote(form)}")
        assert answer.status_code == 200
        assert form.rpartition("+")[2] in answer.headers["content-type"]


def test_the_systems_own_interactions_are_there(callers: list[Api]) -> None:
    agent = callers[0]
    assert agent.get(f"?_type=Patient&_id={NO_ID}").status_code == 200
    assert agent.get("_history?_count=1").status_code == 200
    for kind in ("batch", "transaction"):
        bundle = {"resourceType": "Bundle", "type": kind}
        assert agent.send("POST", "", bundle).status_code == 200
