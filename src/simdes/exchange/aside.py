"""Work that goes on after the request that began it, with the key of who asked.

A worker has no person's key, and none is kept for it on disk: so such work runs in the process that
took the request, and a restart ends it. Whoever begins it keeps in the database how far it is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from simdes import logs

_AT_ONCE: Final = 2
BEAT_SECONDS: Final = 60.0
"""How often it is noted of what waits or runs that it does."""

_log = structlog.get_logger("simdes.aside")


class Aside:
    """Runs a few things at once beside requests; the rest wait. Safe for several threads."""

    def __init__(self) -> None:
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        self._threads: list[threading.Thread] = []
        self._ending = threading.Event()

    @property
    def ending(self) -> bool:
        """Whether the program is to end: what goes on stops at its next step."""
        return self._ending.is_set()

    def start(self, work: Callable[[], None], *, beat: Callable[[], None] = lambda: None) -> None:
        """Begin something and return; ``beat`` is called each minute while it waits or runs."""
        thread = threading.Thread(target=self._run, args=(work, beat), name="aside", daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()

    def wait(self, seconds: float) -> None:
        """Wait until what was begun is done, that long at most."""
        deadline = time.monotonic() + seconds
        for one in self._threads:
            one.join(max(0.0, deadline - time.monotonic()))

    def end(self, seconds: float) -> None:
        """Have what goes on stop, and wait for that, that long at most."""
        self._ending.set()
        self.wait(seconds)

    def _run(self, work: Callable[[], None], beat: Callable[[], None]) -> None:
        over = threading.Event()
        threading.Thread(target=_beat, args=(beat, over), name="aside-beat", daemon=True).start()
        try:
            with self._room:
                work()
        except Exception as error:  # nobody waits for it
            _log.error("aside failed", issue="exception", **logs.described(error))
        finally:
            over.set()


def _beat(beat: Callable[[], None], over: threading.Event) -> None:
    while not over.wait(BEAT_SECONDS):
        try:
            beat()
        except Exception as error:  # the next one may go through
            _log.warning("aside was not noted", issue="exception", **logs.described(error))
