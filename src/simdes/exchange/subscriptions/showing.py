"""What a subscriber is shown: the Subscription itself, its next events, and the form of both."""

from __future__ import annotations

from typing import Any

from simdes.access.vaults import vault_key
from simdes.errors import Forbidden
from simdes.exchange.indexing import opened
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.exchange.subscriptions import matching, owners
from simdes.exchange.subscriptions.notices import Told
from simdes.exchange.subscriptions.wanted import Wanted
from simdes.fhir.form import Form
from simdes.fhir.json import loads
from simdes.index import resources, subscriptions, vaults
from simdes.index.subscriptions import Event, Subscription


def written(asked: Wanted, notification: bytes) -> bytes:
    """A notification, given as JSON, in the form that its subscriber wants."""
    if asked.form is None or asked.form is Form.JSON:
        return notification
    return asked.form.write(loads(notification))


def resource_of(node: Node, one: Subscription) -> tuple[dict[str, Any], int]:
    """The Subscription resource in force, and its version. Raises Forbidden where it is gone."""
    with node.database.read() as tx:
        rows = resources.get_many(tx, [one.resource_id])
        vault = vaults.get(tx, rows[0].vault) if rows else None
    if vault is None or vault.key_wrapped is None:
        raise Forbidden("The subscription is gone.")
    return opened(vault_key(node.desk.keystore, vault), rows[0]), rows[0].version


def shown(
    node: Node, one: Subscription, *, after: int, limit: int, asking: Asking | None = None
) -> tuple[list[Event], list[Told], Asking]:
    """The next events of a subscription, and those of them that may be told now, to whom.

    ``asking`` None: to its owner, as they are now.
    """
    asking = asking or owners.present(node, one)
    with node.database.read() as tx:
        events = subscriptions.events(tx, one.id, after=after, limit=limit)
        seen = matching.seen(node, tx, asking, events)
    told = [Told(each.said, each.found) for each in seen if isinstance(each.said, Event)]
    return events, told, asking
