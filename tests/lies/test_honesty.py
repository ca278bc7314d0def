"""Nothing is found where nobody lies: crashes, lost answers, late batches, clocks apart, floods."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from simdes import app
from simdes.access import reading
from simdes.errors import Unavailable
from simdes.exchange import reconciling
from simdes.exchange.remote_reading import Opening
from support.lying import HOUR, READER, World, world


class Crash(BaseException):
    """The program is killed here."""


def crash_before_the_entry(made: World) -> None:
    """Shares came, and the program died before it wrote that down."""
    with mock.patch.object(Opening, "succeeded", side_effect=Crash), suppress(Crash):
        made.read()
    made.later(made.random.uniform(1, 500))


def crash_while_asking(made: World) -> None:
    """The program died between two custodians."""
    true = reading.ask
    left = made.random.randint(1, 4)

    def ask(*given: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            raise Crash
        return true(*given)

    with mock.patch.object(reading, "ask", ask), suppress(Crash):
        made.read()


def lost_answers(made: World) -> None:
    """A custodian did everything, and its answer did not arrive."""
    victim = made.random.choice([name for name in made.network.members if name != READER])
    one = made.network[victim]

    def answer(method: str, token: bytes) -> bytes:
        one.custody.answer(method, token)
        raise Unavailable("The connection broke.")

    app._here.open(one.node.organisation, answer)
    made.read()
    made.read("nurse.kim")
    made.network.up(victim)


def custodian_down(made: World) -> None:
    """A custodian was away for a while."""
    victim = made.random.choice([name for name in made.network.members if name != READER])
    made.network.down(victim)
    made.read()
    made.network.up(victim)


def flood(made: World) -> None:
    """Somebody was refused again and again within a minute, and in the next."""
    for _ in range(made.random.randint(3, 9)):
        assert not made.read("nurse.kim")
        made.later(made.random.uniform(0, 25))


def revocation(made: World) -> None:
    """A consent ended between two readings, and another one began."""
    made.read()
    made.revoke()
    made.read()
    made.grant("observations")
    made.read()


def reading_again(made: World) -> None:
    """Copies that are held were read again, by several people."""
    for _ in range(4):
        made.read()
        made.later(made.random.uniform(5, 400))


def at_once(made: World) -> None:
    """Two processes opened the same, neither knowing of the other's copy."""
    made.read()
    node = made.network[READER].node
    node.database.write(lambda tx: tx.run("DELETE FROM remote_copy"))
    made.read()


def late_batches(made: World) -> None:
    """One organisation's batches came most of a day late."""
    made.anchor()
    made.read()
    made.anchor(*(name for name in made.network.members if name != "north"))
    made.later(20 * HOUR)
    made.anchor()


CASES: tuple[Callable[[World], None], ...] = (
    crash_before_the_entry,
    crash_while_asking,
    lost_answers,
    custodian_down,
    flood,
    revocation,
    reading_again,
    at_once,
    late_batches,
)


def honest(template: Path, folder: Path, seed: int, cases: int) -> None:
    skews = {"north": 0.0, "south": -2.0, "east": 2.5}
    with world(template, folder, seed, skews=skews) as made:
        for _ in range(cases):
            made.random.choice((World.day, CASES[seed % len(CASES)], made.random.choice(CASES)))(
                made
            )
            if made.random.random() < 0.3:
                made.anchor()
        CASES[seed % len(CASES)](made)
        made.later(700)  # openings that nobody ended are written down by now
        made.anchor()
        made.later(100)  # and refusals that were counted
        made.anchor()
        made.later(2 * HOUR)
        assert made.accused() == {}
        made.anchor()
        made.later(24 * HOUR)
        assert made.accused() == {}
        for one in made.network.members.values():
            report = reconciling.reconcile(one.node, everything=True)
            assert (report.waiting, report.silent, report.findings) == (0, [], [])


@pytest.mark.parametrize("seed", range(len(CASES)))
def test_nothing_is_found_where_nobody_lies(template: Path, tmp_path: Path, seed: int) -> None:
    honest(template, tmp_path / "network", seed, cases=1)


@pytest.mark.accept
@pytest.mark.parametrize("seed", range(100, 150))
def test_nothing_is_found_in_fifty_honest_networks(
    template: Path, tmp_path: Path, seed: int
) -> None:
    honest(template, tmp_path / "network", seed, cases=6)


def test_clocks_that_are_too_far_apart_to_talk_are_no_finding_for_three_days(
    template: Path, tmp_path: Path
) -> None:
    with world(template, tmp_path / "network", 7, skews={"south": -45.0}) as made:
        made.day()
        made.anchor()
        made.later(2 * HOUR)
        assert made.accused() == {}
        made.anchor()
        made.later(48 * HOUR)
        assert made.accused() == {}
