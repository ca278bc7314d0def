"""What those who run the program ask of it: can it work now, and how much waits.

Numbers alone, of the whole organisation: nothing here names a patient, a record or an account.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from simdes.access.desk import Desk
from simdes.errors import SimdesError, Unavailable
from simdes.exchange.custody import CustodyDesk
from simdes.index import erasures
from simdes.index.backlog import Backlog, backlog
from simdes.index.erasures import Counted as Erasures
from simdes.index.mail import Waiting, waiting
from simdes.index.migrations import HEAD
from simdes.index.reconciling import Reconciliation, reconciliation
from simdes.index.storekeeping import Storekeeping, storekeeping

_VERSION = metadata.version("simdes")

__all__ = [
    "DONE",
    "Backlog",
    "Erasures",
    "Figures",
    "Operations",
    "Reconciliation",
    "Storekeeping",
    "Waiting",
]

DONE = "audit-compared"
"""The checkpoint whose number is when audit trails were compared last, in milliseconds."""

LEAST_FREE_BYTES = 256 * 1024 * 1024
"""Free space below which the program is not ready: a database that can't grow loses its writers."""

OVERDUE_MS = 6 * 3_600_000
"""How far behind reading the store again may be before it counts as overdue."""

LOOK_AGAIN_SECONDS = 1.0
"""How long an answer to `ready` stands; anybody may ask, and each look asks ledger and store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Numbers of one moment; None where the part that knows does not answer."""

    backlog: Backlog | None
    storekeeping: Storekeeping | None
    reconciliation: Reconciliation | None
    erasures: Erasures | None
    mails: Waiting | None
    mails_seconds: float | None
    oldest_seconds: float | None
    oldest_erasure_seconds: float | None
    head_seconds: float | None
    head_number: int | None
    free_bytes: int | None


class Operations:
    """One organisation's condition. Safe for several threads."""

    def __init__(
        self,
        custody: CustodyDesk,
        *,
        places: Sequence[Path] = (),
        least_free_bytes: int = LEAST_FREE_BYTES,
    ) -> None:
        """``places`` are the folders that this organisation writes into."""
        self._custody = custody
        self._places = tuple(places)
        self._least_free_bytes = least_free_bytes
        self._seen: tuple[float, dict[str, str]] | None = None

    @property
    def _desk(self) -> Desk:
        return self._custody.desk

    def ready(self) -> dict[str, str]:
        """Each part this organisation needs: "ok", or the issue code of what is wrong with it."""
        now = self._desk.clock()
        if self._seen is not None and 0 <= now - self._seen[0] < LOOK_AGAIN_SECONDS:
            return dict(self._seen[1])
        parts = self._custody.ready()
        if parts["ledger"] == "ok":
            parts["ledger"] = _state(self._check_head)
        parts["store"] = _state(self._desk.store.probe)
        parts["disk"] = _state(self._check_disk)
        self._seen = (now, parts)
        return dict(parts)

    def figures(self) -> Figures:
        """Count what there is; parts that do not answer leave None."""
        now = self._desk.clock()
        counted = self._backlog(now)
        head = self._head(now)
        free = self._free()
        erased = self._erasures()
        mails = self._mails()
        return Figures(
            backlog=counted,
            storekeeping=self._storekeeping(now),
            reconciliation=self._reconciliation(),
            erasures=erased,
            mails=mails,
            mails_seconds=None
            if mails is None
            else max(0.0, now - mails.oldest_ms / 1000)
            if mails.oldest_ms
            else 0.0,
            oldest_seconds=_age(counted, now),
            oldest_erasure_seconds=_age(erased, now),
            head_seconds=None if head is None else head[1],
            head_number=None if head is None else head[0],
            free_bytes=min(free) if free else None,
        )

    @staticmethod
    def release() -> tuple[str, str]:
        """The program's version, and the schema that it was written for."""
        return _VERSION, HEAD

    def decisions(self) -> Mapping[tuple[str, str], int]:
        """How often this process granted ((verb, "")) or refused ((verb, reason))."""
        return self._custody.decisions()

    def refusals_lost(self) -> int:
        """How many refusals of this process are not in the audit trail."""
        return self._desk.trail.lost

    def turned_away(self) -> Mapping[str, int]:
        """How often what kind of request was turned away before it named an account."""
        return self._custody.counters()

    def _backlog(self, now: float) -> Backlog | None:
        try:
            with self._desk.database.read() as tx:
                return backlog(tx, now_ms=int(now * 1000))
        except SimdesError:
            return None

    def _storekeeping(self, now: float) -> Storekeeping | None:
        try:
            with self._desk.database.read() as tx:
                return storekeeping(tx, overdue_before_ms=int(now * 1000) - OVERDUE_MS)
        except SimdesError:
            return None

    def _reconciliation(self) -> Reconciliation | None:
        try:
            with self._desk.database.read() as tx:
                return reconciliation(tx, done=DONE)
        except SimdesError:
            return None

    def _erasures(self) -> Erasures | None:
        try:
            with self._desk.database.read() as tx:
                return erasures.count(tx)
        except SimdesError:
            return None

    def _mails(self) -> Waiting | None:
        try:
            with self._desk.database.read() as tx:
                return waiting(tx)
        except SimdesError:
            return None

    def _head(self, now: float) -> tuple[int, float] | None:
        try:
            head = self._desk.contracts.ledger.head()
        except SimdesError:
            return None
        return head.number, max(0.0, now - head.timestamp)

    def _check_head(self) -> None:
        limit = self._desk.limits.stale_after_seconds
        head = self._head(self._desk.clock())
        if head is None or (limit and head[1] > limit):
            raise Unavailable("The ledger's newest block is too old.")

    def _check_disk(self) -> None:
        if any(free < self._least_free_bytes for free in self._free()):
            raise Unavailable("There is too little free space.")

    def _free(self) -> list[int]:
        try:
            return [shutil.disk_usage(place).free for place in self._places]
        except OSError:
            return [0]


def _age(counted: Backlog | Erasures | None, now: float) -> float | None:
    if counted is None:
        return None
    return 0.0 if counted.oldest_ms is None else max(0.0, now - counted.oldest_ms / 1000)


def _state(check: Callable[[], object]) -> str:
    try:
        check()
    except SimdesError as error:
        return error.issue
    return "ok"
