"""What was asked of custodians a moment ago, so that a page of questions is not asked twice.

A copy lives for minutes and goes at once when its consent does; whether there is anything *new* at
other organisations is looked up anew after `FRESH_SECONDS`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

FRESH_SECONDS = 20
"""How long an answer to "what is there" is good for; revocation does not wait for it."""
COMPARE_SECONDS = 900
"""How often two custodians are asked for their lists instead of one."""
_MOST = 50_000

Question = tuple[bytes, bytes, bytes, int]
"""Account, vault, handle and purpose."""


class Recent:
    """Which questions were answered lately, and for which categories. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: OrderedDict[Question, tuple[float, int]] = OrderedDict()

    def missing(self, question: Question, categories: int, *, now_seconds: float) -> int:
        """Those of the categories (a mask) that were not asked for lately."""
        with self._lock:
            at, known = self._asked.get(question, (0.0, 0))
        return categories if now_seconds - at >= FRESH_SECONDS else categories & ~known

    def answered(self, question: Question, categories: int, *, now_seconds: float) -> None:
        """Note an answer for these categories."""
        with self._lock:
            at, known = self._asked.pop(question, (0.0, 0))
            fresh = now_seconds - at < FRESH_SECONDS
            self._asked[question] = (at if fresh else now_seconds, known * fresh | categories)
            while len(self._asked) > _MOST:
                self._asked.popitem(last=False)

    def forget(self, vault: bytes) -> None:
        """Ask anew about a vault: its consents changed."""
        with self._lock:
            for question in [one for one in self._asked if one[1] == vault]:
                del self._asked[question]


class Lately:
    """What was done within the last quarter of an hour. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: OrderedDict[tuple[bytes, bytes], float] = OrderedDict()

    def is_due(self, vault: bytes, handle: bytes, *, now_seconds: float) -> bool:
        """Whether it is time; the answer counts as having done it."""
        with self._lock:
            at = self._done.pop((vault, handle), None)
            due = at is None or not 0 <= now_seconds - at < COMPARE_SECONDS
            self._done[vault, handle] = now_seconds if due or at is None else at
            while len(self._done) > _MOST:
                self._done.popitem(last=False)
        return due
