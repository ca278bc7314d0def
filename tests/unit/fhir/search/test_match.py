"""Deciding conditions in memory, by searches over small resources."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from simdes.errors import Unsupported
from simdes.fhir.search.conditions import (
    ALWAYS,
    AnyOf,
    Chain,
    Condition,
    Has,
    Ids,
    Listed,
    Reference,
)
from simdes.fhir.search.extract import extract
from simdes.fhir.search.match import matches
from simdes.fhir.search.parse import in_compartment, parse

UCUM = "http://unitsofmeasure.org"


def meets(resource: dict[str, Any], where: Condition) -> bool:
    type_, id_ = resource["resourceType"], resource.get("id", "1")
    return matches(where, type=type_, id=id_, updated_ms=0, values=extract(resource))


def found(resource: dict[str, Any], name: str, text: str, **options: Any) -> bool:
    """Return whether a search with one parameter finds `resource`."""
    query = parse((resource["resourceType"],), [(name, text)], now_ms=0, **options)
    return meets(resource, query.where)


PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [
        {
            "type": {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}
                ],
                "text": "Medical record number",
            },
            "system": "http://mrn.example.org",
            "value": "AbC-1",
        },
        {"value": "bare"},
    ],
    "active": True,
    "name": [{"family": "Müller-Lüdenscheidt", "given": ["Ana María"]}, {"text": "O'Brien"}],
    "telecom": [
        {"system": "phone", "value": "(555) 123-4567"},
        {"system": "email", "value": "Ana@Example.org"},
    ],
    "birthDate": "1980-02",
    "generalPractitioner": [{"identifier": {"system": "http://npi", "value": "7"}}],
    "link": [{"other": {"reference": "Patient/p2/_history/3"}, "type": "seealso"}],
    "meta": {"profile": ["http://a.org/profiles/patient|2.0"], "source": "http://a.org/feeds/x"},
}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("identifier", "http://mrn.example.org|AbC-1", True),
        ("identifier", "http://mrn.example.org|", True),
        ("identifier", "http://mrn.example.org|abc-1", False),
        ("identifier", "AbC-1", True),
        ("identifier", "|bare", True),
        ("identifier", "|AbC-1", False),
        ("identifier", "http://other|AbC-1,bare", True),
        ("identifier:not", "bare", False),
        ("identifier:not", "other", True),
        ("identifier:text", "RECORD", True),
        (
            "identifier:of-type",
            "http://terminology.hl7.org/CodeSystem/v2-0203|MR|AbC-1",
            True,
        ),
        (
            "identifier:of-type",
            "http://terminology.hl7.org/CodeSystem/v2-0203|MR|bare",
            False,
        ),
        ("active", "true", True),
        ("active", "false", False),
        ("deceased", "false", True),
        ("name", "muller", True),
        ("name", "Müller Lüden", True),
        ("name", "ludenscheidt", False),
        ("name:contains", "LUDENSCHEIDT", True),
        ("name:exact", "Müller-Lüdenscheidt", True),
        ("name:exact", "müller-lüdenscheidt", False),
        ("name:exact", "Müller", False),
        ("name", "OBRIEN", True),
        ("given", "ana maria", True),
        ("family", "ana", False),
        ("phone", "5551234567", True),
        ("phone", "555 123 4567", True),
        ("phone", "555", False),
        ("email", "ana@example.ORG", True),
        ("telecom", "phone|(555) 123-4567", True),
        ("birthdate", "1980-02", True),
        ("birthdate", "1980-02-10", False),
        ("birthdate", "gt1980-02-10", True),
        ("birthdate", "lt1980-02-10", True),
        ("birthdate", "ap1980-02-10", True),
        ("birthdate", "1980", True),
        ("general-practitioner:identifier", "http://npi|7", True),
        ("general-practitioner:identifier", "http://npi|8", False),
        ("general-practitioner:missing", "false", True),
        ("organization:missing", "true", True),
        ("link", "p2", True),
        ("link", "Patient/p2", True),
        ("link", "Patient/p2/_history/3", True),
        ("link", "Patient/p2/_history/4", False),
        ("link", "RelatedPerson/p2", False),
        ("link:RelatedPerson", "p2", False),
        ("link", "http://a.org/Patient/p2", False),
        ("_profile", "http://a.org/profiles/patient", True),
        ("_profile", "http://a.org/profiles/patient|2.0", True),
        ("_profile", "http://a.org/profiles/patient|1.0", False),
        ("_profile:below", "http://a.org/profiles", True),
        ("_profile:below", "http://a.org/pro", False),
        ("_source:above", "http://a.org/feeds/x/y", True),
        ("_source:above", "http://a.org/feeds/xy", False),
        ("_id", "p1,p9", True),
        ("_id:not", "p1", False),
        ("_lastUpdated", "1970-01-01", True),
        ("_lastUpdated", "gt1970-01-01", False),
    ],
)
def test_a_patient(name: str, text: str, expected: bool) -> None:
    assert found(PATIENT, name, text) is expected


def observation(value: str, code: str) -> dict[str, Any]:
    quantity = {"value": Decimal(value), "system": UCUM, "code": code, "unit": code}
    return {"resourceType": "Observation", "valueQuantity": quantity}


@pytest.mark.parametrize(
    ("value", "code", "text", "expected"),
    [
        ("5.4", "mg", f"5.4|{UCUM}|mg", True),
        ("5.4", "mg", f"0.0054|{UCUM}|g", True),
        ("5400", "ug", f"5.40|{UCUM}|mg", True),
        ("5.4", "mg", f"5.4|{UCUM}|g", False),
        ("5.4", "mg", f"gt5399|{UCUM}|ug", True),
        ("5.4", "mg", f"ge5400|{UCUM}|ug", True),
        ("5.4", "mg", f"gt5400|{UCUM}|ug", False),
        ("37", "Cel", f"98.6|{UCUM}|[degF]", True),
        ("37", "Cel", f"gt98.6|{UCUM}|[degF]", False),
        ("5.4", "mg", "5.4||mg", True),
        ("5.4", "mg", "5.4", True),
        ("5.4", "mg", "0.0054", False),
        ("5.4", "mg", f"5.4|{UCUM}|mL", False),
        ("5", "[iU]", f"5|{UCUM}|[IU]", True),
        ("5", "[pH]", f"5|{UCUM}|[pH]", True),
    ],
)
def test_quantities_are_found_in_other_units(
    value: str, code: str, text: str, expected: bool
) -> None:
    assert found(observation(value, code), "value-quantity", text) is expected


def test_a_comparator_opens_a_quantity() -> None:
    below = observation("5", "mg")
    below["valueQuantity"]["comparator"] = "<"
    assert found(below, "value-quantity", f"lt5|{UCUM}|mg")
    assert found(below, "value-quantity", "lt1")
    assert not found(below, "value-quantity", "gt5")
    assert not found(below, "value-quantity", "5")


def test_components_are_compared_part_by_part() -> None:
    def component(code: str, value: int) -> dict[str, Any]:
        coded = {"coding": [{"system": "s", "code": code}, {"code": "other-" + code}]}
        return {"code": coded, "valueQuantity": {"value": value, "unit": "mmHg"}}

    pressure = {
        "resourceType": "Observation",
        "code": {"coding": [{"system": "s", "code": "panel"}]},
        "component": [component("systolic", 140), component("diastolic", 80)],
    }
    for name in ("component-code-value-quantity", "combo-code-value-quantity"):
        assert found(pressure, name, "s|systolic$gt130")
        assert found(pressure, name, "other-diastolic$lt90||mmHg")
        assert not found(pressure, name, "s|diastolic$gt130")
        assert found(pressure, name, "s|diastolic$gt130,s|systolic$140")
    assert not found(pressure, "code-value-quantity", "s|panel$140")


def test_a_location_is_near_within_the_distance() -> None:
    place = {
        "resourceType": "Location",
        "position": {"longitude": Decimal("2.3522"), "latitude": 48},
    }
    assert found(place, "near", "48|2.3522")
    assert found(place, "near", "48.5|2.3522|56|km")
    assert not found(place, "near", "48.5|2.3522|55|km")
    assert not found(place, "near", "48.5|2.3522|55000|m")
    assert not found(place, "near", "2.3522|48|10|km")


def test_a_patients_compartment_has_what_is_about_them_and_themselves() -> None:
    about = {"resourceType": "Observation", "subject": {"reference": "Patient/p1"}}
    assert meets(about, in_compartment("Patient", "p1", "Observation"))
    assert not meets(about, in_compartment("Patient", "p2", "Observation"))
    assert meets(PATIENT, in_compartment("Patient", "p1", "Patient"))
    assert meets(PATIENT, in_compartment("Patient", "p2", "Patient"))  # by its link
    assert not meets(PATIENT, in_compartment("Patient", "p3", "Patient"))


def test_a_server_knows_references_to_itself() -> None:
    base = "https://here.example.org/fhir/"
    resource = {"resourceType": "Observation", "subject": {"reference": base + "Patient/1"}}
    values = extract(resource, base=base)
    assert Reference("Patient/1", "", True) in [v.value for v in values]
    where = parse(("Observation",), [("patient", base + "Patient/1")], now_ms=0, base=base).where
    assert matches(where, type="Observation", id="1", updated_ms=0, values=values)


def test_nothing_asked_is_always_met_and_no_alternative_never() -> None:
    assert meets(PATIENT, ALWAYS)
    assert not meets(PATIENT, AnyOf(()))


def test_what_other_resources_decide_is_asked_of_them() -> None:
    wheres = [
        parse(("Patient",), [pair], now_ms=0).where
        for pair in (
            ("organization.name", "a"),
            ("_has:Observation:patient:code", "a"),
            ("_list", "1"),
        )
    ]
    assert [type(w) for w in wheres] == [Chain, Has, Listed]
    for where in wheres:
        with pytest.raises(Unsupported):
            meets(PATIENT, where)
        for answer in (True, False):
            asked: list[Any] = []
            assert (
                matches(
                    where,
                    type="Patient",
                    id="p1",
                    updated_ms=0,
                    values=(),
                    resolver=lambda c, asked=asked, answer=answer: asked.append(c) or answer,
                )
                is answer
            )
            assert asked == [where]
    both = AnyOf((Ids(("p1",)), wheres[0]))
    assert meets(PATIENT, both)
