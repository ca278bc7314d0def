"""Validation of a resource against FHIR R4 (https://hl7.org/fhir/R4/validation.html).

Checked: structure, cardinality, value formats, required bindings, reference targets, every
invariant of the base definitions, narrative, and the rules of Bundles. Not checked: profiles,
extension definitions, terminology beyond required bindings (``unchecked_invariants`` and
``unchecked_bindings`` list what is left of the rest).
"""

from __future__ import annotations

from typing import Any

from simdes.fhir.bindings import UncheckedBinding, unchecked_bindings
from simdes.fhir.definitions import resource_types
from simdes.fhir.invariants import Unchecked, unchecked_invariants
from simdes.fhir.problem import Problem
from simdes.fhir.run import Run
from simdes.fhir.structure import check_resource

__all__ = [
    "Problem",
    "Unchecked",
    "UncheckedBinding",
    "unchecked_bindings",
    "unchecked_invariants",
    "validate",
]


def validate(resource: Any) -> list[Problem]:
    """Return every rule of R4 that ``resource`` (as from ``json.loads``) breaks, in its order.

    It is valid if none of them ``is_error``. Never raises for any JSON value; messages hold no
    value from the resource.
    """
    run = Run(resource if isinstance(resource, dict) else {})
    try:
        check_resource(resource, run)
    except RecursionError:
        return [Problem("error", "too-costly", "Resource", "nested too deeply", "depth")]
    name = resource.get("resourceType") if isinstance(resource, dict) else None
    is_known = isinstance(name, str) and name in resource_types()
    return run.problems(str(name) if is_known else "Resource")
