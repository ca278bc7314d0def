"""What subscribers ask: how it stands, what was told, and to listen over a websocket.

https://hl7.org/fhir/uv/subscriptions-backport/operations.html. A subscription is found by its
resource, so that its owner alone asks; events are shown as far as the asker may see them now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from simdes.access.requests import b64
from simdes.access.rights import Interaction
from simdes.crypto.digest import sha256
from simdes.errors import Forbidden, Invalid, NotFound, Unauthenticated
from simdes.exchange.interactions.auditing import audit_found
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.exchange.subscriptions import notices, owners, showing
from simdes.exchange.subscriptions.registering import TYPE
from simdes.exchange.subscriptions.wanted import CONTENTS, Wanted, wanted
from simdes.fhir.search.conditions import Query
from simdes.index import bindings, entries, search, sessions, subscriptions
from simdes.index.bindings import Binding
from simdes.index.subscriptions import Subscription
from simdes.index.transaction import Transaction

MOST: Final = 1_000
BOUND_SECONDS: Final = 900
CHECK_SECONDS: Final = 5
_NOTHING: Final = "There is no such subscription, or not for you."
_REFUSED: Final = "The binding token is not valid here."


def statuses(
    node: Node, asking: Asking, ids: Sequence[str] = (), *, states: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """How the caller's subscriptions stand: those of some ids (none: all), in some states.

    An id that leads to none of theirs finds nothing, as in any search.
    """
    with node.database.read() as tx:
        every = _mine(tx, asking, ())
    found = [one for one in every if not ids or one.id in ids]
    return [
        notices.status(node, one, _wanted(node, one), notices.QUERY_STATUS)
        for one in found
        if not states or one.status in states
    ]


def status_of(node: Node, asking: Asking, id: str) -> dict[str, Any]:
    """How one of the caller's subscriptions stands. Raises NotFound."""
    with node.database.read() as tx:
        one = _one(tx, asking, id)
    return notices.status(node, one, _wanted(node, one), notices.QUERY_STATUS)


def events(
    node: Node,
    asking: Asking,
    id: str,
    *,
    since: int = 1,
    until: int | None = None,
    content: str = "",
) -> bytes:
    """What a subscription was told of from one number to another, both included: a Bundle as JSON.

    Raises NotFound, Invalid for a content that there isn't.
    """
    if content and content not in CONTENTS:
        raise Invalid(f"content is one of {', '.join(CONTENTS)}.")
    with node.database.read() as tx:
        one = _one(tx, asking, id)
    told = []
    last = one.events if until is None else min(until, one.events)
    _, shown, _ = showing.shown(node, one, after=max(since, 1) - 1, limit=MOST, asking=asking)
    told = [each for each in shown if each.event.number <= last]
    audit_found(node, asking, [each.found for each in told])
    asked = _wanted(node, one)
    if asked is None:
        raise NotFound(_NOTHING)
    return notices.notification(node, one, asked, notices.QUERY_EVENT, told=told, content=content)


# Websockets ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bound:
    """A token to listen with, until when, and to which subscriptions."""

    token: str
    expires_ms: int
    names: tuple[str, ...]


def bind(node: Node, asking: Asking, ids: Sequence[str] = ()) -> Bound:
    """A token for the caller's websocket subscriptions: those of some ids, none for all.

    Raises NotFound where one is not theirs, Invalid where one is not told over a websocket.
    """
    with node.database.read() as tx:
        found = _mine(tx, asking, ids)
    chosen = tuple(one.id for one in found if one.channel == "websocket")
    if ids and len(chosen) < len(found):
        raise Invalid("The subscription is not told over a websocket.")
    actor, token, now_ms = asking.session.actor, b64(node.random(32)), node.now_ms()
    binding = Binding(
        token=sha256(token.encode()),
        account=actor.account,
        client=actor.context.client,
        session=actor.session,
        session_until_ms=actor.expires_seconds * 1000,
        names=" ".join(chosen),
        expires_ms=now_ms + BOUND_SECONDS * 1000,
    )
    node.database.write(lambda tx: bindings.bind(tx, binding, now_ms=now_ms))
    return Bound(token, binding.expires_ms, chosen)


@dataclass(slots=True)
class Listener:
    """Somebody who listens: how far each subscription was told here, and when it was last.

    ``checked_ms`` is when it was last looked at whether the owners may still be told.
    """

    token: bytes
    told: dict[str, int]
    sent_ms: dict[str, int]
    checked_ms: int


def listen(node: Node, token: str) -> tuple[Listener, list[str]]:
    """Begin to listen with a binding token: the listener, and a handshake for each subscription.

    Raises Unauthenticated where the token is not valid any more, Forbidden where its owner may not
    be told.
    """
    digest = sha256(token.encode())
    with node.database.read() as tx:
        found = _bound(node, tx, digest)
    told, notes = {}, []
    for one in found.values():
        asked = _wanted(node, one)
        if asked is None or one.status == "off":
            continue
        told[one.id] = one.events
        notes.append(_text(node, one, asked, notices.HANDSHAKE))
    now_ms = node.now_ms()
    return Listener(digest, told, dict.fromkeys(told, now_ms), 0), notes


def heard(node: Node, listener: Listener) -> list[str]:
    """What there is to tell a listener now: notifications and heartbeats, as they may see them.

    Raises Unauthenticated where the binding ended or the session that made it was, Forbidden where
    the owner may not be told any more.
    """
    with node.database.read() as tx:
        found = _bound(node, tx, listener.token)
    notes: list[str] = []
    if listener.checked_ms + CHECK_SECONDS * 1000 <= node.now_ms():
        listener.checked_ms = node.now_ms()
        for one in found.values():
            owners.present(node, one)
    for id_, last in list(listener.told.items()):
        live = found.get(id_)
        if live is not None and live.status != "off":
            notes += _news(node, live, listener, last)
    return notes


def _news(node: Node, one: Subscription, listener: Listener, last: int) -> list[str]:
    now_ms = node.now_ms()
    asked = _wanted(node, one) if last < one.events else None
    if asked is not None:
        found, told, asking = showing.shown(node, one, after=last, limit=asked.most)
        listener.told[one.id] = found[-1].number if found else one.events
        if not told:
            return []
        audit_found(node, asking, [each.found for each in told])
        listener.sent_ms[one.id] = now_ms
        state = replace(one, events=told[-1].event.number)
        return [_text(node, state, asked, notices.EVENTS, told)]
    if one.heartbeat_ms and listener.sent_ms[one.id] + one.heartbeat_ms <= now_ms:
        listener.sent_ms[one.id] = now_ms
        asked = _wanted(node, one)
        return [] if asked is None else [_text(node, one, asked, notices.HEARTBEAT)]
    return []


def _text(
    node: Node,
    one: Subscription,
    asked: Wanted,
    kind: str,
    told: Sequence[notices.Told] = (),
) -> str:
    body = notices.notification(node, one, asked, kind, told=told)
    return showing.written(asked, body).decode()


def _bound(node: Node, tx: Transaction, token: bytes) -> dict[str, Subscription]:
    """The subscriptions of a binding that stands. Raises Unauthenticated."""
    now_ms = node.now_ms()
    binding = bindings.binding(tx, token, now_ms=now_ms)
    if binding is None:
        raise Unauthenticated(_REFUSED)
    lives = now_ms < binding.session_until_ms  # later its row is gone anyway
    if lives and sessions.get(tx, binding.session, now_ms=now_ms) is None:
        raise Unauthenticated(_REFUSED)
    found = subscriptions.get_many(tx, binding.names.split())
    return {
        id_: one
        for id_, one in found.items()
        if (one.account, one.client) == (binding.account, binding.client)
        and one.channel == "websocket"
    }


# Whose --------------------------------------------------------------------------------------------


def _mine(tx: Transaction, asking: Asking, ids: Sequence[str]) -> list[Subscription]:
    """The caller's subscriptions: of these ids, each of which must be theirs; of none: all."""
    if ids:
        return [_one(tx, asking, id_) for id_ in dict.fromkeys(ids)]
    asking.rights.require(Interaction.SEARCH, TYPE)
    hits = search.search(tx, asking.rights.searching, Query(types=(TYPE,)), limit=MOST)
    found = entries.get_many(tx, [hit.id for hit in hits])
    return list(subscriptions.get_many(tx, [one.logical_id for one in found]).values())


def _one(tx: Transaction, asking: Asking, id: str) -> Subscription:
    asking.rights.require(Interaction.READ, TYPE)
    seen = search.get(tx, asking.rights.reading, TYPE, id)
    found = subscriptions.get(tx, id) if seen and not seen[0].deleted else None
    if found is None:
        raise NotFound(_NOTHING)
    return found


def _wanted(node: Node, one: Subscription) -> Wanted | None:
    try:
        content, _ = showing.resource_of(node, one)
    except Forbidden:
        return None
    return wanted(content, base=node.issuer.audience, now_ms=node.now_ms())
