"""Every rule of the engine by examples, and amounts that reconcile to the cent."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

import pytest

from simdes.claims.claimed import Claimed
from simdes.claims.engine import (
    Adjustment,
    Decided,
    Earlier,
    Member,
    Used,
    amended,
    denied,
    propose,
    spent,
)
from simdes.claims.money import part
from simdes.claims.plan import Plan, Rule
from simdes.claims.reasons import REASONS, Group
from simdes.errors import Invalid
from support.claiming import DAY, any_claim, any_earlier, any_member, any_plan, claimed, line


def plan(*rules: Rule, **others: object) -> Plan:
    """A plan that pays everything else whole."""
    given = {"id": "p", "name": "P", "currency": "EUR", "rules": (*rules, Rule(name="all"))}
    return Plan(**given | others)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Example:
    """A claim under a plan: what is paid by line, and the reasons as text."""

    name: str
    plan: Plan
    paid: Sequence[int]
    reasons: Sequence[str] = ()
    claimed: Claimed = field(default_factory=claimed)
    member: Member = field(default_factory=Member)
    earlier: dict[int, Earlier] = field(default_factory=dict)
    days: int = 0


TWO = claimed(line(sequence=1), line(sequence=2))
EXAMPLES = [
    Example("covered whole", plan(), [10_000]),
    # coverage period
    Example("on the first day", plan(), [10_000], member=Member(first=DAY)),
    Example(
        "before it began", plan(), [0], ["PR-26 10000"], member=Member(first=DAY + timedelta(1))
    ),
    Example("on the last day", plan(), [10_000], member=Member(last=DAY)),
    Example("after it ended", plan(), [0], ["PR-27 10000"], member=Member(last=DAY - timedelta(1))),
    # filing
    Example("on the last day to file", plan(filing_days=90), [10_000], days=90),
    Example("a day too late", plan(filing_days=90), [0], ["CO-29 10000"], days=91),
    # decided before
    Example("decided before", plan(), [0], ["CO-18 10000"], member=Member(before={("99213", DAY)})),
    Example(
        "the same on another day",
        plan(),
        [10_000],
        member=Member(before={("99213", DAY - timedelta(1))}),
    ),
    # not covered
    Example(
        "excluded", plan(Rule(name="x", codes=("99213",), covered=False)), [0], ["PR-96 10000"]
    ),
    Example(
        "excluded, for a reason of its own",
        plan(Rule(name="x", codes=("99*",), covered=False, reason="50")),
        [0],
        ["PR-50 10000"],
    ),
    Example(
        "named by no rule",
        Plan(id="p", name="P", currency="EUR", rules=(Rule(name="x", codes=("1",)),)),
        [0],
        ["PR-204 10000"],
    ),
    Example(
        "of another system",
        plan(Rule(name="x", codes=("urn:other|99213",), covered=False)),
        [10_000],
    ),
    # prior authorisation
    Example(
        "not authorised",
        plan(Rule(name="x", codes=("99213",), authorisation=True)),
        [0],
        ["CO-197 10000"],
    ),
    Example(
        "authorised",
        plan(Rule(name="x", codes=("99213",), authorisation=True)),
        [10_000],
        claimed=claimed(authorisations=frozenset(("A7",))),
        member=Member(authorised={"A7": ("99213",)}),
    ),
    Example(
        "authorised for something else",
        plan(Rule(name="x", codes=("99213",), authorisation=True)),
        [0],
        ["CO-197 10000"],
        claimed=claimed(authorisations=frozenset(("A7",))),
        member=Member(authorised={"A7": ("97*",)}),
    ),
    Example(
        "with a number that nobody gave",
        plan(Rule(name="x", codes=("99213",), authorisation=True)),
        [0],
        ["CO-197 10000"],
        claimed=claimed(authorisations=frozenset(("A8",))),
        member=Member(authorised={"A7": ("*",)}),
    ),
    # tariff ceiling
    Example("above the tariff", plan(Rule(name="x", ceiling=8_000)), [8_000], ["CO-45 2000"]),
    Example("below the tariff", plan(Rule(name="x", ceiling=12_000)), [10_000]),
    Example(
        "a ceiling by quantity",
        plan(Rule(name="x", ceiling=3_333)),
        [8_333],
        ["CO-45 1667"],
        claimed=claimed(line(quantity=Decimal("2.5"))),
    ),
    # co-pay
    Example("co-pay", plan(Rule(name="x", copay=1_500)), [8_500], ["PR-3 1500"]),
    Example(
        "a co-pay of more than it costs", plan(Rule(name="x", copay=20_000)), [0], ["PR-3 10000"]
    ),
    # deductible
    Example("deductible", plan(deductible=4_000), [6_000], ["PR-1 4000"]),
    Example(
        "a deductible over two lines",
        plan(deductible=15_000),
        [0, 5_000],
        ["PR-1 10000", "PR-1 5000"],
        claimed=TWO,
    ),
    Example(
        "a deductible used in part",
        plan(deductible=4_000),
        [9_000],
        ["PR-1 1000"],
        member=Member(used=Used(deductible=3_000)),
    ),
    Example(
        "free of the deductible", plan(Rule(name="x", deductible=False), deductible=4_000), [10_000]
    ),
    # coinsurance
    Example("coinsurance", plan(coinsurance=2_000), [8_000], ["PR-2 2000"]),
    Example(
        "coinsurance of its own",
        plan(Rule(name="x", coinsurance=500), coinsurance=2_000),
        [9_500],
        ["PR-2 500"],
    ),
    Example(
        "a cent of coinsurance is rounded once",
        plan(coinsurance=3_333),
        [7],
        ["PR-2 3"],
        claimed=claimed(line(net=10)),
    ),
    Example(
        "all shares in turn",
        plan(Rule(name="x", ceiling=9_000, copay=1_000), deductible=2_000, coinsurance=1_000),
        [5_400],
        ["CO-45 1000", "PR-3 1000", "PR-1 2000", "PR-2 600"],
    ),
    # the most that a patient bears
    Example(
        "the most of a period",
        plan(deductible=4_000, out_of_pocket=2_500),
        [7_500],
        ["PR-1 2500"],
    ),
    Example(
        "the most is reached",
        plan(coinsurance=5_000, out_of_pocket=2_500),
        [10_000],
        member=Member(used=Used(share=2_500)),
    ),
    # limits of a period
    Example("an amount", plan(Rule(name="x", limit_amount=7_000)), [7_000], ["PR-119 3000"]),
    Example(
        "an amount over two lines",
        plan(Rule(name="x", limit_amount=15_000)),
        [10_000, 5_000],
        ["PR-119 5000"],
        claimed=TWO,
    ),
    Example(
        "an amount used before",
        plan(Rule(name="x", limit_amount=7_000)),
        [0],
        ["PR-119 10000"],
        member=Member(used=Used(amounts={"x": 9_000})),
    ),
    Example(
        "a count",
        plan(Rule(name="x", limit_count=1)),
        [10_000, 0],
        ["PR-119 10000"],
        claimed=TWO,
    ),
    Example(
        "parts count as whole",
        plan(Rule(name="x", limit_count=2)),
        [0],
        ["PR-119 10000"],
        claimed=claimed(line(quantity=Decimal("2.1"))),
    ),
    # coordination of benefits
    Example(
        "what the first left",
        plan(coinsurance=1_000),
        [2_000],
        ["OA-23 8000"],
        earlier={1: Earlier(2_000)},
    ),
    Example(
        "less than the first left",
        plan(coinsurance=9_000),
        [1_000],
        ["PR-2 1000", "OA-23 8000"],
        earlier={1: Earlier(2_000)},
    ),
    Example("the first paid all", plan(), [0], ["OA-23 10000"], earlier={1: Earlier(0)}),
    Example("more left than was claimed", plan(), [10_000], earlier={1: Earlier(99_000)}),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.name)
def test_each_rule_gives_what_its_example_says(example: Example) -> None:
    found = propose(
        example.plan,
        example.claimed,
        example.member,
        received=DAY + timedelta(example.days),
        earlier=example.earlier,
    )
    assert [one.benefit for one in found.lines] == list(example.paid)
    said = [f"{a.group}-{a.reason} {a.amount}" for one in found.lines for a in one.adjustments]
    assert said == list(example.reasons)


def reconciles(chance: random.Random) -> None:
    """One random claim under one random plan: all that must hold of its decision."""
    its, claim, member = any_plan(chance), any_claim(chance), any_member(chance)
    earlier = any_earlier(chance, claim)
    found = propose(
        its, claim, member, received=DAY + timedelta(chance.randrange(200)), earlier=earlier
    )
    assert [one.sequence for one in found.lines] == [one.sequence for one in claim.lines]
    for asked, one in zip(claim.lines, found.lines, strict=True):
        assert one.submitted == asked.net
        assert one.submitted == one.benefit + sum(each.amount for each in one.adjustments)
        assert 0 <= one.benefit <= one.submitted
        assert all(each.amount > 0 and each.reason in REASONS for each in one.adjustments)
        if asked.sequence in earlier:
            assert one.benefit <= earlier[asked.sequence].left
    assert found.submitted == claim.total.minor
    taken = sum(each.amount for one in found.lines for each in one.adjustments)
    assert found.submitted == found.benefit + taken
    assert spent(its, claim, found.lines, member.used) == found.used
    before, after = member.used, found.used
    assert before.deductible <= after.deductible <= max(its.deductible, before.deductible)
    if its.out_of_pocket is not None:
        assert after.share <= max(its.out_of_pocket, before.share)
    for rule in its.rules:
        if rule.limit_amount is not None:
            used = before.amounts.get(rule.name, 0)
            assert after.amounts.get(rule.name, 0) <= max(rule.limit_amount, used)
        if rule.limit_count is not None:
            used = before.counts.get(rule.name, 0)
            assert after.counts.get(rule.name, 0) <= max(rule.limit_count, used)


def test_a_thousand_random_claims_reconcile_to_the_cent() -> None:
    chance = random.Random(8)
    for _ in range(1_000):
        reconciles(chance)


@pytest.mark.accept
def test_a_hundred_thousand_random_claims_reconcile_to_the_cent() -> None:
    chance = random.Random(100_000)
    for _ in range(100_000):
        reconciles(chance)


def test_a_decision_that_does_not_add_up_can_not_be_made() -> None:
    with pytest.raises(Invalid):
        Decided(sequence=1, submitted=10, allowed=10, benefit=9)
    with pytest.raises(Invalid):
        Decided(
            sequence=1,
            submitted=10,
            allowed=10,
            benefit=-1,
            adjustments=(Adjustment(Group.CONTRACT, "45", 11),),
        )


def test_another_currency_is_refused() -> None:
    with pytest.raises(Invalid):
        propose(plan(currency="USD"), claimed(), Member(), received=DAY)


def test_a_person_pays_less_or_more_than_was_proposed_and_it_still_adds_up() -> None:
    [one] = propose(plan(coinsurance=2_000), claimed(), Member(), received=DAY).lines
    less = amended(one, benefit=5_000, group=Group.CONTRACT, reason="50")
    assert [(each.reason, each.amount) for each in less.adjustments] == [("2", 2000), ("50", 3000)]
    more = amended(one, benefit=9_000, group=Group.CONTRACT, reason="50")
    assert [(each.reason, each.amount) for each in more.adjustments] == [("2", 1000)]
    whole = amended(one, benefit=10_000, group=Group.CONTRACT, reason="50")
    assert whole.adjustments == ()
    for benefit, reason in ((10_001, "50"), (-1, "50"), (1, "nonsense")):
        with pytest.raises(Invalid):
            amended(one, benefit=benefit, group=Group.CONTRACT, reason=reason)


def test_a_denied_claim_uses_up_nothing() -> None:
    its = plan(deductible=100)
    found = propose(its, TWO, Member(), received=DAY)
    none = denied(found, group=Group.CONTRACT, reason="50")
    assert spent(its, TWO, found.lines, Used()).deductible == 100
    assert spent(its, TWO, none.lines, Used()) == Used()
    assert (none.benefit, none.submitted, none.patient) == (0, 20_000, 0)
    with pytest.raises(Invalid):
        denied(found, group=Group.CONTRACT, reason="0")


def test_a_part_of_an_amount_is_never_more_than_the_amount() -> None:
    assert all(
        0 <= part(minor, points) <= minor for minor in range(60) for points in range(0, 10_001, 37)
    )
