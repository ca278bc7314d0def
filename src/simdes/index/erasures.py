"""Erasures of vaults that were asked for here: how far each is, who signed, who has not and why."""

from __future__ import annotations

from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An erasure that goes on by itself until everybody signed, at ``settled_ms``.

    ``signed`` is the patient's order, "" where this organisation's own software asks; ``tries`` in
    a row brought no receipt, the next is due at ``next_ms``.
    """

    vault: bytes
    signed: str
    begun_ms: int
    tries: int = 0
    next_ms: int = 0
    settled_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Why an organisation has not signed, as it was found last."""

    vault: bytes
    organisation: bytes
    why: str
    asked_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What an organisation signed: its keys of all epochs through ``epochs`` are gone.

    ``chart`` is "none", "erased" or "kept", then ``duty`` names the law; ``token`` is the answer.
    """

    vault: bytes
    organisation: bytes
    epochs: int
    chart: str
    duty: str
    token: bytes
    received_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many erasures wait for somebody, since when the oldest, and how many are whole."""

    waiting: int
    oldest_ms: int | None
    settled: int


_BEGUN = select(Begun, "erasure")
_MISSING = select(Missing, "erasure_missing")
_RECEIPT = select(Receipt, "erasure_receipt")


def put(tx: Transaction, begun: Begun) -> Begun:
    """Keep an erasure in the place of what is kept of the same vault's, and return what stands.

    What the patient signed stays where ``begun`` brings no order.
    """
    tx.insert(
        "erasure",
        [row_of(begun)],
        conflict="(vault) DO UPDATE SET signed = CASE WHEN excluded.signed = '' THEN erasure.signed"
        " ELSE excluded.signed END, begun_ms = excluded.begun_ms, tries = excluded.tries,"
        " next_ms = excluded.next_ms, settled_ms = excluded.settled_ms",
    )
    kept = get(tx, begun.vault)
    return begun if kept is None else kept


def get(tx: Transaction, vault: bytes) -> Begun | None:
    """Return a vault's erasure."""
    row = tx.one(_BEGUN + " WHERE vault = :vault", vault=vault)
    return None if row is None else read(Begun, row)


def forget(tx: Transaction, begun: Begun) -> bool:
    """Forget an erasure that was refused here; False where somebody changed it since."""
    return bool(
        tx.run(
            "DELETE FROM erasure WHERE vault = :vault AND signed = :signed AND begun_ms = :begun"
            " AND tries = :tries AND next_ms = :next AND settled_ms IS NULL",
            vault=begun.vault,
            signed=begun.signed,
            begun=begun.begun_ms,
            tries=begun.tries,
            next=begun.next_ms,
        )
    )


def due(tx: Transaction, *, now_ms: int, limit: int) -> list[Begun]:
    """Return erasures that wait for somebody and are to be gone on with now."""
    rows = tx.all(
        _BEGUN + " WHERE settled_ms IS NULL AND next_ms <= :now ORDER BY next_ms, vault"
        " LIMIT :limit",
        now=now_ms,
        limit=limit,
    )
    return [read(Begun, row) for row in rows]


def take(tx: Transaction, begun: Begun, *, until_ms: int) -> bool:
    """Take one that is due until a time at which others may; False where somebody else did."""
    return bool(
        tx.run(
            "UPDATE erasure SET next_ms = :until"
            " WHERE vault = :vault AND next_ms = :next AND settled_ms IS NULL",
            until=until_ms,
            vault=begun.vault,
            next=begun.next_ms,
        )
    )


def waiting(tx: Transaction, *, before_ms: int, limit: int) -> list[Begun]:
    """Return erasures that were begun before a time and wait for somebody, oldest first."""
    rows = tx.all(
        _BEGUN + " WHERE settled_ms IS NULL AND begun_ms < :before ORDER BY begun_ms, vault"
        " LIMIT :limit",
        before=before_ms,
        limit=limit,
    )
    return [read(Begun, row) for row in rows]


def put_off(tx: Transaction, vault: bytes, *, tries: int, next_ms: int) -> None:
    """Note when an erasure is gone on with."""
    tx.run(
        "UPDATE erasure SET tries = :tries, next_ms = :next WHERE vault = :vault",
        tries=tries,
        next=next_ms,
        vault=vault,
    )


def settle(tx: Transaction, vault: bytes, *, now_ms: int) -> None:
    """Note that everybody signed."""
    tx.run("UPDATE erasure SET settled_ms = :now WHERE vault = :vault", now=now_ms, vault=vault)


def miss(tx: Transaction, missing: Missing) -> None:
    """Note why an organisation has not signed."""
    tx.insert(
        "erasure_missing",
        [row_of(missing)],
        conflict="(vault, organisation) DO UPDATE SET why = excluded.why,"
        " asked_ms = excluded.asked_ms",
    )


def missing(tx: Transaction, vault: bytes) -> dict[bytes, Missing]:
    """Return what is known of those who did not sign, by organisation."""
    rows = tx.all(_MISSING + " WHERE vault = :vault ORDER BY organisation", vault=vault)
    return {one.organisation: one for one in (read(Missing, row) for row in rows)}


def add(tx: Transaction, receipt: Receipt) -> None:
    """Keep a receipt; a later one of the same organisation replaces it."""
    tx.insert(
        "erasure_receipt",
        [row_of(receipt)],
        conflict="(vault, organisation) DO UPDATE SET epochs = excluded.epochs,"
        " chart = excluded.chart, duty = excluded.duty, token = excluded.token,"
        " received_ms = excluded.received_ms",
    )
    tx.run(
        "DELETE FROM erasure_missing WHERE vault = :vault AND organisation = :organisation",
        vault=receipt.vault,
        organisation=receipt.organisation,
    )


def of_vault(tx: Transaction, vault: bytes) -> list[Receipt]:
    """Return the receipts about a vault, by organisation."""
    rows = tx.all(_RECEIPT + " WHERE vault = :vault ORDER BY organisation", vault=vault)
    return [read(Receipt, row) for row in rows]


def count(tx: Transaction) -> Counted:
    """Count erasures at one moment."""
    row = tx.one(
        "SELECT count(*), count(settled_ms),"
        " min(CASE WHEN settled_ms IS NULL THEN begun_ms END) FROM erasure"
    )
    total, settled, oldest = row or (0, 0, None)
    return Counted(waiting=total - settled, oldest_ms=oldest, settled=settled)
