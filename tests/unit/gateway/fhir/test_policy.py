"""The policy over HTTP: every endpoint, asked by everybody who may and may not, in a few states.

A covering array: each endpoint with each caller once; the decision alone is carried out whole in
tests/unit/access/test_policy_matrix.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest
from starlette.applications import Starlette

from simdes.access.consent import Grantee
from simdes.app import ADMINISTRATOR
from simdes.exchange import consents
from simdes.gateway.fhir import routes
from support.consortium import Consortium
from support.fhir_api import Api, application
from support.policy import ENDPOINTS, Probe
from support.two_patients import World, observation_of, seed


@pytest.fixture(scope="module")
def world(network: Consortium, north: Starlette) -> World:
    """Anna lets the doctors of south read observations and who she is, for treatment."""
    apps = {"north": north, "south": application(network["south"])}
    made = seed(network, apps, Api.of(network["north"], "dr.north", app=north), "three")
    south = network["south"].node
    consents.grant(
        network["north"].node,
        network.session("north", made.anna.user),
        vault=made.anna.vault,
        grantee=Grantee.role_in(south.organisation, "doctor"),
        categories=["observations", "demographics"],
        purposes=["TREAT"],
        valid_seconds=3600,
    )
    return made


def _other_purpose(world: World) -> Api:
    api = world.api("south", "dr.lee")
    api.headers["x-purpose-of-use"] = "HOPERAT"
    return api


SEES: dict[str, Callable[[World], Api]] = {
    "who wrote it": lambda world: world.api("north", "dr.north"),
    "the patient": lambda world: world.api("north", world.anna.user),
    "granted": lambda world: world.api("south", "dr.lee"),
    "app of the patient": lambda world: world.api(
        "north", "dr.north", scope="patient/*.rs", vault=world.anna.vault
    ),
}
BLIND: dict[str, Callable[[World], Api]] = {
    "another role": lambda world: world.api("south", "nurse.kim"),
    "wrong purpose": _other_purpose,
    "a researcher": lambda world: world.api("south", "prof.ray"),
    "an administrator": lambda world: world.api("north", ADMINISTRATOR),
    "another patient": lambda world: world.api("north", world.bert.user),
    "app of another patient": lambda world: world.api(
        "north", "dr.north", scope="patient/*.cruds", vault=world.bert.vault
    ),
    "app for another type": lambda world: world.api(
        "north", "dr.north", scope="user/Condition.cruds"
    ),
    "app for another category": lambda world: world.api(
        "north", "dr.north", scope="user/Observation.cruds?category=vital-signs"
    ),
}


def test_every_endpoint_has_a_row() -> None:
    assert set(ENDPOINTS) == {f"{one.method} {one.template}" for one in routes.endpoints()}


def ask(world: World, api: Api, method: str, probe: Probe) -> httpx.Response:
    """Ask an endpoint about Anna's Observation."""
    anna = world.anna
    address = probe.address.replace("<id>", anna["observation"])
    address = address.replace("<patient>", anna["patient"])
    if probe.body == "patch":
        kind = {"content-type": "application/json-patch+json"}
        patch = [{"op": "replace", "path": "/status", "value": "amended"}]
        return api.send(method, address, content=json.dumps(patch).encode(), headers=kind)
    bodies = {
        "observation": observation_of(anna["patient"], id=anna["observation"], code="changed"),
        "parameters": {"resourceType": "Parameters"},
        "meta": {
            "resourceType": "Parameters",
            "parameter": [{"name": "meta", "valueMeta": {"tag": [{"code": "probed"}]}}],
        },
    }
    return api.send(method, address, bodies.get(probe.body))


def shown(answer: httpx.Response, logical_id: str) -> bool:
    """Whether an answer holds a resource with this id."""
    if answer.status_code != 200 or not answer.content:
        return False
    body = answer.json()
    listed = [body, *(one.get("resource", {}) for one in body.get("entry", ()))]
    return any(one.get("id") == logical_id for one in listed)


@pytest.mark.parametrize("caller", SEES)
def test_who_may_see_is_shown_it_on_every_endpoint(world: World, caller: str) -> None:
    api = SEES[caller](world)
    for name, probe in ENDPOINTS.items():
        if probe is not None and probe.shows:
            answer = ask(world, api, name.partition(" ")[0], probe)
            assert shown(answer, world.anna["observation"]), (name, answer.text)


@pytest.mark.parametrize("caller", BLIND)
def test_who_may_not_see_is_shown_nothing_and_changes_nothing(world: World, caller: str) -> None:
    api, anna = BLIND[caller](world), world.anna
    for name, probe in ENDPOINTS.items():
        if probe is None:
            continue
        method = name.partition(" ")[0]
        answer = ask(world, api, method, probe)
        assert answer.status_code < 500, (name, answer.text)
        assert method == "PUT" or not shown(answer, anna["observation"]), (name, answer.text)
        assert method != "PUT" or answer.status_code >= 400, (name, answer.text)
        assert anna["note"] not in answer.text, name
    present = world.api("north", "dr.north").get(f"Observation/{anna['observation']}")
    assert present.json()["meta"]["versionId"] == "1"
