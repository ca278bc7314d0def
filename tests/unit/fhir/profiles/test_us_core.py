"""US Core's own examples meet its profiles; with a fault put in, the fault is found."""

from __future__ import annotations

import pytest

from simdes.errors import NotFound
from simdes.fhir.profiles import Profiles, load_package, validate_profile
from simdes.fhir.validate import validate
from unit.fhir.profiles.us_core import BASE, MUTATED, PACKAGE, example, examples, us_core

IPS = "http://hl7.org/fhir/uv/ips/StructureDefinition/Patient-uv-ips"

MISSING = {
    "binding-unknown": "value sets of VSAC and codes of LOINC are not in the package",
    "profile-unknown": "the package that it builds on is not loaded",
    "binding": "an extensible binding that the example does not keep",
    "us-core-5": "a warning of US Core's own",
    "pd-1": "`telecom or endpoint` has no value for two endpoints, by the letter of FHIRPath",
}


def test_every_example_meets_the_profiles_it_claims() -> None:
    found = {name: us_core().check(resource) for name, resource in examples().items()}
    assert {n: e for n, ps in found.items() if (e := [p for p in ps if p.is_error])} == {}
    assert {p.rule for ps in found.values() for p in ps} == set(MISSING)
    claiming = [r for r in examples().values() if "profile" in r.get("meta", {})]
    assert len(claiming) > 170


@pytest.mark.parametrize("name", MUTATED)
def test_a_fault_is_found_where_it_is(name: str) -> None:
    resource, rule, expression = MUTATED[name]
    errors = [p for p in us_core().check(resource) if p.is_error]
    assert (rule, expression) in [(p.rule, p.expression) for p in errors]
    assert all(p.expression.startswith(resource["resourceType"]) for p in errors)


def test_a_profile_can_be_named_instead_of_claimed() -> None:
    packages = [load_package(PACKAGE)]
    patient = example("Patient-example")
    assert [
        p for p in validate_profile(patient, BASE + "us-core-patient", packages) if p.is_error
    ] == []
    assert any(p.is_error for p in validate_profile(patient, BASE + "us-core-location", packages))
    with pytest.raises(NotFound, match="is not loaded"):
        validate_profile(
            patient, "http://hl7.org/fhir/uv/ips/StructureDefinition/Patient-uv-ips", packages
        )


def test_validate_checks_the_profiles_claimed_if_they_are_given() -> None:
    resource, rule, _ = MUTATED["no identifier"]
    assert rule in [p.rule for p in validate(resource, us_core()) if p.is_error]
    assert [p for p in validate(resource) if p.is_error] == []
    unknown = {**example("Patient-example"), "meta": {"profile": ["http://a.example/ips"]}}
    (problem,) = [p for p in validate(unknown, us_core()) if p.rule == "profile-unknown"]
    assert (problem.severity, problem.expression) == ("warning", "Patient.meta.profile")


def test_profiles_are_not_asked_of_what_has_another_shape() -> None:
    broken = {"resourceType": "Patient", "meta": {"profile": [BASE + "us-core-patient"]}, "name": 7}
    assert {p.code for p in validate(broken, us_core()) if p.is_error} <= {"structure", "invariant"}


def test_resources_in_a_bundle_are_checked_with_their_place() -> None:
    resource, rule, expression = MUTATED["no identifier"]
    entry = {"fullUrl": "http://a.example/Patient/example", "resource": resource}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [entry]}
    found = [(p.rule, p.expression) for p in us_core().check(bundle) if p.is_error]
    assert (rule, f"Bundle.entry[0].resource.ofType(Patient){expression[7:]}") in found


def test_r4s_own_profiles_and_extensions_need_no_package() -> None:
    vital = example("Observation-heart-rate")
    vital["meta"] = {"profile": ["http://hl7.org/fhir/StructureDefinition/heartrate"]}
    assert [p for p in Profiles().check(vital) if p.is_error] == []
    del vital["effectiveDateTime"]
    assert ("minimum", "Observation.effective") in [
        (p.rule, p.expression) for p in Profiles().check(vital)
    ]
    birth = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
    patient = {"resourceType": "Patient", "extension": [{"url": birth, "valueString": "Lyon"}]}
    (problem,) = Profiles().check(patient)
    assert (problem.rule, problem.expression) == (
        "type",
        "Patient.extension[0].value.ofType(string)",
    )


def test_an_extension_may_stand_only_where_its_definition_says() -> None:
    birth = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
    extension = {"url": birth, "valueAddress": {"city": "Lyon"}}
    assert Profiles().check({"resourceType": "Patient", "extension": [extension]}) == []
    (problem,) = Profiles().check({"resourceType": "Practitioner", "extension": [extension]})
    assert problem.rule == "extension-context"
    on_date = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
    time = {"extension": [{"url": on_date, "valueDateTime": "1984-03-07T10:00:00Z"}]}
    assert Profiles().check({"resourceType": "Patient", "_birthDate": time}) == []
    (problem,) = Profiles().check({"resourceType": "Patient", "_gender": time})
    assert (problem.rule, problem.expression) == (
        "extension-context",
        "Patient.gender.extension[0]",
    )
