"""Fill in what R4 requires and a source did not say, all the way down a resource.

A required element that is missing gets the code of ``defaults.psv``, else data-absent-reason
``unknown`` (http://hl7.org/fhir/StructureDefinition/data-absent-reason) in the form its type needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from simdes.errors import Unsupported
from simdes.fhir.definitions import Element, definition, resource_types
from simdes.mapper.model import Json
from simdes.mapper.sheets import Line, rows

_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_LEFT = frozenset(("Extension", "Meta", "Narrative", "Reference", "Resource"))
_CHOICES = ("CodeableConcept", "dateTime", "Reference", "string")


def absent() -> Json:
    """Say that a value was not sent."""
    return {"extension": [{"url": _ABSENT, "valueCode": "unknown"}]}


@dataclass(frozen=True, slots=True)
class _Need:
    """A required element: the names it may have, the name to fill, and with what.

    A ``value`` of a ``system`` is a CodeableConcept, no value is data-absent-reason.
    """

    names: tuple[str, ...]
    name: str
    kind: str
    value: str
    is_list: bool
    system: str = ""


@dataclass(frozen=True, slots=True)
class _Plan:
    needs: tuple[_Need, ...]
    inner: Mapping[str, str]


def complete(body: Json, kind: str) -> None:
    """Complete an element or resource of type ``kind``."""
    plan = _plan(kind)
    for need in plan.needs:
        if not any(name in body or f"_{name}" in body for name in need.names):
            _fill(body, need)
    for name, part in list(body.items()):
        inner = plan.inner.get(name)
        if inner is None:
            continue
        for one in part if isinstance(part, list) else (part,):
            if isinstance(one, dict):
                complete(one, one.get("resourceType", inner) if inner == "Resource" else inner)


def _fill(body: Json, need: _Need) -> None:
    value: Any
    if need.system:
        body[need.name] = {"coding": [{"system": need.system, "code": need.value}]}
    elif need.value:
        body[need.name] = [need.value] if need.is_list else need.value
    elif definition(need.kind).kind == "primitive-type":
        body[f"_{need.name}"] = [absent()] if need.is_list else absent()
        if need.is_list:
            body[need.name] = [None]
    else:
        value = {} if _plan(need.kind).needs and "." in need.kind else absent()
        body[need.name] = [value] if need.is_list else value


@cache
def _plan(kind: str) -> _Plan:
    needs: list[_Need] = []
    inner: dict[str, str] = {}
    for element in definition(kind).elements.values():
        for name, type_ in element.json_names.items():
            if _is_complex(type_):
                inner[name] = type_
        if element.minimum > 0 and element.name not in ("id", "resourceType"):
            needs.append(_need(kind, element))
    for path, line in _defaults().items():  # elements an invariant asks for
        owner, _, name = path.rpartition(".")
        if owner == kind and not any(need.name == name for need in needs):
            element = definition(kind).elements[name]
            names = (name, *line.cell("unless").split())
            value, system = line.cell("value"), line.cell("system")
            needs.append(_Need(names, name, element.types[0], value, element.is_list, system))
    return _Plan(tuple(needs), inner)


def _need(kind: str, element: Element) -> _Need:
    names = element.json_names
    by_type = {type_: name for name, type_ in names.items()}
    chosen = next((by_type[one] for one in _CHOICES if one in by_type), next(iter(names)))
    line = _defaults().get(f"{kind}.{element.name}")
    value = line.cell("value") if line is not None else ""
    return _Need(tuple(names), chosen, names[chosen], value, is_list=element.is_list)


def _is_complex(type_: str) -> bool:
    if type_ in _LEFT:
        return type_ == "Resource"
    try:
        return definition(type_).kind != "primitive-type" and type_ not in resource_types()
    except Unsupported:
        return False


@cache
def _defaults() -> dict[str, Line]:
    text = (files("simdes.mapper") / "defaults.psv").read_text(encoding="utf-8")
    return {line.cell("path"): line for line in rows("defaults.psv", text)}
