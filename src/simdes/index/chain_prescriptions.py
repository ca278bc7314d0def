"""What the chain says of prescriptions: the forest's batches in their places, and every dispense.

It is read by a follower of its own, so that whoever has to do with no prescription needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.index import checkpoints
from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

FOLLOWER = "prescriptions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A batch's root at its place in a forest."""

    forest: int
    place: int
    organisation: bytes
    root: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispense:
    """So much of a tag (a part of 10,000) was dispensed in all, by this pharmacy."""

    tag: bytes
    part: int
    pharmacy: bytes
    fill_day: int


_ROOT = select(Root, "chain_statement")
_DISPENSE = select(Dispense, "chain_dispense")


def add_roots(tx: Transaction, roots: Sequence[Root]) -> None:
    """Write roots down; again changes nothing."""
    tx.insert("chain_statement", [row_of(one) for one in roots], conflict="DO NOTHING")


def add_dispenses(tx: Transaction, found: Sequence[Dispense]) -> None:
    """Write down what was dispensed; again changes nothing."""
    tx.insert("chain_dispense", [row_of(one) for one in found], conflict="DO NOTHING")


def roots(tx: Transaction, forest: int, *, first: int) -> list[Root]:
    """The roots of a forest from a place on, in their order."""
    rows = tx.all(
        _ROOT + " WHERE forest = :forest AND place >= :first ORDER BY place",
        forest=forest,
        first=first,
    )
    return [read(Root, row) for row in rows]


def place_of(tx: Transaction, forest: int, organisation: bytes, root: bytes) -> int | None:
    """Where an organisation's batch stands in a forest."""
    row = tx.one(
        "SELECT place FROM chain_statement WHERE root = :root AND forest = :forest"
        " AND organisation = :organisation",
        root=root,
        forest=forest,
        organisation=organisation,
    )
    return None if row is None else int(row[0])


def dispenses(tx: Transaction, tag: bytes) -> list[Dispense]:
    """What was dispensed under a tag, in the order of the chain."""
    return [
        read(Dispense, row) for row in tx.all(_DISPENSE + " WHERE tag = :t ORDER BY part", t=tag)
    ]


def forget(tx: Transaction) -> None:
    """Drop everything, to read it anew."""
    tx.run("DELETE FROM chain_statement")
    tx.run("DELETE FROM chain_dispense")
    checkpoints.forget(tx, FOLLOWER)
