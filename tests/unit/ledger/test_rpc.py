"""JSON-RPC answers: envelopes, error codes, forms, limits."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from simdes.ledger.chain import EMPTY_BLOCK_SECONDS
from simdes.ledger.embedded import EmbeddedLedger
from simdes.ledger.ledger import LOG_SPAN_BLOCKS
from simdes.ledger.rpc import BATCH_LIMIT, RpcFace
from simdes.ledger.rpc_values import bloom
from unit.ledger.chains import COUNTER, REFUSER, Sender
from unit.ledger.test_embedded import opened


@pytest.fixture
def ledger() -> EmbeddedLedger:
    return opened()


@pytest.fixture
def face(ledger: EmbeddedLedger) -> RpcFace:
    return RpcFace(ledger)


def ask(face: RpcFace, method: str, *params: object) -> dict[str, Any]:
    body = {"jsonrpc": "2.0", "id": 5, "method": method, "params": list(params)}
    answer: dict[str, Any] = json.loads(face.reply(json.dumps(body).encode()))
    assert answer["id"] == 5
    return answer


def result(face: RpcFace, method: str, *params: object) -> Any:
    answer = ask(face, method, *params)
    assert "error" not in answer, answer
    return answer["result"]


def code(face: RpcFace, method: str, *params: object) -> int:
    number: int = ask(face, method, *params)["error"]["code"]
    return number


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b'{"id": 1,}', b"[" * 100_000, b"nonsense"]
)
def test_what_is_not_json_is_a_parse_error(face: RpcFace, body: bytes) -> None:
    assert json.loads(face.reply(body)) == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32700, "message": "parse error"},
    }


@pytest.mark.parametrize("limit", [1_000, 100_000])
def test_deep_nesting_is_refused_whatever_other_libraries_did(face: RpcFace, limit: int) -> None:
    """web3.py raises the recursion limit, on which the JSON decoder relies."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(limit)
    try:
        for body in (b"[" * 1_000_000, b'{"a":' * 500_000, b'["' + b"[" * 9 + b'",' + b"[" * 99):
            assert json.loads(face.reply(body))["error"]["code"] == -32700
    finally:
        sys.setrecursionlimit(before)


def test_brackets_in_a_string_are_no_nesting(face: RpcFace) -> None:
    body = {"id": 5, "method": "eth_nothing", "params": ['[{\\"' * 500, "\\"]}
    assert json.loads(face.reply(json.dumps(body).encode()))["error"]["code"] == -32601


@pytest.mark.parametrize("body", [b"5", b'"x"', b"null", b"{}", b'{"id":1,"method":5}', b"[]"])
def test_what_is_no_request_is_an_invalid_request(face: RpcFace, body: bytes) -> None:
    assert json.loads(face.reply(body))["error"]["code"] == -32600


def test_a_batch_is_answered_in_order_and_limited(face: RpcFace) -> None:
    good = {"jsonrpc": "2.0", "id": "a", "method": "eth_chainId"}
    bad = {"jsonrpc": "2.0", "id": "b", "method": "eth_nothing"}
    answers = json.loads(face.reply(json.dumps([good, bad, 7]).encode()))
    assert [answer["id"] for answer in answers] == ["a", "b", None]
    assert answers[0]["result"] == "0x7"
    assert answers[1]["error"]["code"] == -32601
    assert answers[2]["error"]["code"] == -32600
    large = json.dumps([good] * (BATCH_LIMIT + 1)).encode()
    assert json.loads(face.reply(large))["error"]["code"] == -32600


def test_notifications_are_not_answered(face: RpcFace) -> None:
    note = {"jsonrpc": "2.0", "method": "eth_chainId"}
    assert face.reply(json.dumps(note).encode()) == b""
    assert face.reply(json.dumps([note, note]).encode()) == b""


def test_a_batch_of_transactions_shares_a_block(ledger: EmbeddedLedger, face: RpcFace) -> None:
    sender = Sender(ledger)
    counter = sender.deploy(COUNTER)
    raws = [sender.sign(counter) for _ in range(3)]
    batch = [
        {"id": i, "method": "eth_sendRawTransaction", "params": ["0x" + raw.hex()]}
        for i, raw in enumerate([*raws, b"\2rubbish"])
    ]
    answers = json.loads(face.reply(json.dumps(batch).encode()))
    assert [answer["id"] for answer in answers] == [0, 1, 2, 3]
    assert answers[3]["error"]["code"] == -32000
    receipts = [result(face, "eth_getTransactionReceipt", a["result"]) for a in answers[:3]]
    assert len({receipt["blockHash"] for receipt in receipts}) == 1
    gas = [int(receipt["gasUsed"], 16) for receipt in receipts]
    total = [int(receipt["cumulativeGasUsed"], 16) for receipt in receipts]
    assert total == [gas[0], gas[0] + gas[1], sum(gas)]
    assert [receipt["logs"][0]["logIndex"] for receipt in receipts] == ["0x0", "0x1", "0x2"]
    assert [receipt["transactionIndex"] for receipt in receipts] == ["0x0", "0x1", "0x2"]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("eth_getBalance", []),
        ("eth_getBalance", ["0x12"]),
        ("eth_getBalance", [5]),
        ("eth_getCode", ["0x" + "zz" * 20]),
        ("eth_getBlockByNumber", ["newest"]),
        ("eth_getBlockByNumber", ["-0x1"]),
        ("eth_getBlockByNumber", ["0x" + "f" * 40]),
        ("eth_getBlockByNumber", ["0x1", True, 3, 4]),
        ("eth_call", ["0x1"]),
        ("eth_call", [{"to": "0x12"}]),
        ("eth_getLogs", [{"topics": [[5]]}]),
        ("eth_getLogs", [{"fromBlock": "0x5", "toBlock": "0x4"}]),
        ("eth_sendRawTransaction", ["f86c"]),
        ("eth_sendRawTransaction", [None]),
        ("eth_feeHistory", ["x", "latest"]),
    ],
)
def test_params_that_do_not_fit_are_invalid(
    face: RpcFace, ledger: EmbeddedLedger, method: str, params: list[object]
) -> None:
    sender = Sender(ledger)
    for _ in range(6):
        sender.deploy(COUNTER)
    assert code(face, method, *params) == -32602


def test_params_must_be_a_list(face: RpcFace) -> None:
    body = b'{"id": 1, "method": "eth_chainId", "params": {"a": 1}}'
    assert json.loads(face.reply(body))["error"]["code"] == -32602


def test_a_refusal_has_code_3_and_its_data(ledger: EmbeddedLedger, face: RpcFace) -> None:
    refuser = Sender(ledger).deploy(REFUSER)
    request = {"to": "0x" + refuser.hex(), "data": "0xabcdef"}
    for method in ("eth_call", "eth_estimateGas"):
        error = ask(face, method, request)["error"]
        assert (error["code"], error["data"]) == (3, "0xabcdef")
    bare = ask(face, "eth_call", {"to": "0x" + refuser.hex()})["error"]
    assert (bare["code"], bare["data"]) == (3, "0x")


def test_what_the_machine_stops_is_no_refusal(ledger: EmbeddedLedger, face: RpcFace) -> None:
    error = ask(face, "eth_call", {"data": "0xfe"})["error"]
    assert error["code"] == -32000
    assert "InvalidFEOpcode" in error["message"]


def test_only_the_heads_state_is_kept(ledger: EmbeddedLedger, face: RpcFace) -> None:
    sender = Sender(ledger)
    counter = "0x" + sender.deploy(COUNTER).hex()
    head = result(face, "eth_blockNumber")
    for tag in ("latest", "pending", "safe", "finalized", head):
        assert result(face, "eth_getCode", counter, tag) == "0x" + COUNTER[11:].hex()
    assert code(face, "eth_getCode", counter, "0x0") == -32000
    assert code(face, "eth_call", {"to": counter}, "0x0") == -32000


def test_logs_are_asked_in_bounded_ranges(ledger: EmbeddedLedger, face: RpcFace) -> None:
    sender = Sender(ledger)
    counter = sender.deploy(COUNTER)
    receipt = ledger.receipt(sender.send(counter))
    assert receipt is not None
    query = {"fromBlock": "0x0", "toBlock": "latest", "address": "0x" + counter.hex()}
    [log] = result(face, "eth_getLogs", query)
    assert log["transactionHash"] == "0x" + receipt.transaction_hash.hex()
    assert result(face, "eth_getLogs", {"blockHash": "0x" + receipt.block_hash.hex()}) == [log]
    assert code(face, "eth_getLogs", {"blockHash": "0x" + "11" * 32}) == -32000
    assert result(face, "eth_getLogs", {"fromBlock": "0xffff"}) == []


def test_a_log_range_wider_than_nodes_allow_is_refused(face: RpcFace) -> None:
    ledger = face._ledger
    clock = ledger._chain._clock
    for _ in range(LOG_SPAN_BLOCKS):
        clock.now += EMPTY_BLOCK_SECONDS  # type: ignore[attr-defined]
        ledger.head()
    assert code(face, "eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"}) == -32602
    assert result(face, "eth_getLogs", {"fromBlock": "0x1", "toBlock": "latest"}) == []
    assert ledger.logs(first=0, last=10**9, addresses=[]) == []


def test_money_is_refused(face: RpcFace) -> None:
    assert code(face, "eth_call", {"to": "0x" + "11" * 20, "value": "0x1"}) == -32000


def test_the_bloom_filter_holds_addresses_and_topics() -> None:
    """https://eips.ethereum.org/EIPS/eip-234 and Yellow Paper 4.3.1: three bits a part."""
    assert bloom([]) == bytes(256)
    one = int.from_bytes(bloom([b"\x0f" * 20]), "big")
    assert 1 <= one.bit_count() <= 3
    both = int.from_bytes(bloom([b"\x0f" * 20, b"\1" * 32]), "big")
    assert both & one == one


def test_the_bloom_filter_knows_what_it_holds_and_what_not() -> None:
    """The words of go-ethereum's core/types/bloom9_test.go; a node's filter is in adapters."""
    texts = [b"testtest", b"test", b"hallo", b"other"]
    filled = bloom(texts)
    for text in texts:
        wanted = int.from_bytes(bloom([text]), "big")
        assert int.from_bytes(filled, "big") & wanted == wanted
    missing = int.from_bytes(bloom([b"tes"]), "big")
    assert int.from_bytes(filled, "big") & missing != missing
