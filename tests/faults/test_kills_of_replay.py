"""A bulk replay killed after each of its commits, and at seeded points, then simply run again.

Every message must be accepted once and every document marked with what was accepted of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.postgres import Databases
from faults.cases import KILLED, Nursery, said
from faults.writer import COMMIT, MESSAGES, WRITER
from simdes.exchange import quarantine, replay
from simdes.exchange.quarantine import REPLAYED, Selection
from simdes.exchange.submit import Refused
from simdes.mapper import api
from support import consortium
from support.consortium import Consortium, sample_messages

SEEDS = 4
TABLES = ("source", "resource", "outbox", "vault", "identifier")


@dataclass(frozen=True, slots=True)
class Kept:
    """A network whose quarantine an upgrade would empty, and what a whole replay makes of it."""

    template: Path
    nursery: Nursery
    databases: Callable[[], dict[str, str]]
    events: dict[str, int]
    expected: dict[str, int]

    def copy(self, folder: Path) -> Path:
        """A network of its own, its quarantine filled."""
        network = consortium.copy(self.template, folder / "network", databases=self.databases())
        with consortium.opened(network) as opened:
            fill(opened)
        return network

    def replay(self, network: Path, aim: str = "", number: int = 0) -> int:
        """Run a bulk replay in a process of its own, killed at the N-th event of an aim."""
        return self.nursery.run(
            folder=str(network),
            verb="replay",
            says=str(network.parent / "says"),
            aim=aim,
            number=number,
            ahead_seconds=0,
        )


def fill(network: Consortium) -> None:
    """Feed single messages and a file of two to a release that can't map them."""
    samples = sample_messages(*MESSAGES)
    files = [*samples[:2], ("two.hl7", b"\r".join(data for _, data in samples[2:]))]
    with pytest.MonkeyPatch.context() as older:
        older.delitem(api.FORMATS, "hl7v2")
        for name, data in files:
            [answer] = network.submit(WRITER, name, data)
            assert isinstance(answer, Refused)


def counts(network: Consortium) -> dict[str, int]:
    with network[WRITER].node.database.read() as tx:
        return {name: tx.all(f"SELECT count(*) FROM {name}")[0][0] for name in TABLES}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kept(
    request: pytest.FixtureRequest,
    nursery: Nursery,
    template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Kept]:
    folder = tmp_path_factory.mktemp("kept")
    clean = []
    if request.param == "sqlite":
        made = Kept(template, nursery, dict, {}, {})
    else:
        pg = tmp_path_factory.mktemp("founded")

        def found(url: str) -> None:
            consortium.found(pg / "network", databases={WRITER: url})

        databases = Databases(request.getfixturevalue("postgres_url"), found)
        clean.append(databases.drop_all)
        made = Kept(pg / "network", nursery, lambda: {WRITER: databases.create()}, {}, {})
    network = made.copy(folder)
    assert made.replay(network) == 0
    made.events.update(said(network.parent / "says", "counts")[0])
    with consortium.opened(network) as opened:
        made.expected.update(counts(opened))
    yield made
    for one in clean:
        one()


def survives(kept: Kept, folder: Path, aim: str, number: int) -> None:
    network = kept.copy(folder)
    assert kept.replay(network, aim, number) == KILLED
    with consortium.opened(network) as opened:
        node = opened[WRITER].node
        done = list(replay.replay_all(node, None, Selection()).replays)
        assert all(one.outcome == "replayed" for one in done)
        assert counts(opened) == kept.expected
        entries = quarantine.listed(node, None, Selection(state=None)).entries
        assert [one.state for one in entries] == [REPLAYED] * 3
        sources = [
            line.source_id
            for one in entries
            for line in quarantine.show(node, None, one.id).history
        ]
        assert None not in sources
        assert len(sources) == len(set(sources)) == kept.expected["source"] == len(MESSAGES)
        with node.database.read() as tx:
            doubled = tx.all(
                "SELECT digest FROM resource GROUP BY vault, type, logical_id, digest"
                " HAVING count(*) > 1"
            )
        assert doubled == []


def test_a_replay_killed_after_any_one_of_its_commits_accepts_everything_once(
    kept: Kept, tmp_path: Path
) -> None:
    assert kept.events[COMMIT] >= 6
    for number in range(1, kept.events[COMMIT] + 1):
        survives(kept, tmp_path / str(number), COMMIT, number)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_replay_killed_anywhere_accepts_everything_once(
    kept: Kept, tmp_path: Path, seed: int
) -> None:
    draw = random.Random(f"replay {seed}")
    aim = draw.choice(sorted(kept.events))
    number = draw.randint(1, kept.events[aim])
    print(f"seed {seed}: event {number} of {aim!r}")
    survives(kept, tmp_path, aim, number)
