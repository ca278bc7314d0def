"""Whoever asked for a subscription, as they are now, without their being there.

What they may be told is decided at each delivery as if they asked at that moment: their account and
role by the chain, their app's permission and scopes, their purpose, the patient they were launched
for, and the consents that stand. There is no session and no key of theirs: what is told is what
this organisation holds, nothing is opened at others in their name.
"""

from __future__ import annotations

from simdes.access.app_context import OWN_CLIENT, Context
from simdes.access.categories import Purpose, Role
from simdes.access.tokens import Actor
from simdes.crypto.keys import SigningKey
from simdes.errors import Forbidden
from simdes.exchange import scoping
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking, ask
from simdes.exchange.signin import Session
from simdes.index import authorization
from simdes.index.subscriptions import Subscription

_ENDED = "What the subscription was allowed has ended."


def present(node: Node, one: Subscription) -> Asking:
    """The owner of a subscription with what they may do now.

    Raises Forbidden where their account, app or permission may not act any more.
    """
    _require_permission(node, one)
    session = _session(node, one)
    vaults = (one.launch_vault,) if one.launch_vault is not None else ()
    unrestricted = session.actor.context.unrestricted
    scopes = None if unrestricted else scoping.allowed(one.scope, vaults)
    return ask(node, session, scopes=scopes, purpose=Purpose(one.purpose).name)


def writer(node: Node, one: Subscription) -> Asking:
    """The owner's account, to write down what became of their subscription; shows nobody anything.

    An app that may not update Subscriptions, or may do nothing any more, has its status written.
    Raises Forbidden where the account may not act any more.
    """
    return ask(node, _session(node, one), purpose=Purpose(one.purpose).name)


def _session(node: Node, one: Subscription) -> Session:
    address, user = _holder(node, one)
    standing = node.issuer.remembered.active(node.contracts, address)
    if standing.account != one.account or standing.organisation != node.organisation:
        raise Forbidden(_ENDED)
    actor = Actor(
        account=one.account,
        address=address,
        role=standing.role,
        organisation=standing.organisation,
        user=user,
        session=b"",
        context=Context(
            client=one.client, scope=one.scope, grant=one.grant_id, vault=one.launch_vault
        ),
    )
    # A key that is nobody's: what it signs is refused everywhere.
    return Session(actor, lambda: SigningKey.generate(node.random), "")


def _require_permission(node: Node, one: Subscription) -> None:
    """Whose key went to a wallet has nothing told here any more, as it ended their apps."""
    person = node.desk.keystore.person_of(one.account)
    if person is not None and person.wallet:
        raise Forbidden(_ENDED)
    with node.database.read() as tx:
        if one.client != OWN_CLIENT and authorization.client(tx, one.client) is None:
            raise Forbidden(_ENDED)
        if one.grant_id is None:
            return
        if authorization.grant(tx, one.grant_id, now_ms=node.now_ms()) is None:
            raise Forbidden(_ENDED)


def _holder(node: Node, one: Subscription) -> tuple[bytes, str]:
    person = node.desk.keystore.person_of(one.account)
    if person is not None:
        if person.role == Role.AGENT:
            raise Forbidden(_ENDED)
        return person.address, person.user
    if one.client == OWN_CLIENT:
        raise Forbidden(_ENDED)
    return node.desk.keystore.lanes[0].address, one.client
