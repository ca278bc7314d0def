"""DFT and BAR: charges, accounts and coverage (chapter 6)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from simdes.fhir.validate import validate
from simdes.mapper import Mapped
from unit.mapper.hl7v2.messages import kept, mapped, resource, resources, segment

PID = segment("PID", {3: "M1^^^HOSP^MR", 5: "Doe^Jane", 18: "ACC1^^^HOSP"})
CHARGE = {1: "1", 2: "T1", 4: "20240105", 5: "20240106", 6: "CG", 7: "71045^Chest x-ray^C4"}


def sent(*segments: str, event: str = "DFT^P03") -> Mapped:
    one = mapped(PID, "PV1|1|I", *segments, event=event)
    assert [p for p in validate(one.bundle) if p.is_error] == []
    return one


def charge(**more: str) -> dict[str, Any]:
    fields = {**CHARGE, **{int(name[1:]): value for name, value in more.items()}}
    return resource(sent(segment("FT1", fields)), "ChargeItem")


def url(body: dict[str, Any]) -> str:
    return f"urn:uuid:{body['id']}"


def test_amounts_are_money_with_the_precision_sent() -> None:
    found = charge(f10="2", f11="100.50&EUR^TP", f12="50.25&EUR", f22="31.00&USD")
    assert found["priceOverride"] == {"value": Decimal("100.50"), "currency": "EUR"}
    assert str(found["priceOverride"]["value"]) == "100.50"
    others = {e["url"]: e.get("valueMoney") for e in found["extension"]}
    assert others["urn:simdes:hl7v2:unit-amount"] == {"value": Decimal("50.25"), "currency": "EUR"}
    assert others["urn:simdes:hl7v2:unit-cost"] == {"value": Decimal("31.00"), "currency": "USD"}
    assert kept(found)["FT1-11.2"] == "TP"
    assert found["quantity"] == {"value": Decimal(2)}


@pytest.mark.parametrize("sent_", ["twenty", "20&DOLLARS"])
def test_an_amount_that_is_none_is_kept_beside(sent_: str) -> None:
    found = charge(f11=sent_)
    assert sent_.rpartition("&")[2] in kept(found).values()
    assert "currency" not in found.get("priceOverride", {})


def test_what_was_charged_when_why_and_by_whom() -> None:
    one = sent(segment("FT1", {**CHARGE, 19: "R07.4^Chest pain^I10~J11^Flu^I10", 20: "77^Osler^W"}))
    found = resource(one, "ChargeItem")
    assert found["code"]["coding"][0]["system"] == "http://www.ama-assn.org/go/cpt"
    assert (found["occurrenceDateTime"], found["enteredDate"]) == ("2024-01-05", "2024-01-06")
    assert [reason["coding"][0]["code"] for reason in found["reason"]] == ["R07.4", "J11"]
    assert len(found["performer"]) == 1
    assert found["context"] == {"reference": url(resource(one, "Encounter"))}
    assert found["account"] == [{"reference": url(resource(one, "Account"))}]


def test_a_span_of_days_is_a_period() -> None:
    found = charge(f4="20240105^20240107")
    assert found["occurrencePeriod"] == {"start": "2024-01-05", "end": "2024-01-07"}
    assert "occurrenceDateTime" not in found


@pytest.mark.parametrize(
    ("kind", "status"), [("CG", "billable"), ("CD", "unknown"), ("PY", "unknown")]
)
def test_only_a_charge_is_billable(kind: str, status: str) -> None:
    found = charge(f6=kind)
    assert found["status"] == status
    assert (kept(found).get("FT1-6") == kind) == (kind != "CG")


def test_each_charge_has_its_procedure_and_order() -> None:
    one = sent(
        segment("FT1", {**CHARGE, 2: "T1"}),
        "PR1|1||71045^Chest x-ray^C4||20240105",
        segment("FT1", {**CHARGE, 2: "T2"}),
        "PR1|1||99213^Visit^C4||20240105",
        "ORC|RE|P1|F1",
        "OBR|1|P1|F1|71020^Chest x-ray^C4",
    )
    charges, procedures = resources(one, "ChargeItem"), resources(one, "Procedure")
    assert [c["service"] for c in charges] == [[{"reference": url(p)}] for p in procedures]
    order = {"reference": url(resource(one, "ServiceRequest"))}
    assert [order in c.get("supportingInformation", []) for c in charges] == [False, True]


def test_the_account_knows_who_pays() -> None:
    one = sent(
        segment("FT1", CHARGE),
        segment("GT1", {1: "1", 3: "Doe^John"}),
        segment("IN1", {1: "1", 2: "PLAN", 3: "INS1", 4: "Acme Insurance", 36: "POL1"}),
        segment("IN2", {61: "MEMBER1^^^ACME^MB"}),
    )
    account, coverage = resource(one, "Account"), resource(one, "Coverage")
    assert account["coverage"] == [{"coverage": {"reference": url(coverage)}}]
    (guarantor,) = account["guarantor"]
    assert guarantor["party"] == {"reference": url(resource(one, "RelatedPerson"))}
    assert coverage["subscriberId"] == "POL1"
    assert "MEMBER1" in {identifier["value"] for identifier in coverage["identifier"]}


@pytest.mark.parametrize(
    ("event", "status"), [("P01", "active"), ("P05", "active"), ("P06", "inactive")]
)
def test_the_event_opens_or_ends_the_account(event: str, status: str) -> None:
    assert resource(sent(event=f"BAR^{event}"), "Account")["status"] == status


def test_diagnoses_and_procedures_of_a_bill() -> None:
    one = sent(
        "DG1|1||R07.4^Chest pain^I10||20240105|A",
        "PR1|1||71045^Chest x-ray^C4||20240105",
        event="BAR^P12",
    )
    condition = resource(one, "Condition")
    assert condition["category"][0]["coding"][0]["code"] == "encounter-diagnosis"
    (diagnosis,) = resource(one, "Encounter")["diagnosis"]
    assert diagnosis["condition"] == {"reference": url(condition)}
    assert resource(one, "Procedure")["status"] == "completed"
