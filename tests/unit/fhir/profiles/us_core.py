"""US Core 6.1.0 as its package has it, and its own examples."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

from simdes.fhir.profiles import Profiles, load_package
from unit.fhir.published import published

PACKAGE = Path(__file__).parents[3] / "vectors/fhir/packages/us_core_610.tgz"
BASE = "http://hl7.org/fhir/us/core/StructureDefinition/"


@cache
def us_core() -> Profiles:
    return Profiles([load_package(PACKAGE)])


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(published()[f"{name}.json"])
    return found


def examples() -> dict[str, Any]:
    names = (n for n in published() if not n.startswith(("synthea", "patient-", "explanation")))
    return {name: published()[name] for name in names}


def _put(node: Any, path: tuple[Any, ...], value: Any) -> None:
    *way, last = path
    for step in way:
        node = node[step]
    if value is None:
        del node[last]
    elif isinstance(node, list) and last == len(node):
        node.append(value)
    else:
        node[last] = value


def changed(name: str, *changes: tuple[tuple[Any, ...], Any]) -> dict[str, Any]:
    """The example with values put at paths; None takes one away."""
    resource = example(name)
    for path, value in changes:
        _put(resource, path, value)
    return resource


SNOMED = {"coding": [{"system": "http://snomed.info/sct", "code": "1"}]}
_ETHNICITY = {
    "url": BASE + "us-core-ethnicity",
    "extension": [{"url": "text", "valueString": "x"}],
}

_BIRTH_SEX = {"url": BASE + "us-core-birthsex", "valueString": "M"}

MUTATED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no identifier": (
        changed("Patient-example", (("identifier",), None)),
        "minimum",
        "Patient.identifier",
    ),
    "identifier without value": (
        changed("Patient-example", (("identifier", 0, "value"), None)),
        "minimum",
        "Patient.identifier[0].value",
    ),
    "name without parts": (
        changed(
            "Patient-child-example", (("name", 0, "family"), None), (("name", 0, "given"), None)
        ),
        "us-core-6",
        "Patient.name[0]",
    ),
    "race without text": (
        changed(
            "Patient-child-example",
            (("extension", 0, "extension"), [{"url": "ombCategory", "valueCoding": {}}]),
            (
                ("extension", 0, "extension", 0, "valueCoding"),
                {"system": "urn:oid:2.16.840.1.113883.6.238", "code": "2028-9"},
            ),
        ),
        "minimum",
        "Patient.extension[0].extension",
    ),
    "ethnicity twice": (
        changed(
            "Patient-child-example",
            (("extension", 0), _ETHNICITY),
        ),
        "maximum",
        "Patient.extension",
    ),
    "birth sex of another type": (
        changed(
            "Patient-child-example",
            (("extension", 2), {"url": BASE + "us-core-birthsex", "valueString": "M"}),
        ),
        "type",
        "Patient.extension[2].value.ofType(string)",
    ),
    "vital sign without category": (
        changed("Observation-heart-rate", (("category",), [SNOMED])),
        "minimum",
        "Observation.category",
    ),
    "vital sign without value": (
        changed("Observation-heart-rate", (("valueQuantity",), None)),
        "vs-2",
        "Observation",
    ),
    "unit that is not fixed": (
        changed("Observation-heart-rate", (("valueQuantity", "code"), "{beats}/min")),
        "fixed",
        "Observation.value.ofType(Quantity).code",
    ),
    "subject of another type": (
        changed("Observation-heart-rate", (("subject", "reference"), "Group/1")),
        "reference-target",
        "Observation.subject.reference",
    ),
    "blood pressure without systolic": (
        changed("Observation-blood-pressure", (("component", 0, "code"), SNOMED)),
        "minimum",
        "Observation.component",
    ),
    "code that is not the pattern": (
        changed("Observation-blood-pressure", (("code",), SNOMED)),
        "pattern",
        "Observation.code",
    ),
    "time less precise than a day": (
        changed("Observation-heart-rate", (("effectiveDateTime",), "2005-07")),
        "vs-1",
        "Observation.effective.ofType(dateTime)",
    ),
    "category of no slice": (
        changed("Condition-condition-duodenal-ulcer", (("category",), [SNOMED])),
        "minimum",
        "Condition.category",
    ),
    "NPI with a wrong check digit": (
        changed("Practitioner-practitioner-1", (("identifier", 0, "value"), "9941339107")),
        "us-core-17",
        "Practitioner.identifier[0]",
    ),
    "medication request without requester": (
        changed("MedicationRequest-medicationrequest-coded-oral-axid", (("requester",), None)),
        "us-core-21",
        "MedicationRequest",
    ),
    "another type of resource": (
        changed("Patient-example", (("meta", "profile", 0), BASE + "us-core-location")),
        "profile-type",
        "Patient",
    ),
}
"""Examples with a fault: the resource, the rule that finds it, and where."""
