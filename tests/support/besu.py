"""A scripted Hyperledger Besu network: what QBFT nodes were seen to do where anvil differs.

Observed on four Besu 26.8 validators with zero base fee, 1 s blocks, and read in Besu's sources
(`RpcErrorType`, `EthCall`). Only what is asked of it is here; the same calls run on real nodes in
``tests/adapters``. Blocks come when a test calls `mine`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from simdes.errors import SimdesError
from simdes.ledger.digests import keccak256
from simdes.ledger.jsonrpc import JsonRpcLedger
from simdes.ledger.ledger import Known
from simdes.ledger.transactions import (
    MAX_INIT_CODE_OCTETS,
    Transaction,
    intrinsic_gas,
    read_transaction,
)

CHAIN_ID = 1_337
QBFT_MIX = "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365"
GAS_LIMIT = 30_000_000
LOG_RANGE = 5_000
WEDGE = 64
REVERTING = b"\xee" * 20
"""A contract that refuses in the block what its simulation took."""
REFUSING = b"\xdd" * 20
"""A contract that refuses with a bare custom error."""
ENDLESS = b"\xcc" * 20
REASON = bytes.fromhex("63a2a81f")


class Refused(Exception):
    """An error answer."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.body = {"code": code, "message": message, **({"data": data} if data else {})}


INVALID_PARAMS = (-32602, "Invalid params")
INTERNAL_ERROR = (-32603, "Internal error")


@dataclass(slots=True)
class Network:
    """One chain. `history` makes another one's blocks differ; `final` False is a chain like
    anvil's. `halted`: too few validators are left."""

    history: str = "ours"
    genesis: str = "genesis"
    final: bool = True
    halted: bool = False
    blocks: list[dict[str, Any]] = field(default_factory=list)
    mined: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    nonces: defaultdict[bytes, int] = field(default_factory=lambda: defaultdict(int))
    nodes: list[Besu] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)
    fee_wei: int | None = 0

    def __post_init__(self) -> None:
        if not self.blocks:
            self._append([])

    @property
    def head(self) -> int:
        """The newest block's number."""
        return len(self.blocks) - 1

    def _append(self, transactions: list[str]) -> dict[str, Any]:
        number = len(self.blocks)
        name = f"{self.history if number else self.genesis} {number}"
        parent = self.blocks[-1]["hash"] if self.blocks else "0x" + "00" * 32
        block = {
            "number": hex(number),
            "hash": "0x" + keccak256(name.encode() + parent.encode()).hex(),
            "parentHash": parent,
            "timestamp": hex(1_800_000_000 + number),
            "gasLimit": hex(GAS_LIMIT),
            "mixHash": QBFT_MIX if self.final else "0x" + "00" * 32,
            "extraData": "0x" + "f8" * 400,
            "transactions": transactions,
        }
        if self.fee_wei is not None:
            block["baseFeePerGas"] = hex(self.fee_wei)
        self.blocks.append(block)
        return block

    def mine(self, blocks: int = 1) -> None:
        """Let validators make blocks of what waits in any pool."""
        for _ in range(0 if self.halted else blocks):
            taken = [t for node in self.nodes for t in node.ready()]
            once = {transaction.hash: transaction for transaction in taken}
            block = self._append(["0x" + one.hex() for one in once])
            for transaction in once.values():
                self._include(transaction, block)
            for node in self.nodes:
                node.forget_mined()

    def _include(self, transaction: Transaction, block: dict[str, Any]) -> None:
        reverted = transaction.to == REVERTING
        digest = "0x" + transaction.hash.hex()
        log = {
            "address": "0x" + (transaction.to or bytes(20)).hex(),
            "topics": ["0x" + "aa" * 32],
            "data": "0x" + transaction.data.hex(),
            "blockNumber": block["number"],
            "blockHash": block["hash"],
            "transactionHash": digest,
            "logIndex": hex(sum(one["blockNumber"] == block["number"] for one in self.logs)),
        }
        if not reverted:
            self.logs.append(log)
        self.mined[transaction.hash] = {
            "transactionHash": digest,
            "status": "0x0" if reverted else "0x1",
            "blockNumber": block["number"],
            "blockHash": block["hash"],
            "gasUsed": "0x5208",
            "logs": [] if reverted else [log],
            "contractAddress": None,
        }
        self.nonces[transaction.sender] = transaction.nonce + 1

    def reorganise(self, depth: int, history: str) -> None:
        """Replace the newest blocks by as many others, without their transactions."""
        gone = {block["hash"] for block in self.blocks[-depth:]}
        self.blocks = self.blocks[:-depth]
        self.mined = {k: v for k, v in self.mined.items() if v["blockHash"] not in gone}
        self.logs = [log for log in self.logs if log["blockHash"] not in gone]
        self.nonces.clear()
        for receipt in self.mined.values():
            sender = self.senders[bytes.fromhex(receipt["transactionHash"][2:])]
            self.nonces[sender] += 1
        self.history = history
        for _ in range(depth):
            self._append([])

    @property
    def senders(self) -> dict[bytes, bytes]:
        """Who signed what any node was handed."""
        return {t.hash: t.sender for node in self.nodes for t in node.handed}


class Besu:
    """One node of a network: its pool, how far it is, and what is wrong with it."""

    def __init__(self, network: Network) -> None:
        self.network = network
        network.nodes.append(self)
        self.pool: defaultdict[bytes, dict[int, Transaction]] = defaultdict(dict)
        self.handed: list[Transaction] = []
        self.asked: list[tuple[str, list[Any]]] = []
        self.behind = 0
        self.lies: Callable[[str, list[Any]], Any] | None = None
        self.down: type[httpx.TransportError] | None = None
        self.holds_back_after_revert = False
        self.batch_limit = 1_024
        self.wedged: set[bytes] = set()
        self._methods: dict[str, Callable[..., Any]] = {
            "eth_chainId": lambda: hex(CHAIN_ID),
            "eth_accounts": list,
            "eth_blockNumber": lambda: hex(self.head),
            "eth_getBlockByNumber": self._block,
            "eth_getTransactionCount": self._count,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getTransactionByHash": self._transaction,
            "eth_sendRawTransaction": self._send,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_getLogs": self._logs,
        }

    @property
    def head(self) -> int:
        """The newest block that this node has."""
        return self.network.head - self.behind

    # --- the pool --------------------------------------------------------------------------

    def ready(self) -> list[Transaction]:
        """What validators can take from this node's pool now."""
        found = []
        for sender, waiting in self.pool.items():
            nonce = self.network.nonces[sender]
            if len(waiting) > WEDGE and nonce not in waiting:
                self.wedged.add(sender)  # many behind a gap: filling it does not help any more
            if sender in self.wedged or self._held_back(sender):
                continue
            while nonce in waiting and self._payable(waiting[nonce]):
                found.append(waiting[nonce])
                nonce += 1
        return found

    def _held_back(self, sender: bytes) -> bool:
        """Whether a reverted transaction of the sender holds up what came after it."""
        if not self.holds_back_after_revert:
            return False
        return any(
            receipt["status"] == "0x0" and self.network.senders.get(digest) == sender
            for digest, receipt in self.network.mined.items()
        )

    @staticmethod
    def _payable(transaction: Transaction) -> bool:
        """Nobody has money: what offers some waits for ever."""
        return not transaction.max_fee_wei and not transaction.value_wei

    def forget_mined(self) -> None:
        """Drop from the pool what stands in a block, or can't any more."""
        for sender, waiting in self.pool.items():
            for nonce in [n for n in waiting if n < self.network.nonces[sender]]:
                del waiting[nonce]

    def lose_pool(self) -> None:
        """The node was restarted."""
        self.pool.clear()
        self.wedged.clear()

    # --- methods ---------------------------------------------------------------------------

    def answer(self, method: str, params: list[Any]) -> Any:
        """Answer one request. Raises `Refused`."""
        self.asked.append((method, params))
        if self.lies is not None and (lie := self.lies(method, params)) is not None:
            return lie
        if method == "eth_sendTransaction":
            raise Refused(
                -32604,
                "The method eth_sendTransaction is not supported. Use eth_sendRawTransaction to "
                "send a signed transaction to Besu.",
            )
        if method not in self._methods:
            raise Refused(-32601, "Method not found")
        return self._methods[method](*params)

    def _number(self, tag: str) -> int:
        if tag in ("safe", "finalized"):
            raise Refused(-39001, "Unknown block")
        return self.head if tag in ("latest", "pending") else int(tag, 16)

    def _block(self, tag: str, full: bool) -> Any:
        number = self._number(tag)
        return self.network.blocks[number] if number <= self.head else None

    def _count(self, address: str, tag: str) -> str:
        sender = bytes.fromhex(address[2:])
        mined = sum(
            self.network.senders.get(digest) == sender
            and int(receipt["blockNumber"], 16) <= self.head
            for digest, receipt in self.network.mined.items()
        )
        if tag == "pending":  # the sequenced pool jumps over gaps
            return hex(max([mined, *(nonce + 1 for nonce in self.pool[sender])]))
        return hex(mined)

    def _receipt(self, digest: str) -> Any:
        found = self.network.mined.get(bytes.fromhex(digest[2:]))
        return found if found and int(found["blockNumber"], 16) <= self.head else None

    def _transaction(self, digest: str) -> Any:
        wanted = bytes.fromhex(digest[2:])
        waiting = {t.hash for pool in self.pool.values() for t in pool.values()}
        return {"hash": digest} if wanted in waiting or wanted in self.network.mined else None

    def _send(self, raw: str) -> str:
        data = bytes.fromhex(raw[2:])
        try:
            transaction = read_transaction(data)
        except SimdesError as error:
            large = "49152" in error.message
            raise Refused(*(INTERNAL_ERROR if large else INVALID_PARAMS)) from None
        if transaction.chain_id != CHAIN_ID:
            raise Refused(-32000, "Wrong chainId")
        if transaction.gas < intrinsic_gas(transaction):
            raise Refused(-32003, "Intrinsic gas exceeds gas limit")
        if transaction.gas > GAS_LIMIT:
            raise Refused(-32005, "Transaction gas limit exceeds block gas limit")
        waiting = self.pool[transaction.sender]
        same = waiting.get(transaction.nonce)
        if transaction.hash in self.network.mined or (same and same.hash == transaction.hash):
            raise Refused(-32000, "Known transaction")
        if transaction.nonce < self.network.nonces[transaction.sender]:
            raise Refused(-32001, "Nonce too low")
        waiting[transaction.nonce] = transaction  # whatever had this nonce is gone, unsaid
        self.handed.append(transaction)
        return "0x" + transaction.hash.hex()

    def _call(self, request: dict[str, str], tag: str) -> Any:
        if self._number(tag) > self.head:
            return None
        return self._run(request) or "0x" + self._number(tag).to_bytes(32, "big").hex()

    def _run(self, request: dict[str, str]) -> str | None:
        to = bytes.fromhex(request.get("to", "0x")[2:])
        if to == REFUSING:
            raise Refused(3, "Execution reverted", "0x" + REASON.hex())
        if to == ENDLESS:
            raise Refused(*INTERNAL_ERROR)
        code = request["data"]
        if not to and len(code) > 2 * MAX_INIT_CODE_OCTETS + 2:
            raise Refused(*INTERNAL_ERROR)
        return None

    def _estimate(self, request: dict[str, str]) -> str:
        self._run(request)
        return hex(60_000)

    def _logs(self, query: dict[str, Any]) -> list[Any]:
        if "blockHash" in query:  # one that it does not have is one without events to Besu
            numbers = [n for n, one in enumerate(self.network.blocks)
                       if one["hash"] == query["blockHash"] and n <= self.head]  # fmt: skip
            if not numbers:
                return []
            first = last = numbers[0]
        else:
            first, last = self._number(query["fromBlock"]), self._number(query["toBlock"])
        if first > last or last - first > LOG_RANGE:
            raise Refused(*INVALID_PARAMS)
        return [
            log
            for log in self.network.logs
            if first <= int(log["blockNumber"], 16) <= min(last, self.head)
            and log["address"] in query.get("address", [log["address"]])
        ]

    def reply(self, request: httpx.Request) -> httpx.Response:
        """Answer over HTTP; answers of a batch come in any order."""
        if self.down is not None:
            raise self.down("scripted", request=request)
        body = json.loads(request.content)
        if not isinstance(body, list):
            return httpx.Response(200, json=self._one(body))
        if len(body) > self.batch_limit:
            error = {"code": -32005, "message": "Number of requests exceeds max batch size"}
            return httpx.Response(200, json={"jsonrpc": "2.0", "id": None, "error": error})
        return httpx.Response(200, json=[self._one(one) for one in body][::-1])

    def _one(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = {"jsonrpc": "2.0", "id": body["id"]}
        try:
            return answer | {"result": self.answer(body["method"], body["params"])}
        except Refused as refused:
            return answer | {"error": refused.body}


def ledger_of(
    *nodes: Besu, known: Known | None = None, agreeing: int = 1, clock: Any = None
) -> JsonRpcLedger:
    """A ledger whose nodes are these, the first one preferred, `node0.example` and so on."""

    def reply(request: httpx.Request) -> httpx.Response:
        return nodes[int(request.url.host[4:5])].reply(request)

    ledger = JsonRpcLedger(
        [f"http://node{number}.example" for number in range(len(nodes))],
        known=known or Known(),
        agreeing=agreeing,
        transport=httpx.MockTransport(reply),
    )
    if clock is not None:
        ledger.nodes.monotonic = clock
    return ledger


class Ticking:
    """A monotonic clock that goes on only while somebody sleeps."""

    def __init__(self, during: Callable[[], object] = lambda: None) -> None:
        self.now = 1_000.0
        self.during = during

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass, and what happens meanwhile."""
        self.now += seconds
        self.during()
