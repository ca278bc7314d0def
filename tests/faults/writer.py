"""Processes that write and are killed, and processes that start again after them.

Run as a program this is a nursery: it loads SIMDES once and forks one child for each line of JSON
on its standard input, so that a case costs no start-up. A child opens a network's folders as
`simdes` does, writes, and kills *itself* with SIGKILL at a seeded point: the N-th profiling event
(call, return, call of C code) of SIMDES's packages inside one step. Nothing in SIMDES knows of it.
What a child says before it dies goes to files, by `os.write`, so that a kill takes nothing back.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from simdes.exchange import anchoring, quarantine, replay, retrieve
from simdes.exchange.submit import Accepted
from simdes.mapper import map_bytes
from support import consortium
from support.consortium import Clock, Consortium, sample_messages

STEPS = {
    "mapper.map_bytes": "map",
    "exchange.submit": "submit",
    "exchange.catch_up": "follow the chain",
    "exchange.open_vaults": "open vaults",
    "exchange.seal_pending": "seal and store",
    "exchange.anchor_sealed": "batch",
    "exchange.finish_batches": "anchor and receipt",
    "exchange.retrieve": "read, audited",
    "exchange.anchor_trail": "anchor the audit trail",
}
"""The functions that are the write path's steps; each is aimed at as often as any other."""

PACKAGES = ("mapper", "exchange", "index", "storage", "ledger", "access", "crypto")
DURABLE = ("index", "storage", "ledger")
"""The packages that write."""

EDGES = {
    **dict.fromkeys(("index.transaction", "index._ended"), " at a commit"),
    **dict.fromkeys(("storage._write", "storage._sync_folder"), " at a file"),
    **dict.fromkeys(("ledger.mine", "ledger._written", "ledger._sign"), " at a block"),
}
"""The functions in which something becomes durable; most kills fall right before or after that."""

COMMIT = "after a commit"
COMMITTING = ("transaction", "_written")
"""The context managers that commit at their end: of a database, and of the ledger's journal."""

MESSAGES = (
    "FHIRConverterTest_003.hl7",
    "HL7DataExtractorTest_098.hl7",
    "Hl7MessageTest_056.hl7",
    "Hl7EncounterFHIRConversionTest_154.hl7",
)
"""Three patients; the second and the third message are about the same one."""

GIVE_UP_SECONDS = 45

WRITER, CUSTODIANS = "north", ("south", "east")


class Executioner:
    """Counts events by step; at the N-th of one step it kills this process.

    The keys are a step's name for every event inside it (the innermost step counts), and the name
    with " durably" for those in the packages that write, with a word for those of `EDGES`. `COMMIT`
    counts commits alone: the moment after each one.
    """

    def __init__(self, aim: str, number: int, scaffold: Path) -> None:
        """``number`` 0 counts only."""
        self.counts: Counter[str] = Counter()
        self._aim, self._left, self._scaffold = aim, number, scaffold
        self._steps: list[str] = [""]
        self._known: dict[CodeType, tuple[str, str, str]] = {}

    def __call__(self, frame: FrameType, event: str, value: object) -> None:
        package, step, edge = self._known.get(frame.f_code) or self._look_at(frame)
        if not package:
            return
        if step and event == "call":
            self._steps.append(step)
        here = self._steps[-1]
        self._count(here, frame, event)
        if package in DURABLE:
            self._count(f"{here} durably", frame, event)
        if edge:
            self._count(f"{here}{edge}", frame, event)
        if edge and event == "return" and value is None and frame.f_code.co_name in COMMITTING:
            self._count(COMMIT, frame, event)  # the generator ended; a yield gives a value
        if step and event == "return":
            self._steps.pop()

    def _look_at(self, frame: FrameType) -> tuple[str, str, str]:
        name, _, package = str(frame.f_globals.get("__name__", "")).partition(".")
        package = package.partition(".")[0]
        found = ("", "", "")
        if name == "simdes" and package in PACKAGES:
            function = f"{package}.{frame.f_code.co_name}"
            found = (package, STEPS.get(function, ""), EDGES.get(function, ""))
        self._known[frame.f_code] = found
        return found

    def _count(self, key: str, frame: FrameType, event: str) -> None:
        self.counts[key] += 1
        if key == self._aim:
            self._left -= 1
            if self._left == 0:
                step = f"{self._steps[-1]}, {key}" if key == COMMIT else key
                self._scaffold.write_text(f"{step}, at {_place(frame)} ({event})")
                os.kill(os.getpid(), signal.SIGKILL)


def _place(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}:{frame.f_lineno}"


@contextmanager
def watched(aim: str, number: int, scaffold: Path) -> Iterator[Executioner]:
    """Count, and kill, what runs inside."""
    executioner = Executioner(aim, number, scaffold)
    sys.setprofile(executioner)
    try:
        yield executioner
    finally:
        sys.setprofile(None)


def write(
    network: Consortium, messages: Sequence[tuple[str, bytes]], say: Callable[[object], None]
) -> None:
    """Message by message: submit, acknowledge, work, read once for the audit trail."""
    north = network[WRITER].node
    reader = network.session(WRITER, "dr.north")
    for name, data in messages:
        [answer] = network.submit(WRITER, name, data)
        if not isinstance(answer, Accepted):
            raise SystemExit(f"{name} was refused")
        say({"acknowledged": name, "vault": answer.vault.hex()})
        anchoring.work(north, worker=f"writer {os.getpid()}")
        retrieve.retrieve(north, reader, vault=answer.vault)
    recover(network)


def replay_all(network: Consortium) -> None:
    """What `simdes quarantine replay --all --no-wait` does."""
    node = network[WRITER].node
    done = list(replay.replay_all(node, None, quarantine.Selection()).replays)
    if any(one.outcome != "replayed" for one in done):
        raise SystemExit("some of it was refused")


def recover(network: Consortium) -> None:
    """What `simdes serve` does after a start: rounds until nothing is left, at every member."""
    deadline = time.monotonic() + GIVE_UP_SECONDS
    for name in (WRITER, *CUSTODIANS):
        node = network[name].node
        while True:
            done = anchoring.work(node, worker=f"{name} {os.getpid()}")
            if done.idle and anchoring.everything_anchored(node):
                break
            if time.monotonic() > deadline:
                raise SystemExit("some of it is never anchored")


def child(case: dict[str, Any]) -> None:
    """One forked child: write or recover, with or without an end to it."""
    log = os.open(case["says"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def say(what: object) -> None:
        os.write(log, json.dumps(what).encode() + b"\n")

    messages = sample_messages(*MESSAGES)
    clock = Clock(case["ahead_seconds"])
    scaffold = Path(case["says"]).with_suffix(".place")
    began = time.monotonic()
    with consortium.opened(Path(case["folder"]), clock=clock) as network:
        with watched(case["aim"], case["number"], scaffold) as executioner:
            match case["verb"]:
                case "write":
                    write(network, messages, say)
                case "replay":
                    replay_all(network)
                case _:
                    recover(network)
        say({"finished": True, "counts": dict(executioner.counts)})
        if case["number"]:
            os.kill(os.getpid(), signal.SIGKILL)  # it finished in fewer events than counted before
    say({"seconds": time.monotonic() - began})


def nursery() -> None:
    """Fork a child for every line and say how it ended."""
    map_bytes(*sample_messages(MESSAGES[0])[0])  # the mapping tables are loaded once
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
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    nursery()
