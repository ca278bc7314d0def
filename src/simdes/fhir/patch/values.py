"""The values that a FHIRPath Patch brings, and whether they fit where they shall go.

https://hl7.org/fhir/R4/fhirpatch.html: a value is a ``value[x]`` or a resource of a Parameters
part; one of a type that ``value[x]`` has not (a backbone, a Narrative) is given in parts, each
named as an element of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from simdes.errors import Invalid, Unsupported
from simdes.fhir.definitions import Element, definition, type_names
from simdes.fhir.elements import parts_of
from simdes.fhir.fhirpath.nodes import ancestors

Json = dict[str, Any]
Pair = tuple[Any, Any]
"""A value and, of a primitive, what ``_name`` has beside it."""

_WIDER: Mapping[str, str] = {"date": "dateTime", "instant": "dateTime", "string": "xhtml"}
"""Types whose every value is one of another, too; narrative has no ``value[x]`` of its own."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value with its type; ``kind`` is "" for one in parts, which ``pair`` holds as they are."""

    kind: str
    pair: Pair


class Place(NamedTuple):
    """Where a value goes: a member's name, and whether it is an array."""

    key: str
    is_list: bool


def given_of(part: Json) -> Given:
    """Return the value of a part of Parameters. Raises Invalid unless it is exactly one."""
    choices = definition("Parameters.parameter").elements["value"].json_names
    found = {
        key.removeprefix("_") for key in part if key.removeprefix("_") in (*choices, "resource")
    }
    if isinstance(part.get("part"), list):
        found.add("part")
    if len(found) != 1:
        raise Invalid("a value is one value[x], one resource or parts")
    (key,) = found
    if key == "part":
        return Given("", (part["part"], None))
    return Given(choices.get(key, "Resource"), (part.get(key), part.get("_" + key)))


def element_of(type_name: str, name: str) -> tuple[Element, str]:
    """Return the element ``name`` of a type, and the JSON name it was called by ("" by its own).

    A choice is called ``deceased`` or, saying which type is meant, ``deceasedBoolean``.
    """
    try:
        elements = definition(type_name).elements
    except Unsupported:
        raise Invalid("the path leads to what has no elements") from None
    if name in elements:
        return elements[name], ""
    part = (parts_of(type_name) or {}).get(name)
    if part is None:
        raise Invalid("name is no element of what the path leads to")
    return elements[part.name], name


def fitted(given: Given, element: Element, called: str = "") -> tuple[Place, Pair]:
    """Return where in its object ``given`` goes as a value of ``element``, and the value itself.

    Raises Invalid where its type is not one that the element takes.
    """
    names = element.json_names
    if called:
        names = {called: names[called]}
    if given.kind:
        types = {kind: key for key, kind in names.items()}
        kind = next((k for k in _wider(given.kind) if k in types), "")
        if not kind:
            raise Invalid("the value is not of a type that the element takes")
        return Place(types[kind], element.is_list), given.pair
    objects = {key: kind for key, kind in names.items() if not kind[0].islower()}
    if len(objects) != 1 or "Resource" in objects.values():
        raise Invalid("a value in parts needs an element of one type that has elements")
    ((key, kind),) = objects.items()
    return Place(key, element.is_list), (_made(given.pair[0], kind), None)


def _wider(kind: str) -> list[str]:
    """Return the types that a value of type ``kind`` has, the narrowest first."""
    found = list(ancestors(kind)) if kind in type_names() else [kind]
    return [*found, _WIDER[kind]] if kind in _WIDER else found


def _made(parts: Any, kind: str) -> Json:
    """Return the object of type ``kind`` that ``parts`` describe."""
    found: dict[str, tuple[Place, list[Pair]]] = {}
    for part in parts:
        name = part.get("name") if isinstance(part, dict) else None
        if not isinstance(name, str):
            raise Invalid("a part of the value has no name")
        element, called = element_of(kind, name)
        place, pair = fitted(given_of(part), element, called)
        if element.name in found and not element.is_list:
            raise Invalid("two parts of the value are the same element")
        found.setdefault(element.name, (place, []))[1].append(pair)
    made: Json = {}
    for place, pairs in found.values():
        write(made, place, pairs)
    if not made:
        raise Invalid("the value is empty")
    return made


def pairs_at(owner: Json, key: str) -> list[Pair]:
    """Return the values of a member, each with what extends it; [] if there is none."""
    columns = [
        value if isinstance(value, list) else [] if value is None else [value]
        for value in (owner.get(key), owner.get("_" + key))
    ]
    count = max(map(len, columns))
    values, extras = ([*column, *[None] * (count - len(column))] for column in columns)
    return list(zip(values, extras, strict=True))


def write(owner: Json, place: Place, pairs: list[Pair]) -> None:
    """Set a member of ``owner`` and its companion, or take away what has nothing left."""
    for key, column in ((place.key, 0), ("_" + place.key, 1)):
        values = [pair[column] for pair in pairs]
        if all(value is None for value in values):
            owner.pop(key, None)
        else:
            owner[key] = values if place.is_list else values[0]
