"""Ledgers for the adapter suites: every test that asks for `ledger` runs on each kind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.ledgers import Member, Person, Town, compiled, give_vault, random_key, running_anvil
from adapters.probes import Probe
from simdes.ledger.abi import Artifact
from simdes.ledger.contracts import Role
from simdes.ledger.lane import Call, Lane, MemoryTransactionStore
from simdes.ledger.ledger import Address, Ledger, open_ledger
from support.geth import GETH, running_geth


@pytest.fixture(scope="session")
def node_url() -> Iterator[str]:
    """URL of a real node: the one SIMDES_LEDGER_URL names, or an anvil of our own."""
    configured = os.environ.get("SIMDES_LEDGER_URL", "")
    if configured.startswith("http"):
        yield configured
        return
    with running_anvil() as url:
        yield url


KINDS = ["embedded", "node", *(["geth"] if GETH.exists() else [])]
"""geth is another node than anvil with other words for refusals; `make geth` builds it."""


@pytest.fixture(scope="session")
def geth_url() -> Iterator[str]:
    """URL of a go-ethereum node of our own."""
    with running_geth() as url:
        yield url


@pytest.fixture(scope="session", params=KINDS)
def ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ledger]:
    """Each kind of ledger in turn, for the whole session."""
    if request.param != "embedded":
        opened = open_ledger(request.getfixturevalue(f"{request.param}_url"), clock=time.time)
    else:
        path = tmp_path_factory.mktemp("ledger") / "chain.db"
        opened = open_ledger(f"embedded:{path}", clock=time.time)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def town(ledger: Ledger) -> Town:
    """A network deployed on the ledger."""
    return Town(ledger)


@pytest.fixture(scope="session")
def probe_code() -> Artifact:
    """The Probe contract, compiled."""
    return compiled(Path(__file__).parent / "contracts/Probe.sol", "Probe")


@pytest.fixture(scope="session")
def hospital(town: Town) -> Member:
    """A verified hospital."""
    return town.organisation()


@pytest.fixture(scope="session")
def clinic(town: Town) -> Member:
    """Another verified hospital."""
    return town.organisation()


@pytest.fixture(scope="session")
def doctor(clinic: Member) -> Person:
    """A doctor of the clinic."""
    return clinic.person(Role.DOCTOR)


@pytest.fixture(scope="session")
def patient(hospital: Member) -> Person:
    """A patient's account, at the hospital."""
    return hospital.person(Role.PATIENT)


@pytest.fixture(scope="session")
def vault(hospital: Member, clinic: Member, patient: Person) -> bytes:
    """The tag of the patient's vault, opened by the hospital."""
    tag = hospital.open_vault()
    give_vault(tag, patient, (hospital, clinic))
    return tag


@pytest.fixture(scope="session")
def lane(ledger: Ledger) -> Lane:
    """A lane with a key of its own."""
    return Lane(ledger, random_key(), MemoryTransactionStore())


@pytest.fixture(scope="session")
def probe(lane: Lane, probe_code: Artifact) -> Address:
    """Where the Probe contract stands."""
    address = lane.transact(Call(None, probe_code.deployment(), "deploy probe")).contract_address
    assert address is not None
    return address


@pytest.fixture
def contract(probe: Address, probe_code: Artifact) -> Probe:
    """The Probe contract, to be called."""
    return Probe(probe, probe_code)
