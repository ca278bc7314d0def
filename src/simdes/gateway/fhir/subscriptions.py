"""``$status``, ``$events`` and ``$get-ws-binding-token`` of Subscriptions over HTTP.

https://hl7.org/fhir/uv/subscriptions-backport/operations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from simdes.errors import Invalid
from simdes.exchange.provenance import instant
from simdes.exchange.subscriptions import asking
from simdes.gateway.fhir.call import Call, Reply

PATH: Final = "/ws"
"""Below the base: where websockets are opened."""


def status(call: Call) -> Reply:
    """``$status`` of one of the caller's subscriptions, or of several."""
    if call.id:  # its parameters are for the type alone
        found = [asking.status_of(call.node, call.asking, call.id)]
    else:
        states = _given(call, "status")
        found = asking.statuses(call.node, call.asking, _given(call, "id"), states=states)
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(found),
    }
    if found:
        bundle["entry"] = [
            {
                "fullUrl": f"urn:uuid:{one['id']}",
                "resource": one,
                "search": {"mode": "match"},
            }
            for one in found
        ]
    return Reply(resource=bundle)


def events(call: Call) -> Reply:
    """``$events``: what a subscription was told of, as far as the caller may see it now."""
    until = _number(call, "eventsUntilNumber")
    return Reply(
        content=asking.events(
            call.node,
            call.asking,
            call.id,
            since=_number(call, "eventsSinceNumber") or 1,
            until=until,
            content=next(iter(_given(call, "content")), ""),
        )
    )


def binding_token(call: Call) -> Reply:
    """``$get-ws-binding-token``: what to say to the websocket, and where it is."""
    ids = (call.id,) if call.id else _given(call, "id")
    bound = asking.bind(call.node, call.asking, ids)
    return Reply(
        resource={
            "resourceType": "Parameters",
            "parameter": [
                {"name": "token", "valueString": bound.token},
                {"name": "expiration", "valueDateTime": instant(bound.expires_ms)},
                *({"name": "subscription", "valueString": one} for one in bound.names),
                {"name": "websocket-url", "valueUrl": socket_of(call.base)},
            ],
        }
    )


def socket_of(base: str) -> str:
    """Where websockets are opened, of a FHIR base URL."""
    return base.replace("http", "ws", 1) + PATH


def _given(call: Call, name: str) -> tuple[str, ...]:
    """A parameter's values, from the address or from a Parameters resource."""
    found = list(call.values(name))
    if isinstance(call.resource, Mapping):
        listed = call.resource.get("parameter", ())
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, Mapping) and one.get("name") == name:
                found += [str(value) for key, value in one.items() if key.startswith("value")]
    return tuple(found)


def _number(call: Call, name: str) -> int | None:
    given = _given(call, name)
    if not given:
        return None
    if len(given) > 1 or not given[0].isdecimal() or len(given[0]) > 18:
        raise Invalid(f"The parameter {name} is a number.")
    return int(given[0])
