"""Money is whole minor units; nothing is rounded but what is reckoned, and that once."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simdes.claims.money import (
    DECIMALS,
    MOST_MINOR,
    Money,
    money_of,
    part,
    read_money,
    rounded,
    split,
    times,
    total,
    write_money,
)
from simdes.errors import Invalid
from simdes.fhir.json import dumps, loads


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.30", "EUR", 1230),
        ("12.3", "EUR", 1230),
        ("12", "EUR", 1200),
        ("12.300", "EUR", 1230),
        ("-0.05", "CHF", -5),
        ("1E+3", "USD", 100_000),
        ("500", "JPY", 500),
        ("1.234", "KWD", 1234),
        ("0.0001", "CLF", 1),
    ],
)
def test_an_amount_is_read_exactly_by_the_decimals_of_its_currency(
    text: str, currency: str, minor: int
) -> None:
    assert money_of(Decimal(text), currency) == money_of(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("value", "currency"),
    [
        ("12.345", "EUR"),
        ("0.5", "JPY"),
        ("NaN", "EUR"),
        ("Infinity", "EUR"),
        ("1e300", "EUR"),
        ("1e-99999999", "EUR"),
        ("0e99999999", "EUR"),
        (Decimal("0E+99999999"), "EUR"),
        ("twelve", "EUR"),
        (12.3, "EUR"),
        (True, "EUR"),
        (None, "EUR"),
        ("1", "XXX"),
        ("1", "eur"),
        (str(MOST_MINOR), "EUR"),
    ],
)
def test_what_is_no_whole_number_of_minor_units_is_refused(value: object, currency: str) -> None:
    with pytest.raises(Invalid):
        money_of(value, currency)


def test_fhir_money_is_read_and_written_without_losing_a_decimal() -> None:
    read = read_money(loads(b'{"value": 4.00, "currency": "EUR"}'))
    assert dumps(write_money(read)) == b'{"value":4.00,"currency":"EUR"}'
    assert dumps(write_money(Money(7, "JPY"))) == b'{"value":7,"currency":"JPY"}'
    assert dumps(write_money(Money(-5, "EUR"))) == b'{"value":-0.05,"currency":"EUR"}'
    assert read_money({"value": 3}, currency="USD") == Money(300, "USD")
    for bad in ({}, {"value": 3}, {"currency": "EUR"}, {"value": 3, "currency": 7}, None):
        with pytest.raises(Invalid):
            read_money(bad)


def test_currencies_are_never_reckoned_together() -> None:
    for reckon in (
        lambda: Money(1, "EUR") + Money(1, "USD"),
        lambda: Money(1, "EUR") - Money(1, "USD"),
        lambda: Money(1, "EUR") < Money(1, "USD"),
        lambda: total([Money(1, "USD")], "EUR"),
    ):
        with pytest.raises(Invalid):
            reckon()


def test_all_currencies_of_the_list_have_none_two_three_or_four_decimals() -> None:
    assert set(DECIMALS.values()) == {0, 2, 3, 4}
    assert (DECIMALS["EUR"], DECIMALS["JPY"], DECIMALS["TND"], DECIMALS["UYW"]) == (2, 0, 3, 4)
    assert all(len(one) == 3 and one.isupper() for one in DECIMALS)


@pytest.mark.parametrize(
    ("exact", "whole"),
    [("1/2", 1), ("-1/2", -1), ("3/2", 2), ("49/100", 0), ("-49/100", 0), ("7", 7), ("5/2", 3)],
)
def test_halves_are_rounded_away_from_zero(exact: str, whole: int) -> None:
    assert rounded(Fraction(exact)) == whole


def test_a_quantity_and_a_percentage_are_rounded_once() -> None:
    assert times(333, Decimal("1.5")) == 500
    assert part(10_005, 1_250) == 1251
    assert part(0, 10_000) == 0


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_the_parts_of_a_split_add_up_and_none_is_off_by_a_unit(
    minor: int, weights: list[int]
) -> None:
    parts = split(minor, weights)
    assert sum(parts) == minor
    if whole := sum(weights):
        assert all(
            abs(one - Fraction(minor * weight, whole)) < 1
            for one, weight in zip(parts, weights, strict=True)
        )


def test_a_split_by_nothing_is_refused() -> None:
    with pytest.raises(Invalid):
        split(5, [])
    with pytest.raises(Invalid):
        split(5, [1, -1])
