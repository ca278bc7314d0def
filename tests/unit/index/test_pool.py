"""The pool of connections: bounded, reused, emptied when one breaks."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

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


def test_no_more_threads_than_the_bound_have_connections() -> None:
    pool = Made().pool(size=2)
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        assert {first.submit(pool.take).result(), second.submit(pool.take).result()} == {1, 2}
        with pytest.raises(Unavailable):
            pool.take()


def test_a_thread_waits_for_a_connection_to_come_back() -> None:
    pool = Made().pool(size=1, wait_seconds=60)
    with ThreadPoolExecutor(1) as other:
        held = other.submit(pool.take).result()
        threading.Timer(0.02, other.submit, [pool.give, held]).start()
        assert pool.take() == held


def test_who_has_a_connection_gets_another_however_many_wait() -> None:
    pool = Made().pool(size=2, wait_seconds=2)
    both = threading.Barrier(2)

    def nested() -> int:
        outer = pool.take()
        both.wait(60)
        inner = pool.take()
        pool.give(inner)
        pool.give(outer)
        return inner

    with ThreadPoolExecutor(2) as threads:
        assert all(one.result() for one in [threads.submit(nested) for _ in range(2)])
    with ThreadPoolExecutor(1) as other:  # every turn was given back, once
        other.submit(pool.take).result()
        pool.take()
        with ThreadPoolExecutor(1) as late, pytest.raises(Unavailable):
            late.submit(pool.take).result()


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
