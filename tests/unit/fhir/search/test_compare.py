"""How prefixes compare ranges: R4's definitions and its examples, and what follows from them."""

from __future__ import annotations

from itertools import product

import pytest

from simdes.fhir.search.compare import NUMBER_RULES, SPAN_RULES
from simdes.fhir.search.conditions import (
    FIRST_MS,
    LAST_MS,
    Match,
    NumberTest,
    Prefix,
    QuantityTest,
    SpanTest,
)
from simdes.fhir.search.parse import parse
from simdes.fhir.search.spans import span_ms

PREFIXES: tuple[Prefix, ...] = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")


def meets(prefix: Prefix, asked: str, low: int, high: int) -> bool:
    return SPAN_RULES[prefix](SpanTest(prefix, *span_ms(asked)), low, high)


@pytest.mark.parametrize(
    ("prefix", "asked", "has", "expected"),
    [
        # https://hl7.org/fhir/R4/search.html#prefix, the table's examples
        ("eq", "2013-01-14", "2013-01-14T00:00", True),
        ("eq", "2013-01-14", "2013-01-14T10:00", True),
        ("eq", "2013-01-14", "2013-01-15T00:00", False),
        ("ne", "2013-01-14", "2013-01-15T00:00", True),
        ("ne", "2013-01-14", "2013-01-14T00:00", False),
        ("ne", "2013-01-14", "2013-01-14T10:00", False),
        ("lt", "2013-01-14T10:00", "2013-01-14", True),
        ("gt", "2013-01-14T10:00", "2013-01-14", True),
        ("ge", "2013-03-14", "2013-03-14", True),
        ("le", "2013-03-14", "2013-03-14", True),
        ("ge", "2013-03-14", "2013-03-13", False),
        ("le", "2013-03-14", "2013-03-15", False),
        ("eq", "2013-01-14T10:00", "2013-01-14", False),
        ("sa", "2013-03-14", "2013-03-15", True),
        ("sa", "2013-03-14", "2013-03-14T23:59", False),
        ("eb", "2013-03-14", "2013-03-13", True),
        ("eb", "2013-03-14", "2013-03", False),
        ("ap", "2013-03-14", "2013-03", True),
    ],
)
def test_the_standards_examples(prefix: Prefix, asked: str, has: str, expected: bool) -> None:
    assert meets(prefix, asked, *span_ms(has)) is expected


def test_a_period_without_end_may_include_times_after_and_before() -> None:
    """From 21 January 2013 on: included by lt, gt, ge and le, but it doesn't start after March."""
    since, until = (span_ms("2013-01-21")[0], LAST_MS), (FIRST_MS, span_ms("2013-01-21")[1])
    for prefix in ("gt", "lt", "ge", "le"):
        assert meets(prefix, "2013-03-14", *since)
    assert not meets("sa", "2013-03-14", *since)
    assert meets("sa", "2013-01-14", *since)
    assert not meets("eb", "2013-03-14", *since)
    assert meets("eb", "2013-03-14", *until)
    assert not meets("eq", "2013-03-14", *since)


def test_prefixes_agree_with_their_definitions_on_all_small_ranges() -> None:
    """Ranges as sets of milliseconds: what overlaps and contains is counted out."""
    times = range(5)
    ranges = [(low, high) for low, high in product(times, times) if low < high]
    for (start, end), (low, high) in product(ranges, ranges):
        asked, has = set(range(start, end)), set(range(low, high))
        above, below = set(range(end, 9)), set(range(-9, start))
        expected = {
            "eq": has <= asked,
            "ne": not has <= asked,
            "gt": bool(above & has),
            "lt": bool(below & has),
            "ge": bool(above & has) or has <= asked,
            "le": bool(below & has) or has <= asked,
            "sa": not asked & has and has <= above,
            "eb": not asked & has and has <= below,
            "ap": bool(asked & has),
        }
        for prefix in PREFIXES:
            found = SPAN_RULES[prefix](SpanTest(prefix, start, end), low, high)
            assert found is expected[prefix], (prefix, start, end, low, high)


def number(text: str) -> NumberTest:
    """Return the test that a search for a number asks for."""
    pairs = [("probability", text)]
    where = parse(("RiskAssessment",), pairs, now_ms=0).where
    assert isinstance(where, Match)
    (test,) = where.tests
    assert isinstance(test, NumberTest)
    return test


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        # https://hl7.org/fhir/R4/search.html#number
        ("100", 99.5, 100.5),
        ("100.00", 99.995, 100.005),
        ("1e2", 95, 105),
        ("5.40e-3", 0.005395, 0.005405),
        ("-2", -2.5, -1.5),
        ("0", -0.5, 0.5),
        ("ap100", 90, 110),
        ("ap-100", -110, -90),
    ],
)
def test_a_number_stands_for_the_range_of_its_digits(text: str, low: float, high: float) -> None:
    found = number(text)
    assert (found.low, found.high) == (low, high)


@pytest.mark.parametrize(
    ("text", "matching", "others"),
    [
        ("100", (99.5, 100, 100.4), (99.4, 100.5)),
        ("lt100", (99.999,), (100, 100.001)),
        ("le100", (99.999, 100), (100.001,)),
        ("gt100", (100.001,), (100, 99.999)),
        ("ge100", (100, 100.001), (99.999,)),
        ("ne100", (99.4, 100.5), (99.5, 100)),
        ("sa100", (100.001,), (100,)),
        ("eb100", (99.999,), (100,)),
        ("ap100", (90, 109), (89, 111)),
    ],
)
def test_the_precision_of_a_number_counts_for_equality_alone(
    text: str, matching: tuple[float, ...], others: tuple[float, ...]
) -> None:
    test = number(text)
    for value in matching:
        assert NUMBER_RULES[test.prefix](test, value, value), value
    for value in others:
        assert not NUMBER_RULES[test.prefix](test, value, value), value


def test_a_range_is_compared_by_its_ends() -> None:
    """From 2 to 5."""
    for text, expected in [
        *(
            ("3", False),
            ("ne3", True),
            ("gt4", True),
            ("gt5", False),
            ("lt3", True),
            ("lt2", False),
        ),
        *(
            ("ge5", True),
            ("le2", True),
            ("sa1", True),
            ("sa2", False),
            ("eb6", True),
            ("ap5", True),
        ),
    ]:
        test = number(text)
        assert NUMBER_RULES[test.prefix](test, 2, 5) is expected, text


def test_a_number_beyond_a_floats_digits_still_finds_itself() -> None:
    text = "1234567890.12345678901234567890"
    test = number(text)
    assert NUMBER_RULES["eq"](test, float(text), float(text))


def test_quantities_in_ucum_are_asked_for_in_base_units() -> None:
    pairs = [("value-quantity", "5.40|http://unitsofmeasure.org|mg")]
    where = parse(("Observation",), pairs, now_ms=0).where
    assert isinstance(where, Match)
    assert where.slot.name == "Observation.value-quantity:canonical"
    test = NumberTest("eq", 0.0054, 0.005395, 0.005405)
    assert where.tests == (QuantityTest(test, "http://unitsofmeasure.org", "g"),)
