"""Subscriptions: whose they are, how far each was told, and who serves it now.

A subscription keeps the position up to which it has looked among what happened
(`simdes.index.happenings`). One program at a time serves a subscription: it holds the row for a
while, so that a dead one is followed by another.
"""

# ruff: noqa: S608
# Text is made of names in this package; every value is bound.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.index.happenings import LIVE
from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

NO_HANDSHAKE = "no-handshake"
"""The reason of one in error whose receiver has not answered its handshake: that is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription; see `simdes.index.schema_subscriptions` for what None means.

    ``account``, ``client``, ``scope``, ``grant_id``, ``launch_vault`` and ``purpose`` are those of
    whoever asked for it: what it may tell is decided from these each time.
    """

    id: str
    resource_id: int
    account: bytes
    client: str
    scope: str
    grant_id: bytes | None
    launch_vault: bytes | None
    purpose: int
    type: str
    channel: str
    status: str
    reason: str = ""
    position: int = 0
    events: int = 0
    delivered: int = 0
    failures: int = 0
    next_ms: int = 0
    sent_ms: int = 0
    heartbeat_ms: int = 0
    end_ms: int | None = None
    holder: str | None = None
    held_until_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A happening that a subscription is told of, under the number it is told of with."""

    subscription: str
    number: int
    at_ms: int
    type: str
    logical_id: str
    version: int
    deleted: int
    entry: int
    resource_id: int | None


_SUBSCRIPTION = select(Subscription, "subscription AS s", prefix="s.")
_EVENT = select(Event, "subscription_event")


# Subscriptions ----------------------------------------------------------------------------------


def put(tx: Transaction, one: Subscription) -> None:
    """Begin a subscription, or begin it anew; what it was told of before is forgotten."""
    drop(tx, one.id)
    tx.insert("subscription", [row_of(one)])


def get(tx: Transaction, id: str) -> Subscription | None:
    """A subscription."""
    row = tx.one(_SUBSCRIPTION + " WHERE s.id = :id", id=id)
    return None if row is None else read(Subscription, row)


def get_many(tx: Transaction, ids: Sequence[str]) -> dict[str, Subscription]:
    """Subscriptions by id, those that there are."""
    rows = tx.all(_SUBSCRIPTION + " WHERE s.id IN :ids", ids=ids) if ids else []
    return {one.id: one for one in (read(Subscription, row) for row in rows)}


def living(tx: Transaction, account: bytes) -> int:
    """How many subscriptions of an account are served."""
    row = tx.one(
        f"SELECT count(*) FROM subscription WHERE account = :account AND status IN {LIVE}",
        account=account,
    )
    return 0 if row is None else int(row[0])


def all_living(tx: Transaction) -> list[Subscription]:
    """Every subscription that is served and has shaken hands."""
    rows = tx.all(_SUBSCRIPTION + " WHERE s.status IN ('active', 'error') ORDER BY s.id")
    return [read(Subscription, row) for row in rows]


def drop(tx: Transaction, id: str) -> None:
    """End a subscription and forget what it was told of."""
    tx.run("DELETE FROM subscription WHERE id = :id", id=id)


def end_all(tx: Transaction, account: bytes, *, now_ms: int) -> None:
    """Have everything end that an account asked for; whoever serves it says so and stops."""
    tx.run(
        f"UPDATE subscription SET end_ms = :now WHERE account = :account AND status IN {LIVE}",
        account=account,
        now=now_ms,
    )


def supersede(tx: Transaction, id: str, resource_id: int, status: str) -> None:
    """Note the version that the server itself wrote of a subscription."""
    tx.run(
        "UPDATE subscription SET resource_id = :resource, status = :status WHERE id = :id",
        id=id,
        resource=resource_id,
        status=status,
    )


_DUE = (
    "SELECT s.id FROM subscription AS s"
    f" WHERE s.status IN {LIVE} AND s.next_ms <= :now AND s.held_until_ms <= :now"
    " AND (s.status = 'requested'"
    f" OR (s.status = 'error' AND s.reason = '{NO_HANDSHAKE}')"
    " OR s.delivered < s.events OR s.end_ms <= :now"
    " OR (s.heartbeat_ms > 0 AND s.sent_ms + s.heartbeat_ms <= :now)"
    " OR EXISTS (SELECT 1 FROM happening AS h WHERE h.type = s.type"
    " AND h.position > s.position))"
    " ORDER BY s.next_ms, s.id LIMIT :most"
)


def is_due(tx: Transaction, *, now_ms: int) -> bool:
    """Whether there is anything to number, or a subscription to serve."""
    new = tx.one("SELECT 1 FROM happening WHERE position IS NULL LIMIT 1")
    return new is not None or tx.one(_DUE, now=now_ms, most=1) is not None


def claim(
    tx: Transaction, holder: str, *, now_ms: int, until_ms: int, limit: int
) -> list[Subscription]:
    """Take subscriptions for which there is something to do, and nobody does it."""
    ids = [
        str(id_)
        for (id_,) in tx.all(
            "UPDATE subscription SET holder = :holder, held_until_ms = :until"
            f" WHERE id IN ({_DUE} {tx.skip_locked}) RETURNING id",
            holder=holder,
            now=now_ms,
            until=until_ms,
            most=limit,
        )
    ]
    return list(get_many(tx, ids).values())


def step(
    tx: Transaction,
    one: Subscription,
    holder: str,
    *,
    position: int,
    events: Sequence[Event],
    until_ms: int,
) -> bool:
    """Move a held subscription on, with the events that it found; False: it isn't held any more."""
    moved = tx.run(
        "UPDATE subscription SET position = :position, events = events + :more,"
        " held_until_ms = :until WHERE id = :id AND holder = :holder"
        " AND resource_id = :resource AND events = :events",
        position=position,
        more=len(events),
        until=until_ms,
        id=one.id,
        holder=holder,
        resource=one.resource_id,
        events=one.events,
    )
    if moved and events:
        tx.insert("subscription_event", [row_of(event) for event in events])
    return bool(moved)


def hold(tx: Transaction, one: Subscription, holder: str, *, until_ms: int) -> bool:
    """Hold a subscription longer; False where others have it, or its owner changed it."""
    return bool(
        tx.run(
            "UPDATE subscription SET held_until_ms = :until"
            " WHERE id = :id AND holder = :holder AND resource_id = :resource",
            until=until_ms,
            id=one.id,
            holder=holder,
            resource=one.resource_id,
        )
    )


def told(tx: Transaction, id: str, holder: str, *, delivered: int, now_ms: int) -> bool:
    """Note what arrived; False where the subscription isn't held any more."""
    return bool(
        tx.run(
            "UPDATE subscription SET delivered = :delivered, sent_ms = :now, failures = 0,"
            " reason = '' WHERE id = :id AND holder = :holder",
            delivered=delivered,
            now=now_ms,
            id=id,
            holder=holder,
        )
    )


def let_go(
    tx: Transaction,
    id: str,
    holder: str,
    *,
    next_ms: int,
    failures: int | None = None,
    reason: str | None = None,
) -> None:
    """Leave a subscription to others, not before a time; ``failures`` None: as they were."""
    tx.run(
        "UPDATE subscription SET holder = NULL, held_until_ms = 0, next_ms = :next,"
        " failures = COALESCE(CAST(:failures AS BIGINT), failures),"
        " reason = COALESCE(CAST(:reason AS TEXT), reason) WHERE id = :id AND holder = :holder",
        next=next_ms,
        failures=failures,
        reason=reason,
        id=id,
        holder=holder,
    )


def close(tx: Transaction, id: str, *, reason: str) -> None:
    """Switch a subscription off; it looks at nothing any more."""
    tx.run(
        "UPDATE subscription SET status = 'off', reason = :reason, holder = NULL,"
        " held_until_ms = 0 WHERE id = :id",
        id=id,
        reason=reason,
    )


# Events -----------------------------------------------------------------------------------------


def events(
    tx: Transaction, id: str, *, after: int, until: int | None = None, limit: int
) -> list[Event]:
    """Events of a subscription behind a number, in their order."""
    rows = tx.all(
        _EVENT + " WHERE subscription = :id AND number > :after AND number <= :until"
        " ORDER BY number LIMIT :limit",
        id=id,
        after=after,
        until=(1 << 62) if until is None else until,
        limit=limit,
    )
    return [read(Event, row) for row in rows]


def known_copies(tx: Transaction, id: str, names: Sequence[str]) -> dict[tuple[str, str], int]:
    """The newest version that a subscription was told of, of these ids' copies, by type and id."""
    if not names:
        return {}
    rows = tx.all(
        "SELECT type, logical_id, max(version) FROM subscription_event WHERE subscription = :id"
        " AND logical_id IN :names AND resource_id IS NULL GROUP BY type, logical_id",
        id=id,
        names=names,
    )
    return {(str(type_), str(name)): int(version) for type_, name, version in rows}


def trim(tx: Transaction, id: str, *, before: int) -> None:
    """Forget events of a subscription up to a number."""
    tx.run(
        "DELETE FROM subscription_event WHERE subscription = :id AND number <= :before",
        id=id,
        before=before,
    )
