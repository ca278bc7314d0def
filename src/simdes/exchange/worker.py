"""The worker's loop: what `serve` runs beside its routes, until it is told to stop.

A part that does not answer (ledger, store, a custodian) ends a round and is tried again with
growing pauses; nothing is lost meanwhile. Logs name kinds of failures, never data.
"""

from __future__ import annotations

import threading
import time

import structlog

from simdes import logs
from simdes.access import custody_keys
from simdes.errors import SimdesError
from simdes.exchange import (
    anchoring,
    correction_telling,
    freezing,
    guardians,
    indexing,
    recovering,
    resharing,
)
from simdes.exchange.anchoring import Progress
from simdes.exchange.bulk import jobs
from simdes.exchange.claims import arriving, fingerprints, opening, steps
from simdes.exchange.elsewhere import Resting
from simdes.exchange.mail import sending
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import announcing, issuing, settling, waiting
from simdes.exchange.running import worker_name
from simdes.exchange.subscriptions import telling
from simdes.index import copies, studies

IDLE_SECONDS = 0.25
GATHER_SECONDS = 1.0
"""How long resources gather after a round that had work."""
LONGEST_PAUSE_SECONDS = 8.0
TEND_SECONDS = 30.0
"""How often vaults in a new epoch, guardians, recoveries and fingerprints are looked after."""
CLAIM_SECONDS = 2.0
"""How often claims, and freezes of accounts, are gone on with: each asks the ledger how it
stands."""
ARRIVE_SECONDS = 5.0
"""How often providers are asked which claims, or prescriptions, may be looked at, and authors told
of corrections."""
REST_SECONDS = 60.0
"""How long one that did not answer is not asked."""
RETIRE_SECONDS = 3_600.0
"""How often keys of past epochs, and releases ordered on pages, are looked for that can go."""

_log = structlog.get_logger("simdes.worker")


def run(node: Node, stop: threading.Event) -> None:
    """Work in rounds until ``stop`` is set."""
    name = worker_name()
    pause = IDLE_SECONDS
    tended, retired = _Every(TEND_SECONDS), _Every(RETIRE_SECONDS)
    claimed = _Every(CLAIM_SECONDS)
    while not stop.is_set():
        try:
            _fill_keys(node)
            _drop_expired(node)
            left = indexing.catch_up(node)
            done = anchoring.work(node, worker=name)
            bulk = jobs.work(node, worker=name, kinds=(jobs.EXPORT,))
            issuing.work(node)
            announcing.announce(node)
            settling.settle(node)
            if claimed.due():
                freezing.tend(node)
                opening.work(node)
                steps.settle(node)
            pause = 0.0 if bulk else _pause(done, left)
            if tended.due():
                resharing.tend(node)
                guardians.put_in_force(node)
                recovering.tend(node)
                fingerprints.tend(node)
            if retired.due():
                resharing.retire(node)
                node.database.write(lambda tx: studies.forget(tx, now_ms=node.now_ms()))
        except Exception as error:
            pause = _after_failure(pause, error)
        stop.wait(pause)


class _Every:
    """A step that is due now and then, at the start first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def due(self) -> bool:
        """Whether it is time; the next time is set with the answer."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


def _pause(done: Progress, left: int) -> float:
    """How long to wait: what comes one by one is sealed and anchored together, a backlog at once.

    A body, a batch and two ledger transactions cost the same for one resource as for hundreds.
    """
    if left or done.resources >= anchoring.SEAL_RESOURCES:
        return 0.0
    return IDLE_SECONDS if done.idle else GATHER_SECONDS


def tell(node: Node, stop: threading.Event) -> None:
    """Tell subscribers until ``stop`` is set; apart from `run`, which no receiver may hold up."""
    telling.run(node, stop, name=worker_name())


def write_mails(node: Node, stop: threading.Event) -> None:
    """Send mails until ``stop`` is set; apart from `run`, which no mail server may hold up."""
    sending.run(node, stop, name=worker_name())


def hear(node: Node, stop: threading.Event) -> None:
    """Ask providers which claims an insurer may look at, and which prescriptions a pharmacy, until
    ``stop`` is set; apart from `run`, which no provider may hold up."""
    resting, tidied = Resting(REST_SECONDS), _Every(RETIRE_SECONDS)
    while not stop.is_set():
        pause = ARRIVE_SECONDS
        try:
            node.following.catch_up()
            arriving.collect(node, resting)
            waiting.collect(node, resting)
            if tidied.due():
                arriving.tidy(node)
                waiting.tidy(node)
        except Exception as error:
            pause = _after_failure(pause, error)
        stop.wait(pause)


def tell_authors(node: Node, stop: threading.Event) -> None:
    """Tell who wrote it what patients here want corrected, until ``stop`` is set; apart from `run`,
    which no other organisation may hold up."""
    while not stop.is_set():
        pause = ARRIVE_SECONDS
        try:
            correction_telling.tell(node)
        except Exception as error:
            pause = _after_failure(pause, error)
        stop.wait(pause)


def take_in(node: Node, stop: threading.Event) -> None:
    """Work on imports until ``stop`` is set; apart from `run`, which no file from elsewhere may
    hold up."""
    name = worker_name()
    pause = IDLE_SECONDS
    while not stop.is_set():
        try:
            kinds = (jobs.IMPORT,)
            busy = jobs.work(node, worker=name, kinds=kinds, stopped=stop.is_set)
            pause = 0.0 if busy else IDLE_SECONDS
        except Exception as error:
            pause = _after_failure(pause, error)
        stop.wait(pause)


def _after_failure(pause: float, error: Exception) -> float:
    """Write down what failed; how long to wait then. Not even a fault of ours ends a worker."""
    if isinstance(error, SimdesError):
        _log.warning("round failed", issue=error.issue, kind=type(error).__name__)
    else:
        _log.error("round failed", issue="exception", **logs.described(error))
    return min(max(2 * pause, 1.0), LONGEST_PAUSE_SECONDS)


def _drop_expired(node: Node) -> None:
    """Drop copies whose time is over, and what searches know of them."""
    with node.database.read() as tx:
        expired = copies.expired(tx, now_ms=node.now_ms())
    if expired:
        node.database.write(lambda tx: copies.purge(tx, now_ms=node.now_ms()))


def _fill_keys(node: Node) -> None:
    desk = node.desk
    desk.database.write(
        lambda tx: custody_keys.fill_pool(
            tx, desk.keystore, random=desk.random, now_ms=node.now_ms()
        )
    )
