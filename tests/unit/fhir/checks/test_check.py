"""The pharmacist's checks: a table of examples for each rule, invariants, hostile records."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.errors import Invalid
from simdes.fhir.checks import Finding, Kind, Override, Severity, Text, check, detected_issue
from simdes.fhir.checks.knowledge import Drug, Known, interactions, tables
from simdes.fhir.checks.recognising import recognise
from simdes.fhir.validate import validate
from unit.fhir.checks.orders import (
    ATC,
    ICD10,
    RXNORM,
    SNOMED,
    TODAY,
    Resource,
    allergy,
    concept,
    condition,
    dosage,
    observation,
    order,
    person,
    quantity,
    status,
    using,
)

HIGH, MODERATE, LOW = Severity.HIGH, Severity.MODERATE, Severity.LOW
Found = set[tuple[str, str]]


def found(wanted: Resource, *record: Resource, **how: Any) -> Found:
    """Severity and code of all that was found but for what was not checked."""
    findings = check(wanted, record, today=TODAY, **how)
    return {(one.severity.value, one.code) for one in findings if one.kind is not Kind.NOT_CHECKED}


def unchecked(wanted: Resource, *record: Resource) -> set[str]:
    return {
        one.code.removeprefix("not-checked:")
        for one in check(wanted, record, today=TODAY)
        if one.kind is Kind.NOT_CHECKED
    }


# --- recognising a drug ----------------------------------------------------------------------

NAMED: dict[str, tuple[Resource, set[str]]] = {
    "RxNorm ingredient": (concept(RXNORM, "11289"), {"warfarin"}),
    "RxNorm product": (concept(RXNORM, "855332", "Warfarin Sodium 5 MG Oral Tablet"), {"warfarin"}),
    "ATC": (concept(ATC, "M01AE01"), {"ibuprofen"}),
    "two ingredients": (
        concept(RXNORM, "617993", "Amoxicillin 120 MG/ML / clavulanate potassium 8.58 MG/ML"),
        {"amoxicillin", "clavulanic acid"},
    ),
    "one code, two ingredients": (concept(RXNORM, "10831"), {"sulfamethoxazole", "trimethoprim"}),
    "French": ({"text": "PARACÉTAMOL 500 mg, comprimé"}, {"paracetamol"}),
    "another name": ({"text": "acetaminophen"}, {"paracetamol"}),
    "several words": ({"text": "St. John's wort"}, {"st john's wort"}),
    "salt": (concept(RXNORM, "979492", "losartan potassium 50 MG Oral Tablet"), {"losartan"}),
    "unknown": ({"text": "Lozenge of the mountain"}, set()),
    "part of a word": ({"text": "diazepamide"}, set()),
    "a code of another system": (concept("urn:x", "11289"), set()),
}


@pytest.mark.parametrize("case", NAMED)
def test_a_drug_is_recognised_by_code_and_by_the_names_of_its_ingredients(case: str) -> None:
    medicine, expected = NAMED[case]
    assert recognise(tables(), [medicine]).substances == expected


def test_an_atc_code_that_is_not_listed_still_tells_the_class() -> None:
    ketoprofen = recognise(tables(), [concept(ATC, "M01AE03")])
    assert "nsaids" in ketoprofen.classes
    assert ketoprofen.is_known
    assert not recognise(tables(), [concept(ATC, "V09AA01")]).is_known


def test_the_tables_hold_together() -> None:
    every = tables()
    keys = set(every.substances) | set(every.classes)
    assert interactions().keys <= keys
    assert {rule.other for rule in every.contraindications} <= keys
    assert {rule.one for rule in every.contraindications} == set(every.states)
    assert {key for rule in every.crossings for key in (rule.one, rule.other)} <= keys
    assert set(every.limits) <= set(every.substances)
    assert {key for one in every.substances.values() for key in one.classes} <= set(every.classes)
    pairs = [frozenset((rule.one, rule.other)) for rule in interactions().rules]
    assert len(set(pairs)) == len(pairs)
    texts = [rule.known.text for rule in (*interactions().rules, *every.contraindications)]
    assert all(text.en and text.fr and text.en != text.fr for text in texts)


def test_only_products_of_two_drugs_share_a_code() -> None:
    shared = {code for code, known in tables().by_code.items() if len(known) > 1}
    assert shared == {("rxnorm", "10831"), ("atc", "J01EE01")}


# --- allergies -------------------------------------------------------------------------------

AMOXICILLIN = order("amoxicillin 500 mg")
ALLERGIES: dict[str, tuple[Resource, Resource, Found]] = {
    "same substance": (
        AMOXICILLIN,
        allergy("Amoxicilline"),
        {("high", "allergy-substance:amoxicillin")},
    ),
    "same RxNorm ingredient": (
        order(concept(RXNORM, "308182", "Amoxicillin 250 MG Oral Capsule")),
        allergy(concept(RXNORM, "723")),
        {("high", "allergy-substance:amoxicillin")},
    ),
    "class by name": (
        AMOXICILLIN,
        allergy("Allergy to penicillin"),
        {("high", "allergy-class:penicillins")},
    ),
    "class by member": (
        AMOXICILLIN,
        allergy("ampicillin"),
        {("high", "allergy-class:penicillins")},
    ),
    "class, low criticality": (
        AMOXICILLIN,
        allergy("penicillin", criticality="low"),
        {("moderate", "allergy-class:penicillins")},
    ),
    "cross-reaction": (
        order("cefalexin"),
        allergy("penicillin V"),
        {("moderate", "allergy-crossing:penicillins+cephalosporins")},
    ),
    "cross-reaction, high criticality": (
        order("cefalexin"),
        allergy("penicillin V", criticality="high"),
        {("high", "allergy-crossing:penicillins+cephalosporins")},
    ),
    "aspirin and ibuprofen": (
        order("ibuprofen 400 mg"),
        allergy(concept(RXNORM, "1191", "Aspirin")),
        {("high", "allergy-crossing:salicylates+nsaids")},
    ),
    "ingredient of a combination": (
        order(concept(RXNORM, "1", "codeine 30 MG / paracetamol 300 MG Oral Tablet")),
        allergy("codeine"),
        {("high", "allergy-substance:codeine")},
    ),
    "reaction's substance": (
        AMOXICILLIN,
        allergy("drug", reaction=[{"substance": {"text": "amoxicillin"}}]),
        {("high", "allergy-substance:amoxicillin")},
    ),
    "same local code": (
        order(concept("urn:local", "X1")),
        allergy(concept("urn:local", "X1")),
        {("high", "allergy-substance:code")},
    ),
    "same unknown name": (
        order("Zorblax"),
        allergy("ZORBLAX"),
        {("high", "allergy-substance:code")},
    ),
    "same code of another system": (
        order(concept("urn:a", "X1")),
        allergy(concept("urn:b", "X1")),
        set(),
    ),
    "another class": (AMOXICILLIN, allergy("erythromycin"), set()),
    "refuted": (
        AMOXICILLIN,
        allergy(
            "amoxicillin", verificationStatus=status("allergyintolerance-verification", "refuted")
        ),
        set(),
    ),
    "entered in error": (
        AMOXICILLIN,
        allergy(
            "amoxicillin",
            verificationStatus=status("allergyintolerance-verification", "entered-in-error"),
        ),
        set(),
    ),
    "inactive": (
        AMOXICILLIN,
        allergy("amoxicillin", clinicalStatus=status("allergyintolerance-clinical", "inactive")),
        set(),
    ),
    "resolved": (
        AMOXICILLIN,
        allergy("amoxicillin", clinicalStatus=status("allergyintolerance-clinical", "resolved")),
        set(),
    ),
    "unconfirmed": (
        AMOXICILLIN,
        allergy(
            "amoxicillin",
            verificationStatus=status("allergyintolerance-verification", "unconfirmed"),
        ),
        {("high", "allergy-substance:amoxicillin")},
    ),
    "intolerance": (
        order("codeine"),
        allergy("codeine", type="intolerance"),
        {("moderate", "allergy-substance:codeine")},
    ),
    "none known": (AMOXICILLIN, allergy(concept(SNOMED, "716186003")), set()),
}


@pytest.mark.parametrize("case", ALLERGIES)
def test_allergies_are_matched_by_code_ingredient_and_class(case: str) -> None:
    wanted, known, expected = ALLERGIES[case]
    assert found(wanted, known) == expected


def test_a_record_that_does_not_speak_of_allergies_is_said_to_be_silent() -> None:
    assert "allergies-missing" in unchecked(AMOXICILLIN)
    assert "allergies-missing" in unchecked(
        AMOXICILLIN, allergy({"coding": [{"code": "no-allergy-info"}]})
    )
    for code in ("716186003", "409137002"):
        assert "allergies-missing" not in unchecked(AMOXICILLIN, allergy(concept(SNOMED, code)))


def test_an_allergy_to_an_unknown_thing_is_said_not_to_be_checked() -> None:
    findings = check(AMOXICILLIN, [allergy("Zorblax", id="z")], today=TODAY)
    [said] = [one for one in findings if one.code == "not-checked:allergies-unknown"]
    assert said.references == ("AllergyIntolerance/z",)
    assert "Zorblax" in said.detail.en
    assert "allergies-unknown" not in unchecked(
        AMOXICILLIN, allergy("cats", category=["environment"])
    )


# --- duplicates ------------------------------------------------------------------------------

DUPLICATES: dict[str, tuple[Resource, Resource, Found]] = {
    "same substance": (
        order("paracetamol"),
        using("acetaminophen 500 MG Oral Tablet"),
        {("moderate", "duplicate:paracetamol")},
    ),
    "same class": (
        order("ramipril"),
        using("lisinopril"),
        {("high", "duplicate-class:ace-inhibitors")},
    ),
    "same class by ATC": (
        order(concept(ATC, "C10AA05")),
        using(concept(ATC, "C10AA07")),
        {("high", "duplicate-class:statins")},
    ),
    "same unknown drug": (order("Zorblax"), using("zorblax"), {("moderate", "duplicate:code")}),
    "same substance of a grave class": (
        order("warfarin"),
        using("Warfarin 2 MG"),
        {("high", "duplicate:warfarin")},
    ),
    "a class that means nothing": (order("clopidogrel"), using("acetylsalicylic acid"), set()),
    "stopped": (order("paracetamol"), using("paracetamol", status="stopped"), set()),
    "a proposal": (order("paracetamol"), using("paracetamol", intent="proposal"), set()),
    "the order itself": (order("paracetamol"), using("paracetamol", id="order"), set()),
    "what it replaces": (
        order("paracetamol", priorPrescription={"reference": "MedicationRequest/other"}),
        using("paracetamol"),
        set(),
    ),
    "dispensed under it": (
        order("paracetamol"),
        {
            "resourceType": "MedicationDispense",
            "id": "d",
            "status": "completed",
            "medicationCodeableConcept": {"text": "paracetamol"},
            "authorizingPrescription": [
                {"reference": "https://h/fhir/MedicationRequest/order/_history/2"}
            ],
        },
        set(),
    ),
    "dispensed under another": (
        order("paracetamol"),
        {
            "resourceType": "MedicationDispense",
            "id": "d",
            "status": "completed",
            "medicationCodeableConcept": {"text": "paracetamol"},
            "whenHandedOver": "2026-02-20T10:00:00Z",
            "daysSupply": quantity(30, "d"),
        },
        {("moderate", "duplicate:paracetamol")},
    ),
    "dispensed and used up": (
        order("paracetamol"),
        {
            "resourceType": "MedicationDispense",
            "id": "d",
            "status": "completed",
            "medicationCodeableConcept": {"text": "paracetamol"},
            "whenHandedOver": "2026-01-01",
            "daysSupply": quantity(30, "d"),
        },
        set(),
    ),
    "stated": (
        order("paracetamol"),
        {
            "resourceType": "MedicationStatement",
            "id": "s",
            "status": "active",
            "medicationCodeableConcept": {"text": "paracetamol"},
        },
        {("moderate", "duplicate:paracetamol")},
    ),
    "stated, and over": (
        order("paracetamol"),
        {
            "resourceType": "MedicationStatement",
            "id": "s",
            "status": "active",
            "medicationCodeableConcept": {"text": "paracetamol"},
            "effectivePeriod": {"end": "2025-12-01"},
        },
        set(),
    ),
}


@pytest.mark.parametrize("case", DUPLICATES)
def test_the_same_or_a_like_drug_in_use_is_found(case: str) -> None:
    wanted, other, expected = DUPLICATES[case]
    assert found(wanted, other) == expected


def test_a_medication_of_the_record_is_followed_and_its_ingredients_are_read() -> None:
    medication = {
        "resourceType": "Medication",
        "id": "m",
        "ingredient": [{"itemCodeableConcept": concept(RXNORM, "5640")}],
    }
    other = using("", medicationReference={"reference": "Medication/m"})
    del other["medicationCodeableConcept"]
    assert found(order("naproxen"), other, medication) == {("high", "duplicate-class:nsaids")}
    assert "drugs-in-use" in unchecked(order("naproxen"), other)
    held = using("", contained=[medication], medicationReference={"reference": "#m"})
    assert found(order("naproxen"), held) == {("high", "duplicate-class:nsaids")}


# --- interactions ----------------------------------------------------------------------------


def test_every_row_of_the_table_is_found_both_ways() -> None:
    every = tables()

    def one_of(key: str, but: str = "") -> str:
        members = [name for name, one in every.substances.items() if key in one.classes]
        return key if key in every.substances else next(one for one in members if one != but)

    for rule in interactions().rules:
        first = one_of(rule.one)
        second = one_of(rule.other, but=first)
        codes = [
            {code for _, code in found(order(one), using(other))}
            for one, other in ((first, second), (second, first))
        ]
        assert rule.known.key in codes[0] & codes[1], rule.known.key


def test_a_drug_does_not_interact_with_itself() -> None:
    assert {code for _, code in found(order("citalopram"), using("citalopram"))} == {
        "duplicate:citalopram"
    }


def test_orders_of_the_same_moment_count_as_in_use() -> None:
    draft = using("ibuprofen", status="draft")
    assert ("high", "interaction:vitamin-k-antagonists+nsaids") not in found(
        order("warfarin"), draft
    )
    assert ("high", "interaction:vitamin-k-antagonists+nsaids") in found(
        order("warfarin"), together=[draft]
    )


def test_a_source_of_ones_own_is_asked_instead() -> None:
    class Everything:
        def covers(self, drug: Drug) -> bool:
            return "warfarin" not in drug.substances

        def between(self, one: Drug, other: Drug) -> list[Known]:
            return [Known("interaction:x", LOW, Text("e", "f"), "mine")]

    findings = check(order("warfarin"), [using("Zorblax")], today=TODAY, interactions=Everything())
    assert [one.source for one in findings if one.kind is Kind.INTERACTION] == ["mine"]
    assert "not-checked:interactions-order" in {one.code for one in findings}


def test_what_is_not_known_is_said() -> None:
    assert {"drug", "drugs-in-use"} <= unchecked(order("Zorblax"), using("Blaxzor"))
    part = order(concept(RXNORM, "1", "ibuprofen 200 MG / zorblax 3 MG Oral Tablet"))
    assert "drug-in-part" in unchecked(part)
    assert not {"drug", "drug-in-part", "interactions-order"} & unchecked(order("ibuprofen 200 mg"))
    assert "interactions-order" in unchecked(order("salbutamol"))
    first = check(order("Zorblax"), [], today=TODAY)[0]
    assert (first.code, first.severity) == ("not-checked:drug", MODERATE)


# --- states of the patient -------------------------------------------------------------------

PREGNANT = ("high", "condition:pregnancy+ace-inhibitors")
STATES: dict[str, tuple[str, Resource, Found]] = {
    "ICD-10-CM": ("ramipril", condition(concept(ICD10, "Z34.01")), {PREGNANT}),
    "SNOMED CT": ("ramipril", condition(concept(SNOMED, "77386006")), {PREGNANT}),
    "a name": ("ramipril", condition("Grossesse en cours"), {PREGNANT}),
    "no such state": ("ramipril", condition("no pregnancy"), set()),
    "in the family": ("propranolol", condition("Family history of asthma"), set()),
    "long ago": ("ramipril", condition("pregnancy", onsetDateTime="2024-01-01"), set()),
    "resolved": (
        "ramipril",
        condition("pregnancy", clinicalStatus=status("condition-clinical", "resolved")),
        set(),
    ),
    "resolved, and counts all the same": (
        "ramipril",
        condition("angioedema", clinicalStatus=status("condition-clinical", "resolved")),
        {("high", "condition:angioedema+ace-inhibitors")},
    ),
    "refuted": (
        "ramipril",
        condition("angioedema", verificationStatus=status("condition-ver-status", "refuted")),
        set(),
    ),
    "another range of ICD-10": ("ramipril", condition(concept(ICD10, "I10")), set()),
    "asthma": (
        "propranolol",
        condition(concept(SNOMED, "195967001")),
        {("high", "condition:asthma+nonselective-beta-blockers")},
    ),
    "observed": (
        "ramipril",
        observation("82810-3", valueCodeableConcept=concept("http://loinc.org", "LA15173-0")),
        {PREGNANT},
    ),
    "observed long ago": (
        "ramipril",
        observation(
            "82810-3",
            when="2024-01-01",
            valueCodeableConcept=concept("http://loinc.org", "LA15173-0"),
        ),
        set(),
    ),
    "filtration": (
        "metformin",
        observation("33914-3", valueQuantity=quantity(22, "mL/min/{1.73_m2}")),
        {("high", "condition:severe-renal-failure+metformin")},
    ),
    "filtration above": (
        "metformin",
        observation("33914-3", valueQuantity=quantity(64, "mL/min/{1.73_m2}")),
        set(),
    ),
}


@pytest.mark.parametrize("case", STATES)
def test_what_does_not_go_with_the_patients_state_is_found(case: str) -> None:
    drug, known, expected = STATES[case]
    assert found(order(drug), known) == expected


def test_the_newest_filtration_rate_counts() -> None:
    old = observation("33914-3", "a", "2020-01-01", valueQuantity=quantity(20, "mL/min"))
    new = observation("62238-1", "b", "2026-02-01", valueQuantity=quantity(80, "mL/min"))
    assert found(order("metformin"), old, new) == set()


def test_an_unknown_pregnancy_is_said_where_it_matters() -> None:
    woman = person("1995-01-01", "female")
    assert "pregnancy-missing" in unchecked(order("isotretinoin"), woman)
    asked = observation("82810-3", valueCodeableConcept=concept("http://loinc.org", "LA26683-5"))
    assert "pregnancy-missing" not in unchecked(order("isotretinoin"), woman, asked)
    assert "pregnancy-missing" not in unchecked(order("isotretinoin"), person(gender="male"))
    assert "pregnancy-missing" not in unchecked(
        order("isotretinoin"), person("1940-01-01", "female")
    )
    assert "pregnancy-missing" not in unchecked(order("paracetamol"), woman)


def test_a_problem_whose_code_is_not_known_is_said_not_to_be_checked() -> None:
    assert "conditions-unknown" in unchecked(order("ramipril"), condition(concept(SNOMED, "1")))
    assert "conditions-unknown" not in unchecked(
        order("ramipril"), condition(concept(ICD10, "I10"))
    )


# --- doses -----------------------------------------------------------------------------------

ADULT = person()
TABLET = concept(RXNORM, "313782", "acetaminophen 325 MG Oral Tablet")
DOSES: dict[str, tuple[Resource, Resource, Found]] = {
    "usual": (order("paracetamol", dosage(1, "g", frequency=3)), ADULT, set()),
    "too much at once": (
        order("paracetamol", dosage(1500, "mg")),
        ADULT,
        {("moderate", "dose-once:paracetamol")},
    ),
    "too much a day": (
        order("paracetamol", dosage(1, "g", frequency=6)),
        ADULT,
        {("moderate", "dose-day:paracetamol")},
    ),
    "far too much": (
        order("paracetamol", dosage(10, "g")),
        ADULT,
        {("high", "dose-day:paracetamol"), ("high", "dose-once:paracetamol")},
    ),
    "a thousandfold unit": (
        order("levothyroxine", dosage(100, "mg")),
        ADULT,
        {("high", "dose-once:levothyroxine"), ("high", "dose-day:levothyroxine")},
    ),
    "two dosages together": (
        order("paracetamol", dosage(1, "g", frequency=3), dosage(1, "g", frequency=3)),
        ADULT,
        {("moderate", "dose-day:paracetamol")},
    ),
    "two dosages one after the other": (
        order(
            "paracetamol",
            dosage(1, "g", frequency=3) | {"sequence": 1},
            dosage(1, "g", frequency=3) | {"sequence": 2},
        ),
        ADULT,
        set(),
    ),
    "tablets by the name's strength": (
        order(TABLET, dosage(4, "{tablet}", frequency=4)),
        ADULT,
        {("moderate", "dose-once:paracetamol"), ("moderate", "dose-day:paracetamol")},
    ),
    "every four hours": (
        order("paracetamol", dosage(1, "g", period=4, unit="h")),
        ADULT,
        {("moderate", "dose-day:paracetamol")},
    ),
    "methotrexate every day": (
        order("methotrexate", dosage(15, "mg")),
        ADULT,
        {("high", "interval:methotrexate")},
    ),
    "methotrexate every week": (
        order("methotrexate", dosage(15, "mg", period=1, unit="wk")),
        ADULT,
        set(),
    ),
    "a child": (
        order("codeine", dosage(15, "mg")),
        person("2020-01-01"),
        {("high", "age:codeine")},
    ),
    "none": (order("paracetamol", dosage(0, "mg")), ADULT, {("high", "order:dose-zero")}),
    "negative": (order("paracetamol", dosage(-5, "mg")), ADULT, {("high", "order:dose-zero")}),
    "every minute": (
        order("salbutamol", dosage(1, "mg", period=1, unit="min")),
        ADULT,
        {("high", "order:frequency")},
    ),
    "upside down": (
        order(
            "paracetamol",
            {
                "doseAndRate": [
                    {"doseRange": {"low": quantity(900, "mg"), "high": quantity(500, "mg")}}
                ]
            },
        ),
        ADULT,
        {("high", "order:dose-range")},
    ),
}


@pytest.mark.parametrize("case", DOSES)
def test_doses_are_compared_with_the_usual_and_with_themselves(case: str) -> None:
    wanted, who, expected = DOSES[case]
    assert found(wanted, who) == expected


def test_a_childs_dose_goes_by_weight() -> None:
    child = person("2022-03-01")
    weight = observation("29463-7", valueQuantity=quantity(16, "kg"))
    wanted = order("paracetamol", dosage(400, "mg", frequency=4))
    assert found(wanted, child, weight) == {("moderate", "dose-day:paracetamol")}
    assert "weight" in unchecked(wanted, child)
    old = observation("29463-7", when="2023-01-01", valueQuantity=quantity(8, "kg"))
    assert "weight" in unchecked(wanted, child, old)
    pounds = observation("29463-7", valueQuantity=quantity(44, "[lb_av]"))
    assert found(wanted, child, pounds) == {("moderate", "dose-day:paracetamol")}
    assert found(order("paracetamol", dosage(250, "mg", frequency=4)), child, weight) == set()


SUPPLY = {"quantity": quantity(60, "{tablet}"), "expectedSupplyDuration": quantity(30, "d")}


@pytest.mark.parametrize(
    ("supply", "expected"),
    [
        (SUPPLY, set()),
        (SUPPLY | {"quantity": quantity(600, "{tablet}")}, {("moderate", "order:days-of-supply")}),
        (SUPPLY | {"quantity": quantity(5, "{tablet}")}, {("moderate", "order:days-of-supply")}),
        (SUPPLY | {"quantity": quantity(0, "{tablet}")}, {("high", "order:quantity")}),
        (SUPPLY | {"numberOfRepeatsAllowed": -1}, {("high", "order:repeats")}),
        (
            {"quantity": quantity(1000, "{tablet}"), "expectedSupplyDuration": quantity(500, "d")},
            {("moderate", "order:supply-long")},
        ),
        (
            {"quantity": quantity(1, "{tablet}"), "expectedSupplyDuration": quantity(-3, "d")},
            {("high", "order:supply")},
        ),
    ],
    ids=[
        "fits",
        "too many",
        "too few",
        "none",
        "fewer refills than none",
        "more than a year",
        "no time",
    ],
)
def test_the_quantity_lasts_as_long_as_the_order_says(supply: Resource, expected: Found) -> None:
    wanted = order(TABLET, dosage(1, "{tablet}", frequency=2), dispenseRequest=supply)
    assert found(wanted, ADULT) == expected


@pytest.mark.parametrize(
    ("code", "wanted", "record"),
    [
        ("dose-missing", order("paracetamol", {"text": "as directed"}), []),
        ("quantity-missing", order("paracetamol"), []),
        (
            "frequency-missing",
            order("paracetamol", {"doseAndRate": [{"doseQuantity": quantity(1, "g")}]}),
            [],
        ),
        ("frequency-missing", order("paracetamol", dosage(1, "g", period=0)), []),
        ("dose-unit", order("heparin", dosage(5000, "[iU]")), []),
        ("strength", order("paracetamol", dosage(1, "{tablet}")), []),
        ("age", order("paracetamol"), []),
        ("dose-limits", order("salbutamol"), []),
        ("dose-route", order("diclofenac 1% gel", dosage(4, "g")), []),
        ("dose-child", order("warfarin"), [person("2020-01-01")]),
        (
            "supply-units",
            order("paracetamol", dosage(1, "g"), dispenseRequest=SUPPLY),
            [],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_missing_for_a_judgement_is_said(
    code: str, wanted: Resource, record: list[Resource]
) -> None:
    assert code in unchecked(wanted, *record)


# --- findings --------------------------------------------------------------------------------

RECORD = [
    person("1995-01-01", "female"),
    allergy("penicillin", id="a1"),
    allergy("sulfa", id="a2"),
    using("warfarin", id="m1"),
    using("simvastatin", id="m2"),
    using("Zorblax", id="m3"),
    using("citalopram", id="m4"),
    condition("asthma", id="c1"),
    condition(concept(SNOMED, "1"), id="c2"),
    observation("33914-3", "o1", valueQuantity=quantity(20, "mL/min")),
    observation("29463-7", "o2", valueQuantity=quantity(60, "kg")),
]
ORDERS = [
    order("clarithromycin", dosage(500, "mg", frequency=2)),
    order("ibuprofen", dosage(400, "mg", frequency=3)),
    order("sulfamethoxazole 800 MG / trimethoprim 160 MG"),
    order("amoxicillin", dosage(1, "g", frequency=2)),
    order("methotrexate", dosage(10, "mg")),
]


@given(st.permutations(RECORD), st.sampled_from(ORDERS))
@settings(max_examples=60)
def test_the_order_of_the_record_is_of_no_matter(record: list[Resource], wanted: Resource) -> None:
    assert check(wanted, record, today=TODAY) == check(wanted, RECORD, today=TODAY)


@given(st.sets(st.sampled_from(range(1, len(RECORD) - 1))), st.sampled_from(ORDERS))
@settings(max_examples=60)
def test_more_record_takes_no_finding_away(kept: set[int], wanted: Resource) -> None:
    """Weights, the person and newer observations are what may: see the page for pharmacists."""
    part = [RECORD[0], *(RECORD[at] for at in sorted(kept)), RECORD[-1]]
    less, more = found(wanted, *part), found(wanted, *RECORD)
    assert less <= more


def test_findings_come_gravest_first_and_what_was_not_checked_last() -> None:
    findings = check(ORDERS[1], RECORD, today=TODAY)
    keys = [(one.kind is Kind.NOT_CHECKED, one.severity.rank) for one in findings]
    assert keys == sorted(keys)
    assert {one.needs_reason for one in findings if one.severity is HIGH} == {True}
    assert not any(one.needs_reason for one in findings if one.kind is Kind.NOT_CHECKED)
    assert len({one.key for one in findings}) == len(findings)


def test_every_finding_speaks_both_languages_shortly() -> None:
    for wanted in ORDERS:
        for one in check(wanted, RECORD, today=TODAY):
            for text in (one.summary, one.detail):
                assert text.en
                assert text.fr != text.en
            assert max(len(one.summary.en), len(one.summary.fr)) < 140
            assert one.summary.of("fr-CA") == one.summary.fr
            assert one.summary.of("de") == one.summary.en


def test_a_finding_becomes_a_valid_detected_issue() -> None:
    override = Override(
        author="Practitioner/ph", date="2026-03-01T10:00:00Z", reason="Asked the doctor."
    )
    for one in check(ORDERS[1], RECORD, today=TODAY):
        issue = detected_issue(
            one,
            order="MedicationRequest/order",
            patient={"reference": "Patient/p"},
            identified="2026-03-01T10:00:00Z",
            language="fr",
            override=override if one.needs_reason else None,
        )
        problems = [found.text for found in validate(issue) if found.severity in ("error", "fatal")]
        assert problems == []
        assert issue["code"]["text"] == one.summary.fr
        assert ("mitigation" in issue) is one.needs_reason
        assert issue["implicated"][0] == {"reference": "MedicationRequest/order"}
    assert "Asked" not in repr(override)


@pytest.mark.parametrize("bad", [None, [], "x", {}, {"resourceType": "Patient"}])
def test_only_a_medication_request_is_checked(bad: Any) -> None:
    with pytest.raises(Invalid):
        check(bad, [], today=TODAY)


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
)


@given(st.data())
@settings(max_examples=150)
def test_a_record_may_be_anything(data: st.DataObject) -> None:
    """Any member of any resource may be replaced by any JSON."""
    wanted, record = copy.deepcopy(ORDERS[0]), copy.deepcopy(RECORD)
    for resource in [wanted, *record]:
        name = data.draw(st.sampled_from(sorted(set(resource) - {"resourceType"})))
        resource[name] = data.draw(JSON)
    assert isinstance(check(wanted, record, today=TODAY), tuple)


@pytest.mark.parametrize(
    "value", [Decimal("1e999999"), Decimal("-1e-999999"), Decimal("NaN"), True, "5", [], 10**400]
)
def test_numbers_beyond_measure_read_as_missing(value: Any) -> None:
    wanted = order("paracetamol", dosage(value, "mg"))
    assert "dose-missing" in unchecked(wanted, ADULT)


def test_a_name_of_a_megabyte_is_cut() -> None:
    findings = check(order("x" * 1_000_000), [using("y" * 1_000_000)], today=TODAY)
    assert max(len(json.dumps(one.detail.en)) for one in findings) < 1000
    assert all(isinstance(one, Finding) for one in findings)
