"""The port to another FHIR server, and what its Bundles say changed.

https://hl7.org/fhir/R4/http.html#history and https://hl7.org/fhir/R4/http.html#search. Whatever a
source answers is checked here: it may be broken, or not the server that it once was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from simdes.errors import TooLarge, Unavailable
from simdes.exchange.precedence import milliseconds
from simdes.fhir.definitions import resource_types

MOST_ENTRIES = 5_000
"""Entries of one page; a page is held in memory whole."""

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_ADVICE = "Look at the FHIR server's log; nothing was lost, and the same is read again."


@dataclass(frozen=True, slots=True)
class Answer:
    """A resource that the source gave, and its own time (the Date header) in unix milliseconds."""

    resource: Any
    server_ms: int | None


class Source(Protocol):
    """Another FHIR server, read by one thread.

    Every verb raises Unavailable where it does not answer, or answers what is no FHIR; NotFound
    where it has no such thing (any more); Invalid where it does not take the request;
    Unauthenticated and Forbidden where it does not accept us; TooLarge beyond the limit of an
    answer.
    """

    @property
    def base(self) -> str:
        """Its address, without a slash at the end."""

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """Read ``path`` below the base, or a whole URL that the source gave as its next page.

        Raises Unavailable for a URL that leads elsewhere than below the base.
        """

    def create(self, resource: Mapping[str, Any]) -> None:
        """Create a resource at the source."""

    def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a page says of one resource: its content, or None where the source deleted it.

    ``updated_ms`` is the source's time of the version, None where it does not say.
    """

    type: str
    id: str
    version: str
    updated_ms: int | None
    resource: dict[str, Any] | None

    @property
    def name(self) -> tuple[str, str]:
        """Type and id."""
        return (self.type, self.id)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An entry that holds no resource with an id."""

    entry: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a history or a search."""

    changes: tuple[Change | Unreadable, ...]
    next: str | None
    total: int | None
    server_ms: int | None


def page_of(answer: Answer) -> Page:
    """Read a Bundle. Raises Unavailable where it is none, TooLarge beyond `MOST_ENTRIES`."""
    bundle = answer.resource
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise Unavailable(
            "The FHIR server answered with something else than a Bundle", advice=_ADVICE
        )
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise Unavailable("The FHIR server's Bundle has no list of entries", advice=_ADVICE)
    if len(entries) > MOST_ENTRIES:
        raise TooLarge(
            f"The FHIR server's page has more than {MOST_ENTRIES} entries",
            advice="Let it answer with smaller pages; it passes over _count.",
        )
    total = bundle.get("total")
    return Page(
        changes=tuple(_change(one) for one in entries if not _is_beside(one)),
        next=_next(bundle),
        total=total if isinstance(total, int) else None,
        server_ms=answer.server_ms,
    )


def _is_beside(entry: Any) -> bool:
    """Whether an entry is no match, but goes along with one or says something about the search."""
    search = entry.get("search") if isinstance(entry, dict) else None
    return isinstance(search, dict) and search.get("mode", "match") != "match"


def _next(bundle: Mapping[str, Any]) -> str | None:
    links = bundle.get("link", [])
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("relation") == "next":
            url = link.get("url")
            if not isinstance(url, str) or not url:
                raise Unavailable("The FHIR server's link to its next page is none", advice=_ADVICE)
            return url
    return None


def _change(entry: Any) -> Change | Unreadable:
    if not isinstance(entry, dict):
        return Unreadable(entry)
    request = _object(entry, "request")
    if request.get("method") == "DELETE":
        return _deletion(entry, request) or Unreadable(entry)
    resource = entry.get("resource")
    if not isinstance(resource, dict):
        return Unreadable(entry)
    type_, id_ = resource.get("resourceType"), resource.get("id")
    if type_ not in resource_types() or not isinstance(id_, str) or not _ID.fullmatch(id_):
        return Unreadable(entry)
    meta = _object(resource, "meta")
    version = meta.get("versionId")
    return Change(
        type=str(type_),
        id=id_,
        version=version if isinstance(version, str) else "",
        updated_ms=_first(meta.get("lastUpdated"), _object(entry, "response").get("lastModified")),
        resource=resource,
    )


def _deletion(entry: Mapping[str, Any], request: Mapping[str, Any]) -> Change | None:
    """A deletion names its resource in the request, or by fullUrl alone."""
    for text in (request.get("url"), entry.get("fullUrl")):
        parts = text.partition("/_history/")[0].split("/")[-2:] if isinstance(text, str) else []
        if len(parts) == 2 and parts[0] in resource_types() and _ID.fullmatch(parts[1]):
            response = _object(entry, "response")
            return Change(
                type=parts[0],
                id=parts[1],
                version=str(response.get("etag", "")),
                updated_ms=_first(response.get("lastModified")),
                resource=None,
            )
    return None


def _object(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _first(*instants: Any) -> int | None:
    return next((ms for one in instants if (ms := milliseconds(one)) is not None), None)


def instant(ms: int) -> str:
    """A time as FHIR's instant (https://hl7.org/fhir/R4/datatypes.html#instant)."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"
