"""A 270 is answered by a plan and members in files: the 271 names the inquiry and is read again;
nobody is answered about who can't be told apart."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from simdes.claims.plan import Plan, read_plan
from simdes.errors import Invalid, NotFound
from simdes.exchange.claims.inquiring import Answered, answer_files, as_x12
from simdes.fhir.validate import validate
from simdes.mapper import map_bytes
from support.claiming import PLAN
from support.gateways import simdes
from unit.mapper.x12.samples import codes, mapped, only, sample
from unit.mapper.x12.samples import one as x12
from unit.mapper.x12.test_dependents import INQUIRY

DAY = date(2024, 1, 2)
SERVICES = """
[[rule]]
name = "pharmacy"
codes = ["99999"]
service_types = ["88"]
copay = "7.50"
limit_amount = "500.00"
"""
MEMBERS = """
    BGN*00*1*20240101
    N1*P5*EMPLOYER*FI*999888777
    N1*IN*PAYER*XV*99999
    INS*Y*18*021*28*A***FT
    REF*0F*M1
    REF*1L*G1
    NM1*IL*1*DOE*JON
    DMG*D8*19680101*M
    HD*021**HLT
    DTP*348*D8*20240101
    INS*N*19*021*28*A***F
    REF*0F*M1
    REF*1L*G1
    NM1*IL*1*DOE*MAX
    DMG*D8*20150304*M
    HD*021**HLT
    DTP*348*D8*20240101
    INS*N*19*021*28*A***F
    REF*0F*M1
    REF*1L*G1
    NM1*IL*1*DOE*MIA
    DMG*D8*20150304*F
    HD*021**HLT
    DTP*348*D8*20240101
"""
SELF = """
    BHT*0022*13*10002*20240102*1319
    HL*1**20*1
    NM1*PR*2*PAYER*****PI*99999
    HL*2*1*21*1
    NM1*1P*2*HOSPITAL*****XX*1234567893
    HL*3*2*22*0
    TRN*1*T2*9877281234
    NM1*IL*1*DOE*JON****MI*M1
    DMG*D8*19680101*M
    DTP*291*D8*20240102
    EQ*30
"""


def plan() -> Plan:
    """A plan in dollars with a rule that names its type of service."""
    text = PLAN.replace("EUR", "USD")
    at = text.index("[[rule]]")
    return read_plan(text[:at] + SERVICES + text[at:])


def bundles(data: bytes) -> list[dict[str, Any]]:
    return [one.bundle for one in map_bytes("x", data).messages]


def answered(question: str, members: str = MEMBERS, *, today: date = DAY) -> Answered:
    asked = bundles(x12("270", question))
    (found,) = answer_files([plan()], bundles(x12("834", members)), asked, today=today)
    assert [one for one in validate(found.response) if one.severity == "error"] == []
    return found


def written(found: Answered) -> bytes:
    return as_x12([found], now_seconds=1_704_164_640, sender="PAYER", receiver="HOSPITAL")


def lines_of(content: bytes) -> list[str]:
    return content.decode().split("~")


def test_a_subscribers_271_names_the_inquiry_and_what_is_covered() -> None:
    content = written(answered(SELF))
    lines = lines_of(content)
    assert "BHT*0022*11*10002*20240102*0304" in lines
    assert "TRN*2*T2*9877281234" in lines
    assert "NM1*IL*1*DOE*JON****MI*M1" in lines
    assert "INS*Y*18" not in lines  # a 270 need not say it
    assert {"EB*1**30", "EB*1**88"} <= set(lines)
    assert "EB*C*IND*30**Basic cover*23*150.00" in lines
    assert "EB*C*IND*30**Basic cover*29*150.00" in lines
    assert "EB*B*IND*88**pharmacy*27*7.50****N" in lines
    assert "EB*F*IND*88**pharmacy*23*500.00****N" in lines
    assert "EB*A*IND*30**everything else*27**0.1***N" in lines
    assert not any("cosmetic" in one for one in lines)  # a range of codes has no place in an EB
    again = mapped(content)
    response = only(again, "CoverageEligibilityResponse")
    assert response["request"]["identifier"]["value"] == "T2"
    assert response["insurance"][0]["inforce"] is True
    money = [
        part["allowedMoney"]["value"]
        for item in response["insurance"][0]["item"]
        for part in item.get("benefit", ())
        if "allowedMoney" in part and codes(part["type"]) == ["B"]
    ]
    assert money == [Decimal("7.50")]


def test_a_dependents_271_has_both_levels_and_the_dependents_trace() -> None:
    lines = lines_of(written(answered(INQUIRY)))
    levels = [one for one in lines if one.startswith("HL*")]
    assert levels == ["HL*1**20*1", "HL*2*1*21*1", "HL*3*2*22*1", "HL*4*3*23*0"]
    at = {one: number for number, one in enumerate(lines)}
    assert at["HL*3*2*22*1"] < at["NM1*IL*1*DOE*JON****MI*M1"] < at["HL*4*3*23*0"]
    assert at["HL*4*3*23*0"] < at["TRN*2*T1*9877281234"] < at["NM1*03*1*DOE*MAX"]
    assert "INS*N*19" in lines
    again = mapped(written(answered(INQUIRY)))
    patient = only(again, "Patient")
    assert patient["name"][0]["given"] == ["MAX"]
    assert only(again, "Coverage")["subscriberId"] == "M1"


NOBODY = {
    "another number": SELF.replace("MI*M1", "MI*M2"),
    "another birth date": SELF.replace("19680101", "19680102"),
    "another name": SELF.replace("DOE*JON", "ROE*JIM"),
    "no birth date": SELF.replace("DMG*D8*19680101*M\n", ""),
    "a twin's initial": INQUIRY.replace("DOE*MAX", "DOE*M"),
    "another relation": INQUIRY.replace("INS*N*19", "INS*N*01"),
}


@pytest.mark.parametrize("question", NOBODY.values(), ids=NOBODY)
def test_whoever_can_not_be_told_is_rejected_in_the_same_words(question: str) -> None:
    found = answered(question)
    assert found.response["outcome"] == "error"
    assert "insurance" not in found.response
    lines = lines_of(written(found))
    assert [one for one in lines if one.startswith("AAA")] == ["AAA*N**75*C"]
    assert not any(one.startswith(("EB*", "DTP*346")) for one in lines)


def test_cover_that_ended_is_told_as_inactive() -> None:
    ended = MEMBERS.replace("DTP*348*D8*20240101", "DTP*348*D8*20230101\nDTP*349*D8*20231231")
    lines = lines_of(written(answered(SELF, ended)))
    assert "EB*6**30" in lines
    assert not any(one.startswith(("EB*1", "EB*B", "EB*C")) for one in lines)
    assert {"DTP*346*D8*20230101", "DTP*347*D8*20231231"} <= set(lines)


def test_what_is_asked_for_is_answered_and_no_more() -> None:
    lines = lines_of(written(answered(SELF.replace("EQ*30", "EQ*88"))))
    assert [one for one in lines if one.startswith(("EB*B", "EB*F"))]
    assert not any(one.startswith("EB*C") for one in lines)
    lines = lines_of(written(answered(SELF.replace("EQ*30", "EQ**HC:15775"))))
    assert "EB*I*IND***cosmetic******N**HC:15775" in lines
    exercise = lines_of(written(answered(SELF.replace("EQ*30", "EQ**HC:97110"))))
    assert "EB*F*IND***physiotherapy*29***VS*20*Y**HC:97110" in exercise


def test_several_questions_are_transactions_of_one_interchange() -> None:
    asked = [*bundles(x12("270", SELF)), *bundles(x12("270", INQUIRY))]
    found = answer_files([plan()], bundles(x12("834", MEMBERS)), asked, today=DAY)
    content = as_x12(found, now_seconds=1_704_164_640, sender="PAYER", receiver="HOSPITAL")
    lines = lines_of(content)
    assert [one for one in lines if one.startswith(("ST", "GE"))] == [
        "ST*271*0001*005010X279A1",
        "ST*271*0002*005010X279A1",
        "GE*2*1",
    ]
    mapping = map_bytes("x", content)
    assert len(mapping.messages) == 2
    assert not [one for message in mapping.messages for one in message.dropped if "SE" in one.path]


def test_the_published_inquiry_is_rejected_where_nobody_is_insured() -> None:
    (found,) = answer_files([plan()], [], bundles(sample("demo/demo.270")), today=DAY)
    content = written(found)
    assert b"TRN*2*93175-012547*9877281234~" in content
    assert b"AAA*N**75*C~" in content
    assert only(mapped(content), "CoverageEligibilityResponse")["outcome"] == "error"


def test_a_separator_in_a_name_makes_no_segment_of_its_own() -> None:
    found = answered(SELF)
    patient = next(
        one["resource"]
        for one in found.bundle["entry"]
        if one["resource"]["resourceType"] == "Patient"
    )
    patient["name"][0]["family"] = "DOE~EB*1**30*"
    text = written(found)
    plain = written(answered(SELF))
    assert text.count(b"~") == plain.count(b"~")
    assert text.count(b"EB*") == plain.count(b"EB*")


def test_what_asks_nothing_or_about_nobody_is_refused() -> None:
    with pytest.raises(NotFound):
        answer_files([plan()], [], bundles(sample("demo/demo.837")), today=DAY)
    request = {
        "resourceType": "CoverageEligibilityRequest",
        "status": "active",
        "patient": {"reference": "Patient/p"},
    }
    with pytest.raises(Invalid):
        answer_files([plan()], [], [{"entry": [{"resource": request}]}], today=DAY)


def test_the_command_says_what_is_covered_and_writes_the_271(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN.replace("EUR", "USD"))
    (tmp_path / "q.270").write_bytes(x12("270", SELF))
    (tmp_path / "m.834").write_bytes(x12("834", MEMBERS))
    asked = ("claim", "eligibility", "--plan", tmp_path / "plan.toml")
    about = ("--members", tmp_path / "m.834", "--day", "2024-01-02", tmp_path / "q.270")
    done = simdes(*asked, *about, "--answer", tmp_path / "out.271", "--json")
    assert done.returncode == 0, done.stderr
    [told] = json.loads(done.stdout)
    assert told["disposition"] == "Covered"
    assert b"EB*1**30~" in (tmp_path / "out.271").read_bytes()
    said = simdes(*asked, *about)
    assert "1: Covered" in said.stdout
    assert "deductible 150.00 USD" in said.stdout
