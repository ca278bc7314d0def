"""HL7's published FHIRPath tests for R4: their cases, their inputs, and whether one passes.

FHIR/fhir-test-cases, r4/fhirpath (Apache-2.0), copied to tests/vectors/fhirpath.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from simdes.errors import SimdesError
from simdes.fhir.fhirpath import Surroundings, check
from simdes.fhir.fhirpath.equality import equal, system, truth
from simdes.fhir.fhirpath.evaluate import evaluate_nodes
from simdes.fhir.fhirpath.functions.conversions import to_text
from simdes.fhir.fhirpath.temporal import Temporal
from simdes.fhir.fhirpath.types import type_of
from simdes.fhir.json import loads
from simdes.fhir.xml import loads_xml

VECTORS = Path(__file__).parents[3] / "vectors"
SUITE = VECTORS / "fhirpath" / "tests-fhir-r4.xml.gz"
NOW_MS = 1_760_000_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """One test: ``invalid`` names the kind of error expected, ``outputs`` are (type, text)."""

    group: str
    name: str
    expression: str
    file: str
    invalid: str
    is_strict: bool
    is_predicate: bool
    is_ordered: bool
    outputs: tuple[tuple[str, str], ...]


def cases() -> Iterator[Case]:
    """Yield every test of the suite; those of one name get a number."""
    tree = ElementTree.fromstring(gzip.decompress(SUITE.read_bytes()))
    for group in tree.iterfind("group"):
        names: dict[str, int] = {}
        for test in group.iterfind("test"):
            expression = test.find("expression")
            assert expression is not None
            name = test.get("name", "")
            names[name] = names.get(name, 0) + 1
            yield Case(
                group=group.get("name", ""),
                name=name if names[name] == 1 else f"{name}#{names[name]}",
                expression=expression.text or "",
                file=test.get("inputfile", ""),
                invalid=expression.get("invalid", ""),
                is_strict=test.get("mode") == "strict",
                is_predicate=test.get("predicate") == "true",
                is_ordered=test.get("ordered") != "false",
                outputs=tuple((o.get("type", ""), o.text or "") for o in test.iterfind("output")),
            )


@cache
def resource(file: str) -> dict[str, Any]:
    """Return the input ``file``; an empty resource where a test has none."""
    if not file:
        return {"resourceType": "Basic"}
    folder = next(f for f in ("fhirpath", "fhir", "xml") if (VECTORS / f / file).exists())
    data = (VECTORS / folder / file).read_bytes()
    return loads(data) if file.endswith(".json") else loads_xml(data)


def fault(case: Case) -> str:
    """Return what is wrong with the answer to ``case``, "" if nothing is."""
    on = resource(case.file)
    around = Surroundings(now_ms=NOW_MS)
    try:
        if case.is_strict or case.invalid == "semantic":
            check(case.expression, on["resourceType"])
        found = evaluate_nodes(case.expression, on, surroundings=around)
    except SimdesError as error:
        return "" if case.invalid else f"raised {error!r}"
    if case.invalid:
        return f"should be refused, but is {found!r}"
    if case.is_predicate:
        found = [truth(found) is True]
    if len(found) != len(case.outputs):
        return f"has {len(found)} items: {_shown(found)}"
    wanted = list(case.outputs)
    if not case.is_ordered:
        wanted.sort(key=lambda o: o[1])
        found.sort(key=lambda n: to_text(system(n)) or "")
    if all(_agrees(n, t, text) for n, (t, text) in zip(found, wanted, strict=True)):
        return ""
    return f"is {_shown(found)}"


def _shown(found: list[Any]) -> list[tuple[str, str | None]]:
    return [(type_of(n)[1], to_text(system(n))) for n in found]


def _agrees(item: Any, type_name: str, text: str) -> bool:
    value, actual = system(item), type_of(item)[1]
    # A date moved by hours is published as a date, though it is a dateTime.
    is_type = actual.lower() == type_name.lower() or (type_name, actual) == ("date", "DateTime")
    if type_name and not is_type:
        return False
    if isinstance(value, Temporal):
        return text == f"@{'T' if value.kind == 'Time' else ''}{value}"
    if actual.lower() == "decimal" or (not type_name and actual in ("Integer", "Decimal")):
        return equal(value, Decimal(text)) is True
    return to_text(value) == text
