"""A decision as FHIR says it: ClaimResponse and ExplanationOfBenefit (pure).

https://hl7.org/fhir/R4/claimresponse.html, explanationofbenefit.html. Adjudications are coded by
http://terminology.hl7.org/CodeSystem/adjudication; what is not paid names X12's group and reason,
as the mapper reads them from an 835 and writes them into one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final

from simdes.claims.engine import Adjustment, Decided, Proposal
from simdes.claims.money import Money, read_money, write_money
from simdes.claims.reasons import GROUP_SYSTEM, REASON_SYSTEM, REASONS, Group

Json = dict[str, Any]
Resource = Mapping[str, Any]

_ADJUDICATION: Final = "http://terminology.hl7.org/CodeSystem/adjudication"
_OWN: Final = "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBAdjudication"
_ERROR: Final = "http://terminology.hl7.org/CodeSystem/adjudication-error"
_PAYMENT_TYPE: Final = "http://terminology.hl7.org/CodeSystem/ex-paymenttype"
STATUS: Final = "urn:simdes:x12:element"
"""The system by which CLP02 (the status of a claim in an 835) is told."""
CLP02: Final = "CLP02"


class Outcome(StrEnum):
    """What was decided of a claim as a whole."""

    APPROVED = "approved"
    PARTLY = "partly"
    DENIED = "denied"
    MORE = "more"
    """Something is missing: it is decided when it came."""


def outcome_of(proposal: Proposal) -> Outcome:
    """Whole, part or nothing of what was claimed."""
    if not proposal.benefit:
        return Outcome.DENIED if proposal.submitted else Outcome.APPROVED
    return Outcome.APPROVED if proposal.benefit == proposal.submitted else Outcome.PARTLY


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an answer is made from: the Claim, what was decided of it, by whom, when.

    ``insurer`` is a Reference. ``order`` is the insurer's place (from 0) among the claim's.
    """

    claim: Resource
    proposal: Proposal
    outcome: Outcome
    insurer: Resource
    created: date
    identifier: Resource
    note: str = ""
    missing: Sequence[str] = ()
    order: int = 0

    def money(self, minor: int) -> Json:
        """An amount of the decision as FHIR's Money."""
        return write_money(Money(minor, self.proposal.currency))


def claim_response(answer: Answer, *, id_: str) -> Json:
    """The ClaimResponse. Asked for more: outcome ``queued`` with what is missing as errors."""
    claim = answer.claim
    queued = answer.outcome is Outcome.MORE
    made: Json = {
        "resourceType": "ClaimResponse",
        "id": id_,
        "identifier": [dict(answer.identifier)],
        "status": "active",
        "type": claim["type"],
        "use": claim["use"],
        "patient": claim["patient"],
        "created": answer.created.isoformat(),
        "insurer": dict(answer.insurer),
        "requestor": claim["provider"],
        "request": {"reference": f"Claim/{claim['id']}"},
        "outcome": "queued" if queued else _OUTCOMES[answer.outcome],
        "disposition": _DISPOSITIONS[answer.outcome],
    }
    if queued:
        made["error"] = [{"code": _missing(one)} for one in answer.missing or ("252",)]
    else:
        made["item"] = [
            {"itemSequence": one.sequence, "adjudication": adjudications(answer, one)}
            for one in answer.proposal.lines
        ]
        made["total"] = totals(answer)
    if answer.note:
        made["processNote"] = [{"number": 1, "type": "display", "text": answer.note}]
    return made


_OUTCOMES: Final[Mapping[Outcome, str]] = {
    Outcome.APPROVED: "complete",
    Outcome.PARTLY: "partial",
    Outcome.DENIED: "complete",
}
_DISPOSITIONS: Final[Mapping[Outcome, str]] = {
    Outcome.APPROVED: "Approved as claimed",
    Outcome.PARTLY: "Approved in part",
    Outcome.DENIED: "Denied",
    Outcome.MORE: "More information is needed to decide",
}


def _missing(text: str) -> Json:
    return {
        "coding": [
            {"system": _ERROR, "code": "a001", "display": "missing identifier"}
            if text == "identifier"
            else {"system": REASON_SYSTEM, "code": "252", "display": REASONS["252"]}
        ],
        **({"text": text} if text not in REASONS else {}),
    }


def explanation_of_benefit(
    answer: Answer, *, id_: str, response: str, payment: Resource | None = None
) -> Json:
    """The ExplanationOfBenefit: what was claimed beside what was decided; ``response`` is the id of
    the ClaimResponse, ``payment`` an EOB payment (`payment_of`)."""
    claim = answer.claim
    decided = {one.sequence: one for one in answer.proposal.lines}
    number = (claim.get("identifier") or [{}])[0]
    focal = [one for one in claim["insurance"] if one.get("focal") is True]
    made: Json = {
        "resourceType": "ExplanationOfBenefit",
        "id": id_,
        "identifier": [dict(answer.identifier)],
        "status": "active",
        "type": claim["type"],
        "use": claim["use"],
        "patient": claim["patient"],
        **({"billablePeriod": claim["billablePeriod"]} if "billablePeriod" in claim else {}),
        "created": answer.created.isoformat(),
        "insurer": dict(answer.insurer),
        "provider": claim["provider"],
        "claim": {
            "reference": f"Claim/{claim['id']}",
            **({"identifier": number} if number else {}),
        },
        "claimResponse": {"reference": f"ClaimResponse/{response}"},
        "outcome": _OUTCOMES[answer.outcome],
        "disposition": _DISPOSITIONS[answer.outcome],
        "supportingInfo": [_status(answer)],
        "insurance": [{"focal": True, "coverage": one["coverage"]} for one in focal],
        "item": [_item(answer, one, decided[one["sequence"]]) for one in claim["item"]],
        "total": totals(answer),
    }
    if payment is not None:
        made["payment"] = dict(payment)
    if answer.note:
        made["processNote"] = [{"number": 1, "type": "display", "text": answer.note}]
    return made


def _status(answer: Answer) -> Json:
    """CLP02 of an 835: as primary, secondary or tertiary insurer, or denied."""
    code = "4" if answer.outcome is Outcome.DENIED else str(min(answer.order, 2) + 1)
    return {
        "sequence": 1,
        "category": {"coding": [{"system": STATUS, "code": CLP02}]},
        "code": {"coding": [{"system": "https://x12.org/codes/1029", "code": code}]},
    }


def _item(answer: Answer, item: Resource, decided: Decided) -> Json:
    kept = ("sequence", "productOrService", "revenue", "modifier", "servicedDate")
    more = ("servicedPeriod", "quantity", "unitPrice", "net", "encounter")
    return {
        **{name: item[name] for name in (*kept, *more) if name in item},
        "adjudication": adjudications(answer, decided),
    }


def adjudications(answer: Answer, decided: Decided) -> list[Json]:
    """The amounts of a line: submitted, eligible, what is not paid and why, benefit."""
    return [
        _amount(answer, "submitted", decided.submitted),
        _amount(answer, "eligible", decided.allowed),
        *(_adjustment(answer, one) for one in decided.adjustments),
        _amount(answer, "benefit", decided.benefit),
    ]


def _amount(answer: Answer, code: str, minor: int, system: str = _ADJUDICATION) -> Json:
    return {
        "category": {"coding": [{"system": system, "code": code}]},
        "amount": answer.money(minor),
    }


def _adjustment(answer: Answer, one: Adjustment) -> Json:
    reason = {"system": REASON_SYSTEM, "code": one.reason, "display": REASONS[one.reason]}
    return {
        "category": {"coding": [{"system": GROUP_SYSTEM, "code": one.group.value}]},
        "reason": {"coding": [reason]},
        "amount": answer.money(one.amount),
    }


def totals(answer: Answer) -> list[Json]:
    """What was submitted, what is paid, what the patient bears, in all."""
    proposal = answer.proposal
    return [
        _amount(answer, "submitted", proposal.submitted),
        _amount(answer, "benefit", proposal.benefit),
        _amount(answer, "memberliability", proposal.patient, _OWN),
    ]


def payment_of(amount: Money, *, day: date, identifier: Resource) -> Json:
    """What was paid, when and under which number, as an EOB says it."""
    return {
        "type": {"coding": [{"system": _PAYMENT_TYPE, "code": "complete"}]},
        "date": day.isoformat(),
        "amount": write_money(amount),
        "identifier": dict(identifier),
    }


def read_lines(items: Iterable[Resource]) -> list[Decided]:
    """The decided lines of a ClaimResponse or EOB that this module wrote."""
    return [_read(one) for one in items]


def _read(item: Resource) -> Decided:
    found: dict[str, int] = {}
    taken = []
    for one in item.get("adjudication") or ():
        coding = one["category"]["coding"][0]
        minor = read_money(one["amount"]).minor
        if coding["system"] == GROUP_SYSTEM:
            reason = one["reason"]["coding"][0]["code"]
            taken.append(Adjustment(Group(coding["code"]), reason, minor))
        else:
            found[coding["code"]] = minor
    return Decided(
        sequence=int(item.get("itemSequence", item.get("sequence", 0))),
        submitted=found["submitted"],
        allowed=found["eligible"],
        benefit=found["benefit"],
        adjustments=tuple(taken),
    )
