from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from simdes.budget import (
    CALL_SECONDS,
    DATABASE_SECONDS,
    account,
    briefly,
    latest_end,
    left,
    within,
)


def test_nothing_is_limited_where_nobody_waits() -> None:
    assert left(30.0) == 30.0


def test_what_is_left_shrinks_and_an_outer_limit_stays() -> None:
    with within(5.0):
        assert 4.9 < left(30.0) <= 5.0
        assert left(1.0) == 1.0
        with within(60.0):
            assert left(30.0) <= 5.0
        with within(0.0):
            assert left(30.0) == 0.0
            assert left(30.0, least=1.0) == 1.0
        assert left(30.0) > 4.9
    assert left(30.0) == 30.0


def test_a_limit_holds_by_whatever_clock_somebody_counts() -> None:
    with within(5.0):
        assert 104.9 < latest_end(30.0, lambda: 100.0) <= 105.0


def test_a_call_from_outside_is_limited_in_the_thread_that_answers_it() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(briefly, left, 30.0).result() <= CALL_SECONDS
        assert pool.submit(left, 30.0).result() == 30.0


def test_a_limit_goes_along_where_the_context_does() -> None:
    found = []
    with within(5.0):
        context = copy_context()
        thread = threading.Thread(target=lambda: found.append(context.run(left, 30.0)))
        thread.start()
        thread.join()
    assert found[0] <= 5.0


def test_a_call_has_one_account_of_its_waits_for_the_database() -> None:
    def call() -> list[float]:
        counted = account()
        assert counted is not None
        before = counted.left
        counted.waited += 2.0
        again = account()
        assert again is not None
        return [before, again.left]

    assert account() is None
    assert briefly(call) == [DATABASE_SECONDS, DATABASE_SECONDS - 2.0]
    assert briefly(call) == [DATABASE_SECONDS, DATABASE_SECONDS - 2.0]
    assert account() is None
