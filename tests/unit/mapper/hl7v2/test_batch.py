"""Batches of messages are answered by batches of the same shape."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.mapper.hl7v2.batch import Batch, Envelope, answer, envelope_of

FHS = b"FHS|^~\\&|LAB|NORTH|SIMDES|SOUTH|20260101||file.hl7|hello|F1"
BHS = b"BHS|^~\\&|LAB|NORTH|SIMDES|SOUTH|20260101||||B1"
MSH = b"MSH|^~\\&|LAB|NORTH|||1||ADT^A01|1|P|2.5"


def lines(*parts: bytes) -> bytes:
    return b"".join(part + b"\r" for part in parts)


def test_messages_without_a_header_are_no_batch() -> None:
    assert envelope_of(lines(MSH, b"PID|1", MSH)) is None
    assert envelope_of(b"") is None


def test_a_file_of_two_batches_is_taken_apart() -> None:
    data = lines(FHS, BHS, MSH, b"PID|BHS|1", MSH, b"BTS|2", BHS, MSH, b"BTS|1", b"FTS|2")
    assert envelope_of(data) == Envelope(FHS, (Batch(BHS, 2), Batch(BHS, 1)))


def test_a_batch_without_a_file_and_a_file_without_a_batch() -> None:
    assert envelope_of(lines(BHS, MSH, b"BTS|1")) == Envelope(b"", (Batch(BHS, 1),))
    assert envelope_of(lines(FHS, MSH, b"FTS|1")) == Envelope(FHS, (Batch(b"", 1),))


def test_each_header_of_the_answer_names_the_one_that_it_answers() -> None:
    envelope = Envelope(FHS, (Batch(BHS, 2), Batch(BHS.replace(b"B1", b"B2"), 1)))
    made = answer(envelope, [[b"A\r"], [], [b"C\r"]], control="N", time="T")
    assert made.split(b"\r") == [
        b"FHS|^~\\&|SIMDES|SOUTH|LAB|NORTH|T||file.hl7||N|F1",
        b"BHS|^~\\&|SIMDES|SOUTH|LAB|NORTH|T||||N|B1",
        b"A",
        b"BTS|1",
        b"BHS|^~\\&|SIMDES|SOUTH|LAB|NORTH|T||||N|B2",
        b"C",
        b"BTS|1",
        b"FTS|2",
        b"",
    ]


def test_a_batch_without_messages_is_answered_without_acknowledgments() -> None:
    envelope = envelope_of(lines(BHS, b"BTS|0"))
    assert envelope is not None
    assert answer(envelope, [], control="N", time="T").endswith(b"|N|B1\rBTS|0\r")


def test_a_short_header_in_other_signs_is_answered_in_them() -> None:
    envelope = envelope_of(b"BHS#*~\\&#A\r" + MSH)
    assert envelope is not None
    made = answer(envelope, [[b"A\r"]], control="N", time="T")
    assert made == b"BHS#*~\\&###A##T####N\rA\rBTS#1\r"


def test_a_header_keeps_the_bytes_of_its_encoding() -> None:
    envelope = envelope_of(b"BHS|^~\\&|K\xd6LN|\xe5\r")
    assert envelope is not None
    assert b"|K\xd6LN|\xe5|" in answer(envelope, [], control="N", time="T")


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.lists(st.sampled_from([FHS, BHS, MSH, b"PID|1", b"BTS", b"FTS", b"", b"FHS|", b"x"])))
def test_whatever_the_order_no_acknowledgment_is_left_out(parts: list[bytes]) -> None:
    data = lines(*parts)
    messages = parts.count(MSH)
    envelope = envelope_of(data)
    if envelope is not None:
        made = answer(envelope, [[b"ACK%d\r" % n] for n in range(messages)], control="", time="")
        assert made.count(b"ACK") == messages


def test_headers_without_end_are_found_in_linear_time() -> None:
    found = envelope_of(b"BHS|^~\\&|A\r" * 200_000)
    assert found is not None
    assert len(found.batches) == 200_000
