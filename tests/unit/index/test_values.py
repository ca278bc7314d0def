"""What stands for slots, systems and long texts in the tables of searches."""

from __future__ import annotations

import pytest

from simdes.fhir.definitions import resource_types
from simdes.fhir.search.conditions import Kind, Quantity, Slot, Text, Token, Valued
from simdes.fhir.search.parameters import parameters_of
from simdes.fhir.search.values import BESIDE
from simdes.index.leaves import follower
from simdes.index.values import KEY, clean, key, literal, rows_of, slot_number, system_number


def slots() -> set[str]:
    """Every slot name of R4, and what stands beside it."""
    found = set()
    beside = {suffix for _, suffix in BESIDE}
    for type_ in resource_types():
        for parameter in parameters_of(type_).values():
            names = [one.name for one in parameter.slots] if parameter.slots else []
            names += [one.slot.name for one in parameter.components]
            names += [f"{type_}.{parameter.code}"]
            found |= {name + suffix for name in names for suffix in ("", *beside)}
    return found


def test_no_two_slots_of_r4_have_one_number() -> None:
    names = slots()
    assert len(names) > 10_000
    numbers = {slot_number(name) for name in names}
    assert len(numbers) == len(names)
    assert max(numbers) < 1 << 48


def test_no_system_has_the_number_of_none() -> None:
    assert system_number("") == 0
    systems = [f"urn:{at}" for at in range(5000)]
    numbers = {system_number(one) for one in systems}
    assert len(numbers) == len(systems)
    assert all(0 < number < 1 << 63 for number in numbers)


@pytest.mark.parametrize("length", [KEY - 1, KEY, KEY + 1, 10_000, 1_000_000])
def test_long_texts_stay_different_and_short(length: int) -> None:
    one, other = "a" * (length - 1) + "x", "a" * (length - 1) + "y"
    assert key(one) != key(other)
    assert key(one) == key(str(one))
    assert len(key(one)) <= KEY
    assert (key(one) == one) == (length <= KEY)


def test_what_postgresql_cannot_hold_is_replaced() -> None:
    assert clean("a\0b\ud800c") == "a\ufffdb?c"
    assert clean("é") == "é"


def test_a_reference_is_a_type_and_an_id_or_a_url() -> None:
    assert literal("Patient/a.B-1") == ("Patient", "a.B-1")
    for url in (
        "http://x/Patient/a",
        "urn:uuid:a",
        "Patient",
        "#p",
        "a/b/c",
        "P1/a",
        "Patient/a:b",
    ):
        assert literal(url) == ("", url)


def test_a_value_given_twice_is_one_row() -> None:
    name, other = Slot("x", Kind.TOKEN), Slot("y", Kind.STRING)
    values = [
        Valued(name, Token("s", "1")),
        Valued(name, Token("s", "1")),
        Valued(name, Token("s", "1"), 1),
        Valued(other, Text("A" * 70, "a" * 70)),
        Valued(other, Text("A", "a")),
    ]
    rows = rows_of(values)
    assert [(row["n"], row["part"]) for row in rows["search_token"]] == [(0, 0), (1, 1)]
    assert [row["folded"] for row in rows["search_text"]] == ["a" * 70, None]


def test_numbers_beyond_all_numbers_are_kept_within() -> None:
    slot = Slot("x", Kind.QUANTITY)
    [row] = rows_of(
        [Valued(slot, Quantity(float("nan"), float("-inf"), float("inf"), "", "", ""))]
    )["search_quantity"]
    assert row["value"] == 0
    assert -1.8e308 < float(str(row["low"])) < float(str(row["high"])) < 1.8e308


@pytest.mark.parametrize(
    ("text", "behind"),
    [
        ("a", "b"),
        ("az\U0010ffff", "a{"),
        ("\ud7ff", "\ue000"),
        ("\U0010ffff\U0010ffff", None),
        ("", None),
    ],
)
def test_a_follower_is_behind_all_that_begins_alike(text: str, behind: str | None) -> None:
    assert follower(text) == behind
