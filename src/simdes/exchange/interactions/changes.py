"""What a caller wants changed, and what became of it.

A single create and a transaction of a hundred entries are the same thing: a sequence of changes
that hold together or not at all (`writing.apply`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from simdes.exchange.interactions.found import Found
from simdes.fhir.negotiation import Versions
from simdes.fhir.problem import Problem

Resource = Mapping[str, Any]
Patch = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes the changed resource of the present one; raises Invalid where it does not apply."""
Pairs = tuple[tuple[str, str], ...]
"""Search parameters in their order, decoded."""


class Method(StrEnum):
    """How a change is asked for (https://hl7.org/fhir/R4/http.html#summary)."""

    CREATE = "POST"
    UPDATE = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change. ``type`` is that of the address it was sent to.

    ``id`` names the resource of an update, patch or delete, "" where ``search`` (conditional)
    finds it; of a create ``search`` is If-None-Exist. ``if_match`` are the versions of which one
    must stand, ``if_none_match`` (``*``) says that there must be none. ``full_url`` is the entry's
    in a Bundle, ``place`` the FHIRPath of its resource there ("" where it was sent alone).
    ``within`` is the vault where it belongs, said by this server and never by who sends: what it
    refers to there need not be seen by the caller.
    """

    method: Method
    type: str
    id: str = ""
    resource: Resource | None = None
    patch: Patch | None = None
    search: Pairs | None = None
    if_match: Versions | None = None
    if_none_match: bool = False
    full_url: str = ""
    place: str = ""
    within: bytes | None = field(default=None, repr=False)


class Became(StrEnum):
    """What became of a change."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    NOT_THERE = "not-there"
    EXISTED = "existed"


@dataclass(frozen=True, slots=True)
class Changed:
    """A change that was made: the resource as it stands now (None: none was there to delete).

    ``warnings`` are what was to say about the resource that was sent, and did not refuse it.
    """

    became: Became
    found: Found | None
    warnings: tuple[Problem, ...] = ()
