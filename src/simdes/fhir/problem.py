"""What is wrong with a resource, in words that can become an ``OperationOutcome.issue``.

https://hl7.org/fhir/R4/operationoutcome.html. A message names elements, types, rules and value
sets; it never repeats a value from the resource, which may be about a patient.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from simdes.errors import Invalid


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule.

    ``severity`` is ``error`` (the resource is not valid R4) or ``warning``. ``code`` is from
    https://hl7.org/fhir/R4/valueset-issue-type.html. ``expression`` is the FHIRPath of the element,
    from the resource type on. ``rule`` is the invariant's key (``obs-6``) or this package's name
    for a structural rule (``unknown-element``).
    """

    severity: str
    code: str
    expression: str
    message: str
    rule: str

    @property
    def is_error(self) -> bool:
        """Whether this makes the resource invalid."""
        return self.severity == "error"


class BrokenRules(Invalid):
    """A resource that can't be taken, with the ``problems`` that say where and why."""

    def __init__(self, problems: Iterable[Problem], *, advice: str | None = None) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(f"{first.expression}: {first.message}", advice=advice)
