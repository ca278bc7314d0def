"""The state of one validation: where it is, and what it has found so far."""

from __future__ import annotations

from typing import Any

from simdes.fhir.fhirpath import Scope
from simdes.fhir.problem import Problem
from simdes.fhir.reference import BundleIndex, Literal, contained, parse_reference

Resource = dict[str, Any]


class Finding:
    """A problem whose place is still being put together, from the innermost step outwards."""

    __slots__ = ("code", "message", "rule", "severity", "steps")

    def __init__(self, severity: str, code: str, rule: str, message: str, step: str) -> None:
        self.severity = severity
        self.code = code
        self.rule = rule
        self.message = message
        self.steps = [step] if step else []


class Run:
    """One validation.

    A checker adds what it finds with the step at which it found it; the checkers around it, on the
    way out, :meth:`place` these findings one step further up. So a valid resource, which is the
    usual one, costs no path at all.
    """

    __slots__ = ("bundle", "findings", "full_url", "resource", "root")

    def __init__(self, resource: Resource) -> None:
        self.findings: list[Finding] = []
        self.resource = resource
        self.root = resource
        self.bundle: BundleIndex | None = None
        self.full_url = ""

    def enter(self, resource: Resource) -> tuple[Resource, BundleIndex | None, str]:
        """Go into ``resource``; returns where the run was, for :meth:`leave`.

        Within a Bundle, references resolve between its entries.
        """
        outer = (self.resource, self.bundle, self.full_url)
        self.resource = resource
        if resource.get("resourceType") == "Bundle":
            self.bundle = BundleIndex(resource)
        return outer

    def leave(self, outer: tuple[Resource, BundleIndex | None, str]) -> None:
        """Go back to ``outer``."""
        self.resource, self.bundle, self.full_url = outer

    def enter_entry(self, entry: Any) -> None:
        """Go into an entry of a Bundle: relative references resolve against its fullUrl."""
        full_url = entry.get("fullUrl") if isinstance(entry, dict) else None
        self.full_url = full_url if isinstance(full_url, str) else ""

    def add(
        self, code: str, rule: str, message: str, *, step: str = "", severity: str = "error"
    ) -> None:
        """Note a broken rule at ``step`` below where the caller is."""
        self.findings.append(Finding(severity, code, rule, message, step))

    def place(self, first: int, step: str) -> None:
        """Put every finding from the ``first`` on one ``step`` further up."""
        for finding in self.findings[first:]:
            finding.steps.append(step)

    def scope(self, context: Any) -> Scope:
        """Return what FHIRPath at ``context`` may refer to."""
        return Scope(self.resource, self.root, context, self.resolve)

    def resolve(self, literal: str) -> Resource | None:
        """Return the resource that a reference written here leads to, None if not at hand."""
        return self.follow(parse_reference(literal))

    def follow(self, literal: Literal) -> Resource | None:
        """Return the resource that ``literal``, written here, leads to, None if not at hand."""
        if literal.kind == "fragment":
            return contained(self.root, literal.id)
        return self.bundle.find(literal, full_url=self.full_url) if self.bundle else None

    def problems(self, name: str) -> list[Problem]:
        """Return the findings with complete paths; ``name`` is the type of the outermost thing."""
        return [
            Problem(f.severity, f.code, name + "".join(reversed(f.steps)), f.message, f.rule)
            for f in self.findings
        ]
