"""One case: a copy of a network, a kill (or two) at seeded points, a restart, and the evidence.

The seed gives the step of the write path in turn, so that each is hit equally often, and the event
in it, uniformly: mostly among those right where something becomes durable. Every fourth case kills
the recovery too. The restarted processes' clocks run 16 seconds ahead of the killed one's, so that
its leases (15 s) are over and a case needs no waiting; `test_kills_in_real_time.py` waits for real.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from faults import evidence
from faults.writer import COMMIT, MESSAGES, STEPS, WRITER
from simdes.exchange import anchoring
from simdes.exchange.submit import Accepted
from support import consortium
from support.consortium import Clock, Consortium, sample_messages

IN_CI = 20
IN_ALL = 100
SHARES = 8
LEASE_SECONDS = 16
CONSISTENT_SECONDS = 30
KILLED = -9
KINDS = (
    " at a commit",
    " at a block",
    " at a commit",
    " durably",
    " at a commit",
    " at a file",
    "",
)
"""Among which events of its step a case draws one, in turn; where a step has none, among all."""

SEEDS = [
    pytest.param(seed, marks=() if seed < IN_CI else pytest.mark.accept) for seed in range(IN_ALL)
]

FAULTS_SEEN = (
    "| fault | writing | reading own | reading elsewhere | answered again | anchored |",
    "| --- | --- | --- | --- | --- | --- |",
)
"""The head of the table of what callers saw: answers and the slowest one; seconds after the end."""

Databases = Callable[[], Mapping[str, str]]


class Nursery:
    """The program `writer.py`, and the processes that it forks."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self._program = program

    def run(self, **case: Any) -> int:
        """Fork a child for a case and return how it ended."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps(case) + "\n")
        self._program.stdin.flush()
        return int(self._program.stdout.readline())


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Start the program; it ends with its input."""
    path = Path(__file__).parent / "writer.py"
    with subprocess.Popen(
        [sys.executable, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        yield Nursery(program)


@dataclass(frozen=True, slots=True)
class Stage:
    """What the cases of one database share: a template, fresh databases, events of a full run."""

    template: Path
    databases: Databases
    nursery: Nursery
    writing: Mapping[str, int]
    recovering: Mapping[str, int]

    def counted(self, folder: Path) -> Stage:
        """Count the events of a run that nobody kills, and of the recovery after it."""
        network = self.copy(folder)
        return replace(
            self,
            writing=self._count(network, "write"),
            recovering=self._count(network, "recover"),
        )

    def copy(self, folder: Path) -> Path:
        """A network of its own for a case."""
        return consortium.copy(self.template, folder / "network", databases=self.databases())

    def _count(self, network: Path, verb: str) -> Mapping[str, int]:
        says = network.parent / verb
        assert self._run(network, verb, says=says, restarts=int(verb == "recover")) == 0
        counts: Mapping[str, int] = said(says, "counts")[0]
        return counts

    def _run(
        self,
        network: Path,
        verb: str,
        *,
        says: Path,
        restarts: int,
        aim: str = "",
        number: int = 0,
    ) -> int:
        return self.nursery.run(
            folder=str(network),
            verb=verb,
            says=str(says),
            aim=aim,
            number=number,
            ahead_seconds=restarts * LEASE_SECONDS,
        )

    def kill(self, network: Path, verb: str, seed: int) -> str:
        """Run a verb and kill it at the seed's point."""
        counts = self.writing if verb == "write" else self.recovering
        draw = random.Random(f"{verb} {seed}")
        steps = list(STEPS.values())
        turn, step = divmod(seed, len(steps))
        aim = steps[step]
        if verb == "recover":
            aim = draw.choice(sorted(counts))
        elif f"{aim}{KINDS[turn % len(KINDS)]}" in counts:
            aim += KINDS[turn % len(KINDS)]
        return self.strike(network, verb, aim, draw.randint(1, counts[aim]))

    def strike(self, network: Path, verb: str, aim: str, number: int) -> str:
        """Run a verb and kill it at the N-th event of an aim; where that was."""
        says = network.parent / verb
        restarts = int(verb == "recover")
        ended = self._run(network, verb, says=says, restarts=restarts, aim=aim, number=number)
        assert ended == KILLED
        place = says.with_suffix(".place")
        return place.read_text() if place.exists() else f"{aim}, after its last event"

    def recover(self, network: Path, restarts: int) -> float:
        """Restart, and work until nothing is left; seconds since the last kill, by the clocks."""
        says = network.parent / "recovered"
        assert self._run(network, "recover", says=says, restarts=restarts) == 0
        seconds: float = said(says, "seconds")[0]
        return LEASE_SECONDS + seconds


def survives(stage: Stage, folder: Path, seed: int, record: Callable[[str, object], None]) -> None:
    """Play a seed's case and assert that nothing is lost, doubled or different."""
    network = stage.copy(folder)
    places = [stage.kill(network, "write", seed)]
    if seed % 4 == 3:
        places.append(stage.kill(network, "recover", seed))
    print(f"seed {seed}: killed {'; '.join(places)}")
    _examine(stage, network, places, record)


def survives_every_commit(
    stage: Stage, folder: Path, share: int, record: Callable[[str, object], None]
) -> None:
    """Kill after each commit of a full run in turn, or of every `SHARES`-th from ``share`` on."""
    for number in range(1 + share, stage.writing[COMMIT] + 1, SHARES):
        network = stage.copy(folder / str(number))
        places = [stage.strike(network, "write", COMMIT, number)]
        print(f"commit {number} of {stage.writing[COMMIT]}: killed {places[0]}")
        _examine(stage, network, places, record)
        shutil.rmtree(network)


def _examine(
    stage: Stage, network: Path, places: list[str], record: Callable[[str, object], None]
) -> None:
    """Restart after the last kill and compare everything; then send everything again."""
    record("killed", places)
    acknowledged = {
        one["acknowledged"]: bytes.fromhex(one["vault"])
        for one in _lines(network.parent / "write")
        if "acknowledged" in one
    }
    seconds = stage.recover(network, len(places))
    record("seconds", seconds)
    assert seconds < CONSISTENT_SECONDS
    with consortium.opened(network, clock=Clock(len(places) * LEASE_SECONDS)) as restarted:
        assert evidence.wrong(restarted, WRITER, acknowledged) == []
        everything = _again(restarted, acknowledged)
        assert evidence.wrong(restarted, WRITER, everything) == []


def _again(network: Consortium, acknowledged: Mapping[str, bytes]) -> dict[str, bytes]:
    """Send every message once more: what was acknowledged changes nothing, the rest is taken."""
    vaults: dict[str, bytes] = {}
    for name, data in sample_messages(*MESSAGES):
        [answer] = network.submit(WRITER, name, data)
        assert isinstance(answer, Accepted)
        if name in acknowledged:
            assert (answer.resources, answer.vault) == (0, acknowledged[name])
        vaults[name] = answer.vault
    network.settle()
    assert anchoring.everything_anchored(network[WRITER].node)
    return vaults


def _lines(says: Path) -> list[dict[str, Any]]:
    if not says.exists():
        return []
    return [json.loads(line) for line in says.read_text().splitlines()]


def said(says: Path, key: str) -> list[Any]:
    """What a child wrote down under a key."""
    return [one[key] for one in _lines(says) if key in one]


def summary(places: list[str]) -> Iterator[str]:
    """How many kills fell into which step of the write path."""
    steps: dict[str, int] = {}
    for place in places:
        step = place.partition(",")[0]
        for kind in KINDS:
            step = step.removesuffix(kind)
        step = step or "between steps"
        steps[step] = steps.get(step, 0) + 1
    for step, count in sorted(steps.items(), key=lambda item: -item[1]):
        yield f"{count:5} in {step}"
