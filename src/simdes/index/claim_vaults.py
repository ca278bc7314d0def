"""In whose vault a claim is: told by its provider in a row of numbers, known to its insurer.

A number is a time in milliseconds, or the one after the last where that is higher: a provider that
was restored from a backup gives no number twice, and its insurers miss nothing that is told later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simdes.index import vaults
from simdes.index.transaction import Transaction

PAGE: Final = 500
"""Most claims that are told at once."""


@dataclass(frozen=True, slots=True)
class Told:
    """A claim (its id on the ledger) with its vault, under a number of its provider."""

    number: int
    claim: bytes
    vault: bytes


def tell(tx: Transaction, claim: bytes, vault: bytes, insurer: bytes, *, now_ms: int) -> bool:
    """Have an insurer told of a claim; False where it was before, or the vault was erased."""
    tx.lock("claim_told")  # numbers become visible in their order
    if is_settled(tx, claim, vault):
        return False
    row = tx.one("SELECT max(number) FROM claim_told")
    newest = int(row[0]) if row and row[0] is not None else 0
    number = max(now_ms, newest + 1)
    tx.insert(
        "claim_told",
        [{"number": number, "claim": claim, "vault": vault, "insurer": insurer}],
    )
    return True


def is_settled(tx: Transaction, claim: bytes, vault: bytes) -> bool:
    """Whether nobody is to be told of a claim (any more)."""
    told = tx.one("SELECT 1 FROM claim_told WHERE claim = :claim", claim=claim)
    row = vaults.get(tx, vault)
    return told is not None or (row is not None and row.state == vaults.ERASED)


def told(tx: Transaction, insurer: bytes, *, after: int) -> list[Told]:
    """What an insurer is told behind a number, `PAGE` at most, in order."""
    rows = tx.all(
        "SELECT number, claim, vault FROM claim_told"
        " WHERE insurer = :insurer AND number > :after ORDER BY number LIMIT :most",
        insurer=insurer,
        after=after,
        most=PAGE,
    )
    return [Told(int(number), bytes(claim), bytes(vault)) for number, claim, vault in rows]


def learn(tx: Transaction, provider: bytes, rows: Sequence[Told]) -> None:
    """Write down what a provider told; who told of a claim first is not overwritten."""
    if not rows:
        return
    tx.insert(
        "claim_known",
        [
            {"claim": one.claim, "vault": one.vault, "provider": provider, "number": one.number}
            for one in rows
        ],
        conflict="(claim) DO NOTHING",
    )
    tx.insert(
        "claim_heard",
        [{"provider": provider, "number": rows[-1].number}],
        conflict="(provider) DO UPDATE SET number = excluded.number"
        " WHERE claim_heard.number < excluded.number",
    )


def heard_up_to(tx: Transaction, provider: bytes) -> int:
    """The newest number that a provider told, 0 before the first."""
    row = tx.one("SELECT number FROM claim_heard WHERE provider = :provider", provider=provider)
    return int(row[0]) if row else 0


def known(tx: Transaction) -> dict[bytes, bytes]:
    """Every known claim with its vault, newest first."""
    rows = tx.all("SELECT claim, vault FROM claim_known ORDER BY number DESC, claim")
    return {bytes(claim): bytes(vault) for claim, vault in rows}


def vault_of(tx: Transaction, claim: bytes) -> bytes | None:
    """The vault of a claim, None where nobody told of it."""
    row = tx.one("SELECT vault FROM claim_known WHERE claim = :claim", claim=claim)
    return None if row is None else bytes(row[0])


def forget(tx: Transaction, claims: Sequence[bytes]) -> None:
    """Drop claims that have ended; what was heard is not heard again."""
    tx.many("DELETE FROM claim_known WHERE claim = :claim", [{"claim": one} for one in claims])


def drop_vault(tx: Transaction, vault: bytes) -> None:
    """Drop whose claims these were: the vault was erased."""
    tx.run("DELETE FROM claim_told WHERE vault = :vault", vault=vault)
    tx.run("DELETE FROM claim_known WHERE vault = :vault", vault=vault)
