"""How long whoever asks will wait for the ledger in all, over every question on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_UNTIL: ContextVar[float | None] = ContextVar("until", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let every question to a node in this context end in time; an outer limit stays.

    What is not answered by then raises `Unavailable`.
    """
    until = time.monotonic() + seconds
    outer = _UNTIL.get()
    token = _UNTIL.set(until if outer is None else min(until, outer))
    try:
        yield
    finally:
        _UNTIL.reset(token)


def latest_end(seconds: float, monotonic: Callable[[], float] = time.monotonic) -> float:
    """Return when (by `monotonic`) something must end that may take this long by itself."""
    now = time.monotonic()
    until = _UNTIL.get()
    return monotonic() + (seconds if until is None else min(seconds, until - now))
