"""Plans are tables that a person writes: read whole, or refused with what is wrong."""

from __future__ import annotations

import pytest

from simdes.claims.plan import read_plan
from simdes.errors import Invalid
from support.claiming import CPT, PLAN, line


def test_a_plan_is_read_with_its_rules_in_their_order() -> None:
    plan = read_plan(PLAN)
    assert (plan.deductible, plan.coinsurance, plan.out_of_pocket) == (15_000, 1_000, 90_000)
    assert plan.rule(line("15821")).covered is False
    exercise = plan.rule(line("97110"))
    assert (exercise.ceiling, exercise.copay, exercise.coinsurance) == (3_000, 500, 1_250)
    assert (exercise.limit_count, exercise.authorisation) == (20, True)
    assert plan.rule(line("97110", codes=(("urn:other", "97110"),))).name == "everything else"
    assert plan.rule(line("0", codes=())).name == "everything else"
    assert CPT in plan.rules[1].codes[0]


def test_only_what_the_lines_call_for_is_needed() -> None:
    plan = read_plan(PLAN)
    assert [one.resource for one in plan.needed([line("99213")])] == ["Condition"]
    both = plan.needed([line("99213"), line("97110")])
    assert [one.resource for one in both] == ["Condition", "Observation"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('id = "basic"\n', ""),
        ('currency = "EUR"', 'currency = "EURO"'),
        ('deductible = "150.00"', "deductible = 150.0"),
        ('deductible = "150.00"', 'deductible = "150.001"'),
        ('deductible = "150.00"', 'deductible = "-1"'),
        ('coinsurance = "10"', 'coinsurance = "100.01"'),
        ('coinsurance = "10"', 'coinsurance = "1e99999999"'),
        ('coinsurance = "10"', 'coinsurance = "NaN"'),
        ('coinsurance = "10"', 'coinsurance = "1.001"'),
        ('coinsurance = "10"', 'coinsurance = "some"'),
        ("filing_days = 180", "filing_days = -1"),
        ("filing_days = 180", "filing_day = 180"),
        ("covered = false", "covered = 0"),
        ("covered = false", "covered = false\nreason = '999'"),
        ('codes = ["971*"]', 'codes = "971*"'),
        ('resource = "Condition"', ""),
        ("limit_count = 20", "limit_count = true"),
        ("[plan]", "[plan"),
    ],
)
def test_a_plan_that_says_something_unknown_or_inexact_is_refused(old: str, new: str) -> None:
    assert old in PLAN
    with pytest.raises(Invalid):
        read_plan(PLAN.replace(old, new, 1))
