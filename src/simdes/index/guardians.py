"""Guardians, whose guardians people here are, and recoveries under way.

What says who somebody's guardians are is wrapped by the caller; the chain has a salted root alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

OPEN, SENT = "open", "sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardian:
    """A guardian of a person here, in the set of one root."""

    account: bytes
    root: bytes
    number: int
    details_wrapped: bytes
    told: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardianship:
    """A person here is a guardian of an account, in the set of one root."""

    guardian: bytes
    account: bytes
    root: bytes
    details_wrapped: bytes
    received_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """A new key that waits for guardians; ``nonce`` is what they sign for."""

    account: bytes
    address: bytes
    locked_wrapped: bytes
    nonce: int
    deadline_seconds: int
    begun_ms: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What one guardian signed."""

    account: bytes
    address: bytes
    signer: bytes
    proof: bytes


_GUARDIAN = select(Guardian, "guardian")
_GUARDIANSHIP = select(Guardianship, "guardianship")
_RECOVERY = select(Recovery, "recovery")
_PROOF = select(Proof, "recovery_proof")


def add_guardians(tx: Transaction, guardians: Sequence[Guardian]) -> None:
    """Keep a set of guardians."""
    tx.insert("guardian", [row_of(one) for one in guardians])


def guardians(tx: Transaction, account: bytes) -> list[Guardian]:
    """Return every guardian of a person's sets, by set and place."""
    rows = tx.all(_GUARDIAN + " WHERE account = :account ORDER BY root, number", account=account)
    return [read(Guardian, row) for row in rows]


def wards(tx: Transaction) -> list[bytes]:
    """Return the people here who appointed guardians."""
    return [
        bytes(row[0]) for row in tx.all("SELECT DISTINCT account FROM guardian ORDER BY account")
    ]


def set_told(tx: Transaction, account: bytes, root: bytes, number: int) -> None:
    """Note that a guardian's organisation knows."""
    tx.run(
        "UPDATE guardian SET told = 1"
        " WHERE account = :account AND root = :root AND number = :number",
        account=account,
        root=root,
        number=number,
    )


def drop_guardians(tx: Transaction, account: bytes, *, but: Sequence[bytes]) -> None:
    """Forget a person's sets but those with these roots."""
    tx.run("DELETE FROM guardian WHERE account = :account AND root NOT IN :but",
           account=account, but=list(but) or [bytes(32)])  # fmt: skip


def put_guardianship(tx: Transaction, one: Guardianship) -> None:
    """Keep whose guardian somebody here is, in the place of what was kept for the same set."""
    tx.insert(
        "guardianship",
        [row_of(one)],
        conflict="(guardian, account, root) DO UPDATE SET"
        " details_wrapped = excluded.details_wrapped, received_ms = excluded.received_ms",
    )


def guardianships(tx: Transaction, guardian: bytes) -> list[Guardianship]:
    """Return whose guardian somebody is, oldest first."""
    rows = tx.all(
        _GUARDIANSHIP + " WHERE guardian = :guardian ORDER BY received_ms, account",
        guardian=guardian,
    )
    return [read(Guardianship, row) for row in rows]


def drop_guardianships(
    tx: Transaction, guardian: bytes, account: bytes, *, but: Sequence[bytes]
) -> None:
    """Forget that somebody is a guardian of an account in other sets than these."""
    tx.run(
        "DELETE FROM guardianship"
        " WHERE guardian = :guardian AND account = :account AND root NOT IN :but",
        guardian=guardian,
        account=account,
        but=list(but) or [bytes(32)],
    )


def add_recovery(tx: Transaction, recovery: Recovery) -> None:
    """Keep a new key."""
    tx.insert("recovery", [row_of(recovery)])


def recoveries(tx: Transaction, account: bytes | None = None) -> list[Recovery]:
    """Return the recoveries under way, of one account or all, oldest first."""
    if account is None:
        rows = tx.all(_RECOVERY + " ORDER BY begun_ms, address")
    else:
        rows = tx.all(
            _RECOVERY + " WHERE account = :account ORDER BY begun_ms, address", account=account
        )
    return [read(Recovery, row) for row in rows]


def set_sent(tx: Transaction, account: bytes, address: bytes) -> None:
    """Note that the chain was asked for a key."""
    tx.run(
        "UPDATE recovery SET state = 'sent' WHERE account = :account AND address = :address",
        account=account,
        address=address,
    )


def drop_recovery(tx: Transaction, account: bytes, address: bytes) -> None:
    """Forget a recovery, with what was signed for it."""
    for table in ("recovery", "recovery_proof", "recovery_attestation"):
        tx.run(
            f"DELETE FROM {table} WHERE account = :account AND address = :address",  # noqa: S608 - names of this file
            account=account,
            address=address,
        )


def put_proof(tx: Transaction, proof: Proof) -> None:
    """Keep what a guardian signed, in the place of what they signed before."""
    tx.insert(
        "recovery_proof",
        [row_of(proof)],
        conflict="(account, address, signer) DO UPDATE SET proof = excluded.proof",
    )


def proofs(tx: Transaction, account: bytes, address: bytes) -> list[Proof]:
    """Return what guardians signed for a key, by signer."""
    rows = tx.all(
        _PROOF + " WHERE account = :account AND address = :address ORDER BY signer",
        account=account,
        address=address,
    )
    return [read(Proof, row) for row in rows]
