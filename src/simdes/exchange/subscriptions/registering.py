"""A Subscription that is written is kept with whose it is, in the same transaction.

A client asks with status ``requested`` or ``off``; ``active`` and ``error`` are the server's
(https://hl7.org/fhir/R4/subscription-definitions.html#Subscription.status), so whatever else a
client writes means ``requested``. What it may tell is decided from whoever wrote it last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from simdes.access.rights import Interaction
from simdes.errors import TooLarge
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.exchange.subscriptions.wanted import wanted
from simdes.index import happenings, subscriptions
from simdes.index.resources import Stored
from simdes.index.transaction import Transaction

TYPE: Final = "Subscription"
MOST_OF_AN_ACCOUNT: Final = 200
OFF: Final = "off"


def asked(node: Node, asking: Asking, draft: Mapping[str, Any], *, base: str) -> dict[str, Any]:
    """The Subscription as it will be stored; raises what stands against it."""
    found = wanted(draft, base=base, now_ms=node.now_ms())
    asking.rights.require(Interaction.SEARCH, found.type)
    if found.endpoint:
        node.hooks.check(found.endpoint)
    made = {key: value for key, value in draft.items() if key != "error"}
    made["status"] = OFF if draft.get("status") == OFF else "requested"
    return made


def register(
    node: Node,
    tx: Transaction,
    asking: Asking,
    resource: Mapping[str, Any],
    stored: Stored,
    *,
    base: str,
) -> None:
    """Begin to serve a stored Subscription, from what happens after now."""
    now_ms, context = node.now_ms(), asking.session.actor.context
    found = wanted(resource, base=base, now_ms=now_ms)
    account = asking.session.actor.account
    while happenings.number(tx):
        continue  # what happened before now is not for this one
    subscriptions.put(
        tx,
        subscriptions.Subscription(
            id=stored.logical_id,
            resource_id=stored.id,
            account=account,
            client=context.client,
            scope=context.scope,
            grant_id=context.grant,
            launch_vault=context.vault,
            purpose=int(asking.purpose),
            type=found.type,
            channel=found.channel,
            status=str(resource["status"]),
            position=happenings.last(tx),
            sent_ms=now_ms,
            heartbeat_ms=found.heartbeat_seconds * 1000,
            end_ms=found.end_ms,
        ),
    )
    if subscriptions.living(tx, account) > MOST_OF_AN_ACCOUNT:
        raise TooLarge(
            f"An account has at most {MOST_OF_AN_ACCOUNT} subscriptions.",
            advice="Delete those that are not needed.",
        )
