"""The R4 definitions: types, elements, bindings, value sets, the patient compartment.

Compiled from HL7's publication (https://hl7.org/fhir/R4/downloads.html, CC0) by
``tools/compile_definitions.py`` into ``r4.json`` beside this file, which is read once, on first
use. Types are named as in the standard; an inline type (a backbone) is named by its path:
``Patient.contact``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

import msgspec

from simdes.errors import Unsupported


@dataclass(frozen=True, slots=True)
class Constraint:
    """An invariant: ``expression`` (FHIRPath) must be true wherever it applies."""

    key: str
    severity: str
    human: str
    expression: str


@dataclass(frozen=True, slots=True)
class Binding:
    """The value set an element's codes come from; ``maximum`` binds as if required."""

    strength: str
    value_set: str
    maximum: str | None


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a type. ``maximum`` is None for any number; ``targets`` is () for any type.

    A choice (``value[x]``) has ``name`` ``value`` and is written under one of ``json_names``.
    ``is_summary``: a client that asks for a summary gets it.
    """

    name: str
    path: str
    minimum: int
    maximum: int | None
    types: tuple[str, ...]
    targets: tuple[str, ...]
    binding: Binding | None
    constraints: tuple[Constraint, ...]
    is_choice: bool
    is_summary: bool

    @property
    def is_list(self) -> bool:
        """Whether JSON writes it as an array."""
        return self.maximum is None or self.maximum > 1

    @property
    def json_names(self) -> Mapping[str, str]:
        """Its member names in JSON, each with its type: ``{"valueString": "string", ...}``."""
        if not self.is_choice:
            return {self.name: self.types[0]}
        return {self.name + t[0].upper() + t[1:]: t for t in self.types}


@dataclass(frozen=True, slots=True)
class Type:
    """A resource, data type, primitive or backbone with all elements, inherited ones first.

    ``kind`` is ``resource``, ``complex-type``, ``primitive-type`` or ``backbone``; ``base`` is the
    type it specialises ('' for Element and Resource).
    """

    name: str
    kind: str
    base: str
    is_abstract: bool
    elements: Mapping[str, Element]
    constraints: tuple[Constraint, ...]


@cache
def definition(name: str) -> Type:
    """Return the type ``name``; raises ``Unsupported`` if R4 has none of that name."""
    row = _compiled()["types"].get(name)
    if row is None:
        raise Unsupported("no such type in FHIR R4")
    base = definition(row["base"]) if "base" in row else None
    elements = dict(base.elements) if base else {}
    for key, values in row["elements"].items():
        element = _element(key, f"{name}.{key}", values)
        elements[element.name] = element
    return Type(
        name=name,
        kind=row["kind"],
        base=row.get("base", ""),
        is_abstract=row.get("abstract", False),
        elements=MappingProxyType(elements),
        constraints=(base.constraints if base else ()) + _constraints(row),
    )


@cache
def type_names() -> frozenset[str]:
    """Return the names of every type, backbones included."""
    return frozenset(_compiled()["types"])


@cache
def resource_types() -> frozenset[str]:
    """Return the names of the resource types that can be instantiated."""
    types = _compiled()["types"].items()
    return frozenset(n for n, t in types if t["kind"] == "resource" and not t.get("abstract"))


@cache
def value_set_codings(url: str) -> Mapping[str, frozenset[str]] | None:
    """Return the codes by code system of the value set ``url``, None if not enumerable here.

    Known are the value sets of required bindings, and those of extensible and preferred ones with
    at most 400 codes. A version (``|4.0.1``) is ignored: R4 has one of each.
    """
    compiled = _compiled()
    codes = compiled["valueSets"].get(url.partition("|")[0])
    if codes is None:
        return None
    systems = compiled["codeSystems"]
    return MappingProxyType(
        {s: frozenset(systems[s] if c is None else c) for s, c in codes.items()}
    )


@cache
def value_set_codes(url: str) -> frozenset[str] | None:
    """Return the codes of the value set ``url`` without their systems, None if not enumerable."""
    codings = value_set_codings(url)
    return None if codings is None else frozenset().union(*codings.values())


@cache
def patient_compartment() -> Mapping[str, tuple[tuple[str, ...], ...]]:
    """Return per resource type the element paths that may name its patient.

    https://hl7.org/fhir/R4/compartmentdefinition-patient.html, each path as its steps:
    ``{"Appointment": (("participant", "actor"),), ...}``.
    """
    rows = _compiled()["patientCompartment"].items()
    return MappingProxyType({t: tuple(tuple(p.split(".")) for p in ps) for t, ps in rows})


@cache
def _compiled() -> dict[str, Any]:
    data = resources.files(__name__).joinpath("r4.json").read_bytes()
    compiled: dict[str, Any] = msgspec.json.decode(data)
    return compiled


def _element(key: str, path: str, row: dict[str, Any]) -> Element:
    binding = row.get("binding")
    most = row.get("max", "1")
    return Element(
        name=key.removesuffix("[x]"),
        path=path.removesuffix("[x]"),
        minimum=row.get("min", 0),
        maximum=None if most == "*" else int(most),
        types=tuple(row["types"]),
        targets=tuple(row.get("targets", ())),
        binding=Binding(binding[0], binding[1], (*binding[2:], None)[0]) if binding else None,
        constraints=_constraints(row),
        is_choice=key.endswith("[x]"),
        is_summary=row.get("summary", False),
    )


def _constraints(row: dict[str, Any]) -> tuple[Constraint, ...]:
    return tuple(Constraint(*c) for c in row.get("constraints", ()))
