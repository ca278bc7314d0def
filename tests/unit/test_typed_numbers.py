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


def test_bytes_are_typed_as_digits_with_or_without_0x() -> None:
    assert typed_numbers.octets("0x00fF", 2) == typed_numbers.octets("00ff", 2) == b"\x00\xff"
    for text in ("", "0x", "0xff", "0x00ff00", "0xfg00", "fff", "0x0x00ff", "\u0661\u0662"):
        assert typed_numbers.octets(text, 2) is None
