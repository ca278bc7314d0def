"""Who asks, by the access token of a request (RFC 6750; DPoP: RFC 9449)."""

from __future__ import annotations

from typing import Final

from simdes.exchange.admitting import admit
from simdes.exchange.node import Node
from simdes.exchange.presenting import Presented
from simdes.exchange.rights import Asking
from simdes.gateway.fhir.call import Asked

PURPOSE: Final = "x-purpose-of-use"
"""Header with a PurposeOfUse code, for who asks for another purpose than their role's usual one."""


def authenticate(node: Node, asked: Asked, tried: str = "") -> Asking:
    """The caller of a request; ``tried`` says what it is for, in words (`Trying.asked`).

    Raises Unauthenticated without a valid token, Forbidden where the account or its role may not
    ask.
    """
    presented = Presented(
        authorization=asked.headers.get("authorization", ""),
        method=asked.method,
        path=asked.path,
        proof=asked.headers.get("dpop", ""),
    )
    return admit(node, presented, purpose=asked.headers.get(PURPOSE, ""), asked=tried)
