"""How far each follower of the chain has come: the last block whose events are in the database.

Written in the transaction that writes the events, so that a crash repeats or skips none.
"""

from __future__ import annotations

from dataclasses import dataclass

from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A block by number and hash; another hash under this number means another chain."""

    block_number: int
    block_hash: bytes


def get(tx: Transaction, name: str) -> Checkpoint | None:
    """Return a follower's checkpoint, None before its first."""
    row = tx.one("SELECT block_number, block_hash FROM checkpoint WHERE name = :name", name=name)
    return None if row is None else Checkpoint(*row)


def put(tx: Transaction, name: str, checkpoint: Checkpoint) -> None:
    """Move a follower's checkpoint."""
    tx.insert(
        "checkpoint",
        [
            {
                "name": name,
                "block_number": checkpoint.block_number,
                "block_hash": checkpoint.block_hash,
            }
        ],
        conflict="(name) DO UPDATE SET block_number = excluded.block_number,"
        " block_hash = excluded.block_hash",
    )


def forget(tx: Transaction, name: str) -> None:
    """Drop a follower's checkpoint: it starts over."""
    tx.run("DELETE FROM checkpoint WHERE name = :name", name=name)
