"""The states of a prescription and what may be done in each: one table (docs/prescriptions.md).

A state is never stored: it follows from the statement's terms, what the ledger says of its tag, and
the day. So no two parties can hold different ones for long.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from simdes.errors import Conflict
from simdes.ledger.statements import PrescriptionStatus
from simdes.proofs.prescriptions import PARTS, Prescription


class State(StrEnum):
    """Where a prescription stands."""

    PENDING = "pending"
    """Written; it waits for its batch."""
    EARLY = "early"
    """Issued; its first day has not come."""
    ISSUED = "issued"
    """Issued; nothing dispensed, nobody's."""
    HELD = "held"
    """Issued; it belongs to one pharmacy."""
    PARTLY = "partly-dispensed"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Act(StrEnum):
    """What somebody may want to do with it."""

    SUBMIT = "submit"
    ACCEPT = "accept"
    RELEASE = "release"
    DISPENSE = "dispense"
    REFUSE = "refuse"
    CANCEL = "cancel"


_OPEN: Final = frozenset((Act.SUBMIT, Act.ACCEPT, Act.DISPENSE, Act.REFUSE, Act.CANCEL))
_ALLOWED: Final[Mapping[State, frozenset[Act]]] = {
    State.PENDING: frozenset((Act.CANCEL,)),
    State.EARLY: frozenset((Act.SUBMIT, Act.REFUSE, Act.CANCEL)),
    State.ISSUED: _OPEN,
    State.HELD: _OPEN - {Act.ACCEPT} | {Act.RELEASE},
    State.PARTLY: _OPEN | {Act.RELEASE},
    State.COMPLETED: frozenset(),
    State.CANCELLED: frozenset(),
    State.EXPIRED: frozenset((Act.RELEASE, Act.CANCEL)),
}
_WHY: Final[Mapping[State, str]] = {
    State.PENDING: "The prescription waits for its batch; it can be used in some minutes.",
    State.EARLY: "The prescription is not valid yet.",
    State.ISSUED: "The prescription belongs to no pharmacy.",
    State.HELD: "The prescription belongs to a pharmacy already.",
    State.PARTLY: "The prescription was dispensed from.",
    State.COMPLETED: "The prescription was dispensed whole.",
    State.CANCELLED: "The prescriber cancelled the prescription.",
    State.EXPIRED: "The prescription expired; ask the prescriber for a new one.",
}


def state_of(terms: Prescription, status: PrescriptionStatus, *, today: int) -> State:
    """The state of an issued prescription on a day (since 1970-01-01)."""
    if status.cancelled:
        return State.CANCELLED
    if status.part >= PARTS:
        return State.COMPLETED
    if today > terms.last_day:
        return State.EXPIRED
    if status.part:
        return State.PARTLY
    if today < terms.first_day:
        return State.EARLY
    return State.HELD if any(status.pharmacy) else State.ISSUED


def require(state: State, act: Act) -> None:
    """Raise Conflict, saying why, unless this may be done in this state."""
    if act not in _ALLOWED[state]:
        raise Conflict(_WHY[state])
