"""The listener against senders that break off and a SIGKILL: every message acknowledged, once.

Real processes, real databases. A sender does what hospitals' do: it sends a message until it is
acknowledged, over a new connection where the last one broke. Meanwhile it breaks off in the middle
of frames, or hangs up before the acknowledgment, and the listener is killed and started again.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.postgres import Databases
from simdes import config
from simdes.crypto.digest import sha256
from simdes.index.database import open_database
from support import consortium
from support.gateways import free_ports
from support.mllp import Sender, adt, enclosed, listening, msa, sending

GIVE_UP_SECONDS = 900
BREAKS = {"in a frame": 0.05, "before the answer": 0.05, "in pieces": 0.1}
"""How often a sender does what, of all messages; else it sends and waits."""


@dataclass(slots=True)
class Wards:
    """The senders of a hospital: what they have to send, and what was acknowledged."""

    port: int
    seed: int
    acknowledged: dict[str, bytes] = field(default_factory=dict)
    tries: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    given_up: threading.Event = field(default_factory=threading.Event)

    def send_all(self, ward: int, messages: int) -> None:
        """Send one ward's messages, each until it is acknowledged."""
        draw = random.Random(f"{self.seed} {ward}")
        left = [(f"W{ward}-{n}", adt(f"W{ward}-{n}", f"{ward}-{n}")) for n in range(messages)]
        left.reverse()
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while left:
            assert time.monotonic() < deadline
            assert not self.given_up.is_set()
            with suppress(ConnectionError, EOFError), sending(self.port) as sender:
                while left:
                    control, message = left[-1]
                    with self.lock:
                        self.tries += 1
                    self._send(sender, message, draw)
                    assert msa(sender.answer()) == ("AA", control)
                    with self.lock:
                        self.acknowledged[control] = message
                    left.pop()
            time.sleep(0.01)

    def _send(self, sender: Sender, message: bytes, draw: random.Random) -> None:
        """Send, or break off with ConnectionError."""
        frame = enclosed(message)
        what = draw.choices([*BREAKS, ""], [*BREAKS.values(), 1 - sum(BREAKS.values())])[0]
        cut = draw.randrange(1, len(frame))
        if what == "in a frame":
            sender.send(frame[:cut])
            raise ConnectionError
        sender.send(frame[:cut])
        if what == "in pieces":
            time.sleep(0.002)
        sender.send(frame[cut:])
        if what == "before the answer":
            time.sleep(draw.random() * 0.05)
            raise ConnectionError


def exercise(north: Path, *, messages: int, connections: int, kills: int, seed: int) -> Wards:
    """Send everything, killing the listener now and then; ends when all is acknowledged."""
    [port] = free_ports(1)
    wards = Wards(port, seed)
    share = messages // connections
    marks = [messages * (n + 1) // (kills + 1) for n in range(kills)]
    with ThreadPoolExecutor(connections) as senders:
        running = [senders.submit(wards.send_all, ward, share) for ward in range(connections)]
        try:
            for mark in marks:
                with listening(north, port=port) as listener:
                    while len(wards.acknowledged) < mark and not all(map(Future.done, running)):
                        time.sleep(0.005)
                    listener.kill()
            with listening(north, port=port) as listener:
                for one in running:
                    one.result()
                assert listener.stop()["unanswered"] == 0
        except BaseException:
            wards.given_up.set()
            raise
    return wards


def require_exactly_once(north: Path, wards: Wards, messages: int) -> None:
    """Each message is among the sources once, and its resources were made once."""
    assert len(wards.acknowledged) == messages
    database = open_database(config.load(north, {}).database_url)
    try:
        with database.read() as tx:
            kept = [bytes(row[0]) for row in tx.all("SELECT digest FROM source")]
            counts = dict(tx.all("SELECT type, count(*) FROM resource GROUP BY type"))
            [(waiting,)] = tx.all("SELECT count(*) FROM outbox")
            [(quarantined,)] = tx.all("SELECT count(*) FROM quarantine")
            versions = tx.all("SELECT max(version) FROM resource")
    finally:
        database.close()
    assert len(kept) == len(set(kept)) == messages
    assert set(kept) == {sha256(one.rstrip()) for one in wards.acknowledged.values()}
    assert (counts["Patient"], counts["Encounter"]) == (messages, messages)
    assert (waiting, quarantined) == (sum(counts.values()), 0)
    assert versions == [(1,)]


@pytest.fixture(scope="module")
def databases(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Databases]]:
    folder = tmp_path_factory.mktemp("template") / "network"
    made = Databases(postgres_url, lambda url: consortium.found(folder, databases={"north": url}))
    yield folder, made
    made.drop_all()


@pytest.fixture(params=["sqlite", "postgresql"])
def north(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    if request.param == "postgresql":
        template, made = request.getfixturevalue("databases")
        chosen = {"north": made.create()}
    else:
        template, chosen = request.getfixturevalue("template"), {}
    return consortium.copy(template, tmp_path / "network", databases=chosen) / "north"


def test_every_acknowledged_message_is_here_once_in_spite_of_breaks_and_a_kill(
    north: Path,
) -> None:
    wards = exercise(north, messages=300, connections=10, kills=1, seed=1)
    assert wards.tries > 300
    require_exactly_once(north, wards, 300)


@pytest.mark.accept
@pytest.mark.parametrize("seed", range(2))
def test_ten_thousand_messages_over_twenty_connections(north: Path, seed: int) -> None:
    wards = exercise(north, messages=10_000, connections=20, kills=4, seed=seed)
    assert wards.tries > 10_500
    require_exactly_once(north, wards, 10_000)
