"""How much of what costs the processor dear one caller may ask for (RFC 6585, section 4).

A proof takes a second of one core, whoever asks and whether or not anything comes of it: counted by
account before it is begun, so that one account, or one stolen token, leaves the others theirs.
Counts are this process's own.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from simdes.errors import TooLarge


class TooMany(TooLarge):
    """The caller asked for so much that more has to wait (HTTP 429)."""


class Pace:
    """Turns by caller: so many in a minute, so many at once. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = -1
        self._begun: Counter[bytes] = Counter()
        self._running: Counter[bytes] = Counter()

    @contextmanager
    def turn(
        self, caller: bytes, *, now_seconds: int, per_minute: int, at_once: int
    ) -> Iterator[None]:
        """Take a turn for as long as the block runs. Raises TooMany where the caller had all.

        Minutes are those of the clock; a refused turn is not counted.
        """
        with self._lock:
            if now_seconds // 60 != self._minute:
                self._minute = now_seconds // 60
                self._begun.clear()
            if self._begun[caller] >= per_minute or self._running[caller] >= at_once:
                raise TooMany(
                    f"This account may ask for {per_minute} proofs in a minute, {at_once} at once.",
                    advice="Wait a minute, then ask again.",
                )
            self._begun[caller] += 1
            self._running[caller] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[caller] -= 1
                if not self._running[caller]:
                    del self._running[caller]
