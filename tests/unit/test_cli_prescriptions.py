"""Every verb of `simdes prescription`: what it says, as JSON, and what it refuses.

The network is open in this process, so that custodians answer; a command opens its folder anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from simdes.cli import command_line
from simdes.commands import counter
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, SimdesError
from support import consortium
from support.consortium import Clock, passphrase_of
from support.fhir_api import Api, application
from support.prescribing import Ward


@dataclass
class Town:
    """A hospital, two pharmacies, and a patient with a prescription that is issued."""

    folder: Path
    ward: Ward
    request: str
    code: str = ""

    def run(self, member: str, user: str, verb: str, *words: str) -> str:
        """A command's output; its refusal is raised."""
        asked = ["prescription", verb, "--data", str(self.folder / member), *words]
        who = [] if verb == "work" else ["--user", user]
        env = {"SIMDES_USER_PASSPHRASE": passphrase_of(user)}
        done = CliRunner().invoke(command_line(), [*asked, *who], env=env)
        self.ward.network.up(member)  # the command shut its custody API when it ended
        if done.exception is not None:
            raise done.exception
        return done.stdout

    def told(self, member: str, user: str, verb: str, *words: str) -> Any:
        return json.loads(self.run(member, user, verb, *words, "--json"))

    @property
    def this(self) -> tuple[str, str]:
        return ("--prescription", self.request)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("cli-prescriptions") / "network"
    consortium.found(folder, names=("north", "west", "cove"))
    for name in ("north", "west", "cove"):
        consortium.let_read(folder / name)
    with consortium.opened(folder) as network:
        doctor = Api.of(network["north"], "dr.north", app=application(network["north"]))
        ward = Ward.of(network, Clock(), doctor, "cli")
        made = Town(folder, ward, ward.prescribe()["id"])
        network.settle()
        network.enrol(ward.vault, "p.cli")
        yield made


PATIENT, WEST, COVE = ("north", "p.cli"), ("west", "ph.west"), ("cove", "ph.cove")
AT_WEST = ("--to", "Pharmacy West")


def test_work_issues_what_is_due(town: Town) -> None:
    done = town.told("north", "", "work")
    assert (done["issued"]["batches"], done["issued"]["prescriptions"]) == (1, 1)
    assert done["settled"] == {"dispensed": 0, "refused": 0, "conflicts": 0}
    assert town.run("north", "", "work").startswith("0 batches with 0 prescriptions")
    assert town.told("west", "", "work")["issued"]["batches"] == 0
    town.ward.network.settle()


def test_the_patient_sees_and_submits_it(town: Town) -> None:
    [listed] = town.told(*PATIENT, "list")
    assert (listed["prescription"], listed["state"]) == (
        f"MedicationRequest/{town.request}",
        "issued",
    )
    assert (listed["left"]["value"], listed["controlled"], listed["fills"]) == (90, False, [])
    assert "issued" in town.run(*PATIENT, "list")
    assert "left 90 capsule" in town.run(*PATIENT, "status", *town.this)
    made = town.told(*PATIENT, "submit", *town.this, *AT_WEST, "--for", "2d")
    assert made.keys() == {"prescription", "code", "payload", "handle", "until"}
    town.code = made["code"]
    said = town.run(*PATIENT, "submit", *town.this, *AT_WEST, "--qr")
    assert "Code for the counter: " in said
    assert len(said.splitlines()) > 20  # the QR code


def test_the_pharmacy_sees_it_in_its_queue_and_opens_it(town: Town) -> None:
    queue = town.told(*WEST, "queue")
    assert town.code in {one["code"] for one in queue}
    assert {one["what"] for one in queue} == {"one prescription"}
    assert town.told(*WEST, "queue", "--since", "1h") == queue
    assert town.told(*COVE, "queue") == []
    assert town.code in town.run(*WEST, "queue")
    seen = town.told(*WEST, "open", "--code", town.code)
    assert seen["request"]["id"] == town.request
    assert seen.keys() == {"request", "status", "record", "findings", "warnings"}
    assert "issued" in town.run(*WEST, "open", "--code", town.code)


def test_who_watches_the_queue_hears_of_what_comes(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[float] = []

    def pause(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 1:
            town.run(*PATIENT, "submit", *town.this, *AT_WEST)
        if len(rounds) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(counter.time, "sleep", pause)
    asked = ["prescription", "queue", "--watch", "--data", str(town.folder / "west")]
    env = {"SIMDES_USER_PASSPHRASE": passphrase_of("ph.west")}
    done = CliRunner().invoke(command_line(), [*asked, "--user", "ph.west"], env=env)
    town.ward.network.up("west")
    assert done.stdout.count("\a") == 1
    assert done.stdout.count("was submitted, until") == 1


def test_a_dry_run_dispenses_nothing(town: Town) -> None:
    planned = town.told(*WEST, "dispense", "--code", town.code, "--dry-run", "--quantity", "10")
    assert planned["dispensed"] is False
    assert planned["dispense"]["quantity"]["value"] == 10
    said = town.run(*WEST, "dispense", "--code", town.code, "--dry-run")
    assert said == "It would be: 30 capsule.\n"
    assert town.told(*PATIENT, "status", *town.this)["dispensed"]["value"] == 0


def test_it_is_accepted_released_dispensed_and_refused(town: Town) -> None:
    assert town.run(*WEST, "accept", "--code", town.code) == "Accepted.\n"
    assert town.told(*PATIENT, "status", *town.this)["pharmacy"] == "Pharmacy West"
    assert town.run(*WEST, "release", "--code", town.code) == "Released.\n"
    said = town.run(*WEST, "dispense", *town.this, "--code", town.code, "--quantity", "30")
    assert said == "Hand out: 30 capsule.\n"
    [fill] = town.told(*PATIENT, "status", *town.this)["fills"]
    assert (fill["dispensed"]["value"], fill["pharmacy"]) == (30, "Pharmacy West")
    text = ("--reason", "outofstock", "--text", "Monday")
    assert town.run(*WEST, "refuse", "--code", town.code, *text) == "Refused, and on record.\n"


def test_it_is_transferred_preferred_and_withdrawn(town: Town) -> None:
    moved = town.told(*PATIENT, "transfer", *town.this, "--to", "Pharmacy Cove")
    with pytest.raises(NotFound):
        town.run(*WEST, "open", "--code", town.code)
    assert [one["code"] for one in town.told(*COVE, "queue")] == [moved["code"]]
    assert town.run(*PATIENT, "withdraw", *town.this) == "Withdrawn from 1.\n"
    assert town.told(*COVE, "queue") == []
    assert town.run(*PATIENT, "prefer", *AT_WEST) == "Prescriptions go to Pharmacy West.\n"
    assert [one["what"] for one in town.told(*WEST, "queue")] == ["every prescription"]
    assert town.run(*PATIENT, "prefer") == "Prescriptions go nowhere unasked.\n"
    assert town.told(*WEST, "queue") == []


REFUSED: dict[str, tuple[tuple[str, str], str, tuple[str, ...], type[SimdesError]]] = {
    "which-one": (WEST, "open", (), Invalid),
    "no-such-code": (WEST, "open", ("--code", "AAAA-BBBB-CCCC-DDDD"), NotFound),
    "no-such-payload": (WEST, "open", ("--code", "simdes:rx:1:rubbish"), Invalid),
    "no-such-request": (WEST, "accept", ("--prescription", "nothing"), NotFound),
    "no-number": (WEST, "dispense", ("--prescription", "x", "--quantity", "many"), Invalid),
    "far-number": (WEST, "dispense", ("--prescription", "x", "--quantity", "1e99999999"), Invalid),
    "no-such-time": (WEST, "queue", ("--since", "yesterday"), Invalid),
    "no-such-pharmacy": (
        PATIENT,
        "submit",
        ("--prescription", "x", "--to", "Pharmacy Nowhere"),
        NotFound,
    ),
    "no-pharmacy-at-all": (PATIENT, "prefer", ("--to", "0x00"), SimdesError),
    "no-time-at-all": (
        PATIENT,
        "submit",
        ("--prescription", "x", *AT_WEST, "--for", "soon"),
        Invalid,
    ),
    "a-patient-opens": (PATIENT, "open", ("--prescription", "x"), Forbidden),
    "a-patient-looks-at-the-queue": (PATIENT, "queue", (), Forbidden),
    "a-patient-dispenses": (PATIENT, "dispense", ("--prescription", "x"), Forbidden),
    "a-pharmacist-submits": (WEST, "submit", ("--prescription", "x", *AT_WEST), Forbidden),
    "a-pharmacist-transfers": (WEST, "transfer", ("--prescription", "x", *AT_WEST), Forbidden),
    "a-pharmacist-withdraws": (WEST, "withdraw", ("--prescription", "x"), Forbidden),
    "a-pharmacist-prefers": (WEST, "prefer", AT_WEST, SimdesError),
    "a-doctor-releases": (("north", "dr.north"), "release", ("--prescription", "x"), Forbidden),
    "no-such-reason": (WEST, "refuse", ("--prescription", "x", "--reason", "because"), SimdesError),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_or_is_not_theirs_is_refused(town: Town, case: str) -> None:
    who, verb, words, error = REFUSED[case]
    with pytest.raises(error) as refused:
        town.run(*who, verb, *words)
    assert refused.value.message
    assert refused.value.advice
    assert "Traceback" not in refused.value.message


def test_a_payload_is_as_good_as_its_code(town: Town) -> None:
    made = town.told(*PATIENT, "submit", *town.this, *AT_WEST)
    seen = town.told(*WEST, "open", "--code", made["payload"])
    assert seen["request"]["id"] == town.request
    with pytest.raises(NotFound):
        town.run(*COVE, "open", "--code", made["payload"])


def test_what_is_refused_by_state_says_why(town: Town) -> None:
    with pytest.raises(Conflict, match="belong"):
        town.run(*WEST, "release", *town.this)
