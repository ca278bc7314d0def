"""Fig. 4 in processes of their own: a hospital, a patient's commands, pharmacies that race.

Every member is served by its own program; whoever acts does so by commands, each a process. The
ledger is the one that journeys run on where it is shared, else the embedded one in a file.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simdes.exchange.prescriptions import issuing
from support import consortium
from support.consortium import Clock, passphrase_of
from support.fhir_api import Api, application
from support.gateways import serving, simdes, variables
from support.prescribing import Ward

PHARMACIES = ("west", "cove")


@dataclass(frozen=True, slots=True)
class Town:
    """A served network with prescriptions that wait at the hospital."""

    folder: Path
    requests: Sequence[str]

    def run(self, name: str, verb: str, user: str, *words: object, expect: int = 0) -> Any:
        """A command of somebody, as JSON."""
        asked = ("prescription", verb, "--data", self.folder / name, "--user", user, *words)
        done = simdes(*asked, "--json", SIMDES_USER_PASSPHRASE=passphrase_of(user))
        assert done.returncode == expect, (done.stdout, done.stderr)
        return json.loads(done.stdout) if done.stdout else None

    def begin(self, name: str, user: str, *words: str) -> subprocess.Popen[str]:
        """A dispense that runs beside others."""
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "simdes", "prescription", "dispense", "--json"),
                *("--data", str(self.folder / name), "--user", user, *words),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=variables({"SIMDES_USER_PASSPHRASE": passphrase_of(user)}),
        )


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Three members; the doctor has prescribed, the batch is issued, the patient is enrolled."""
    folder = tmp_path_factory.mktemp("journey") / "network"
    consortium.found(folder, names=("north", *PHARMACIES))
    for name in ("north", *PHARMACIES):
        consortium.let_read(folder / name)
    with consortium.opened(folder) as network:
        doctor = Api.of(network["north"], "dr.north", app=application(network["north"]))
        ward = Ward.of(network, Clock(), doctor, "journey")
        requests = [ward.prescribe(dispenseRequest={"numberOfRepeatsAllowed": 0})["id"]]
        issuing.work(network["north"].node)
        network.settle()
        network.enrol(ward.vault, "p.journey")
        network.settle()
    with serving(folder, "north", *PHARMACIES):
        yield Town(folder, requests)


def test_of_two_pharmacies_that_race_one_hands_out_and_the_other_is_told_before(
    town: Town,
) -> None:
    [request] = town.requests
    codes = {}
    for name, title in (("west", "Pharmacy West"), ("cove", "Pharmacy Cove")):
        made = town.run("north", "submit", "p.journey", "--prescription", request, "--to", title)
        codes[name] = made["code"]
    seen = town.run("west", "open", "ph.west", "--code", codes["west"])
    assert seen["request"]["id"] == request
    assert seen["status"]["state"] == "issued"

    racing = {
        name: town.begin(name, f"ph.{name}", "--prescription", request, "--code", codes[name])
        for name in PHARMACIES
    }
    ended = {name: program.communicate(timeout=300) for name, program in racing.items()}
    winners = [name for name in PHARMACIES if racing[name].returncode == 0]
    assert len(winners) == 1, ended
    [loser] = set(PHARMACIES) - set(winners)
    out, err = ended[loser]
    assert not out
    assert "Traceback" not in err
    told = json.loads(ended[winners[0]][0])
    assert (told["dispensed"], told["dispense"]["quantity"]["value"]) == (True, 30)

    after = town.run("north", "status", "p.journey", "--prescription", request)
    assert (after["state"], after["left"]["value"]) == ("completed", 0)
    assert len(after["fills"]) == 1
