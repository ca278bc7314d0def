"""What a Subscription asks for: of R4's own kind or the backport's; or why it can't be had here.

R4's own (https://hl7.org/fhir/R4/subscription.html): ``criteria`` is a search, and what is created
or updated and meets it is told. The backport's (https://hl7.org/fhir/uv/subscriptions-backport/):
``criteria`` is the canonical URL of a topic of this server, and extensions narrow it by searches.
The topics are ``[base]/SubscriptionTopic/<type>-<created|updated|deleted|changed>``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from simdes.errors import Invalid
from simdes.fhir.definitions import resource_types
from simdes.fhir.form import Form
from simdes.fhir.negotiation import query_pairs
from simdes.fhir.search.conditions import ALWAYS, All, Condition
from simdes.fhir.search.parse import parse

BACKPORT: Final = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
FILTER: Final = f"{BACKPORT}backport-filter-criteria"
CONTENT: Final = f"{BACKPORT}backport-payload-content"
HEARTBEAT: Final = f"{BACKPORT}backport-heartbeat-period"
TIMEOUT: Final = f"{BACKPORT}backport-timeout"
MAX_COUNT: Final = f"{BACKPORT}backport-max-count"

CREATED, UPDATED, DELETED = "created", "updated", "deleted"
EVENTS: Final[Mapping[str, frozenset[str]]] = {
    CREATED: frozenset((CREATED,)),
    UPDATED: frozenset((UPDATED,)),
    DELETED: frozenset((DELETED,)),
    "changed": frozenset((CREATED, UPDATED, DELETED)),
}
CONTENTS: Final = ("empty", "id-only", "full-resource")
CHANNELS: Final = ("rest-hook", "websocket")

LEAST_HEARTBEAT_SECONDS: Final = 10
DEFAULT_TIMEOUT_SECONDS: Final = 10
LONGEST_TIMEOUT_SECONDS: Final = 30
DEFAULT_AT_ONCE: Final = 20
MOST_AT_ONCE: Final = 100
MOST_HEADERS: Final = 20
MOST_HEADER_BYTES: Final = 4096
MOST_URL: Final = 2048
MOST_FILTERS: Final = 10

_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}):[ \t]*([\x20-\x7e]*)")
_NOT_THEIRS: Final = frozenset(
    (
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_RESULTS: Final = ("_count", "_elements", "_include", "_revinclude", "_sort", "_summary", "_total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be told, and how.

    ``topic`` "": R4's own kind. ``form`` None: nothing but that something happened (no body).
    ``most`` notifications' events at once; ``heartbeat_seconds`` 0: none.
    """

    type: str
    events: frozenset[str]
    where: Condition
    topic: str
    channel: str
    endpoint: str
    headers: tuple[tuple[str, str], ...]
    form: Form | None
    content: str
    heartbeat_seconds: int
    timeout_seconds: int
    most: int
    end_ms: int | None


def topic_of(base: str, type_: str, event: str) -> str:
    """The canonical URL of a topic of this server."""
    return f"{base}/SubscriptionTopic/{type_}-{event}"


def wanted(resource: Mapping[str, Any], *, base: str, now_ms: int) -> Wanted:
    """What a valid Subscription asks for; ``base`` is this server's, without a slash at its end.

    Raises Invalid, naming the element.
    """
    type_, events, where, topic = _criteria(resource, base, now_ms)
    channel = _mapping(resource.get("channel"))
    kind = str(channel.get("type", ""))
    if kind not in CHANNELS or _extensions(channel.get("_type")):
        raise Invalid(
            "Subscription.channel.type is not known here.", advice="Use rest-hook or websocket."
        )
    form, content = _payload(channel, topic)
    if kind == "websocket" and form is None:
        form = Form.JSON
    return Wanted(
        type=type_,
        events=events,
        where=where,
        topic=topic,
        channel=kind,
        endpoint=_endpoint(channel, kind),
        headers=tuple(_headers(channel.get("header"))),
        form=form,
        content=content,
        heartbeat_seconds=_number(channel, HEARTBEAT, least=LEAST_HEARTBEAT_SECONDS, most=86_400),
        timeout_seconds=_number(channel, TIMEOUT, least=1, most=LONGEST_TIMEOUT_SECONDS)
        or DEFAULT_TIMEOUT_SECONDS,
        most=_number(channel, MAX_COUNT, least=1, most=MOST_AT_ONCE) or DEFAULT_AT_ONCE,
        end_ms=_end(resource.get("end")),
    )


# Criteria -----------------------------------------------------------------------------------------


def _criteria(
    resource: Mapping[str, Any], base: str, now_ms: int
) -> tuple[str, frozenset[str], Condition, str]:
    criteria = str(resource.get("criteria", ""))
    filters = [str(value) for value in _values(resource.get("_criteria"), FILTER)]
    if len(filters) > MOST_FILTERS:
        raise Invalid(f"A Subscription has at most {MOST_FILTERS} filters.")
    topics = f"{base}/SubscriptionTopic/"
    if criteria.startswith(topics):
        type_, _, event = criteria.removeprefix(topics).rpartition("-")
        if type_ not in resource_types() or event not in EVENTS:
            raise Invalid(
                "Subscription.criteria names a topic that this server doesn't have.",
                advice=f"Use {topics}<type>-<created, updated, deleted or changed>.",
            )
        found = [_condition(type_, one.split("?", 1)[-1], base, now_ms) for one in filters]
        if any("?" in one and one.split("?", 1)[0] not in (type_, "") for one in filters):
            raise Invalid("A filter of the Subscription is for another type than its topic's.")
        return type_, EVENTS[event], _all(found), criteria
    if "://" in criteria.partition("?")[0]:
        raise Invalid(
            "Subscription.criteria names a topic that this server doesn't have.",
            advice=f"Use {topics}<type>-<created, updated, deleted or changed>, or a search.",
        )
    type_, _, query = criteria.partition("?")
    if type_ not in resource_types():
        raise Invalid(
            "Subscription.criteria is neither a search nor a topic.",
            advice="Write it as Type?parameter=value, or name a topic of this server.",
        )
    return type_, EVENTS[CREATED] | EVENTS[UPDATED], _condition(type_, query, base, now_ms), ""


def _condition(type_: str, query: str, base: str, now_ms: int) -> Condition:
    pairs = query_pairs(query)
    if any(name.partition(":")[0] in _RESULTS for name, _ in pairs):
        raise Invalid(
            "A Subscription's criteria say what is told, not in which form.",
            advice=f"Leave {', '.join(_RESULTS)} away.",
        )
    return parse((type_,), pairs, now_ms=now_ms, base=f"{base}/").where if pairs else ALWAYS


def _all(found: list[Condition]) -> Condition:
    return found[0] if len(found) == 1 else All(tuple(found))


# Channel ------------------------------------------------------------------------------------------


def _endpoint(channel: Mapping[str, Any], kind: str) -> str:
    endpoint = channel.get("endpoint")
    if kind == "websocket":
        return ""
    if not isinstance(endpoint, str) or not endpoint or len(endpoint) > MOST_URL:
        raise Invalid("Subscription.channel.endpoint is missing, or too long.")
    return endpoint


def _headers(listed: Any) -> Iterator[tuple[str, str]]:
    headers = listed if isinstance(listed, list) else []
    size = sum(len(one) for one in headers if isinstance(one, str))
    if len(headers) > MOST_HEADERS or size > MOST_HEADER_BYTES:
        raise Invalid("Subscription.channel.header is too much.")
    for one in headers:
        match = _HEADER.fullmatch(one) if isinstance(one, str) else None
        if match is None or match[1].lower() in _NOT_THEIRS:
            raise Invalid(
                "Subscription.channel.header holds a line that isn't sent.",
                advice="Write Name: value; what HTTP itself needs is not for subscribers.",
            )
        yield match[1], match[2]


_FORMS: Final[Mapping[str, Form]] = {
    "application/fhir+json": Form.JSON,
    "application/json": Form.JSON,
    "application/fhir+xml": Form.XML,
    "application/xml": Form.XML,
}


def _payload(channel: Mapping[str, Any], topic: str) -> tuple[Form | None, str]:
    payload = channel.get("payload")
    contents = _values(channel.get("_payload"), CONTENT)
    if len(contents) > 1 or any(one not in CONTENTS for one in contents):
        raise Invalid(f"The payload's content is one of {', '.join(CONTENTS)}.")
    if payload is None:
        form = Form.JSON if topic or contents else None
        return form, str(contents[0]) if contents else "empty"
    if payload not in _FORMS:
        raise Invalid(
            "Subscription.channel.payload is not known here.",
            advice="Ask for application/fhir+json or application/fhir+xml.",
        )
    default = "empty" if topic else "full-resource"
    return _FORMS[payload], str(contents[0]) if contents else default


def _end(end: Any) -> int | None:
    if not isinstance(end, str):
        return None
    try:
        return int(datetime.fromisoformat(end).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise Invalid("Subscription.end is no instant.") from error


# Extensions ---------------------------------------------------------------------------------------


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _extensions(element: Any) -> list[Mapping[str, Any]]:
    listed = _mapping(element).get("extension")
    return [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []


def _values(element: Any, url: str) -> list[Any]:
    return [
        value
        for one in _extensions(element)
        if one.get("url") == url
        for name, value in one.items()
        if name.startswith("value")
    ]


def _number(channel: Mapping[str, Any], url: str, *, least: int, most: int) -> int:
    """A number in an extension, at least and at most what is served here; 0 where it has none."""
    found = _values(channel, url)
    if not found:
        return 0
    if len(found) > 1 or not isinstance(found[0], int) or found[0] < 0:
        raise Invalid("An extension of Subscription.channel is no number.")
    return max(least, min(found[0], most)) if found[0] else 0
