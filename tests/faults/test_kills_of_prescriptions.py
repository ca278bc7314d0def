"""Processes killed by the clock in the middle of a prescription's steps, then started again.

A seed names the step (issue, submit, dispense, release, cancel and what lies between, in turn) and
how long after its beginning SIGKILL comes; every third kills the process that goes on as well. In
the end the ledger, the record and what people were told must say the same.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from faults import prescriber
from faults.cases import KILLED
from faults.prescriber import ANSWER, FILL, PART, STEPS, USER
from simdes.exchange.interactions import finding
from simdes.exchange.prescriptions import holding, settling
from simdes.exchange.rights import ask
from simdes.fhir.json import loads
from simdes.index import chain_prescriptions, dispensing, resources
from support import consortium
from support.consortium import Clock, Consortium
from support.fhir_api import Api, application
from support.prescribing import Ward

IN_CI, IN_ALL = (5, 9), 40
LEASE_SECONDS = 62
"""After which nobody works on what a dead process began."""
MOST_SECONDS = {"prescribe": 0.6, "issue": 2.0, "submit": 0.8, "cancel": 1.0}
"""About how long a step takes; the others prove, and take two seconds."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A closed network to be copied, with its patient."""

    template: Path
    patient: str
    vault: bytes
    program: subprocess.Popen[str]

    def run(
        self, network: Path, says: Path, ahead: float, *, seed: int | None = None, step: str = ""
    ) -> int:
        """Let a process play the story, killed some time after the step begins; how it ended."""
        case = {
            "folder": str(network),
            "says": str(says),
            "ahead_seconds": ahead,
            "patient": self.patient,
            "vault": self.vault.hex(),
        }
        assert self.program.stdin is not None
        self.program.stdin.write(json.dumps(case) + "\n")
        self.program.stdin.flush()
        pid = self._answer()
        if seed is not None:
            _kill(pid, says, step, random.Random(seed))
        return self._answer()

    def _answer(self) -> int:
        assert self.program.stdout is not None
        for line in self.program.stdout:
            if line.startswith(ANSWER):
                return int(line.removeprefix(ANSWER))
        raise AssertionError("the nursery ended")


def _kill(pid: int, says: Path, step: str, draw: random.Random) -> None:
    """Wait until the step began (or the process ended), then some time, then SIGKILL."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and _lives(pid):
        if any(line.get("began") == step for line in lines(says)):
            time.sleep(draw.uniform(0, MOST_SECONDS.get(step, 2.0)))
            break
        time.sleep(0.01)
    if _lives(pid):
        os.kill(pid, signal.SIGKILL)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def lines(says: Path) -> list[dict[str, Any]]:
    """What a process said."""
    if not says.exists():
        return []
    whole = says.read_text().rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


@contextmanager
def _nursery() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, prescriber.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        yield program


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("prescriptions-killed") / "network"
    consortium.found(folder, names=("north", "west"))
    for name in ("north", "west"):
        consortium.let_read(folder / name)
    with consortium.opened(folder) as network:
        doctor = Api.of(network["north"], "dr.north", app=application(network["north"]))
        ward = Ward.of(network, Clock(), doctor, prescriber.NUMBER)
        network.settle()
        network.enrol(ward.vault, USER)
        network.settle()
        patient, vault = str(ward.patient["id"]), ward.vault
    with _nursery() as program:
        yield Ground(folder, patient, vault, program)


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(seed, marks=() if seed in IN_CI else pytest.mark.accept)
        for seed in range(IN_ALL)
    ],
)
def test_killed_in_any_step_nothing_is_dispensed_twice_and_nothing_lost(
    ground: Ground, tmp_path: Path, seed: int
) -> None:
    network = consortium.copy(ground.template, tmp_path / "network")
    says, ahead = tmp_path / "says", 0.0
    names = list(STEPS)
    ended = ground.run(network, says, ahead, seed=seed, step=names[seed % len(names)])
    assert ended in (KILLED, 0)
    ahead += LEASE_SECONDS + _ahead(says)
    if seed % 3 == 2:
        again = names[(seed * 5 + 3) % len(names)]
        assert ground.run(network, says, ahead, seed=seed + IN_ALL, step=again) in (KILLED, 0)
        ahead += LEASE_SECONDS + _ahead(says)
    print(f"seed {seed}: {[one for one in lines(says) if 'began' in one or 'did' in one][-1]}")
    assert ground.run(network, says, ahead) == 0
    ahead += LEASE_SECONDS + _ahead(says)
    with consortium.opened(network, clock=Clock(ahead)) as restarted:
        restarted.settle()
        _examine(ground, restarted, lines(says))


def _ahead(says: Path) -> float:
    """How far a story's clock went on of itself: a period of the timetable each time."""
    return 600.0 * sum(one.get("began") == "issue" for one in lines(says))


def _examine(ground: Ground, network: Consortium, told: list[dict[str, Any]]) -> None:
    """Compare the ledger, both organisations' records and what people were told."""
    north, west = network["north"].node, network["west"].node
    assert settling.settle(west) == settling.Settled()
    patient = ask(north, network.session("north", USER))
    [held] = holding.all_held(north, patient, vaults=(ground.vault,))
    where = holding.tell(north, held)
    assert (where.state.value, where.dispensed["value"]) == ("cancelled", FILL + PART)
    assert {one["prescribed"] for one in told if "prescribed" in one} == {held.request["id"]}

    with north.database.read() as tx:
        steps = chain_prescriptions.dispenses(tx, held.tag_bytes)
    with west.database.read() as tx:
        rows = [one for state in _STATES for one in dispensing.in_state(tx, state)]
    made = dispenses(network, ground.vault)
    amounts = sorted(int(one["quantity"]["value"]) for one in made.values())
    assert sum(amounts) == FILL + PART
    assert len(made) == len(steps) == sum(one.state == dispensing.DISPENSED for one in rows)
    assert not [one for one in rows if one.state == dispensing.BEGUN]
    for one in told:
        if "dispensed" in one:  # a person was told to hand it out
            record = made[one["dispensed"]]
            assert (record["status"], record["quantity"]["value"]) == ("completed", one["quantity"])
    with north.database.read() as tx:
        openings = tx.one(
            "SELECT count(*) FROM prescription WHERE vault = :v AND state = 'issued'",
            v=ground.vault,
        )
        left = tx.one("SELECT count(*) FROM prescription WHERE cancel = 'wanted'")
    assert (openings, left) == ((1,), (0,))


_STATES = (dispensing.BEGUN, dispensing.DISPENSED, dispensing.REFUSED, dispensing.QUEUED)


def dispenses(network: Consortium, vault: bytes) -> Mapping[str, dict[str, Any]]:
    """The pharmacy's MedicationDispenses by id."""
    node = network["west"].node
    with node.database.read() as tx:
        rows = tx.all(
            "SELECT logical_id FROM resource WHERE type = 'MedicationDispense' AND vault = :v",
            v=vault,
        )
        key = finding.keys_of(node, tx, {vault})[vault]
        found = [resources.latest_of(tx, "MedicationDispense", row[0])[0] for row in rows]
        return {
            str(made["id"]): made
            for one in found
            for made in [loads(finding.version_of(node, one, key).content)]
        }
