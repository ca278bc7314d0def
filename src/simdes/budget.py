"""How long whoever asks will wait in all, over every part that is asked on the way.

A request comes to the ledger, the store, custodians and the database, some of them several times;
each wait has an end of its own, and all together must end before the caller's patience does. What
waits asks here how long it may; what is not answered by then raises `errors.Unavailable`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, ParamSpec, TypeVar

CALL_SECONDS: Final = 8.0
"""How long one call from outside may wait for other parts; an answer is due within ten seconds."""

DATABASE_SECONDS: Final = 6.0
"""How long one call may wait for the database in all: many answers that are a little late are late,
too. Apart from the limit above: what a call computes for long has to be written down then."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Account:
    """How long a call has waited for the database; its threads share one."""

    waited: float = 0.0

    @property
    def left(self) -> float:
        """Seconds; 0 or less where nothing is left."""
        return DATABASE_SECONDS - self.waited


_ACCOUNT: ContextVar[Account | None] = ContextVar("account", default=None)
_UNTIL: ContextVar[float | None] = ContextVar("until", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let every wait in this context end in time; an outer limit stays."""
    until = time.monotonic() + seconds
    outer = _UNTIL.get()
    token = _UNTIL.set(until if outer is None else min(until, outer))
    try:
        yield
    finally:
        _UNTIL.reset(token)


def briefly(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do something for a caller who waits: its waits end after `CALL_SECONDS` together."""
    token = _ACCOUNT.set(Account())
    try:
        with within(CALL_SECONDS):
            return work(*args, **kwargs)
    finally:
        _ACCOUNT.reset(token)


def account() -> Account | None:
    """What the call that is being answered may still wait for the database; None where nobody
    waits."""
    return _ACCOUNT.get()


def charge(seconds: float) -> None:
    """Have a call's account of waits for the database charged with one for somebody else's."""
    counted = account()
    if counted is not None:
        counted.waited += seconds


def left(seconds: float, *, least: float = 0.0) -> float:
    """Return how long something may wait that may wait this long by itself.

    ``least`` is granted in any case: what has to be written down at the end needs a moment, too.
    """
    until = _UNTIL.get()
    return seconds if until is None else min(seconds, max(until - time.monotonic(), least))


def latest_end(seconds: float, monotonic: Callable[[], float] = time.monotonic) -> float:
    """Return when (by `monotonic`) something must end that may take this long by itself."""
    until = _UNTIL.get()
    mine = seconds if until is None else min(seconds, until - time.monotonic())
    return monotonic() + mine
