"""What was settled, as a PaymentReconciliation that an 835 is written from; always in balance.

A provider's own adjustments (interest, what was paid too much before) are details beside claims; a
payment is never negative: what is owed beyond it goes on to the next one.

https://hl7.org/fhir/R4/paymentreconciliation.html. `unbalanced` finds what does not add up in a
remittance from anywhere: an 835 whose totals do not balance pays somebody the wrong amount.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final

from simdes.claims.money import Money, read_money, total, write_money
from simdes.claims.reading import coded
from simdes.claims.reasons import GROUP_SYSTEM
from simdes.claims.responses import CLP02, STATUS

Json = dict[str, Any]
Resource = Mapping[str, Any]

_PAYMENT_TYPE: Final = "http://terminology.hl7.org/CodeSystem/payment-type"
_KEPT: Final = "https://codesystem.x12.org/005010/426"
_TOTAL: Final = "http://terminology.hl7.org/CodeSystem/adjudication"


class Kept(StrEnum):
    """Why a payment is not the sum of its claims (X12 data element 426)."""

    OVERPAID = "WO"
    """What was paid too much before is taken back."""
    INTEREST = "L6"
    """Interest that is owed to the provider."""
    FORWARDED = "FB"
    """What goes on to the next payment, or comes from the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """A provider's own adjustment: ``amount`` minor units are taken off, negative ones paid on top;
    ``number`` names what it is about."""

    why: Kept
    amount: int
    number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """One payment to one provider for claims: their ExplanationOfBenefits."""

    id: str
    number: Resource
    day: date
    insurer: Resource
    provider: Resource
    currency: str
    benefits: Sequence[Resource]
    adjustments: Sequence[Adjusted] = ()


def reconciliation(settled: Settled) -> Json:
    """The PaymentReconciliation: what is paid in all, for which claim how much, and what of it is
    kept back or added."""
    paid = [amount_of(one, "benefit", settled.currency) for one in settled.benefits]
    kept = _kept(settled, sum(one.minor for one in paid))
    amount = total(paid, settled.currency) - Money(
        sum(one.amount for one in kept), settled.currency
    )
    details = [
        {
            "type": {"coding": [{"system": _PAYMENT_TYPE, "code": "payment"}]},
            "request": {"reference": one["claim"]["reference"]},
            "response": one["claimResponse"],
            "date": settled.day.isoformat(),
            "amount": write_money(amount),
        }
        for one, amount in zip(settled.benefits, paid, strict=True)
    ]
    return {
        "resourceType": "PaymentReconciliation",
        "id": settled.id,
        "status": "active",
        "created": settled.day.isoformat(),
        "paymentIssuer": dict(settled.insurer),
        "requestor": dict(settled.provider),
        "outcome": "complete",
        "paymentDate": settled.day.isoformat(),
        "paymentAmount": write_money(amount),
        "paymentIdentifier": dict(settled.number),
        **({"detail": made} if (made := [*details, *_adjusted(settled, kept)]) else {}),
    }


def _kept(settled: Settled, paid: int) -> list[Adjusted]:
    """The adjustments, with what goes on to the next payment where they take more than is paid."""
    owed = sum(one.amount for one in settled.adjustments) - paid
    found = [one for one in settled.adjustments if one.amount]
    if owed > 0:
        number = str(settled.number.get("value", ""))
        found.append(Adjusted(why=Kept.FORWARDED, amount=-owed, number=number))
    return found


def _adjusted(settled: Settled, kept: Sequence[Adjusted]) -> list[Json]:
    provider = settled.provider.get("identifier")
    return [
        {
            "type": {"coding": [{"system": _KEPT, "code": one.why.value}]},
            **({"identifier": {"value": one.number}} if one.number else {}),
            **({"submitter": {"identifier": provider}} if provider else {}),
            "date": date(settled.day.year, _DECEMBER, _LAST).isoformat(),
            "amount": write_money(Money(-one.amount, settled.currency)),
        }
        for one in kept
    ]


_DECEMBER, _LAST = 12, 31
"""The end of the provider's fiscal year, as PLB02 has it."""


def reversed_benefit(benefit: Resource, *, id_: str) -> Json:
    """A paid ExplanationOfBenefit taken back, as the 835's guide reverses a claim: every amount
    turned around, status ``cancelled`` (CLP02 22)."""
    made = {**_negated(dict(benefit)), "id": id_, "status": "cancelled"}
    told = [one for one in made.get("supportingInfo") or () if not _is_status(one)]
    numbers = [one["sequence"] for one in told]
    status = {
        "sequence": max(numbers, default=0) + 1,
        "category": {"coding": [{"system": STATUS, "code": CLP02}]},
        "code": {"coding": [{"system": "https://x12.org/codes/1029", "code": "22"}]},
    }
    return {**made, "supportingInfo": [*told, status]}


def _is_status(told: Resource) -> bool:
    return (STATUS, CLP02) in coded(told.get("category"))


def _negated(value: Any) -> Any:
    """The same with every amount of money that was decided turned around."""
    if isinstance(value, list):
        return [_negated(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: write_money(-read_money(one))
        if name == "amount" and isinstance(one, dict) and "currency" in one
        else _negated(one)
        for name, one in value.items()
    }


def amount_of(benefit: Resource, code: str, currency: str) -> Money:
    """A total of an ExplanationOfBenefit, nothing where it has none."""
    for one in benefit.get("total") or ():
        if (_TOTAL, code) in coded(one.get("category")):
            return read_money(one["amount"], currency=currency)
    return Money(0, currency)


def unbalanced(payment: Resource, benefits: Sequence[Resource]) -> list[str]:
    """What does not add up, for people; nothing where all is in balance.

    Line: submitted = benefit + adjustments. Claim: the same, its own adjustments included, and its
    lines sum to it. Payment: the sum of claims, less what the provider's adjustments take.
    """
    currency = str(payment["paymentAmount"]["currency"])
    found = []
    for benefit in benefits:
        name = benefit.get("id", "a claim")
        lines = [_line(one, currency) for one in benefit.get("item") or ()]
        for at, (submitted, paid, taken) in enumerate(lines, 1):
            if submitted != paid + taken:
                found.append(f"Line {at} of {name}: {submitted} claimed, {paid} + {taken} decided.")
        submitted, paid = (amount_of(benefit, one, currency) for one in ("submitted", "benefit"))
        own = _taken(benefit.get("adjudication") or (), currency)
        taken = total((one[2] for one in lines), currency) + own
        if submitted != paid + taken:
            found.append(f"{name}: {submitted} claimed, {paid} + {taken} decided.")
        if lines and total((one[0] for one in lines), currency) != submitted:
            found.append(f"{name}: its lines do not add up to {submitted}.")
    whole = total((amount_of(one, "benefit", currency) for one in benefits), currency)
    amount = read_money(payment["paymentAmount"]) + _kept_back(payment, currency)
    if whole != amount:
        found.append(f"The payment is {amount}, its claims {whole}.")
    return found


def _line(item: Resource, currency: str) -> tuple[Money, Money, Money]:
    rows = item.get("adjudication") or ()
    said = {
        code: read_money(one["amount"], currency=currency)
        for one in rows
        for system, code in coded(one.get("category"))
        if system == _TOTAL and "amount" in one
    }
    nothing = Money(0, currency)
    return (
        said.get("submitted", nothing),
        said.get("benefit", nothing),
        _taken(rows, currency),
    )


def _taken(adjudications: Sequence[Resource], currency: str) -> Money:
    return total(
        (
            read_money(one["amount"], currency=currency)
            for one in adjudications
            if any(system == GROUP_SYSTEM for system, _ in coded(one.get("category")))
        ),
        currency,
    )


def _kept_back(payment: Resource, currency: str) -> Money:
    """What the provider's own adjustments (PLB) take off the payment."""
    return -total(
        (
            read_money(one["amount"], currency=currency)
            for one in payment.get("detail") or ()
            if any(system.endswith("/426") for system, _ in coded(one.get("type")))
        ),
        currency,
    )
