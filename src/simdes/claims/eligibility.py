"""Whether somebody is covered, and for what: CoverageEligibilityResponse from a plan (pure).

https://hl7.org/fhir/R4/coverageeligibilityresponse.html. Every rule of the plan is an item: what
the patient bears of it, which limits it has, whether it needs prior authorisation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from simdes.claims.coordination import covers_on
from simdes.claims.engine import Used
from simdes.claims.money import Money, write_money
from simdes.claims.plan import Plan, Rule
from simdes.claims.reading import day_of

Json = dict[str, Any]
Resource = Mapping[str, Any]

_BENEFIT: Final = "http://terminology.hl7.org/CodeSystem/benefit-type"
_TERM: Final = "http://terminology.hl7.org/CodeSystem/benefit-term"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """Who asks about whom: the request and the Coverage (None: nobody insured here), what is used
    of the period, who answers, when."""

    request: Resource
    coverage: Resource | None
    plan: Plan | None
    used: Used
    insurer: Resource
    today: date


def eligibility_response(inquiry: Inquiry, *, id_: str) -> Json:
    """The answer to a CoverageEligibilityRequest."""
    request = inquiry.request
    period = request.get("servicedPeriod") or {}
    day = day_of(request.get("servicedDate")) or day_of(period.get("start")) or inquiry.today
    covered = inquiry.coverage is not None and covers_on(inquiry.coverage, day)
    made: Json = {
        "resourceType": "CoverageEligibilityResponse",
        "id": id_,
        "status": "active",
        "purpose": list(request.get("purpose") or ["benefits"]),
        "patient": request["patient"],
        **{name: request[name] for name in ("servicedDate", "servicedPeriod") if name in request},
        "created": inquiry.today.isoformat(),
        "request": {"reference": f"CoverageEligibilityRequest/{request['id']}"},
        "outcome": "complete",
        "insurer": dict(inquiry.insurer),
        "disposition": "Covered" if covered else "Not covered on this day",
    }
    if inquiry.coverage is not None:
        made["insurance"] = [_insurance(inquiry, covered=covered)]
    return made


def _insurance(inquiry: Inquiry, *, covered: bool) -> Json:
    assert inquiry.coverage is not None  # noqa: S101 (asked by the caller)
    made: Json = {
        "coverage": {"reference": f"Coverage/{inquiry.coverage['id']}"},
        "inforce": covered,
    }
    if period := inquiry.coverage.get("period"):
        made["benefitPeriod"] = period
    if covered and inquiry.plan is not None:
        made["item"] = _items(inquiry.plan, inquiry.used)
    return made


def _items(plan: Plan, used: Used) -> list[Json]:
    whole: Json = {"category": {"text": "Everything"}, "name": plan.name}
    whole["benefit"] = [
        *_money("deductible", plan, plan.deductible, used.deductible),
        *_money("copay-maximum", plan, plan.out_of_pocket, used.share),
    ]
    items = [whole] if whole["benefit"] else []
    return [*items, *(_item(plan, rule, used) for rule in plan.rules)]


def _item(plan: Plan, rule: Rule, used: Used) -> Json:
    points = plan.coinsurance if rule.coinsurance is None else rule.coinsurance
    benefits = [
        *_money("copay", plan, rule.copay or None),
        *_money("benefit", plan, rule.limit_amount, used.amounts.get(rule.name, 0)),
        *_count(rule, used),
    ]
    if points and rule.covered:
        percent = (Decimal(points) / 100).normalize()
        benefits.append({"type": _type("copay-percent"), "allowedString": f"{percent:f}"})
    return {
        "productOrService": {"text": ", ".join(rule.codes)},
        "excluded": not rule.covered,
        "name": rule.name,
        "term": {"coding": [{"system": _TERM, "code": "annual"}]},
        **({"benefit": benefits} if benefits and rule.covered else {}),
        "authorizationRequired": rule.authorisation,
    }


def _money(code: str, plan: Plan, allowed: int | None, used: int | None = None) -> Sequence[Json]:
    if allowed is None or (not allowed and code == "deductible"):
        return ()
    made: Json = {"type": _type(code), "allowedMoney": write_money(Money(allowed, plan.currency))}
    if used is not None:
        made["usedMoney"] = write_money(Money(used, plan.currency))
    return (made,)


def _count(rule: Rule, used: Used) -> Sequence[Json]:
    if not rule.limit_count:
        return ()
    return (
        {
            "type": _type("visit"),
            "allowedUnsignedInt": rule.limit_count,
            "usedUnsignedInt": used.counts.get(rule.name, 0),
        },
    )


def _type(code: str) -> Json:
    return {"coding": [{"system": _BENEFIT, "code": code}]}
