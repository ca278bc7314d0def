"""The search parameters that R4 defines, and its compartments, as tables.

https://hl7.org/fhir/R4/searchparameter-registry.html and
https://hl7.org/fhir/R4/compartmentdefinition.html, compiled by
``tools/compile_search_parameters.py`` into ``definitions/search.json``, which is read once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

import msgspec

from simdes.decoding import ready
from simdes.fhir.definitions import definition, resource_types
from simdes.fhir.search.conditions import Kind, Slot
from simdes.fhir.search.paths import Walk, walks

URL = "http://hl7.org/fhir/SearchParameter/"

ParameterKind = Literal[
    "composite", "date", "number", "quantity", "reference", "special", "string", "token", "uri"
]


@dataclass(frozen=True, slots=True)
class Component:
    """One component of a composite: its slot, and where its values are, from each part."""

    slot: Slot
    walks: tuple[Walk, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """The search parameter ``code`` of the resource type ``type``.

    ``slots`` are all that tell whether it has a value (``:missing``); the first is the one that
    values are compared in. ``targets`` is () for references to any type. ``walks`` lead to the
    values of a simple parameter, to the parts of a composite.
    """

    code: str
    type: str
    kind: ParameterKind
    slots: tuple[Slot, ...]
    targets: tuple[str, ...]
    components: tuple[Component, ...]
    walks: tuple[Walk, ...]
    expression: str
    description: str
    url: str

    @property
    def slot(self) -> Slot:
        """The slot that its values are compared in."""
        return self.slots[0]

    @property
    def datatypes(self) -> frozenset[str]:
        """The FHIR data types of the elements that it looks at."""
        return frozenset(walk.type for walk in self.walks)


class _Row(msgspec.Struct):
    kind: ParameterKind
    id: str
    expression: str
    description: str
    targets: tuple[str, ...] = ()
    components: tuple[tuple[str, str], ...] = ()


class _Compiled(msgspec.Struct):
    parameters: dict[str, dict[str, _Row]]
    compartments: dict[str, dict[str, tuple[str, ...]]]


def parameter(type_: str, code: str) -> Parameter | None:
    """Return the parameter ``code`` of the resource type ``type_``, None if R4 has none."""
    return parameters_of(type_).get(code)


@cache
def parameters_of(type_: str) -> Mapping[str, Parameter]:
    """Return by code the parameters of the resource type ``type_``, those of all types included.

    For ``Resource``: those that every type has.
    """
    rows = _rows(type_)
    return MappingProxyType({code: _parameter(type_, code, row) for code, row in rows.items()})


@cache
def searchable(type_: str) -> tuple[Parameter, ...]:
    """Return the parameters of ``type_`` that can be searched by here: those with an expression.

    For CapabilityStatements; ``_list`` and the result parameters are none of them.
    """
    return tuple(p for p in parameters_of(type_).values() if p.walks)


@cache
def compartments() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Return by compartment and resource type the parameters that lead into the compartment.

    ``{"Patient": {"Observation": ("performer", "subject"), ...}, ...}``; ``{def}`` stands for the
    resource that the compartment is of, which is always in it.
    """
    return MappingProxyType(_compiled().compartments)


@cache
def value_codes(type_: str) -> tuple[str, ...]:
    """Return the codes of the parameters whose values are extracted: not the id, nor the time."""
    return tuple(p.code for p in searchable(type_) if p.code not in ("_id", "_lastUpdated"))


def _rows(type_: str) -> dict[str, _Row]:
    tables = _compiled().parameters
    if type_ == "Resource":
        return tables["Resource"]
    if type_ not in resource_types():
        return {}
    rows = dict(tables["Resource"])
    if definition(type_).base == "DomainResource":
        rows |= tables["DomainResource"]
    return rows | tables.get(type_, {})


def _parameter(type_: str, code: str, row: _Row) -> Parameter:
    # What all types have has one slot for all of them, so that one search can look through all.
    name = f"{'Resource' if code in _rows('Resource') else type_}.{code}"
    components: tuple[Component, ...] = ()
    if row.kind == "composite":
        parts = walks(row.expression, type_)
        components = tuple(
            _component(f"{name}#{number}", definition_id, expression, parts, type_)
            for number, (definition_id, expression) in enumerate(row.components)
        )
        slots = tuple(c.slot for c in components)
    elif row.kind == "special":
        slots = (Slot(f"{name}#0", Kind.NUMBER), Slot(f"{name}#1", Kind.NUMBER))
    else:
        slots = (Slot(name, Kind(row.kind)), *_slots_beside(name, row.kind))
    return Parameter(
        code=code,
        type=type_,
        kind=row.kind,
        slots=slots,
        targets=row.targets,
        components=components,
        walks=walks(row.expression, type_),
        expression=row.expression,
        description=row.description,
        url=URL + row.id,
    )


def _slots_beside(name: str, kind: str) -> tuple[Slot, ...]:
    """Return the slots that may hold a value where the parameter's own has none."""
    if kind == "token":
        return (Slot(f"{name}:text", Kind.STRING),)
    if kind == "reference":
        return (Slot(f"{name}:identifier", Kind.TOKEN),)
    return ()


def _component(
    name: str, definition_id: str, expression: str, parts: tuple[Walk, ...], type_: str
) -> Component:
    found: dict[Walk, None] = {}
    for part in parts:
        found.update(dict.fromkeys(walks(expression, part.type, root=type_)))
    return Component(Slot(name, Kind(_kind(definition_id))), tuple(found))


@cache
def _kind(definition_id: str) -> str:
    for rows in _compiled().parameters.values():
        for row in rows.values():
            if row.id == definition_id:
                return row.kind
    raise LookupError(definition_id)


@cache
def _compiled() -> _Compiled:
    data = resources.files("simdes.fhir.definitions").joinpath("search.json").read_bytes()
    return msgspec.json.decode(data, type=ready(_Compiled))
