"""A program that tells subscribers is killed in the middle; another goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from simdes.exchange.node import Node
from simdes.hook_http import HttpHooks
from support.consortium import Consortium
from support.fhir_api import Api, Json
from support.receivers import Receiver, receiving, reply

EVENTS = 1_000 if os.environ.get("SIMDES_ACCEPT") else 60
KILLS = 3

_TELL = """
import sys, threading
from pathlib import Path
from simdes import app
from simdes.exchange.subscriptions import telling
with app.opened(Path(sys.argv[1])) as one:
    telling.run(one.node, threading.Event(), name=sys.argv[2])
"""


@contextmanager
def _telling(data: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program of the organisation that tells subscribers, until the end."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SIMDES_")}
    program = subprocess.Popen(
        [sys.executable, "-c", _TELL, str(data), name],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield program
    finally:
        program.kill()
        program.wait()


def _killed(data: Path, receiver: Receiver, name: str, *, after: int) -> None:
    """Let a program tell, and kill it when it has sent that many; it gets no answer to the last."""
    with _telling(data, name) as program:

        def answer(handler: BaseHTTPRequestHandler) -> None:
            if len(receiver.events) >= after:
                program.send_signal(signal.SIGKILL)
                program.wait()
                return
            reply(handler, 200)

        receiver.answer = answer
        assert program.wait(timeout=60) == -signal.SIGKILL
    receiver.answer = None


def _allow(data: Path) -> None:
    """Let the organisation's programs post to this machine."""
    path = data / "simdes.toml"
    kept = [one for one in path.read_text().splitlines() if "subscription_hosts" not in one]
    path.write_text("\n".join([*kept, 'subscription_hosts = "127.0.0.1"', ""]))


def _release(node: Node) -> None:
    """As if the dead one's lease had ended."""
    node.database.write(lambda tx: tx.run("UPDATE subscription SET held_until_ms = 0"))


def test_kill_9_in_the_middle_of_telling_loses_nothing_and_keeps_the_order(
    network: Consortium,
    doctor: Api,
    patient: Json,
    pulse: Callable[..., Json],
) -> None:
    one = network["north"]
    with receiving() as receiver:
        _allow(one.data)
        object.__setattr__(one.node, "hooks", HttpHooks("127.0.0.1"))
        made = doctor.create(
            {
                "resourceType": "Subscription",
                "status": "requested",
                "reason": "to know",
                "criteria": f"Observation?patient=Patient/{patient['id']}",
                "channel": {
                    "type": "rest-hook",
                    "endpoint": receiver.url,
                    "payload": "application/fhir+json",
                    "extension": [
                        {
                            "url": "http://hl7.org/fhir/uv/subscriptions-backport/"
                            "StructureDefinition/backport-max-count",
                            "valuePositiveInt": 5,
                        }
                    ],
                },
            }
        )
        entries = [
            {"resource": pulse(at), "request": {"method": "POST", "url": "Observation"}}
            for at in range(EVENTS)
        ]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        assert doctor.send("POST", "", bundle).status_code == 200
        begun = time.monotonic()
        for number in range(KILLS):
            _killed(one.data, receiver, f"killed {number}", after=3 * (number + 1))
            _release(one.node)
        with _telling(one.data, "last"):
            receiver.wait(lambda got: len({*receiver.numbers}) == EVENTS, seconds=120)
        print(f"{EVENTS} events, {KILLS} kills: {time.monotonic() - begun:.1f} s")
        first = list(dict.fromkeys(receiver.numbers))
        assert first == list(range(1, EVENTS + 1))
        values = {
            entry["id"]: entry["valueQuantity"]["value"]
            for got in receiver.events
            for entry in got.resources
        }
        assert sorted(values.values()) == list(range(EVENTS))
        doctor.send("DELETE", f"Subscription/{made['id']}")
