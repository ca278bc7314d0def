"""Read, vread, history, search and `$everything` over HTTP (https://hl7.org/fhir/R4/http.html)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlencode

from simdes.errors import Invalid
from simdes.exchange.interactions import everything as every
from simdes.exchange.interactions import history, read, search
from simdes.exchange.interactions.found import Found
from simdes.exchange.interactions.history import During
from simdes.exchange.interactions.search import Page
from simdes.exchange.interactions.terms import expander
from simdes.exchange.provenance import instant
from simdes.fhir.definitions import resource_types
from simdes.fhir.negotiation import etag, http_date, none_match, not_modified
from simdes.fhir.outcome import outcome_resource, warning
from simdes.fhir.search.conditions import FIRST_MS, LAST_MS, All, AnyOf, Query
from simdes.fhir.search.parameters import compartments
from simdes.fhir.search.parse import in_compartment, parse
from simdes.fhir.search.spans import span_ms
from simdes.gateway.fhir.call import RESULT_PARAMETERS, Call, Reply, WrongBody

CURSOR: Final = "_cursor"
_NOT_REPEATED: Final = frozenset((CURSOR,))


def read_one(call: Call) -> Reply:
    """``GET [base]/[type]/[id]``."""
    found = read.read(call.node, call.asking, call.type, call.id)
    if _is_unchanged(call, found):
        return Reply(status=304, headers=version_headers(found), updated_ms=found.updated_ms)
    return _found(found)


def read_version(call: Call) -> Reply:
    """``GET [base]/[type]/[id]/_history/[vid]``."""
    version = call.path["version"]
    if not version.isdigit() or len(version) > 18:
        raise Invalid("A version id of this server is a number.")
    return _found(read.vread(call.node, call.asking, call.type, call.id, int(version)))


def _found(found: Found) -> Reply:
    return Reply(
        content=found.content,
        headers=version_headers(found),
        updated_ms=found.updated_ms,
        subsetted=True,
    )


def _is_unchanged(call: Call, found: Found) -> bool:
    tags = call.headers.get("if-none-match")
    if tags is not None:
        return none_match(tags, found.version)
    return not_modified(call.headers.get("if-modified-since"), found.updated_ms)


def version_headers(found: Found) -> dict[str, str]:
    """ETag and Last-Modified of a version."""
    return {
        "ETag": etag(found.version),
        "Last-Modified": http_date(found.updated_ms),
    }


# History --------------------------------------------------------------------------------------


_OF_HISTORIES: Final = frozenset(("_at", "_count", "_since", CURSOR)) | RESULT_PARAMETERS


def history_of_instance(call: Call) -> Reply:
    """``GET [base]/[type]/[id]/_history``."""
    call = _understood(call, _OF_HISTORIES)
    page = history.of_instance(
        call.node,
        call.asking,
        call.type,
        call.id,
        during=_during(call),
        count=_counted(call),
        cursor=call.value(CURSOR),
    )
    return _history(call, page)


def history_of_type(call: Call) -> Reply:
    """``GET [base]/[type]/_history``."""
    call = _understood(call, _OF_HISTORIES)
    return _history(call, _history_of(call, (call.type,)))


def history_of_system(call: Call) -> Reply:
    """``GET [base]/_history``; types that the app was not allowed are left out."""
    call = _understood(call, _OF_HISTORIES | {"_type"})
    chosen = _types(call)
    types = tuple(one for one in searchable(call) if not chosen or one in chosen)
    return _history(call, _history_of(call, types))


def _understood(call: Call, known: frozenset[str]) -> Call:
    """The call with the parameters that a history knows; Invalid for others, unless leniently."""
    kept = tuple(pair for pair in call.pairs if pair[0] in known)
    if len(kept) < len(call.pairs) and not call.is_lenient:
        raise Invalid(
            f"A history takes {', '.join(sorted(known - {CURSOR}))} alone.",
            advice="Leave other parameters away, or search.",
        )
    return replace(call, pairs=kept)


def _during(call: Call) -> During:
    return During(since_ms=_since(call), at=_span(call, "_at"))


def _counted(call: Call) -> int | None:
    """How many a page of a history has; 0 where only their number is asked for."""
    return 0 if call.value("_summary") == "count" else _count(call)


def _history_of(call: Call, types: tuple[str, ...]) -> Page:
    return history.of_types(
        call.node,
        call.asking,
        types,
        during=_during(call),
        count=_counted(call),
        cursor=call.value(CURSOR),
    )


def _history(call: Call, page: Page) -> Reply:
    entries = (_history_entry(call, one) for one in page.matches)
    links = _links(call, page.next)
    return Reply(content=bundle_bytes("history", links, entries, page.total), subsetted=True)


def _history_entry(call: Call, found: Found) -> bytes:
    request = {"method": found.method or "PUT", "url": found.name}
    response = {
        "status": {"POST": "201 Created", "DELETE": "204 No Content"}.get(found.method, "200 OK"),
        "etag": etag(found.version),
        "lastModified": instant(found.updated_ms),
    }
    return entry_bytes(
        f"{call.base}/{found.name}",
        found.content,
        f'"request":{json.dumps(request)},"response":{json.dumps(response)}',
    )


# Search ---------------------------------------------------------------------------------------


def search_type(call: Call) -> Reply:
    """``GET [base]/[type]?…`` and ``POST [base]/[type]/_search``."""
    return _search(call, query_of(call, (call.type,)))


def search_system(call: Call) -> Reply:
    """``GET [base]?…`` over several types (``_type``), or all that the app was allowed."""
    return _search(call, query_of(call, searchable(call)))


def searchable(call: Call) -> tuple[str, ...]:
    """The types that the caller may search."""
    return tuple(sorted(call.asking.rights.searching.scopes))


def search_compartment(call: Call) -> Reply:
    """``GET [base]/[compartment]/[id]/[type]?…`` (https://hl7.org/fhir/R4/compartmentdefinition.html)."""
    compartment, target = call.path["compartment"], call.path["target"]
    table = compartments().get(compartment)
    if table is None:
        raise Invalid(f"{compartment} has no compartment.")
    types = tuple(sorted(table)) if target == "*" else (target,)
    if any(one not in table for one in types):
        raise Invalid(f"{target} is in no compartment of {compartment}.")
    query = query_of(call, types)
    if compartment == "Patient":
        return _search(call, query, every.vaults_of(call.node, call.asking, call.id))
    query = _inside(query, compartment, call.id)
    read.read(call.node, call.asking, compartment, call.id)
    return _search(call, query)


def _search(call: Call, query: Query, vaults: tuple[bytes, ...] | None = None) -> Reply:
    page = search.find(call.node, call.asking, query, cursor=call.value(CURSOR), vaults=vaults)
    return searchset(call, page, query)


def query_of(call: Call, types: tuple[str, ...]) -> Query:
    """The search of a request. Raises Invalid for what it can't mean, WrongBody for a resource:
    who sends one means something by it."""
    if call.resource is not None:
        raise WrongBody(
            "A search is sent as fields of a form.",
            advice="Send application/x-www-form-urlencoded, or ask by GET.",
        )
    pairs = tuple(pair for pair in call.search_pairs if pair[0] not in _NOT_REPEATED)
    return parse(
        types,
        pairs,
        lenient=call.is_lenient,
        expand=expander(call.node, call.asking),
        now_ms=call.node.now_ms(),
        base=call.base + "/",
    )


def _inside(query: Query, compartment: str, logical_id: str) -> Query:
    inside = tuple(in_compartment(compartment, logical_id, one) for one in query.types)
    return replace(query, where=All((query.where, AnyOf(inside))))


def searchset(call: Call, page: Page, query: Query) -> Reply:
    """A page as a searchset Bundle (https://hl7.org/fhir/R4/search.html#return)."""
    entries: list[bytes] = [
        entry_bytes(f"{call.base}/{one.name}", one.content, f'"search":{{"mode":"{mode}"}}')
        for mode, its in (("match", page.matches), ("include", page.included))
        for one in its
    ]
    warnings = list(page.warnings)
    if query.unknown:
        warnings.append(f"Passed over unknown parameters: {', '.join(query.unknown)}.")
    if warnings:
        told = outcome_resource([warning(text) for text in warnings])
        entries.append(entry_bytes("", json.dumps(told).encode(), '"search":{"mode":"outcome"}'))
    links = _links(call, page.next, used=query.used)
    return Reply(content=bundle_bytes("searchset", links, entries, page.total), subsetted=True)


def everything(call: Call) -> Reply:
    """``GET|POST [base]/Patient/[id]/$everything``."""
    call = _with_parameters(call)
    start, end = _span(call, "start"), _span(call, "end")
    span = None
    if start or end:
        span = (start[0] if start else FIRST_MS, end[1] if end else LAST_MS)
    page = every.everything(
        call.node,
        call.asking,
        call.id,
        types=_types(call),
        since_ms=_since(call),
        span=span,
        count=_count(call),
        cursor=call.value(CURSOR),
    )
    asked = tuple(pair for pair in call.pairs if pair[0] not in _NOT_REPEATED)
    return searchset(call, page, Query(types=(), used=asked))


def _with_parameters(call: Call) -> Call:
    """The call with the parameters of its body, each as a text, beside those of its address."""
    body = call.resource
    if body is None:
        return call
    rows = body.get("parameter", []) if isinstance(body, Mapping) else None
    if rows is None or body.get("resourceType") != "Parameters" or not isinstance(rows, list):
        raise Invalid("The body must be a Parameters resource.")
    named = tuple(
        (str(row.get("name")), str(value))
        for row in rows
        if isinstance(row, Mapping)
        for key, value in row.items()
        if key.startswith("value") and isinstance(value, (str, int))
    )
    return replace(call, pairs=(*call.pairs, *named))


def _types(call: Call) -> tuple[str, ...]:
    chosen = call.values("_type")
    if any(one not in resource_types() for one in chosen):
        raise Invalid("The parameter _type names what is no resource type.")
    return chosen


def _since(call: Call) -> int | None:
    found = _span(call, "_since")
    return found[0] if found else None


def _span(call: Call, name: str) -> tuple[int, int] | None:
    """The time that a parameter names, None without it."""
    text = call.value(name)
    if not text:
        return None
    try:
        # A + in a query means a space to who decodes it; before a time zone it can't be one.
        return span_ms(text.replace(" ", "+"))
    except ValueError as error:
        raise Invalid(f"The parameter {name} is no date or time.") from error


def _count(call: Call) -> int | None:
    text = call.value("_count")
    if not text:
        return None
    if not text.isdigit() or len(text) > 9:
        raise Invalid("The parameter _count is a number.")
    return int(text)


# Bundles as bytes -----------------------------------------------------------------------------


def bundle_bytes(
    type_: str, links: Sequence[tuple[str, str]], entries: Iterable[bytes], total: int | None
) -> bytes:
    """A Bundle around entries that are JSON already: nothing is parsed and written again."""
    parts = [f'{{"resourceType":"Bundle","type":"{type_}"'.encode()]
    if total is not None:
        parts.append(f'"total":{total}'.encode())
    parts.append(
        b'"link":' + json.dumps([{"relation": name, "url": url} for name, url in links]).encode()
    )
    listed = b",".join(entries)
    if listed:
        parts.append(b'"entry":[' + listed + b"]")
    return b",".join(parts) + b"}"


def entry_bytes(full_url: str, content: bytes, rest: str) -> bytes:
    """An entry around a resource that is JSON already; ``rest`` are its other members."""
    parts = [f'"fullUrl":{json.dumps(full_url)}'.encode()] if full_url else []
    if content:
        parts.append(b'"resource":' + content)
    parts.append(rest.encode())
    return b"{" + b",".join(parts) + b"}"


def _links(
    call: Call, cursor: str, used: tuple[tuple[str, str], ...] | None = None
) -> list[tuple[str, str]]:
    repeated = [pair for pair in (call.pairs if used is None else used) if pair[0] != CURSOR]
    address = call.base + address_of(call)
    own = list(repeated)
    if present := call.value(CURSOR):
        own.append((CURSOR, present))
    links = [("self", _url(address, own))]
    if cursor:
        links.append(("next", _url(address, [*repeated, (CURSOR, cursor)])))
    return links


def address_of(call: Call) -> str:
    """The path of a request below the base, as it stands in links (a search by POST as by GET)."""
    return call.path.get("address", "")


def _url(address: str, pairs: Sequence[tuple[str, str]]) -> str:
    query = urlencode(pairs, quote_via=quote, safe=":,|/$")
    return f"{address}?{query}" if query else address
