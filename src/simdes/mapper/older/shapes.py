"""What the types of FHIR DSTU2, STU3 and R4 are made of, seen alike.

The older versions' elements come from ``dstu2.json`` and ``stu3.json`` beside this file, compiled
of HL7's definitions (https://hl7.org/fhir/DSTU2/, https://hl7.org/fhir/STU3/) by
``tools/compile_older_definitions.py``; R4's from `simdes.fhir.definitions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from simdes.fhir.definitions import definition, resource_types
from simdes.fhir.elements import Part, parts_of

R4, STU3, DSTU2 = "r4", "stu3", "dstu2"
VERSIONS = (R4, STU3, DSTU2)
"""The newest first: what fits several is taken for the newest."""

_QUANTITIES = frozenset(("Age", "Count", "Distance", "Duration", "Money", "SimpleQuantity"))
"""Types that the older versions define as constraints on Quantity."""

_NO_DOMAIN = frozenset(("Binary", "Bundle", "Parameters"))
_RESOURCE = {"id": "id", "meta": "Meta", "implicitRules": "uri", "language": "code"}
_DOMAIN = {
    "text": "Narrative",
    "contained": "Resource*",
    "extension": "Extension*",
    "modifierExtension": "Extension*",
}
_BACKBONE = {"id": "string", "extension": "Extension*", "modifierExtension": "Extension*"}
_ELEMENT = {"id": "string", "extension": "Extension*"}


@dataclass(frozen=True, slots=True)
class Shape:
    """A type: its elements by JSON name, and for each required one the names it may have."""

    parts: Mapping[str, Part]
    required: tuple[frozenset[str], ...]
    is_resource: bool


@cache
def shape(version: str, name: str) -> Shape | None:
    """Return the shape of type ``name``; None where the version has no such type."""
    return _newest(name) if version == R4 else _older(version, name)


def is_primitive(kind: str) -> bool:
    """Say whether JSON writes values of this type as strings, numbers or booleans."""
    return kind[:1].islower()


@cache
def resource_names(version: str) -> frozenset[str]:
    """Return the names of a version's resource types."""
    return resource_types() if version == R4 else frozenset(_compiled(version)["resources"])


def _newest(name: str) -> Shape | None:
    parts = parts_of(name)
    if parts is None:
        return None
    made = definition(name)
    required = [frozenset(e.json_names) for e in made.elements.values() if e.minimum]
    return Shape(parts, tuple(required), made.kind == "resource" and not made.is_abstract)


def _older(version: str, name: str) -> Shape | None:
    types: dict[str, dict[str, str]] = _compiled(version)["types"]
    if name == "Element":  # it has no element but what all have
        rows: dict[str, str] | None = {}
    else:
        rows = types.get("Quantity" if name in _QUANTITIES and name not in types else name)
    if rows is None:
        return None
    is_resource = name in resource_names(version)
    parts: dict[str, Part] = {}
    required = []
    for element, row in (_base(name, is_resource=is_resource) | rows).items():
        kinds = row.rstrip("*!").split()
        plain = element.removesuffix("[x]")
        names = {plain: kinds[0]}
        if plain != element:
            names = {plain + kind[0].upper() + kind[1:]: kind for kind in kinds}
        for json_name, kind in names.items():
            parts[json_name] = Part(plain, kind, "*" in row[-2:])
        if row.endswith("!"):
            required.append(frozenset(names))
    return Shape(parts, tuple(required), is_resource)


def _base(name: str, *, is_resource: bool) -> dict[str, str]:
    if is_resource:
        return _RESOURCE if name in _NO_DOMAIN else _RESOURCE | _DOMAIN
    return _BACKBONE if "." in name else _ELEMENT


@cache
def _compiled(version: str) -> dict[str, Any]:
    data = resources.files(__package__).joinpath(f"{version}.json").read_bytes()
    compiled: dict[str, Any] = msgspec.json.decode(data)
    return compiled
