"""Ledgers for the adapter suites: every test that asks for `ledger` runs on each kind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.ledgers import Town, compiled, running_anvil
from simdes.ledger.abi import Artifact
from simdes.ledger.ledger import Ledger, open_ledger


@pytest.fixture(scope="session")
def node_url() -> Iterator[str]:
    """URL of a real node: the one SIMDES_LEDGER_URL names, or an anvil of our own."""
    configured = os.environ.get("SIMDES_LEDGER_URL", "")
    if configured.startswith("http"):
        yield configured
        return
    with running_anvil() as url:
        yield url


@pytest.fixture(scope="session", params=["embedded", "node"])
def ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ledger]:
    """Each kind of ledger in turn, for the whole session."""
    if request.param == "node":
        opened = open_ledger(request.getfixturevalue("node_url"), clock=time.time)
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
