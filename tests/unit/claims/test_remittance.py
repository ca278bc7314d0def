"""Payments with adjustments of their own, dependents and claims that are taken back: their 835s
balance to the cent (BPR02 = sum of CLP04 - PLB; CLP03 - sum of CAS = CLP04), whatever they hold."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from simdes.claims.engine import propose
from simdes.claims.money import Money, write_money
from simdes.claims.remittance import (
    Adjusted,
    Kept,
    Settled,
    reconciliation,
    reversed_benefit,
    unbalanced,
)
from simdes.claims.responses import Answer, explanation_of_benefit, outcome_of
from simdes.fhir.validate import validate
from simdes.mapper import map_bytes
from simdes.mapper.x12.write_remittance import remittance
from support.claiming import any_claim, any_member, any_plan, unbalanced_835
from unit.claims.test_responses import ENVELOPE, answer, claim, errors

NPI = {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}
NORTH = {"display": "Hospital north", "identifier": NPI}
EAST = {"display": "Insurer east"}
CHILD: list[dict[str, Any]] = [
    {
        "resourceType": "Patient",
        "id": "p1",
        "name": [{"family": "Okafor", "given": ["Max"]}],
    },
    {"resourceType": "Patient", "id": "p2", "name": [{"family": "Okafor", "given": ["Ada"]}]},
    {
        "resourceType": "Coverage",
        "id": "v1",
        "status": "active",
        "subscriberId": "M1",
        "subscriber": {"reference": "Patient/p2"},
        "beneficiary": {"reference": "Patient/p1"},
    },
]


def benefit(id_: str = "1") -> dict[str, Any]:
    return explanation_of_benefit(
        answer(claim("99213", "80050", id_=f"c{id_}")), id_=f"b{id_}", response=f"r{id_}"
    )


def payment(*benefits: dict[str, Any], kept: tuple[Adjusted, ...] = ()) -> dict[str, Any]:
    made = reconciliation(
        Settled(
            id="pr1",
            number={"system": "urn:simdes:payment", "value": "P1"},
            day=date(2026, 3, 9),
            insurer=EAST,
            provider=NORTH,
            currency="EUR",
            benefits=benefits,
            adjustments=kept,
        )
    )
    assert unbalanced(made, benefits) == []
    return made


def written(paid: dict[str, Any], *others: dict[str, Any]) -> bytes:
    every = [paid, *others]
    entries = [{"fullUrl": f"{one['resourceType']}/{one['id']}", "resource": one} for one in every]
    content = remittance({"entry": entries}, ENVELOPE)
    assert unbalanced_835(content) == []
    return content


def test_what_is_kept_back_or_added_is_the_difference_to_the_claims() -> None:
    kept = (
        Adjusted(why=Kept.OVERPAID, amount=5_000, number="OLD1"),
        Adjusted(why=Kept.INTEREST, amount=-250),
    )
    one = benefit()
    made = payment(one, kept=kept)
    assert errors(made) == []
    assert made["paymentAmount"]["value"] == Decimal("357.50")
    content = written(made, one)
    assert b"BPR*I*357.50*C*NON" in content
    assert b"CUR*PR*EUR~" in content
    assert b"PLB*1234567893*20261231*WO:OLD1*50.00~" in content
    assert b"PLB*1234567893*20261231*L6*-2.50~" in content
    [read] = map_bytes("x.835", content).messages
    found = [one["resource"] for one in read.bundle["entry"]]
    [again] = [one for one in found if one["resourceType"] == "PaymentReconciliation"]
    assert again["paymentAmount"] == {"value": Decimal("357.50"), "currency": "EUR"}


def test_a_payment_is_never_negative_what_is_owed_goes_on() -> None:
    one = benefit()
    made = payment(one, kept=(Adjusted(why=Kept.OVERPAID, amount=50_000, number="OLD1"),))
    assert made["paymentAmount"]["value"] == 0
    content = written(made, one)
    assert b"BPR*I*0.00*" in content
    assert b"FB:P1*-95.00~" in content


def test_a_claim_that_is_taken_back_turns_every_amount_around() -> None:
    one = benefit()
    back = reversed_benefit(one, id_="b9")
    assert errors(back) == []
    made = payment(benefit("2"), benefit("3"), back)
    assert made["paymentAmount"]["value"] == Decimal("405.00")
    content = written(made, benefit("2"), benefit("3"), back)
    assert b"CLP*c1*22*-600.00*-405.00*-195.00" in content
    assert content.count(b"CLP*") == 3
    [read] = map_bytes("x.835", content).messages
    found = [each["resource"] for each in read.bundle["entry"]]
    statuses = [each["status"] for each in found if each["resourceType"] == "ExplanationOfBenefit"]
    assert sorted(statuses) == ["active", "active", "cancelled"]
    assert reversed_benefit(back, id_="b1")["total"] == one["total"]


def test_a_dependents_remittance_names_patient_and_subscriber() -> None:
    one = benefit()
    content = written(payment(one), one, *CHILD)
    assert b"~NM1*QC*1*Okafor*Max~NM1*IL*1*Okafor*Ada****MI*M1~" in content
    [read] = map_bytes("x.835", content).messages
    found = {each["resource"]["resourceType"]: each["resource"] for each in read.bundle["entry"]}
    assert found["Patient"]["name"][0]["given"] == ["Max"]
    assert found["RelatedPerson"]["name"][0]["given"] == ["Ada"]
    own = CHILD[2] | {"subscriber": {"reference": "Patient/p1"}}
    assert b"~NM1*QC*1*Okafor*Max****MI*M1~SVC" in written(payment(one), one, CHILD[0], own)


def test_separators_in_names_and_numbers_make_no_segments() -> None:
    one = benefit()
    patient = CHILD[0] | {"name": [{"family": "O~PLB*1*20261231*L6*-9999", "given": ["*:^"]}]}
    content = written(payment(one), one, patient, *CHILD[1:])
    assert content.count(b"PLB*") == 0
    assert content.count(b"~") == written(payment(one), one, *CHILD).count(b"~")


def any_settled(chance: random.Random) -> None:
    """A random payment of several claims, some taken back, with adjustments: its 835 balances."""
    benefits = []
    for at in range(chance.randrange(1, 5)):
        its = any_claim(chance)
        of = claim("99213", id_=f"c{at}") | {
            "item": [
                {
                    "sequence": one.sequence,
                    "productOrService": {"coding": [{"code": one.codes[0][1]}]},
                    "servicedDate": one.day.isoformat(),
                    "net": write_money(Money(one.net, "EUR")),
                }
                for one in its.lines
            ]
        }
        proposal = propose(any_plan(chance), its, any_member(chance), received=date(2026, 4, 1))
        made = Answer(
            claim=of,
            proposal=proposal,
            outcome=outcome_of(proposal),
            insurer=EAST,
            created=date(2026, 4, 1),
            identifier={"value": f"a{at}"},
            order=chance.randrange(4),
        )
        found = explanation_of_benefit(made, id_=f"b{at}", response=f"r{at}")
        benefits.append(found)
        if chance.random() < 0.2:
            benefits.append(reversed_benefit(found, id_=f"x{at}"))
    kept = tuple(
        Adjusted(why=chance.choice(list(Kept)), amount=chance.randrange(-50_000, 500_000))
        for _ in range(chance.randrange(3))
    )
    paid = payment(*benefits, kept=kept)
    assert paid["paymentAmount"]["value"] >= 0
    written(paid, *benefits)


def test_random_payments_balance() -> None:
    chance = random.Random(221)
    for _ in range(150):
        any_settled(chance)


@pytest.mark.accept
def test_ten_thousand_random_payments_balance() -> None:
    chance = random.Random(10_221)
    for _ in range(10_000):
        any_settled(chance)


def test_a_payment_of_nothing_is_valid() -> None:
    assert [one for one in validate(payment()) if one.severity == "error"] == []
