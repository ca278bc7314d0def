"""Subscriptions over the API, told to real receivers, under their owner's present rights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simdes.exchange.node import Node
from simdes.exchange.subscriptions import telling
from simdes.hook_http import HttpHooks
from support.consortium import Consortium
from support.fhir_api import Api, Json
from support.receivers import Receiver, receiving

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody's endpoint on this machine."""
    with receiving() as found:
        yield found


@pytest.fixture
def node(network: Consortium, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """Hospital north, which lets notifications go to this machine."""
    hooks = HttpHooks("127.0.0.1")
    found = network["north"].node
    object.__setattr__(found, "hooks", hooks)
    yield found
    hooks.close()


def work(node: Node) -> None:
    """Let the worker do everything that is due."""
    for _ in range(50):
        if not telling.work(node, name="test"):
            return
    raise AssertionError("there is always more to do")


def subscription(receiver: Receiver, criteria: str, **others: Any) -> Json:
    """A Subscription of R4's own kind, with whole resources."""
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "to know",
        "criteria": criteria,
        "channel": {
            "type": "rest-hook",
            "endpoint": receiver.url,
            "payload": "application/fhir+json",
            "header": ["Authorization: Bearer secret"],
        },
    } | others


def topical(
    node: Node,
    receiver: Receiver,
    topic: str,
    *filters: str,
    content: str = "id-only",
    **channel: Any,
) -> Json:
    """A Subscription of the backport's kind."""
    made = subscription(receiver, f"{node.issuer.audience}/SubscriptionTopic/{topic}")
    made["meta"] = {"profile": [f"{BACKPORT}backport-subscription"]}
    made["_criteria"] = {
        "extension": [
            {"url": f"{BACKPORT}backport-filter-criteria", "valueString": one} for one in filters
        ]
    }
    if not filters:
        del made["_criteria"]
    made["channel"] |= {
        "_payload": {
            "extension": [{"url": f"{BACKPORT}backport-payload-content", "valueCode": content}]
        },
        **channel,
    }
    return made


def test_what_meets_the_criteria_is_told_with_its_version_and_number(
    node: Node, doctor: Api, receiver: Receiver, patient: Json, pulse: Callable[..., Json]
) -> None:
    criteria = f"Observation?patient=Patient/{patient['id']}&code=8867-4"
    made = doctor.create(subscription(receiver, criteria))
    assert made["status"] == "requested"
    work(node)
    assert [one.kind for one in receiver.got] == ["handshake"]
    assert receiver.got[0].headers["authorization"] == "Bearer secret"
    assert doctor.get(f"Subscription/{made['id']}").json()["status"] == "active"
    first = doctor.create(pulse(61))
    doctor.send("PUT", f"Observation/{first['id']}", pulse(62, id=first["id"]))
    doctor.create(pulse(63, code={"coding": [{"system": "http://loinc.org", "code": "1-8"}]}))
    work(node)
    told = [one for got in receiver.events for one in got.resources]
    assert [one["valueQuantity"]["value"] for one in told] == [61, 62]
    assert [one["meta"]["versionId"] for one in told] == ["1", "2"]
    assert receiver.numbers == [1, 2]
    bundle = receiver.events[0].bundle
    assert bundle["type"] == "history"
    assert bundle["entry"][0]["resource"]["meta"]["profile"] == [
        f"{BACKPORT}backport-subscription-status-r4"
    ]
    assert bundle["entry"][1]["request"]["method"] == "POST"
