"""Why emergencies were opened: kept by who opened one and by who hosts the patient's account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The words behind an emergency's digest; ``told_ms`` None: the patient's organisation has not
    got them yet. Times are unix milliseconds."""

    vault: bytes
    handle: bytes
    words_wrapped: bytes
    told_ms: int | None
    created_ms: int


_KEPT = select(Kept, "emergency_reason")


def put(tx: Transaction, kept: Kept) -> None:
    """Keep the words of an emergency; those that are there already stay."""
    tx.insert("emergency_reason", [row_of(kept)], conflict="(vault, handle) DO NOTHING")


def get(tx: Transaction, vault: bytes, handle: bytes) -> Kept | None:
    """Return the words of an emergency."""
    row = tx.one(_KEPT + " WHERE vault = :vault AND handle = :handle", vault=vault, handle=handle)
    return None if row is None else read(Kept, row)


def of_handles(tx: Transaction, handles: Sequence[bytes]) -> dict[bytes, Kept]:
    """Return the words of several emergencies, by handle."""
    if not handles:
        return {}
    rows = tx.all(_KEPT + " WHERE handle IN :handles", handles=handles)
    found = [read(Kept, row) for row in rows]
    return {one.handle: one for one in found}


def told(tx: Transaction, vault: bytes, handle: bytes, *, now_ms: int) -> None:
    """Note that the patient's organisation has the words."""
    tx.run(
        "UPDATE emergency_reason SET told_ms = :now WHERE vault = :vault AND handle = :handle",
        now=now_ms,
        vault=vault,
        handle=handle,
    )


def drop(tx: Transaction, vault: bytes, handle: bytes) -> None:
    """Forget the words of an emergency that the ledger refused."""
    tx.run(
        "DELETE FROM emergency_reason WHERE vault = :vault AND handle = :handle",
        vault=vault,
        handle=handle,
    )


def drop_vault(tx: Transaction, vault: bytes) -> None:
    """Forget the words of a vault's emergencies once it is erased here."""
    tx.run("DELETE FROM emergency_reason WHERE vault = :vault", vault=vault)
