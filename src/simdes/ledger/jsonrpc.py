"""The JSON-RPC ledger: any Ethereum node, and the embedded ledger of another process.

https://ethereum.github.io/execution-apis/ over HTTP, with one pooled client, time-outs, batches,
and log queries in ranges that every node answers. Written for Hyperledger Besu (QBFT) and anvil;
what they do differently is in `_refusal` and in the tests' scripted fakes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
import msgspec

from simdes.errors import Conflict, Invalid, SimdesError, TooLarge, Unavailable, Unsupported
from simdes.ledger.digests import keccak256
from simdes.ledger.ledger import LOG_SPAN_BLOCKS, Address, Block, Log, Receipt, Reverted
from simdes.ledger.quantities import from_hex, to_hex, to_quantity
from simdes.ledger.transactions import admit_transaction

BATCH = 100
"""Requests in one HTTP call; nodes limit this."""
_TIMEOUT = httpx.Timeout(10.0, connect=3.0)
_LIMITS = httpx.Limits(max_connections=32, max_keepalive_connections=8)
_KNOWN = ("already known", "known transaction", "already imported")
_HALTS = ("the machine stopped", "out of gas", "outofgas", "evm error", "invalid opcode")
CONTRACT_REVERTED = 3
_CODES: dict[object, type[SimdesError]] = {
    -32003: Invalid,
    -32602: Invalid,
    -32601: Unsupported,
}
_ENCODER = msgspec.json.Encoder()

# What nodes say, in lower case, and what it means. Codes alone don't tell: most are -32000.
_MEANINGS: tuple[tuple[str, type[SimdesError], str], ...] = (
    ("nonce too low", Conflict, "the nonce is taken by another transaction"),
    ("nonce too high", Conflict, "an earlier nonce is missing"),
    ("underpriced", Conflict, "another transaction with this nonce is waiting"),
    ("wrong chain", Invalid, "the transaction is for another chain id"),
    ("chain id", Invalid, "the transaction is for another chain id"),
    ("chainid", Invalid, "the transaction is for another chain id"),
    ("eip-155", Invalid, "the transaction is bound to no chain id"),
    ("intrinsic gas too high", TooLarge, "the gas limit is above the block's"),
    ("intrinsic gas", Invalid, "the gas limit doesn't cover the data"),
    ("exceeds block gas limit", TooLarge, "the gas limit is above the block's"),
    ("gas limit too high", TooLarge, "the gas limit is above the block's"),
    ("exceeds the block gas limit", TooLarge, "the gas limit is above the block's"),
    ("greater than the cap", TooLarge, "the gas limit is above the block's"),
    ("init code", TooLarge, "the deployment's code is too large"),
    ("initcode", TooLarge, "the deployment's code is too large"),
    ("insufficient funds", Invalid, "the account can't pay; send at zero price and value"),
    ("upfront cost", Invalid, "the account can't pay; send at zero price and value"),
    ("signature", Invalid, "the transaction's signature doesn't hold"),
    ("decod", Invalid, "the transaction is malformed"),
    ("rlp", Invalid, "the transaction is malformed"),
    ("state not available", Unavailable, "the node no longer has that state"),
    ("header not found", Unavailable, "the node doesn't have that block"),
    ("missing trie node", Unavailable, "the node no longer has that state"),
)


class JsonRpcLedger:
    """A `Ledger` over one node's HTTP address. Safe for threads."""

    def __init__(
        self,
        url: str,
        *,
        find: Callable[[], str | None] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Talk to the node at `url`; nothing is sent yet.

        `find` is asked for a new address when the node can't be reached; `transport` replaces the
        network in tests.
        """
        self._url = url
        self._find = find
        self._client = httpx.Client(timeout=_TIMEOUT, limits=_LIMITS, transport=transport)
        self._numbers = itertools.count(1)
        self._chain_id: int | None = None

    # --- Ledger: reading -------------------------------------------------------------------

    def chain_id(self) -> int:
        """Return the EIP-155 chain id."""
        if self._chain_id is None:
            self._chain_id = int(self.ask("eth_chainId"), 16)
        return self._chain_id

    def head(self) -> Block:
        """Return the newest block."""
        block = self.ask("eth_getBlockByNumber", "latest", False)
        if block is None:
            raise Unavailable("the ledger node has no block yet")
        return _block(block)

    def block(self, number: int) -> Block | None:
        """Return the block of that number, None where there is none yet."""
        block = self.ask("eth_getBlockByNumber", to_quantity(number), False)
        return None if block is None else _block(block)

    def base_fee(self) -> int | None:
        """Return the head's base fee in wei, None where the node knows no EIP-1559."""
        block = self.ask("eth_getBlockByNumber", "latest", False) or {}
        fee = block.get("baseFeePerGas")
        return None if fee is None else int(fee, 16)

    def call(
        self, to: Address, data: bytes, *, sender: Address | None = None, block: int | None = None
    ) -> bytes:
        """Run a call. See `Ledger.call`."""
        at = "latest" if block is None else to_quantity(block)
        answer = self.ask("eth_call", _request(to, data, sender), at)
        if answer is None:
            raise Unavailable("the node doesn't have the state of that block")
        return from_hex(answer)

    def call_many(
        self, calls: Sequence[tuple[Address, bytes]], *, sender: Address | None = None
    ) -> list[bytes | SimdesError]:
        """Run several calls on the head. See `Ledger.call_many`."""
        answers = self.ask_many(
            [("eth_call", (_request(to, data, sender), "latest")) for to, data in calls]
        )
        return [a if isinstance(a, SimdesError) else from_hex(a) for a in answers]

    def estimate(self, to: Address | None, data: bytes, *, sender: Address) -> int:
        """Return a sufficient gas limit. See `Ledger.estimate`."""
        return int(self.ask("eth_estimateGas", _request(to, data, sender)), 16)

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return the receipt, None while the transaction stands in no block."""
        return self.receipts([transaction_hash])[0]

    def receipts(self, transaction_hashes: Sequence[bytes]) -> list[Receipt | None]:
        """Return several receipts in the order asked for."""
        answers = self.ask_many(
            [("eth_getTransactionReceipt", (to_hex(h),)) for h in transaction_hashes]
        )
        return [None if answer is None else _receipt(answer) for answer in _good(answers)]

    def nonce(self, address: Address) -> int:
        """Return how many transactions of `address` stand in blocks."""
        return int(self.ask("eth_getTransactionCount", to_hex(address), "latest"), 16)

    def logs(
        self,
        *,
        first: int,
        last: int,
        addresses: Sequence[Address],
        topics: Sequence[bytes | Sequence[bytes] | None] = (),
    ) -> list[Log]:
        """Return events in chain order. See `Ledger.logs`."""
        last = min(last, int(self.ask("eth_blockNumber"), 16))
        questions = []
        for start in range(max(first, 0), last + 1, LOG_SPAN_BLOCKS):
            span: dict[str, Any] = {
                "fromBlock": to_quantity(start),
                "toBlock": to_quantity(min(start + LOG_SPAN_BLOCKS - 1, last)),
                "topics": [_topic(topic) for topic in topics],
            }
            if addresses:
                span["address"] = [to_hex(address) for address in addresses]
            questions.append(("eth_getLogs", (span,)))
        answers = _good(self.ask_many(questions))
        return [_log(entry) for answer in answers for entry in answer]

    def code(self, address: Address) -> bytes:
        """Return the contract's code, empty for a plain account."""
        return from_hex(self.ask("eth_getCode", to_hex(address), "latest"))

    def storage(self, address: Address, slot: int) -> bytes:
        """Return the 32 bytes in a storage slot."""
        value = self.ask("eth_getStorageAt", to_hex(address), to_quantity(slot), "latest")
        return from_hex(value).rjust(32, b"\0")

    def balance(self, address: Address) -> int:
        """Return the balance in wei."""
        return int(self.ask("eth_getBalance", to_hex(address), "latest"), 16)

    # --- Ledger: writing -------------------------------------------------------------------

    def send(self, raw: bytes) -> bytes:
        """Hand in a signed transaction. See `Ledger.send`."""
        [outcome] = self.send_many([raw])
        if isinstance(outcome, SimdesError):
            raise outcome
        return outcome

    def send_many(self, raws: Sequence[bytes]) -> list[bytes | SimdesError]:
        """Hand in several, in order. See `Ledger.send_many`."""
        outcomes = [self._admitted(raw) for raw in raws]
        fit = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, bytes)]
        answers = self.ask_many([("eth_sendRawTransaction", (to_hex(raws[i]),)) for i in fit])
        for i, answer in zip(fit, answers, strict=True):
            if isinstance(answer, SimdesError):
                outcomes[i] = self._sent(raws[i], answer)
        return outcomes

    def _admitted(self, raw: bytes) -> bytes | SimdesError:
        """Return the hash of a transaction that a block can take, what is wrong otherwise."""
        try:
            return admit_transaction(raw, chain_id=self.chain_id()).hash
        except Unavailable:
            raise
        except SimdesError as error:
            return error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _sent(self, raw: bytes, error: SimdesError) -> bytes | SimdesError:
        """Tell a transaction that the node has already from one that it refuses."""
        text = error.message.lower()
        if any(known in text for known in _KNOWN):
            return keccak256(raw)
        if isinstance(error, Conflict):
            try:
                if self.ask("eth_getTransactionByHash", to_hex(keccak256(raw))) is not None:
                    return keccak256(raw)
            except Unavailable as unreachable:
                return unreachable
        return error

    # --- the protocol ----------------------------------------------------------------------

    def ask(self, method: str, *params: object) -> Any:
        """Send one request and return its result; raises what an error answer means."""
        body = self._request_body(method, params)
        answer = self._post(body)
        if not isinstance(answer, dict) or answer.get("id") != body["id"]:
            raise Unavailable("the ledger node's answer is not JSON-RPC")
        return _result(answer)

    def ask_many(self, questions: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """Send many requests, `BATCH` at once; each gets its result or its own `SimdesError`."""
        results: list[Any] = []
        for start in range(0, len(questions), BATCH):
            bodies = [self._request_body(*q) for q in questions[start : start + BATCH]]
            answers = self._post(bodies if len(bodies) > 1 else bodies[0])
            answers = answers if isinstance(answers, list) else [answers]
            by_id = {a.get("id"): a for a in answers if isinstance(a, dict)}
            for body in bodies:
                results.append(_result_or_error(by_id.get(body["id"])))
        return results

    def _request_body(self, method: str, params: Sequence[object]) -> dict[str, Any]:
        number = next(self._numbers)
        return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}

    def _post(self, body: object) -> Any:
        content = _ENCODER.encode(body)
        try:
            response = self._exchange(content)
            return msgspec.json.decode(response.content)
        except httpx.HTTPError as error:
            raise Unavailable(
                f"the ledger node does not answer ({type(error).__name__})",
                advice="Check that the node runs and that its address is right.",
            ) from None
        except msgspec.DecodeError:
            raise Unavailable(
                f"the ledger node's answer is not JSON (HTTP {response.status_code})"
            ) from None

    def _exchange(self, content: bytes) -> httpx.Response:
        """Post, and once more when the connection broke: every request may be repeated."""
        headers = {"content-type": "application/json"}
        try:
            return self._client.post(self._url, content=content, headers=headers)
        except (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError):
            # The holder of an embedded ledger may have come back on another port.
            self._url = (self._find() if self._find is not None else None) or self._url
            return self._client.post(self._url, content=content, headers=headers)


def _request(to: Address | None, data: bytes, sender: Address | None) -> dict[str, str]:
    request = {"data": to_hex(data)}
    if to is not None:
        request["to"] = to_hex(to)
    if sender is not None:
        request["from"] = to_hex(sender)
    return request


def _topic(topic: bytes | Sequence[bytes] | None) -> object:
    if topic is None or isinstance(topic, bytes):
        return None if topic is None else to_hex(topic)
    return [to_hex(one) for one in topic]


def _block(answer: Mapping[str, Any]) -> Block:
    return Block(
        number=int(answer["number"], 16),
        hash=from_hex(answer["hash"]),
        parent=from_hex(answer["parentHash"]),
        timestamp=int(answer["timestamp"], 16),
    )


def _log(answer: Mapping[str, Any]) -> Log:
    return Log(
        address=from_hex(answer["address"]),
        topics=tuple(from_hex(topic) for topic in answer["topics"]),
        data=from_hex(answer["data"]),
        block_number=int(answer["blockNumber"], 16),
        block_hash=from_hex(answer["blockHash"]),
        transaction_hash=from_hex(answer["transactionHash"]),
        index=int(answer["logIndex"], 16),
    )


def _receipt(answer: Mapping[str, Any]) -> Receipt:
    contract = answer.get("contractAddress")
    return Receipt(
        transaction_hash=from_hex(answer["transactionHash"]),
        succeeded=int(answer["status"], 16) == 1,
        block_number=int(answer["blockNumber"], 16),
        block_hash=from_hex(answer["blockHash"]),
        gas_used=int(answer["gasUsed"], 16),
        logs=tuple(_log(entry) for entry in answer["logs"]),
        contract_address=None if contract is None else from_hex(contract),
        revert=from_hex(answer.get("revertReason") or "0x"),
    )


def _good(answers: Sequence[Any]) -> Sequence[Any]:
    """Return the answers if none is an error; raise the first one otherwise."""
    for answer in answers:
        if isinstance(answer, SimdesError):
            raise answer
    return answers


def _result(answer: Mapping[str, Any]) -> Any:
    result = _result_or_error(answer)
    if isinstance(result, SimdesError):
        raise result
    return result


def _result_or_error(answer: Mapping[str, Any] | None) -> Any:
    if answer is None:
        return Unavailable("the ledger node left a request of a batch unanswered")
    error = answer.get("error")
    return answer.get("result") if error is None else _refusal(error)


def _refusal(error: Any) -> SimdesError:
    """Translate a node's error. Codes and texts as seen from anvil, Besu and geth."""
    if not isinstance(error, Mapping):
        return Unavailable("the ledger node's error is not JSON-RPC")
    code, text = error.get("code"), str(error.get("message", ""))[:200]
    lowered = text.lower()
    if code == CONTRACT_REVERTED or "revert" in lowered:
        return Reverted(_revert_data(error.get("data")))
    if any(halt in lowered for halt in _HALTS):
        return Reverted(b"", halted=text)
    if any(known in lowered for known in _KNOWN):
        return Conflict(text)
    for fragment, kind, meaning in _MEANINGS:
        if fragment in lowered:
            return kind(f"the ledger node refused: {meaning}")
    kind = _CODES.get(code, Unavailable)
    return kind(f"the ledger node refused the request ({code}: {text})")


def _revert_data(data: Any) -> bytes:
    """Read revert data, which some nodes wrap in an object."""
    if isinstance(data, Mapping):
        data = data.get("data") or data.get("result")
    try:
        return from_hex(data) if isinstance(data, str) else b""
    except Unavailable:
        return b""
