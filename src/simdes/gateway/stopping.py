"""How a gateway ends: first it says so, then it takes nothing new, then what is under way ends.

The stages stand in the order in which `simdes.serving` goes through them. A balancer that asks
``/readyz`` sends its requests elsewhere during the first.
"""

from __future__ import annotations

import threading
from enum import IntEnum


class Stage(IntEnum):
    """How far the end has come."""

    OPEN = 0
    LEAVING = 1  # /readyz says 503, everything is still answered
    CLOSED = 2  # whatever is new is answered 503


class Stopping:
    """The stage, and how many requests are under way. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0
        self.stage = Stage.OPEN

    @property
    def under_way(self) -> int:
        """Requests begun and not ended."""
        return self._under_way

    def begin(self) -> None:
        """Count a request that begins."""
        with self._lock:
            self._under_way += 1

    def end(self) -> None:
        """Count a request that ended."""
        with self._lock:
            self._under_way -= 1
