"""A request with an access token: whose session it opens (RFC 6750, RFC 9449 §7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from simdes.access import dpop, tokens
from simdes.errors import Unauthenticated
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import authorization

_REFUSED = "The access token is not valid here."


class NoToken(Unauthenticated):
    """The request carries no access token, or says who asks in another way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What a request carries: its Authorization header, its DPoP headers joined by commas.

    ``path`` is that of the request below this organisation's base URL, with its leading slash.
    """

    authorization: str = field(repr=False)
    method: str
    path: str
    proof: str = field(default="", repr=False)


def present(node: Node, presented: Presented) -> Session:
    """The session behind a request.

    A token that is bound to a key needs the scheme DPoP and a fresh proof by that key; any other
    needs the scheme Bearer. Raises `NoToken` where there is none, `Unauthenticated` alike for
    whatever does not hold, `Forbidden` where the account may not act now.
    """
    scheme, _, token = presented.authorization.partition(" ")
    token = token.strip()
    if scheme.lower() == "bearer" and token:
        thumbprint = ""
    elif scheme.lower() == "dpop" and token:
        thumbprint = _possession(node, presented, token)
    else:
        raise NoToken("This needs an access token.", advice="Sign in first.")
    actor = tokens.check(node.issuer, node.contracts, token, thumbprint=thumbprint)
    return Session(actor, partial(tokens.unlock, node.issuer, token), token)


def _possession(node: Node, presented: Presented, token: str) -> str:
    proof = dpop.prove(
        presented.proof,
        method=presented.method,
        url=node.issuer.name + presented.path,
        now_seconds=node.now_seconds(),
        token=token,
    )
    name, expires_ms = proof.name, proof.expires_ms
    if not node.database.write(lambda tx: authorization.spend(tx, name, expires_ms=expires_ms)):
        raise Unauthenticated(_REFUSED)
    return proof.thumbprint
