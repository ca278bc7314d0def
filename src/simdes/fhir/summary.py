"""Parts of resources: ``_summary`` and ``_elements`` (https://hl7.org/fhir/R4/search.html#summary).

What is left out leaves the tag SUBSETTED, so that nobody stores the rest over the whole. Beyond the
letter, what could turn the meaning of the rest around is always there: ``implicitRules`` and
``modifierExtension``, and everything that must be there for the resource to be one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from simdes.errors import Invalid
from simdes.fhir.definitions import Element, definition, resource_types, type_names

Json = dict[str, Any]

SUBSETTED = MappingProxyType(
    {
        "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
        "code": "SUBSETTED",
        "display": "subsetted",
    }
)
MAX_NAMES = 200

_SUMMARIES = frozenset(("true", "text", "data", "count", "false"))
_NAME = re.compile(r"(?:([A-Z][A-Za-z]*)\.)?([a-z][A-Za-z0-9]*)(?:\[x\])?(?:\.[A-Za-z0-9.\[\]]+)?")
_ALWAYS = frozenset(("id", "meta", "implicitRules", "modifierExtension"))
_ANSWERS = frozenset(("searchset", "history"))
"""Bundles that a server makes of resources: these are cut, not their Bundle."""


@dataclass(frozen=True, slots=True)
class Projection:
    """What to leave of a resource: a ``summary`` or ``elements``: (type or "", name) of each."""

    summary: str = ""
    elements: frozenset[tuple[str, str]] = frozenset()


def projection_of(summary: str | None, elements: str | None) -> Projection | None:
    """Return what the two parameters ask for, None for whole resources.

    ``elements`` are names with commas between, each for every type or, as ``Patient.name``, for
    one; of a path into an element, the whole element is given. Raises Invalid for other summaries,
    for what is no name and for both at once.
    """
    if summary is not None and summary not in _SUMMARIES:
        raise Invalid("_summary is one of true, text, data, count and false")
    wanted = summary if summary and summary != "false" else ""
    named = _named(elements or "")
    if wanted and named:
        raise Invalid("_summary and _elements can't both be asked for")
    return Projection(wanted, named) if wanted or named else None


def _named(elements: str) -> frozenset[tuple[str, str]]:
    names = [name.strip() for name in elements.split(",") if name.strip()]
    if len(names) > MAX_NAMES:
        raise Invalid(f"_elements names more than {MAX_NAMES} elements")
    matches = [_NAME.fullmatch(name) for name in names]
    if None in matches:
        raise Invalid("_elements takes names of elements with commas between")
    return frozenset((match[1] or "", match[2]) for match in matches if match)


def projected(resource: Json, projection: Projection) -> Json:
    """Return what ``projection`` leaves of ``resource``; of a searchset or history, of its entries.

    ``resource`` itself stays as it is. OperationOutcomes are never cut. ``count`` leaves a
    Bundle's total and link to itself; it says nothing of other resources.
    """
    if resource.get("resourceType") == "Bundle" and resource.get("type") in _ANSWERS:
        return _answer(resource, projection)
    return _one(resource, projection)


def _answer(bundle: Json, projection: Projection) -> Json:
    if projection.summary == "count":
        made = {key: value for key, value in bundle.items() if key != "entry"}
        links = [link for link in bundle.get("link", ()) if link.get("relation") == "self"]
        return {**made, "link": links} if links else made
    if "entry" not in bundle:
        return bundle
    entries = [
        {**entry, "resource": _one(entry["resource"], projection)} if "resource" in entry else entry
        for entry in bundle["entry"]
    ]
    return {**bundle, "entry": entries}


def _one(resource: Json, projection: Projection) -> Json:
    name = resource.get("resourceType")
    is_known = isinstance(name, str) and name in resource_types()
    if not is_known or name == "OperationOutcome" or projection.summary == "count":
        return resource
    if projection.summary == "true":
        left = _summary(resource, str(name))
    else:
        kept = _kept(str(name), projection)
        left = {key: value for key, value in resource.items() if key.removeprefix("_") in kept}
    return _tagged({"resourceType": name, **left})


def _kept(name: str, projection: Projection) -> frozenset[str]:
    """Return the members that ``projection`` keeps of the type ``name``, at the top."""
    elements = definition(name).elements.values()
    if projection.summary == "data":
        chosen = [element for element in elements if element.name != "text"]
    else:
        asked = {"text"} if projection.summary == "text" else set[str]()
        asked |= {part for type_, part in projection.elements if type_ in ("", name)}
        chosen = [e for e in elements if e.name in asked or asked & e.json_names.keys()]
        chosen += [e for e in elements if e.minimum > 0 or e.name in _ALWAYS]
    return frozenset(key for element in chosen for key in element.json_names)


@cache
def _summarised(name: str) -> Mapping[str, tuple[Element, str]]:
    """Return the elements in the summary of the type ``name`` by member, each with its type."""
    return {
        key: (element, kind)
        for element in definition(name).elements.values()
        if element.is_summary or element.minimum > 0 or element.name in _ALWAYS - {"id"}
        for key, kind in element.json_names.items()
    }


def _summary(value: Json, name: str) -> Json:
    """Return the summary of an object of the type ``name``.

    An element id goes, and what extends a primitive does, unless there is nothing else of it.
    """
    wanted = _summarised(name)
    made: Json = {}
    for key, inner in value.items():
        plain = key.removeprefix("_")
        if plain not in wanted:
            continue
        if key != plain:
            if plain not in value or (isinstance(value[plain], list) and None in value[plain]):
                made[key] = inner
            continue
        element, kind = wanted[key]
        left = _cut(inner, kind, is_needed=element.minimum > 0)
        if left is not None:
            made[key] = left
    return made


def _cut(value: Any, kind: str, *, is_needed: bool) -> Any:
    """Return the summary of a member's value, None if nothing is left of it that is needed."""
    if isinstance(value, list):
        left = [_cut(item, kind, is_needed=is_needed) for item in value]
        if not isinstance(value[0] if value else None, dict):
            return left
        return [item for item in left if item is not None] or None
    if not isinstance(value, dict):
        return value
    if kind == "Resource":
        return value
    left_over = _summary(value, kind) if kind in type_names() else value
    return left_over or (value if is_needed else None)


def _tagged(resource: Json) -> Json:
    meta = resource.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    tags = meta.get("tag")
    tags = tags if isinstance(tags, list) else []
    if any(isinstance(tag, dict) and tag.get("code") == "SUBSETTED" for tag in tags):
        return resource
    tagged = {**meta, "tag": [*tags, dict(SUBSETTED)]}
    first: Json = {key: resource[key] for key in ("resourceType", "id") if key in resource}
    return {**first, "meta": tagged, **{k: v for k, v in resource.items() if k != "meta"}}
