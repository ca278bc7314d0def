"""A claim from a finished encounter: charges, invoices, the tariff, and several insurers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from simdes.claims.building import Basis, build, claim_for, is_finished, remaining
from simdes.claims.claimed import claimed_of
from simdes.claims.coordination import covers_on, in_order, payers
from simdes.claims.money import Money, write_money
from simdes.claims.tariff import read_tariff
from simdes.errors import Invalid
from simdes.fhir.validate import validate
from support.claiming import CPT

ENCOUNTER = {
    "resourceType": "Encounter",
    "id": "e1",
    "status": "finished",
    "class": {"code": "AMB"},
    "subject": {"reference": "Patient/p1"},
    "period": {"start": "2026-03-02T09:00:00Z", "end": "2026-03-02T09:20:00Z"},
    "diagnosis": [{"condition": {"reference": "Condition/c1"}}],
}
TARIFF = f"""
# prices of a small practice
currency EUR
{CPT}|99213 ; ; 2026-02-28 ; 70.00 ; Visit, old price
{CPT}|99213 ; 2026-03-01 ; ; 80.50 ; Visit
{CPT}|97110 ; ; ; 33.33 ; Exercise, a quarter of an hour
"""


def charge(id_: str, code: str, **others: Any) -> dict[str, Any]:
    return {
        "resourceType": "ChargeItem",
        "id": id_,
        "status": "billable",
        "code": {"coding": [{"system": CPT, "code": code}]},
        "subject": {"reference": "Patient/p1"},
        "context": {"reference": "Encounter/e1"},
        **others,
    }


def basis(*charges: dict[str, Any], **others: Any) -> Basis:
    given: dict[str, Any] = {
        "encounter": ENCOUNTER,
        "charges": charges,
        "tariff": read_tariff(TARIFF),
        "currency": "EUR",
        "provider": {"reference": "Organization/o1"},
        "today": date(2026, 3, 4),
    }
    return Basis(**given | others)


def nets(of: Basis) -> list[Decimal]:
    return [one["net"]["value"] for one in build(of).items]


def test_a_charge_costs_what_its_invoice_says_then_its_own_price_then_the_tariff() -> None:
    visit = charge("v", "99213")
    assert nets(basis(visit)) == [Decimal("80.50")]
    own = {"priceOverride": {"value": Decimal("75.00"), "currency": "EUR"}}
    assert nets(basis(visit | own)) == [Decimal("75.00")]
    invoice = {
        "resourceType": "Invoice",
        "status": "issued",
        "lineItem": [
            {
                "chargeItemReference": {"reference": "ChargeItem/v"},
                "priceComponent": [
                    {"type": "base", "amount": {"value": 100, "currency": "EUR"}},
                    {"type": "discount", "amount": {"value": 10, "currency": "EUR"}},
                    {"type": "tax", "amount": {"value": Decimal("1.5"), "currency": "EUR"}},
                    {"type": "informational", "amount": {"value": 7, "currency": "EUR"}},
                ],
            }
        ],
    }
    assert nets(basis(visit | own, invoices=(invoice,))) == [Decimal("91.50")]
    draft = invoice | {"status": "draft"}
    assert nets(basis(visit | own, invoices=(draft,))) == [Decimal("75.00")]


def test_the_tariff_is_that_of_the_day_times_quantity_and_factor_rounded_once() -> None:
    before = charge("v", "99213", occurrenceDateTime="2026-02-28")
    more = charge("x", "97110", quantity={"value": Decimal("2.5")}, factorOverride=Decimal("1.1"))
    assert nets(basis(before, more)) == [Decimal("70.00"), Decimal("91.66")]


def test_what_has_no_price_or_is_not_of_the_encounter_is_not_claimed() -> None:
    built = build(
        basis(
            charge("a", "00000"),
            charge("b", "99213", context={"reference": "Encounter/other"}),
            charge("c", "99213", status="not-billable"),
            charge("d", "99213"),
        )
    )
    assert built.unpriced == ("ChargeItem/a",)
    assert built.cost == Money(8050, "EUR")


def test_procedures_are_priced_where_nothing_was_charged() -> None:
    procedure = {
        "resourceType": "Procedure",
        "id": "x",
        "encounter": {"reference": "Encounter/e1"},
        "code": {"coding": [{"system": CPT, "code": "99213"}]},
        "performedDateTime": "2026-03-02",
    }
    assert nets(basis(procedures=(procedure,))) == [Decimal("80.50")]
    assert nets(basis(charge("a", "97110"), procedures=(procedure,))) == [Decimal("33.33")]


def coverage(id_: str, **others: Any) -> dict[str, Any]:
    return {"resourceType": "Coverage", "id": id_, "status": "active", **others}


def test_a_claim_is_valid_adds_up_and_names_its_insurers_in_order() -> None:
    of = basis(charge("v", "99213"), charge("x", "97110"))
    claim = claim_for(
        of,
        build(of).items,
        [coverage("one"), coverage("two")],
        focal=1,
        id_="claim-2",
        identifier={"system": "urn:x", "value": "7"},
        responses={0: "first"},
    )
    problems = [one for one in validate(claim) if one.severity == "error"]
    assert problems == []
    assert claim["insurance"] == [
        {
            "sequence": 1,
            "focal": False,
            "coverage": {"reference": "Coverage/one"},
            "claimResponse": {"reference": "ClaimResponse/first"},
        },
        {"sequence": 2, "focal": True, "coverage": {"reference": "Coverage/two"}},
    ]
    read = claimed_of(claim)
    assert read.total == Money(11_383, "EUR")
    assert [one.day for one in read.lines] == [date(2026, 3, 2)] * 2
    assert is_finished(ENCOUNTER)
    assert not is_finished(ENCOUNTER | {"status": "in-progress"})


def test_the_next_insurer_is_asked_for_what_is_left() -> None:
    of = basis(charge("v", "99213"), charge("x", "97110"))
    left = remaining(build(of).items, {1: 8050, 2: 33})
    assert [(one["sequence"], one["net"]["value"]) for one in left] == [(2, Decimal("33.00"))]


@pytest.mark.parametrize(
    "change",
    [
        {"item": []},
        {"total": {"value": 1, "currency": "EUR"}},
        {"created": "soon"},
        {"item": [{"sequence": 1, "net": {"value": Decimal("0.001"), "currency": "EUR"}}]},
        {"item": [{"sequence": 1, "net": {"value": -1, "currency": "EUR"}}]},
        {"item": [{"sequence": 1, "servicedDate": "2026-01-01"}]},
        {
            "item": [
                {"sequence": 1, "servicedDate": "2026-01-01", "net": {"value": 1}},
                {"sequence": 1, "servicedDate": "2026-01-01", "net": {"value": 1}},
            ]
        },
    ],
    ids=lambda one: next(iter(one)),
)
def test_a_claim_that_can_not_be_decided_is_refused(change: dict[str, Any]) -> None:
    claim = {
        "created": "2026-03-02",
        "item": [
            {"sequence": 1, "servicedDate": "2026-03-02", "net": {"value": 5, "currency": "EUR"}}
        ],
    }
    assert claimed_of(claim).total == Money(500, "EUR")
    with pytest.raises(Invalid):
        claimed_of(claim | change)


def test_a_price_times_a_quantity_stands_in_for_a_missing_net() -> None:
    item = {
        "sequence": 1,
        "servicedDate": "2026-03-02",
        "unitPrice": {"value": Decimal("3.33")},
        "quantity": {"value": Decimal("1.5")},
    }
    whole = {"value": 5, "currency": "EUR"}
    assert claimed_of({"created": "2026", "item": [item], "total": whole}).lines[0].net == 500


def test_coverages_are_asked_by_their_order_or_by_the_usual_rules() -> None:
    day = date(2026, 3, 2)
    first, second = coverage("b", order=1), coverage("a", order=2)
    assert in_order([second, first], day) == [first, second]
    dependant = coverage("d", relationship={"coding": [{"code": "child"}]})
    older = coverage("o", period={"start": "2020-01-01"})
    newer = coverage("n", period={"start": "2024"})
    car = coverage("c", type={"coding": [{"code": "AUTOPOL"}]})
    found = in_order([dependant, newer, car, older], day)
    assert [one["id"] for one in found] == ["c", "o", "n", "d"]


@pytest.mark.parametrize(
    ("others", "is_covered"),
    [
        ({}, True),
        ({"status": "cancelled"}, False),
        ({"period": {"start": "2026-03-02", "end": "2026-03-02"}}, True),
        ({"period": {"start": "2026-03-03"}}, False),
        ({"period": {"end": "2026-03-01"}}, False),
        ({"period": {"end": "2026"}}, True),
        ({"period": {"end": "2026-02"}}, False),
    ],
)
def test_a_coverage_counts_on_days_of_its_period(others: dict[str, Any], is_covered: bool) -> None:
    assert covers_on(coverage("x", **others), date(2026, 3, 2)) is is_covered


def test_an_insurer_of_the_network_is_named_by_its_id() -> None:
    named = {"identifier": {"system": "urn:simdes:organisation", "value": "0x12"}}
    assert payers([coverage("a", payor=[{}, named]), coverage("b")]) == ["0x12", ""]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a|b;;;1;x",
        "currency XXX",
        "currency EUR\na|b;;;1.001;x",
        "currency EUR\na|b;;;-1;x",
        "currency EUR\na|b;2026-02-01;2026-01-01;1;x",
        "currency EUR\na|b;2026-13-01;;1;x",
        "currency EUR\na|b;;;1",
        "currency EUR\n;;;1;x",
        "currency EUR\na|b;;2026-02-01;1;x\na|b;2026-02-01;;1;x",
    ],
)
def test_a_tariff_that_can_not_be_read_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_tariff(text)


def test_amounts_keep_their_decimals_in_the_claim() -> None:
    assert write_money(Money(100, "EUR"))["value"].as_tuple().exponent == -2
