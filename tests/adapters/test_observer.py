"""An observer with the whole chain and IPFS can't link tags, and what it could if we did otherwise.

docs/prescriptions/privacy.md has the figures: run with ``-s`` to see them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from support.observing import Guess, Manner, Play, guesses

UNLIKELY = 3.9
"""Standard errors: about sixty guesses, of which one would go beyond by chance once in 300 runs."""


def told(found: list[Guess]) -> None:
    for one in found:
        low, high = one.interval()
        print(
            f"| {one.about} | {one.strategy} | {one.right} of {one.of} | {one.chance:.3f}"
            f" | {one.advantage:+.3f} | {low:+.3f} to {high:+.3f} |"
        )


def test_no_way_of_guessing_beats_chance(tmp_path: Path) -> None:
    world = Play(tmp_path, Manner(), seed=1).day()
    assert len(world.truth) >= 1_000
    assert len({one.tag for one in world.seen}) == len(world.truth)
    found = guesses(world)
    told(found)
    assert len(found) > 40
    for one in found:
        assert one.interval(UNLIKELY)[0] <= 0, one


@pytest.mark.parametrize(
    ("manner", "least"),
    [
        # Without the timetable who was nearest in time is who prescribed.
        (
            Manner(prescriptions=150, timetable=False, delay=4.5),
            {("hospital", "nearest batch before"): 0.1},
        ),
        # What the world shows no protocol hides: how much at once, and where.
        (
            Manner(prescriptions=300, habits=True),
            {("kind", "part"): 0.3, ("hospital", "pharmacy, learned"): 0.2},
        ),
    ],
    ids=["no timetable", "habits"],
)
def test_an_observer_finds_what_is_there(
    tmp_path: Path, manner: Manner, least: dict[tuple[str, str], float]
) -> None:
    found = guesses(Play(tmp_path, manner, seed=2).day())
    told(found)
    for one in found:
        if (one.about, one.strategy) in least:
            assert one.advantage > least[one.about, one.strategy]
            assert one.interval(UNLIKELY)[0] > 0
