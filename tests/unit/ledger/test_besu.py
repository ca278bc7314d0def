"""Each quirk of Hyperledger Besu that was observed, and that nothing is lost, doubled or wrong.

One test a quirk, on the scripted network of `support.besu`; docs/ledger.md has them as a table.
"""

from __future__ import annotations

from typing import Any

import pytest

from adapters.probes import signed as independent
from simdes.crypto.keys import SigningKey
from simdes.errors import Conflict, Invalid, SimdesError, TooLarge, Unavailable, Unsupported
from simdes.ledger.follow import follow
from simdes.ledger.jsonrpc import CALL_GAS, JsonRpcLedger
from simdes.ledger.lane import IN_FLIGHT, Call, Lane, MemoryTransactionStore, TransactionState
from simdes.ledger.ledger import Reverted
from simdes.ledger.transactions import sign_transaction
from support.besu import (
    CHAIN_ID,
    ENDLESS,
    GAS_LIMIT,
    LOG_RANGE,
    REASON,
    REFUSING,
    REVERTING,
    WEDGE,
    Besu,
    Network,
    Refused,
    Ticking,
    ledger_of,
)

KEY = SigningKey.from_bytes(b"\7" * 32)
TARGET = b"\x11" * 20


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def node(network: Network) -> Besu:
    return Besu(network)


@pytest.fixture
def ledger(node: Besu) -> JsonRpcLedger:
    return ledger_of(node)


def lane_on(
    ledger: Any, network: Network, store: MemoryTransactionStore | None = None, **options: Any
) -> Lane:
    """A lane that sees a block whenever it waits."""
    clock = Ticking(network.mine)
    return Lane(
        ledger,
        KEY,
        store or MemoryTransactionStore(),
        monotonic=clock,
        sleep=clock.sleep,
        **options,
    )


def call(data: bytes = b"", *, to: bytes = TARGET) -> Call:
    return Call(to, data, "test")


def signed(nonce: int = 0, **changes: Any) -> bytes:
    fields = {"chain_id": CHAIN_ID, "gas": 100_000, "to": TARGET, "data": b"", **changes}
    return sign_transaction(KEY, nonce=nonce, **fields)[1]


def send_to(node: Besu, raw: bytes) -> None:
    """Hand a transaction to the node behind the ledger's back."""
    node.answer("eth_sendRawTransaction", ["0x" + raw.hex()])


# What is never mined ---------------------------------------------------------------------------


def test_what_offers_money_is_taken_and_never_mined_so_it_is_not_sent(
    network: Network, node: Besu, ledger: JsonRpcLedger
) -> None:
    for field in ({"maxFeePerGas": 7, "maxPriorityFeePerGas": 0}, {"value": 1}):
        raw = independent(ledger, KEY, **field)
        assert node.answer("eth_sendRawTransaction", ["0x" + raw.hex()])
        network.mine(5)
        assert network.mined == {}, "the node gave a hash, and no block takes it"
        node.lose_pool()
        with pytest.raises(Invalid, match="insufficient funds"):
            ledger.send(raw)
        assert node.pool[KEY.address] == {}


def test_lanes_offer_nothing_and_are_mined(network: Network, ledger: JsonRpcLedger) -> None:
    receipt = lane_on(ledger, network).transact(call())
    assert receipt.succeeded
    [transaction] = network.nodes[0].handed
    assert (transaction.max_fee_wei, transaction.value_wei, transaction.kind) == (0, 0, 2)


def test_a_network_that_knows_no_base_fee_gets_legacy_transactions() -> None:
    network = Network(fee_wei=None)
    node = Besu(network)
    assert lane_on(ledger_of(node), network).transact(call()).succeeded
    assert node.handed[0].kind == 0


def test_a_network_that_asks_a_base_fee_is_not_supported() -> None:
    network = Network(fee_wei=7)
    with pytest.raises(Unsupported, match="base fee of 7 wei"):
        lane_on(ledger_of(Besu(network)), network).transact(call())


# Nonces ----------------------------------------------------------------------------------------


def test_a_nonce_used_twice_replaces_silently_and_the_lane_notices(
    network: Network, node: Besu, ledger: JsonRpcLedger
) -> None:
    store = MemoryTransactionStore()
    lane = lane_on(ledger, network, store, resend_seconds=0.1)
    sent = lane.submit(call(b"\1"))
    send_to(node, signed(data=b"\2"))
    assert len(node.pool[KEY.address]) == 1, "the first is gone, and nobody was told"
    with pytest.raises(Conflict, match="another transaction took nonce 0"):
        lane.wait(sent)
    assert store.states[sent] is TransactionState.REFUSED
    assert ledger.receipt(sent) is None
    assert lane.transact(call(b"\1")).succeeded


def test_a_lane_never_uses_a_nonce_twice(network: Network, node: Besu, ledger: Any) -> None:
    lane = lane_on(ledger, network)
    for number in range(3):
        lane.submit_many([call(bytes([number])) for _ in range(5)])
    assert sorted(node.pool[KEY.address]) == list(range(15))
    assert [t.nonce for t in node.handed] == list(range(15))


def test_the_pending_nonce_jumps_over_gaps_and_is_not_asked(
    network: Network, node: Besu, ledger: JsonRpcLedger
) -> None:
    send_to(node, signed(9))
    assert node.answer("eth_getTransactionCount", ["0x" + KEY.address.hex(), "pending"]) == "0xa"
    assert ledger.nonce(KEY.address) == 0
    lane = lane_on(ledger, network)
    assert lane.transact(call()).succeeded
    assert "pending" not in json_of(node)


def json_of(node: Besu) -> str:
    """Everything that was asked through the ledger, but for the test's own question."""
    return str(node.asked[2:])


def test_a_nonce_too_low_is_a_conflict_and_the_next_one_is_tried(
    network: Network, node: Besu, ledger: JsonRpcLedger
) -> None:
    lane = lane_on(ledger, network)
    lane.transact(call())
    send_to(node, signed(1, data=b"\2"))
    network.mine()
    with pytest.raises(Refused, match="Nonce too low"):
        send_to(node, signed(1, data=b"\3"))
    assert lane.transact(call(b"\4")).succeeded
    assert network.nonces[KEY.address] == 3


# The pool --------------------------------------------------------------------------------------


def test_the_pool_wedges_behind_a_gap_and_a_lane_keeps_below_it(
    network: Network, node: Besu, ledger: JsonRpcLedger
) -> None:
    for nonce in range(1, WEDGE + 2):
        send_to(node, signed(nonce))
    network.mine()
    send_to(node, signed(0))
    network.mine(9)
    assert network.mined == {}, "filling the gap came too late"
    assert IN_FLIGHT * 2 <= WEDGE
    node.lose_pool()
    most = 0
    lane = lane_on(ledger, network)

    def mine() -> None:
        nonlocal most
        most = max(most, len(node.pool[KEY.address]))
        network.mine()

    lane._sleep = lambda seconds: mine()
    receipts = lane.transact_many([call(bytes([n])) for n in range(3 * IN_FLIGHT)])
    assert all(not isinstance(one, SimdesError) for one in receipts)
    assert most <= IN_FLIGHT


def test_a_gap_is_filled_before_others_wait_behind_it(
    network: Network, node: Besu, ledger: JsonRpcLedger
) -> None:
    calls = [Call(TARGET, bytes([n]), "test", 90_000) for n in range(4)]
    calls[1] = Call(TARGET, b"", "test", GAS_LIMIT + 1)
    results = lane_on(ledger, network).transact_many(calls)
    assert [isinstance(one, TooLarge) for one in results] == [False, True, False, False]
    assert network.nonces[KEY.address] == 4


def test_a_transaction_held_back_behind_a_reverted_one_goes_by_another_node(
    network: Network, node: Besu
) -> None:
    other = Besu(network)
    node.holds_back_after_revert = True
    ledger = ledger_of(node, other)
    lane = lane_on(ledger, network, resend_seconds=0.2)
    with pytest.raises(Conflict):
        lane.transact(Call(REVERTING, b"", "test", 90_000))
    assert lane.transact(call(b"\1")).succeeded
    assert [t.nonce for t in other.handed] == [1], "handed over when it was sent again"


def test_what_would_be_refused_is_simulated_and_not_sent(
    network: Network, node: Besu, ledger: JsonRpcLedger
) -> None:
    with pytest.raises(Conflict) as refused:
        lane_on(ledger, network).transact(call(to=REFUSING))
    assert isinstance(refused.value.__cause__, Reverted)
    assert refused.value.__cause__.data == REASON
    assert node.handed == []


def test_a_restarted_node_has_an_empty_pool_and_gets_all_again_in_order(
    network: Network, node: Besu, ledger: JsonRpcLedger
) -> None:
    lane = lane_on(ledger, network, resend_seconds=0.2)
    network.halted = True
    hashes = [lane.submit(call(bytes([n]))) for n in range(5)]
    node.lose_pool()
    network.halted = False
    assert lane.wait(hashes[4]).succeeded, "what came before it was sent again too"
    assert [lane.wait(one).succeeded for one in hashes] == [True] * 5
    assert [t.hash for t in node.handed] == hashes * 2


def test_a_known_transaction_is_not_an_error(
    network: Network, node: Besu, ledger: JsonRpcLedger
) -> None:
    raw = signed()
    sent = ledger.send(raw)
    assert ledger.send(raw) == sent
    network.mine()
    assert ledger.send(raw) == sent


# Errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code", "kind"),
    [
        ({"chain_id": 5}, -32000, Invalid),
        ({"gas": 20_999}, -32003, Invalid),
        ({"gas": GAS_LIMIT + 1}, -32005, TooLarge),
        ({"to": None, "data": bytes(49_153), "gas": 5_000_000}, -32603, TooLarge),
    ],
    ids=["chain id", "intrinsic gas", "block gas limit", "init code"],
)
def test_what_besu_refuses_is_refused_with_its_meaning(
    node: Besu, ledger: JsonRpcLedger, changes: dict[str, Any], code: int, kind: Any
) -> None:
    raw = signed(**changes)
    with pytest.raises(Refused) as said:
        send_to(node, raw)
    assert said.value.body["code"] == code
    with pytest.raises(kind):
        ledger.send(raw)


def test_a_deployment_too_large_is_named_before_besu_says_internal_error(
    node: Besu, ledger: JsonRpcLedger
) -> None:
    with pytest.raises(TooLarge, match="49152"):
        ledger.estimate(None, bytes(49_153), sender=KEY.address)
    assert node.asked == []


def test_a_custom_error_arrives_bare(ledger: JsonRpcLedger) -> None:
    with pytest.raises(Reverted) as refused:
        ledger.call(REFUSING, b"")
    assert refused.value.data == REASON


def test_a_call_without_end_is_an_internal_error_and_is_told_from_a_nodes_trouble(
    node: Besu, ledger: JsonRpcLedger
) -> None:
    with pytest.raises(Reverted) as stopped:
        ledger.call(ENDLESS, b"")
    assert stopped.value.halted
    known, ended = ledger.call_many([(TARGET, b""), (ENDLESS, b"")])
    assert isinstance(known, bytes)
    assert isinstance(ended, Reverted)
    with pytest.raises(Reverted):
        ledger.estimate(ENDLESS, b"", sender=KEY.address)

    def trouble(method: str, params: list[Any]) -> Any:
        if method == "eth_call":
            raise Refused(-32603, "Internal error")

    node.lies = trouble
    with pytest.raises(Unavailable):
        ledger.call(ENDLESS, b"")


def test_there_is_no_account_to_send_from(node: Besu) -> None:
    assert node.answer("eth_accounts", []) == []
    with pytest.raises(Refused, match="not supported"):
        node.answer("eth_sendTransaction", [{}])


# Blocks and state ------------------------------------------------------------------------------


def test_no_block_is_safe_or_finalized_and_nobody_asks(
    network: Network, node: Besu, ledger: JsonRpcLedger
) -> None:
    for tag in ("safe", "finalized"):
        with pytest.raises(Refused) as said:
            node.answer("eth_getBlockByNumber", [tag, False])
        assert said.value.body["code"] == -39001
    node.asked.clear()
    lane_on(ledger, network).transact(call())
    list(follow(ledger, [TARGET], None))
    assert not {"safe", "finalized", "pending"} & set(str(node.asked).split("'"))


def test_a_call_runs_in_the_head_and_not_in_the_next_block(
    network: Network, ledger: JsonRpcLedger
) -> None:
    network.mine(4)
    assert int.from_bytes(ledger.call(TARGET, b""), "big") == 4 == ledger.head().number


def test_state_beyond_the_head_is_null_and_unavailable(ledger: JsonRpcLedger) -> None:
    with pytest.raises(Unavailable, match="state"):
        ledger.call(TARGET, b"", block=99)
    assert ledger.block(99) is None


def test_reads_have_a_gas_limit_that_fits_a_block(node: Besu, ledger: JsonRpcLedger) -> None:
    """A genesis may allow so much gas that a call without end would run for hours."""
    ledger.head()
    ledger.call(TARGET, b"")
    [(request, _)] = [params for method, params in node.asked if method == "eth_call"]
    assert int(request["gas"], 16) == min(CALL_GAS, GAS_LIMIT)


def test_a_gas_limit_never_exceeds_the_blocks(
    network: Network, node: Besu, ledger: JsonRpcLedger
) -> None:
    node.lies = lambda method, params: hex(25_000_000) if method == "eth_estimateGas" else None
    assert lane_on(ledger, network).transact(call()).succeeded
    assert node.handed[0].gas == GAS_LIMIT


def test_what_besu_writes_into_headers_is_taken(network: Network, ledger: JsonRpcLedger) -> None:
    assert len(network.blocks[0]["extraData"]) > 66
    assert ledger.head().number == 0
    assert ledger.final()


# Events ----------------------------------------------------------------------------------------


def test_events_are_asked_in_ranges_that_besu_answers(
    network: Network, node: Besu, ledger: JsonRpcLedger
) -> None:
    lane_on(ledger, network).transact(call(b"\1"))
    network.mine(3 * LOG_RANGE)
    with pytest.raises(Refused):
        node.answer("eth_getLogs", [{"fromBlock": "0x0", "toBlock": hex(LOG_RANGE + 1)}])
    [log] = ledger.logs(first=0, last=10**9, addresses=[TARGET])
    assert log.data == b"\1"
    assert ledger.logs(first=network.head + 1, last=10**9, addresses=[]) == []
    assert sum(len(step.logs) for step in follow(ledger, [TARGET], None)) == 1


def test_a_node_that_gives_fewer_events_at_once_is_asked_in_halves(
    network: Network, node: Besu, ledger: JsonRpcLedger
) -> None:
    lane = lane_on(ledger, network)
    lane.transact_many([call(bytes([n])) for n in range(40)])
    network.mine(30)

    def few(method: str, params: list[Any]) -> Any:
        span = params and method == "eth_getLogs" and params[0]
        if span and int(span["toBlock"], 16) - int(span["fromBlock"], 16) >= 7:
            raise Refused(-32005, "Requested range exceeds maximum RPC range limit")

    node.lies = few
    found = ledger.logs(first=0, last=network.head, addresses=[TARGET])
    assert [log.data for log in found] == [bytes([n]) for n in range(40)]


def test_an_event_given_twice_counts_once(network: Network, node: Besu, ledger: Any) -> None:
    lane_on(ledger, network).transact(call(b"\1"))
    network.logs *= 2
    assert len(ledger.logs(first=0, last=9, addresses=[])) == 2
    assert [len(step.logs) for step in follow(ledger, [TARGET], None)] == [1]


def test_events_come_from_a_node_that_has_the_whole_range(network: Network, node: Besu) -> None:
    """One node knows the head; another, asked for the events, does not have it yet."""
    late = Besu(network)
    ledger = ledger_of(late, node)
    lane = lane_on(ledger_of(node), network)
    lane.transact(call(b"\1"))
    late.behind = 2
    end = ledger_of(node).head()
    found = ledger.logs(first=0, last=end.number, addresses=[TARGET], end=end)
    assert [log.data for log in found] == [b"\1"]
    with pytest.raises(Unavailable):
        ledger_of(late).logs(first=0, last=end.number, addresses=[TARGET], end=end)


def test_events_of_a_block_come_from_a_node_that_has_it(network: Network, node: Besu) -> None:
    """Besu says of a block that it does not have yet that it has no events."""
    late = Besu(network)
    lane_on(ledger_of(node), network).transact(call(b"\1"))
    end = ledger_of(node).head()
    late.behind = 1
    asked: dict[str, Any] = {"first": end.number, "last": end.number, "end": end}
    found = ledger_of(late, node).logs(addresses=[TARGET], **asked)
    assert [(log.data, log.block_hash) for log in found] == [(b"\1", end.hash)]
    with pytest.raises(Unavailable):
        ledger_of(late).logs(addresses=[TARGET], **asked)


# Time ------------------------------------------------------------------------------------------


def test_consensus_halted_for_88_seconds_loses_and_doubles_nothing(
    network: Network, node: Besu, ledger: JsonRpcLedger
) -> None:
    """Two of four validators down: nothing is mined, and every call ends in time all the same."""
    clock = Ticking(network.mine)
    store = MemoryTransactionStore()
    lane = Lane(ledger, KEY, store, monotonic=clock, sleep=clock.sleep)
    network.halted, halted_until, told = True, clock.now + 88, 0
    while clock.now < halted_until:
        begun = clock.now
        with pytest.raises(Unavailable, match="no block took"):
            lane.transact(call(b"\1"))
        assert clock.now - begun < 10
        told += 1
    assert told > 5
    network.halted = False
    begun = clock.now
    assert lane.transact(call(b"\1")).succeeded
    assert clock.now - begun < 5
    assert len(store.states) == 1, "asked again, it was the same transaction"
    assert network.nonces[KEY.address] == 1


def test_a_crash_while_consensus_is_halted_doubles_nothing(
    network: Network, node: Besu, ledger: JsonRpcLedger
) -> None:
    store = MemoryTransactionStore()
    network.halted = True
    with pytest.raises(Unavailable):
        lane_on(ledger, network, store).transact(call(b"\1"))
    node.lose_pool()
    network.halted = False
    again = lane_on(ledger_of(node), network, store)
    assert again.transact(call(b"\1")).succeeded
    assert len(store.states) == 1
    assert network.nonces[KEY.address] == 1


def test_a_batch_is_cut_where_the_node_takes_fewer_requests(
    network: Network, node: Besu, ledger: JsonRpcLedger
) -> None:
    node.batch_limit = 9
    answers = ledger.call_many([(TARGET, bytes([n])) for n in range(50)])
    assert len(answers) == 50
    assert all(isinstance(one, bytes) for one in answers)
