"""A process that plays a prescription from the order to its cancellation, and may die at any time.

Run as a program this loads SIMDES once and forks a child for each line of JSON on its standard
input: it prints the child's process id, later how it ended. A child opens a network's folders as
`simdes` does and goes on with the story from wherever the network stands; whoever watches sends
SIGKILL when they like. What the child says before that goes to a file, by `os.write`, so that a
kill takes nothing back.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from simdes.exchange.node import Node
from simdes.exchange.prescriptions import dispensing, holding, issuing, settling, submitting
from simdes.exchange.prescriptions.dispensing import Wanted
from simdes.exchange.prescriptions.states import State
from simdes.exchange.rights import Asking, ask
from support import consortium
from support.consortium import Clock, Consortium
from support.fhir_api import Api, application
from support.prescribing import order

NUMBER, USER = "rx-killed", "p.killed"
ORDER = {"system": "urn:simdes:test", "value": "the order"}
FILL, PART = 30, 15
ANSWER = "= "
"""How a line of this program begins; children print their logs between."""
Say = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Story:
    """The story's people on an opened network. Each step may be told again after it happened."""

    network: Consortium
    clock: Clock
    patient: str
    vault: bytes
    doctor: Api
    say: Say

    @property
    def north(self) -> Node:
        return self.network["north"].node

    @property
    def west(self) -> Node:
        return self.network["west"].node

    def request(self) -> dict[str, Any]:
        """The order, created once: whoever is told of no answer asks again."""
        asked = order(self.patient, identifier=[ORDER])
        only = f"identifier={ORDER['system']}|{ORDER['value']}"
        answer = self.doctor.send(
            "POST", "MedicationRequest", asked, headers={"If-None-Exist": only}
        )
        assert answer.status_code in (200, 201), answer.text
        made: dict[str, Any] = answer.json()
        return made

    def by_patient(self) -> Asking:
        return ask(self.north, self.network.session("north", USER))

    def by_pharmacist(self) -> Asking:
        self.west.following.catch_up()
        return ask(self.west, self.network.session("west", "ph.west"))

    def held(self) -> holding.Held:
        """The prescription as the patient sees it."""
        return holding.hold(self.north, self.by_patient(), self.request()["id"])

    def units(self) -> int:
        """How much is dispensed, by the ledger."""
        held = self.held()
        return held.terms.units(self.north.contracts.prescriptions.status(held.tag).part)

    # The steps ------------------------------------------------------------------------------------

    def prescribe(self) -> None:
        self.say(prescribed=self.request()["id"])

    def issue(self) -> None:
        self.clock.ahead_seconds += self.north.rules.batch_seconds
        issuing.work(self.north)
        self.network.settle()

    def submit(self) -> None:
        made = submitting.submit(
            self.north, self.by_patient(), self.request()["id"], self.west.organisation
        )
        self.say(submitted=made.handle.hex())

    def accept(self) -> None:
        if self.units() == 0:
            dispensing.accept(self.west, self.by_pharmacist(), self._id())

    def release(self) -> None:
        status = self.north.contracts.prescriptions.status(self.held().tag)
        if status.pharmacy == self.west.organisation:
            dispensing.release(self.west, self.by_pharmacist(), self._id())

    def dispense(self) -> None:
        self._dispense(FILL)

    def dispense_a_part(self) -> None:
        self._dispense(FILL + PART)

    def _dispense(self, until: int) -> None:
        left = until - self.units()
        if left > 0:
            wanted = Wanted(quantity=Decimal(left))
            made = dispensing.dispense(self.west, self.by_pharmacist(), self._id(), wanted)
            self.say(dispensed=made["id"], quantity=int(made["quantity"]["value"]))

    def cancel(self) -> None:
        stopped = self.request() | {"status": "stopped"}
        self.doctor.update(stopped)
        issuing.work(self.north)

    def _id(self) -> str:
        return str(self.request()["id"])


STEPS: Mapping[str, Callable[[Story], None]] = {
    "prescribe": Story.prescribe,
    "issue": Story.issue,
    "submit": Story.submit,
    "accept": Story.accept,
    "release": Story.release,
    "dispense": Story.dispense,
    "dispense a part": Story.dispense_a_part,
    "cancel": Story.cancel,
}


def play(network: Consortium, clock: Clock, patient: str, vault: bytes, say: Say) -> None:
    """What every organisation's worker does after a start, then the story to its end."""
    doctor = Api.of(network["north"], "dr.north", app=application(network["north"]))
    story = Story(network, clock, patient, vault, doctor, say)
    issuing.work(story.north)
    network.settle()
    settling.settle(story.west)
    if _is_over(story):
        return
    for name, step in STEPS.items():
        say(began=name)
        step(story)
        say(did=name)


def _is_over(story: Story) -> bool:
    found = story.doctor.found(f"MedicationRequest?identifier={ORDER['system']}|{ORDER['value']}")
    if not found or found[0]["status"] != "stopped":
        return False
    state, _ = holding.standing(story.north, story.held())
    assert state is State.CANCELLED
    return True


def child(case: dict[str, Any]) -> None:
    """One forked child."""
    log = os.open(case["says"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def say(**what: object) -> None:
        os.write(log, json.dumps(what).encode() + b"\n")

    clock = Clock(case["ahead_seconds"])
    with consortium.opened(Path(case["folder"]), clock=clock) as network:
        play(network, clock, case["patient"], bytes.fromhex(case["vault"]), say)
        say(ahead=clock.ahead_seconds)


def nursery() -> None:
    """Fork a child for every line; say its process id, and how it ended."""
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                child(json.loads(line))
                code = 0
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                os._exit(code)
        print(f"{ANSWER}{pid}", flush=True)
        _, status = os.waitpid(pid, 0)
        print(f"{ANSWER}{os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    nursery()
