"""Lines that come in pieces: whole wherever these end, bounded however long they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simdes.exchange.bulk import lines
from simdes.exchange.bulk.lines import CHUNK_LINES, PLACES, Splitter, chunks_of

Found = list[tuple[int, bytes | None]]


def split(pieces: list[bytes]) -> Found:
    splitter = Splitter()
    found = [one for piece in pieces for one in splitter.feed(piece)]
    return [*found, *splitter.end()]


@given(st.lists(st.text("ab\n\r ", max_size=6).map(str.encode), max_size=8))
def test_lines_are_the_same_wherever_pieces_end(pieces: list[bytes]) -> None:
    whole = b"".join(pieces).split(b"\n")
    expected = [
        (number, line.strip(b" \t\r"))
        for number, line in enumerate(whole, 1)
        if line.strip(b" \t\r")
    ]
    assert split(pieces) == expected


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_a_line() -> None:
    assert split([b"\xef\xbb", b"\xbf{}\r\n\r\n{}\r\n"]) == [(1, b"{}"), (3, b"{}")]


def test_a_line_that_is_too_long_is_left_out_and_the_next_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "MOST_LINE_BYTES", 4)
    assert split([b"1234\n12", b"34", b"5\n", b"ok\n", b"123456"]) == [
        (1, b"1234"),
        (2, None),
        (3, b"ok"),
        (4, None),
    ]


def test_a_long_line_is_not_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_LINE_BYTES", 1_000)
    splitter = Splitter()
    for _ in range(100):
        assert list(splitter.feed(b"x" * 999)) == []
        assert len(splitter._rest) <= 1_000
    assert list(splitter.end()) == [(1, None)]


def test_chunks_hold_every_line_and_no_more_than_their_numbers_have_room_for() -> None:
    count = 2 * CHUNK_LINES + 1
    found = list(chunks_of(b"{}\n" * count))
    assert [len(one.lines) for one in found] == [CHUNK_LINES, CHUNK_LINES, 1]
    assert [number for one in found for number in one.numbers] == list(range(1, count + 1))
    assert CHUNK_LINES <= PLACES
    assert list(chunks_of(b" \n\n")) == []
