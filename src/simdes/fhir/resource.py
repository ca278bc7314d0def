"""Small questions about a resource: its type, id, references and patient.

A resource is the dictionary that :func:`simdes.fhir.json.loads` returns. Nothing here changes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simdes.errors import Invalid
from simdes.fhir.definitions import patient_compartment, resource_types
from simdes.fhir.reference import parse_reference

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A Reference in a resource: its FHIRPath, its literal ("" if only logical) and itself."""

    expression: str
    literal: str
    reference: dict[str, Any]


def resource_type(resource: Any) -> str:
    """Return the type of ``resource``; raises ``Invalid`` if it is no R4 resource."""
    name = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(name, str) or name not in resource_types():
        raise Invalid("not a FHIR R4 resource: resourceType is missing or unknown")
    return name


def logical_id(resource: Resource) -> str | None:
    """Return the id of ``resource``, None if it has none yet."""
    value = resource.get("id")
    return value if isinstance(value, str) else None


def version_id(resource: Resource) -> str | None:
    """Return ``meta.versionId`` of ``resource``, None if it has none."""
    meta = resource.get("meta")
    value = meta.get("versionId") if isinstance(meta, dict) else None
    return value if isinstance(value, str) else None


def references(resource: Resource) -> Iterator[Found]:
    """Yield every Reference in ``resource``, those in contained resources included.

    A Reference is known by its shape: an object with a string ``reference``, or with ``identifier``
    or ``type`` beside nothing but what a Reference may have.
    """
    name = resource.get("resourceType")
    waiting: list[tuple[str, Any]] = [(name if isinstance(name, str) else "", resource)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, dict):
            literal = node.get("reference")
            if isinstance(literal, str) or _is_logical(node):
                yield Found(path, literal if isinstance(literal, str) else "", node)
            waiting += [(f"{path}.{k}", v) for k, v in reversed(node.items())]
        elif isinstance(node, list):
            waiting += [(f"{path}[{i}]", v) for i, v in reversed([*enumerate(node)])]


_REFERENCE_MEMBERS = frozenset({"id", "extension", "reference", "type", "identifier", "display"})


def _is_logical(node: dict[str, Any]) -> bool:
    return isinstance(node.get("identifier"), dict) and _REFERENCE_MEMBERS.issuperset(node)


def patient_references(resource: Resource) -> tuple[dict[str, Any], ...]:
    """Return the References that may put ``resource`` into a patient's compartment.

    By https://hl7.org/fhir/R4/compartmentdefinition-patient.html: for an Observation those of
    ``subject`` and ``performer``. One that names another type than Patient is left out; one that
    doesn't say (a URN, a fragment, an identifier) is kept.
    """
    paths = patient_compartment().get(resource_type(resource), ())
    found = [node for path in paths for node in _follow(resource, path)]
    return tuple(n for n in found if _may_be_patient(n))


def subject_reference(resource: Resource) -> dict[str, Any] | None:
    """Return the Reference to the patient that ``resource`` is about, None if there is none.

    The first of ``patient``, ``subject``, ``beneficiary``, ``individual``, ``for`` or
    ``candidate`` that the compartment's definition lists for its type and that may be a patient.
    """
    paths = patient_compartment().get(resource_type(resource), ())
    for name in ("patient", "subject", "beneficiary", "individual", "for", "candidate"):
        if (name,) in paths:
            for node in _follow(resource, (name,)):
                if _may_be_patient(node):
                    return node
    return None


def _follow(node: Any, path: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for item in node:
            yield from _follow(item, path)
    elif isinstance(node, dict):
        if path:
            yield from _follow(node.get(path[0]), path[1:])
        else:
            yield node


def _may_be_patient(reference: dict[str, Any]) -> bool:
    literal = reference.get("reference")
    named = parse_reference(literal).type if isinstance(literal, str) else ""
    return (named or reference.get("type") or "Patient") == "Patient"
