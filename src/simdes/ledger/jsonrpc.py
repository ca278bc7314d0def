"""The JSON-RPC ledger: any Ethereum node, several of them, and another process's embedded ledger.

https://ethereum.github.io/execution-apis/ over HTTP. Written for Hyperledger Besu (QBFT), anvil
and geth; how they differ, what is done about it and which test shows it is in docs/ledger.md.
`nodes` chooses whom to ask, `talk` asks and checks that the answer is of this chain, `sightings`
remembers the chain, `node_errors` and `node_values` read what comes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import httpx

from simdes.errors import Conflict, SimdesError, TooLarge, Unavailable
from simdes.ledger.agreement import agreed
from simdes.ledger.digests import keccak256
from simdes.ledger.ledger import NOTHING_KNOWN, Address, Block, Known, Log, Receipt
from simdes.ledger.node_errors import is_known
from simdes.ledger.node_values import (
    call_value,
    read_block,
    read_number,
    read_receipt,
    topic_value,
)
from simdes.ledger.nodes import Node, NodeFailed, Nodes
from simdes.ledger.quantities import from_hex, to_hex, to_quantity
from simdes.ledger.questions import (
    code_of,
    good,
    nonce_of,
    read_events,
    read_events_of,
    receipt_of,
    require_block,
    run_calls,
    run_with_head,
    slot_of,
)
from simdes.ledger.sightings import Question, Sightings
from simdes.ledger.talk import Talk
from simdes.ledger.transactions import MAX_INIT_CODE_OCTETS, admit_transaction

CALL_GAS = 50_000_000
"""A read's, where blocks have as much: nodes' own limits differ from none to the block's."""
LAG_BLOCKS = 5
"""A node so far behind another one is not asked."""
_COMPARE_SECONDS = 5.0
_GLANCE_SECONDS = 2.0
"""For questions to other nodes than the one that answers."""
_REMEMBERED = 4_096

T = TypeVar("T")


class JsonRpcLedger:
    """A `Ledger` over the HTTP addresses of one network's nodes. Safe for threads."""

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        known: Known = NOTHING_KNOWN,
        agreeing: int = 1,
        find: Callable[[], str | None] | None = None,
        transport: httpx.BaseTransport | None = None,
        watch: bool = True,
    ) -> None:
        """Talk to the nodes at `urls`, the preferred one first; nothing is sent yet.

        `find` is asked for a new address when a node can't be reached; `transport` replaces the
        network in tests. Without `watch` nobody checks that the node stays on one chain: the holder
        of a journal is known by its file.
        """
        places = [urls] if isinstance(urls, str) else list(urls)
        self.nodes = Nodes(places, find=find, transport=transport)
        self._sightings = Sightings(known) if watch else None
        self._agreeing = agreeing
        self._lock = threading.Lock()
        self._chain_id: int | None = None
        self._sent: OrderedDict[bytes, None] = OrderedDict()
        self._compared_at = float("-inf")

    # --- Ledger: reading -------------------------------------------------------------------

    def chain_id(self) -> int:
        """Return the EIP-155 chain id."""
        if self._chain_id is None:
            self._chain_id = read_number(self.ask("eth_chainId"))
        return self._chain_id

    def head(self) -> Block:
        """Return the newest block."""
        return read_block(self._header("latest"))

    def block(self, number: int) -> Block | None:
        """Return the block of that number, None where there is none yet."""
        block = self.ask("eth_getBlockByNumber", to_quantity(number), False)
        return None if block is None else read_block(block)

    def final(self) -> bool:
        """Whether a block never becomes another one, as the consensus says. See `Ledger.final`."""
        seen = self._sightings
        if seen is None:
            return False
        if seen.head is None:
            self.head()
        return seen.final

    def base_fee(self) -> int | None:
        """Return the head's base fee in wei, None where the node knows no EIP-1559."""
        fee = self._header("latest").get("baseFeePerGas")
        return None if fee is None else read_number(fee)

    def gas_limit(self) -> int:
        """Return the gas of the newest block, as it was seen last."""
        seen = self._sightings
        limit = seen.gas_limit if seen is not None else None
        return limit or read_number(self._header("latest").get("gasLimit"))

    def call(
        self, to: Address, data: bytes, *, sender: Address | None = None, block: int | None = None
    ) -> bytes:
        """Run a call. See `Ledger.call`."""
        if block is None:
            [answer] = self.call_many([(to, data)], sender=sender)
        else:
            values = [self._call_value(to, data, sender)]
            at = to_quantity(block)
            [answer] = self._run(lambda talk: run_calls(talk, "eth_call", values, at))
        if isinstance(answer, SimdesError):
            raise answer
        return answer

    def call_many(
        self, calls: Sequence[tuple[Address, bytes]], *, sender: Address | None = None
    ) -> list[bytes | SimdesError]:
        """Run several calls on the head. See `Ledger.call_many`."""
        values = [self._call_value(to, data, sender) for to, data in calls]
        return self._at_head(values) if values else []

    def call_at_head(
        self, calls: Sequence[tuple[Address, bytes]]
    ) -> tuple[Block, list[bytes | SimdesError]]:
        """Return the head, and what calls return on it. See `Ledger.call_at_head`."""
        values = [self._call_value(to, data, None) for to, data in calls]
        if self._agreeing > 1:
            return self.head(), self._at_head(values)
        head, answers = self._run(lambda talk: run_with_head(talk, values))
        return read_block(head), answers

    def _at_head(self, values: Sequence[dict[str, str]]) -> list[bytes | SimdesError]:
        if self._agreeing == 1:
            return self._run(lambda talk: run_calls(talk, "eth_call", values, "latest"))
        return agreed(
            self.nodes,
            self._agreeing,
            talk=self._talk,
            ask=lambda talk, at: run_calls(talk, "eth_call", values, at),
        )

    def _call_value(self, to: Address, data: bytes, sender: Address | None) -> dict[str, str]:
        value = call_value(to, data, sender)
        limit = self._sightings.gas_limit if self._sightings is not None else None
        if limit is not None:
            value["gas"] = to_quantity(min(CALL_GAS, limit))
        return value

    def estimate(self, to: Address | None, data: bytes, *, sender: Address) -> int:
        """Return a sufficient gas limit. See `Ledger.estimate`."""
        if to is None and len(data) > MAX_INIT_CODE_OCTETS:
            # Besu's "internal error" doesn't say so.
            raise TooLarge(f"the deployment is larger than {MAX_INIT_CODE_OCTETS} bytes (EIP-3860)")
        values = [call_value(to, data, sender)]
        [answer] = self._run(lambda talk: run_calls(talk, "eth_estimateGas", values, None))
        if isinstance(answer, SimdesError):
            raise answer
        return int.from_bytes(answer, "big")

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return the receipt, None while the transaction stands in no block."""
        return self.receipts([transaction_hash])[0]

    def receipts(self, transaction_hashes: Sequence[bytes]) -> list[Receipt | None]:
        """Return several receipts in the order asked for."""
        answers = self.ask_many([receipt_of(one) for one in transaction_hashes])
        return [None if answer is None else read_receipt(answer) for answer in good(answers)]

    def nonce(self, address: Address) -> int:
        """Return how many transactions of `address` stand in blocks."""
        method, params = nonce_of(address)
        return read_number(self.ask(method, *params))

    def fate(self, address: Address, transaction_hash: bytes) -> tuple[int, Receipt | None]:
        """Return the nonce, then the receipt, by one node. See `Ledger.fate`."""

        def look(talk: Talk) -> tuple[int, Receipt | None]:
            method, params = nonce_of(address)
            nonce = read_number(talk.ask(method, *params))
            method, params = receipt_of(transaction_hash)
            receipt = talk.ask(method, *params)
            return nonce, None if receipt is None else read_receipt(receipt)

        return self._run(look)

    def logs(
        self,
        *,
        first: int,
        last: int,
        addresses: Sequence[Address],
        topics: Sequence[bytes | Sequence[bytes] | None] = (),
        end: Block | None = None,
    ) -> list[Log]:
        """Return events in chain order. See `Ledger.logs`."""
        wanted: dict[str, Any] = {"topics": [topic_value(topic) for topic in topics]}
        if addresses:
            wanted["address"] = [to_hex(address) for address in addresses]

        def look(talk: Talk) -> list[Log]:
            require_block(talk, end)
            if end is not None and first == last == end.number:
                return read_events_of(talk, wanted, end)  # its hash says which block it is
            top = last
            if end is None:  # beyond the head nodes answer differently
                top = min(last, read_number(talk.ask("eth_blockNumber")))
            found = read_events(talk, wanted, max(first, 0), top)
            require_block(talk, end)
            return found

        return self._run(look)

    def code(self, address: Address) -> bytes:
        """Return the contract's code, empty for a plain account."""
        return self.codes([address])[0]

    def codes(self, addresses: Sequence[Address]) -> list[bytes]:
        """Return several contracts' code."""
        answers = self.ask_many([code_of(address) for address in addresses])
        return [from_hex(answer) for answer in good(answers)]

    def storage(self, address: Address, slot: int) -> bytes:
        """Return the 32 bytes in a storage slot."""
        return self.storages([(address, slot)])[0]

    def storages(self, places: Sequence[tuple[Address, int]]) -> list[bytes]:
        """Return several storage slots."""
        answers = self.ask_many([slot_of(address, slot) for address, slot in places])
        return [from_hex(answer).rjust(32, b"\0") for answer in good(answers)]

    def balance(self, address: Address) -> int:
        """Return the balance in wei."""
        return read_number(self.ask("eth_getBalance", to_hex(address), "latest"))

    # --- Ledger: writing -------------------------------------------------------------------

    def send(self, raw: bytes) -> bytes:
        """Hand in a signed transaction. See `Ledger.send`."""
        [outcome] = self.send_many([raw])
        if isinstance(outcome, SimdesError):
            raise outcome
        return outcome

    def send_many(self, raws: Sequence[bytes]) -> list[bytes | SimdesError]:
        """Hand in several, in order. See `Ledger.send_many`.

        What is handed in again goes to every node: the one that has it may hold it back (Besu was
        seen keeping transactions behind reverted ones of the same sender).
        """
        outcomes = [self._admitted(raw) for raw in raws]
        fit = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, bytes)]
        questions: list[Question] = [("eth_sendRawTransaction", (to_hex(raws[i]),)) for i in fit]
        if not fit:
            return outcomes
        asked: list[Node] = []

        def hand_in(talk: Talk) -> list[Any]:
            asked.append(talk.node)
            return talk.send_many(questions)

        for i, answer in zip(fit, self._run(hand_in), strict=True):
            if isinstance(answer, SimdesError):
                outcomes[i] = self._sent_outcome(raws[i], answer)
        again = [q for i, q in zip(fit, questions, strict=True) if self._was_sent(raws[i])]
        if again:
            self._spread(asked[-1], again)
        return outcomes

    def _admitted(self, raw: bytes) -> bytes | SimdesError:
        """Return the hash of a transaction that a block can take, what is wrong otherwise."""
        try:
            return admit_transaction(raw, chain_id=self.chain_id()).hash
        except Unavailable:
            raise
        except SimdesError as error:
            return error

    def _was_sent(self, raw: bytes) -> bool:
        """Whether it is sent not for the first time; remember it."""
        transaction_hash = keccak256(raw)
        with self._lock:
            before = transaction_hash in self._sent
            self._sent[transaction_hash] = None
            if len(self._sent) > _REMEMBERED:
                self._sent.popitem(last=False)
        return before

    def _spread(self, node: Node, questions: Sequence[Question]) -> None:
        """Hand transactions to the other nodes too, whatever they say of them."""
        deadline = self.nodes.monotonic() + _GLANCE_SECONDS
        for other in self.nodes.others(node):
            try:
                self._talk(other, deadline).send_many(questions)
            except NodeFailed as failure:
                self.nodes.rest(other, failure)

    def _sent_outcome(self, raw: bytes, error: SimdesError) -> bytes | SimdesError:
        """Tell a transaction that the node has already from one that it refuses."""
        if is_known(error):
            return keccak256(raw)
        if isinstance(error, Conflict):
            try:
                if self.ask("eth_getTransactionByHash", to_hex(keccak256(raw))) is not None:
                    return keccak256(raw)
            except Unavailable as unreachable:
                return unreachable
        return error

    def close(self) -> None:
        """Close the connections."""
        self.nodes.close()

    # --- the nodes -------------------------------------------------------------------------

    def ask(self, method: str, *params: object) -> Any:
        """Send one request and return its result; raises what an error answer means."""
        return self._run(lambda talk: talk.ask(method, *params))

    def ask_many(self, questions: Sequence[Question]) -> list[Any]:
        """Send many requests; each gets its result or its own `SimdesError`."""
        return self._run(lambda talk: talk.ask_many(questions)) if questions else []

    def _header(self, tag: str) -> dict[str, Any]:
        header = self.ask("eth_getBlockByNumber", tag, False)
        if not isinstance(header, dict):
            raise Unavailable("the ledger node has no block yet")
        return header

    def _run(self, work: Callable[[Talk], T]) -> T:
        self._compare_heads()
        return self.nodes.run(lambda node, deadline: work(self._talk(node, deadline)))

    def _talk(self, node: Node, deadline: float) -> Talk:
        return Talk(self.nodes, node, deadline, self._sightings)

    def _compare_heads(self) -> None:
        """Let nodes rest that are far behind another one: cut off, halted, still loading."""
        now = self.nodes.monotonic()
        if len(self.nodes.all) == 1:
            return
        with self._lock:
            if now - self._compared_at < _COMPARE_SECONDS:
                return
            self._compared_at = now
        heads: dict[Node, int] = {}
        for node in self.nodes.all:
            if node.rests_until > now:
                continue
            until = self.nodes.monotonic() + _GLANCE_SECONDS
            try:
                heads[node] = _head_of(self._talk(node, until), Talk(self.nodes, node, until))
            except NodeFailed as failure:
                self.nodes.rest(node, failure)
            except SimdesError:
                continue
        for node, number in heads.items():
            lag = max(heads.values()) - number
            if lag > LAG_BLOCKS:
                self.nodes.rest(node, NodeFailed(f"it is {lag} blocks behind another node"))


def _head_of(checked: Talk, unchecked: Talk) -> int:
    """The newest block of a node of this chain; one that is behind says how far it is."""
    try:
        return read_number(checked.ask("eth_blockNumber"))
    except NodeFailed as failure:
        if not failure.behind:
            raise
        return read_number(unchecked.ask("eth_blockNumber"))
