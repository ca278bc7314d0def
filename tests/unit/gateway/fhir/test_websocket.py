"""Subscriptions over websockets: a real client against the gateway as it is served."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from simdes.access import tokens
from simdes.exchange.node import Node
from simdes.exchange.subscriptions import telling
from simdes.gateway.app import create_gateway
from simdes.gateway.limits import GatewayLimits
from support.consortium import Consortium
from support.fhir_api import Api, Json
from support.gateways import free_ports, wait_for_port
from support.receivers import status_of

LIMITS = GatewayLimits(websockets=3, body_seconds=2.0)


@pytest.fixture(scope="module")
def node(network: Consortium) -> Node:
    """Hospital north."""
    return network["north"].node


@pytest.fixture(scope="module")
def address(network: Consortium) -> Iterator[str]:
    """Where north's gateway is served, its worker beside it."""
    one = network["north"]
    [port] = free_ports(1)
    with _served(create_gateway(one.custody, LIMITS, node=one.node), port):
        stop = threading.Event()
        worker = threading.Thread(
            target=telling.run, args=(one.node, stop), kwargs={"name": "websockets"}
        )
        worker.start()
        yield f"ws://127.0.0.1:{port}/fhir/ws"
        stop.set()
        worker.join()


@contextmanager
def _served(application: Starlette, port: int) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    server = Server(
        application,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=True,
        log_enabled=False,
    )
    thread = threading.Thread(target=lambda: loop.run_until_complete(server.serve()), daemon=True)
    thread.start()
    wait_for_port(port)
    yield
    loop.call_soon_threadsafe(server.stop)
    thread.join(60)


@pytest.fixture
def subscribed(doctor: Api, patient: Json) -> Iterator[Json]:
    """A subscription to the observations of a patient over a websocket, with whole resources."""
    made = doctor.create(
        {
            "resourceType": "Subscription",
            "status": "requested",
            "reason": "to know",
            "criteria": f"Observation?patient=Patient/{patient['id']}",
            "channel": {"type": "websocket", "payload": "application/fhir+json"},
        }
    )
    yield made
    doctor.send("DELETE", f"Subscription/{made['id']}")


def bound(api: Api, made: Json) -> Json:
    """The answer of ``$get-ws-binding-token``, by name."""
    answer = api.send("POST", f"Subscription/{made['id']}/$get-ws-binding-token")
    assert answer.status_code == 200, answer.text
    return {
        one["name"]: next(value for name, value in one.items() if name.startswith("value"))
        for one in answer.json()["parameter"]
    }


def heard(client: ClientConnection) -> tuple[dict[str, Any], list[Json]]:
    """The next notification: its status, and the resources that came with it."""
    bundle = json.loads(client.recv(timeout=60))
    resources = [one["resource"] for one in bundle["entry"][1:]]
    return status_of(bundle["entry"][0]["resource"]), resources


def test_a_bound_client_hears_what_happens_until_its_session_is_revoked(
    address: str,
    node: Node,
    network: Consortium,
    north: Starlette,
    doctor: Api,
    subscribed: Json,
    pulse: Callable[..., Json],
) -> None:
    api = Api.of(network["north"], "dr.north", app=north)
    given = bound(api, subscribed)
    assert given["subscription"] == subscribed["id"]
    assert given["websocket-url"].endswith("/fhir/ws")
    with connect(address) as client:
        client.send(f"bind-with-token {given['token']}")
        status, _ = heard(client)
        assert status["type"] == "handshake"
        client.send("ping")
        assert client.recv(timeout=60) == "pong"
        made = doctor.create(pulse(61))
        status, [resource] = heard(client)
        assert (status["type"], resource["id"]) == ("event-notification", made["id"])
        [event] = status["notification-event"]
        assert event["event-number"] == "1"
        tokens.revoke(node.issuer, tokens.session_of(api.token))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=60)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("bind-with-token nonsense", 1008),
        ("hello", 1008),
        (b"\x00", 1008),
        ("x" * 5000, 1009),
        (None, 1008),
    ],
    ids=["a wrong token", "no command", "bytes", "too much", "nothing in time"],
)
def test_whoever_says_nothing_valid_is_closed(
    address: str, said: str | bytes | None, code: int
) -> None:
    with connect(address) as client:
        if said is not None:
            client.send(said)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=60)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == code


def test_more_connections_than_there_may_be_are_refused(address: str) -> None:
    with ExitStack() as held:
        for _ in range(LIMITS.websockets):
            held.enter_context(connect(address))
        with pytest.raises((InvalidStatus, ConnectionClosed)), connect(address) as client:
            client.recv(timeout=60)


def test_a_token_is_for_its_owners_subscriptions_alone(
    network: Consortium, north: Starlette, subscribed: Json
) -> None:
    other = Api.of(network["north"], "admin", app=north)
    path = f"Subscription/{subscribed['id']}/$get-ws-binding-token"
    assert other.send("POST", path).status_code == 404
    answer = other.send("POST", "Subscription/$get-ws-binding-token").json()
    assert not [one for one in answer["parameter"] if one["name"] == "subscription"]
