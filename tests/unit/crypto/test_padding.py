"""Padmé: https://lbarman.ch/blog/padme/ and the authors' reference implementation."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.crypto.padding import MARK, pad, padded_size, padme, unpad
from simdes.errors import Tampered


@pytest.mark.parametrize(
    ("length", "padded"),
    [
        # Values of the authors' reference implementation (dedis/purb, padding_test.go): a text of
        # 76 bytes with its mark makes 80 bytes, with 7 bytes of header before it 88.
        (77, 80),
        (84, 88),
        # By the definition, worked by hand: E = floor(log2 L), S = floor(log2 E) + 1, and the
        # last E − S bits become zero, upwards.
        (0, 0),
        (1, 1),
        (8, 8),
        (9, 10),
        (16, 16),
        (17, 18),
        (100, 104),
        (1000, 1024),
        (1025, 1088),
        (1_000_000, 1_015_808),
    ],
)
def test_lengths_are_rounded_as_the_definition_says(length: int, padded: int) -> None:
    assert padme(length) == padded


@settings(derandomize=True, deadline=None, database=None)
@given(st.integers(2, 2**40))
def test_padding_costs_at_most_twelve_percent_and_leaks_log_log_bits(length: int) -> None:
    padded = padme(length)
    assert length <= padded <= length * 1.12
    assert padme(padded) == padded
    significant = bin(padded).rstrip("0").removeprefix("0b")
    assert len(significant) <= (length.bit_length() - 1).bit_length() + 1


@settings(derandomize=True, deadline=None, database=None)
@given(st.binary(max_size=3000))
def test_padding_is_undone(data: bytes) -> None:
    padded = pad(data)
    assert len(padded) == padded_size(len(data)) and padded.startswith(data + MARK)
    assert unpad(padded) == data


@pytest.mark.parametrize(
    "padded",
    [b"", b"\0\0", b"no mark", MARK + b"\0", pad(b"x" * 100) + b"\0", pad(b"x" * 100)[:-1]],
)
def test_any_other_padding_is_refused(padded: bytes) -> None:
    with pytest.raises(Tampered):
        unpad(padded)
