"""One signing account's way onto the ledger, safe against crashes.

A lane keeps its own nonces, simulates first, stores each signed transaction *before* it is sent,
and after a crash sends the stored bytes again, unchanged, so that nothing happens twice. An
organisation uses several lanes, so that one stuck nonce doesn't block the rest. At most
`IN_FLIGHT` transactions of a lane wait for a block at once (Besu's pool wedges on many
transactions behind a gap).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from simdes.errors import Conflict, SimdesError, Unavailable, Unsupported
from simdes.ledger.ledger import Address, Ledger, Receipt, Reverted
from simdes.ledger.refusals import translate
from simdes.ledger.transactions import Signer, read_payload, sign_transaction

IN_FLIGHT = 32
_NONCE_ATTEMPTS = 3
_FILLER_GAS = 21_000
_SLOWEST_POLL_SECONDS = 0.25


class TransactionState(StrEnum):
    """What is known of a stored transaction."""

    SENT = "sent"
    SUCCEEDED = "succeeded"
    REVERTED = "reverted"
    REFUSED = "refused"
    """The ledger will never take it: its nonce belongs to another transaction, or it is unfit."""


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction not yet signed. `to` None deploys `data`.

    `label` says in logs and in the store what this is for; it holds no personal data. `gas` skips
    the simulation and sets the gas limit, for calls that only hold after others still in flight.
    """

    to: Address | None
    data: bytes
    label: str
    gas: int | None = None


@dataclass(frozen=True, slots=True)
class StoredTransaction:
    """A signed transaction as the store keeps it."""

    hash: bytes
    lane: str
    nonce: int
    raw: bytes
    label: str


class TransactionStore(Protocol):
    """Where a lane's signed transactions survive a crash."""

    def add(self, lane: str, nonce: int, hash: bytes, raw: bytes, label: str) -> None:
        """Keep a transaction as SENT; durable before this returns. Adding it again is harmless."""

    def unsettled(self, lane: str) -> Sequence[StoredTransaction]:
        """Return the lane's SENT transactions in the order of their nonces."""

    def settle(self, hash: bytes, state: TransactionState, block_number: int | None) -> None:
        """Record what became of a transaction. Settling it again is harmless."""


class MemoryTransactionStore:
    """A store for transactions that need not survive this process, such as a deployment's."""

    def __init__(self) -> None:
        self._kept: dict[bytes, StoredTransaction] = {}
        self.states: dict[bytes, TransactionState] = {}

    def add(self, lane: str, nonce: int, hash: bytes, raw: bytes, label: str) -> None:
        """Keep a transaction as SENT; one that was refused is open again."""
        self._kept[hash] = StoredTransaction(hash, lane, nonce, raw, label)
        if self.states.get(hash, TransactionState.REFUSED) is TransactionState.REFUSED:
            self.states[hash] = TransactionState.SENT

    def unsettled(self, lane: str) -> Sequence[StoredTransaction]:
        """Return the lane's SENT transactions in the order of their nonces."""
        kept = [
            item
            for item in self._kept.values()
            if item.lane == lane and self.states[item.hash] is TransactionState.SENT
        ]
        return sorted(kept, key=lambda item: item.nonce)

    def settle(self, hash: bytes, state: TransactionState, block_number: int | None) -> None:
        """Record what became of a transaction."""
        self.states[hash] = state


class Lane:
    """Signs, stores, sends and awaits the transactions of one key on one ledger.

    A key belongs to one lane of one process: two that sign the same call under the same nonce make
    the same bytes, and what was asked for twice happens once. Threads may share a lane.
    """

    def __init__(
        self,
        ledger: Ledger,
        signer: Signer,
        store: TransactionStore,
        *,
        name: str | None = None,
        timeout_seconds: float = 60.0,
        poll_seconds: float = 0.02,
        resend_seconds: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.ledger = ledger
        self.address = signer.address
        self._signer = signer
        self._store = store
        self._name = name
        self._timeout_seconds = timeout_seconds
        self._poll_seconds = poll_seconds
        self._resend_seconds = resend_seconds
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.RLock()
        self._next_nonce: int | None = None
        self._chain_id = 0
        self._dynamic_fee = True
        self._in_flight: dict[bytes, StoredTransaction] = {}
        self._reverted: dict[bytes, bytes] = {}

    @property
    def name(self) -> str:
        """What the store files this lane's transactions under: chain id and address."""
        if self._name is None:
            self._name = f"{self.ledger.chain_id()}:0x{self.address.hex()}"
        return self._name

    def transact(self, call: Call) -> Receipt:
        """Carry out one call and wait for its block.

        Raises what the contract's refusal means (`refusals`), in the simulation or in the block;
        `Unavailable` when no block took it in time: then it stays stored and is sent again.
        """
        return self.wait(self.submit(call))

    def submit(self, call: Call) -> bytes:
        """Simulate, sign, store and send one call; return its hash without waiting for a block."""
        [outcome] = self.submit_many([call])
        if isinstance(outcome, SimdesError):
            raise outcome
        return outcome

    def submit_many(self, calls: Sequence[Call]) -> list[bytes | SimdesError]:
        """Send several calls in order; each gets its hash or its own error.

        Calls are simulated on the head, each on its own: one that depends on an earlier one needs
        `Call.gas`. Waits for room where more than `IN_FLIGHT` would be under way.
        """
        outcomes: list[bytes | SimdesError] = []
        for start in range(0, len(calls), IN_FLIGHT):
            outcomes += self._submit_window(calls[start : start + IN_FLIGHT])
        return outcomes

    def transact_many(self, calls: Sequence[Call]) -> list[Receipt | SimdesError]:
        """Carry out several calls; each gets its receipt or its own error."""
        results: list[Receipt | SimdesError] = []
        for outcome in self.submit_many(calls):
            try:
                results.append(outcome if isinstance(outcome, SimdesError) else self.wait(outcome))
            except SimdesError as error:
                results.append(error)
        return results

    def wait(self, transaction_hash: bytes) -> Receipt:
        """Wait for a transaction's block, settle it and return its receipt.

        Raises what the contract's refusal means, `Conflict` when another transaction took its
        nonce, `Unavailable` after `timeout_seconds`.
        """
        receipt = self._await(transaction_hash)
        if not receipt.succeeded:
            raise translate(Reverted(receipt.revert or self._reason(transaction_hash, receipt)))
        return receipt

    def _await(self, transaction_hash: bytes) -> Receipt:
        deadline = self._monotonic() + self._timeout_seconds
        pause = self._poll_seconds
        resend_at = self._monotonic() + self._resend_seconds
        while True:
            receipt = self.ledger.receipt(transaction_hash)
            if receipt is not None:
                self._settle(receipt)
                return receipt
            now = self._monotonic()
            if now >= deadline:
                raise Unavailable(
                    f"no block took transaction 0x{transaction_hash.hex()} in time",
                    advice="It is stored and will be sent again; check the ledger node.",
                )
            if now >= resend_at:
                self._check_replaced(transaction_hash)
                self._send_again(transaction_hash)
                resend_at = now + self._resend_seconds
            self._sleep(pause)
            pause = min(1.5 * pause, _SLOWEST_POLL_SECONDS)

    def resume(self) -> list[Receipt]:
        """Send what an earlier run left unsettled again, unchanged, and wait for all of it.

        Returns the receipts in nonce order, reverted ones included. Runs by itself before a lane's
        first call, then without waiting.
        """
        with self._lock:
            self._start()
            hashes = list(self._in_flight)
        receipts = []
        for transaction_hash in hashes:
            with suppress(Conflict):  # settled as refused; the store says so to whoever asked
                receipts.append(self._await(transaction_hash))
        return receipts

    def _start(self) -> None:
        """Learn chain, fees and next nonce, and send again what was left; caller holds the lock."""
        if self._next_nonce is not None:
            return
        self._chain_id = self.ledger.chain_id()
        fee_wei = self.ledger.base_fee()
        if fee_wei:
            raise Unsupported(
                f"the ledger asks a base fee of {fee_wei} wei; SIMDES networks are free of fees",
                advice="Start the node with a zero base fee.",
            )
        self._dynamic_fee = fee_wei is not None
        left = list(self._store.unsettled(self.name))
        receipts = self.ledger.receipts([item.hash for item in left])
        for item, receipt in zip(left, receipts, strict=True):
            if receipt is not None:
                self._settle(receipt)
                continue
            self._in_flight[item.hash] = item
            with suppress(Conflict):  # replaced meanwhile: settled as refused
                self._send_again(item.hash)
        top = max((item.nonce + 1 for item in self._in_flight.values()), default=0)
        self._next_nonce = max(top, self.ledger.nonce(self.address))

    def _submit_window(self, calls: Sequence[Call]) -> list[bytes | SimdesError]:
        outcomes: list[bytes | SimdesError] = []
        ready: list[tuple[int, Call, int]] = []
        for index, call in enumerate(calls):
            try:
                ready.append((index, call, self._gas_limit(call)))
                outcomes.append(b"")
            except Reverted as error:
                outcomes.append(translate(error))
            except SimdesError as error:
                outcomes.append(error)
        with self._lock:
            self._start()
            self._make_room(len(ready))
            sent = self._send_signed([(call, gas) for _, call, gas in ready])
        for (index, _, _), outcome in zip(ready, sent, strict=True):
            outcomes[index] = outcome
        return outcomes

    def _gas_limit(self, call: Call) -> int:
        """Simulate, and leave room for what other transactions change before this one's block."""
        if call.gas is not None:
            return call.gas
        needed = self.ledger.estimate(call.to, call.data, sender=self.address)
        return needed + needed // 2 + 50_000

    def _send_signed(self, ready: Sequence[tuple[Call, int]]) -> list[bytes | SimdesError]:
        """Sign, store and send in order; caller holds the lock. Taken nonces are tried anew."""
        outcomes = self._send_once(ready)
        for _ in range(_NONCE_ATTEMPTS - 1):
            again = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, Conflict)]
            if not again:
                break
            for i, outcome in zip(again, self._send_once([ready[i] for i in again]), strict=True):
                outcomes[i] = outcome
        return outcomes

    def _send_once(self, ready: Sequence[tuple[Call, int]]) -> list[bytes | SimdesError]:
        items = [self._sign(call, gas) for call, gas in ready]
        try:
            answers = self.ledger.send_many([item.raw for item in items])
        except Unavailable as error:
            answers = [error for _ in items]
        # Where nobody knows whether it arrived, it stays in flight and `wait` sends it again.
        outcomes = [
            item.hash if isinstance(answer, Unavailable) else answer
            for item, answer in zip(items, answers, strict=True)
        ]
        refused = [i for i, o in zip(items, outcomes, strict=True) if isinstance(o, SimdesError)]
        if refused:
            self._free_nonces(refused)
        return outcomes

    def _sign(self, call: Call, gas: int) -> StoredTransaction:
        """Sign under the next nonce and store, so that a crash from here on loses nothing."""
        nonce = self._next_nonce or 0
        item = self._signed(nonce, call, gas)
        self._next_nonce = nonce + 1
        return item

    def _signed(self, nonce: int, call: Call, gas: int) -> StoredTransaction:
        transaction_hash, raw = sign_transaction(
            self._signer,
            chain_id=self._chain_id,
            nonce=nonce,
            gas=gas,
            to=call.to,
            data=call.data,
            dynamic_fee=self._dynamic_fee,
        )
        item = StoredTransaction(transaction_hash, self.name, nonce, raw, call.label)
        self._store.add(item.lane, item.nonce, item.hash, item.raw, item.label)
        self._in_flight[item.hash] = item
        return item

    def _free_nonces(self, refused: Sequence[StoredTransaction]) -> None:
        """Take back what the ledger refused, and fill gaps that others already wait behind."""
        for item in refused:
            self._store.settle(item.hash, TransactionState.REFUSED, None)
            self._in_flight.pop(item.hash, None)
        mined = self.ledger.nonce(self.address)
        top = max((item.nonce + 1 for item in self._in_flight.values()), default=0)
        self._next_nonce = max(top, mined)
        for item in refused:
            if mined <= item.nonce < top:
                filler = Call(self.address, b"", "fill a nonce gap")
                self._send_again(self._signed(item.nonce, filler, _FILLER_GAS).hash)

    def _make_room(self, wanted: int) -> None:
        """Wait until `wanted` more fit under the cap; caller holds the lock."""
        while self._in_flight and len(self._in_flight) + wanted > IN_FLIGHT:
            oldest = min(self._in_flight.values(), key=lambda item: item.nonce)
            with suppress(Conflict):  # settled as refused; whoever waits for that call is told
                self._await(oldest.hash)

    def _send_again(self, transaction_hash: bytes) -> None:
        item = self._in_flight.get(transaction_hash)
        if item is None:
            return
        try:
            self.ledger.send(item.raw)
        except Unavailable:
            return  # the next attempt may arrive
        except SimdesError:
            self._check_replaced(transaction_hash)

    def _check_replaced(self, transaction_hash: bytes) -> None:
        """Raise `Conflict` when another transaction with this nonce stands in a block.

        Besu replaces a pending transaction of the same nonce silently; its receipt stays null.
        """
        item = self._in_flight.get(transaction_hash)
        if item is None or self.ledger.nonce(self.address) <= item.nonce:
            return
        if self.ledger.receipt(transaction_hash) is not None:
            return
        with self._lock:
            self._store.settle(transaction_hash, TransactionState.REFUSED, None)
            self._in_flight.pop(transaction_hash, None)
        raise Conflict(f"another transaction took nonce {item.nonce} of lane {self.name}")

    def _reason(self, transaction_hash: bytes, receipt: Receipt) -> bytes:
        """Ask what a node's receipt doesn't say: why the contract refused."""
        raw = self._reverted.pop(transaction_hash, None)
        if raw is None:
            return b""
        to, data, _ = read_payload(raw)
        try:
            if to is not None:
                self.ledger.call(to, data, sender=self.address, block=receipt.block_number)
        except Reverted as error:
            return error.data
        except SimdesError:
            return b""
        return b""

    def _settle(self, receipt: Receipt) -> None:
        state = TransactionState.SUCCEEDED if receipt.succeeded else TransactionState.REVERTED
        self._store.settle(receipt.transaction_hash, state, receipt.block_number)
        with self._lock:
            item = self._in_flight.pop(receipt.transaction_hash, None)
            if item is not None and not receipt.succeeded:
                self._reverted[receipt.transaction_hash] = item.raw
