"""Every search parameter of R4 finds what it should, and not what it shouldn't.

The cases are made from the definitions (tests/support/search_cases.py); a second FHIRPath engine
says whether R4's own expression finds something in each.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import fhirpathpy
from fhirpathpy.models import models
from tests.support.search_cases import EXCEPTIONS, NOW_MS, UPDATED_MS, Case, cases
from tests.unit.fhir.published import published

from simdes.fhir.definitions import resource_types
from simdes.fhir.search.extract import extract
from simdes.fhir.search.match import matches
from simdes.fhir.search.parameters import Parameter, parameter, parameters_of
from simdes.fhir.search.parse import parse


def _found(case: Case, text: str) -> bool:
    query = parse((case.type,), [(case.code, text)], now_ms=NOW_MS)
    return matches(
        query.where,
        type=case.type,
        id=case.resource["id"],
        updated_ms=UPDATED_MS,
        values=extract(case.resource),
    )


def test_every_parameter_has_its_case_or_is_an_exception() -> None:
    wanted = {(t, c) for t in resource_types() for c in parameters_of(t) if c not in EXCEPTIONS}
    assert {(c.type, c.code) for c in cases()} == wanted
    assert len(EXCEPTIONS) <= 10
    assert len(wanted) > 2500


def test_every_case_is_hit_and_missed() -> None:
    assert [c.name for c in cases() if not _found(c, c.hit)] == []
    assert [c.name for c in cases() if _found(c, c.miss)] == []


def test_missing_tells_a_resource_with_a_value_from_one_without() -> None:
    for case in cases():
        if case.datatype in ("entry", "deceased"):
            continue  # which no resource is without
        missing, there = (
            parse((case.type,), [(f"{case.code}:missing", text)], now_ms=NOW_MS).where
            for text in ("true", "false")
        )
        for resource, is_there in ((case.resource, True), ({"resourceType": case.type}, False)):
            known: dict[str, Any] = {
                "type": case.type,
                "id": "1",
                "updated_ms": 0,
                "values": extract(resource),
            }
            assert matches(there, **known) is is_there, case.name
            assert matches(missing, **known) is not is_there, case.name


FORGIVEN = {
    "Location.organization": "a Reference with a display alone",
    "Provenance.entity": "a Reference with a display alone",
}


@cache
def _second_engine(expression: str) -> Any:
    """Return R4's expression compiled; `resolve()`, which this engine hasn't, left out."""
    plain = re.sub(r"\.where\(resolve\(\) is \w+\)", "", expression)
    return fhirpathpy.compile(plain, models["r4"])


def test_a_second_engine_finds_something_in_every_case_by_r4s_own_expression() -> None:
    for case in cases():
        found = parameter(case.type, case.code)
        if found is not None and case.datatype != "entry" and not case.code.startswith("_"):
            assert _second_engine(found.expression)(case.resource, None), case.name


def _resources() -> list[dict[str, Any]]:
    """Return up to eight published resources of each type."""
    by_type: dict[str, list[dict[str, Any]]] = {}
    for value in published().values():
        for resource in [value, *(e.get("resource", {}) for e in value.get("entry", ()))]:
            if "resourceType" in resource:
                by_type.setdefault(resource["resourceType"], []).append(resource)
    return [resource for found in by_type.values() for resource in found[:8]]


def _has_value(resource: dict[str, Any], found: Parameter) -> bool:
    names = {slot.name for slot in found.slots}
    return any(v.slot.name in names for v in extract(resource))


def test_published_resources_have_values_where_a_second_engine_finds_elements() -> None:
    """`FORGIVEN` are parameters whose elements, in some resource, rightly give no value."""
    differing = set()
    for resource in _resources():
        for found in parameters_of(resource["resourceType"]).values():
            if not found.walks or found.code.startswith("_") or found.kind == "composite":
                continue
            if "resolve()" in found.expression:
                continue
            is_there = bool(_second_engine(found.expression)(resource, None))
            if is_there is not _has_value(resource, found):
                differing.add(f"{found.type}.{found.code}")
    assert differing == set(FORGIVEN)
