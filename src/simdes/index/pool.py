"""A bounded pool of database connections, last returned first taken."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from simdes.errors import Unavailable

C = TypeVar("C")


class Pool(Generic[C]):
    """At most ``size`` connections at a time; a thread waits ``wait_seconds`` for a free one."""

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
        self._closed = False

    def take(self) -> C:
        """Return a connection that nobody else has; `Unavailable` when none comes free in time."""
        if not self._slots.acquire(timeout=self._wait_seconds):
            raise Unavailable("Every database connection has been busy for too long")
        try:
            if self._closed:
                raise Unavailable("The database is closed")
            try:
                return self._free.pop()
            except IndexError:
                return self._connect()
        except BaseException:
            self._slots.release()
            raise

    def give(self, connection: C) -> None:
        """Return a connection that is in good order."""
        if self._closed:
            self._disconnect(connection)
        else:
            self._free.append(connection)
        self._slots.release()

    def discard(self, connection: C) -> None:
        """Return a broken connection; idle ones probably broke with it, so they go too."""
        self._disconnect(connection)
        self._slots.release()
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
