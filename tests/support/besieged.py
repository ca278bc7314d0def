"""A consortium of real processes, and something that can be spoilt between any two of them.

Three organisations, each served by `simdes serve` in a process of its own with a store of its own;
north on PostgreSQL over TCP, the others on SQLite; a ledger node (anvil) that makes a block every
second; toxiproxy before the database and before each organisation's way to the ledger node.
"""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import psycopg

from adapters.ledgers import running_anvil
from adapters.postgres import PostgresServer, with_name
from simdes import app, config
from simdes.access.consent import Grantee
from simdes.exchange import consents
from simdes.exchange.signin import sign_in
from simdes.exchange.submit import Accepted
from simdes.index.database import open_database
from simdes.index.storekeeping import Storekeeping, storekeeping
from simdes.index.transaction import Transaction
from support import consortium
from support.bundles import bundle
from support.consortium import Consortium
from support.gateways import Program, wait_for_port
from support.stale_node import stale
from support.toxiproxy import Proxy, proxies

NAMES = ("north", "south", "east")
CHAIN = 1_337
SKEWED = Path(__file__).parent / "skewed.py"
RESULTS = 2
"""Observations of Ada that her consent opens; the one labelled HIV is not among them."""

T = TypeVar("T")


@dataclass(slots=True)
class Served:
    """An organisation's `simdes serve`."""

    data: Path
    program: Program | None = None
    skew_seconds: int = 0

    def clock(self) -> float:
        """The time by its clock."""
        return time.time() + self.skew_seconds

    @property
    def url(self) -> str:
        """Where it answers."""
        return config.load(self.data, {}).custody_url

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = ("serve", "--data", self.data)
        if self.skew_seconds:
            self.program = Program.of(sys.executable, SKEWED, self.skew_seconds, *command)
        else:
            self.program = Program.forked(*command)
        wait_for_port(urlsplit(self.url).port or 80)

    def kill(self) -> None:
        """SIGKILL."""
        if self.program is not None:
            self.program.kill()
            self.program.communicate()
            self.program = None

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that does not end it."""
        if self.program is not None:
            self.program.send_signal(signal.SIGTERM)
            try:
                self.program.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                self.kill()
            self.program = None

    def full(self, is_full: bool) -> None:
        """Let nothing that it writes to any file be taken, as on a full disk; or all again.

        The system's own limit of a file's size (setrlimit(2)), set on the running process: it needs
        no rights and no mounted file system. Python ignores the signal, writes fail.
        """
        assert self.program is not None
        limit_files([self.program.pid], 0 if is_full else resource.RLIM_INFINITY)


def limit_files(pids: list[int], most_bytes: int) -> None:
    """Set how large files of these processes may become; the hard limit stays."""
    for pid in pids:
        hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most_bytes, hard))


@dataclass(slots=True)
class Siege:
    """Everything that runs, and the ways between."""

    folder: Path
    members: dict[str, Served]
    anvil: str = ""
    ledger_ways: dict[str, Proxy] = field(default_factory=dict)
    database_way: Proxy | None = None
    postgres: PostgresServer | None = None
    tokens: dict[str, str] = field(default_factory=dict)
    signing_in: bool = False
    """Whether tokens of another clock's time are about, which are refused."""

    def node(self, method: str, *params: Any) -> Any:
        """Ask the ledger node itself, past every proxy."""
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = httpx.post(self.anvil, json=question, timeout=10).json()
        assert "error" not in answer, answer
        return answer["result"]

    def halt(self) -> None:
        """No block any more: the node answers, and takes what it is sent."""
        self.node("evm_setIntervalMining", 0)

    def go_on(self) -> None:
        """A block every second again."""
        self.node("evm_setIntervalMining", 1)

    @contextmanager
    def stale(self, name: str, block: int) -> Iterator[None]:
        """Put a node in the place of an organisation's that tells the state of an old block."""
        way = self.ledger_ways[name]
        with stale(self.anvil, block) as url:
            way.lead_to(urlsplit(url).netloc)
            try:
                yield
            finally:
                way.lead_to(urlsplit(self.anvil).netloc)

    def sign_in(self) -> None:
        """Fresh tokens for Dr. North and Dr. Lee at south, by their gateways' clocks."""
        with consortium.own_settings():
            for member, user in (("north", "dr.north"), ("south", "dr.lee")):
                one = self.members[member]
                with app.opened(one.data, clock=one.clock) as opened:
                    session = sign_in(opened.node, user, consortium.passphrase_of(user))
                    self.tokens[user] = session.token

    def forget_copies(self) -> None:
        """Let south start without any copy of what others wrote: its doctor needs custodians."""
        south = self.members["south"]
        south.stop()
        database = open_database(config.load(south.data, {}).database_url)
        try:
            database.write(lambda tx: tx.run("DELETE FROM remote_copy"))
        finally:
            database.close()
        south.start()

    def waiting(self) -> dict[str, int]:
        """Resources that are not anchored, by organisation; asked past every proxy."""
        question = "SELECT count(*) FROM resource WHERE state <> 'anchored'"
        counted = {
            name: int(self._asked(name, lambda tx: tx.all(question))[0][0]) for name in self.members
        }
        return {name: count for name, count in counted.items() if count}

    def copying(self) -> dict[str, Storekeeping]:
        """What does not have all its copies yet, by organisation."""
        counted = {
            name: self._asked(name, lambda tx: storekeeping(tx, overdue_before_ms=0))
            for name in self.members
        }
        return {
            name: one for name, one in counted.items() if one.short or one.damaged or one.fetching
        }

    def _asked(self, name: str, ask: Callable[[Transaction], T]) -> T:
        url = config.load(self.members[name].data, {}).database_url
        direct = self.postgres_url if url.startswith("postgres") else url
        database = open_database(direct, connections=1)
        try:
            with database.read() as tx:
                return ask(tx)
        finally:
            database.close()

    @property
    def postgres_url(self) -> str:
        """North's database past the proxy."""
        assert self.postgres is not None
        return with_name(self.postgres.url, "north")

    def stop(self) -> None:
        """End every organisation's process."""
        for one in self.members.values():
            one.stop()


@contextmanager
def besieged(folder: Path) -> Iterator[Siege]:
    """Everything running: Ada's results granted to south's doctors, Bea's granted and revoked."""
    with ExitStack() as stack:
        anvil = stack.enter_context(running_anvil(chain_id=CHAIN))
        postgres = stack.enter_context(PostgresServer.running(tcp=True))
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE north")
        ports = [*([urlsplit(anvil).port or 0] * len(NAMES)), postgres.port]
        *ways, database_way = stack.enter_context(proxies(folder, *ports))
        ledger_ways = dict(zip(NAMES, ways, strict=True))
        database = f"postgresql://postgres@127.0.0.1:{database_way.port}/north"
        network = folder / "network"
        consortium.found(
            network,
            names=NAMES,
            databases={"north": database},
            stores=dict.fromkeys(NAMES, "file:blocks"),
            ledger_url=anvil,
        )
        for name in NAMES:
            _settings(network / name, {"ledger_url": ledger_ways[name].url})
        with consortium.opened(network) as opened:
            _consents(opened)
        _introduce(network)
        members = {name: Served(network / name) for name in NAMES}
        siege = Siege(network, members, anvil, ledger_ways, database_way, postgres)
        siege.go_on()
        stack.callback(siege.stop)
        for one in members.values():
            one.start()
        yield siege


@contextmanager
def embedded(folder: Path) -> Iterator[Siege]:
    """The same on SQLite alone, with a ledger whose journal north's process has."""
    with ExitStack() as stack:
        network = folder / "network"
        consortium.found(network, names=NAMES, stores=dict.fromkeys(NAMES, "file:blocks"))
        for name in NAMES:
            _settings(network / name, {})
        with consortium.opened(network) as opened:
            _consents(opened)
        _introduce(network)
        siege = Siege(network, {name: Served(network / name) for name in NAMES})
        stack.callback(siege.stop)
        for one in siege.members.values():
            one.start()
        yield siege


def _settings(data: Path, changed: Mapping[str, str]) -> None:
    path = data / "simdes.toml"
    lines = [one for one in path.read_text().splitlines() if one.split(" =")[0] not in changed]
    lines += [f'{name} = "{value}"' for name, value in changed.items()]
    path.write_text("\n".join(lines) + "\n")
    consortium.let_read(data)


def _introduce(network: Path) -> None:
    """Give each the others' descriptors, as members with folders of their own do."""
    for name in NAMES:
        for other in NAMES:
            shutil.copytree(
                network / other / "blocks", network / name / "descriptors", dirs_exist_ok=True
            )


def _consents(network: Consortium) -> None:
    vaults = {}
    for patient in ("ada", "bea"):
        [answer] = network.submit("north", f"{patient}.json", bundle(patient, observations=RESULTS))
        assert isinstance(answer, Accepted)
        vaults[patient] = answer.vault
    network.settle()
    for patient, vault in vaults.items():
        network.enrol(vault, patient)
    network.settle()
    south = network["south"].node.organisation
    given = {
        patient: consents.grant(
            network["north"].node,
            network.session("north", patient),
            vault=vault,
            grantee=Grantee.role_in(south, "doctor"),
            categories=["observations", "demographics"],
            purposes=["TREAT"],
            valid_seconds=86_400,
        )
        for patient, vault in vaults.items()
    }
    network.settle()
    (network["north"].data.parent / "granted").write_text(
        str(network["north"].node.contracts.ledger.head().number)
    )
    consents.revoke(
        network["north"].node,
        network.session("north", "bea"),
        vault=vaults["bea"],
        handle=given["bea"].handle,
    )
    network.settle()


def wait_until(done: Any, seconds: float) -> float:
    """Wait until there is nothing left that `done` names; how long that took."""
    begun = time.monotonic()
    while left := done():
        assert time.monotonic() < begun + seconds, left
        time.sleep(0.25)
    return time.monotonic() - begun
