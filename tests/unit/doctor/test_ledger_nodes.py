"""Ledger nodes that are wrong, old, lying, dear or away: each is made, and named.

The node is the network's own, behind one that says some things otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from adapters.ledgers import running_anvil
from support.spoiling import Answer, http_server, node_that_says
from unit.doctor.conftest import Patient


@contextmanager
def nodes(north: Patient, *lies: dict[str, Answer]) -> Iterator[list[str]]:
    """Ledger nodes in the settings, each of which says these things otherwise."""
    with ExitStack() as stack:
        urls = [stack.enter_context(node_that_says(north.node_url, one)) for one in lies]
        north.set(ledger_url=" ".join(urls))
        yield [one.removeprefix("http://") for one in urls]


def changed(**values: Any) -> Answer:
    """What was said, with some fields otherwise."""
    return lambda said: {**said, **values} if isinstance(said, dict) else said


BESU: dict[str, Answer] = {"web3_clientVersion": lambda _: "besu/v26.8/linux"}


def test_nodes_as_they_should_be_raise_nothing(north: Patient) -> None:
    with nodes(north, BESU | {"net_peerCount": lambda _: "0x3"}, {}):
        north.set(stale_after_seconds=60)
        found = north.examine()
    # The network is shared: what other tests put into quarantine is no fault of its nodes.
    assert [one for one in found if one.state != "ok" and one.check != "work"] == []
    assert {"ledger-peers", "ledger-agreement", "ledger-contracts"} <= {one.check for one in found}


@pytest.mark.parametrize(
    ("check", "lie", "said"),
    [
        ("ledger-chain", {"eth_chainId": lambda _: "0x7"}, "is on chain 7"),
        (
            "ledger-chain",
            {"eth_getBlockByNumber": changed(hash="0x" + "ab" * 32)},
            "another first block",
        ),
        ("ledger-contracts", {"eth_getCode": lambda _: "0x6001"}, "other contracts than were"),
        (
            "ledger-fees",
            {"eth_getBlockByNumber": changed(baseFeePerGas="0x7")},
            "the base fee is 7 wei",
        ),
        ("ledger-fees", BESU | {"eth_gasPrice": lambda _: "0x3e8"}, "asks 1000 wei for gas"),
        ("ledger-clock", {"eth_getBlockByNumber": changed(timestamp="0xffffffff")}, "ahead"),
        ("ledger-head", {"eth_getBlockByNumber": lambda _: None}, "has no block"),
    ],
)
def test_what_a_node_says_is_looked_at(
    north: Patient, check: str, lie: dict[str, Answer], said: str
) -> None:
    with nodes(north, lie) as [place]:
        state, words = north.found(check)
    assert state == "failed" and said in words and place in words


def test_a_real_node_of_another_network_is_named(north: Patient) -> None:
    with running_anvil(chain_id=4_711) as url:
        north.set(ledger_url=url)
        state, said = north.found("ledger-chain")
        assert state == "failed" and "is on chain 4711" in said
        state, said = north.found("start")
        assert state == "failed" and "not" in said


def test_nobody_at_the_address_and_somebody_else_there_are_named(north: Patient) -> None:
    north.set(ledger_url="http://127.0.0.1:1")
    state, said = north.found("ledger-answers")
    assert state == "failed" and "127.0.0.1:1 does not answer (ConnectError)" in said
    with http_server(lambda *_: (200, b"<html>Welcome")) as url:
        north.set(ledger_url=url)
        assert "not JSON-RPC" in north.found("ledger-answers")[1]


def test_a_node_alone_is_named_where_blocks_come_by_the_clock(north: Patient) -> None:
    with nodes(north, {"net_peerCount": lambda _: "0x0"}):
        assert north.examine("ledger-peers") == []
        north.set(stale_after_seconds=60)
        state, said = north.found("ledger-peers")
    assert state == "failed" and "has no peers" in said


def test_an_old_head_is_named(north: Patient) -> None:
    with nodes(north, {}):
        north.set(stale_after_seconds=30)
        later = {"clock": lambda: time.time() + 1_000}
        state, said = north.found("ledger-head", **later)
        assert state == "failed" and "seconds old; limit 30" in said
        assert north.found("ledger", **later)[0] == "failed"


def test_a_node_that_lags_or_loads_is_named(north: Patient) -> None:
    ahead = {"eth_getBlockByNumber": changed(number="0xffffff")}
    with nodes(north, {}, ahead) as [behind, _]:
        state, said = north.found("ledger-head")
    assert state == "warning" and f"{behind} is" in said and "blocks behind" in said
    with nodes(north, {"eth_syncing": lambda _: {"currentBlock": "0x1"}}):
        assert "still loading" in north.found("ledger-head")[1]


@pytest.mark.parametrize(
    "lie",
    [
        {"eth_call": lambda _: "0x" + "00" * 32},
        {"eth_getBlockByNumber": changed(hash="0x" + "cd" * 32)},
    ],
)
def test_nodes_that_contradict_each_other_are_named(north: Patient, lie: dict[str, Answer]) -> None:
    with nodes(north, {}, lie) as places:
        state, said = north.found("ledger-agreement")
    assert state == "failed" and "contradict each other" in said
    assert all(place in said for place in places)


def test_a_missing_limit_to_the_heads_age_is_named(north: Patient) -> None:
    with nodes(north, BESU):
        assert north.found("stale-limit")[0] == "warning"
        north.set(stale_after_seconds=60)
        assert north.examine("stale-limit") == []


def test_a_node_that_forgot_what_it_took_is_named(north: Patient) -> None:
    with nodes(north, {"eth_getTransactionReceipt": lambda _: None}):
        state, said = north.found("ledger-history")
    assert state == "failed" and "are not where the ledger put them" in said
