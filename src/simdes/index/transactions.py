"""Signed ledger transactions, kept before they are sent, so that a crash loses or doubles none.

`Transactions` is what the ledger's lanes ask of a store. This package knows no ledger, so the
class of the rows it returns is given to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from simdes.index.transaction import Database

T = TypeVar("T")


class Transactions(Generic[T]):
    """The transactions of every lane of one organisation, in its database."""

    def __init__(self, database: Database, row: Callable[[bytes, str, int, bytes, str], T]) -> None:
        """``row(hash, lane, nonce, raw, label)`` builds what `unsettled` returns."""
        self._database = database
        self._row = row

    def add(self, lane: str, nonce: int, hash: bytes, raw: bytes, label: str) -> None:
        """Keep a transaction as sent; durable before this returns.

        Adding it again is harmless; one that the ledger had refused is open again.
        """
        with self._database.transaction() as tx:
            tx.insert(
                "ledger_transaction",
                [
                    {
                        "hash": hash,
                        "lane": lane,
                        "nonce": nonce,
                        "raw": raw,
                        "label": label,
                        "state": "sent",
                    }
                ],
                conflict="(hash) DO UPDATE SET state = 'sent'"
                " WHERE ledger_transaction.state = 'refused'",
            )

    def unsettled(self, lane: str) -> list[T]:
        """Return the lane's transactions of unknown outcome, in the order of their nonces."""
        with self._database.read() as tx:
            rows = tx.all(
                "SELECT hash, lane, nonce, raw, label FROM ledger_transaction"
                " WHERE lane = :lane AND state = 'sent' ORDER BY nonce",
                lane=lane,
            )
        return [self._row(*row) for row in rows]

    def settle(self, hash: bytes, state: str, block_number: int | None) -> None:
        """Record what became of a transaction (succeeded, reverted, refused); repeating is fine."""
        with self._database.transaction() as tx:
            tx.run(
                "UPDATE ledger_transaction SET state = :state, block_number = :block"
                " WHERE hash = :hash",
                state=str(state),
                block=block_number,
                hash=hash,
            )

    def settled_from(self, block_number: int) -> list[T]:
        """Return every lane's transactions that were in that block or a later one, by nonce."""
        with self._database.read() as tx:
            rows = tx.all(
                "SELECT hash, lane, nonce, raw, label FROM ledger_transaction"
                " WHERE block_number >= :block ORDER BY lane, nonce",
                block=block_number,
            )
        return [self._row(*row) for row in rows]

    def reopen(self, hash: bytes) -> None:
        """Make a settled transaction sent again: its block is no more."""
        with self._database.transaction() as tx:
            tx.run(
                "UPDATE ledger_transaction SET state = 'sent', block_number = NULL"
                " WHERE hash = :hash",
                hash=hash,
            )

    def state_of(self, hash: bytes) -> str | None:
        """Return a transaction's state, None when it was never kept."""
        with self._database.read() as tx:
            row = tx.one("SELECT state FROM ledger_transaction WHERE hash = :hash", hash=hash)
        return None if row is None else str(row[0])
