"""What was settled, as a PaymentReconciliation that an 835 is written from; always in balance.

https://hl7.org/fhir/R4/paymentreconciliation.html. `unbalanced` finds what does not add up in a
remittance from anywhere: an 835 whose totals do not balance pays somebody the wrong amount.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from simdes.claims.money import Money, read_money, total, write_money
from simdes.claims.reading import coded
from simdes.claims.reasons import GROUP_SYSTEM

Json = dict[str, Any]
Resource = Mapping[str, Any]

_PAYMENT_TYPE: Final = "http://terminology.hl7.org/CodeSystem/payment-type"
_TOTAL: Final = "http://terminology.hl7.org/CodeSystem/adjudication"


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


def reconciliation(settled: Settled) -> Json:
    """The PaymentReconciliation: what is paid in all, and for which claim how much."""
    paid = [amount_of(one, "benefit", settled.currency) for one in settled.benefits]
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
        "paymentAmount": write_money(total(paid, settled.currency)),
        "paymentIdentifier": dict(settled.number),
        "detail": details,
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
