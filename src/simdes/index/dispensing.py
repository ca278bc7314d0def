"""What this organisation dispenses: written down before a proof is sent, until it is in the record.

``begun``: it may be on the ledger or not; ``dispensed`` or ``refused``: the ledger said so.
``queued``: handed out while the ledger was away; then ``dispensed``, or ``conflict``.
"""

from __future__ import annotations

from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

BEGUN, DISPENSED, REFUSED = "begun", "dispensed", "refused"
QUEUED, CONFLICT = "queued", "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDispensing:
    """A step of ``tag`` from so many units to so many; ``part_after`` as the ledger will say it.

    ``content_wrapped`` holds opening and MedicationDispense (whose id is ``dispense``) under the
    vault's key; ``account`` is the pharmacist's; nobody else takes it up before ``until_ms``.
    """

    tag: bytes
    vault: bytes
    request: str
    dispense: str
    units_before: int
    units_after: int
    part_after: int
    content_wrapped: bytes
    account: bytes
    until_ms: int
    created_ms: int
    state: str = BEGUN


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispensing(NewDispensing):
    """A step as kept."""

    id: int


_DISPENSING = select(Dispensing, "dispensing")


def begin(tx: Transaction, new: NewDispensing) -> Dispensing:
    """Write a step down, or return the one of this tag that is open."""
    tx.lock(f"dispensing {new.tag.hex()}")
    row = tx.one(_DISPENSING + " WHERE tag = :tag AND state IN ('begun', 'queued')", tag=new.tag)
    if row is not None:
        return read(Dispensing, row)
    made = tx.insert("dispensing", [row_of(new)], returning="id")
    return Dispensing(**row_of(new), id=int(made[0][0]))  # type: ignore[arg-type]


def open_ones(tx: Transaction, *, now_ms: int) -> list[Dispensing]:
    """Steps that nobody works on now and that are not settled, oldest first."""
    rows = tx.all(
        _DISPENSING + " WHERE state IN ('begun', 'queued') AND until_ms <= :now ORDER BY id",
        now=now_ms,
    )
    return [read(Dispensing, row) for row in rows]


def in_state(tx: Transaction, state: str) -> list[Dispensing]:
    """Steps in a state, oldest first."""
    rows = tx.all(_DISPENSING + " WHERE state = :state ORDER BY id", state=state)
    return [read(Dispensing, row) for row in rows]


def move(tx: Transaction, one: Dispensing, *, before: int, after: int, part_after: int) -> None:
    """Let a queued step begin where the prescription stands by now."""
    tx.run(
        "UPDATE dispensing SET units_before = :before, units_after = :after, part_after = :part"
        " WHERE id = :id AND state = 'queued'",
        before=before,
        after=after,
        part=part_after,
        id=one.id,
    )


def queue(tx: Transaction, id_: int) -> bool:
    """Say that a begun step was handed out before the ledger answered; False if it was said."""
    return bool(
        tx.run(
            "UPDATE dispensing SET state = 'queued', until_ms = 0"
            " WHERE id = :id AND state = 'begun'",
            id=id_,
        )
    )


def put_off(tx: Transaction, id_: int, *, until_ms: int) -> None:
    """Leave an open step alone for a while."""
    tx.run("UPDATE dispensing SET until_ms = :until WHERE id = :id", until=until_ms, id=id_)


def settle(tx: Transaction, id_: int, state: str) -> bool:
    """Say what became of an open step; False where that was said before."""
    changed = tx.run(
        "UPDATE dispensing SET state = :state WHERE id = :id AND state IN ('begun', 'queued')",
        state=state,
        id=id_,
    )
    return bool(changed)
