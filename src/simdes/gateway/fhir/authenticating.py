"""Who asks, by the bearer token of a request (RFC 6750; DPoP: RFC 9449)."""

from __future__ import annotations

from simdes.errors import Unauthenticated
from simdes.exchange.admitting import admit
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.gateway.fhir.call import Asked

PURPOSE = "x-purpose-of-use"
"""Header with a PurposeOfUse code, for who asks for another purpose than their role's usual one."""


def authenticate(node: Node, asked: Asked) -> Asking:
    """The caller of a request. Raises Unauthenticated without a valid token, Forbidden where the
    account or its role may not ask."""
    header = asked.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() not in ("bearer", "dpop") or not token.strip():
        raise Unauthenticated(
            "A token is needed.", advice="Send Authorization: Bearer with an access token."
        )
    return admit(
        node,
        token.strip(),
        scheme=scheme.lower(),
        proof=asked.headers.get("dpop"),
        method=asked.method,
        url=asked.url,
        purpose=asked.headers.get(PURPOSE, ""),
    )
