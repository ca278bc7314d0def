"""Numbers that people type into forms."""

from __future__ import annotations

from decimal import Decimal

import pytest

from simdes import typed_numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [("4.20", "4.20"), ("4,20", "4.20"), ("-3", "-3"), ("0", "0"), ("9" * 18, "9" * 18)],
)
def test_what_people_type_is_read_with_every_digit(text: str, value: str) -> None:
    read = typed_numbers.read(text)
    assert read is not None and str(read) == str(Decimal(value))


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "a lot", "1e5", "1e500", "1e99999999", "1e-99999999", "0e99999999"),
        *("NaN", "sNaN", "Infinity", "-inf", "1_000", "1.", ".5", "1,2.3", "+1", "--1", "1\n"),
        *("9" * 19, "0." + "1" * 19, "\u0661\u0662", "0x10"),
    ],
)
def test_what_is_no_plain_number_is_none(text: str) -> None:
    assert typed_numbers.read(text) is None


def test_a_number_is_typed_as_it_was_printed_and_a_wrong_line_is_named() -> None:
    number = bytes(range(7, 39))
    lines = typed_numbers.printed(number)
    assert lines[0] == "0708 090a 0b0c 0d0e 95" and len(lines) == 4
    whole = " ".join(lines)
    assert typed_numbers.octets(whole, 32) == number
    assert typed_numbers.octets(whole.upper().replace(" ", " - "), 32) == number
    assert typed_numbers.octets(f"0X{number.hex().upper()}", 32) == number
    assert typed_numbers.wrong_line(whole) == 0
    assert typed_numbers.wrong_line(number.hex()) == 0
    assert typed_numbers.octets(" ".join(lines[:3]), 32) is None


def test_each_wrong_digit_each_two_exchanged_and_lines_in_another_order_are_seen() -> None:
    lines = typed_numbers.printed(bytes(range(100, 132)))
    for at, line in enumerate(lines):
        plain = line.replace(" ", "")
        for place, digit in enumerate(plain):
            others = [plain[:place] + one + plain[place + 1 :] for one in "0123456789abcdef"]
            turned = plain[:place] + plain[place + 1 : place + 2] + digit + plain[place + 2 :]
            for other in {*others, turned} - {plain}:
                typed = " ".join([*lines[:at], other, *lines[at + 1 :]])
                assert typed_numbers.wrong_line(typed) == at + 1
                assert typed_numbers.octets(typed, 32) is None
    assert typed_numbers.wrong_line(" ".join([lines[1], lines[0], *lines[2:]])) == 1


def test_bytes_are_typed_as_digits_with_or_without_0x() -> None:
    assert typed_numbers.octets("0x00fF", 2) == typed_numbers.octets("00ff", 2) == b"\x00\xff"
    for text in ("", "0x", "0xff", "0x00ff00", "0xfg00", "fff", "0x0x00ff", "\u0661\u0662"):
        assert typed_numbers.octets(text, 2) is None
