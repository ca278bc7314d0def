"""Receipts of erasing vaults, of those whose erasure was asked for here."""

from __future__ import annotations

from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction


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


_RECEIPT = select(Receipt, "erasure_receipt")


def add(tx: Transaction, receipt: Receipt) -> None:
    """Keep a receipt; a later one of the same organisation replaces it."""
    tx.insert(
        "erasure_receipt",
        [row_of(receipt)],
        conflict="(vault, organisation) DO UPDATE SET epochs = excluded.epochs,"
        " chart = excluded.chart, duty = excluded.duty, token = excluded.token,"
        " received_ms = excluded.received_ms",
    )


def of_vault(tx: Transaction, vault: bytes) -> list[Receipt]:
    """Return the receipts about a vault, by organisation."""
    rows = tx.all(_RECEIPT + " WHERE vault = :vault ORDER BY organisation", vault=vault)
    return [read(Receipt, row) for row in rows]
