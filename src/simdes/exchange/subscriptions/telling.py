"""Tell subscribers: handshakes, notifications, heartbeats, retries and the end of subscriptions.

The worker's part. What happened is numbered, subscriptions for which there is something to do are
taken one by one, by whichever process is free, and left again. An event's number is durable before
it is sent and what arrived is noted afterwards: a program that is killed between the two is
followed by one that sends it again, under the same number. Rights are decided anew for every single
notification; what may not be seen any more is not sent, whatever was true when it was written.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from simdes import logs
from simdes.errors import Conflict, Forbidden, SimdesError, Unauthenticated, Unavailable
from simdes.exchange.interactions import writing
from simdes.exchange.interactions.auditing import audit_found
from simdes.exchange.interactions.changes import Change, Method
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.exchange.subscriptions import arriving, matching, notices, owners, showing
from simdes.exchange.subscriptions.notices import Told
from simdes.exchange.subscriptions.registering import TYPE
from simdes.exchange.subscriptions.wanted import Wanted, wanted
from simdes.fhir.negotiation import versions
from simdes.index import happenings, subscriptions
from simdes.index.subscriptions import Event, Subscription

THREADS: Final = 8
"""Notifications on their way at a time, in one process."""
LOOKED_AT_ONCE: Final = 200
SENT_AT_ONCE: Final = 50
"""Notifications of one subscription before it is another one's turn."""
LEASE_SECONDS: Final = 10
"""How much longer than a receiver may take a subscription is held."""
ERROR_AFTER: Final = 3
OFF_AFTER: Final = 12
LONGEST_PAUSE_SECONDS: Final = 600
KEPT_EVENTS: Final = 5_000
"""Events that ``$events`` can tell again."""
MOST_WAITING: Final = 50_000
"""Events that wait for a receiver; beyond them its subscription is switched off."""
IDLE_SECONDS: Final = 0.2
ARRIVALS_SECONDS: Final = 2.0
"""How often it is looked whether the chain has what was not looked for."""
_TIDY_SECONDS: Final = 10.0
_HELD_SECONDS: Final = 60

_log = structlog.get_logger("simdes.subscriptions")


class _Lost(Exception):
    """The subscription was changed, or taken by others."""


def run(node: Node, stop: threading.Event, *, name: str) -> None:
    """Tell subscribers until ``stop`` is set."""
    tidied = looked = float("-inf")
    with ThreadPoolExecutor(THREADS + 1, thread_name_prefix="hook") as pool:
        under_way: set[Future[None]] = set()
        arriving_: Future[None] | None = None
        while not stop.is_set():
            under_way = {one for one in under_way if not one.done()}
            if node.desk.clock() - looked > ARRIVALS_SECONDS and (
                arriving_ is None or arriving_.done()
            ):
                looked, arriving_ = node.desk.clock(), pool.submit(_arrived, node)
            try:
                taken = claim(node, name, limit=THREADS - len(under_way))
                under_way |= {pool.submit(_served, node, one, name, stop) for one in taken}
                if node.desk.clock() - tidied > _TIDY_SECONDS:
                    tidied = node.desk.clock()
                    node.database.write(happenings.forget_seen)
                stop.wait(0.01 if taken else IDLE_SECONDS)
            except SimdesError as error:
                _log.warning("round failed", issue=error.issue, kind=type(error).__name__)
                stop.wait(1.0)
            except Exception as error:  # a fault of ours must not end this for good, unseen
                _log.error("round failed", issue="exception", **logs.described(error))
                stop.wait(1.0)


def work(node: Node, *, name: str) -> int:
    """One round, one subscription after the other; how many were served."""
    _arrived(node)
    taken = claim(node, name, limit=THREADS)
    for one in taken:
        serve(node, one, name)
    return len(taken)


def claim(node: Node, name: str, *, limit: int) -> list[Subscription]:
    """Number what happened, and take subscriptions that have something to be told."""
    now_ms = node.now_ms()
    if limit <= 0:
        return []
    with node.database.read() as tx:
        if not subscriptions.is_due(tx, now_ms=now_ms):
            return []
    node.database.write(happenings.number)
    until_ms = now_ms + _HELD_SECONDS * 1000
    return node.database.write(
        lambda tx: subscriptions.claim(tx, name, now_ms=now_ms, until_ms=until_ms, limit=limit)
    )


def _arrived(node: Node) -> None:
    """See `arriving.look`; what fails is tried again."""
    try:
        arriving.look(node)
    except SimdesError as error:
        _log.warning("arrivals wait", issue=error.issue, kind=type(error).__name__)
    except Exception as error:  # as in `run`
        _log.error("arrivals failed", issue="exception", **logs.described(error))


def _served(node: Node, one: Subscription, name: str, stop: threading.Event) -> None:
    try:
        serve(node, one, name, stop)
    except Exception as error:  # as in `run`; its lease ends by itself
        _log.error("subscription failed", issue="exception", **logs.described(error))


def serve(node: Node, one: Subscription, name: str, stop: threading.Event | None = None) -> None:
    """Do for a held subscription what there is to do, and leave it."""
    serving = _Serving(node, one, name, stop or threading.Event())
    try:
        serving.run()
    except _Lost:
        return
    except (Forbidden, Unauthenticated) as error:
        serving.refused(error)
    except SimdesError as error:
        _log.warning("subscription waits", issue=error.issue, kind=type(error).__name__)
        serving.leave(pause_seconds=5)


@dataclass(slots=True)
class _Serving:
    """One subscription while it is held."""

    node: Node
    one: Subscription
    name: str
    stop: threading.Event

    def run(self) -> None:
        """Everything that is due, in order."""
        asking = owners.present(self.node, self.one)
        content, _ = showing.resource_of(self.node, self.one)
        asked = wanted(content, base=self.node.issuer.audience, now_ms=self.node.now_ms())
        if self.one.end_ms is not None and self.one.end_ms <= self.node.now_ms():
            self._becomes("off")
            return
        try:
            if self._is_strange:
                self._shake_hands(asked)
            self._look(asking, asked)
            self._tell(asked)
            self._beat(asked)
        except Unavailable as error:
            self._failed(error)
            return
        self.leave()

    def leave(self, *, pause_seconds: int = 0) -> None:
        """Let others have it."""
        next_ms = self.node.now_ms() + pause_seconds * 1000 if pause_seconds else 0
        self.node.database.write(
            lambda tx: subscriptions.let_go(tx, self.one.id, self.name, next_ms=next_ms)
        )

    def refused(self, error: SimdesError) -> None:
        """Its owner may not be told: for now, or any more."""
        if isinstance(error, Unauthenticated):  # a second factor would be needed to go on
            next_ms = self.node.now_ms() + _HELD_SECONDS * 1000
            self.node.database.write(
                lambda tx: subscriptions.let_go(
                    tx, self.one.id, self.name, next_ms=next_ms, reason=error.issue
                )
            )
            return
        _log.info("subscription ended", issue=error.issue)
        with suppress(SimdesError, _Lost):  # an account that may not act has nothing written
            self._becomes("off")
        self.node.database.write(
            lambda tx: subscriptions.close(tx, self.one.id, reason=error.issue)
        )

    # What there is to do ----------------------------------------------------------------------

    @property
    def _is_strange(self) -> bool:
        """Whether its receiver has not answered a handshake yet."""
        return self.one.status == "requested" or self.one.reason == subscriptions.NO_HANDSHAKE

    def _shake_hands(self, asked: Wanted) -> None:
        if asked.channel == "rest-hook":
            self._post(asked, notices.HANDSHAKE)
        self._becomes("active")
        self._note(delivered=self.one.delivered)

    def _look(self, asking: Asking, asked: Wanted) -> None:
        """Find events among what happened since, and number them."""
        node = self.node
        while not self.stop.is_set():
            with node.database.read() as tx:
                said = happenings.happenings(
                    tx, self.one.type, after=self.one.position, limit=LOOKED_AT_ONCE
                )
                found = matching.matching(node, tx, asking, asked, self.one.id, said)
            if not said:
                return
            now_ms, first = node.now_ms(), self.one.events + 1
            events = [
                _event(self.one.id, first + at, one.said, one.found.updated_ms)
                for at, one in enumerate(found)
            ]
            position, until_ms = said[-1].position, now_ms + _HELD_SECONDS * 1000
            moved = node.database.write(
                lambda tx, events=events, position=position, until_ms=until_ms: subscriptions.step(  # type: ignore[misc]
                    tx,
                    self.one,
                    self.name,
                    position=position,
                    events=events,
                    until_ms=until_ms,
                )
            )
            if not moved:
                raise _Lost
            self.one = replace(self.one, position=position, events=self.one.events + len(events))
            if self.one.events - self.one.delivered > MOST_WAITING:
                raise Forbidden("The receiver is too slow.")

    def _tell(self, asked: Wanted) -> None:
        if asked.channel == "websocket":  # whoever listens reads the events themselves
            if self.one.delivered < self.one.events:
                self._note(delivered=self.one.events)
            return
        for _ in range(SENT_AT_ONCE):
            if self.one.delivered >= self.one.events or self.stop.is_set():
                return
            events, told, asking = showing.shown(
                self.node, self.one, after=self.one.delivered, limit=asked.most
            )
            if told:
                audit_found(self.node, asking, [each.found for each in told])
                self._post(asked, notices.EVENTS, told)
            last = events[-1].number if events else self.one.events
            self._note(delivered=last)
            if self.one.status == "error":
                self._becomes("active")

    def _beat(self, asked: Wanted) -> None:
        now_ms, every_ms = self.node.now_ms(), self.one.heartbeat_ms
        if not every_ms or self.one.sent_ms + every_ms > now_ms:
            return
        if asked.channel == "rest-hook" and asked.form is not None:
            self._post(asked, notices.HEARTBEAT)
        self._note(delivered=self.one.delivered)

    # How --------------------------------------------------------------------------------------

    def _post(self, asked: Wanted, kind: str, told: Sequence[Told] = ()) -> None:
        """Send one notification. Raises Unavailable, `_Lost`."""
        until_ms = self.node.now_ms() + (asked.timeout_seconds + LEASE_SECONDS) * 1000
        if not self.node.database.write(
            lambda tx: subscriptions.hold(tx, self.one, self.name, until_ms=until_ms)
        ):
            raise _Lost
        last = told[-1].event.number if told else self.one.delivered
        state = replace(self.one, reason="", events=last)
        body, headers = b"", dict(asked.headers)
        if asked.form is not None:
            body = notices.notification(self.node, state, asked, kind, told=told)
            body = showing.written(asked, body)
            headers["Content-Type"] = asked.form.content_type
        self.node.hooks.post(asked.endpoint, body, headers, timeout_seconds=asked.timeout_seconds)

    def _note(self, *, delivered: int) -> None:
        now_ms = self.node.now_ms()
        kept = delivered - KEPT_EVENTS

        def write(tx: Any) -> bool:
            if kept > 0:
                subscriptions.trim(tx, self.one.id, before=kept)
            return subscriptions.told(
                tx, self.one.id, self.name, delivered=delivered, now_ms=now_ms
            )

        if not self.node.database.write(write):
            raise _Lost
        self.one = replace(self.one, delivered=delivered, sent_ms=now_ms, failures=0, reason="")

    def _failed(self, error: SimdesError) -> None:
        failures, is_strange = self.one.failures + 1, self._is_strange
        # An error in the first handshake is one at once (channels.html#rest-hook of the backport).
        is_error = is_strange or failures >= ERROR_AFTER
        if failures >= OFF_AFTER:
            self._becomes("off", error=error.message)
        elif is_error and self.one.status != "error":
            self._becomes("error", error=error.message)
        pause = min(2 ** (failures - 1), LONGEST_PAUSE_SECONDS)
        next_ms = self.node.now_ms() + pause * 1000
        _log.info("notification failed", failures=failures, kind=type(error).__name__)
        self.node.database.write(
            lambda tx: subscriptions.let_go(
                tx,
                self.one.id,
                self.name,
                next_ms=next_ms,
                failures=failures,
                reason=subscriptions.NO_HANDSHAKE if is_strange else error.issue,
            )
        )

    def _becomes(self, status: str, *, error: str = "") -> None:
        """Write the subscription's new status where its owner reads it; not over their changes."""
        node, (content, version) = self.node, showing.resource_of(self.node, self.one)
        made = {key: value for key, value in content.items() if key != "error"}
        made |= {"status": status} | ({"error": error} if error else {})
        change = Change(
            method=Method.UPDATE,
            type=TYPE,
            id=self.one.id,
            resource=made,
            if_match=versions(f'W/"{version}"'),
        )
        try:
            writing.apply(
                node,
                owners.writer(node, self.one),
                [change],
                base=node.issuer.audience,
                by_server=True,
            )
        except Conflict as stale:
            raise _Lost from stale
        with node.database.read() as tx:
            fresh = subscriptions.get(tx, self.one.id)
        if fresh is None or fresh.holder not in (self.name, None):
            raise _Lost
        self.one = fresh


def _event(subscription: str, number: int, said: matching.Said, at_ms: int) -> Event:
    return Event(
        subscription=subscription,
        number=number,
        at_ms=at_ms,
        type=said.type,
        logical_id=said.logical_id,
        version=said.version,
        deleted=said.deleted,
        entry=said.entry,
        resource_id=said.resource_id,
    )
