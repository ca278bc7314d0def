"""The JSON-RPC ledger against what nodes were seen to say where anvil differs.

Answers of Hyperledger Besu 26.8 with QBFT, as observed, and of broken or lying nodes; the same
calls run on real nodes in ``tests/adapters``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx
import pytest

from simdes.errors import (
    Conflict,
    Invalid,
    SimdesError,
    TooLarge,
    Unavailable,
    Unsupported,
)
from simdes.ledger.digests import keccak256
from simdes.ledger.jsonrpc import JsonRpcLedger
from simdes.ledger.ledger import LOG_SPAN_BLOCKS, Reverted
from simdes.ledger.talk import BATCH
from unit.ledger.chains import Sender
from unit.ledger.test_embedded import opened

Answer = Callable[[str, list[Any]], Any]


def node(answer: Answer, seen: list[Any] | None = None) -> JsonRpcLedger:
    """Return a ledger whose node answers from a script; an `Error` becomes an error answer."""

    def one(body: dict[str, Any]) -> dict[str, Any]:
        result = answer(body["method"], body["params"])
        part = {"error": result.body} if isinstance(result, Error) else {"result": result}
        return {"jsonrpc": "2.0", "id": body["id"], **part}

    def reply(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if seen is not None:
            seen.append(body)
        # Answers of a batch may come in any order.
        return httpx.Response(
            200, json=[one(b) for b in reversed(body)] if isinstance(body, list) else one(body)
        )

    return alone(reply)


def alone(reply: Callable[[httpx.Request], httpx.Response]) -> JsonRpcLedger:
    """A ledger that asks only what it is asked; whose chain it is, is in test_besu.py."""
    return JsonRpcLedger("http://node.example/", transport=httpx.MockTransport(reply), watch=False)


class Error:
    def __init__(self, code: int, message: str, data: Any = None) -> None:
        self.body = {"code": code, "message": message, **({} if data is None else {"data": data})}


def refusing(error: Error, **known: Any) -> JsonRpcLedger:
    def answer(method: str, params: list[Any]) -> Any:
        return {"eth_chainId": "0x7", **known}.get(method, error)

    return node(answer)


def transaction() -> bytes:
    return Sender(opened()).sign(b"\1" * 20)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Error(-32001, "Nonce too low"), Conflict),
        (Error(-32000, "replacement transaction underpriced"), Conflict),
        (Error(-32000, "Wrong chainId"), Invalid),
        (Error(-32003, "intrinsic gas too low"), Invalid),
        (Error(-32003, "Intrinsic gas exceeds gas limit"), Invalid),
        (Error(-32000, "Transaction gas limit exceeds block gas limit"), TooLarge),
        (Error(-32000, "Upfront cost exceeds account balance"), Invalid),
        (Error(-32602, "Invalid params"), Invalid),
        (Error(-32603, "Internal error"), Unavailable),
        (Error(-32005, "Request limit exceeded"), Unavailable),
        (Error(-39001, "Unknown block"), Unavailable),
        (Error(-32601, "Method not found"), Unsupported),
        (Error(-32000, "tx pool is full"), Unavailable),
    ],
)
def test_what_a_node_says_of_a_transaction(error: Error, kind: type[SimdesError]) -> None:
    ledger = refusing(error, eth_getTransactionByHash=None)
    with pytest.raises(SimdesError) as refused:
        ledger.send(transaction())
    assert isinstance(refused.value, kind)
    assert refused.value.issue == kind.issue


def test_a_known_transaction_was_sent_all_right() -> None:
    raw = transaction()
    for text in ("Known transaction", "already known", "AlreadyKnown: already imported"):
        assert refusing(Error(-32000, text)).send(raw) == keccak256(raw)


def test_a_nonce_too_low_of_a_transaction_in_a_block_was_sent_all_right() -> None:
    raw = transaction()
    ledger = refusing(Error(-32001, "Nonce too low"), eth_getTransactionByHash={"hash": "0x"})
    assert ledger.send(raw) == keccak256(raw)


@pytest.mark.parametrize(
    ("error", "data"),
    [
        (Error(3, "execution reverted", "0x63a2a81f"), "63a2a81f"),
        (Error(-32000, "Execution reverted (custom)", "0x63a2a81f"), "63a2a81f"),
        (Error(-32015, "VM execution reverted", {"data": "0x63a2a81f"}), "63a2a81f"),
        (Error(3, "execution reverted"), ""),
        (Error(3, "execution reverted", "no hex"), ""),
        (Error(-32603, "EVM error OutOfGas"), ""),
    ],
)
def test_every_form_of_a_refusal_is_read(error: Error, data: str) -> None:
    with pytest.raises(Reverted) as refused:
        refusing(error).call(b"\1" * 20, b"")
    assert refused.value.data.hex() == data


def test_state_beyond_the_head_is_null_and_unavailable() -> None:
    with pytest.raises(Unavailable):
        node(lambda method, params: None).call(b"\1" * 20, b"", block=99)
    assert node(lambda method, params: None).block(99) is None


def test_nonces_are_those_of_blocks_and_not_of_the_pool() -> None:
    """Besu's sequenced pool lets the pending nonce jump over gaps."""
    seen: list[Any] = []
    assert node(lambda method, params: "0x5", seen).nonce(b"\1" * 20) == 5
    assert seen[0]["params"][1] == "latest"


def test_logs_are_asked_in_spans_that_every_node_answers() -> None:
    seen: list[Any] = []
    head = 3 * LOG_SPAN_BLOCKS - 10

    def answer(method: str, params: list[Any]) -> Any:
        return hex(head) if method == "eth_blockNumber" else []

    assert node(answer, seen).logs(first=5, last=10**9, addresses=[b"\1" * 20]) == []
    spans = [
        (int(body["params"][0]["fromBlock"], 16), int(body["params"][0]["toBlock"], 16))
        for body in seen[1]
    ]
    assert spans[0][0] == 5
    assert spans[-1][1] == head
    assert all(first <= last < first + LOG_SPAN_BLOCKS for first, last in spans)
    assert all(a[1] + 1 == b[0] for a, b in pairwise(spans))


def test_no_logs_are_asked_from_beyond_the_head() -> None:
    seen: list[Any] = []
    ledger = node(lambda method, params: "0x9", seen)
    assert ledger.logs(first=10, last=20, addresses=[]) == []
    assert len(seen) == 1


def test_batches_are_cut_and_put_back_in_order() -> None:
    seen: list[Any] = []

    def answer(method: str, params: list[Any]) -> Any:
        return params[0]["data"]

    calls = [(b"\1" * 20, number.to_bytes(2, "big")) for number in range(2 * BATCH + 3)]
    assert node(answer, seen).call_many(calls) == [data for _, data in calls]
    assert [len(body) for body in seen] == [BATCH, BATCH, 3]


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(502, text="<html>bad gateway</html>"),
        httpx.Response(200, json={"jsonrpc": "2.0", "id": 10**9, "result": "0x1"}),
        httpx.Response(200, json=["0x1"]),
        httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "error": "no"}),
        httpx.Response(200, text=""),
    ],
)
def test_answers_that_are_no_json_rpc_make_the_node_unavailable(response: httpx.Response) -> None:
    ledger = alone(lambda request: response)
    with pytest.raises(Unavailable):
        ledger.chain_id()
    with pytest.raises(Unavailable):
        ledger.receipt(bytes(32))


def test_a_batch_answered_in_part_is_no_answer_for_the_rest() -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        first, *_ = json.loads(request.content)
        return httpx.Response(200, json=[{"jsonrpc": "2.0", "id": first["id"], "result": "0x05"}])

    ledger = alone(reply)
    answered, missing = ledger.call_many([(b"\1" * 20, b""), (b"\1" * 20, b"")])
    assert answered == b"\5"
    assert isinstance(missing, Unavailable)


def test_a_node_that_is_gone_or_silent_is_unavailable() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too slow", request=request)

    ledger = alone(refuse)
    with pytest.raises(Unavailable, match="ReadTimeout"):
        ledger.head()
    with pytest.raises(Unavailable, match="ConnectError"):
        JsonRpcLedger("http://127.0.0.1:1/").head()


def test_a_broken_connection_is_tried_once_more() -> None:
    tries: list[int] = []

    def reply(request: httpx.Request) -> httpx.Response:
        tries.append(1)
        if len(tries) == 1:
            raise httpx.RemoteProtocolError("gone while idle", request=request)
        return httpx.Response(
            200, json={"jsonrpc": "2.0", "id": json.loads(request.content)["id"], "result": "0x7"}
        )

    ledger = alone(reply)
    assert ledger.chain_id() == 7
    assert len(tries) == 2


def test_nothing_unfit_reaches_the_node() -> None:
    """Besu takes a price or value that can't be paid, and never mines it."""
    seen: list[Any] = []
    ledger = node(lambda method, params: "0x8", seen)
    with pytest.raises(Invalid, match="wrong chain id"):
        ledger.send(transaction())
    assert [body["method"] for body in seen] == ["eth_chainId"]
    assert ledger.send_many([]) == []


def test_a_receipt_without_a_reason_has_none() -> None:
    receipt = {
        "transactionHash": "0x" + "11" * 32,
        "status": "0x0",
        "blockNumber": "0x5",
        "blockHash": "0x" + "22" * 32,
        "gasUsed": "0x5208",
        "logs": [],
        "contractAddress": None,
    }
    read = node(lambda method, params: receipt).receipt(b"\x11" * 32)
    assert read is not None
    assert not read.succeeded
    assert read.revert == b""
    with_reason = {**receipt, "revertReason": "0xabcd"}
    read = node(lambda method, params: with_reason).receipt(b"\x11" * 32)
    assert read is not None
    assert read.revert == b"\xab\xcd"


def test_a_ledger_that_knows_no_base_fee_says_so() -> None:
    block = {"number": "0x1"}
    assert node(lambda method, params: block).base_fee() is None
    assert node(lambda method, params: {**block, "baseFeePerGas": "0x7"}).base_fee() == 7
