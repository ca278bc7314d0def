"""The pool of connections: bounded, reused, emptied when one breaks."""

from __future__ import annotations

import threading

import pytest

from simdes.errors import Unavailable
from simdes.index.pool import Pool


class Made:
    """Counts connections; one is an int."""

    def __init__(self) -> None:
        self.opened = 0
        self.closed: list[int] = []
        self.failing = False

    def connect(self) -> int:
        if self.failing:
            raise Unavailable("down")
        self.opened += 1
        return self.opened

    def pool(self, size: int = 2, wait_seconds: float = 0.05) -> Pool[int]:
        return Pool(self.connect, self.closed.append, size=size, wait_seconds=wait_seconds)


def test_a_returned_connection_is_used_again() -> None:
    made = Made()
    pool = made.pool()
    first = pool.take()
    pool.give(first)
    assert pool.take() == first
    assert made.opened == 1


def test_no_more_connections_than_the_bound_are_out() -> None:
    pool = Made().pool(size=2)
    assert {pool.take(), pool.take()} == {1, 2}
    with pytest.raises(Unavailable):
        pool.take()


def test_a_thread_waits_for_a_connection_to_come_back() -> None:
    pool = Made().pool(size=1, wait_seconds=5)
    held = pool.take()
    threading.Timer(0.02, pool.give, [held]).start()
    assert pool.take() == held


def test_a_broken_connection_takes_the_idle_ones_with_it() -> None:
    made = Made()
    pool = made.pool()
    idle, broken = pool.take(), pool.take()
    pool.give(idle)
    pool.discard(broken)
    assert made.closed == [broken, idle]
    assert pool.take() == 3


def test_a_failed_connect_leaves_its_place_free() -> None:
    made = Made()
    pool = made.pool(size=1)
    made.failing = True
    for _ in range(3):
        with pytest.raises(Unavailable, match="down"):
            pool.take()
    made.failing = False
    assert pool.take() == 1


def test_a_closed_pool_gives_nothing_and_closes_what_comes_back() -> None:
    made = Made()
    pool = made.pool()
    out, idle = pool.take(), pool.take()
    pool.give(idle)
    pool.close()
    assert made.closed == [idle]
    pool.give(out)
    assert made.closed == [idle, out]
    with pytest.raises(Unavailable, match="closed"):
        pool.take()
