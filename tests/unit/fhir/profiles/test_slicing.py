"""Slicing by every kind of discriminator, on profiles made for it (differentials only)."""

from __future__ import annotations

from typing import Any

import pytest

from simdes.errors import SimdesError
from simdes.fhir.json import dumps
from simdes.fhir.problem import Problem
from simdes.fhir.profiles import Profiles
from simdes.fhir.profiles.package import Package

OWN = "http://example.org/profiles/"
GENDER = "http://hl7.org/fhir/administrative-gender"
LOINC = "http://loinc.org"


def profile(type_: str, *elements: dict[str, Any], name: str = "p", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "StructureDefinition",
        "url": OWN + name,
        "name": name,
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": type_,
        "baseDefinition": f"http://hl7.org/fhir/StructureDefinition/{type_}",
        "derivation": "constraint",
        "differential": {"element": [{"path": type_}, *elements]},
        **more,
    }


def loaded(*resources: dict[str, Any]) -> Profiles:
    files = {(r["resourceType"], r["url"]): bytes(dumps(r)) for r in resources}
    return Profiles([Package("own", "1", files)])


def sliced(place: str, /, rule: str = "open", ordered: bool = False, **row: str) -> dict[str, Any]:
    slicing: dict[str, Any] = {"rules": rule, "ordered": ordered}
    slicing |= {"discriminator": [row]} if row else {}
    return {"path": place, "slicing": slicing}


def rules(known: Profiles, resource: dict[str, Any], name: str = "p") -> list[tuple[str, str]]:
    found: list[Problem] = known.validate(resource, OWN + name)
    return [(p.rule, p.expression) for p in found if p.is_error]


def patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **more}


def identifier(system: str, value: str = "1") -> dict[str, str]:
    return {"system": system, "value": value}


MRN = profile(
    "Patient",
    sliced("Patient.identifier", type="value", path="system"),
    {"path": "Patient.identifier", "sliceName": "mrn", "min": 1, "max": "1"},
    {"path": "Patient.identifier.system", "min": 1, "fixedUri": "http://a.example/mrn"},
    {"path": "Patient.identifier.value", "maxLength": 3},
)


def test_a_slice_by_value_is_counted_and_checked_and_others_are_left_alone() -> None:
    mrn, other = identifier("http://a.example/mrn"), identifier("http://b.example", "12345")
    known = loaded(MRN)
    assert rules(known, patient(identifier=[other, mrn])) == []
    assert rules(known, patient(identifier=[other])) == [("minimum", "Patient.identifier")]
    assert rules(known, patient(identifier=[mrn, mrn])) == [("maximum", "Patient.identifier")]
    long = identifier("http://a.example/mrn", "1234")
    assert rules(known, patient(identifier=[other, long])) == [
        ("max-length", "Patient.identifier[1].value")
    ]


def test_closed_slicing_allows_no_others_and_openatend_has_them_last() -> None:
    closed, at_end = (
        profile(
            "Patient",
            sliced("Patient.identifier", rule, type="value", path="system"),
            {"id": "Patient.identifier:a", "path": "Patient.identifier", "sliceName": "a"},
            {
                "id": "Patient.identifier:a.system",
                "path": "Patient.identifier.system",
                "fixedUri": "http://a.example",
            },
        )
        for rule in ("closed", "openAtEnd")
    )
    own, other = identifier("http://a.example"), identifier("http://b.example")
    assert rules(loaded(closed), patient(identifier=[own])) == []
    assert rules(loaded(closed), patient(identifier=[own, other])) == [
        ("slice-closed", "Patient.identifier[1]")
    ]
    assert rules(loaded(at_end), patient(identifier=[own, other])) == []
    assert rules(loaded(at_end), patient(identifier=[other, own])) == [
        ("slice-order", "Patient.identifier")
    ]


def test_ordered_slices_come_in_their_order() -> None:
    elements = [
        element
        for letter in "ab"
        for element in (
            {"path": "Patient.identifier", "sliceName": letter},
            {"path": "Patient.identifier.system", "fixedUri": f"http://{letter}.example"},
        )
    ]
    slicing = sliced("Patient.identifier", ordered=True, type="value", path="system")
    known = loaded(profile("Patient", slicing, *elements))
    rows = [identifier(f"http://{letter}.example") for letter in "ab"]
    assert rules(known, patient(identifier=rows)) == []
    assert rules(known, patient(identifier=rows[::-1])) == [("slice-order", "Patient.identifier")]


def coded(*codes: str) -> dict[str, Any]:
    return {"coding": [{"system": LOINC, "code": code} for code in codes]}


def test_a_slice_by_pattern_needs_only_what_the_pattern_has() -> None:
    known = loaded(
        profile(
            "Observation",
            sliced("Observation.component", type="pattern", path="code"),
            {"path": "Observation.component", "sliceName": "low", "min": 1},
            {"path": "Observation.component.code", "patternCodeableConcept": coded("1-8")},
            {"path": "Observation.component.value[x]", "min": 1, "type": [{"code": "Quantity"}]},
        )
    )
    good = {"code": coded("x", "1-8"), "valueQuantity": {"value": 1}}
    bad = {"code": coded("1-8"), "valueString": "1"}
    observation = {"resourceType": "Observation", "component": [{"code": coded("9-9")}, good]}
    assert rules(known, observation) == []
    observation["component"] = [bad]
    assert rules(known, observation) == [("type", "Observation.component[0].value.ofType(string)")]


def test_a_slice_by_type_is_found_by_the_form_of_a_choice() -> None:
    known = loaded(
        profile(
            "Observation",
            sliced("Observation.value[x]", type="type", path="$this"),
            {
                "path": "Observation.value[x]",
                "sliceName": "valueQuantity",
                "type": [{"code": "Quantity"}],
            },
            {"path": "Observation.value[x].code", "min": 1},
        )
    )
    assert rules(known, {"resourceType": "Observation", "valueString": "x"}) == []
    assert rules(known, {"resourceType": "Observation", "valueQuantity": {"value": 1}}) == [
        ("minimum", "Observation.value.ofType(Quantity).code")
    ]


def test_a_form_of_a_choice_can_be_constrained_without_slicing() -> None:
    known = loaded(profile("Observation", {"path": "Observation.valueQuantity.unit", "min": 1}))
    assert rules(known, {"resourceType": "Observation", "valueString": "x"}) == []
    assert rules(known, {"resourceType": "Observation", "valueQuantity": {"value": 1}}) == [
        ("minimum", "Observation.value.ofType(Quantity).unit")
    ]


def test_a_slice_by_existence() -> None:
    known = loaded(
        profile(
            "Patient",
            sliced("Patient.contact", type="exists", path="gender"),
            {"path": "Patient.contact", "sliceName": "known"},
            {"path": "Patient.contact.gender", "min": 1},
            {"path": "Patient.contact.name", "min": 1},
            {"path": "Patient.contact", "sliceName": "unknown"},
            {"path": "Patient.contact.gender", "max": "0"},
            {"path": "Patient.contact.organization", "min": 1},
        )
    )
    assert rules(known, patient(contact=[{"gender": "male"}, {"name": {"text": "x"}}])) == [
        ("minimum", "Patient.contact[0].name"),
        ("minimum", "Patient.contact[1].organization"),
    ]


def test_a_slice_by_the_type_a_reference_leads_to() -> None:
    target = "http://hl7.org/fhir/StructureDefinition/Practitioner"
    known = loaded(
        profile(
            "Patient",
            sliced("Patient.generalPractitioner", type="type", path="resolve()"),
            {
                "path": "Patient.generalPractitioner",
                "sliceName": "person",
                "min": 1,
                "type": [{"code": "Reference", "targetProfile": [target]}],
            },
        )
    )
    person, house = {"reference": "Practitioner/1"}, {"reference": "Organization/1"}
    inside = {"resourceType": "Practitioner", "id": "p"}
    assert rules(known, patient(generalPractitioner=[house, person])) == []
    assert rules(known, patient(generalPractitioner=[house])) == [
        ("minimum", "Patient.generalPractitioner")
    ]
    own = patient(contained=[inside], generalPractitioner=[{"reference": "#p"}])
    assert rules(known, own) == []
    untold = patient(generalPractitioner=[{"identifier": {"value": "1"}}])
    assert rules(known, untold) == []


NAMED = profile("Practitioner", {"path": "Practitioner.name", "min": 1}, name="named")


def test_a_slice_by_profile_and_a_target_by_profile() -> None:
    by_profile = profile(
        "Bundle",
        sliced("Bundle.entry", type="profile", path="resource"),
        {"path": "Bundle.entry", "sliceName": "named", "min": 1},
        {
            "path": "Bundle.entry.resource",
            "type": [{"code": "Practitioner", "profile": [OWN + "named"]}],
        },
    )
    named = {"resourceType": "Practitioner", "id": "1", "name": [{"text": "x"}]}
    nameless = {"resourceType": "Practitioner", "id": "2"}
    known = loaded(by_profile, NAMED)

    def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
        rows = [
            {"fullUrl": f"http://a.example/{r['resourceType']}/{r['id']}", "resource": r}
            for r in resources
        ]
        return {"resourceType": "Bundle", "type": "collection", "entry": rows}

    assert rules(known, bundle(nameless, named)) == []
    assert rules(known, bundle(nameless)) == [("minimum", "Bundle.entry")]
    target = [{"code": "Reference", "targetProfile": [OWN + "named"]}]
    treated = profile("Patient", {"path": "Patient.generalPractitioner", "type": target})
    contained = patient(contained=[nameless], generalPractitioner=[{"reference": "#2"}])
    assert rules(loaded(treated, NAMED), contained) == [
        ("reference-profile", "Patient.generalPractitioner[0].reference")
    ]
    contained["contained"] = [{**named, "id": "2"}]
    assert rules(loaded(treated, NAMED), contained) == []


def test_a_profile_builds_on_another() -> None:
    middle = profile("Patient", {"path": "Patient.gender", "min": 1}, name="middle")
    top = profile("Patient", {"path": "Patient.birthDate", "min": 1}, baseDefinition=OWN + "middle")
    assert rules(loaded(top, middle), patient()) == [
        ("minimum", "Patient.gender"),
        ("minimum", "Patient.birthDate"),
    ]


def test_a_snapshot_stands_in_for_a_base_that_is_not_loaded() -> None:
    elements = [{"id": "Patient", "path": "Patient"}, {"path": "Patient.gender", "min": 1}]
    top = profile(
        "Patient",
        {"path": "Patient.birthDate"},
        baseDefinition=OWN + "middle",
        snapshot={"element": elements},
    )
    assert rules(loaded(top), patient()) == [("minimum", "Patient.gender")]
    del top["snapshot"]
    with pytest.raises(SimdesError, match="not loaded"):
        loaded(top).validate(patient(), OWN + "p")


def test_profiles_that_build_on_each_other_in_a_circle_are_refused() -> None:
    one = profile("Patient", baseDefinition=OWN + "q")
    other = profile("Patient", baseDefinition=OWN + "p", name="q")
    with pytest.raises(SimdesError):
        loaded(one, other).validate(patient(), OWN + "p")


def test_references_in_a_circle_end() -> None:
    target = [{"code": "Reference", "targetProfile": [OWN + "p"]}]
    linked = profile("Patient", {"path": "Patient.link.other", "type": target})
    own = {"reference": "#"}
    inside = {"resourceType": "Patient", "id": "x", "link": [{"other": own, "type": "seealso"}]}
    resource = patient(contained=[inside], link=[{"other": {"reference": "#x"}, "type": "seealso"}])
    assert rules(loaded(linked), resource) == []


BINDINGS = {
    "required": ("male-only", "error"),
    "extensible": ("male-only", "warning"),
    "preferred": ("male-only", None),
}


@pytest.mark.parametrize("strength", BINDINGS)
def test_bindings_bind_by_their_strength(strength: str) -> None:
    name, severity = BINDINGS[strength]
    value_set = {
        "resourceType": "ValueSet",
        "url": OWN + name,
        "status": "active",
        "compose": {
            "include": [
                {
                    "system": "http://hl7.org/fhir/administrative-gender",
                    "concept": [{"code": "male"}],
                }
            ]
        },
    }
    binding = {"strength": strength, "valueSet": OWN + name}
    known = loaded(profile("Patient", {"path": "Patient.gender", "binding": binding}), value_set)
    found = known.validate(patient(gender="female"), OWN + "p")
    assert [p.severity for p in found] == ([severity] if severity else [])
    assert known.validate(patient(gender="male"), OWN + "p") == []


def test_ranges_hold() -> None:
    known = loaded(
        profile(
            "Patient",
            {
                "path": "Patient.birthDate",
                "minValueDate": "1900-01-01",
                "maxValueDate": "2000-01-01",
            },
        )
    )
    assert rules(known, patient(birthDate="1950-01-01")) == []
    assert rules(known, patient(birthDate="1850-01-01")) == [("value-least", "Patient.birthDate")]
    assert rules(known, patient(birthDate="2050-01-01")) == [("value-most", "Patient.birthDate")]


def test_an_invariant_that_can_not_be_evaluated_is_a_warning() -> None:
    constraint = {"key": "x-1", "severity": "error", "human": "?", "expression": "gender.nosuch("}
    known = loaded(profile("Patient", {"path": "Patient.gender", "constraint": [constraint]}))
    (problem,) = known.validate(patient(gender="male"), OWN + "p")
    assert (problem.severity, problem.rule) == ("warning", "x-1")


@pytest.mark.parametrize(
    "row",
    [{"type": "value", "path": "where(a=1)"}, {"type": "guess", "path": "system"}],
    ids=["path", "type"],
)
def test_a_discriminator_that_r4_does_not_have_is_refused(row: dict[str, str]) -> None:
    elements = [
        sliced("Patient.identifier", **row),
        {"path": "Patient.identifier", "sliceName": "a"},
    ]
    with pytest.raises(SimdesError, match="discriminator"):
        loaded(profile("Patient", *elements)).validate(
            patient(identifier=[identifier("http://a.example")]), OWN + "p"
        )
