"""Who may ask for decision support (CDS Hooks): a clinical system on the operator's allow-list.

No record of ours is read for it: the answer is made of what the asking system sends along, so there
is nothing here that a consent would decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simdes.access import cds_clients
from simdes.access.cds_clients import CdsClient
from simdes.access.cds_clients import read as read_clients
from simdes.errors import Unauthenticated
from simdes.exchange.node import Node
from simdes.index import authorization

__all__ = ["CdsClient", "prove", "read_clients"]

_NOTHING_SHOWN: Final = "Show a token of your clinical system (CDS Hooks, Trusting CDS Clients)."


def prove(node: Node, clients: Sequence[CdsClient], shown: str, *, path: str) -> CdsClient:
    """Which clinical system calls ``path`` with this Authorization header.

    Raises `Unauthenticated`; a token is good once, at every replica.
    """
    scheme, _, token = shown.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(_NOTHING_SHOWN)
    client, proof = cds_clients.prove(
        token.strip(),
        clients,
        node.app_keys,
        audience=node.issuer.name + path,
        now_seconds=node.now_seconds(),
    )
    spent = node.database.write(
        lambda tx: authorization.spend(tx, proof.name, expires_ms=proof.expires_ms)
    )
    if not spent:
        raise Unauthenticated("The token was used before.")
    return client
