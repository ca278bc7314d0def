"""How many claims a second are built, decided, answered and remitted, without ledger and network.

Run `.venv/bin/python bench/claims.py`. One process; CPU seconds, so that a busy machine counts for
nothing. A claim has ten lines; its plan has twenty rules. The ledger's part is measured by
`bench/ledger.py`: each claim is three transactions or more, each decision one.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from datetime import date
from typing import Any

from simdes.claims.building import Basis, build, claim_for
from simdes.claims.claimed import claimed_of
from simdes.claims.engine import Member, propose
from simdes.claims.plan import Plan, Rule
from simdes.claims.remittance import Settled, reconciliation
from simdes.claims.responses import Answer, claim_response, explanation_of_benefit, outcome_of
from simdes.claims.tariff import read_tariff
from simdes.mapper.x12.compose import Envelope
from simdes.mapper.x12.write_remittance import remittance

LINES, RULES = 10, 20
DAY = date(2026, 3, 2)
PARTY = {"identifier": {"system": "urn:simdes:organisation", "value": "0x01"}}
ENVELOPE = Envelope(
    sender=("ZZ", "A"),
    receiver=("ZZ", "B"),
    day="20260302",
    time="1200",
    interchange=1,
    group=1,
    transaction=1,
)


def basis() -> Basis:
    """A finished encounter with ten charges of the tariff."""
    rows = "".join(f"urn:x|{at};;;{at}.50;x\n" for at in range(1, LINES + 1))
    charges = [
        {
            "resourceType": "ChargeItem",
            "id": str(at),
            "status": "billable",
            "code": {"coding": [{"system": "urn:x", "code": str(at)}]},
            "context": {"reference": "Encounter/e"},
        }
        for at in range(1, LINES + 1)
    ]
    encounter = {
        "resourceType": "Encounter",
        "id": "e",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": "Patient/p"},
        "period": {"start": "2026-03-02"},
    }
    return Basis(
        encounter=encounter,
        charges=charges,
        tariff=read_tariff("currency EUR\n" + rows),
        currency="EUR",
        provider=PARTY,
        today=DAY,
    )


def a_second(step: Callable[[], object], count: int) -> int:
    """How often a step is done in a second of CPU time."""
    step()
    begun = time.process_time()
    for _ in range(count):
        step()
    return int(count / (time.process_time() - begun))


def measure(count: int) -> dict[str, Any]:
    """Each step's rate."""
    of = basis()
    rules = [Rule(name=f"r{at}", codes=(f"{at}*",), copay=100) for at in range(RULES, 0, -1)]
    plan = Plan(id="p", name="P", currency="EUR", deductible=2_000, coinsurance=1_000, rules=rules)

    def opened() -> dict[str, Any]:
        items = build(of).items
        cover = [{"id": "v"}]
        return claim_for(of, items, cover, focal=0, id_="c", identifier={"value": "c"})

    claim = opened()

    def decided() -> Answer:
        proposal = propose(plan, claimed_of(claim), Member(), received=DAY)
        return Answer(
            claim=claim,
            proposal=proposal,
            outcome=outcome_of(proposal),
            insurer=PARTY,
            created=DAY,
            identifier={"value": "a"},
        )

    answer = decided()

    def answered() -> dict[str, Any]:
        claim_response(answer, id_="r")
        return explanation_of_benefit(answer, id_="b", response="r")

    benefit = answered()

    def remitted() -> bytes:
        payment = reconciliation(
            Settled(
                id="p",
                number={"value": "p"},
                day=DAY,
                insurer=PARTY,
                provider=PARTY,
                currency="EUR",
                benefits=[benefit],
            )
        )
        entries = [{"fullUrl": one["id"], "resource": one} for one in (payment, benefit)]
        return remittance({"entry": entries}, ENVELOPE)

    steps = {"built": opened, "decided": decided, "answered": answered, "remitted": remitted}
    return {name: a_second(step, count) for name, step in steps.items()}


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000)
    print(json.dumps({"a CPU second": measure(parser.parse_args().count), "lines": LINES}))


if __name__ == "__main__":
    main()
