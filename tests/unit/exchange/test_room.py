"""What requests may hold in memory together."""

from __future__ import annotations

import threading

import pytest

from simdes.errors import Unavailable
from simdes.exchange import room as rooms
from simdes.exchange.room import COUNTED_BYTES, Room, Visit, need

BIG = 4 * COUNTED_BYTES


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    """A room for two that hold `BIG`, whose visitors are impatient."""
    monkeypatch.setattr(rooms, "PATIENCE_SECONDS", 0.05)
    return Room(most_bytes=2 * BIG)


def test_who_finds_no_room_is_told_so_and_holds_nothing(room: Room) -> None:
    for _ in range(2):
        Visit(room).need(BIG)
    late = Visit(room)
    with pytest.raises(Unavailable):
        late.need(BIG)
    assert (late.held_bytes, room.used_bytes) == (0, 2 * BIG)


def test_who_waits_gets_in_when_somebody_leaves(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "PATIENCE_SECONDS", 30.0)
    first, second, waiting = Visit(room), Visit(room), Visit(room)
    first.need(BIG)
    second.need(BIG)
    thread = threading.Thread(target=waiting.need, args=(BIG,))
    thread.start()
    first.leave()
    thread.join(30)
    assert not thread.is_alive()
    assert (waiting.held_bytes, room.used_bytes) == (BIG, 2 * BIG)


def test_what_would_never_fit_is_refused_at_once(room: Room) -> None:
    visit = Visit(room)
    visit.need(BIG)
    with pytest.raises(Unavailable, match="more than one answer"):
        visit.need(2 * BIG)
    assert not Visit(room).tries(2 * BIG)
    assert Visit(room).tries(BIG)


def test_small_things_are_not_counted(room: Room) -> None:
    Visit(room).need(2 * BIG)
    Visit(room).need(COUNTED_BYTES - 1)
    assert room.used_bytes == 2 * BIG


def test_an_answer_that_is_ready_holds_its_own_size(room: Room) -> None:
    visit = Visit(room)
    visit.need(BIG)
    visit.keep(2 * BIG)
    assert room.used_bytes == BIG
    visit.keep(7)
    assert room.used_bytes == 7
    visit.leave()
    visit.leave()
    assert room.used_bytes == 0


def test_only_who_works_for_a_visit_counts_for_it(room: Room) -> None:
    visit = Visit(room)
    need(BIG)
    with visit.working():
        need(BIG)
        assert visit.held_bytes == BIG
        other = threading.Thread(target=need, args=(BIG,))
        other.start()
        other.join()
    need(BIG)
    assert room.used_bytes == BIG


def test_a_thread_that_nobody_waits_for_holds_its_room_until_it_ends(room: Room) -> None:
    visit = Visit(room)
    with visit.working():
        need(BIG)
        visit.abandon()
        assert room.used_bytes == BIG
    assert room.used_bytes == 0
    waiting = Visit(room)
    waiting.need(BIG)
    waiting.abandon()
    assert room.used_bytes == 0
