"""Freezes of accounts hosted here that guardians are asking for, with what each of them signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """What all guardians of an account sign: its ``nonce`` on chain, and until when it is good."""

    account: bytes
    nonce: int
    deadline_seconds: int
    begun_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeProof:
    """What one guardian signed."""

    account: bytes
    signer: bytes
    proof: bytes


_FREEZE = select(Freeze, "account_freeze")
_PROOF = select(FreezeProof, "freeze_proof")


def begin(tx: Transaction, freeze: Freeze) -> None:
    """Keep what is to be signed, in the place of what was, and of what was signed for that."""
    drop(tx, freeze.account)
    tx.insert("account_freeze", [row_of(freeze)])


def freeze(tx: Transaction, account: bytes) -> Freeze | None:
    """Return what guardians of an account sign, None where nobody asked."""
    row = tx.one(_FREEZE + " WHERE account = :account", account=account)
    return None if row is None else read(Freeze, row)


def freezes(tx: Transaction) -> list[Freeze]:
    """Return all, oldest first."""
    return [read(Freeze, row) for row in tx.all(_FREEZE + " ORDER BY begun_ms, account")]


def put_proof(tx: Transaction, proof: FreezeProof) -> None:
    """Keep what a guardian signed, in the place of what they signed before."""
    tx.insert(
        "freeze_proof",
        [row_of(proof)],
        conflict="(account, signer) DO UPDATE SET proof = excluded.proof",
    )


def proofs(tx: Transaction, account: bytes) -> Sequence[FreezeProof]:
    """Return what guardians of an account signed, in the order of their addresses."""
    rows = tx.all(_PROOF + " WHERE account = :account ORDER BY signer", account=account)
    return [read(FreezeProof, row) for row in rows]


def drop(tx: Transaction, account: bytes) -> None:
    """Forget it, with what was signed."""
    for table in ("account_freeze", "freeze_proof"):
        tx.run(
            f"DELETE FROM {table} WHERE account = :account",  # noqa: S608 - names of this file
            account=account,
        )
