"""An insurer's clearing desk over X12: a claim of the network asked for by its number at every
stage (276, 277), remitted when it is paid and when that is taken back (835), cover asked for (270).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from simdes.errors import Forbidden, NotFound
from simdes.exchange import rights
from simdes.exchange.claims import billing_desk, deciding, paying
from simdes.exchange.claims.remitting import Span, remit
from simdes.exchange.claims.x12 import Interchange, answer_x12, party
from simdes.mapper import map_bytes
from support.claim_scene import Visit
from support.claiming import unbalanced_835
from support.consortium import Consortium
from unit.exchange.claims.conftest import Visiting
from unit.exchange.claims.test_inquiring import MEMBERS, SELF
from unit.mapper.x12.samples import one as x12

INQUIRY = """
    BHT*0010*13*Q1*20240102*1200
    HL*1**20*1
    NM1*PR*2*INSURER EAST*****PI*99999
    HL*2*1*21*1
    NM1*41*2*HOSPITAL*****46*S1
    HL*3*2*19*1
    NM1*1P*2*HOSPITAL*****XX*1234567893
    HL*4*3*22*0
    DMG*D8*19800101*F
    NM1*IL*1*OKAFOR*ADA****MI*M7
    TRN*1*{trace}
    REF*EJ*{number}
    AMT*T3*320
    DTP*472*D8*20240102
"""


def bundles(data: bytes) -> list[dict[str, Any]]:
    mapping = map_bytes("x", data)
    assert mapping.quarantined == ()
    return [one.bundle for one in mapping.messages]


def asked(visit: Visit, number: str) -> Interchange:
    """The insurer's answer to a 276 for a claim's number."""
    node = visit.network["east"].node
    question = x12("276", INQUIRY.format(trace="T1", number=number))
    [answer] = answer_x12(node, clerk_of(visit.network), bundles(question))
    assert (answer.kind, answer.count, answer.receiver) == ("277", 1, "SENDER")
    assert b"~TRN*2*T1~" in answer.content
    assert f"~REF*EJ*{number}~".encode() in answer.content
    return answer


def told(visit: Visit, number: str) -> list[str]:
    """The elements of the STC that answers for a claim's number."""
    lines = asked(visit, number).content.decode().split("~")
    [stc] = [one for one in lines if one.startswith("STC*")]
    return stc.split("*")


def remitted(visit: Visit, span: Span) -> str:
    [made] = remit(visit.network["east"].node, clerk_of(visit.network), span)
    assert (made.kind, made.receiver) == ("835", "Hospital North")
    assert unbalanced_835(made.content) == []
    return made.content.decode()


def clerk_of(network: Consortium) -> rights.Asking:
    """The insurer's claims staff, who know what the chain has."""
    node = network["east"].node
    node.following.catch_up()
    return rights.ask(node, network.session("east", "clerk.poe"))


def test_a_claim_is_told_of_by_its_number_and_remitted_when_it_is_paid(visiting: Visiting) -> None:
    visit = visiting()
    east, north = visit.network["east"].node, visit.network["north"].node
    claim = visit.disclosed()
    shown = visit.shown(claim)
    number = shown.claim["identifier"][0]["value"]
    assert told(visit, "no such number")[1] == "D0:35"
    assert told(visit, number)[1:5] == ["A1:19", *told(visit, number)[2:4], "320.00"]

    deciding.decide(east, clerk_of(visit.network), shown)
    decided = told(visit, number)
    assert (decided[1], decided[4], decided[5]) == ("F0:3", "320.00", "153.00")
    span = Span(first=date.fromtimestamp(visit.clock()) - timedelta(days=1))
    with pytest.raises(NotFound):
        remit(east, clerk_of(visit.network), Span(last=date(2020, 1, 1)))
    billing_desk.accept(north, visit.biller, claim)
    payment = paying.settle(east, clerk_of(visit.network), claim)
    paid_by = payment.reconciliation["paymentIdentifier"]["value"]
    paid = told(visit, number)
    assert (paid[1], paid[5], paid[9]) == ("F1:65", "153.00", paid_by)

    visit.network.settle()
    visit.work()
    content = remitted(visit, span)
    assert f"~TRN*1*{paid_by}~CUR*PR*EUR~" in content
    assert f"~CLP*{number}*1*320.00*153.00*167.00*ZZ*" in content
    assert "~N1*PR*Insurer East~" in content
    assert "~N1*PE*Hospital North~" in content
    again = bundles(content.encode())
    [benefit] = [
        one["resource"]
        for bundle in again
        for one in bundle["entry"]
        if one["resource"]["resourceType"] == "ExplanationOfBenefit"
    ]
    assert benefit["claim"]["identifier"]["value"] == number

    paying.reverse(east, clerk_of(visit.network), claim)
    assert told(visit, number)[1] == "F3:101"
    content = remitted(visit, span)
    [back] = [one for one in content.split("~ST*835*") if f"~CLP*{number}*22*" in one]
    assert f"~CLP*{number}*22*-320.00*-153.00*-167.00*ZZ*" in back
    assert "~BPR*I*0.00*" in back
    assert "*-153.00~SE*" in back  # PLB: what is owed goes on to the next payment


def test_cover_is_answered_in_the_same_desk_and_its_questions_mixed(network: Consortium) -> None:
    east = network["east"].node
    network.submit("east", "members.834", x12("834", MEMBERS))
    mixed = [*bundles(x12("270", SELF)), *bundles(x12("276", INQUIRY.format(trace=1, number="N")))]
    cover, status = answer_x12(east, clerk_of(network), mixed, sender="East!")
    assert (cover.kind, status.kind) == ("271", "277")
    assert cover.content.startswith(
        b"ISA*00*          *00*          *ZZ*EAST           *ZZ*SENDER "
    )
    assert b"EB*1**30~" in cover.content
    assert b"STC*D0:35*" in status.content
    assert cover.content[90:99] != status.content[90:99]  # interchange control numbers


def test_only_the_insurers_staff_answers_and_nothing_asked_is_refused(network: Consortium) -> None:
    east, north = network["east"].node, network["north"].node
    question = bundles(x12("276", INQUIRY.format(trace="T", number="N")))
    doctor = rights.ask(north, network.session("north", "dr.north"))
    for call in (
        lambda: answer_x12(north, doctor, question),
        lambda: remit(north, doctor, Span()),
    ):
        with pytest.raises(Forbidden):
            call()
    with pytest.raises(NotFound):
        answer_x12(east, clerk_of(network), [])
    assert (party("Insurer *~East of the World"), party("~*")) == ("INSUREREASTOFTH", "UNKNOWN")
