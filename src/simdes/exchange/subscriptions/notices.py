"""Notifications and statuses in R4's form of the backport.

https://hl7.org/fhir/uv/subscriptions-backport/notifications.html: a Bundle of type ``history``
whose first entry is a Parameters resource with what R5 calls SubscriptionStatus.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simdes.exchange.interactions.found import Found
from simdes.exchange.node import Node
from simdes.exchange.provenance import instant
from simdes.exchange.subscriptions.wanted import BACKPORT, Wanted
from simdes.index.subscriptions import Event, Subscription

NOTIFICATION: Final = f"{BACKPORT}backport-subscription-notification-r4"
STATUS: Final = f"{BACKPORT}backport-subscription-status-r4"
HANDSHAKE, HEARTBEAT, EVENTS = "handshake", "heartbeat", "event-notification"
QUERY_STATUS, QUERY_EVENT = "query-status", "query-event"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """An event and its resource, as its subscriber may see them now."""

    event: Event
    found: Found


def status(
    node: Node,
    one: Subscription,
    wanted: Wanted | None,
    kind: str,
    *,
    told: Sequence[Told] = (),
    content: str = "empty",
) -> Json:
    """What R5 calls SubscriptionStatus. ``wanted`` None: the subscription can't be read."""
    base = node.issuer.audience
    parts: list[Json] = [
        {
            "name": "subscription",
            "valueReference": {"reference": f"{base}/Subscription/{one.id}"},
        }
    ]
    if wanted is not None and wanted.topic and (kind != EVENTS or content != "empty"):
        parts.append({"name": "topic", "valueCanonical": wanted.topic})
    parts += [
        {"name": "status", "valueCode": one.status},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(one.events)},
    ]
    parts += [_event(base, each, content) for each in told]
    if one.reason:
        parts.append({"name": "error", "valueCodeableConcept": {"text": one.reason}})
    return {
        "resourceType": "Parameters",
        "id": node.new_id(),
        "meta": {"profile": [STATUS]},
        "parameter": parts,
    }


def _event(base: str, told: Told, content: str) -> Json:
    part: list[Json] = [
        {"name": "event-number", "valueString": str(told.event.number)},
        {"name": "timestamp", "valueInstant": instant(told.event.at_ms)},
    ]
    if content != "empty":
        reference = {"reference": f"{base}/{told.found.name}"}
        part.append({"name": "focus", "valueReference": reference})
    return {"name": "notification-event", "part": part}


def notification(
    node: Node,
    one: Subscription,
    wanted: Wanted,
    kind: str,
    *,
    told: Sequence[Told] = (),
    content: str = "",
) -> bytes:
    """A notification Bundle as JSON; ``content`` "": as the subscription asks for."""
    base, content = node.issuer.audience, content or wanted.content
    state = status(node, one, wanted, kind, told=told, content=content)
    first = {
        "fullUrl": f"urn:uuid:{state['id']}",
        "resource": state,
        "request": {"method": "GET", "url": f"{base}/Subscription/{one.id}/$status"},
        "response": {"status": "200"},
    }
    head = {
        "resourceType": "Bundle",
        "id": node.new_id(),
        "meta": {"profile": [NOTIFICATION]},
        "type": "history",
        "timestamp": instant(node.now_ms()),
    }
    entries = [json.dumps(first).encode()]
    if content != "empty":
        entries += _entries(base, told, whole=content == "full-resource")
    return json.dumps(head).encode()[:-1] + b',"entry":[' + b",".join(entries) + b"]}"


def _entries(base: str, told: Sequence[Told], *, whole: bool) -> Iterator[bytes]:
    for one in told:
        found = one.found
        created = found.method == "POST"
        entry: Mapping[str, Any] = {
            "fullUrl": f"{base}/{found.name}",
            "request": {
                "method": found.method or "PUT",
                "url": found.type if created else found.name,
            },
            "response": {
                "status": "204" if found.deleted else "201" if created else "200",
                "etag": f'W/"{found.version}"',
                "lastModified": instant(found.updated_ms),
            },
        }
        text = json.dumps(entry).encode()
        if whole and found.content:
            text = text[:-1] + b',"resource":' + found.content + b"}"
        yield text
