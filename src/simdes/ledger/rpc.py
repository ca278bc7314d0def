"""JSON-RPC answers of the embedded ledger, whoever asks: web3.py in this process, or HTTP.

The methods that a wallet, web3.py and the floors above use, with the error codes of
https://www.jsonrpc.org/specification and of Ethereum nodes (3: a contract refused).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from simdes.errors import SimdesError
from simdes.ledger.digests import keccak256
from simdes.ledger.embedded import EmbeddedLedger
from simdes.ledger.journal import Header
from simdes.ledger.ledger import LOG_SPAN_BLOCKS, Reverted
from simdes.ledger.quantities import to_hex, to_quantity
from simdes.ledger.rpc_values import block_value, log_value, receipt_value, transaction_value

PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602
REFUSED, CONTRACT_REVERTED = -32000, 3
BATCH_LIMIT = 1_000
_HEAD_TAGS = ("latest", "pending", "safe", "finalized")
_DEPTH_LIMIT = 32
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
_ENCODER = msgspec.json.Encoder()


class RpcError(Exception):
    """An error answer: code, message and, for a contract's refusal, its data."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class RpcFace:
    """Answers JSON-RPC from an embedded ledger. Safe for threads, as the ledger is."""

    def __init__(self, ledger: EmbeddedLedger) -> None:
        self._ledger = ledger
        self._methods: dict[str, Callable[..., Any]] = {
            "web3_clientVersion": lambda: "simdes/embedded",
            "web3_sha3": lambda data: to_hex(keccak256(_bytes(data))),
            "net_version": lambda: str(ledger.chain_id()),
            "net_listening": lambda: True,
            "eth_chainId": lambda: to_quantity(ledger.chain_id()),
            "eth_syncing": lambda: False,
            "eth_accounts": list,
            "eth_gasPrice": lambda: "0x0",
            "eth_maxPriorityFeePerGas": lambda: "0x0",
            "eth_feeHistory": self._fee_history,
            "eth_blockNumber": lambda: to_quantity(ledger.head().number),
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getTransactionCount": self._transaction_count,
            "eth_getCode": self._code,
            "eth_getBalance": self._balance,
            "eth_getStorageAt": self._storage,
            "eth_getLogs": self._logs,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_sendRawTransaction": lambda raw: to_hex(ledger.send(_bytes(raw))),
        }

    # --- envelopes -------------------------------------------------------------------------

    def reply(self, body: bytes) -> bytes:
        """Answer a request or a batch, from bytes to bytes; empty for notifications alone."""
        try:
            document = _read(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _ENCODER.encode(_failure(None, RpcError(PARSE_ERROR, "parse error")))
        if not isinstance(document, list):
            answer = self._one(document)
            return b"" if answer is None else _ENCODER.encode(answer)
        if not 0 < len(document) <= BATCH_LIMIT:
            error = RpcError(INVALID_REQUEST, f"a batch has 1 to {BATCH_LIMIT} requests")
            return _ENCODER.encode(_failure(None, error))
        answers = [answer for answer in self._batch(document) if answer is not None]
        return _ENCODER.encode(answers) if answers else b""

    def _batch(self, documents: Sequence[Any]) -> list[dict[str, Any] | None]:
        """Answer in order; a batch of transactions alone shares one durable commit."""
        raws = [_raw_of(document) for document in documents]
        if any(raw is None for raw in raws):
            return [self._one(document) for document in documents]
        outcomes = self._ledger.send_many([raw for raw in raws if raw is not None])
        return [
            _failure(document["id"], _rpc_error(outcome))
            if isinstance(outcome, SimdesError)
            else {"jsonrpc": "2.0", "id": document["id"], "result": to_hex(outcome)}
            for document, outcome in zip(documents, outcomes, strict=True)
        ]

    def _one(self, document: Any) -> dict[str, Any] | None:
        if not isinstance(document, dict) or not isinstance(document.get("method"), str):
            return _failure(None, RpcError(INVALID_REQUEST, "not a JSON-RPC request"))
        number = document.get("id")
        try:
            result = self.ask(document["method"], document.get("params") or [])
            answer = {"jsonrpc": "2.0", "id": number, "result": result}
        except RpcError as error:
            answer = _failure(number, error)
        return answer if "id" in document else None

    def ask(self, method: str, params: Any) -> Any:
        """Answer one method. Raises `RpcError`."""
        answer = self._methods.get(method)
        if answer is None:
            raise RpcError(NO_METHOD, f"the method {method[:64]} does not exist")
        if not isinstance(params, list):
            raise RpcError(INVALID_PARAMS, "params must be a list")
        try:
            return answer(*params)
        except SimdesError as error:
            raise _rpc_error(error) from error
        except (TypeError, ValueError, KeyError, OverflowError, AttributeError):
            raise RpcError(INVALID_PARAMS, f"invalid params for {method}") from None

    # --- methods ---------------------------------------------------------------------------

    def _header(self, tag: Any) -> Header | None:
        if tag in _HEAD_TAGS:
            return self._ledger.journal.header(self._ledger.head().number)
        return self._ledger.journal.header(0 if tag == "earliest" else _number(tag))

    def _block_by_number(self, tag: Any, full: bool = False) -> Any:
        return self._block(self._header(tag), full)

    def _block_by_hash(self, block_hash: Any, full: bool = False) -> Any:
        return self._block(self._ledger.journal.header_by_hash(_bytes(block_hash)), full)

    def _block(self, header: Header | None, full: bool) -> Any:
        if header is None:
            return None
        number = header.block.number
        return block_value(header, self._ledger.journal.entries(number, number), full=full)

    def _transaction(self, transaction_hash: Any) -> Any:
        entry = self._ledger.journal.entry(_bytes(transaction_hash))
        header = self._ledger.journal.header(entry.block_number) if entry else None
        return transaction_value(entry, header.block.hash) if entry and header else None

    def _receipt(self, transaction_hash: Any) -> Any:
        journal = self._ledger.journal
        entry = journal.entry(_bytes(transaction_hash))
        header = journal.header(entry.block_number) if entry else None
        if entry is None or header is None:
            return None
        before = 0
        if entry.position:
            block = journal.entries(entry.block_number, entry.block_number)
            before = sum(other.gas_used for other in block[: entry.position])
        return receipt_value(entry, header.block.hash, gas_before=before)

    def _transaction_count(self, address: Any, tag: Any = "latest") -> str:
        self._require_head(tag)
        return to_quantity(self._ledger.nonce(_bytes(address, 20)))

    def _code(self, address: Any, tag: Any = "latest") -> str:
        self._require_head(tag)
        return to_hex(self._ledger.code(_bytes(address, 20)))

    def _balance(self, address: Any, tag: Any = "latest") -> str:
        self._require_head(tag)
        return to_quantity(self._ledger.balance(_bytes(address, 20)))

    def _storage(self, address: Any, slot: Any, tag: Any = "latest") -> str:
        self._require_head(tag)
        return to_hex(self._ledger.storage(_bytes(address, 20), int(slot, 16)))

    def _call(self, request: Mapping[str, Any], tag: Any = "latest") -> str:
        self._require_head(tag)
        to, data, sender = _request(request)
        return to_hex(self._ledger.simulate(to, data, sender=sender))

    def _estimate(self, request: Mapping[str, Any], tag: Any = "latest") -> str:
        self._require_head(tag)
        to, data, sender = _request(request)
        return to_quantity(self._ledger.estimate(to, data, sender=sender or bytes(20)))

    def _logs(self, query: Mapping[str, Any]) -> list[Any]:
        journal = self._ledger.journal
        if "blockHash" in query:
            header = journal.header_by_hash(_bytes(query["blockHash"]))
            if header is None:
                raise RpcError(REFUSED, "unknown block")
            first = last = header.block.number
        else:
            ends = [self._header(query.get(end, "latest")) for end in ("fromBlock", "toBlock")]
            head = self._ledger.head().number
            first, last = (head if end is None else end.block.number for end in ends)
            if ends[0] is None:
                return []
        if first > last or last - first >= LOG_SPAN_BLOCKS:
            raise RpcError(INVALID_PARAMS, f"a range has 1 to {LOG_SPAN_BLOCKS} blocks")
        found = self._ledger.logs(
            first=first,
            last=last,
            addresses=[_bytes(address, 20) for address in _several(query.get("address"))],
            topics=[_topic(topic) for topic in query.get("topics") or ()],
        )
        positions = {entry.hash: entry.position for entry in journal.entries(first, last)}
        return [log_value(log, position=positions[log.transaction_hash]) for log in found]

    def _fee_history(self, count: Any, newest: Any, percentiles: Any = None) -> dict[str, Any]:
        header = self._header(newest)
        number = header.block.number if header else self._ledger.head().number
        size = max(1, min(_number(count), number + 1, 1024))
        history: dict[str, Any] = {
            "oldestBlock": to_quantity(number - size + 1),
            "baseFeePerGas": ["0x0"] * (size + 1),
            "gasUsedRatio": [0.0] * size,
        }
        if percentiles:
            history["reward"] = [["0x0"] * len(percentiles)] * size
        return history

    def _require_head(self, tag: Any) -> None:
        """Refuse questions about states that are not kept."""
        if isinstance(tag, Mapping):
            tag = tag.get("blockNumber")
        if tag in _HEAD_TAGS or _number(tag) == self._ledger.head().number:
            return
        raise RpcError(REFUSED, "state not available: the head's alone is kept")


def _read(body: bytes) -> Any:
    """Decode JSON that is not nested too deeply.

    The decoder relies on Python's recursion limit, which libraries raise (py_ecc, of web3.py),
    until it overflows the stack; so the depth is counted first.
    """
    depth = 0
    for token in _TOKEN.finditer(body):
        depth += {91: 1, 123: 1, 93: -1, 125: -1}.get(body[token.start()], 0)
        if depth > _DEPTH_LIMIT:
            raise msgspec.DecodeError("nested too deeply")
    return msgspec.json.decode(body)


def _failure(number: Any, error: RpcError) -> dict[str, Any]:
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data is not None:
        body["data"] = error.data
    return {"jsonrpc": "2.0", "id": number, "error": body}


def _rpc_error(error: SimdesError) -> RpcError:
    if isinstance(error, Reverted) and (error.data or not error.halted):
        return RpcError(CONTRACT_REVERTED, "execution reverted", to_hex(error.data))
    return RpcError(REFUSED, error.message)


def _raw_of(document: Any) -> bytes | None:
    """Return the transaction of a well-formed eth_sendRawTransaction, None for all else."""
    if not isinstance(document, dict) or document.get("method") != "eth_sendRawTransaction":
        return None
    params = document.get("params")
    if "id" not in document or not isinstance(params, list) or len(params) != 1:
        return None
    try:
        return _bytes(params[0])
    except ValueError:
        return None


def _bytes(text: Any, octets: int | None = None) -> bytes:
    if not isinstance(text, str) or not text.startswith("0x"):
        raise ValueError(text)
    data = bytes.fromhex(text[2:])
    if octets is not None and len(data) != octets:
        raise ValueError(text)
    return data


def _number(value: Any) -> int:
    number = int(value, 16) if isinstance(value, str) else int(value)
    if not 0 <= number < 1 << 62:
        raise ValueError(value)
    return number


def _request(request: Mapping[str, Any]) -> tuple[bytes | None, bytes, bytes | None]:
    data = _bytes(request.get("input") or request.get("data") or "0x")
    to, sender = request.get("to"), request.get("from")
    if _number(request.get("value") or "0x0"):
        raise RpcError(REFUSED, "insufficient funds: there is no money here")
    return (_bytes(to, 20) if to else None), data, (_bytes(sender, 20) if sender else None)


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _topic(value: Any) -> bytes | list[bytes] | None:
    if value is None:
        return None
    return [_bytes(v) for v in value] if isinstance(value, list) else _bytes(value)
