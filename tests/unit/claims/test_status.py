"""Who asks what became of a claim gets where it is and the amounts in all: a published 276 is
answered with a 277 that names it and is read again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from simdes.claims.money import Money
from simdes.claims.status import Standing, State, status_of
from simdes.fhir.validate import validate
from simdes.mapper.x12.write_status import status, statuses
from unit.claims.test_responses import ENVELOPE
from unit.mapper.x12.samples import codes, mapped, mapped_all, only, sample

DAY = date(2026, 3, 9)
INSURER = {"display": "Insurer east"}
CODES = {
    Standing.UNKNOWN: "D0:35",
    Standing.OPENED: "A1:19",
    Standing.RECEIVED: "P1:20",
    Standing.ASKED: "P3:123",
    Standing.APPROVED: "F0:3",
    Standing.PARTLY: "F0:3",
    Standing.DENIED: "F2:585",
    Standing.APPEALED: "P2:46",
    Standing.PAID: "F1:65",
    Standing.REVERSED: "F3:101",
}


def state(standing: Standing) -> State:
    return State(
        standing=standing,
        since=DAY,
        submitted=Money(851_388, "USD"),
        benefit=Money(700_000, "USD"),
        number={"value": "ICN7"},
        paid=DAY,
        payment="P1",
    )


def answered(standing: Standing, at: int = 0) -> dict[str, Any]:
    """The Bundle of a published inquiry with its answer."""
    asked = mapped_all(sample("demo/demo.276")).messages[at].bundle
    task = next(
        one["resource"] for one in asked["entry"] if one["resource"]["resourceType"] == "Task"
    )
    told, response = status_of(task, state(standing), insurer=INSURER, id_="r1")
    for one in (told, response):
        assert [each for each in validate(one) if each.severity == "error"] == []
    others = [one for one in asked["entry"] if one["resource"] is not task]
    made = [
        {"fullUrl": "Task/t1", "resource": told},
        {"fullUrl": "ClaimResponse/r1", "resource": response},
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": [*made, *others]}


@pytest.mark.parametrize("standing", Standing)
def test_every_state_of_a_claim_has_its_status(standing: Standing) -> None:
    content = status(answered(standing), ENVELOPE).decode()
    [stc] = [one for one in content.split("~") if one.startswith("STC*")]
    assert stc.startswith(f"STC*{CODES[standing]}*20260309**")
    task = only(mapped(content.encode()), "Task")
    assert ":".join(codes(task["businessStatus"])) == CODES[standing]
    assert task["identifier"][0]["value"] == "ABCXYZ1"
    assert task["focus"]["identifier"]["value"] == "SM123456"


def test_what_is_paid_is_told_once_it_is_decided_and_when_once_it_is_paid() -> None:
    told = {}
    for one in (Standing.UNKNOWN, Standing.RECEIVED, Standing.APPROVED, Standing.PAID):
        content = status(answered(one), ENVELOPE).decode()
        [stc] = [part for part in content.split("~") if part.startswith("STC*")]
        told[one] = stc.split("*")
    assert told[Standing.UNKNOWN][4:10] == ["", "", "", "", "", ""]
    assert told[Standing.RECEIVED][4:6] == ["8513.88", ""]
    assert told[Standing.APPROVED][4:6] == ["8513.88", "7000.00"]
    assert told[Standing.APPROVED][8:10] == ["", ""]
    assert told[Standing.PAID][8:10] == ["20260309", "P1"]
    response = only(mapped(status(answered(Standing.PAID), ENVELOPE)), "ClaimResponse")
    assert response["payment"]["amount"]["value"] == Decimal("7000.00")


def test_of_a_claim_that_is_not_known_nothing_else_is_told() -> None:
    content = status(answered(Standing.UNKNOWN), ENVELOPE)
    assert b"ICN7" not in content
    assert b"8513.88" not in content
    assert b"REF*EJ*SM123456~" in content


def test_a_dependents_answer_has_both_levels() -> None:
    lines = status(answered(Standing.PAID, 2), ENVELOPE).decode().split("~")
    at = {one: number for number, one in enumerate(lines)}
    assert at["HL*4*3*22*1"] < at["NM1*IL*1*MANN*JOHN****MI*345678901"] < at["HL*5*4*23"]
    assert at["HL*5*4*23"] < at["NM1*QC*1*MANN*JOSEPH"] < at["TRN*2*ABCXYZ3"]


def test_several_answers_are_transactions_of_one_interchange() -> None:
    content = statuses([answered(Standing.PAID, at) for at in range(3)], ENVELOPE)
    assert content.count(b"~ST*277*") == 3
    assert b"GE*3*1~" in content
    assert len(mapped_all(content).messages) == 3
