"""What became of a claim that somebody asks about: the Task of a 276 answered, as a 277 is (pure).

The codes are X12's claim status categories (507) and statuses (508), https://x12.org/codes. A
status tells where a claim is and what was decided in all, never what for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final

from simdes.claims.money import Money, write_money

Json = dict[str, Any]
Resource = Mapping[str, Any]

CATEGORIES: Final = "https://x12.org/codes/claim-status-category-codes"
STATUSES: Final = "https://x12.org/codes/claim-status-codes"
_ADJUDICATION: Final = "http://terminology.hl7.org/CodeSystem/adjudication"


class Standing(StrEnum):
    """Where a claim is, as who asks for its status is told."""

    UNKNOWN = "unknown"
    OPENED = "opened"
    RECEIVED = "received"
    ASKED = "asked"
    APPROVED = "approved"
    PARTLY = "partly"
    DENIED = "denied"
    APPEALED = "appealed"
    PAID = "paid"
    REVERSED = "reversed"


_TOLD: Final[Mapping[Standing, tuple[str, str, str, str]]] = {
    Standing.UNKNOWN: ("D0", "35", "error", "No such claim is known"),
    Standing.OPENED: ("A1", "19", "queued", "It came in"),
    Standing.RECEIVED: ("P1", "20", "queued", "It is being decided"),
    Standing.ASKED: ("P3", "123", "queued", "It waits for what was asked for"),
    Standing.APPROVED: ("F0", "3", "complete", "It is approved and will be paid"),
    Standing.PARTLY: ("F0", "3", "partial", "It is approved in part and will be paid"),
    Standing.DENIED: ("F2", "585", "complete", "It is denied"),
    Standing.APPEALED: ("P2", "46", "queued", "Its decision is reviewed"),
    Standing.PAID: ("F1", "65", "complete", "It is paid"),
    Standing.REVERSED: ("F3", "101", "complete", "It was taken back"),
}
"""Category, status, ClaimResponse.outcome, and the words for people."""
_DECIDED: Final = frozenset(
    (Standing.APPROVED, Standing.PARTLY, Standing.DENIED, Standing.PAID, Standing.REVERSED)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A claim as its status tells it: its type, since when, what was claimed and (once decided) is
    paid, the payer's own number of it, when and under which number it was paid."""

    standing: Standing
    since: date
    submitted: Money | None = None
    benefit: Money | None = None
    type: Resource | None = None
    number: Resource | None = None
    paid: date | None = None
    payment: str = ""


def status_of(task: Resource, state: State, *, insurer: Resource, id_: str) -> tuple[Json, Json]:
    """The Task of an inquiry answered, and the ClaimResponse that is its output.

    ``task`` has code ``status`` and the claim as its focus. Of a claim that is not known nothing is
    told but that.
    """
    known = state.standing is not Standing.UNKNOWN
    response = _response(task, state, insurer, id_, known=known)
    category, status, _, _ = _TOLD[state.standing]
    answered = {
        **task,
        "status": "completed",
        "lastModified": state.since.isoformat(),
        "businessStatus": {
            "coding": [
                {"system": CATEGORIES, "code": category},
                {"system": STATUSES, "code": status},
            ]
        },
        "output": [
            {
                "type": {"text": "claim status"},
                "valueReference": {"reference": f"ClaimResponse/{id_}"},
            }
        ],
    }
    return answered, response


def _response(task: Resource, state: State, insurer: Resource, id_: str, *, known: bool) -> Json:
    _, _, outcome, words = _TOLD[state.standing]
    made: Json = {
        "resourceType": "ClaimResponse",
        "id": id_,
        **({"identifier": [dict(state.number)]} if known and state.number else {}),
        "status": "active",
        "type": dict(state.type) if known and state.type else {"text": "claim"},
        "use": "claim",
        "patient": task["for"],
        "created": state.since.isoformat(),
        "insurer": dict(insurer),
        **({"requestor": task["requester"]} if "requester" in task else {}),
        **({"request": task["focus"]} if "focus" in task else {}),
        "outcome": outcome,
        "disposition": words,
    }
    if known and (totals := _totals(state)):
        made["total"] = totals
    if state.standing is Standing.PAID and state.paid is not None and state.benefit is not None:
        made["payment"] = {
            "type": {"coding": [_COMPLETE]},
            "date": state.paid.isoformat(),
            "amount": write_money(state.benefit),
            **({"identifier": {"value": state.payment}} if state.payment else {}),
        }
    return made


_COMPLETE: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/ex-paymenttype",
    "code": "complete",
}


def _totals(state: State) -> Sequence[Json]:
    decided = state.benefit if state.standing in _DECIDED else None
    return [
        {
            "category": {"coding": [{"system": _ADJUDICATION, "code": code}]},
            "amount": write_money(amount),
        }
        for code, amount in (("submitted", state.submitted), ("benefit", decided))
        if amount is not None
    ]
