"""Who asks whether somebody is covered gets the plan's own rules, and what of them is used."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from simdes.claims.eligibility import Inquiry, eligibility_response
from simdes.claims.engine import Used
from simdes.claims.plan import read_plan
from simdes.fhir.validate import validate
from support.claiming import CPT, PLAN

REQUEST = {
    "resourceType": "CoverageEligibilityRequest",
    "id": "q1",
    "purpose": ["benefits"],
    "patient": {"reference": "Patient/p1"},
    "servicedDate": "2026-03-02",
}
COVERAGE = {
    "resourceType": "Coverage",
    "id": "v1",
    "status": "active",
    "period": {"start": "2026-01-01", "end": "2026-12-31"},
}


def answer(**others: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "request": REQUEST,
        "coverage": COVERAGE,
        "plan": read_plan(PLAN),
        "used": Used(deductible=4_000, counts={"physiotherapy": 3}),
        "insurer": {"display": "East"},
        "today": date(2026, 3, 4),
    }
    made = eligibility_response(Inquiry(**given | others), id_="r1")
    assert [one for one in validate(made) if one.severity == "error"] == []
    return made


def test_the_answer_says_what_is_covered_what_it_costs_and_what_is_used() -> None:
    [insurance] = answer()["insurance"]
    assert insurance["inforce"] is True
    whole, cosmetic, exercise, other = insurance["item"]
    [deductible, most] = whole["benefit"]
    assert (deductible["allowedMoney"]["value"], deductible["usedMoney"]["value"]) == (150, 40)
    assert most["allowedMoney"]["value"] == 900
    assert cosmetic["excluded"] is True
    assert "benefit" not in cosmetic
    assert exercise["authorizationRequired"] is True
    by_type = {one["type"]["coding"][0]["code"]: one for one in exercise["benefit"]}
    assert by_type["copay"]["allowedMoney"]["value"] == 5
    assert (by_type["visit"]["allowedUnsignedInt"], by_type["visit"]["usedUnsignedInt"]) == (20, 3)
    assert by_type["copay-percent"]["allowedString"] == "12.5"
    assert other["excluded"] is False


@pytest.mark.parametrize(
    ("day", "covered"), [("2026-01-01", True), ("2026-12-31", True), ("2027-01-01", False)]
)
def test_cover_is_that_of_the_day_that_is_asked_about(day: str, covered: bool) -> None:
    [insurance] = answer(request=REQUEST | {"servicedDate": day})["insurance"]
    assert insurance["inforce"] is covered
    assert ("item" in insurance) is covered


def test_who_is_not_insured_here_gets_no_benefits() -> None:
    made = answer(coverage=None, plan=None)
    assert made["outcome"] == "error"
    assert made["error"][0]["code"]["coding"][0]["code"] == "75"
    assert "insurance" not in made


@pytest.mark.parametrize("purpose", ["validation", "benefits", "auth-requirements"])
def test_who_asks_only_whether_somebody_is_covered_gets_no_benefits(purpose: str) -> None:
    made = answer(request=REQUEST | {"purpose": [purpose]})
    assert made["purpose"] == [purpose]
    assert ("item" in made["insurance"][0]) is (purpose != "validation")


def test_a_service_that_is_asked_for_is_answered_by_its_rule() -> None:
    def asked(code: str) -> dict[str, Any]:
        return {"productOrService": {"coding": [{"system": CPT, "code": code}]}}

    item = [asked("97110"), asked("15775"), asked("99213"), asked("97110")]
    [insurance] = answer(request=REQUEST | {"item": item})["insurance"]
    found = insurance["item"]
    assert [one["name"] for one in found] == ["physiotherapy", "cosmetic", "everything else"]
    assert [one["excluded"] for one in found] == [False, True, False]
    assert found[0]["productOrService"] == asked("97110")["productOrService"]
    assert found[0]["authorizationRequired"] is True


def test_what_no_rule_names_is_told_as_not_covered() -> None:
    text = PLAN[: PLAN.index('name = "everything else"')].rpartition("[[rule]]")[0]
    item = [{"productOrService": {"coding": [{"code": "00001"}]}}]
    request = REQUEST | {"item": item}
    [insurance] = answer(request=request, plan=read_plan(text))["insurance"]
    assert insurance["item"][0]["excluded"] is True
