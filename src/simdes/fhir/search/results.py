"""The parameters that say what a search returns: sort, count, includes, summary, elements.

https://hl7.org/fhir/R4/search.html#modifyingresults.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from simdes.fhir.definitions import resource_types
from simdes.fhir.search.conditions import Include, Slot, Sort
from simdes.fhir.search.grammar import MOST_INCLUDES, MOST_SORTS, too_many, wrong
from simdes.fhir.search.parameters import Parameter, parameter, parameters_of

Types = tuple[str, ...]

_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_ELEMENT = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}(?:\.[A-Za-z][A-Za-z0-9]{0,63})*")
_SORTABLE = frozenset({"date", "number", "quantity", "reference", "string", "token", "uri"})


def read(types: Types, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Return the members of a `Query` that ``pairs`` of result parameters set.

    ``pairs`` are in the order of the request; of those that make sense once, one alone is allowed.
    """
    found: dict[str, Any] = {}
    includes: list[Include] = []
    seen: set[str] = set()
    for name, text in pairs:
        code, _, modifier = name.partition(":")
        if code in INCLUDES:
            includes += _includes(types, name, text)
            if len(includes) > MOST_INCLUDES:
                raise too_many(name, "includes", MOST_INCLUDES)
            continue
        if modifier:
            raise wrong(name, "this parameter takes no modifier")
        if code in seen:
            raise wrong(name, "is there more than once")
        seen.add(code)
        found |= ONCE[code](types, name, text)
    if includes:
        found["includes"] = tuple(dict.fromkeys(includes))
    if found.get("count") == 0:
        found["summary"] = "count"  # the standard: to be treated the same
    return found


def _sort(types: Types, name: str, text: str) -> dict[str, Any]:
    keys = text.split(",")
    if len(keys) > MOST_SORTS:
        raise too_many(name, "keys", MOST_SORTS)
    return {"sorts": tuple(_sort_key(types, name, key.strip()) for key in keys)}


def _sort_key(types: Types, name: str, key: str) -> Sort:
    code = key.removeprefix("-")
    descending = code != key
    if code == "_id":
        return Sort(None, "id", descending)
    if code == "_lastUpdated":
        return Sort(None, "updated", descending)
    found = [parameter(type_, code) for type_ in types or ("Resource",)]
    slots = {p.slot for p in found if p is not None and p.kind in _SORTABLE and p.walks}
    if len(slots) != 1 or None in found:
        raise wrong(name, "some key is no search parameter that can be sorted by")
    return Sort(slots.pop(), "value", descending)


def _count(types: Types, name: str, text: str) -> dict[str, Any]:
    if not _NUMBER.fullmatch(text):
        raise wrong(name, "a whole number is needed")
    return {"count": int(text)}


def _one_of(member: str, *allowed: str) -> Callable[[Types, str, str], dict[str, Any]]:
    def choose(types: Types, name: str, text: str) -> dict[str, Any]:
        if text not in allowed:
            raise wrong(name, f"one of {', '.join(allowed)} is needed")
        return {member: text} if member else {}

    return choose


def _elements(types: Types, name: str, text: str) -> dict[str, Any]:
    names = [n.strip() for n in text.split(",")]
    if not all(map(_ELEMENT.fullmatch, names)):
        raise wrong(name, "names of elements with commas between them are needed")
    return {"elements": tuple(dict.fromkeys(names))}


def _not_contained(types: Types, name: str, text: str) -> dict[str, Any]:
    if text != "false":
        raise wrong(
            name,
            "contained resources can't be searched for",
            advice="Search for the resources that contain them.",
        )
    return {}


ONCE: Mapping[str, Callable[[Types, str, str], dict[str, Any]]] = {
    "_contained": _not_contained,
    "_count": _count,
    "_elements": _elements,
    "_sort": _sort,
    "_summary": _one_of("summary", "true", "text", "data", "count", "false"),
    "_total": _one_of("total", "none", "estimate", "accurate"),
}

INCLUDES: Mapping[str, bool] = {"_include": False, "_revinclude": True}
"""The parameters that add resources, and whether they follow references backwards."""

_EVERYTHING = frozenset({"*", "*:*"})
_ITERATE = {"": False, "iterate": True, "recurse": True}


def _includes(types: Types, name: str, text: str) -> list[Include]:
    code, _, modifier = name.partition(":")
    reverse = INCLUDES[code]
    if modifier not in _ITERATE:
        raise wrong(name, "the modifier can only be :iterate or :recurse")
    iterate = _ITERATE[modifier]
    source, _, rest = text.partition(":")
    if text in _EVERYTHING:
        return [Include("", (), "", reverse, iterate)]
    path, _, target = rest.partition(":")
    if source not in resource_types() or not path or (target and target not in resource_types()):
        raise wrong(name, "Type:parameter or Type:parameter:Target is needed")
    slots = _all_references(source) if path == "*" else _reference(name, source, path)
    return [Include(source, slots, target, reverse, iterate)]


def _reference(name: str, source: str, code: str) -> tuple[Slot, ...]:
    found = parameter(source, code)
    if found is None or found.kind != "reference":
        raise wrong(name, "there is no such reference among the type's search parameters")
    return (found.slot,)


def _all_references(type_: str) -> tuple[Slot, ...]:
    found: list[Parameter] = [p for p in parameters_of(type_).values() if p.kind == "reference"]
    return tuple(p.slot for p in found)
