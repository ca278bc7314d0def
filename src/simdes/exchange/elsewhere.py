"""Blocks from other organisations: what a store asks that does not have one, or does not answer.

Organisations are asked one after the other, those first that the placement rule names for the
block. One that does not answer is left alone for some seconds; all together may take `SECONDS`, so
that a reader gets a block or a refusal in bounded time. Whatever comes is hashed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from simdes.access.asking import Caller
from simdes.access.categories import State
from simdes.access.copies import ask_blocks
from simdes.budget import latest_end
from simdes.errors import NotFound, SimdesError, Unavailable
from simdes.index import chain
from simdes.index.database import Database
from simdes.storage.placement import ranked

SECONDS: Final = 5.0
MOST: Final = 8
"""Organisations asked for one block."""


class Resting:
    """Who did not answer a moment ago. Safe to share between threads."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._until: dict[bytes, float] = {}

    def begin(self, one: bytes) -> None:
        """Leave it alone for a while."""
        with self._lock:
            self._until[one] = self._clock() + self._seconds

    def end(self, one: bytes) -> None:
        """It answered."""
        with self._lock:
            self._until.pop(one, None)

    def __contains__(self, one: bytes) -> bool:
        with self._lock:
            return self._until.get(one, float("-inf")) > self._clock()


class Elsewhere:
    """Asks the other verified organisations for a block; `storage.fallback.Elsewhere`."""

    def __init__(
        self,
        caller: Caller,
        database: Database,
        *,
        organisation: bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``caller`` asks as software of ``organisation``, which is not asked itself."""
        self._caller = caller
        self._database = database
        self._organisation = organisation
        self._clock = clock
        self._resting = Resting(SECONDS, clock)

    def __call__(self, cid: str) -> bytes:
        """A block, hashed.

        Raises:
            NotFound: everybody who was asked says that they do not have it.
            Unavailable: nobody gave it, and somebody did not answer.

        """
        deadline = latest_end(SECONDS, self._clock)
        asked = silent = 0
        for one in ranked(cid, verified(self._database, but=self._organisation)):
            if asked == MOST or self._clock() > deadline:
                break
            if one in self._resting:
                silent += 1
                continue
            asked += 1
            try:
                found = ask_blocks(self._caller, one, [cid])
            except SimdesError as error:
                silent += 1
                if isinstance(error, Unavailable):
                    self._resting.begin(one)
                continue
            if cid in found:
                return found[cid]
        if silent:
            raise Unavailable("No organisation gave a block; some did not answer.")
        raise NotFound("No organisation has this block.")


def verified(database: Database, *, but: bytes = b"") -> list[bytes]:
    """The ids of the verified organisations, as far as events are known here, without one."""
    with database.read() as tx:
        known: Iterable[chain.Organisation] = chain.organisations(tx)
    return [one.id for one in known if one.state == State.VERIFIED and one.id != but]
