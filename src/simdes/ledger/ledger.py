"""What a ledger does, and the values that pass over it.

A ledger orders signed transactions and runs the contracts that are the policy (paper: "Blockchain
network"). There are two: `embedded` (revm in this process, journalled in SQLite) and `jsonrpc`
(any Ethereum node, https://ethereum.github.io/execution-apis/). One adapter suite runs on both, so
code above this floor never asks which one it has.

Hashes are 32 bytes, addresses 20 bytes, times unix seconds, fees wei. Everything is synchronous
and safe to call from several threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from simdes.errors import Conflict, Invalid, SimdesError, Unavailable

Address = bytes
"""20 bytes."""

Clock = Callable[[], float]
"""Seconds since the epoch, like `time.time`."""

LOG_SPAN_BLOCKS = 5_000
"""The widest block range that every node answers in one log query (Besu's default limit)."""


@dataclass(frozen=True, slots=True)
class Block:
    """The part of a block header that SIMDES relies on."""

    number: int
    hash: bytes
    parent: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class Log:
    """One event as a contract emitted it; unique by (transaction hash, index)."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: bytes
    transaction_hash: bytes
    index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction that stands in a block.

    `succeeded` is False when the contract reverted; then `revert` holds the revert data where the
    ledger kept it (the embedded one does) and is empty otherwise.
    """

    transaction_hash: bytes
    succeeded: bool
    block_number: int
    block_hash: bytes
    gas_used: int
    logs: tuple[Log, ...]
    contract_address: Address | None = None
    revert: bytes = b""


class Reverted(Conflict):
    """A contract refused. `data` is the revert data: a 4-byte selector and ABI-encoded arguments.

    `contracts.Contracts` translates the selectors of SIMDES's own contracts into the other errors
    of `simdes.errors`, so this class crosses no boundary above `simdes.ledger`.
    """

    def __init__(self, data: bytes, *, halted: str = "") -> None:
        """`halted` says why the machine stopped the call (out of gas, say), with no data."""
        super().__init__(f"the machine stopped: {halted}" if halted else "the contract refused")
        self.data = data
        self.halted = halted


class OtherChain(Unavailable):
    """A node answers, but for another chain than the one that was seen before.

    A class of its own for messages and tests; to callers it is as if no node answered, for the
    same question succeeds once the right one does.
    """

    default_advice = (
        "Somebody replaced the node or its data. Point ledger_url at nodes of this network, and ask"
        " its other members which chain is theirs."
    )


@runtime_checkable
class Ledger(Protocol):
    """A chain that is read at its head and written by signed transactions.

    Every verb raises `Unavailable` when the ledger does not answer in time.
    """

    def chain_id(self) -> int:
        """Return the EIP-155 chain id."""

    def head(self) -> Block:
        """Return the newest block."""

    def block(self, number: int) -> Block | None:
        """Return the block of that number, None where there is none yet. Block 0 is the genesis."""

    def final(self) -> bool:
        """Whether consensus makes a block final at once: it never becomes another one (QBFT)."""

    def base_fee(self) -> int | None:
        """Return the head's base fee in wei, None where the node knows no EIP-1559."""

    def gas_limit(self) -> int:
        """Return the gas of the newest block, which no transaction's may exceed."""

    def call(
        self, to: Address, data: bytes, *, sender: Address | None = None, block: int | None = None
    ) -> bytes:
        """Run a call on the state at `block` (the head when None) and keep none of its effects.

        Raises `Reverted` when the contract refuses, `Unavailable` when that state is gone.
        """

    def call_many(
        self, calls: Sequence[tuple[Address, bytes]], *, sender: Address | None = None
    ) -> list[bytes | SimdesError]:
        """Run several calls on the head at once; each gets its result or its own error."""

    def call_at_head(
        self, calls: Sequence[tuple[Address, bytes]]
    ) -> tuple[Block, list[bytes | SimdesError]]:
        """Return the head, and what calls return on it (or on one that came meanwhile)."""

    def estimate(self, to: Address | None, data: bytes, *, sender: Address) -> int:
        """Return a gas limit that is enough for this transaction now; `to` None deploys.

        Raises `Reverted` when the transaction would be refused: this is the simulation.
        """

    def send(self, raw: bytes) -> bytes:
        """Hand in a signed transaction and return its hash; sending it again is harmless.

        Raises `Invalid` (malformed, wrong chain, bad or high-s signature), `Conflict` (the nonce is
        taken by another transaction), `TooLarge` (gas beyond the block's limit). A returned hash
        means accepted, not executed: ask for the receipt.
        """

    def send_many(self, raws: Sequence[bytes]) -> list[bytes | SimdesError]:
        """Hand in several at once, in order; each gets its hash or its own error."""

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return the receipt, None while the transaction stands in no block."""

    def receipts(self, transaction_hashes: Sequence[bytes]) -> list[Receipt | None]:
        """Return several receipts in the order asked for."""

    def nonce(self, address: Address) -> int:
        """Return how many transactions of `address` stand in blocks (not those pending)."""

    def fate(self, address: Address, transaction_hash: bytes) -> tuple[int, Receipt | None]:
        """Return `nonce(address)`, and then the receipt, as one node sees them one after the other.

        So a nonce that is used up by a transaction without a receipt was taken by another one.
        """

    def logs(
        self,
        *,
        first: int,
        last: int,
        addresses: Sequence[Address],
        topics: Sequence[bytes | Sequence[bytes] | None] = (),
        end: Block | None = None,
    ) -> list[Log]:
        """Return the events of blocks `first`..`last` (both included) in chain order.

        `addresses` empty means every contract. `topics[i]` None matches anything, a sequence
        matches any of its members. Ranges of any width are asked in spans of `LOG_SPAN_BLOCKS`.
        With `end` the node that answers has that block, before and after: none of the range was
        unknown to it; of that block alone, events are those of the block with its hash. Raises
        `Unavailable` where no node has it.
        """

    def code(self, address: Address) -> bytes:
        """Return the contract's code, empty for a plain account."""

    def codes(self, addresses: Sequence[Address]) -> list[bytes]:
        """Return several contracts' code in the order asked for."""

    def storage(self, address: Address, slot: int) -> bytes:
        """Return the 32 bytes in one of the contract's storage slots."""

    def storages(self, places: Sequence[tuple[Address, int]]) -> list[bytes]:
        """Return several slots, each of a contract, in the order asked for."""

    def balance(self, address: Address) -> int:
        """Return the balance in wei."""

    def close(self) -> None:
        """Let go of files, connections and threads; what was accepted stays."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a chain before its node is asked for the first time.

    `genesis` is block 0's hash; `block` the newest block that was read, by number and hash.
    """

    genesis: bytes | None = None
    block: tuple[int, bytes] | None = None


NOTHING_KNOWN = Known()


def open_ledger(
    url: str, *, clock: Clock, known: Known = NOTHING_KNOWN, agreeing: int = 1
) -> Ledger:
    """Open the ledger that a URL names.

    ``embedded:PATH`` opens or creates the journal at PATH (query ``?chain=N`` sets the chain id of
    a new one; ``embedded::memory:`` keeps it in memory alone). Where another process holds PATH,
    the ledger returned talks to that process. ``http://…`` and ``https://…`` name a node; several
    of them, separated by spaces or commas, name nodes of one network, of which the first that is
    well is asked. `known` tells them from nodes of other chains; `agreeing` of them must say the
    same of the contracts' state.
    Raises `Invalid` for any other URL, `Unavailable` where the holder of PATH does not answer.
    """
    if url.startswith("embedded:"):
        from simdes.ledger.holding import open_embedded  # noqa: PLC0415 (revm stays behind here)

        return open_embedded(url.removeprefix("embedded:"), clock=clock)
    urls = url.replace(",", " ").split()
    if urls and all(one.startswith(("http://", "https://")) for one in urls):
        from simdes.ledger.jsonrpc import JsonRpcLedger  # noqa: PLC0415

        return JsonRpcLedger(urls, known=known, agreeing=agreeing)
    raise Invalid(
        "the ledger URL names no known kind of ledger",
        advice="Use embedded:PATH, or the http:// addresses of Ethereum nodes.",
    )
