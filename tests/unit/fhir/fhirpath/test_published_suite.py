"""HL7's own tests of FHIRPath for R4, all of them."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import pytest

from simdes.errors import SimdesError
from simdes.fhir.fhirpath import check
from unit.fhir.fhirpath.published import Case, cases, fault, resource

DIFFERENCES: dict[str, str] = json.loads(
    Path(__file__).with_name("published_differences.json").read_text("utf-8")
)
GROUPS = {name: list(group) for name, group in groupby(cases(), key=lambda c: c.group)}


@pytest.mark.parametrize("group", GROUPS)
def test_the_published_tests_pass_but_for_those_listed(group: str) -> None:
    faults = {f"{group}/{c.name}": found for c in GROUPS[group] if (found := fault(c))}
    expected = {n for n in DIFFERENCES if n.startswith(f"{group}/")}
    assert set(faults) == expected, {n: f for n, f in faults.items() if n not in expected}


def test_the_suite_is_whole_and_every_difference_has_its_reason() -> None:
    every = [c for group in GROUPS.values() for c in group]
    assert len(every) == 935
    assert len([c for c in every if c.invalid]) == 35
    assert set(DIFFERENCES) <= {f"{c.group}/{c.name}" for c in every}
    assert all(DIFFERENCES.values())


def _refusal(case: Case) -> str:
    try:
        check(case.expression, resource(case.file)["resourceType"])
    except SimdesError as error:
        return error.message
    return ""


def test_the_check_without_a_resource_passes_what_is_right() -> None:
    right = [c for group in GROUPS.values() for c in group if not c.invalid]
    assert {c.name: m for c in right if (m := _refusal(c))} == {}
    wrong = [c for group in GROUPS.values() for c in group if c.invalid == "semantic"]
    assert [c.name for c in wrong if not _refusal(c)] == []
