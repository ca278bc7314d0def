"""A claim in processes of its own: from a clearing house's sample (X12 837) to paid.

Hospital, insurer and a third custodian are served by their own programs; patient, billing desk and
claims clerk give commands, each a process.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simdes import config
from support import consortium
from support.claiming import PLAN
from support.consortium import passphrase_of
from support.gateways import serving, simdes

NAMES = ("north", "south", "east")
SAMPLE = Path("tests/vectors/x12/lfh/837_005010X222A2__demo.ambulance.example5.837")
MEMBER = ("urn:simdes:x12:payer:123245:member", "012345678A")
WITHIN_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Town:
    """A served network whose hospital took in a claim."""

    folder: Path

    def run(self, name: str, verb: str, user: str, *words: object, expect: int = 0) -> Any:
        """A command of somebody; what it printed, as JSON where it is some."""
        asked = ("claim", verb, "--data", self.folder / name, "--user", user, *words)
        done = simdes(*asked, SIMDES_USER_PASSPHRASE=passphrase_of(user))
        assert done.returncode == expect, (done.stdout, done.stderr)
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout

    def wait(self, name: str, verb: str, user: str, until: Callable[[Any], bool]) -> Any:
        """What a list says once it is so."""
        end = time.monotonic() + WITHIN_SECONDS
        while not until(found := self.run(name, verb, user, "--json")):
            assert time.monotonic() < end, found
            time.sleep(0.5)
        return found


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("journey") / "network"
    consortium.found(folder, names=NAMES)
    for name in NAMES:
        consortium.let_read(folder / name)
    _declare(folder)
    done = simdes("ingest", SAMPLE, "--data", folder / "north")
    assert done.returncode == 0, done.stderr
    with consortium.opened(folder) as network:
        network.settle()
        vault = network.vault("north", *MEMBER)
        network.enrol(vault, "jane")
        network.settle()
    with serving(folder, *NAMES):
        yield Town(folder)


def _declare(folder: Path) -> None:
    plan = PLAN.replace("EUR", "USD").replace("filing_days = 180", "filing_days = 20000")
    insurer = config.load(folder / "east").organisation
    hospital = folder / "north" / "claims"
    (hospital / "payers").mkdir(parents=True)
    (hospital / "payers" / f"{insurer}.toml").write_text(plan)
    (hospital / "payers.txt").write_text(f"urn:simdes:x12:66:pi|123245 ; {insurer}\n")
    (folder / "east" / "claims" / "plans").mkdir(parents=True)
    (folder / "east" / "claims" / "plans" / "basic.toml").write_text(plan)
    settings = folder / "north" / "simdes.toml"
    kept = re.sub(r"(?m)^prescription_batch_seconds.*\n", "", settings.read_text())
    settings.write_text(f"{kept}prescription_batch_seconds = 2\n")


def test_from_an_837_to_paid_in_separate_processes(town: Town) -> None:
    [asked] = town.wait("north", "list", "jane", bool)
    assert {one["reference"].partition("/")[0] for one in asked["lines"]} >= {"Claim", "Patient"}
    claim = ("--claim", asked["claim"])
    assert town.run("east", "inbox", "clerk.poe", "--json") == []
    town.run("east", "show", "clerk.poe", *claim, expect=4)

    town.run("north", "disclose", "jane", *claim)
    [row] = town.wait(
        "east", "inbox", "clerk.poe", lambda rows: rows and rows[0]["state"] == "disclosed"
    )
    assert (row["claimed"], row["provider"]) == ("766.50 USD", "Hospital North")
    shown = town.run("east", "show", "clerk.poe", *claim)
    assert sorted(f"{one['resourceType']}/{one['id']}" for one in shown["record"]) == sorted(
        one["reference"] for one in asked["lines"]
    )
    proposal = town.run("east", "propose", "clerk.poe", *claim, "--json")
    decided = town.run("east", "decide", "clerk.poe", *claim)
    assert decided["outcome"] == "partly"
    town.run("east", "settle", "clerk.poe", *claim, expect=8)
    town.run("north", "accept", "dr.north", *claim)
    paid = town.run("east", "settle", "clerk.poe", *claim)
    assert paid["paid"] == proposal["benefit"] == "554.85 USD"

    [own] = town.wait("north", "mine", "dr.north", lambda rows: rows[0]["ended"])
    assert own["state"] == "paid"
    [row] = town.run("east", "inbox", "clerk.poe", "--json")
    assert (row["state"], row["readable"]) == ("paid", False)
    town.run("east", "show", "clerk.poe", *claim, expect=4)
    town.run("east", "settle", "clerk.poe", *claim, expect=8)
