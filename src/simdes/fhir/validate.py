"""Validation of a resource against FHIR R4 (https://hl7.org/fhir/R4/validation.html).

Checked: structure, cardinality, value formats, required bindings, reference targets, every
invariant of the base definitions, narrative, and the rules of Bundles. Not checked: terminology
beyond required bindings (``unchecked_invariants`` and ``unchecked_bindings`` list what is left of
the rest). Profiles and extension definitions are checked by ``simdes.fhir.profiles``, if given.
"""

from __future__ import annotations

from typing import Any, Protocol

from simdes.fhir.bindings import UncheckedBinding, unchecked_bindings
from simdes.fhir.definitions import resource_types
from simdes.fhir.invariants import Unchecked, unchecked_invariants
from simdes.fhir.problem import Problem
from simdes.fhir.run import Run
from simdes.fhir.structure import check_resource

__all__ = [
    "Problem",
    "Profiles",
    "Unchecked",
    "UncheckedBinding",
    "unchecked_bindings",
    "unchecked_invariants",
    "validate",
]


class Profiles(Protocol):
    """What checks the profiles that a resource claims: ``simdes.fhir.profiles.Profiles``."""

    def check(self, resource: dict[str, Any]) -> list[Problem]:
        """Return what breaks the profiles that ``resource``, and what is inside it, claims."""


def validate(resource: Any, profiles: Profiles | None = None) -> list[Problem]:
    """Return every rule of R4 that ``resource`` (as from ``json.loads``) breaks, in its order.

    With ``profiles``, those of ``meta.profile`` and the extensions are checked too, once the
    structure is sound. It is valid if no problem ``is_error``. Never raises for any JSON value;
    messages hold no value from the resource.
    """
    run = Run(resource if isinstance(resource, dict) else {})
    try:
        check_resource(resource, run)
    except RecursionError:
        return [Problem("error", "too-costly", "Resource", "nested too deeply", "depth")]
    name = resource.get("resourceType") if isinstance(resource, dict) else None
    is_known = isinstance(name, str) and name in resource_types()
    problems = run.problems(str(name) if is_known else "Resource")
    if profiles is None or not is_known or any(p.code in _MISSHAPEN for p in problems):
        return problems
    return problems + profiles.check(resource)


_MISSHAPEN = frozenset({"structure", "value"})
"""What keeps profiles from being checked: they are asked of values of the right shape."""
