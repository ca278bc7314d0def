"""How often one caller may call within a minute, counted in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

_MOST_CALLERS: Final = 100_000


class RateLimit:
    """Counts calls by caller over whole minutes. Safe for several threads."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = -1
        self._counts: dict[str, int] = {}

    def passes(self, caller: str) -> bool:
        """Count a call; whether it is within the limit."""
        minute = int(self._clock() // 60)
        with self._lock:
            if minute != self._minute or len(self._counts) > _MOST_CALLERS:
                self._minute, self._counts = minute, {}
            self._counts[caller] = self._counts.get(caller, 0) + 1
            return self._counts[caller] <= self._per_minute
