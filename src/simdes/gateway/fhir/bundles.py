"""Bundles of requests: a batch answers each entry alone, a transaction all or none.

https://hl7.org/fhir/R4/http.html#transaction. An entry of a batch is answered exactly as the
request that it stands for; of a transaction the changes are made first and together, then its
reads are answered.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from simdes.errors import Invalid, SimdesError, Unavailable
from simdes.exchange.interactions import writing as verbs
from simdes.exchange.interactions.changes import Change, Changed, Method
from simdes.exchange.provenance import instant
from simdes.fhir.form import Form
from simdes.fhir.negotiation import query_pairs
from simdes.gateway.fhir.call import Call, Pairs, Reply
from simdes.gateway.fhir.content import body_out
from simdes.gateway.fhir.writing import change_of, reply_of

BATCH: Final = "batch"
TRANSACTION: Final = "transaction"
MOST_ENTRIES: Final = 5_000
MOST_SECONDS: Final = 30.0
"""How long a batch is worked on: nobody waits for the answer any more (`GatewayLimits`)."""
Dispatch = Callable[[Call, str], Reply]
"""Answers a call at an address below the base; raises one of `simdes.errors`."""
Failed = Callable[[SimdesError], Reply]
"""The reply for a failure."""

_HEADERS: Final = {
    "ifMatch": "if-match",
    "ifNoneMatch": "if-none-match",
    "ifModifiedSince": "if-modified-since",
    "ifNoneExist": "if-none-exist",
}
_CHANGES: Final = {one.value: one for one in Method}
_READS: Final = frozenset(("GET", "HEAD"))


def take_bundle(call: Call, dispatch: Dispatch, failed: Failed) -> Reply:
    """``POST [base]``: a batch or a transaction."""
    bundle = call.resource
    if not isinstance(bundle, Mapping) or bundle.get("resourceType") != "Bundle":
        raise Invalid("Send a Bundle of type batch or transaction to this address.")
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or not all(isinstance(one, Mapping) for one in entries):
        raise Invalid("The Bundle's entries can't be read.")
    if len(entries) > MOST_ENTRIES:
        raise Invalid(f"A Bundle holds at most {MOST_ENTRIES} entries.")
    kind = bundle.get("type")
    if kind == BATCH:
        return _bundle("batch-response", _each(call, entries, dispatch, failed))
    if kind == TRANSACTION:
        return _bundle("transaction-response", _together(call, entries, dispatch, failed))
    raise Invalid("A Bundle for this address is of type batch or transaction.")


def interaction_of(bundle: Any) -> str:
    """What a Bundle asks for: that of a transaction, and of anything else a batch."""
    named = bundle.get("type") if isinstance(bundle, Mapping) else None
    return TRANSACTION if named == TRANSACTION else BATCH


def _each(
    call: Call, entries: Sequence[Mapping[str, Any]], dispatch: Dispatch, failed: Failed
) -> list[tuple[Reply, Pairs]]:
    replies, began = [], time.monotonic()
    for entry in entries:
        if time.monotonic() - began >= MOST_SECONDS:
            raise Unavailable("The batch takes too long.", advice="Send fewer entries at a time.")
        replies.append(_alone(call, entry, dispatch, failed))
    return replies


def _alone(
    call: Call, entry: Mapping[str, Any], dispatch: Dispatch, failed: Failed
) -> tuple[Reply, Pairs]:
    try:
        asked, address = _request(call, entry)
        return dispatch(asked, address), asked.pairs
    except SimdesError as error:
        return failed(error), ()


def _together(
    call: Call, entries: Sequence[Mapping[str, Any]], dispatch: Dispatch, failed: Failed
) -> list[tuple[Reply, Pairs]]:
    changes: dict[int, tuple[Call, Change]] = {}
    reads: dict[int, tuple[Call, str]] = {}
    for at, entry in enumerate(entries):
        asked, address = _request(call, entry, at)
        if asked.method in _READS:
            reads[at] = (asked, address)
        else:
            named = _addressed(asked, address)
            full_url, place = str(entry.get("fullUrl", "")), f"Bundle.entry[{at}].resource"
            change = change_of(named, _CHANGES[asked.method], full_url=full_url, place=place)
            changes[at] = (named, change)
    made = _apply(call, changes)
    replies: dict[int, Reply] = {
        at: reply_of(changes[at][0], one) for at, one in zip(changes, made, strict=True)
    }
    for at, (asked, address) in reads.items():
        try:
            replies[at] = dispatch(asked, address)
        except SimdesError as error:
            if not changes:
                raise
            replies[at] = failed(error)  # the changes are made: to say otherwise would be wrong
    calls = {at: asked for at, (asked, _) in (*changes.items(), *reads.items())}
    return [(replies[at], calls[at].pairs) for at in sorted(replies)]


def _apply(call: Call, changes: Mapping[int, tuple[Call, Change]]) -> list[Changed]:
    if not changes:
        return []
    wanted = [change for _, change in changes.values()]
    return verbs.apply(call.node, call.asking, wanted, base=call.base)


def _request(call: Call, entry: Mapping[str, Any], at: int | None = None) -> tuple[Call, str]:
    """The request that an entry stands for, and its address below the base."""
    where = "" if at is None else f" (entry {at + 1})"
    request = entry.get("request")
    if not isinstance(request, Mapping):
        raise Invalid(f"An entry has no request{where}.")
    method, url = request.get("method"), request.get("url")
    if not isinstance(method, str) or not isinstance(url, str):
        raise Invalid(f"An entry's request has no method or no url{where}.")
    if method not in _READS and method not in _CHANGES:
        raise Invalid(f"An entry's request has a method that is not known{where}.")
    own = call.base + "/"
    try:
        split = urlsplit(url.removeprefix(own))
    except ValueError as error:
        raise Invalid(f"An entry's url is none{where}.") from error
    if split.scheme or split.netloc:
        raise Invalid(f"An entry's url leads to another server{where}.")
    path = unquote(split.path).strip("/")
    if path.startswith("jobs/") or path.endswith(("$export", "$import")):
        raise Invalid(f"An entry can't be a job, or what became of one{where}.")
    headers = {name: str(request[key]) for key, name in _HEADERS.items() if key in request}
    if "prefer" in call.headers:
        headers["prefer"] = call.headers["prefer"]
    asked = Call(
        node=call.node,
        asking=call.asking,
        base=call.base,
        method=method,
        path={},
        pairs=query_pairs(split.query),
        headers=headers,
        resource=entry.get("resource"),
        media_type="application/fhir+json",
    )
    return asked, path


def _addressed(call: Call, address: str) -> Call:
    """A change with type and id of its address (``Type``, ``Type/id``)."""
    parts = address.split("/")
    wanted = (1,) if call.method == "POST" else (1, 2)
    if len(parts) not in wanted or not parts[0]:
        raise Invalid("An entry's url is not one that this method goes to.")
    path = {"type": parts[0], **({"id": parts[1]} if len(parts) > 1 else {})}
    return replace(call, path=path)


# The answer -----------------------------------------------------------------------------------

_REASONS: Final = {
    200: "OK",
    201: "Created",
    204: "No Content",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    422: "Unprocessable Entity",
    501: "Not Implemented",
    503: "Service Unavailable",
}


def _bundle(kind: str, replies: Sequence[tuple[Reply, Pairs]]) -> Reply:
    entries = b",".join(_answered(one, dict(pairs)) for one, pairs in replies)
    listed = b',"entry":[' + entries + b"]" if entries else b""
    return Reply(content=b'{"resourceType":"Bundle","type":"%s"' % kind.encode() + listed + b"}")


def _answered(reply: Reply, given: Mapping[str, str]) -> bytes:
    response: dict[str, Any] = {
        "status": f"{reply.status} {_REASONS.get(reply.status, '')}".strip()
    }
    for name, header in (("location", "Location"), ("etag", "ETag")):
        if header in reply.headers:
            response[name] = reply.headers[header]
    if reply.updated_ms is not None:
        response["lastModified"] = instant(reply.updated_ms)
    is_told = reply.resource is not None and (reply.is_outcome or reply.status >= 400)
    if is_told:
        response["outcome"] = reply.resource
    parts = [f'"response":{json.dumps(response)}'.encode()]
    if not is_told and (content := body_out(reply, Form.JSON, given)):
        parts.insert(0, b'"resource":' + content)
    return b"{" + b",".join(parts) + b"}"
