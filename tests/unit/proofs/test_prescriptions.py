"""What a prescription's statement allows, in words before a prover would only fail."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.errors import Conflict, Invalid
from simdes.proofs.poseidon import FIELD, poseidon
from simdes.proofs.prescriptions import PARTS, Prescription, Step, nullifier_key, tag_of

THREE_FILLS = Prescription(
    key=nullifier_key(77),
    salt=99,
    total=90,
    per_fill=30,
    interval=28,
    first_day=20_000,
    last_day=20_200,
)


@settings(derandomize=True, max_examples=50, deadline=None)
@given(st.integers(1, PARTS))
def test_a_part_tells_exactly_how_many_units(total: int) -> None:
    one = replace(THREE_FILLS, total=total, per_fill=total)
    parts = [one.part(units) for units in range(total + 1)]
    assert (parts[0], parts[-1]) == (0, PARTS)
    assert all(a < b for a, b in pairwise(parts))
    assert [one.units(part) for part in parts] == list(range(total + 1))


def test_what_is_no_part_of_it_is_refused() -> None:
    assert replace(THREE_FILLS, total=3, per_fill=1).units(3334) == 1
    with pytest.raises(Invalid):
        replace(THREE_FILLS, total=3, per_fill=1).units(3333)


@pytest.mark.parametrize(
    "wrong",
    [
        {"total": 0},
        {"total": 10_001},
        {"per_fill": 0},
        {"per_fill": 91},
        {"interval": -1},
        {"interval": 2**14},
        {"first_day": -1},
        {"first_day": 20_201},
        {"last_day": 2**20},
        {"key": FIELD},
        {"salt": -1},
        {"bound": FIELD},
    ],
    ids=str,
)
def test_what_can_never_be_proved_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(Invalid):
        replace(THREE_FILLS, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "step",
    [
        Step(before=0, after=30, day=20_000),
        Step(before=0, after=1, day=20_200),
        Step(before=10, after=30, day=20_001, fill_day=20_000),
        Step(before=10, after=40, day=20_028, fill_day=20_000),
        Step(before=60, after=90, day=20_100, fill_day=20_050),
        Step(before=30, after=30, day=20_100, fill_day=20_050),
        Step(before=30, after=30, day=20_100, fill_day=20_050, releases=True),
    ],
    ids=str,
)
def test_steps_that_are_allowed(step: Step) -> None:
    step.require_allowed(THREE_FILLS)


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (Step(before=60, after=91, day=20_100, fill_day=20_050), "only 30 units"),
        (Step(before=0, after=30, day=20_201), "expired"),
        (Step(before=0, after=30, day=19_999), "not valid yet"),
        (Step(before=0, after=31, day=20_000), "at most 30"),
        (Step(before=10, after=61, day=20_100, fill_day=20_000), "at most 50"),
        (Step(before=30, after=60, day=20_027, fill_day=20_000), "in 1 days"),
    ],
    ids=str,
)
def test_steps_that_are_not_say_why(step: Step, why: str) -> None:
    with pytest.raises(Conflict, match=why):
        step.require_allowed(THREE_FILLS)


def test_a_controlled_substance_stays_where_it_is() -> None:
    step = Step(before=30, after=30, day=20_100, fill_day=20_050, releases=True)
    with pytest.raises(Conflict, match="controlled"):
        step.require_allowed(replace(THREE_FILLS, controlled=True))


def test_what_was_dispensed_never_falls() -> None:
    with pytest.raises(Invalid):
        Step(before=31, after=30, day=20_100).require_allowed(THREE_FILLS)


def test_a_step_is_packed_from_its_lowest_bit() -> None:
    step = Step(before=30, after=60, day=20_028, fill_day=20_000)
    fields = 3_334 | 6_667 << 14 | 20_000 << 28 | 20_028 << 48 | 20_028 << 68
    assert step.packed(THREE_FILLS) == fields
    rest = Step(before=35, after=40, day=20_028, fill_day=20_000, releases=True)
    fields = 3_889 | 4_445 << 14 | 20_000 << 28 | 20_000 << 48 | 20_028 << 68 | 1 << 88
    assert rest.packed(THREE_FILLS) == fields


def test_tag_and_leaf_are_hashes_of_what_the_format_says() -> None:
    assert nullifier_key(77) == poseidon(5, 77)
    assert tag_of(THREE_FILLS.key, context=5) == poseidon(2, 5, THREE_FILLS.key)
    terms = poseidon(90, 30, 28, 20_000, 20_200, 0)
    assert THREE_FILLS.leaf == poseidon(1, THREE_FILLS.key, 99, terms, 0)
