"""Random and written-out claims, plans and members, as tests of claims need them."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal

from simdes.claims.claimed import Claimed, Line
from simdes.claims.engine import Earlier, Member, Used
from simdes.claims.plan import Plan, Rule

CPT = "http://www.ama-assn.org/go/cpt"
DAY = date(2026, 3, 2)
PLAN = """
[plan]
id = "basic"
name = "Basic cover"
currency = "EUR"
deductible = "150.00"
coinsurance = "10"
out_of_pocket = "900.00"
filing_days = 180

[[rule]]
name = "cosmetic"
codes = ["15775", "1582*"]
covered = false

[[rule]]
name = "physiotherapy"
codes = ["http://www.ama-assn.org/go/cpt|971*"]
ceiling = "30.00"
copay = "5.00"
coinsurance = "12.5"
limit_count = 20
authorisation = true

[[rule]]
name = "everything else"

[[need]]
resource = "Condition"
why = "Was it necessary?"

[[need]]
resource = "Observation"
codes = ["971*"]
"""

CODES = ("99213", "99214", "80050", "97110", "J1885", "D0120")


def line(code: str = "99213", net: int = 10_000, **others: object) -> Line:
    """A line in cents."""
    given = {"sequence": 1, "codes": ((CPT, code),), "day": DAY, "net": net} | others
    return Line(**given)  # type: ignore[arg-type]


def claimed(*lines: Line, **others: object) -> Claimed:
    """A claim of these lines, in euros."""
    given = {"currency": "EUR", "lines": lines or (line(),), "created": DAY} | others
    return Claimed(**given)  # type: ignore[arg-type]


def any_plan(chance: random.Random) -> Plan:
    """A plan with rules of all kinds, in any combination."""
    rules = [
        Rule(
            name=f"r{at}",
            codes=(chance.choice(CODES), "97*") if chance.random() < 0.8 else ("*",),
            covered=chance.random() < 0.9,
            authorisation=chance.random() < 0.1,
            ceiling=chance.choice((None, chance.randrange(20_000))),
            copay=chance.choice((0, chance.randrange(5_000))),
            coinsurance=chance.choice((None, chance.randrange(10_001))),
            deductible=chance.random() < 0.7,
            limit_amount=chance.choice((None, chance.randrange(30_000))),
            limit_count=chance.choice((None, chance.randrange(6))),
        )
        for at in range(chance.randrange(5))
    ]
    return Plan(
        id="any",
        name="Any",
        currency="EUR",
        deductible=chance.choice((0, chance.randrange(30_000))),
        coinsurance=chance.randrange(10_001),
        out_of_pocket=chance.choice((None, chance.randrange(40_000))),
        filing_days=chance.randrange(400),
        rules=(*rules, Rule(name="all")),
    )


def any_claim(chance: random.Random) -> Claimed:
    """A claim of one to eight lines, of nothing up to large amounts, in odd quantities."""
    lines = [
        line(
            chance.choice(CODES),
            chance.choice((0, 1, chance.randrange(50_000), chance.randrange(10**9))),
            sequence=at,
            day=DAY + timedelta(days=chance.randrange(-30, 30)),
            quantity=Decimal(chance.randrange(1, 60)) / chance.choice((1, 1, 4, 10)),
        )
        for at in range(1, chance.randrange(2, 10))
    ]
    return claimed(*lines, authorisations=frozenset(chance.choice(((), ("A1",)))))


def any_member(chance: random.Random) -> Member:
    """A member with some of the period used up."""
    return Member(
        first=chance.choice((None, DAY - timedelta(days=chance.randrange(60)))),
        last=chance.choice((None, DAY + timedelta(days=chance.randrange(60)))),
        used=Used(
            deductible=chance.randrange(30_000),
            share=chance.randrange(30_000),
            amounts={"r0": chance.randrange(20_000)},
            counts={"r0": chance.randrange(3)},
        ),
        authorised={"A1": ("97*",)},
    )


def any_earlier(chance: random.Random, claim: Claimed) -> dict[int, Earlier]:
    """What an insurer before left of each line, now and then."""
    if chance.random() < 0.6:
        return {}
    return {one.sequence: Earlier(chance.randrange(one.net + 2)) for one in claim.lines}


def unbalanced_835(text: bytes) -> list[str]:
    """What does not add up in an 835, from its segments alone: an implementation of the guide's
    balancing rules that shares nothing with what writes it. Each transaction balances by itself."""
    transactions = text.decode().split("~ST*")[1:]
    assert transactions, "an 835 has a transaction"
    return [wrong for one in transactions for wrong in _unbalanced(one)]


def _unbalanced(text: str) -> list[str]:
    found: list[str] = []
    segments = [one.strip().split("*") for one in text.split("~") if one.strip()]
    paid = kept_back = Decimal(0)
    line_left = claim_left = None
    for one in [*segments, ["SVC"], ["CLP"]]:
        if one[0] in ("SVC", "CLP", "PLB", "SE"):
            if line_left:
                found.append(f"a line by {line_left}")
            line_left = None
        if one[0] in ("CLP", "PLB", "SE"):
            if claim_left:
                found.append(f"a claim by {claim_left}")
            claim_left = None
        match one:
            case ["BPR", _, amount, *_]:
                whole = Decimal(amount)
            case ["CLP", _, _, submitted, benefit, *_]:
                claim_left = Decimal(submitted) - Decimal(benefit)
                paid += Decimal(benefit)
            case ["SVC", _, submitted, benefit, *_]:
                line_left = Decimal(submitted) - Decimal(benefit)
            case ["CAS", _, *triplets]:
                taken = sum((Decimal(each) for each in triplets[1::3] if each), Decimal(0))
                claim_left = None if claim_left is None else claim_left - taken
                line_left = None if line_left is None else line_left - taken
            case ["PLB", _, _, *pairs]:
                kept_back += sum((Decimal(each) for each in pairs[1::2] if each), Decimal(0))
    if whole != paid - kept_back:
        found.append(f"the payment by {whole - paid + kept_back}")
    return found
