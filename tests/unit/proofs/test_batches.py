"""What a batch looks like tells nothing of what is in it."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from simdes.errors import TooLarge
from simdes.proofs.batches import LEAST_LEAVES, MOST_STATED, compose, shuffled, slot_at
from simdes.proofs.poseidon import FIELD


def source(seed: int) -> random.Random:
    return random.Random(seed)


@pytest.mark.parametrize(
    ("count", "size"), [(0, 64), (1, 64), (32, 64), (33, 128), (256, 512), (MOST_STATED, 1024)]
)
def test_half_of_a_batch_or_more_are_dummies(count: int, size: int) -> None:
    statements = [FIELD - 1 - i for i in range(count)]
    made = compose(statements, source(1).randbytes)
    assert len(made.leaves) == size >= LEAST_LEAVES
    assert [made.leaves[place] for place in made.places] == statements
    assert len(set(made.leaves)) == size
    assert all(0 <= leaf < FIELD for leaf in made.leaves)


def test_more_waits_for_the_next_period() -> None:
    with pytest.raises(TooLarge):
        compose(range(MOST_STATED + 1), source(1).randbytes)


def test_every_place_is_as_likely() -> None:
    randomness = source(2)
    met = Counter(compose([7], randomness.randbytes).places[0] for _ in range(64 * 60))
    assert len(met) == 64
    # Chi-squared with 63 degrees of freedom: below 115 in all but one of ten thousand.
    assert sum((count - 60) ** 2 / 60 for count in met.values()) < 115


def test_a_shuffle_keeps_everything() -> None:
    assert sorted(shuffled(range(100), source(3).randbytes)) == list(range(100))
    assert shuffled(range(100), source(3).randbytes) != list(range(100))


def test_everybodys_periods_begin_together() -> None:
    assert [slot_at(at, 300) for at in (0, 299, 300, 601)] == [0, 0, 1, 2]
