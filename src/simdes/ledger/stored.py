"""What lanes keep of the transactions they sign, so that a crash loses or doubles none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from simdes.ledger.ledger import Address, Ledger


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

    def settled_from(self, block_number: int) -> Sequence[StoredTransaction]:
        """Return every lane's transactions that were in that block or a later one, by nonce."""

    def reopen(self, hash: bytes) -> None:
        """Make a settled transaction SENT again: its block is no more."""


class MemoryTransactionStore:
    """A store for transactions that need not survive this process, such as a deployment's."""

    def __init__(self) -> None:
        self._kept: dict[bytes, StoredTransaction] = {}
        self._blocks: dict[bytes, int] = {}
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
        if block_number is not None:
            self._blocks[hash] = block_number

    def settled_from(self, block_number: int) -> Sequence[StoredTransaction]:
        """Return what was in that block or a later one, by nonce."""
        found = [self._kept[hash] for hash, at in self._blocks.items() if at >= block_number]
        return sorted(found, key=lambda item: (item.lane, item.nonce))

    def reopen(self, hash: bytes) -> None:
        """Make a settled transaction SENT again."""
        self.states[hash] = TransactionState.SENT
        self._blocks.pop(hash, None)


def send_lost(ledger: Ledger, store: TransactionStore, *, first_block: int) -> int:
    """Send again what stood in a block that a reorganisation took away; how many there were.

    The same bytes under the same nonces do the same again, or nothing where they are back already.
    """
    settled = store.settled_from(first_block)
    receipts = ledger.receipts([item.hash for item in settled])
    lost = [item for item, receipt in zip(settled, receipts, strict=True) if receipt is None]
    for item in lost:
        store.reopen(item.hash)
    if lost:
        ledger.send_many([item.raw for item in lost])
    return len(lost)
