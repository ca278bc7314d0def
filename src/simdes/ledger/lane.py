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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from simdes.budget import latest_end, within
from simdes.errors import Conflict, SimdesError, Unavailable, Unsupported
from simdes.ledger.ledger import Ledger, Receipt, Reverted
from simdes.ledger.refusals import translate
from simdes.ledger.stored import (
    Call,
    MemoryTransactionStore,
    StoredTransaction,
    TransactionState,
    TransactionStore,
)
from simdes.ledger.transactions import Signer, read_payload, sign_transaction
from simdes.tracing import step

__all__ = [
    "IN_FLIGHT",
    "Call",
    "Lane",
    "MemoryTransactionStore",
    "StoredTransaction",
    "TransactionState",
    "TransactionStore",
]

IN_FLIGHT = 32
TIMEOUT_SECONDS = 8.0
"""For a call, from the simulation to its block; a network makes a block about every second."""
_NONCE_ATTEMPTS = 3
_FILLER_GAS = 21_000
_SLOWEST_POLL_SECONDS = 0.25


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
        timeout_seconds: float = TIMEOUT_SECONDS,
        poll_seconds: float = 0.02,
        resend_seconds: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.ledger = ledger
        self.address = signer.address
        self._signer, self._store, self._name = signer, store, name
        self._timeout_seconds = timeout_seconds
        self._poll_seconds, self._resend_seconds = poll_seconds, resend_seconds
        self._monotonic, self._sleep = monotonic, sleep
        self._lock = threading.RLock()
        self._next_nonce: int | None = None
        self._chain_id = 0
        self._dynamic_fee = True
        self._in_flight: dict[bytes, StoredTransaction] = {}
        self._unawaited: set[bytes] = set()
        self._reverted: dict[bytes, bytes] = {}

    @property
    def name(self) -> str:
        """What the store files this lane's transactions under: chain id and address."""
        if self._name is None:
            self._name = f"{self.ledger.chain_id()}:0x{self.address.hex()}"
        return self._name

    @step("ledger transact")
    def transact(self, call: Call) -> Receipt:
        """Carry out one call and wait for its block.

        Raises what the contract's refusal means (`refusals`), in the simulation or in the block;
        `Unavailable` when no block took it in time: then it stays stored and is sent again.
        """
        with within(self._timeout_seconds):
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
            window = calls[start : start + IN_FLIGHT]
            try:
                with within(self._timeout_seconds):
                    outcomes += self._submit_window(window)
            except Unavailable as error:
                if not start:
                    raise
                outcomes += [error] * len(window)
        return outcomes

    @step("ledger transact many")
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
        """Poll until a block has it; a node that does not answer for a while is waited for."""
        self._unawaited.discard(transaction_hash)
        deadline = latest_end(self._timeout_seconds, self._monotonic)
        pause = self._poll_seconds
        resend_at = self._monotonic() + self._resend_seconds
        with within(self._timeout_seconds):
            while True:
                receipt = self._look(transaction_hash)
                if receipt is not None:
                    self._settle(receipt)
                    return receipt
                now = self._monotonic()
                if now >= deadline:
                    break
                if now >= resend_at:
                    self._check_replaced(transaction_hash)
                    self._send_again(transaction_hash)
                    resend_at = now + self._resend_seconds
                self._sleep(pause)
                pause = min(1.5 * pause, _SLOWEST_POLL_SECONDS)
        self._unawaited.add(transaction_hash)
        raise Unavailable(
            f"no block took transaction 0x{transaction_hash.hex()} in time",
            advice="It is stored and will be sent again; check the ledger node.",
        )

    def _look(self, transaction_hash: bytes) -> Receipt | None:
        try:
            return self.ledger.receipt(transaction_hash)
        except Unavailable:
            return None

    def resume(self) -> list[Receipt]:
        """Send what an earlier run left unsettled again, unchanged, and wait for all of it.

        Returns the receipts in nonce order, reverted ones included. Runs by itself before a lane's
        first call, then without waiting.
        """
        with self._locked():
            self._start()
            for item in self._store.unsettled(self.name):
                self._in_flight.setdefault(item.hash, item)
            hashes = [item.hash for item in self._by_nonce()]
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
            self._unawaited.add(item.hash)
        for item in self._by_nonce():
            with suppress(Conflict):  # replaced meanwhile: settled as refused
                self._send_again(item.hash, alone=True)
        top = max((item.nonce + 1 for item in self._in_flight.values()), default=0)
        self._next_nonce = max(top, self.ledger.nonce(self.address))

    def _submit_window(self, calls: Sequence[Call]) -> list[bytes | SimdesError]:
        outcomes: list[bytes | SimdesError] = []
        ready: list[tuple[int, Call, int]] = []
        with self._locked():
            self._start()
        for index, call in enumerate(calls):
            try:
                outcomes.append(self._under_way(call))
                if not outcomes[-1]:
                    ready.append((index, call, self._gas_limit(call)))
            except Reverted as error:
                outcomes[index:] = [translate(error)]
            except SimdesError as error:
                outcomes[index:] = [error]
        with self._locked():
            self._make_room(len(ready))
            sent = self._send_signed([(call, gas) for _, call, gas in ready])
        for (index, _, _), outcome in zip(ready, sent, strict=True):
            outcomes[index] = outcome
        return outcomes

    def _under_way(self, call: Call) -> bytes:
        """Return the transaction of the same call that nobody waits for any more, b"" if none is.

        Whoever was told that no block took it in time asks again; it must not happen twice.
        """
        for transaction_hash in self._unawaited.copy():
            item = self._in_flight.get(transaction_hash)
            if item is None or read_payload(item.raw)[:2] != (call.to, call.data):
                continue
            with suppress(KeyError):  # another thread asked the same first
                self._unawaited.remove(transaction_hash)
                return transaction_hash
        return b""

    def _gas_limit(self, call: Call) -> int:
        """Simulate, and leave room for what other transactions change before this one's block."""
        if call.gas is not None:
            return call.gas
        needed = self.ledger.estimate(call.to, call.data, sender=self.address)
        return max(needed, min(needed + needed // 2 + 50_000, self.ledger.gas_limit()))

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
            self._forget(item.hash)
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
            oldest = self._by_nonce()[0]
            with suppress(Conflict):  # settled as refused; whoever waits for that call is told
                self._await(oldest.hash)

    def _by_nonce(self) -> list[StoredTransaction]:
        return sorted(self._in_flight.copy().values(), key=lambda item: item.nonce)

    def _send_again(self, transaction_hash: bytes, *, alone: bool = False) -> None:
        """Send it unchanged, and those before it, which may be lost and hold it up."""
        if (last := self._in_flight.get(transaction_hash)) is None:
            return
        items = [last] if alone else [i for i in self._by_nonce() if i.nonce <= last.nonce]
        try:
            answers = self.ledger.send_many([item.raw for item in items])
        except Unavailable:
            return  # the next attempt may arrive
        if isinstance(answers[-1], SimdesError) and not isinstance(answers[-1], Unavailable):
            self._check_replaced(transaction_hash)

    def _check_replaced(self, transaction_hash: bytes) -> None:
        """Raise `Conflict` when another transaction with this nonce stands in a block.

        Besu replaces a pending transaction of the same nonce silently; its receipt stays null.
        """
        if (item := self._in_flight.get(transaction_hash)) is None:
            return
        try:
            nonce, receipt = self.ledger.fate(self.address, transaction_hash)
        except Unavailable:
            return
        if nonce <= item.nonce or receipt is not None:
            return
        self._store.settle(transaction_hash, TransactionState.REFUSED, None)
        self._forget(transaction_hash)
        raise Conflict(f"another transaction took nonce {item.nonce} of lane {self.name}")

    def _forget(self, transaction_hash: bytes) -> StoredTransaction | None:
        self._unawaited.discard(transaction_hash)
        return self._in_flight.pop(transaction_hash, None)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lane, or give up in time: whoever holds it may be waiting for a block."""
        left = latest_end(self._timeout_seconds) - time.monotonic()
        if not self._lock.acquire(timeout=max(left, 0.0)):
            raise Unavailable(
                f"lane {self.name} has been waiting for a block for too long",
                advice="Nothing was sent; check the ledger node and try again.",
            )
        try:
            yield
        finally:
            self._lock.release()

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
        item = self._forget(receipt.transaction_hash)
        if item is not None and not receipt.succeeded:
            self._reverted[receipt.transaction_hash] = item.raw
