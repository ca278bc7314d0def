"""The values in a resource, each with its type and place; and when two are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simdes.fhir.definitions import Element, definition, resource_types, type_names
from simdes.fhir.fhirpath import Node
from simdes.fhir.fhirpath.equality import key

Json = Any


@dataclass(frozen=True, slots=True)
class Item:
    """A value in a resource: ``value`` is None for a primitive that only has extensions."""

    value: Json
    companion: dict[str, Any] | None
    """Of a primitive its id and extensions (``_name``)."""
    type: str
    step: str
    """From its parent: ``.name[0]``."""

    @property
    def node(self) -> Node:
        """The value as FHIRPath sees it."""
        return Node(self.value, self.companion, self.type)

    @property
    def identity(self) -> int:
        """A number of this value's own, as long as the resource is there."""
        return id(self.companion if self.companion is not None else self.value)

    @property
    def members(self) -> dict[str, Any]:
        """The object in which to look for its children."""
        if isinstance(self.value, dict):
            return self.value
        return self.companion or {}


def root(resource: dict[str, Any]) -> Item:
    """Return the resource itself as an item."""
    return Item(resource, None, str(resource.get("resourceType", "")), "")


def children(item: Item, name: str) -> list[Item]:
    """Return the values of ``item``'s element ``name`` (``value[x]``, or ``valueQuantity``)."""
    element, only = _element(item.type, name)
    if element is None:
        return []
    found = []
    for json_name, type_ in element.json_names.items():
        if only and json_name != only:
            continue
        values, companions = item.members.get(json_name), item.members.get("_" + json_name)
        if values is None and companions is None:
            continue
        step = f".{element.name}"
        if element.is_list:
            found += _listed(values, companions, type_, step)
        else:
            step += f".ofType({type_})" if element.is_choice else ""
            found.append(_item(values, companions, type_, step))
    return found


def _element(type_: str, name: str) -> tuple[Element | None, str]:
    """Return the element and, if ``name`` is one form of a choice, that form."""
    if type_ not in type_names():
        return None, ""
    elements = definition(type_).elements
    plain = elements.get(name.removesuffix("[x]"))
    if plain is not None:
        return plain, ""
    return next((e for e in elements.values() if name in e.json_names), None), name


def _listed(values: Json, companions: Json, type_: str, step: str) -> list[Item]:
    values = values if isinstance(values, list) else []
    companions = companions if isinstance(companions, list) else []
    found = []
    for index in range(max(len(values), len(companions))):
        value = values[index] if index < len(values) else None
        companion = companions[index] if index < len(companions) else None
        if value is not None or companion is not None:
            found.append(_item(value, companion, type_, f"{step}[{index}]"))
    return found


def _item(value: Json, companion: Json, type_: str, step: str) -> Item:
    if type_ == "Resource" and isinstance(value, dict):
        actual = value.get("resourceType")
        if actual in resource_types():
            return Item(value, None, actual, f"{step}.ofType({actual})")
    return Item(value, companion if isinstance(companion, dict) else None, type_, step)


def equals(value: Json, fixed: Json) -> bool:
    """Whether ``value`` is exactly ``fixed``."""
    return key(value) == key(fixed)


def fits(value: Json, pattern: Json) -> bool:
    """Whether ``value`` has all that ``pattern`` has.

    https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.pattern_x_
    """
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            name in value and fits(value[name], wanted) for name, wanted in pattern.items()
        )
    if isinstance(pattern, list):
        return isinstance(value, list) and all(
            any(fits(one, wanted) for one in value) for wanted in pattern
        )
    return equals(value, pattern)
