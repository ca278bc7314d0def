"""Several gateways, each with its worker, on one PostgreSQL: killed, upgraded, and nothing twice.

They are real programs of one organisation, each with a port and a ledger lane of its own. Clients
write at any of them while these are killed at random and the schema is brought to the next
release's. What was acknowledged is there once, sealed once, anchored once.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest

from adapters.postgres import Databases
from simdes import app
from simdes.exchange.signin import sign_in
from simdes.index.migrations import migrate
from simdes.index.migrations.upgrade import upgrade
from support import consortium
from support.consortium import passphrase_of
from support.gateways import Program, free_ports
from support.releases import next_release
from support.served import serving

WRITERS = 4
TOKEN_SECONDS = 120
SETTLE_SECONDS = 240


@dataclass(slots=True)
class Gateway:
    """One of the programs, which comes back after it was killed."""

    north: Path
    port: int
    process: Program | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = ("serve", "--data", self.north, "--port", self.port)
        self.process = Program.forked(*command, SIMDES_LOG_LEVEL="warning")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(self.process.communicate())
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        return False


@dataclass(slots=True)
class Scene:
    """A hospital on PostgreSQL whose custodians answer; a doctor's token."""

    north: Path
    url: str
    token: str = ""
    signed_in_at: float = 0.0

    def sign_in(self) -> None:
        """A fresh token, where the last one is not: it is good for five minutes."""
        if self.token and time.monotonic() < self.signed_in_at + TOKEN_SECONDS:
            return
        with app.opened(self.north) as north:
            self.token = sign_in(north.node, "dr.north", passphrase_of("dr.north")).token
        self.signed_in_at = time.monotonic()

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url, autocommit=True) as one:
            return one.execute(sql.encode()).fetchall()

    def count(self, sql: str) -> int:
        return int(str(self.rows(sql)[0][0]))


@pytest.fixture
def scene(tmp_path: Path, postgres_databases: Databases) -> Iterator[Scene]:
    """The ledger is held by this process, so that killing gateways does not stop it."""
    url = postgres_databases.create_empty()
    migrate(url)
    network = tmp_path / "network"
    consortium.found(network, databases={"north": url})
    consortium.let_read(network / "north")
    with ExitStack() as stack:
        stack.enter_context(consortium.own_settings())
        for name in ("south", "east"):
            one = stack.enter_context(app.opened(network / name))
            stack.enter_context(serving(one))
        scene = Scene(network / "north", url)
        scene.sign_in()
        yield scene


def eventually(holds: object, seconds: float = SETTLE_SECONDS) -> None:
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return
        time.sleep(0.2)
    raise AssertionError("it did not come to hold")


def write(scene: Scene, gateways: list[Gateway], number: int, chance: random.Random) -> str | None:
    """Create a Patient at any gateway; its id where that was acknowledged."""
    gateway = chance.choice(gateways)
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:oid:2.16.840.1.113883.4.1", "value": f"rep-{number}"}],
        "name": [{"family": f"Family{number}"}],
    }
    try:
        answer = httpx.post(
            f"{gateway.url}/fhir/Patient",
            json=patient,
            headers={"Authorization": f"Bearer {scene.token}"},
            timeout=30,
        )
    except httpx.HTTPError:
        time.sleep(0.2)
        return None
    assert answer.status_code in (201, 429, 503), answer.text
    return str(answer.json()["id"]) if answer.status_code == 201 else None


def besiege(scene: Scene, tmp_path: Path, *, gateways: int, kills: int, writes: int) -> None:
    chance = random.Random(11)
    all_ = [Gateway(scene.north, port) for port in free_ports(gateways)]
    try:
        for one in all_:
            one.start()
        for one in all_:
            eventually(one.answers)
        made: list[str] = []
        enough = threading.Event()

        def client(seed: int) -> None:
            own, number = random.Random(seed), seed * 100_000
            while not enough.is_set() or len(made) < writes:
                number += 1
                if (found := write(scene, all_, number, own)) is not None:
                    made.append(found)

        with ThreadPoolExecutor(WRITERS) as pool:
            clients = [pool.submit(client, seed) for seed in range(WRITERS)]
            try:
                for at in range(kills):
                    scene.sign_in()
                    reached = len(made) + writes // (kills + 1)
                    eventually(lambda reached=reached: len(made) >= reached)
                    victim = chance.choice(all_)
                    victim.kill()
                    if at == 0:  # the next release's first gateway comes; the others go on
                        upgrade(scene.url, scripts=next_release(tmp_path / "scripts"))
                    victim.start()
                    eventually(victim.answers)
            finally:
                enough.set()
        for one in clients:
            one.result()
        settled(scene)
        check(scene, made, gateways)
    finally:
        for one in all_:
            if one.process is not None and one.process.poll() is None:
                one.process.terminate()
        for one in all_:
            if one.process is not None:
                one.process.communicate(timeout=60)


def settled(scene: Scene) -> None:
    """Wait until workers have nothing left: also what a killed one had taken, and let go later."""
    eventually(
        lambda: (
            scene.count("SELECT count(*) FROM outbox") == 0
            and scene.count("SELECT count(*) FROM batch WHERE state <> 'anchored'") == 0
            and scene.count("SELECT count(*) FROM record WHERE batch_id IS NULL") == 0
        )
    )


def check(scene: Scene, made: list[str], gateways: int) -> None:
    """Acknowledged is there once; sealed once; anchored once; each lane is one gateway's."""
    assert len(made) == len(set(made))
    there = [row[0] for row in scene.rows("SELECT logical_id FROM resource WHERE type = 'Patient'")]
    assert set(made) <= set(there) and len(there) == len(set(there))
    twice = "SELECT resource_id FROM leaf GROUP BY resource_id HAVING count(*) > 1"
    assert scene.rows(twice) == []
    unsealed = (
        "SELECT count(*) FROM resource AS r WHERE NOT EXISTS"
        " (SELECT 1 FROM leaf AS l WHERE l.resource_id = r.id)"
    )
    assert scene.count(unsealed) == 0
    with app.opened(scene.north) as one:
        one.node.following.catch_up()
        ours = one.node.organisation
    on_chain = scene.rows(
        f"SELECT batch_id, count FROM chain_batch WHERE organisation = '\\x{ours.hex()}'"
    )
    here = scene.rows("SELECT batch_id, count FROM batch")
    assert sorted(map(str, on_chain)) == sorted(map(str, here)), "none lost, none doubled"
    sent = "SELECT count(*) FROM ledger_transaction WHERE label = 'Records.anchor'"
    assert scene.count(f"{sent} AND state = 'succeeded'") == len(here)
    nonces = "SELECT lane, nonce FROM ledger_transaction WHERE state = 'succeeded'"
    found = scene.rows(nonces)
    assert len(found) == len(set(found)), "no nonce of a lane was used by two"
    assert len({row[0] for row in found}) >= min(gateways, 2), "several lanes sent"
    assert scene.count("SELECT count(*) FROM alembic_version WHERE version_num = '9999'") == 1


def test_two_gateways_killed_and_upgraded_do_nothing_twice(scene: Scene, tmp_path: Path) -> None:
    besiege(scene, tmp_path, gateways=2, kills=1, writes=30)


@pytest.mark.accept
def test_three_gateways_killed_again_and_again_do_nothing_twice(
    scene: Scene, tmp_path: Path
) -> None:
    besiege(scene, tmp_path, gateways=3, kills=10, writes=400)
