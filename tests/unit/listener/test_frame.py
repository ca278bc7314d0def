"""Frames come out as they were put in, however the bytes arrive."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.errors import Invalid, TooLarge
from simdes.listener.frame import Frames, enclose


def frames(*, frame_bytes: int = 1000, stray_bytes: int = 10) -> Frames:
    return Frames(frame_bytes=frame_bytes, stray_bytes=stray_bytes)


def fed(data: bytes, sizes: list[int] | None = None) -> list[bytes]:
    taken, found = frames(), []
    for size in [*(sizes or []), len(data)]:
        found += taken.feed(data[:size])
        data = data[size:]
    return found


CONTENT = st.binary(max_size=60).filter(lambda data: b"\x1c\r" not in data + b"\r")


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.lists(CONTENT, max_size=6), st.lists(st.integers(1, 40), max_size=20))
def test_any_fragmentation_gives_the_same_frames(contents: list[bytes], sizes: list[int]) -> None:
    data = b"".join(map(enclose, contents))
    assert fed(data, sizes) == contents


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.lists(st.binary(max_size=50), max_size=20))
def test_no_bytes_break_it_and_what_is_held_is_bounded(chunks: list[bytes]) -> None:
    taken = frames(frame_bytes=100, stray_bytes=20)
    for chunk in chunks:
        assert all(len(content) <= 100 for content in taken.feed(chunk))
        try:
            taken.check()
        except (Invalid, TooLarge):
            return
        assert taken.held <= 100


def test_a_lone_end_sign_or_start_sign_is_content() -> None:
    assert fed(enclose(b"MSH|a\x1cb\x0bc")) == [b"MSH|a\x1cb\x0bc"]


def test_blanks_and_some_strays_between_frames_are_passed_over() -> None:
    taken = frames()
    data = b"\r\nxx" + enclose(b"one") + b"\n\r  \x00" + enclose(b"two")
    assert taken.feed(data) == [b"one", b"two"]
    taken.check()


def test_a_keep_alive_of_blanks_is_never_too_much() -> None:
    taken = frames()
    for _ in range(100):
        taken.feed(b"\r\n")
        taken.check()


def test_too_much_outside_of_frames_is_no_mllp() -> None:
    taken = frames()
    taken.feed(b"GET / HTTP/1.1\r\n")
    with pytest.raises(Invalid):
        taken.check()


def test_a_frame_that_never_ended_gives_way_to_the_next() -> None:
    taken = frames()
    data = b"\x0bMSH|^~\\&|first" + enclose(b"MSH|^~\\&|again") + enclose(b"x")
    assert taken.feed(data) == [b"MSH|^~\\&|again", b"x"]
    assert taken.unended == 1


@pytest.mark.parametrize("whole", [True, False])
def test_a_frame_beyond_the_limit_is_never_given(whole: bool) -> None:
    taken = frames(frame_bytes=20)
    data = b"\x0bMSH|" + b"x" * 30 + (b"\x1c\r" if whole else b"")
    assert taken.feed(enclose(b"MSH|short") + data) == [b"MSH|short"]
    with pytest.raises(TooLarge):
        taken.check()
    assert taken.head.startswith(b"MSH|xx")


def test_a_frame_at_the_limit_is_given() -> None:
    assert frames(frame_bytes=20).feed(enclose(b"x" * 20)) == [b"x" * 20]
