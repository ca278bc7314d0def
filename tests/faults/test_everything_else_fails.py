"""Ledger node, database, disk, clock and processes fail, one after the other, under load.

Everything is a process of its own, with toxiproxy between (`support.besieged`). While something
fails nobody gets a wrong answer or waits above ten seconds; when it is over every kind of call is
answered as before and everything written is anchored within half a minute (where consensus halted:
of the first new block); at the end nothing acknowledged is lost, nothing is doubled, and databases,
content stores, audit trails and chain say the same. What callers saw is printed, and kept in
docs/operations/faults.md. IPFS nodes are in `test_ipfs_nodes.py`.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from _pytest.mark import ParameterSet

from faults import evidence
from faults.load import SYSTEM, Load
from support import consortium
from support.besieged import Siege, besieged, embedded, wait_until

pytestmark = pytest.mark.nodes

CALL_SECONDS = 10
RECOVERY_SECONDS = 30
LONG = os.environ.get("SIMDES_ACCEPT") == "1"
SECONDS = 15 if LONG else 4
"""How long each fault lasts."""
SLOW_MS = 1_500
TABLE_BYTES = 1 << 20
REORGANISED_BLOCKS = 4

Play = Callable[[Siege, random.Random], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong while this is open; in CI only where it is ``short``."""

    name: str
    play: Play
    short: bool = False


@contextmanager
def _ledger(siege: Siege, who: tuple[str, ...], spoil: str) -> Iterator[None]:
    ways = [siege.ledger_ways[name] for name in who]
    for way in ways:
        way.slow(SLOW_MS) if spoil == "slow" else getattr(way, spoil)()
    try:
        yield
    finally:
        for way in ways:
            way.heal()


@contextmanager
def _halted(siege: Siege, _: random.Random) -> Iterator[None]:
    siege.halt()
    try:
        yield
    finally:
        siege.go_on()
        first = int(siege.node("eth_blockNumber"), 16)
        wait_until(lambda: int(siege.node("eth_blockNumber"), 16) == first and "no block", 20)


@contextmanager
def _reorganised(siege: Siege, draw: random.Random) -> Iterator[None]:
    time.sleep(draw.uniform(1, 3))
    siege.node("anvil_reorg", REORGANISED_BLOCKS, [])
    yield


@contextmanager
def _lying(siege: Siege, name: str) -> Iterator[None]:
    """Its node has the right blocks, and tells the state from before Bea revoked."""
    with siege.stale(name, int((siege.folder / "granted").read_text())):
        yield


@contextmanager
def _database(siege: Siege, spoil: str) -> Iterator[None]:
    way = siege.database_way
    assert way is not None
    way.slow(200) if spoil == "slow" else getattr(way, spoil)()
    try:
        yield
    finally:
        way.heal()


@contextmanager
def _database_killed(siege: Siege, draw: random.Random) -> Iterator[None]:
    assert siege.postgres is not None
    time.sleep(draw.uniform(0, 2))
    siege.postgres.kill()
    try:
        yield
    finally:
        siege.postgres.start()


@contextmanager
def _backend_killed(siege: Siege, draw: random.Random) -> Iterator[None]:
    """One of the server's processes dies; the server ends all others and recovers by itself."""
    assert siege.postgres is not None
    time.sleep(draw.uniform(0, 2))
    os.kill(draw.choice(siege.postgres.pids()[1:]), signal.SIGKILL)
    yield


@contextmanager
def _database_full(siege: Siege, _: random.Random) -> Iterator[None]:
    """No table may grow above a size that some have; the log goes on, as on a disk of its own."""
    assert siege.postgres is not None
    siege.postgres.limit_files(str(TABLE_BYTES))
    try:
        yield
    finally:
        siege.postgres.limit_files("unlimited")


@contextmanager
def _disk_full(siege: Siege, name: str) -> Iterator[None]:
    siege.members[name].full(True)
    try:
        yield
    finally:
        siege.members[name].full(False)


@contextmanager
def _killed(siege: Siege, draw: random.Random) -> Iterator[None]:
    """Each organisation's process in turn, again and again, at random times."""
    over = threading.Event()

    def kill() -> None:
        while not over.wait(draw.uniform(0.2, 2.0)):
            one = siege.members[draw.choice(sorted(siege.members))]
            one.kill()
            time.sleep(draw.uniform(0, 1))
            one.start()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()


@contextmanager
def _skewed(siege: Siege, name: str, seconds: int) -> Iterator[None]:
    """An organisation's clock is wrong; its people sign in by that clock."""

    def set_clock(skew: int) -> None:
        one = siege.members[name]
        one.stop()
        one.skew_seconds = skew
        one.start()
        siege.sign_in()

    siege.signing_in = True
    set_clock(seconds)
    try:
        yield
    finally:
        set_clock(0)


EVERYBODY = ("north", "south", "east")
SPOILT = ("slow", "cut", "reset", "silence")
FAULTS = [
    *(
        Fault(
            f"ledger of {'all' if len(who) > 1 else who[0]}: {spoil}",
            lambda siege, _, who=who, spoil=spoil: _ledger(siege, who, spoil),  # type: ignore[misc]
            short=who == ("north",) and spoil == "silence",
        )
        for who in (("north",), ("south",), EVERYBODY)
        for spoil in SPOILT
    ),
    Fault("ledger halted", _halted, short=True),
    Fault("ledger reorganised", _reorganised),
    *(
        Fault(
            f"ledger of {name}: tells old state",
            lambda siege, _, name=name: _lying(siege, name),  # type: ignore[misc]
        )
        for name in EVERYBODY
    ),
    *(
        Fault(
            f"database: {spoil}",
            lambda siege, _, spoil=spoil: _database(siege, spoil),  # type: ignore[misc]
            short=spoil == "silence",
        )
        for spoil in SPOILT
    ),
    Fault("database: killed", _database_killed),
    Fault("database: one process killed", _backend_killed),
    Fault("database: full", _database_full),
    *(
        Fault(
            f"disk of {name}: full",
            lambda siege, _, name=name: _disk_full(siege, name),  # type: ignore[misc]
            short=name == "south",
        )
        for name in EVERYBODY
    ),
    Fault("processes: killed again and again", _killed, short=True),
    *(
        Fault(
            f"clock of {name}: {seconds:+d} s",
            lambda siege, _, name=name, seconds=seconds: _skewed(siege, name, seconds),  # type: ignore[misc]
        )
        for name in EVERYBODY
        for seconds in (4, 90, -90)
    ),
]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    """Everything running, and clients that are not at work yet."""
    with besieged(tmp_path_factory.mktemp("siege")) as siege:
        yield Load(siege)


def _selected(faults: Sequence[Fault]) -> list[ParameterSet]:
    return [
        pytest.param(one, id=one.name, marks=() if one.short else pytest.mark.accept)
        for one in faults
    ]


@pytest.mark.parametrize("fault", _selected(FAULTS))
def test_nobody_gets_a_wrong_answer_or_waits_long_and_all_is_well_again(
    load: Load, fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    _play(load, fault, record_property)


def _play(load: Load, fault: Fault, record: Callable[[str, object], None]) -> None:
    siege = load.siege
    if LONG:
        siege.forget_copies()
    siege.sign_in()
    before = set(load.acknowledged)
    with load.running():
        time.sleep(1)
        with fault.play(siege, random.Random(fault.name)):
            time.sleep(SECONDS)
        over = time.monotonic()
        answered = load.fine_again(over, RECOVERY_SECONDS)
    wait_until(siege.waiting, RECOVERY_SECONDS - (time.monotonic() - over))
    anchored = time.monotonic() - over
    siege.signing_in = False
    record("fault", load.row(fault.name, answered, anchored))
    assert load.wrong == []
    assert max(one.slowest for one in load.seen.values()) < CALL_SECONDS
    assert _not_once(load, set(load.acknowledged) - before) == []


def _not_once(load: Load, values: set[str]) -> list[str]:
    """Acknowledged observations that are not found exactly once."""
    north = load.siege.members["north"].url + "/fhir"
    wrong = []
    with httpx.Client(timeout=CALL_SECONDS, headers=load.of("dr.north")) as client:
        for value in sorted(values):
            answer = client.get(f"{north}/Observation?identifier={SYSTEM}|{value}").json()
            found = [one["resource"]["valueString"] for one in answer.get("entry", [])]
            if found != [f"value of {value}"]:
                wrong.append(f"{value}: {found}")
    return wrong


def test_at_last_databases_stores_trails_and_chain_say_the_same(load: Load) -> None:
    _verify(load.siege)


def _verify(siege: Siege) -> None:
    wait_until(siege.copying, RECOVERY_SECONDS + 90)  # also of clocks that went ahead
    siege.stop()
    clock = consortium.Clock(120)  # what dead workers had claimed is free again
    with consortium.opened(siege.folder, clock=clock) as network:

        def wrong() -> list[str]:
            network.settle()
            return evidence.wrong(network, "north", {})

        wait_until(wrong, RECOVERY_SECONDS)  # custodians fetch what they do not have yet


# The ledger in a process --------------------------------------------------------------------------


@pytest.mark.accept
def test_a_disk_that_is_full_takes_nothing_from_the_ledger_s_journal(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """North's process has the journal, a database and a content store; nothing of it is written."""
    with embedded(tmp_path) as siege:
        load = Load(siege)
        for name in ("north", "south"):
            fault = Fault(
                f"embedded ledger, disk of {name}: full",
                lambda siege, _, name=name: _disk_full(siege, name),  # type: ignore[misc]
            )
            _play(load, fault, record_property)
        _verify(siege)
