"""From what a caller wants exported to a job: which types, which patients, under which searches."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simdes.access.categories import Role
from simdes.access.rights import SCOPE
from simdes.errors import Forbidden, Invalid, NotFound
from simdes.exchange.bulk import exporting, jobs
from simdes.exchange.bulk.asked import Asked, Export, Pairs, who_asks
from simdes.exchange.interactions import finding
from simdes.exchange.node import Node
from simdes.exchange.reach import reach
from simdes.exchange.rights import Asking
from simdes.fhir.definitions import resource_types
from simdes.fhir.json import loads
from simdes.fhir.negotiation import query_pairs
from simdes.fhir.reference import parse_reference
from simdes.fhir.summary import projection_of

MOST_PATIENTS: Final = 100_000
MOST_FILTERS: Final = 50
MOST_ELSEWHERE: Final = 64
"""Of how many of the patients chosen the records elsewhere are opened."""
_FILTERS = re.compile(r",(?=[A-Z][A-Za-z]+\?)")
"""Commas part searches, and stand in them as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for, as it came. ``level`` is system, patient or group; ``group`` its id.

    ``types`` () means all that may be had; ``patients`` None means all, else ids; ``lenient``: what
    can't be had is left out and not refused.
    """

    request: str
    level: str
    group: str = ""
    types: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    since_ms: int | None = None
    elements: str = ""
    patients: tuple[str, ...] | None = None
    lenient: bool = False


def export(node: Node, asking: Asking, wish: Wish) -> str:
    """Begin an export and return the job's name.

    Raises Forbidden where the caller may not have this, Invalid for what can't be meant, NotFound
    for a Group or patient that is not there or not for them.
    """
    _require_app(asking)
    types = _types(asking, wish)
    projection_of(None, wish.elements or None)
    vaults = _patients(node, asking, wish)
    reached = reach(node, asking, vaults=vaults if vaults is None else vaults[:MOST_ELSEWHERE])
    warnings = list(reached.warnings)
    if vaults is not None and len(vaults) > MOST_ELSEWHERE:
        left_out = len(vaults) - MOST_ELSEWHERE
        warnings.append(f"Records of {left_out} patients elsewhere were not looked through.")
    order = Export(
        request=wish.request,
        level=wish.level,
        types=types,
        filters=_filters(node, types, wish),
        since_ms=wish.since_ms,
        elements=wish.elements,
        vaults=vaults,
    )
    asked = Asked(who=who_asks(reached.asking), exporting=order)
    return jobs.begin(
        node,
        asking,
        asked,
        lambda tx, job: exporting.begin(node, tx, reached.asking, job, order, warnings),
    )


def _require_app(asking: Asking) -> None:
    """A person's own session reads page by page; whoever takes all away says so in scopes."""
    if asking.facts.scopes is None and asking.rights.role is not Role.PATIENT:
        raise Forbidden(
            "An export needs an app or service that was allowed one.",
            advice="Ask with the token of a backend service, or sign in with scopes (user/*.rs).",
            reason=SCOPE,
        )


def _types(asking: Asking, wish: Wish) -> tuple[str, ...]:
    allowed = exporting.exportable(asking)
    if not allowed:
        raise Forbidden(
            "The app was not allowed to read anything that can be exported.",
            advice="Ask for scopes such as system/*.rs.",
            reason=SCOPE,
        )
    if not wish.types:
        return allowed
    if not wish.lenient:
        if unknown := sorted(set(wish.types) - resource_types()):
            raise Invalid(f"{len(unknown)} of the names in _type are no resource types.")
        if closed := sorted(set(wish.types) - set(allowed)):
            listed = ", ".join(closed)
            raise Forbidden(f"The app was not allowed to export {listed}.", reason=SCOPE)
    chosen = tuple(one for one in dict.fromkeys(wish.types) if one in allowed)
    if not chosen:
        raise Forbidden("The app was allowed none of the types that were asked for.", reason=SCOPE)
    return chosen


def _filters(node: Node, types: Collection[str], wish: Wish) -> dict[str, tuple[Pairs, ...]]:
    found: dict[str, list[Pairs]] = {}
    listed = [one for text in wish.filters for one in _FILTERS.split(text) if one]
    if len(listed) > MOST_FILTERS:
        raise Invalid(f"More than {MOST_FILTERS} searches in _typeFilter.")
    for one in listed:
        type_, mark, query = one.partition("?")
        if not mark or type_ not in types:
            if wish.lenient:
                continue
            raise Invalid("A search of _typeFilter is of a type that is not exported.")
        pairs = query_pairs(query)
        made = exporting.filter_of(node, type_, pairs)
        if made.includes or made.sorts or made.summary or made.count is not None or made.elements:
            raise Invalid("A search of _typeFilter has conditions alone: no _include, no _sort.")
        found.setdefault(type_, []).append(pairs)
    return {type_: tuple(its) for type_, its in found.items()}


def _patients(node: Node, asking: Asking, wish: Wish) -> tuple[bytes, ...] | None:
    chosen: tuple[bytes, ...] | None = None
    if wish.level == "group":
        chosen = _vaults(node, asking, _members(node, asking, wish.group), strict=False)
    if wish.patients is not None:
        named = _vaults(node, asking, wish.patients, strict=not wish.lenient)
        if chosen is not None and not wish.lenient and set(named) - set(chosen):
            raise Invalid("Not every patient that was named is in the Group.")
        chosen = named if chosen is None else tuple(one for one in named if one in set(chosen))
    return chosen


def _members(node: Node, asking: Asking, group: str) -> tuple[str, ...]:
    """The ids of a Group's patients, without those who left it."""
    with node.database.read() as tx:
        seen = finding.named(tx, asking, {("Group", group)}).get(("Group", group), ())
        found = finding.load(node, tx, seen[:1])
    if not found:
        raise NotFound("There is no such Group, or not for you.")
    listed = loads(found[0].content).get("member", [])
    return tuple(id_ for one in listed if (id_ := _member(one)))


def _member(one: dict[str, Any]) -> str:
    literal = one.get("entity", {}).get("reference", "")
    parsed = parse_reference(literal) if literal and not one.get("inactive") else None
    return parsed.id if parsed is not None and parsed.type == "Patient" else ""


def _vaults(node: Node, asking: Asking, ids: Sequence[str], *, strict: bool) -> tuple[bytes, ...]:
    if len(ids) > MOST_PATIENTS:
        raise Invalid(f"More than {MOST_PATIENTS} patients in one export.")
    names = sorted({("Patient", one) for one in ids})
    found: dict[tuple[str, str], Any] = {}
    with node.database.read() as tx:
        for at in range(0, len(names), 1_000):
            found |= finding.named(tx, asking, names[at : at + 1_000])
    if strict and len(found) < len(names):
        raise NotFound("There is no such patient, or not for you.")
    return tuple(sorted({entry.vault for its in found.values() for entry in its}))
