"""Answers are valid FHIR, read back as they were decided, and 835s made of them balance."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from simdes.claims.claimed import claimed_of
from simdes.claims.engine import Member, denied, propose
from simdes.claims.money import Money, write_money
from simdes.claims.plan import read_plan
from simdes.claims.reasons import Group
from simdes.claims.remittance import Settled, reconciliation, unbalanced
from simdes.claims.responses import (
    Answer,
    Outcome,
    claim_response,
    explanation_of_benefit,
    outcome_of,
    payment_of,
    read_lines,
)
from simdes.fhir.validate import validate
from simdes.mapper import map_bytes
from simdes.mapper.x12.compose import Envelope
from simdes.mapper.x12.write_remittance import remittance
from support.claiming import CPT, PLAN, any_claim, any_member, any_plan, unbalanced_835

ENVELOPE = Envelope(
    sender=("ZZ", "EAST"),
    receiver=("ZZ", "NORTH"),
    day="20260309",
    time="1200",
    interchange=1,
    group=1,
    transaction=1,
)
EAST = {"identifier": {"system": "urn:simdes:organisation", "value": "0x05"}, "display": "East"}


def claim(*codes: str, id_: str = "c1") -> dict[str, Any]:
    items = [
        {
            "sequence": at,
            "productOrService": {"coding": [{"system": CPT, "code": code}]},
            "servicedDate": "2026-03-02",
            "net": {"value": 200 * at, "currency": "EUR"},
        }
        for at, code in enumerate(codes, 1)
    ]
    kind = {"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "professional"}
    return {
        "resourceType": "Claim",
        "id": id_,
        "identifier": [{"system": "urn:simdes:claim", "value": id_}],
        "status": "active",
        "type": {"coding": [kind]},
        "use": "claim",
        "patient": {"reference": "Patient/p1"},
        "created": "2026-03-02",
        "provider": {"reference": "Organization/o1"},
        "priority": {"coding": [{"code": "normal"}]},
        "insurance": [
            {"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/v1"}},
        ],
        "item": items,
    }


def answer(of: dict[str, Any], **others: Any) -> Answer:
    proposal = propose(read_plan(PLAN), claimed_of(of), Member(), received=date(2026, 3, 5))
    given: dict[str, Any] = {
        "claim": of,
        "proposal": proposal,
        "outcome": outcome_of(proposal),
        "insurer": EAST,
        "created": date(2026, 3, 6),
        "identifier": {"system": "urn:simdes:adjudication", "value": "a1"},
    }
    return Answer(**given | others)


def errors(resource: dict[str, Any]) -> list[object]:
    return [one for one in validate(resource) if one.severity == "error"]


def test_answers_are_valid_and_say_every_amount_with_its_reason() -> None:
    its = answer(claim("99213", "15821", "80050"))
    assert its.outcome is Outcome.PARTLY
    response = claim_response(its, id_="r1")
    payment = payment_of(
        Money(its.proposal.benefit, "EUR"),
        day=date(2026, 3, 9),
        identifier={"system": "urn:simdes:payment", "value": "p1"},
    )
    benefit = explanation_of_benefit(its, id_="b1", response="r1", payment=payment)
    assert errors(response) == errors(benefit) == []
    assert read_lines(response["item"]) == list(its.proposal.lines)
    assert read_lines(benefit["item"]) == list(its.proposal.lines)
    assert response["outcome"] == "partial"
    assert [one["amount"]["value"] for one in response["total"]] == [1200, 585, 615]


def test_a_denial_and_a_question_say_why() -> None:
    of = claim("99213")
    its = answer(of)
    none = answer(
        of,
        proposal=denied(its.proposal, group=Group.CONTRACT, reason="50"),
        outcome=Outcome.DENIED,
        note="See the letter",
    )
    response = claim_response(none, id_="r1")
    assert errors(response) == []
    [reason] = [one["reason"] for one in response["item"][0]["adjudication"] if "reason" in one]
    assert reason["coding"][0]["code"] == "50"
    asked = claim_response(
        answer(of, outcome=Outcome.MORE, missing=("The report of the operation",)), id_="r2"
    )
    assert errors(asked) == []
    assert (asked["outcome"], asked["error"][0]["code"]["text"]) == (
        "queued",
        "The report of the operation",
    )
    assert "item" not in asked


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("99213", Outcome.PARTLY), ("15821", Outcome.DENIED)],
)
def test_the_outcome_follows_from_what_is_paid(code: str, outcome: Outcome) -> None:
    assert answer(claim(code)).outcome is outcome


def settled(*benefits: dict[str, Any]) -> dict[str, Any]:
    return reconciliation(
        Settled(
            id="pr1",
            number={"system": "urn:simdes:payment", "value": "p1"},
            day=date(2026, 3, 9),
            insurer={"reference": "Organization/i1"},
            provider={"reference": "Organization/o1"},
            currency="EUR",
            benefits=benefits,
        )
    )


def bundled(resources: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "entry": [
            {"fullUrl": f"{one['resourceType']}/{one['id']}", "resource": one} for one in resources
        ]
    }


def test_a_remittance_balances_and_is_read_back_from_its_835() -> None:
    benefits = [
        explanation_of_benefit(
            answer(claim("99213", "80050", id_=f"c{at}")), id_=f"b{at}", response=f"r{at}"
        )
        for at in (1, 2)
    ]
    payment = settled(*benefits)
    assert errors(payment) == []
    assert unbalanced(payment, benefits) == []
    everything = [
        payment,
        *benefits,
        {"resourceType": "Organization", "id": "i1", "name": "East"},
        {"resourceType": "Organization", "id": "o1", "name": "North"},
        {"resourceType": "Patient", "id": "p1", "name": [{"family": "Okafor"}]},
        {"resourceType": "Coverage", "id": "v1"},
    ]
    bundle = {
        "entry": [{"fullUrl": f"{o['resourceType']}/{o['id']}", "resource": o} for o in everything]
    }
    text = remittance(bundle, ENVELOPE)
    assert b"CLP*c1*1*600.00*405.00*195.00" in text
    assert unbalanced_835(text) == []
    [read] = map_bytes("x.835", text).messages
    found = [one["resource"] for one in read.bundle["entry"]]
    again = [one for one in found if one["resourceType"] == "ExplanationOfBenefit"]
    [paid] = [one for one in found if one["resourceType"] == "PaymentReconciliation"]
    assert len(again) == 2
    assert unbalanced(paid, again) == []
    for old, new in (
        (b"CLP*c1*1*600.00*405.00", b"CLP*c1*1*600.00*404.00"),
        (b"BPR*I*810.00", b"BPR*I*810.01"),
        (b"CAS*PR*1*150.00", b"CAS*PR*1*150.01"),
    ):
        assert old in text
        assert unbalanced_835(text.replace(old, new, 1))


def test_what_does_not_balance_is_named() -> None:
    its = answer(claim("99213"))
    benefit = explanation_of_benefit(its, id_="b1", response="r1")
    payment = settled(benefit)
    cents = {"value": Decimal("0.01"), "currency": "EUR"}
    assert len(unbalanced(payment | {"paymentAmount": cents}, [benefit])) == 1
    [_, paid, *_] = benefit["total"]
    assert len(unbalanced(payment, [benefit | {"total": [{**paid, "amount": cents}]}])) == 3
    item = benefit["item"][0]
    short = item | {"adjudication": item["adjudication"][:-1]}
    assert len(unbalanced(payment, [benefit | {"item": [short]}])) == 1


def balance(chance: random.Random) -> None:
    """A random claim as a Claim, decided, answered, remitted: the 835 balances."""
    its = any_claim(chance)
    of = claim("99213") | {
        "item": [
            {
                "sequence": one.sequence,
                "productOrService": {
                    "coding": [{"system": system, "code": code} for system, code in one.codes]
                },
                "servicedDate": one.day.isoformat(),
                "quantity": {"value": one.quantity},
                "net": write_money(Money(one.net, "EUR")),
            }
            for one in its.lines
        ]
    }
    assert claimed_of(of).total == its.total
    proposal = propose(any_plan(chance), its, any_member(chance), received=date(2026, 4, 1))
    made = Answer(
        claim=of,
        proposal=proposal,
        outcome=outcome_of(proposal),
        insurer=EAST,
        created=date(2026, 4, 1),
        identifier={"value": "a"},
    )
    benefit = explanation_of_benefit(made, id_="b", response="r")
    payment = settled(benefit)
    assert unbalanced(payment, [benefit]) == []
    everything = [payment, benefit]
    bundle = {
        "entry": [
            {"fullUrl": f"{one['resourceType']}/{one['id']}", "resource": one} for one in everything
        ]
    }
    assert unbalanced_835(remittance(bundle, ENVELOPE)) == []


def test_the_835s_of_random_claims_balance() -> None:
    chance = random.Random(835)
    for _ in range(200):
        balance(chance)


@pytest.mark.accept
def test_the_835s_of_ten_thousand_random_claims_balance() -> None:
    chance = random.Random(10_000)
    for _ in range(10_000):
        balance(chance)
