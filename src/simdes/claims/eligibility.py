"""Whether somebody is covered, and for what: CoverageEligibilityResponse from a plan (pure).

https://hl7.org/fhir/R4/coverageeligibilityresponse.html. What was asked for is an item by the
plan's rule for it; where nothing was, every rule is one: what the patient bears, which limits it
has and what of them is used, whether it needs prior authorisation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from simdes.claims.claimed import Line
from simdes.claims.coordination import covers_on
from simdes.claims.engine import Used
from simdes.claims.money import Money, write_money
from simdes.claims.plan import Plan, Rule
from simdes.claims.reading import coded, day_of

Json = dict[str, Any]
Resource = Mapping[str, Any]

_BENEFIT: Final = "http://terminology.hl7.org/CodeSystem/benefit-type"
_TERM: Final = "http://terminology.hl7.org/CodeSystem/benefit-term"
_UNIT: Final = "http://terminology.hl7.org/CodeSystem/benefit-unit"
SERVICE_TYPES: Final = "https://x12.org/codes/service-type-codes"
_WHOLE: Final = "30"
"""Health benefit plan coverage: the plan as a whole."""
_EVERY_CODE: Final = ("*",)
_PURPOSES: Final = frozenset(("auth-requirements", "benefits", "discovery", "validation"))
_DETAILED: Final = _PURPOSES - {"validation"}
_REJECTED: Final = "https://codesystem.x12.org/005010"


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


def asked_day(request: Resource, today: date) -> date:
    """The day that is asked about."""
    period = request.get("servicedPeriod") or {}
    return day_of(request.get("servicedDate")) or day_of(period.get("start")) or today


def eligibility_response(inquiry: Inquiry, *, id_: str) -> Json:
    """The answer to a CoverageEligibilityRequest; an error where nobody insured here is meant."""
    request = inquiry.request
    purposes = [one for one in request.get("purpose") or () if one in _PURPOSES] or ["benefits"]
    made: Json = {
        "resourceType": "CoverageEligibilityResponse",
        "id": id_,
        **_numbered(request),
        "status": "active",
        "purpose": purposes,
        "patient": request["patient"],
        **{name: request[name] for name in ("servicedDate", "servicedPeriod") if name in request},
        "created": inquiry.today.isoformat(),
        **({"requestor": request["provider"]} if "provider" in request else {}),
        "request": _answered(request),
        "outcome": "complete",
        "insurer": dict(inquiry.insurer),
    }
    if inquiry.coverage is None:
        return made | {"outcome": "error", "disposition": _UNKNOWN, "error": [_REJECTION]}
    covered = covers_on(inquiry.coverage, asked_day(request, inquiry.today))
    insurance = _insurance(inquiry, inquiry.coverage, covered=covered)
    if covered and inquiry.plan is not None and not _DETAILED.isdisjoint(purposes):
        insurance["item"] = _items(inquiry.plan, inquiry.used, request.get("item") or ())
    disposition = "Covered" if covered else "Not covered on this day"
    return made | {"disposition": disposition, "insurance": [insurance]}


_UNKNOWN: Final = "Nobody insured here is meant, or it can't be told who"
_REJECTION: Final = {
    "code": {
        "coding": [
            {"system": f"{_REJECTED}/901", "code": "75"},
            {"system": f"{_REJECTED}/889", "code": "C"},
        ],
        "text": _UNKNOWN,
    }
}
"""X12's AAA: subscriber not found; correct and ask again. One for all who can't be told, so that
the answer says nothing about which part of a question was right."""


def _numbered(request: Resource) -> Json:
    """The number of the transaction that the request came in, which its answer has, too."""
    own = [one for one in request.get("identifier") or () if "system" not in one]
    return {"identifier": own} if own else {}


def _answered(request: Resource) -> Json:
    traces = [one for one in request.get("identifier") or () if "system" in one]
    made: Json = {"type": "CoverageEligibilityRequest"}
    if "id" in request:
        made["reference"] = f"CoverageEligibilityRequest/{request['id']}"
    if traces:
        made["identifier"] = traces[0]
    return made


def _insurance(inquiry: Inquiry, coverage: Resource, *, covered: bool) -> Json:
    made: Json = {"coverage": {"reference": f"Coverage/{coverage['id']}"}, "inforce": covered}
    if period := coverage.get("period"):
        made["benefitPeriod"] = period
    return made


def _items(plan: Plan, used: Used, asked: Sequence[Resource]) -> list[Json]:
    """What was asked for, else everything; an item once."""
    found: list[Json] = []
    for one in asked:
        found += [each for each in _asked_for(plan, used, one) if each not in found]
    return found or list(_everything(plan, used))


def _asked_for(plan: Plan, used: Used, asked: Resource) -> Iterator[Json]:
    codes = tuple(coded(asked.get("productOrService")))
    if codes:
        line = Line(sequence=1, codes=codes, day=date.min, net=0)
        its: Json = {"productOrService": asked["productOrService"]}
        yield _item(plan, plan.rule(line), used, its)
        return
    types = {code for _, code in coded(asked.get("category"))}
    rules = [one for one in plan.rules if not types.isdisjoint(one.service_types)]
    if not rules:
        yield from _everything(plan, used)
    for rule in rules:
        for type_ in rule.service_types:
            if type_ in types:
                yield _item(plan, rule, used, _category(type_))


def _everything(plan: Plan, used: Used) -> Iterator[Json]:
    whole: Json = {"category": {"coding": [_service_type(_WHOLE)], "text": "Everything"}}
    whole |= {"name": plan.name, "unit": _INDIVIDUAL, "term": _YEARLY}
    whole["benefit"] = [
        *_money("deductible", plan, plan.deductible, used.deductible),
        *_money("copay-maximum", plan, plan.out_of_pocket, used.share),
    ]
    if whole["benefit"]:
        yield whole
    for rule in plan.rules:
        for what in _told_as(rule):
            yield _item(plan, rule, used, what)


def _told_as(rule: Rule) -> list[Json]:
    """What a rule is told under: its types of service, the plan as a whole, else its codes."""
    if rule.service_types:
        return [_category(one) for one in rule.service_types]
    if tuple(rule.codes) == _EVERY_CODE:
        return [_category(_WHOLE)]
    return [{"productOrService": {"text": ", ".join(rule.codes)}}]


def _category(type_: str) -> Json:
    return {"category": {"coding": [_service_type(type_)]}}


def _service_type(code: str) -> Json:
    return {"system": SERVICE_TYPES, "code": code}


_YEARLY: Final = {"coding": [{"system": _TERM, "code": "annual"}]}
_INDIVIDUAL: Final = {"coding": [{"system": _UNIT, "code": "individual"}]}


def _item(plan: Plan, rule: Rule, used: Used, what: Json) -> Json:
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
        **what,
        "excluded": not rule.covered,
        "name": rule.name,
        "unit": _INDIVIDUAL,
        "term": _YEARLY,
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
