"""A bounded pool of database connections, last returned first taken."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from simdes.budget import left
from simdes.errors import Unavailable

C = TypeVar("C")

LEAST_SECONDS: Final = 1.0
"""What a database gets in any case of a caller's time: a refusal is to be written down, too."""


class Pool(Generic[C]):
    """Connections for ``size`` threads at a time; others wait ``wait_seconds`` for their turn.

    A thread that has one gets a further one at once: were it to wait for another's turn while
    others wait for its, nobody would go on.
    """

    def __init__(
        self,
        connect: Callable[[], C],
        disconnect: Callable[[C], None],
        *,
        size: int,
        wait_seconds: float,
    ) -> None:
        self._connect = connect
        self._disconnect = disconnect
        self._free: deque[C] = deque()
        self._slots = threading.BoundedSemaphore(size)
        self._wait_seconds = wait_seconds
        self._held = threading.local()
        self._closed = False

    def take(self) -> C:
        """Return a connection that nobody else has; `Unavailable` when none comes free in time."""
        self._begin()
        try:
            if self._closed:
                raise Unavailable("The database is closed")
            try:
                return self._free.pop()
            except IndexError:
                return self._connect()
        except BaseException:
            self._end()
            raise

    def _begin(self) -> None:
        depth = getattr(self._held, "depth", 0)
        seconds = left(self._wait_seconds, least=LEAST_SECONDS)
        if not depth and not self._slots.acquire(timeout=seconds):
            raise Unavailable("Every database connection has been busy for too long")
        self._held.depth = depth + 1

    def _end(self) -> None:
        self._held.depth -= 1
        if not self._held.depth:
            self._slots.release()

    def give(self, connection: C) -> None:
        """Return a connection that is in good order."""
        if self._closed:
            self._disconnect(connection)
        else:
            self._free.append(connection)
        self._end()

    def discard(self, connection: C) -> None:
        """Return a broken connection; idle ones probably broke with it, so they go too."""
        self._disconnect(connection)
        self._end()
        self._drain()

    def close(self) -> None:
        """Close idle connections now, busy ones when they come back."""
        self._closed = True
        self._drain()

    def _drain(self) -> None:
        while True:
            try:
                connection = self._free.pop()
            except IndexError:
                return
            self._disconnect(connection)
