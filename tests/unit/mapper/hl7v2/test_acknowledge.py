"""Acknowledgments: who is answered, with what code, in whose separators and version."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.mapper import LIMITS
from simdes.mapper.hl7v2 import compose, er7
from simdes.mapper.hl7v2.acknowledge import CODES, Fault, ack, code_of, fault_of, header_of

TIME = "20240506070809+0200"


def sent(version: str = "2.5.1", *, signs: str = "|^~\\&", event: str = "ADT^A01^ADT_A01") -> bytes:
    head = f"MSH{signs}|EPIC|GENERAL|LAB|NORTH|20240102||{event}|MSG00001|P|{version}"
    return (head.replace("|", signs[0]).replace("^", signs[1]) + "\rPID|||1\r").encode()


def answer(data: bytes, code: str = "AA", **more: object) -> list[str]:
    made = ack(data, code, control="A1", time=TIME, **more)  # type: ignore[arg-type]
    text = made.decode()
    assert text.endswith("\r")
    return text.split("\r")[:-1]


def test_an_accepted_message_is_answered_with_both_ends_changed_over() -> None:
    assert answer(sent()) == [
        f"MSH|^~\\&|LAB|NORTH|EPIC|GENERAL|{TIME}||ACK^A01^ACK|A1|P|2.5.1",
        "MSA|AA|MSG00001",
    ]


def test_before_2_3_1_the_message_type_has_no_structure() -> None:
    assert answer(sent("2.3"))[0].split("|")[8] == "ACK^A01"


def test_a_message_type_without_event_is_answered_without_one() -> None:
    assert answer(sent(event="ORU"))[0].split("|")[8] == "ACK"


def test_separators_are_the_senders() -> None:
    head, msa = answer(sent(signs="#*~\\&"))
    assert head.startswith("MSH#*~\\&#LAB#NORTH#EPIC#GENERAL#")
    assert "#ACK*A01*ACK#" in head
    assert msa == "MSA#AA#MSG00001"


def test_the_character_set_is_the_senders() -> None:
    data = b"MSH|^~\\&|K\xd6LN|X|LAB|NORTH|1||ADT^A01|7|P|2.4||||||8859/1\r"
    made = ack(data, "AA", control="A1", time=TIME)
    assert b"|LAB|NORTH|K\xd6LN|X|" in made
    assert made.split(b"\r")[0].endswith(b"|8859/1")


def test_an_error_in_2_5_says_where_what_and_how_bad() -> None:
    fault = Fault(condition="101", location="PID[2]-3.4[5]", text="needed", advice="send it")
    _, msa, err = answer(sent(), "AE", faults=[fault])
    assert msa == "MSA|AE|MSG00001|needed"
    assert err == ("ERR||PID^2^3^5^4|101^Required field missing^HL70357|E||||needed send it")


def test_every_fault_has_its_own_err_in_2_5() -> None:
    segments = answer(sent("2.7"), "AE", faults=[Fault(), Fault(condition="102")])
    assert [s.split("|")[3].split("^")[0] for s in segments if s.startswith("ERR")] == [
        "207",
        "102",
    ]


def test_before_2_5_err_is_a_place_and_a_condition_each() -> None:
    faults = [Fault(condition="101", location="PID-5"), Fault(condition="200")]
    assert answer(sent("2.4"), "AR", faults=faults)[2] == (
        "ERR|PID^1^5^101&Required field missing&HL70357~^^^200&Unsupported message type&HL70357"
    )


def test_words_that_hold_separators_are_escaped() -> None:
    _, msa = answer(sent(), "AE", text="a|b^c&d~e\\f\ng")
    assert msa == "MSA|AE|MSG00001|a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f\\.br\\g"


def test_a_control_id_with_escapes_comes_back_as_it_was() -> None:
    data = sent().replace(b"MSG00001", b"A\\T\\B")
    assert answer(data)[1] == "MSA|AA|A\\T\\B"


@pytest.mark.parametrize(
    ("reason", "commit", "code"),
    [
        ("", False, "AA"),
        ("", True, "CA"),
        ("no-patient", False, "AE"),
        ("wrong-encoding", True, "CE"),
        ("unsupported-message", False, "AR"),
        ("unsupported-message", True, "CR"),
    ],
)
def test_the_code_follows_from_the_reason_and_the_mode(
    reason: str, commit: bool, code: str
) -> None:
    assert code_of(reason, commit=commit) == code
    assert code in CODES


def test_a_quarantine_reason_is_told_as_our_code() -> None:
    fault = fault_of("unsupported-message", "message type ZZZ^Z01 not supported yet")
    err = answer(sent(), "AR", faults=[fault])[2]
    assert err.split("|")[3] == "200^Unsupported message type^HL70357"
    assert err.split("|")[5] == "unsupported-message^^L"


def test_a_code_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no acknowledgment code"):
        ack(sent(), "OK", control="1", time=TIME)


@pytest.mark.parametrize(
    "data", [b"", b"garbage", b"MSH", b"MSH|", b"MSH|^~\\&|A", b"MSH^^^^^^^^^^"]
)
def test_what_has_no_readable_header_is_still_answered(data: bytes) -> None:
    head, msa = answer(data, "AR")
    assert head == f"MSH|^~\\&|||||{TIME}||ACK|A1|P|2.5.1"
    assert msa == "MSA|AR"


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_answered_with_a_message_that_can_be_read(data: bytes) -> None:
    made = ack(b"MSH" + data, "AE", control="A1", time=TIME, faults=[Fault(text="x")])
    assert b"MSA" in made
    header_of(made)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=40))
def test_what_is_escaped_reads_back_as_it_was(text: str) -> None:
    once = compose.escape(text, compose.USUAL)
    assert not set("|^~&\r\n") & set(once)
    assert er7.unescape(once, compose.USUAL, "utf-8") == text


def test_a_written_message_is_read_as_one() -> None:
    made = ack(sent(), "AA", control="A1", time=TIME)
    read = er7.read(made, default_encoding="utf-8", limits=LIMITS)
    assert [segment.name for segment in read.segments] == ["MSH", "MSA"]
