"""Audit entries of many threads in shared commits.

Readers come in parallel: whoever is first writes down what all the others waiting then did, too
(group commit), so that evidence costs one durable write however many asked at once.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from simdes.access.audit import Trail
from simdes.access.audit_event import Attempt
from simdes.index.database import Database


@dataclass(slots=True, eq=False)
class _Waiting:
    attempts: Sequence[Attempt]
    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None


class Journal:
    """Writes attempts of many threads in shared transactions; `write` returns when durable."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: list[_Waiting] = []
        self._writing = threading.Lock()

    def write(self, database: Database, trail: Trail, attempts: Sequence[Attempt]) -> None:
        """Make attempts durable. Raises what the database raises, to everyone who waited."""
        if not attempts:
            return
        mine = _Waiting(attempts)
        with self._lock:
            self._queue.append(mine)
        with self._writing:
            if not mine.done.is_set():
                self._write_all(database, trail)
        if mine.error is not None:
            raise mine.error

    def _write_all(self, database: Database, trail: Trail) -> None:
        with self._lock:
            taken, self._queue = self._queue, []
        every = [one for waiting in taken for one in waiting.attempts]
        try:
            database.write(lambda tx: trail.append(tx, every))
        except BaseException as failure:
            # What stands in the way of one must not refuse the others.
            for waiting in taken:
                waiting.error = failure if len(taken) == 1 else _alone(database, trail, waiting)
        for waiting in taken:
            waiting.done.set()


def _alone(database: Database, trail: Trail, waiting: _Waiting) -> BaseException | None:
    try:
        database.write(lambda tx: trail.append(tx, waiting.attempts))
    except BaseException as failure:
        return failure
    return None
