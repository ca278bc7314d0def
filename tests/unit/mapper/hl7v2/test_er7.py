"""Reading ER7: HL7 v2 chapter 2."""

import pytest

from simdes.errors import TooLarge
from simdes.mapper import LIMITS, Limits, map_bytes
from simdes.mapper.hl7v2.er7 import Message, Separators, read, split, unescape
from simdes.mapper.refusal import Unreadable

USUAL = Separators("|", "^", "~", "\\", "&")


def open_message(data: bytes, encoding: str = "utf-8", limits: Limits = LIMITS) -> Message:
    return read(data, default_encoding=encoding, limits=limits)


HEADER = b"MSH|^~\\&|A|B|C|D|20240101||ADT^A01|1|P|2.5"


@pytest.mark.parametrize("ending", [b"\r", b"\n", b"\r\n", b"\n\n", b"\r\r\n"])
def test_any_line_ending_separates_segments(ending: bytes) -> None:
    message = open_message(HEADER + ending + b"PID|1" + ending)
    assert [segment.name for segment in message.segments] == ["MSH", "PID"]


def test_fields_of_msh_are_numbered_as_the_standard_does() -> None:
    header = open_message(HEADER).header
    assert header.field(1) == "|"
    assert header.field(2) == "^~\\&"
    assert header.field(9) == "ADT^A01"
    assert header.field(99) == ""


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"MSH|^~\\&|", USUAL),
        (b"MSH|^~\\&#|", USUAL),
        (b"MSH$%*!:$", Separators("$", "%", "*", "!", ":")),
        (b"MSH|^~\\\\&|", USUAL),
        (b"MSH|^|", USUAL),
        (b"MSH,^~\\&,", Separators(",", "^", "~", "\\", "&")),
    ],
)
def test_separators_are_those_the_message_declares(start: bytes, expected: Separators) -> None:
    sign = start[3:4]
    data = start + sign.join([b"A", b"B", b"C", b"D", b"E", b"F", b"ADT", b"1"])
    assert open_message(data).separators == expected


@pytest.mark.parametrize("start", [b"MSH||A", b"MSH|abcd|A", b"MSH|^|~&|A|", b"MSH|1234|"])
def test_separators_that_cannot_be_meant_are_refused_or_completed(start: bytes) -> None:
    if start == b"MSH|^|~&|A|":  # MSH-2 is just ^, the rest are fields
        assert open_message(HEADER.replace(b"^~\\&", b"^")).separators == USUAL
        return
    with pytest.raises(Unreadable) as refused:
        open_message(start + b"|||||||ADT^A01|1")
    assert refused.value.code == "wrong-separators"


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        (r"a\F\b", "a|b"),
        (r"a\S\b\T\c\R\d\E\e", "a^b&c~d\\e"),
        (r"inc.A\T\E", "inc.A&E"),
        (r"line\.br\line", "line\nline"),
        (r"\H\bold\N\ text", "bold text"),
        (r"\XC3A9\t\X41\\X42\ ", "étAB "),
        (r"\XFF\ stays", r"\XFF\ stays"),
        (r"\Zfoo\ and \unknown\ stay", r"\Zfoo\ and \unknown\ stay"),
        ("C:\\path\\file", "C:\\path\\file"),
        (r"\.in+4\indented", "indented"),
        ("one \\ alone", "one \\ alone"),
    ],
)
def test_escape_sequences(raw: str, plain: str) -> None:
    assert unescape(raw, USUAL, "utf-8") == plain


def test_escapes_follow_the_messages_own_separators() -> None:
    odd = Separators("$", "%", "*", "!", ":")
    assert unescape("!F!!S!!R!!E!!T!", odd, "utf-8") == "$%*!:"


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("8859/1", "Müller".encode("latin-1"), "Müller"),
        ("8859/2", "Łódź".encode("iso8859-2"), "Łódź"),
        ("UNICODE UTF-8", "Łódź".encode(), "Łódź"),
        ("", "Łódź".encode(), "Łódź"),
        ("ASCII", b"Lodz", "Lodz"),
        ("ASCII", "Łódź".encode(), "Łódź"),
        ("~ISO IR87", "山田".encode("iso2022_jp"), "山田"),
        ("ASCII~ISO IR87~ISO IR159", "山田".encode("iso2022_jp"), "山田"),
        ("ASCII~UNICODE UTF-8", "Łódź".encode(), "Łódź"),
        ("8859/1~8859/2", "Müller".encode("latin-1"), "Müller"),
    ],
)
def test_character_set_of_msh_18(name: str, data: bytes, expected: str) -> None:
    header = b"MSH|^~\\&|A|B|C|D|20240101||ADT^A01|1|P|2.5||||||" + name.encode()
    message = open_message(header + b"\rPID|||||" + data)
    assert message.segments[1].field(5) == expected


def test_bytes_that_do_not_fit_the_encoding_are_refused_with_their_place() -> None:
    with pytest.raises(Unreadable) as refused:
        open_message(HEADER + b"\rPID|||||M\xfcller")
    assert refused.value.code == "wrong-encoding"
    assert "line 2" in refused.value.message
    assert "ller" not in refused.value.message
    assert "MSH-18" in refused.value.advice


def test_a_site_may_say_its_encoding() -> None:
    message = open_message(HEADER + b"\rPID|||||M\xfcller", encoding="iso8859-1")
    assert message.segments[1].field(5) == "Müller"


def test_a_header_cut_off_is_refused() -> None:
    with pytest.raises(Unreadable) as refused:
        open_message(b"MSH|^~\\&|A|B|C")
    assert refused.value.code == "truncated-header"


def test_a_line_break_inside_a_field_continues_the_field() -> None:
    message = open_message(HEADER + b"\rNTE|1||first line\nsecond | line\nOBX|1")
    assert [s.name for s in message.segments] == ["MSH", "NTE", "OBX"]
    assert message.segments[1].field(3) == "first line\nsecond | line"


def test_a_feed_is_cut_into_its_messages() -> None:
    feed = b"\x0b" + HEADER + b"\rPID|1\r\x1c\r\x0b" + HEADER + b"\rPID|2\r\x1c\r"
    parts = split(feed)
    assert [part.is_message for part in parts] == [True, True]
    assert parts[0].data == HEADER + b"\rPID|1"
    assert parts[1].data == HEADER + b"\rPID|2"


def test_batch_and_file_headers_are_no_content() -> None:
    batch = b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + HEADER + b"\rPID|1\rBTS|1\rFTS|1\r"
    (part,) = split(b"\xef\xbb\xbf" + batch)
    assert part.data == HEADER + b"\rPID|1"


def test_what_lies_outside_of_messages_is_not_lost() -> None:
    parts = split(b"garbage\rPID|9\r" + HEADER + b"\rPID|1")
    assert [part.is_message for part in parts] == [False, True]
    assert parts[0].data == b"garbage\rPID|9\r"


def test_limits_are_enforced() -> None:
    with pytest.raises(TooLarge):
        open_message(HEADER + b"\rNTE|" * 11, limits=Limits(segments=10))
    with pytest.raises(TooLarge):
        open_message(HEADER + b"\rNTE|1||" + b"x" * 100, limits=Limits(message_bytes=100))


def test_lines_without_end_in_a_field_are_joined_in_linear_time() -> None:
    message = open_message(HEADER + b"\rNTE|1||x" + b"\ry" * 300_000)
    assert message.segments[-1].fields[-1] == "x" + "\ny" * 300_000


def test_trailers_without_end_are_taken_off_in_linear_time() -> None:
    long = HEADER + b"\rNTE|1||" + b"x" * 4_000_000
    (part,) = split(long + b"\rBTS|1\r\nFTS|1" * 20_000)
    assert part.data == long


def test_a_character_set_that_nobody_can_read_is_named() -> None:
    with pytest.raises(Unreadable) as caught:
        open_message(HEADER + b"||||||CNS 11643-1992\rPID|1")
    assert caught.value.code == "wrong-encoding"


def test_utf_16_that_declares_itself_is_read() -> None:
    text = (HEADER + b"||||||UNICODE UTF-16\rPID|1||7||D\xc3\xa9^Ann").decode()
    (one,) = map_bytes("x", text.encode("utf-16")).messages
    assert "Dé" in str(one.bundle)


def test_utf_16_that_breaks_off_is_refused_and_kept_as_it_came() -> None:
    data = (HEADER + b"\rPID|1||7||Doe^Ann").decode().encode("utf-16")[:-1]
    (refused,) = map_bytes("x", data).quarantined
    assert (refused.reason_code, refused.source) == ("wrong-encoding", data)


def test_repetitions_without_end_are_refused() -> None:
    limits = Limits(segments=10)
    line = b"\rNK1|1|" + b"~".join(b"a%d" % at for at in range(30))
    (refused,) = map_bytes("x", HEADER + b"\rPID|1||7" + line * 2, limits=limits).quarantined
    assert refused.reason_code == "too-large"


def test_only_carriage_returns_and_line_feeds_end_a_line() -> None:
    note = "a\u2028PID|9\x85b\x0cc"
    (_, segment) = open_message(HEADER + f"\nNTE|1||{note}\n".encode()).segments
    assert segment.fields[3:] == ["a\u2028PID", "9\x85b\x0cc"]
