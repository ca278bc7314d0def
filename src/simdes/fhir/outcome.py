"""What went wrong, or went well, as an OperationOutcome.

https://hl7.org/fhir/R4/operationoutcome.html. ``details.text`` says what, for people;
``diagnostics`` says what to do about it; ``expression`` where. None of them repeats a value from a
resource. HTTP's status codes are the gateway's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from simdes.errors import SimdesError
from simdes.fhir.problem import BrokenRules, Problem

Json = dict[str, Any]

RULES = "urn:simdes:rule"
"""The code system of rules' names: an invariant's key (``obs-6``) or a name of `fhir.validate`."""
MAX_ISSUES = 200
"""More tell nobody anything; the last issue says how many were left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One issue. ``severity`` is fatal, error, warning or information; ``code`` an issue type.

    https://hl7.org/fhir/R4/valueset-issue-type.html. ``expression`` are FHIRPaths from the
    resource type on. ``rule`` names the rule that is broken, if it has a name.
    """

    severity: str = "error"
    code: str
    text: str
    diagnostics: str = ""
    expression: tuple[str, ...] = ()
    rule: str = ""


ALL_IS_WELL = Issue(severity="information", code="informational", text="Nothing is wrong with it.")


def outcome_resource(issues: Iterable[Issue], *, most: int | None = MAX_ISSUES) -> Json:
    """Return the OperationOutcome of ``issues``, at most so many; of none, that all is well."""
    listed = list(issues) or [ALL_IS_WELL]
    if most is not None and len(listed) > most:
        left_out = Issue(code="too-costly", text=f"{len(listed) - most} more issues.")
        listed = [*listed[:most], left_out]
    return {"resourceType": "OperationOutcome", "issue": [_element(issue) for issue in listed]}


def warning(text: str, *, code: str = "processing") -> Issue:
    """Return a warning beside an answer, such as of search parameters that were passed over."""
    return Issue(severity="warning", code=code, text=text)


def issue_of(problem: Problem) -> Issue:
    """Return what `simdes.fhir.validate` found as an issue."""
    return Issue(
        severity=problem.severity,
        code=problem.code,
        text=problem.message,
        expression=(problem.expression,),
        rule=problem.rule,
    )


def issues_of(error: SimdesError) -> tuple[Issue, ...]:
    """Return the issues that ``error`` stands for: one, or one for each broken rule."""
    if isinstance(error, BrokenRules):
        return tuple(issue_of(problem) for problem in error.problems)
    return (Issue(code=error.issue, text=error.message, diagnostics=error.advice),)


def _element(issue: Issue) -> Json:
    made: Json = {"severity": issue.severity, "code": issue.code}
    made["details"] = {"text": issue.text}
    if issue.rule:
        made["details"] = {"coding": [{"system": RULES, "code": issue.rule}], "text": issue.text}
    if issue.diagnostics:
        made["diagnostics"] = issue.diagnostics
    if issue.expression:
        made["expression"] = list(issue.expression)
    return made
