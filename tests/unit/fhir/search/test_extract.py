"""What extraction finds, by data type (https://hl7.org/fhir/R4/search.html#table)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.fhir.codes import UCUM
from simdes.fhir.search.conditions import (
    FIRST_MS,
    LAST_MS,
    Quantity,
    Reference,
    Span,
    Text,
    Token,
    Value,
)
from simdes.fhir.search.extract import extract
from simdes.fhir.search.magnitudes import LEAST, MOST


def values(resource: dict[str, Any], slot: str) -> list[Value]:
    """Return what `resource` has under the slot `slot` of its type."""
    name = f"{resource['resourceType']}.{slot}"
    return [v.value for v in extract(resource) if v.slot.name == name]


def test_a_code_has_the_code_system_of_its_required_binding() -> None:
    patient = {"resourceType": "Patient", "gender": "female"}
    assert values(patient, "gender") == [
        Token("http://hl7.org/fhir/administrative-gender", "female")
    ]


def test_a_name_gives_each_of_its_parts_and_none_twice() -> None:
    name = {"text": "Ana Müller", "family": "Müller", "given": ["Ana", "Eva"], "suffix": ["Eva"]}
    patient = {"resourceType": "Patient", "name": [name]}
    assert values(patient, "name") == [
        Text("Ana Müller", "ana muller"),
        Text("Müller", "muller"),
        Text("Ana", "ana"),
        Text("Eva", "eva"),
    ]
    assert values(patient, "family") == [Text("Müller", "muller")]


def test_a_date_covers_its_precision() -> None:
    patient = {"resourceType": "Patient", "birthDate": "1970-01"}
    assert values(patient, "birthdate") == [Span(0, 31 * 86_400_000)]


def test_the_subject_is_told_from_other_references() -> None:
    observation = {
        "resourceType": "Observation",
        "subject": {"reference": "Patient/1/_history/2"},
        "performer": [{"reference": "Patient/1"}],
    }
    assert values(observation, "patient") == [Reference("Patient/1", "2", True)]
    assert values(observation, "performer") == [Reference("Patient/1")]


def test_what_is_misshapen_gives_no_value_and_no_error() -> None:
    for wrong in (7, "x", [], {}, [[]], [None], None, {"coding": 1}, [{"given": [{}]}]):
        for name in ("name", "identifier", "birthDate", "generalPractitioner", "telecom", "meta"):
            extract({"resourceType": "Patient", name: wrong})


DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("element", "low", "high"),
    [
        ({"effectiveDateTime": "1970-01-02"}, DAY_MS, 2 * DAY_MS),
        ({"effectiveInstant": "1970-01-01T00:00:00.001Z"}, 1, 2),
        ({"effectivePeriod": {"start": "1970", "end": "1970-01-02"}}, 0, 2 * DAY_MS),
        ({"effectivePeriod": {"start": "1970-01-02"}}, DAY_MS, LAST_MS),
        ({"effectivePeriod": {"end": "1970-01-02"}}, FIRST_MS, 2 * DAY_MS),
        ({"effectiveTiming": {"event": ["1970-01-03", "1970-01-01"]}}, 0, 3 * DAY_MS),
        (
            {"effectiveTiming": {"repeat": {"boundsPeriod": {"start": "1970-01-02"}}}},
            DAY_MS,
            LAST_MS,
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_times_of_all_types(element: dict[str, Any], low: int, high: int) -> None:
    assert values({"resourceType": "Observation"} | element, "date") == [Span(low, high)]


@pytest.mark.parametrize(
    "element",
    [
        {"effectivePeriod": {}},
        {"effectiveTiming": {"repeat": {"frequency": 1}}},
        {"effectiveDateTime": "yesterday"},
        {"_effectiveDateTime": {"extension": [{"url": "http://a.org", "valueCode": "x"}]}},
    ],
    ids=lambda value: next(iter(value)),
)
def test_times_that_say_nothing_give_no_value(element: dict[str, Any]) -> None:
    assert values({"resourceType": "Observation"} | element, "date") == []


def test_quantities_come_as_written_and_in_base_units() -> None:
    amount = {"value": Decimal("5.40"), "unit": "milligram", "system": UCUM, "code": "mg"}
    observation = {"resourceType": "Observation", "valueQuantity": amount}
    assert values(observation, "value-quantity") == [
        Quantity(5.4, 5.4, 5.4, UCUM, "mg", "milligram")
    ]
    assert values(observation, "value-quantity:canonical") == [
        Quantity(0.0054, 0.0054, 0.0054, UCUM, "g", "g")
    ]
    del amount["system"]
    assert values(observation, "value-quantity:canonical") == []


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        ({"value": 1, "unit": "a"}, {"value": 3, "unit": "a"}, (1, 1, 3)),
        ({"value": 1, "unit": "a"}, None, (1, 1, MOST)),
        (None, {"value": 3, "unit": "a"}, (3, LEAST, 3)),
    ],
)
def test_a_range_has_two_ends_or_one(
    low: Any, high: Any, expected: tuple[float, float, float]
) -> None:
    ends = {name: end for name, end in (("low", low), ("high", high)) if end}
    condition = {"resourceType": "Condition", "onsetRange": ends}
    assert values(condition, "onset-age") == [Quantity(*expected, "", "", "a")]


def test_samples_cover_all_of_their_data() -> None:
    sampled = {"origin": {"value": 10, "unit": "mV"}, "factor": Decimal(2), "data": "-1 E 3 U 0"}
    observation = {"resourceType": "Observation", "valueSampledData": sampled}
    assert values(observation, "value-quantity") == [Quantity(8, 8, 16, "", "", "mV")]


def test_money_has_its_currency_as_unit() -> None:
    invoice = {"resourceType": "Invoice", "totalNet": {"value": 5, "currency": "EUR"}}
    assert values(invoice, "totalnet") == [Quantity(5, 5, 5, "urn:iso:std:iso:4217", "EUR", "EUR")]


def test_concepts_give_their_codings_and_apart_from_them_their_texts() -> None:
    concept = {
        "coding": [{"system": "s", "code": "1", "display": "One"}, {"code": "2"}, {"system": "t"}],
        "text": "The One",
    }
    observation = {"resourceType": "Observation", "code": concept}
    assert values(observation, "code") == [Token("s", "1"), Token("", "2"), Token("t", "")]
    assert values(observation, "code:text") == [Text("The One", "the one"), Text("One", "one")]
    assert values({"resourceType": "Observation", "code": {"text": "x"}}, "code") == []


def test_a_code_of_hl7_v2_is_found_in_either_case() -> None:
    system = "http://terminology.hl7.org/CodeSystem/v2-0131"
    contact = {"relationship": [{"coding": [{"system": system, "code": "N"}]}]}
    device = {"resourceType": "Device", "type": contact["relationship"][0]}
    assert values(device, "type") == [Token(system, "N"), Token(system, "n")]


def test_where_references_lead_decides_what_finds_them() -> None:
    """A contained resource is of its type; a URN may be anything."""
    appointment = {
        "resourceType": "Appointment",
        "contained": [{"resourceType": "Practitioner", "id": "d"}],
        "participant": [
            {"actor": {"reference": "Patient/1"}},
            {"actor": {"reference": "#d"}},
            {"actor": {"reference": "urn:uuid:7353e17f-0cd5-5b0a-c736-92b9ca5f8366"}},
            {"actor": {"type": "Location", "identifier": {"system": "s", "value": "room"}}},
        ],
    }
    urn = Reference("urn:uuid:7353e17f-0cd5-5b0a-c736-92b9ca5f8366")
    assert values(appointment, "patient") == [Reference("Patient/1", "", False), urn]
    assert values(appointment, "practitioner") == [Reference("#d"), urn]
    assert values(appointment, "location") == [urn]
    assert values(appointment, "location:identifier") == [Token("s", "room")]
    assert values(appointment, "practitioner:identifier") == []
    assert len(values(appointment, "actor")) == 3


def test_a_canonical_reference_is_told_from_its_version() -> None:
    response = {"resourceType": "QuestionnaireResponse", "questionnaire": "http://a.org/q|2"}
    assert values(response, "questionnaire") == [Reference("http://a.org/q", "2")]


def test_the_first_entry_of_a_bundle_alone_is_its_composition() -> None:
    entries = [{"resource": {"resourceType": "Composition", "id": id_}} for id_ in ("1", "2")]
    bundle = {"resourceType": "Bundle", "entry": entries}
    assert values(bundle, "composition") == [Reference("Composition/1")]


def test_contained_resources_add_nothing() -> None:
    inner = {"resourceType": "Patient", "id": "p", "name": [{"family": "Inner"}], "gender": "male"}
    assert extract({"resourceType": "Patient", "contained": [inner]}) == extract(
        {"resourceType": "Patient"}
    )


def test_composites_with_a_component_missing_are_left_out() -> None:
    code = {"coding": [{"code": "a"}]}
    observation = {"resourceType": "Observation", "code": code, "component": [{"code": code}]}
    assert not [v for v in extract(observation) if "#" in v.slot.name]


def test_every_part_of_composites_has_a_number_of_its_own() -> None:
    component = {"code": {"coding": [{"code": "a"}]}, "valueQuantity": {"value": 1}}
    observation = {"resourceType": "Observation", "component": [component] * 3}
    for name in ("component-code-value-quantity", "combo-code-value-quantity"):
        slot = f"Observation.{name}#0"
        parts = [v.part for v in extract(observation) if v.slot.name == slot]
        assert len(set(parts)) == 3
        assert 0 not in parts


def test_what_is_no_resource_has_no_values() -> None:
    assert extract({}) == extract({"resourceType": "Nothing"}) == extract({"resourceType": 1}) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("a1|/#", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("code", "coding", "system", "value", "low", "unit", "repeat", "type", "text"),
                    *("reference", "identifier", "data", "origin", "start", "event", "comparator"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(JSON, JSON, JSON)
def test_no_shape_of_elements_makes_it_fail(first: Any, second: Any, third: Any) -> None:
    extract(
        {
            "resourceType": "Observation",
            "code": first,
            "subject": first,
            "status": second,
            "valueQuantity": second,
            "valueSampledData": third,
            "effectiveTiming": third,
            "identifier": [first, second],
            "component": [{"code": first, "valueQuantity": third}, second],
            "meta": third,
            "contained": second,
        }
    )
