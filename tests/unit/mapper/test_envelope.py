"""Envelopes of refused input: event and sender from well-formed headers, never a person's data."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.mapper.envelope import Envelope, envelope

HEADER = r"MSH|^~\&|LAB|General Hospital|EHR|X|20260101120000||ORU^R01^ORU_R01|7|P|2.5.1"
OF_HEADER = Envelope(event="ORU^R01", sender="LAB|General Hospital")
ISA = (
    "ISA*00*          *00*          *ZZ*CLEARING       *ZZ*PAYER          *"
    "260101*1200*^*00501*000000001*0*P*:~GS*HC*A*B*20260101*1200*1*X*005010X222A1~ST*837*0001~"
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (HEADER.encode(), OF_HEADER),
        (b"\x0b" + HEADER.encode(), OF_HEADER),
        (HEADER.encode("utf-16"), OF_HEADER),
        (b"\xef\xbb\xbf" + HEADER.encode(), OF_HEADER),
        (ISA.encode(), Envelope(event="837", sender="CLEARING")),
        (rb"MSH|^~\&|A^1.2.3^ISO||||||ADT", Envelope(event="ADT", sender="A|")),
        (rb"MSH|^~\&|||||||ZZZ^Z01|", Envelope(event="ZZZ^Z01")),
        (rb"MSH|^~\&|", Envelope()),
        (b"", Envelope()),
        (b"{}", Envelope()),
        (b"ISA*00*", Envelope()),
    ],
)
def test_a_well_formed_header_says_event_and_sender(data: bytes, expected: Envelope) -> None:
    assert envelope(data) == expected


@pytest.mark.parametrize(
    "header",
    [
        r"MSH|^~\&|Featherstonehaugh!||||||Doe^Ann",
        r"MSH|^~\&|MRN 1234567||||||DOE^ANN",
        r"MSH|Featherstonehaugh|LAB|SITE|||||ADT^A01",
        r"MSH!^~\&!Ann!Doe!!!!!ADT^A01",
        "PID|1||100||Doe^Ann",
        r"MSH|^~\&|" + "A" * 41 + "||||||ANN^DOE",
    ],
)
def test_what_is_out_of_place_is_not_given_out(header: str) -> None:
    assert envelope(header.encode()) == Envelope()


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=80).map(lambda b: b"MSH|^~\\&" + b)))
def test_no_bytes_make_it_fail_or_give_out_more_than_short_names(data: bytes) -> None:
    found = envelope(data)
    assert len(found.event) <= 8
    assert len(found.sender) <= 81
    assert (found.event + found.sender).isascii()
    assert (found.event + found.sender).isprintable()


def test_a_hostile_header_takes_no_time() -> None:
    assert envelope(b"ISA*" + b"*" * 64_000_000) == Envelope()
