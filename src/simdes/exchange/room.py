"""How much is held in memory for requests at a time, all of them together.

A search may find resources of 30 MiB each, a batch may hold 5,000 reads of them, and a body grows
tenfold when it is parsed: forty such requests at once would take any machine's memory. So whoever
is about to hold much says how much, and waits or is refused while others hold it
(docs/decisions/0036-memory.md). Small things are not counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from simdes.errors import Unavailable

MOST_BYTES: Final = 512 << 20
"""What requests may hold together, beyond small things."""
COUNTED_BYTES: Final = 256 << 10
"""What is smaller is not counted."""
GROWS: Final = 12
"""How many times its size JSON takes while it is parsed, checked and written again (measured)."""
PATIENCE_SECONDS: Final = 5.0
"""How long a thread waits for others to leave; the client is better served by being told."""

_REFUSED: Final = "There is no room for so much at present."
_TOO_MUCH: Final = "This is more than one answer can hold."


@dataclass(slots=True)
class Room:
    """Bytes that requests of this process hold. Safe for several threads."""

    most_bytes: int = MOST_BYTES
    used_bytes: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition, repr=False)

    def take(self, visit: Visit, size: int, *, patience_seconds: float) -> bool:
        """Let a visit hold ``size`` more; False where others did not leave in time.

        Raises Unavailable where it could not hold that much even alone.
        """
        if visit.held_bytes + size > self.most_bytes:
            raise Unavailable(_TOO_MUCH, advice="Ask for less at a time.")
        until = time.monotonic() + patience_seconds
        with self._changed:
            while self.used_bytes + size > self.most_bytes:
                left = until - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return False
            self.used_bytes += size
            visit.held_bytes += size
        return True

    def give(self, visit: Visit, size: int) -> None:
        """Take back some of what a visit holds."""
        with self._changed:
            given = min(size, visit.held_bytes)
            self.used_bytes -= given
            visit.held_bytes -= given
            self._changed.notify_all()


@dataclass(slots=True)
class Visit:
    """What one request holds, until it leaves.

    A thread that nobody waits for any more goes on for a while, and with it what it holds.
    """

    room: Room
    held_bytes: int = 0
    _is_working: bool = False
    _is_abandoned: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def need(self, size: int) -> None:
        """Hold more. Raises Unavailable where there is no room, even after a while."""
        if size >= COUNTED_BYTES and not self.room.take(
            self, size, patience_seconds=PATIENCE_SECONDS
        ):
            raise Unavailable(_REFUSED, advice="Send the request again in a moment.")

    def tries(self, size: int) -> bool:
        """Hold more where there is room at once. Raises Unavailable where there never is."""
        return self.room.take(self, size, patience_seconds=0)

    def keep(self, size: int) -> None:
        """Hold no more than this from now on."""
        if self.held_bytes > size:
            self.room.give(self, self.held_bytes - size)

    def leave(self) -> None:
        """Hold nothing any more."""
        self.keep(0)

    def abandon(self) -> None:
        """Leave as soon as no thread works for it."""
        with self._lock:
            self._is_abandoned = True
            is_over = not self._is_working
        if is_over:
            self.leave()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count for this visit what the thread at hand needs (`need`) while this is open."""
        self._is_working = True
        token = _VISIT.set(self)
        try:
            yield
        finally:
            _VISIT.reset(token)
            with self._lock:
                self._is_working = False
                is_over = self._is_abandoned
            if is_over:
                self.leave()


_VISIT: ContextVar[Visit | None] = ContextVar("visit", default=None)


def need(size: int, *, waits: bool = True) -> None:
    """Hold so much more for the request at hand, if it is one; raises as `Visit.need`.

    Without ``waits`` it is refused at once where there is no room: for who holds what those wait
    for who would have to leave (a lock, the one writer's turn).
    """
    visit = _VISIT.get()
    if visit is None:
        return
    if waits:
        visit.need(size)
    elif size >= COUNTED_BYTES and not visit.tries(size):
        raise Unavailable(_REFUSED, advice="Send the request again in a moment.")
