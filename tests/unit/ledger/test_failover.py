"""Several nodes of one network: one dies, is slow, stays behind, lies, or is of another chain."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from simdes.crypto.keys import SigningKey
from simdes.errors import Conflict, Invalid, Unavailable
from simdes.ledger.follow import Checkpoint, HistoryChanged, follow
from simdes.ledger.jsonrpc import LAG_BLOCKS, JsonRpcLedger
from simdes.ledger.lane import Call, Lane, MemoryTransactionStore, TransactionState
from simdes.ledger.ledger import Known, OtherChain, open_ledger
from simdes.ledger.nodes import MOST_OCTETS
from simdes.ledger.sightings import LOOK_AGAIN_SECONDS, REWIND_SECONDS
from simdes.ledger.stored import send_lost
from support.besu import Besu, Network, Refused, Ticking, ledger_of

KEY = SigningKey.from_bytes(b"\7" * 32)
TARGET = b"\x11" * 20


@pytest.fixture
def network() -> Network:
    grown = Network()
    grown.mine(20)
    return grown


def lane_on(ledger: JsonRpcLedger, network: Network, store: Any = None, **options: Any) -> Lane:
    clock = Ticking(network.mine)
    return Lane(
        ledger,
        KEY,
        store or MemoryTransactionStore(),
        monotonic=clock,
        sleep=clock.sleep,
        **options,
    )


def hash_of(network: Network, number: int) -> bytes:
    return bytes.fromhex(network.blocks[number]["hash"][2:])


@contextmanager
def told() -> Iterator[list[str]]:
    """What the log says meanwhile: the nodes of errors."""
    with capture_logs() as lines:
        said: list[str] = []
        yield said
        said += [str(line.get("why")) for line in lines if line["log_level"] == "error"]


# Nodes that don't answer ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError, httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError]
)
def test_another_node_is_asked_while_one_does_not_answer(
    network: Network, failure: type[httpx.TransportError]
) -> None:
    own, other = Besu(network), Besu(network)
    clock = Ticking()
    ledger = ledger_of(own, other, clock=clock)
    assert ledger.head().number == 20
    own.down = failure
    assert ledger.head().number == 20
    asked = len(other.asked)
    own.down = None
    clock.sleep(30)
    own.asked.clear()
    ledger.block(3)
    assert ("eth_getBlockByNumber", ["0x3", False]) in own.asked, "the preferred one again"
    assert ("eth_getBlockByNumber", ["0x3", False]) not in other.asked[asked:]


def test_writing_goes_on_over_another_node_and_happens_once(network: Network) -> None:
    own, other = Besu(network), Besu(network)
    lane = lane_on(ledger_of(own, other), network, resend_seconds=0.2)
    sent = [lane.submit(Call(TARGET, b"\1", "test"))]
    own.down = httpx.ReadTimeout
    own.lose_pool()
    sent.append(lane.submit(Call(TARGET, b"\2", "test")))
    assert [lane.wait(one).succeeded for one in sent] == [True, True]
    assert network.nonces[KEY.address] == 2
    assert [t.hash for t in other.handed] == [sent[1], sent[0]]


def test_where_nobody_answers_it_is_said_at_once_the_second_time(network: Network) -> None:
    own = Besu(network)
    own.down = httpx.ReadTimeout
    clock = Ticking()
    ledger = ledger_of(own, clock=clock)
    with pytest.raises(Unavailable, match="ReadTimeout"):
        ledger.head()
    own.asked.clear()
    with pytest.raises(Unavailable, match="a moment ago"):
        ledger.head()
    own.down = None
    clock.sleep(10)
    assert ledger.head().number == 20


class Drip(httpx.SyncByteStream):
    """An answer of which a byte comes now and then."""

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(10_000):
            time.sleep(0.2)
            yield b" "


def test_an_answer_that_drips_is_given_up_in_time() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=Drip()))
    ledger = JsonRpcLedger("http://node0.example", transport=transport)
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="too long"):
        ledger.head()
    assert time.monotonic() - begun < 10


class Flood(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        for _ in range(MOST_OCTETS // (1 << 20) + 2):
            yield b" " * (1 << 20)


def test_an_answer_without_end_is_given_up() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=Flood()))
    with pytest.raises(Unavailable, match="too large"):
        JsonRpcLedger("http://node0.example", transport=transport).head()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_balancer_without_a_node_is_no_answer(network: Network, status: int) -> None:
    own = Besu(network)

    def reply(request: httpx.Request) -> httpx.Response:
        return own.reply(request) if request.url.host == "b" else httpx.Response(status, json={})

    ledger = JsonRpcLedger(["http://a", "http://b"], transport=httpx.MockTransport(reply))
    assert ledger.head().number == 20


def test_a_password_in_an_address_is_told_nobody() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no", request=request)

    transport = httpx.MockTransport(refuse)
    ledger = JsonRpcLedger("http://user:secret@node0.example:8545", transport=transport)
    with capture_logs() as lines, pytest.raises(Unavailable) as failed:
        ledger.head()
    assert "secret" not in f"{lines} {failed.value.message} {failed.value.advice}"
    assert lines[0]["node"] == "node0.example:8545"


# Nodes that are behind --------------------------------------------------------------------------


def test_nothing_is_answered_from_before_what_was_seen(network: Network) -> None:
    """The own node came back without its last blocks: a revocation could be in them."""
    own = Besu(network)
    clock = Ticking()
    ledger = ledger_of(own, clock=clock)
    assert ledger.head().number == 20
    own.behind = 2
    for _ in range(3):
        clock.sleep(10)
        with pytest.raises(Unavailable, match="behind"):
            ledger.call(TARGET, b"")
        with pytest.raises(Unavailable, match="behind"):
            ledger.nonce(KEY.address)
    own.behind = 0
    assert int.from_bytes(ledger.call(TARGET, b""), "big") == 20


def test_a_node_that_is_behind_another_one_is_not_asked(network: Network) -> None:
    own, other = Besu(network), Besu(network)
    own.behind = LAG_BLOCKS + 1
    ledger = ledger_of(own, other)
    assert ledger.head().number == 20
    assert int.from_bytes(ledger.call(TARGET, b""), "big") == 20


def test_a_node_that_stops_at_a_block_is_left_for_one_that_goes_on(network: Network) -> None:
    own, other = Besu(network), Besu(network)
    clock = Ticking()
    ledger = ledger_of(own, other, clock=clock)
    assert ledger.head().number == 20
    for _ in range(12):
        network.mine()
        own.behind += 1
        clock.sleep(1)
    assert ledger.head().number == 32


def test_a_transaction_is_not_replaced_because_another_node_is_behind(network: Network) -> None:
    """The nonce by a node that has the block, the receipt by one that has it not: no verdict."""
    own, other = Besu(network), Besu(network)
    store = MemoryTransactionStore()
    lane = lane_on(ledger_of(own, other), network, store, resend_seconds=0.0)
    sent = lane.submit(Call(TARGET, b"\1", "test"))
    network.mine()
    other.behind = 1
    nonces = 0

    def dies(method: str, params: list[Any]) -> Any:
        nonlocal nonces
        nonces += method == "eth_getTransactionCount"
        if nonces and method == "eth_getTransactionReceipt":
            own.down = httpx.ConnectError
            raise Refused(-32603, "Internal error")

    own.lies = dies
    lane._check_replaced(sent)
    assert store.states[sent] is TransactionState.SENT


# Another chain ----------------------------------------------------------------------------------


def test_a_node_of_another_chain_is_refused_loudly_and_another_one_is_asked(
    network: Network,
) -> None:
    own, other = Besu(network), Besu(network)
    ledger = ledger_of(own, other, clock=(clock := Ticking()))
    ledger.head()
    stranger = Network(history="theirs")
    stranger.mine(25)
    own.network = stranger
    with told() as said:
        assert ledger.head().hash == hash_of(network, 20)
    assert said == ["node0.example has another block 20"]
    other.network = stranger
    clock.sleep(60)
    with pytest.raises(OtherChain, match="another block 20"):
        ledger.call(TARGET, b"")
    assert OtherChain.issue == "transient", "the right node may come back: nothing is given up"


def test_another_genesis_is_another_chain_even_where_blocks_may_change() -> None:
    network = Network(final=False)
    network.mine(5)
    node = Besu(network)
    ledger = ledger_of(node)
    ledger.head()
    node.network = Network(final=False, genesis="another", history="theirs")
    node.network.mine(9)
    with pytest.raises(OtherChain, match="another genesis"):
        ledger.head()


def test_every_kind_of_question_is_refused_to_a_node_of_another_chain(network: Network) -> None:
    node = Besu(network)
    ledger = ledger_of(node)
    ledger.head()
    node.network = Network(history="theirs")
    node.network.mine(25)
    head = ledger_of(Besu(network)).head()
    questions = [
        ledger.head,
        lambda: ledger.block(1),
        lambda: ledger.call(TARGET, b""),
        lambda: ledger.call(TARGET, b"", block=3),
        lambda: ledger.call_many([(TARGET, b"")]),
        lambda: ledger.estimate(TARGET, b"", sender=TARGET),
        lambda: ledger.receipt(bytes(32)),
        lambda: ledger.nonce(TARGET),
        lambda: ledger.fate(TARGET, bytes(32)),
        lambda: ledger.logs(first=0, last=9, addresses=[]),
        lambda: ledger.logs(first=0, last=20, addresses=[], end=head),
        lambda: ledger.code(TARGET),
        lambda: ledger.storage(TARGET, 0),
        lambda: ledger.balance(TARGET),
        lambda: lane_on(ledger, network).transact(Call(TARGET, b"", "test")),
    ]
    for ask in questions:
        with pytest.raises(OtherChain):
            ask()
    assert node.handed == []


def test_what_is_known_from_before_tells_the_first_answer_of_another_chain(
    network: Network,
) -> None:
    stranger = Network(history="theirs")
    stranger.mine(30)
    for known in (
        Known(genesis=hash_of(network, 0), block=(17, hash_of(network, 17))),
        Known(block=(17, hash_of(network, 17))),
    ):
        with pytest.raises(OtherChain):
            ledger_of(Besu(stranger), known=known).chain_id()
        assert ledger_of(Besu(stranger), Besu(network), known=known).head().number == 20
    other = Network(genesis="another")
    with pytest.raises(OtherChain, match="genesis"):
        ledger_of(Besu(other), known=Known(genesis=hash_of(network, 0))).chain_id()


def test_a_followers_checkpoint_on_a_final_chain_is_never_forgotten(network: Network) -> None:
    ledger = ledger_of(Besu(network))
    with pytest.raises(OtherChain):
        list(follow(ledger, [TARGET], Checkpoint(7, b"\1" * 32)))


def test_a_node_that_is_behind_what_is_known_is_waited_for(network: Network) -> None:
    node = Besu(network)
    node.behind = 9
    ledger = ledger_of(node, known=Known(block=(17, hash_of(network, 17))), clock=Ticking())
    with pytest.raises(Unavailable, match="behind"):
        ledger.head()
    node.behind = 0
    assert ledger.head().number == 20


# A chain whose blocks may change ----------------------------------------------------------------


def test_a_reorganised_development_chain_is_gone_on_with() -> None:
    network = Network(final=False)
    network.mine(10)
    node = Besu(network)
    ledger = ledger_of(node, clock=Ticking())
    [step] = follow(ledger, [TARGET], None)
    network.reorganise(3, "again")
    with capture_logs() as lines:
        assert ledger.head().hash == hash_of(network, 10)
    assert [line["event"] for line in lines] == ["ledger reorganised"]
    with pytest.raises(HistoryChanged) as changed:
        list(follow(ledger, [TARGET], step.checkpoint))
    assert isinstance(changed.value, Conflict)


def test_a_development_chain_that_was_set_back_is_gone_on_with_after_a_while() -> None:
    network = Network(final=False)
    network.mine(10)
    node, clock = Besu(network), Ticking()
    ledger = ledger_of(node, clock=clock)
    ledger.head()
    node.behind = 4
    clock.sleep(LOOK_AGAIN_SECONDS)
    with pytest.raises(Unavailable, match="behind"):
        ledger.head()
    clock.sleep(REWIND_SECONDS)
    assert ledger.head().number == 6


def test_what_a_reorganisation_took_away_is_sent_again_unchanged() -> None:
    network = Network(final=False)
    network.mine(10)
    node, store = Besu(network), MemoryTransactionStore()
    ledger = ledger_of(node)
    lane = lane_on(ledger, network, store)
    kept = lane.transact(Call(TARGET, b"\0", "test")).transaction_hash
    sent = [lane.transact(Call(TARGET, bytes([n]), "test")).transaction_hash for n in (1, 2)]
    network.reorganise(network.head - int(network.mined[kept]["blockNumber"], 16), "again")
    assert set(network.mined) == {kept}
    assert send_lost(ledger, store, first_block=1) == 2
    receipts = lane.resume()
    assert [receipt.transaction_hash for receipt in receipts] == sent
    assert set(store.states.values()) == {TransactionState.SUCCEEDED}
    assert send_lost(ledger, store, first_block=1) == 0
    assert lane.transact(Call(TARGET, b"\3", "test")).succeeded
    assert network.nonces[KEY.address] == 4


# Nodes that lie ---------------------------------------------------------------------------------


def lying(method: str, params: list[Any]) -> Any:
    """The same blocks as everybody, and "yes" to whatever contracts are asked."""
    return "0x" + "00" * 31 + "01" if method == "eth_call" else None


def test_a_node_that_lies_about_state_is_found_where_two_must_agree(network: Network) -> None:
    liar, other = Besu(network), Besu(network)
    liar.lies = lying
    ledger = ledger_of(liar, other, agreeing=2)
    with capture_logs() as lines, pytest.raises(Unavailable, match="contradict"):
        ledger.call(TARGET, b"")
    assert lines[-1]["event"] == "ledger nodes disagree"
    liar.lies = None
    assert int.from_bytes(ledger.call(TARGET, b""), "big") == 20
    assert [int.from_bytes(one, "big") for one in ledger.call_many([(TARGET, b"")] * 2)] == [20, 20]


def test_too_few_that_answer_do_not_agree(network: Network) -> None:
    own, other = Besu(network), Besu(network)
    other.down = httpx.ConnectError
    with pytest.raises(Unavailable, match="1 of the 2"):
        ledger_of(own, other, agreeing=2).call(TARGET, b"")
    assert ledger_of(own, other, agreeing=1).call(TARGET, b"")


def test_a_node_a_block_late_agrees_when_it_has_it(network: Network) -> None:
    own, other = Besu(network), Besu(network)
    other.behind = 1
    seen = 0

    def catches_up(method: str, params: list[Any]) -> Any:
        nonlocal seen
        seen += method == "eth_blockNumber"
        if seen > 2:
            other.behind = 0

    other.lies = catches_up
    assert ledger_of(own, other, agreeing=2).call(TARGET, b"")


# Settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("between", [" ", ",", ", "])
def test_a_url_may_list_nodes(between: str) -> None:
    ledger = open_ledger(between.join(["http://a:1", "https://b:2"]), clock=time.time)
    assert isinstance(ledger, JsonRpcLedger)
    assert [node.place for node in ledger.nodes.all] == ["a:1", "b:2"]
    ledger.close()
    with pytest.raises(Invalid):
        open_ledger("http://a:1 embedded:b", clock=time.time)
