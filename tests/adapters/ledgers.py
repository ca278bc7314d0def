"""Real ledgers for tests: anvil from npm, a Solidity compiler, keys, and a whole network.

Nothing here uses a method that only development nodes have (``anvil_*``, ``evm_*``), and keys and
ids are random, so that the suites may run on a shared node: SIMDES_LEDGER_URL names it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from simdes.crypto.keys import SigningKey
from simdes.ledger.abi import Artifact
from simdes.ledger.contracts import Contracts, Delays, Role, deploy
from simdes.ledger.lane import Call, Lane, MemoryTransactionStore
from simdes.ledger.ledger import Ledger, Receipt

ROOT = Path(__file__).parents[2]
ANVIL = ROOT / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
START_SECONDS = 60
SHORT = Delays(
    ballot_seconds=3_600,
    timelock_seconds=1,
    delay_seconds=1,
    pause_seconds=60,
    cool_down_seconds=60,
)


@contextmanager
def running_anvil(
    *, chain_id: int = 31_337, at_once: bool = True, accounts: int = 1
) -> Iterator[str]:
    """Start anvil on loopback, give its URL, end it.

    There is a block every second, and with `at_once` also one for whatever arrives (mixed mining:
    automine alone was seen leaving a transaction pending after rapid sends).
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # fmt: off
    node = subprocess.Popen(
        [ANVIL, "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id),
         "--block-time", "1", *(["--mixed-mining"] if at_once else []),
         "--hardfork", "cancun", "--accounts", str(accounts),
         "--gas-limit", "1000000000", "--gas-price", "0", "--block-base-fee-per-gas", "0",
         "--disable-min-priority-fee", "--quiet"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    # fmt: on
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, node)
        yield url
    finally:
        node.terminate()
        node.wait(timeout=START_SECONDS)


def _wait(url: str, node: subprocess.Popen[bytes]) -> None:
    question = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if node.poll() is not None:
            raise RuntimeError(f"anvil ended with {node.returncode}")
        try:
            httpx.post(url, json=question, timeout=1)
            return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise RuntimeError("anvil did not answer in time")


def compiled(source: Path, name: str) -> Artifact:
    """Compile one Solidity file with npm solc, as the project's own contracts are compiled."""
    question = {
        "language": "Solidity",
        "sources": {source.name: {"content": source.read_text()}},
        "settings": {
            "evmVersion": "cancun",
            "optimizer": {"enabled": True, "runs": 200},
            "outputSelection": {
                "*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]}
            },
        },
    }
    script = "process.stdin.setEncoding('utf8'); let t = ''; process.stdin.on('data', c => t += c)"
    script += ".on('end', () => process.stdout.write(require('solc').compile(t)))"
    answer = subprocess.run(
        ["node", "-e", script],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    document = json.loads(answer.stdout)
    if "contracts" not in document:
        raise RuntimeError(document["errors"])
    contract = document["contracts"][source.name][name]
    return Artifact(
        {
            "contractName": name,
            "abi": contract["abi"],
            "bytecode": contract["evm"]["bytecode"]["object"],
            "deployedBytecode": contract["evm"]["deployedBytecode"]["object"],
        }
    )


def random_key() -> SigningKey:
    """Return a key nobody used before."""
    return SigningKey.generate(os.urandom)


def random_id() -> bytes:
    """Return 32 random bytes: an organisation, account, tag, handle or digest."""
    return os.urandom(32)


class Town:
    """A network on one ledger: owners, and organisations with people, all verified."""

    def __init__(self, ledger: Ledger, verifiers: Sequence[Artifact] = ()) -> None:
        self.ledger = ledger
        self.owners = [self.lane() for _ in range(3)]
        self.deployer = self.lane()
        self.addresses = deploy(
            self.deployer,
            administrators=[owner.address for owner in self.owners],
            threshold=2,
            delays=SHORT,
            verifiers=verifiers,
        )
        self.contracts = Contracts(ledger, self.addresses)

    def lane(self, key: SigningKey | None = None) -> Lane:
        """Return a lane with a fresh key."""
        return Lane(self.ledger, key or random_key(), MemoryTransactionStore())

    def govern(self, call: Call) -> Receipt:
        """Let two of the three owners carry out a call."""
        administrators = self.contracts.administrators
        return administrators.carry_out(call, salt=random_id(), owners=self.owners[:2])

    def organisation(self, kind: int = 1) -> Member:
        """Register and verify an organisation with an administrator and an agent."""
        return Member(self, kind)


class Person:
    """A key, its lane and its account id."""

    def __init__(self, town: Town) -> None:
        self.key = random_key()
        self.lane = town.lane(self.key)
        self.id = random_id()


class Member:
    """A verified organisation."""

    def __init__(self, town: Town, kind: int) -> None:
        self.town = town
        self.id = random_id()
        self.administrator = Person(town)
        accounts = town.contracts.accounts
        self.administrator.lane.transact(
            accounts.register_organisation(
                organisation=self.id,
                kind=kind,
                descriptor=random_id(),
                account=self.administrator.id,
            )
        )
        town.govern(accounts.verify_organisation(self.id))
        self.agent = self.person(Role.AGENT)

    def person(self, role: Role) -> Person:
        """Register and verify a person of this organisation."""
        person = Person(self.town)
        accounts = self.town.contracts.accounts
        self.administrator.lane.transact(
            accounts.register(
                account=person.id, organisation=self.id, role=role, key=person.key.address
            )
        )
        self.administrator.lane.transact(accounts.verify(person.id))
        return person

    def open_vault(self) -> bytes:
        """Open a provisional vault and return its tag."""
        tag = random_id()
        accounts = self.town.contracts.accounts
        self.agent.lane.transact(accounts.open_vault(tag=tag, descriptor=random_id(), m=2, n=3))
        return tag


def give_vault(tag: bytes, patient: Person, members: tuple[Member, Member]) -> None:
    """Make a patient's account the control of a vault, attested by two organisations."""
    town = members[0].town
    accounts = town.contracts.accounts
    fields: dict[str, Any] = {
        "tag": tag,
        "account": patient.id,
        "deadline": town.ledger.head().timestamp + 3_600,
    }
    attest = accounts.attest_vault_digest(**fields)
    call = accounts.set_vault(
        **fields,
        signature=patient.key.sign(accounts.claim_vault_digest(**fields)),
        attestations=[member.agent.key.sign(attest) for member in members],
    )
    members[0].agent.lane.transact(call)


def only_event(town: Town, receipt: Receipt) -> object:
    """Return the one event of a transaction that emitted exactly one."""
    [log] = receipt.logs
    return town.contracts.decode(log)
