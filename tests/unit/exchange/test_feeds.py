"""What is answered to each input, by what became durable and what its sender asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from simdes.errors import Conflict, Unavailable
from simdes.exchange import feeds, quarantine, submit
from simdes.exchange.feeds import Answered, Input, receive, reject
from simdes.exchange.node import Node
from simdes.exchange.quarantine import Selection
from support import consortium
from support.mllp import adt, msa

UNSUPPORTED = b"MSH|^~\\&|A|N|S|N|1||ZZZ^Z99|%s|P|2.5.1|||%s|%s\rPID|1||1^^^N^MR\r"
NAMELESS = b"MSH|^~\\&|A|N|S|N|1||ADT^A01^ADT_A01|7|P|2.5.1\rPID|1||||Doe^Ann\rPV1|1|I\r"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("feeds") / "network"
    consortium.found(folder)
    with consortium.opened(folder) as network:
        yield network["north"].node


def given(node: Node, *contents: bytes) -> list[Answered]:
    return receive(node, [Input("mllp:192.0.2.7", content) for content in contents])


def codes(answered: Answered) -> list[tuple[str, str]]:
    return [msa(answer.decode()) for answer in answered.answers]


def test_original_mode_gives_one_application_acknowledgment(node: Node) -> None:
    [found] = given(node, adt("O1"))
    assert codes(found) == [("AA", "O1")]
    assert (found.accepted, found.quarantined, found.resources > 0) == (1, 0, True)


ACCEPTED = {"AL": True, "NE": False, "ER": False, "SU": True, "": False, "??": True}
REFUSED = {"AL": True, "NE": False, "ER": True, "SU": False, "": False, "??": True}


@pytest.mark.parametrize("application", list(ACCEPTED))
@pytest.mark.parametrize("accept", list(ACCEPTED))
def test_enhanced_mode_answers_as_both_conditions_say(
    node: Node, accept: str, application: str
) -> None:
    control = f"E{accept}{application}"
    good, bad = given(
        node,
        adt(control, header=f"P|2.5.1|||{accept}|{application}"),
        UNSUPPORTED % (control.encode(), accept.encode(), application.encode()),
    )
    if not accept + application:
        assert (codes(good), codes(bad)) == ([("AA", control)], [("AR", control)])
        return
    wanted = ["CA"] * ACCEPTED[accept] + ["AA"] * ACCEPTED[application]
    assert codes(good) == [(code, control) for code in wanted]
    wanted = (["CR"] * REFUSED[accept] + ["AR"] * REFUSED[application])[:1]
    assert codes(bad) == [(code, control) for code in wanted]


def test_a_message_in_quarantine_is_answered_with_its_reason_and_kept(node: Node) -> None:
    [found] = given(node, NAMELESS)
    [answer] = found.answers
    text = answer.decode()
    assert msa(text) == ("AE", "7")
    err = next(line for line in text.split("\r") if line.startswith("ERR")).split("|")
    assert err[3].endswith("^HL70357")
    assert err[4] == "E"
    assert "Doe" not in text
    assert found.quarantined == 1
    kept = quarantine.listed(node, None, Selection(code=found.reasons[0]))
    assert [one.name for one in kept.entries] == ["mllp:192.0.2.7"]


def test_the_same_bytes_again_are_acknowledged_again_and_change_nothing(node: Node) -> None:
    [first] = given(node, adt("D1", "d1"))
    again = given(node, adt("D1", "d1"), adt("D1", "d1"))
    assert [codes(one) for one in again] == [[("AA", "D1")]] * 2
    assert (first.resources > 0, [one.resources for one in again]) == (True, [0, 0])


def test_the_same_control_id_with_other_bytes_is_another_message(node: Node) -> None:
    given(node, adt("D2", "d2"))
    [other] = given(node, adt("D2", "d2", note="Maria"))
    assert codes(other) == [("AA", "D2")]
    assert other.resources > 0


def test_messages_without_a_batch_are_answered_one_by_one(node: Node) -> None:
    [found] = given(node, adt("P1") + adt("P2"))
    assert codes(found) == [("AA", "P1"), ("AA", "P2")]


def test_a_batch_is_answered_by_a_batch_with_the_good_and_the_bad(node: Node) -> None:
    bad = UNSUPPORTED % (b"B2", b"", b"")
    [found] = given(node, b"BHS|^~\\&|A|N|S|N|1||||K1\r" + adt("B1") + bad + b"BTS|2\r")
    [answer] = found.answers
    segments = answer.decode().split("\r")
    assert segments[0].startswith("BHS|^~\\&|S|N|A|N|")
    assert segments[0].endswith("|K1")
    assert [s.split("|")[1:3] for s in segments if s.startswith("MSA")] == [
        ["AA", "B1"],
        ["AR", "B2"],
    ]
    assert segments[-2:] == ["BTS|2", ""]


def test_a_batch_in_enhanced_mode_is_answered_on_both_levels(node: Node) -> None:
    one, two = (adt(f"L{n}", header="P|2.5.1|||AL|AL") for n in (1, 2))
    [found] = given(node, b"BHS|^~\\&|A|N|S|N|1||||K2\r" + one + two + b"BTS|2\r")
    levels = [
        [s.split("|")[1] for s in answer.decode().split("\r") if s.startswith("MSA")]
        for answer in found.answers
    ]
    assert levels == [["CA", "CA"], ["AA", "AA"]]


def test_a_batch_that_wants_no_acknowledgments_gets_an_empty_batch(node: Node) -> None:
    message = adt("N1", header="P|2.5.1|||ER|NE")
    [found] = given(node, b"BHS|^~\\&|A|N|S|N|1||||K3\r" + message + b"BTS|1\r")
    [answer] = found.answers
    assert b"MSA" not in answer
    assert answer.endswith(b"|K3\rBTS|0\r")


def test_acknowledgments_and_empty_frames_are_never_answered(node: Node) -> None:
    ack = given(node, adt("A1"))[0].answers[0]
    assert given(node, ack, ack + ack, b"", b"\r\n ") == [Answered()] * 4


def test_a_message_behind_an_acknowledgment_is_not_lost(node: Node) -> None:
    ack = given(node, adt("A2"))[0].answers[0]
    [found] = given(node, ack + adt("A3"))
    assert ("AA", "A3") in codes(found)


def test_garbage_is_kept_and_answered_as_an_error(node: Node) -> None:
    [found] = given(node, b"\xff\xfe garbage \x00")
    assert [code for code, _ in codes(found)] == ["AE"]
    assert found.quarantined == 1


def test_strays_in_front_of_a_message_are_kept_and_only_the_message_is_answered(
    node: Node,
) -> None:
    [found] = given(node, b"stray\r" + adt("S1"))
    assert codes(found) == [("AA", "S1")]
    assert (found.accepted, found.quarantined) == (1, 1)


def test_without_the_database_nothing_is_answered(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise Unavailable("away")

    monkeypatch.setattr(feeds, "submit_all", away)
    with pytest.raises(Unavailable):
        given(node, adt("U1"))


def test_one_input_that_fails_costs_the_others_nothing(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = submit.submit_all

    def choosy(node: Node, mappings: Any) -> Any:
        if any(b"|X2|" in message.source for one in mappings for message in one.messages):
            raise Conflict("A row breaks a rule.")
        return really(node, mappings)

    monkeypatch.setattr(feeds, "submit_all", choosy)
    one, two, three = given(node, adt("X1"), adt("X2"), adt("X3"))
    assert [codes(found) for found in (one, two, three)] == [
        [("AA", "X1")],
        [("AR", "X2")],
        [("AA", "X3")],
    ]
    assert (two.accepted, two.not_kept) == (0, 1)


def test_an_input_that_is_too_long_is_refused_by_its_beginning(node: Node) -> None:
    found = reject(node, adt("T1")[:200], limit_bytes=200)
    assert codes(found) == [("AR", "T1")]
    assert found.not_kept == 1
    assert b"200 bytes" in found.answers[0]


def test_every_answer_has_a_control_id_of_its_own(node: Node) -> None:
    found = given(node, *(adt(f"I{n}") for n in range(20)))
    ids = {one.answers[0].split(b"|")[9] for one in found}
    assert len(ids) == 20
    assert all(len(one) <= 20 for one in ids)


ORDER = (
    b"MSH|^~\\&|OE|N|RX|S|20260301080000||%s|%s|P|2.5.1|||%s|%s\r"
    b"PID|1||7000^^^NORTH^MR||Doe^Ann||19700101|F\r"
    b"ORC|%s|P1^OE|F1^RX\r"
    b"RXE||308182^Amoxicillin 250 MG^RXNORM|250||mg^^UCUM||||||20|{capsule}^^UCUM\r"
)
DISPENSE = b"RXD|1|308182^Amoxicillin 250 MG^RXNORM|20260301|20|{capsule}^^UCUM|||RX1\r"


def lines_of(answer: bytes) -> list[list[str]]:
    return [line.split("|") for line in answer.decode().split("\r") if line]


def test_an_encoded_order_is_answered_with_rre_and_a_dispense_with_rrd(node: Node) -> None:
    """HL7 v2.5.1, sections 4.13.6 and 4.13.8."""
    order = ORDER % (b"RDE^O11^RDE_O11", b"R1", b"", b"", b"NW")
    dispensed = ORDER % (b"RDS^O13^RDS_O13", b"R2", b"", b"", b"RE") + DISPENSE
    for content, kind, control in (
        (order, "RRE^O12^RRE_O12", "R1"),
        (dispensed, "RRD^O14^RRD_O14", "R2"),
    ):
        [found] = given(node, content)
        assert (found.accepted, found.quarantined) == (1, 0)
        [answer] = found.answers
        header, acknowledged, orders = lines_of(answer)
        assert (header[8], acknowledged[1:3]) == (kind, ["AA", control])
        assert orders == ["ORC", "OK", "P1^OE", "F1^RX"]


def test_only_the_application_answers_an_order_as_such(node: Node) -> None:
    [found] = given(node, ORDER % (b"RDE^O11^RDE_O11", b"R3", b"AL", b"AL", b"CA"))
    kinds = [lines_of(answer)[0][8] for answer in found.answers]
    assert kinds == ["ACK^O11^ACK", "RRE^O12^RRE_O12"]
    assert lines_of(found.answers[1])[-1][1] == "CR"


def test_answers_to_orders_are_never_answered(node: Node) -> None:
    response = b"MSH|^~\\&|RX|S|OE|N|1||RRE^O12^RRE_O12|9|P|2.5.1\rMSA|AA|1\rORC|OK|P1\r"
    [found] = given(node, response)
    assert found == Answered()
