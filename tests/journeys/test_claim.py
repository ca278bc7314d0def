"""A claim in processes of its own: from a sample of a feed to paid.

What comes in is a clearing house's claim (X12 837), or a stay as patient administration and charges
tell of it (HL7 v2 ADT and DFT, in this order: charges come after the discharge). Hospital, insurer
and a third custodian are served by their own programs; patient, billing desk and claims clerk give
commands, each a process.
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
VECTORS = Path("tests/vectors")
WITHIN_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a feed brings: files, how they name patient and insurer, what comes of it."""

    files: tuple[str, ...]
    patient: tuple[str, str]
    insurer: str
    user: str
    claimed: str
    paid: str


STARTS = {
    "X12 837": Start(
        files=("x12/lfh/837_005010X222A2__demo.ambulance.example5.837",),
        patient=("urn:simdes:x12:payer:123245:member", "012345678A"),
        insurer="urn:simdes:x12:66:pi|123245",
        user="jane",
        claimed="766.50 USD",
        paid="554.85 USD",
    ),
    "HL7 v2 ADT and DFT": Start(
        files=tuple(
            f"hl7v2/microsoft/{name}.hl7" for name in ("ADT-A01-01", "ADT-A03-01", "DFT-P03-01")
        ),
        patient=("urn:id:2.16.1", "PATID1234"),
        insurer="urn:oid:2.16.840.1.113883.1.1|IC-1.31",
        user="adam",
        claimed="220.00 USD",
        paid="63.00 USD",
    ),
}


@dataclass(frozen=True, slots=True)
class Town:
    """A served network whose hospital took in what every start brings."""

    folder: Path

    def run(self, name: str, verb: str, user: str, *words: object, expect: int = 0) -> Any:
        """A command of somebody; what it printed, as JSON where it is some."""
        asked = ("claim", verb, "--data", self.folder / name, "--user", user, *words)
        done = simdes(*asked, SIMDES_USER_PASSPHRASE=passphrase_of(user))
        assert done.returncode == expect, (done.stdout, done.stderr)
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout

    def only(self, name: str, verb: str, user: str, claim: str) -> Any:
        """What a list says of one claim, None where it is not listed."""
        rows = [one for one in self.run(name, verb, user, "--json") if one["claim"] == claim]
        assert len(rows) < 2
        return rows[0] if rows else None

    def wait(self, look: Callable[[], Any], until: Callable[[Any], bool] = bool) -> Any:
        """What is seen once it is so."""
        end = time.monotonic() + WITHIN_SECONDS
        while not until(found := look()):
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
    files = [VECTORS / one for start in STARTS.values() for one in start.files]
    done = simdes("ingest", *files, "--data", folder / "north")
    assert done.returncode == 0, done.stderr
    with consortium.opened(folder) as network:
        network.settle()
        for start in STARTS.values():
            network.enrol(network.vault("north", *start.patient), start.user)
        network.settle()
    with serving(folder, *NAMES):
        yield Town(folder)


def _declare(folder: Path) -> None:
    plan = PLAN.replace("EUR", "USD").replace("filing_days = 180", "filing_days = 20000")
    insurer = config.load(folder / "east").organisation
    hospital = folder / "north" / "claims"
    (hospital / "payers").mkdir(parents=True)
    (hospital / "payers" / f"{insurer}.toml").write_text(plan)
    named = "".join(f"{start.insurer} ; {insurer}\n" for start in STARTS.values())
    (hospital / "payers.txt").write_text(named)
    (folder / "east" / "claims" / "plans").mkdir(parents=True)
    (folder / "east" / "claims" / "plans" / "basic.toml").write_text(plan)
    settings = folder / "north" / "simdes.toml"
    kept = re.sub(r"(?m)^prescription_batch_seconds.*\n", "", settings.read_text())
    settings.write_text(f"{kept}prescription_batch_seconds = 2\n")


ALWAYS = "X12 837"
"""The other start comes with `make accept`: what differs is tested in one process, too."""


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(start, id=name, marks=() if name == ALWAYS else pytest.mark.accept)
        for name, start in STARTS.items()
    ],
)
def test_from_a_feed_to_paid_in_separate_processes(town: Town, start: Start) -> None:
    [asked] = town.wait(lambda: town.run("north", "list", start.user, "--json"))
    assert {one["reference"].partition("/")[0] for one in asked["lines"]} >= {"Claim", "Patient"}
    id_, claim = asked["claim"], ("--claim", asked["claim"])
    assert town.only("east", "inbox", "clerk.poe", id_) is None
    town.run("east", "show", "clerk.poe", *claim, expect=4)

    town.run("north", "disclose", start.user, *claim)
    row = town.wait(
        lambda: town.only("east", "inbox", "clerk.poe", id_),
        lambda row: row and row["state"] == "disclosed",
    )
    assert (row["claimed"], row["provider"]) == (start.claimed, "Hospital North")
    shown = town.run("east", "show", "clerk.poe", *claim)
    assert sorted(f"{one['resourceType']}/{one['id']}" for one in shown["record"]) == sorted(
        one["reference"] for one in asked["lines"]
    )
    proposal = town.run("east", "propose", "clerk.poe", *claim, "--json")
    decided = town.run("east", "decide", "clerk.poe", *claim)
    assert decided["outcome"] == "partly"
    town.run("east", "settle", "clerk.poe", *claim, expect=8)
    copy = town.folder / f"{start.user}.simdes"
    town.run("north", "copy", start.user, *claim, "--out", copy)
    assert copy.stat().st_mode & 0o077 == 0
    town.run("north", "appeal", start.user, *claim, "--why", "My doctor ordered it.")
    town.run("south", "appeal", "dr.lee", "--copy", copy, expect=8)
    assert town.run("east", "decide", "clerk.poe", *claim)["outcome"] == "partly"
    town.run("south", "appeal", "dr.lee", "--copy", copy)
    assert town.run("east", "decide", "clerk.poe", *claim)["outcome"] == "partly"
    town.run("north", "accept", "dr.north", *claim)
    paid = town.run("east", "settle", "clerk.poe", *claim)
    assert paid["paid"] == proposal["benefit"] == start.paid

    own = town.wait(
        lambda: town.only("north", "mine", "dr.north", id_), lambda own: bool(own["ended"])
    )
    assert own["state"] == "paid"
    row = town.only("east", "inbox", "clerk.poe", id_)
    assert (row["state"], row["readable"]) == ("paid", False)
    town.run("east", "show", "clerk.poe", *claim, expect=4)
    town.run("east", "settle", "clerk.poe", *claim, expect=8)
