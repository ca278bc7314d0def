"""OperationOutcomes are valid, say where and what to do, and end somewhere."""

from __future__ import annotations

from typing import Any

import pytest

from simdes import errors
from simdes.errors import SimdesError
from simdes.fhir.definitions import value_set_codes
from simdes.fhir.outcome import (
    MAX_ISSUES,
    Issue,
    issue_of,
    issues_of,
    outcome_resource,
    warning,
)
from simdes.fhir.problem import BrokenRules, Problem
from simdes.fhir.validate import validate

KINDS = [
    kind
    for _, kind in sorted(vars(errors).items())
    if isinstance(kind, type) and issubclass(kind, SimdesError) and kind is not SimdesError
]
NO_NARRATIVE = ["dom-6"]
"""What alone an outcome may be warned of: it has no narrative."""


def broken(resource: dict[str, Any]) -> list[str]:
    return [problem.rule for problem in validate(resource)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_error_becomes_a_valid_outcome(kind: type[SimdesError]) -> None:
    made = outcome_resource(issues_of(kind("what happened")))
    assert broken(made) == NO_NARRATIVE
    (issue,) = made["issue"]
    assert issue["severity"] == "error"
    assert issue["code"] == kind.issue
    assert issue["details"] == {"text": "what happened"}
    assert issue["diagnostics"] == kind.default_advice


def test_what_validation_finds_keeps_its_place_and_rule() -> None:
    problems = validate({"resourceType": "Patient", "active": "yes", "nonsense": 1})
    made = outcome_resource(map(issue_of, problems))
    assert broken(made) == NO_NARRATIVE
    assert [issue["expression"] for issue in made["issue"]] == [
        ["Patient.active"],
        ["Patient.nonsense"],
        ["Patient"],
    ]
    rules = [issue["details"]["coding"][0]["code"] for issue in made["issue"]]
    assert rules == ["boolean", "unknown-element", *NO_NARRATIVE]


def test_each_broken_rule_is_an_issue_of_its_own() -> None:
    problems = [
        Problem("error", "structure", "Patient.name", "at most one value", "maximum"),
        Problem("warning", "value", "Patient.active", "odd", "odd"),
    ]
    error = BrokenRules(problems)
    assert error.message == "Patient.name: at most one value"
    found = issues_of(error)
    assert [issue.expression for issue in found] == [("Patient.name",), ("Patient.active",)]
    assert [issue.severity for issue in found] == ["error", "warning"]


def test_nothing_wrong_is_said_too() -> None:
    made = outcome_resource([])
    assert broken(made) == NO_NARRATIVE
    assert made["issue"][0]["severity"] == "information"


def test_a_warning_is_valid_and_no_error() -> None:
    made = outcome_resource([warning("Passed over an unknown parameter.")])
    assert broken(made) == NO_NARRATIVE
    assert made["issue"][0]["severity"] == "warning"


def test_countless_issues_are_cut_and_counted() -> None:
    many = [Issue(code="invalid", text="x")] * (MAX_ISSUES + 5)
    made = outcome_resource(many)
    assert len(made["issue"]) == MAX_ISSUES + 1
    assert made["issue"][-1]["details"]["text"] == "5 more issues."
    assert len(outcome_resource(many, most=None)["issue"]) == MAX_ISSUES + 5


def test_the_errors_are_a_closed_set() -> None:
    assert len(KINDS) == 11


def test_codes_are_of_the_issue_types() -> None:
    known = value_set_codes("http://hl7.org/fhir/ValueSet/issue-type")
    assert known
    assert {kind.issue for kind in KINDS} <= known
