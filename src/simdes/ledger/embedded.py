"""The embedded ledger: one chain inside this process, with the same contracts as a real network.

revm runs the transactions (`machine`), SQLite keeps them (`journal`); this module is the rules in
between: signatures, nonces, chain id, gas limits, blocks and their order. It has no validators:
whoever holds the file is trusted by whoever uses it, which fits one organisation, a demo or a
test. See docs/decisions/0002-embedded-ledger.md.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence

from simdes.errors import SimdesError, TooLarge, Unavailable
from simdes.ledger.chain import BLOCK_GAS_LIMIT, FOLD_TRANSACTIONS, Chain, Waiting
from simdes.ledger.journal import Journal
from simdes.ledger.ledger import (
    LOG_SPAN_BLOCKS,
    Address,
    Block,
    Clock,
    Log,
    Receipt,
    Reverted,
)
from simdes.ledger.machine import Outcome
from simdes.ledger.transactions import admit_transaction

# revm's slots stay warm between folds, so the true cost is above what a simulation shows.
_ESTIMATE_MARGIN_GAS = 500_000


class EmbeddedLedger:
    """A `Ledger` over one journal. Safe for threads; concurrent sends share one durable commit."""

    def __init__(
        self, journal: Journal, *, clock: Clock, fold_transactions: int = FOLD_TRANSACTIONS
    ) -> None:
        """Bring the state up to the journal's head.

        Raises `Tampered` when the journal does not replay to what it says.
        """
        self._journal = journal
        self._chain = Chain(journal, clock, fold_transactions=fold_transactions)
        self._lock = threading.RLock()
        self._queue: list[Waiting] = []
        self._queue_lock = threading.Lock()
        self._pid = os.getpid()
        self._closed = False

    # --- Ledger: reading -------------------------------------------------------------------

    def chain_id(self) -> int:
        """Return the EIP-155 chain id."""
        return self._journal.chain_id

    def head(self) -> Block:
        """Return the newest block, at most `EMPTY_BLOCK_SECONDS` old."""
        with self._open():
            self._chain.beat()
            return self._chain.head.block

    def block(self, number: int) -> Block | None:
        """Return the block of that number, None where there is none yet."""
        header = self._journal.header(number)
        return header.block if header is not None else None

    def final(self) -> bool:
        """Return False: no consensus stands behind it, and a restored backup has other blocks."""
        return False

    def gas_limit(self) -> int:
        """Return the gas of every block."""
        return BLOCK_GAS_LIMIT

    def base_fee(self) -> int | None:
        """Return 0: transactions of type 2 are taken, at no price."""
        return 0

    def call(
        self, to: Address, data: bytes, *, sender: Address | None = None, block: int | None = None
    ) -> bytes:
        """Run a call on the head; earlier states are not kept. See `Ledger.call`."""
        with self._open():
            if block is not None and block != self._chain.head.block.number:
                raise Unavailable(
                    "the embedded ledger keeps the state of its head alone",
                    advice="Ask for the newest block.",
                )
            outcome = self._chain.simulate(to, data, sender)
        return _output(outcome)

    def call_many(
        self, calls: Sequence[tuple[Address, bytes]], *, sender: Address | None = None
    ) -> list[bytes | SimdesError]:
        """Run several calls on one head. See `Ledger.call_many`."""
        with self._open():
            outcomes = [self._chain.simulate(to, data, sender) for to, data in calls]
        return [o.output if o.succeeded else _refusal(o) for o in outcomes]

    def call_at_head(
        self, calls: Sequence[tuple[Address, bytes]]
    ) -> tuple[Block, list[bytes | SimdesError]]:
        """Return the head, and what calls return on it. See `Ledger.call_at_head`."""
        return self.head(), self.call_many(calls)

    def estimate(self, to: Address | None, data: bytes, *, sender: Address) -> int:
        """Return a sufficient gas limit. See `Ledger.estimate`."""
        with self._open():
            outcome = self._chain.simulate(to, data, sender)
        _output(outcome)
        return min(outcome.gas_used + outcome.gas_used // 2 + _ESTIMATE_MARGIN_GAS, BLOCK_GAS_LIMIT)

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return the receipt, None for an unknown transaction."""
        entry = self._journal.entry(transaction_hash)
        header = self._journal.header(entry.block_number) if entry is not None else None
        return entry.receipt(header.block.hash) if entry is not None and header else None

    def receipts(self, transaction_hashes: Sequence[bytes]) -> list[Receipt | None]:
        """Return several receipts in the order asked for."""
        return [self.receipt(transaction_hash) for transaction_hash in transaction_hashes]

    def nonce(self, address: Address) -> int:
        """Return how many transactions of `address` stand in blocks."""
        with self._open():
            return self._chain.nonces.get(address, 0)

    def fate(self, address: Address, transaction_hash: bytes) -> tuple[int, Receipt | None]:
        """Return the nonce, then the receipt. See `Ledger.fate`."""
        return self.nonce(address), self.receipt(transaction_hash)

    def logs(
        self,
        *,
        first: int,
        last: int,
        addresses: Sequence[Address],
        topics: Sequence[bytes | Sequence[bytes] | None] = (),
        end: Block | None = None,
    ) -> list[Log]:
        """Return events in chain order; it has every block up to its head. See `Ledger.logs`."""
        wanted = frozenset(addresses)
        last = min(last, self._chain.head.block.number)
        found: list[Log] = []
        for start in range(max(first, 0), last + 1, LOG_SPAN_BLOCKS):
            found += self._logs(start, min(start + LOG_SPAN_BLOCKS - 1, last), wanted, topics)
        return found

    def code(self, address: Address) -> bytes:
        """Return the contract's code, empty for a plain account."""
        with self._open():
            return self._chain.code(address)

    def codes(self, addresses: Sequence[Address]) -> list[bytes]:
        """Return several contracts' code."""
        return [self.code(address) for address in addresses]

    def storage(self, address: Address, slot: int) -> bytes:
        """Return the 32 bytes in a storage slot."""
        with self._open():
            return self._chain.storage(address, slot).to_bytes(32, "big")

    def storages(self, places: Sequence[tuple[Address, int]]) -> list[bytes]:
        """Return several storage slots."""
        return [self.storage(address, slot) for address, slot in places]

    def balance(self, address: Address) -> int:
        """Return 0: there is no money on this ledger."""
        return 0

    # --- Ledger: writing -------------------------------------------------------------------

    def send(self, raw: bytes) -> bytes:
        """Put a transaction into a block, durably, and return its hash. See `Ledger.send`."""
        [outcome] = self.send_many([raw])
        if isinstance(outcome, SimdesError):
            raise outcome
        return outcome

    def send_many(self, raws: Sequence[bytes]) -> list[bytes | SimdesError]:
        """Put several into blocks with one durable commit. See `Ledger.send_many`."""
        admitted = [self._admit(raw) for raw in raws]
        waiting = [item for item in admitted if isinstance(item, Waiting)]
        with self._queue_lock:
            self._queue += waiting
        with self._open():
            # Whoever comes first carries the others' transactions along.
            if any(item.outcome is None for item in waiting):
                with self._queue_lock:
                    queue, self._queue = self._queue, []
                self._chain.mine(queue)
        return [self._outcome(item) for item in admitted]

    def close(self) -> None:
        """Keep the state for a fast start and close the journal."""
        with self._lock:
            if self._closed:
                return
            self._chain.fold()
            self._closed = True
            self._journal.close()

    # --- more, for the JSON-RPC face -------------------------------------------------------

    @property
    def journal(self) -> Journal:
        """The journal, for reading."""
        return self._journal

    def simulate(self, to: Address | None, data: bytes, *, sender: Address | None) -> bytes:
        """Run a call or a deployment on the head and return its output; raises `Reverted`."""
        with self._open():
            return _output(self._chain.simulate(to, data, sender))

    # --- blocks ----------------------------------------------------------------------------

    def _admit(self, raw: bytes) -> Waiting | SimdesError:
        """Check all that needs no state, outside the lock."""
        try:
            transaction = admit_transaction(raw, chain_id=self.chain_id())
        except SimdesError as error:
            return error
        if transaction.gas > BLOCK_GAS_LIMIT:
            return TooLarge("the transaction's gas limit exceeds the block gas limit")
        return Waiting(transaction)

    @staticmethod
    def _outcome(item: Waiting | SimdesError) -> bytes | SimdesError:
        if isinstance(item, SimdesError):
            return item
        return item.outcome or Unavailable("the ledger stopped before it took the transaction")

    def _logs(
        self,
        first: int,
        last: int,
        addresses: frozenset[Address],
        topics: Sequence[bytes | Sequence[bytes] | None],
    ) -> Iterator[Log]:
        hashes = self._journal.hashes(first, last)
        for entry in self._journal.entries(first, last):
            for log in entry.chain_logs(hashes[entry.block_number]):
                if (not addresses or log.address in addresses) and _matches(log.topics, topics):
                    yield log

    def _open(self) -> threading.RLock:
        """Return the lock to enter. Raises `Unavailable` once closed, or in a forked child."""
        if self._closed or not self._chain.sound:
            raise Unavailable("the ledger is closed")
        if os.getpid() != self._pid:
            raise Unavailable(
                "the embedded ledger belongs to the parent process",
                advice="Open the ledger again in this process.",
            )
        return self._lock


def _matches(topics: Sequence[bytes], wanted: Sequence[bytes | Sequence[bytes] | None]) -> bool:
    if len(wanted) > len(topics):
        return False
    for topic, want in zip(topics, wanted, strict=False):
        if want is not None and topic != want and (isinstance(want, bytes) or topic not in want):
            return False
    return True


def _output(outcome: Outcome) -> bytes:
    if not outcome.succeeded:
        raise _refusal(outcome)
    return outcome.output


def _refusal(outcome: Outcome) -> Reverted:
    if outcome.halted:
        return Reverted(b"", halted=outcome.halted)
    return Reverted(outcome.output)
