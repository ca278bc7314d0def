"""Who asks whether somebody is covered gets the plan's own rules, and what of them is used."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from simdes.claims.eligibility import Inquiry, eligibility_response
from simdes.claims.engine import Used
from simdes.claims.plan import read_plan
from simdes.fhir.validate import validate
from support.claiming import PLAN

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
    assert made["disposition"] == "Not covered on this day"
    assert "insurance" not in made
