"""The organisation's software as who asks: what its workers read, they read under a consent too."""

from __future__ import annotations

from simdes.access.app_context import Context
from simdes.access.tokens import Actor
from simdes.exchange.node import Node
from simdes.exchange.signin import Session


def software_session(node: Node) -> Session:
    """The software's session. Raises Forbidden where its account may not act."""
    key = node.desk.keystore.lanes[0]
    standing = node.issuer.remembered.active(node.contracts, key.address)
    actor = Actor(
        account=standing.account,
        address=key.address,
        role=standing.role,
        organisation=standing.organisation,
        user="",
        session=b"",
        context=Context(),
    )
    return Session(actor, lambda: key, "")
