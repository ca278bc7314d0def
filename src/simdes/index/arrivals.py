"""How far what other organisations anchor was looked through for subscribers, vault by vault.

A custodian may list a record a little later than the chain has its batch, so each batch is looked
for twice: ``ahead`` is the block up to which it was once, ``block`` up to which twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A vault that is looked at; see the module."""

    vault: bytes
    block: int
    ahead: int
    looked_ms: int


_ARRIVAL = select(Arrival, "arrival")


def known(tx: Transaction) -> dict[bytes, Arrival]:
    """Return all vaults that are looked at."""
    return {one.vault: one for one in (read(Arrival, row) for row in tx.all(_ARRIVAL))}


def begin(tx: Transaction, new: Iterable[Arrival]) -> None:
    """Look at vaults from now on; those known already stay as they are."""
    if rows := [row_of(one) for one in new]:
        tx.insert("arrival", rows, conflict="(vault) DO NOTHING")


def claim(tx: Transaction, one: Arrival, *, now_ms: int) -> bool:
    """Take a vault's turn; False where another program had it."""
    sql = "UPDATE arrival SET looked_ms = :now WHERE vault = :vault AND looked_ms = :seen"
    return tx.run(sql, now=now_ms, vault=one.vault, seen=one.looked_ms) > 0


def advance(tx: Transaction, one: Arrival, *, ahead: int) -> None:
    """Note that everything up to ``ahead`` was looked for once more than before."""
    tx.run(
        "UPDATE arrival SET block = :block, ahead = :ahead WHERE vault = :vault",
        block=one.ahead,
        ahead=ahead,
        vault=one.vault,
    )


def forget(tx: Transaction, vaults: Iterable[bytes]) -> None:
    """Look at these no more."""
    if listed := sorted(vaults):
        tx.run("DELETE FROM arrival WHERE vault IN :vaults", vaults=listed)
