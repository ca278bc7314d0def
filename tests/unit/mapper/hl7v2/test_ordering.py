"""RRE, RRD and ORR: the answers that chapter 4 pairs with orders and dispenses."""

from __future__ import annotations

import pytest

from simdes.mapper.hl7v2 import er7
from simdes.mapper.hl7v2.acknowledge import Fault, ack, header_of
from simdes.mapper.hl7v2.ordering import RESPONSES, order_response
from simdes.mapper.model import LIMITS

HEADER = "MSH|^~\\&|OE|NORTH|RX|CORNER|20240506070809||{event}|M1|P|{version}"
ORDERS = (
    "PID|1||M1^^^HOSP^MR||Doe^Jane",
    "ORC|NW|P1^OE|F1^RX|G1^OE",
    "RXE||308182^Amoxicillin 250 MG^RXNORM|250||mg",
    "ORC|CA|P2^OE",
    "RXE||11289^Warfarin^RXNORM|5||mg",
)


def message(event: str, *segments: str, version: str = "2.5.1") -> bytes:
    lines = (HEADER.format(event=event, version=version), *(segments or ORDERS))
    return "".join(f"{line}\r" for line in lines).encode()


def answered(source: bytes, code: str = "AA", faults: tuple[Fault, ...] = ()) -> list[str]:
    response = order_response(source, accepted=not faults)
    made = ack(source, code, control="C9", time="20240506", faults=faults, response=response)
    return made.decode().split("\r")[:-1]


@pytest.mark.parametrize("event", RESPONSES, ids="^".join)
def test_every_order_is_answered_by_its_own_message(event: tuple[str, str]) -> None:
    lines = answered(message("^".join(event)))
    assert lines[0].split("|")[8] == "^".join(RESPONSES[event])
    assert [line[:3] for line in lines] == ["MSH", "MSA", "ORC", "ORC"]
    assert lines[1] == "MSA|AA|M1"


def test_what_was_asked_of_each_order_is_answered_with_its_numbers() -> None:
    assert answered(message("RDE^O11^RDE_O11"))[2:] == ["ORC|OK|P1^OE|F1^RX|G1^OE", "ORC|CR|P2^OE"]


def test_an_order_that_was_not_taken_over_is_answered_so() -> None:
    fault = Fault(condition="101", location="PID[1]-3", reason="no-patient", text="no number")
    lines = answered(message("RDE^O11^RDE_O11"), "AE", (fault,))
    assert [line[:3] for line in lines] == ["MSH", "MSA", "ERR", "ORC", "ORC"]
    assert lines[3:] == ["ORC|UA|P1^OE|F1^RX|G1^OE", "ORC|UC|P2^OE"]


@pytest.mark.parametrize(
    ("asked", "done", "not_done"),
    [
        ("NW", "OK", "UA"),
        ("CA", "CR", "UC"),
        ("DC", "DR", "UD"),
        ("HD", "HR", "UH"),
        ("RL", "OR", "UR"),
        ("RP", "RQ", "UM"),
        ("XO", "XR", "UX"),
        ("RE", "OK", "UA"),
        ("", "OK", "UA"),
        ("??", "OK", "UA"),
    ],
)
def test_order_controls_are_answered_as_table_0119_pairs_them(
    asked: str, done: str, not_done: str
) -> None:
    source = message("ORM^O01", f"ORC|{asked}|P1")
    for accepted, expected in ((True, done), (False, not_done)):
        response = order_response(source, accepted=accepted)
        assert response is not None
        assert response.lines == (f"ORC|{expected}|P1",)


def test_older_versions_name_no_structure() -> None:
    header = answered(message("RDE^O01", version="2.3"))[0].split("|")
    assert (header[8], header[11]) == ("RRE^O02", "2.3")


def test_the_senders_separators_and_signs_are_kept() -> None:
    source = b"MSH#*~!%#OE#N#RX#C#1##RDS*O13*RDS_O13#M1#P#2.5.1\rORC#RE#P!F!1*OE#F1\r"
    response = order_response(source, accepted=True)
    made = ack(source, "AA", control="C", time="1", response=response)
    read = er7.read(made, default_encoding="utf-8", limits=LIMITS)
    assert read.header.field(9) == "RRD*O14*RRD_O14"
    assert read.segments[-1].fields == ["ORC", "OK", "P!F!1*OE", "F1"]


@pytest.mark.parametrize(
    "source",
    [
        message("ADT^A01"),
        message("OML^O21"),
        b"",
        b"MSH|",
        b"RDE",
        b"MSH|^~\\&|a||||1||RDE^O11|1|P|2.5.1\rPID|\xff\xfe\r",
    ],
)
def test_what_is_no_order_or_unreadable_gets_an_acknowledgment(source: bytes) -> None:
    assert order_response(source, accepted=True) is None
    plain = ack(source, "AE", control="C", time="1")
    assert header_of(plain).segment.field(9).startswith("ACK")
