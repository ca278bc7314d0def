"""A request with an access token: whose session it opens (RFC 6750, RFC 9449 §7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from simdes.access import dpop, tokens
from simdes.access.tokens import Actor
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
    scheme, token = _token(presented)
    if scheme == "bearer" and token:
        thumbprint = ""
    elif scheme == "dpop" and token:
        thumbprint = _possession(node, presented, token)
    else:
        raise NoToken("This needs an access token.", advice="Sign in first.")
    actor = tokens.check(node.issuer, node.contracts, token, thumbprint=thumbprint)
    return Session(actor, partial(tokens.unlock, node.issuer, token), token)


def _token(presented: Presented) -> tuple[str, str]:
    scheme, _, token = presented.authorization.partition(" ")
    return scheme.lower(), token.strip()


def holder(node: Node, presented: Presented) -> Actor | None:
    """Whose token a request that was refused carries: one of ours whose time is not over.

    None for any other: strangers, and tokens that ran out, are counted and not written down.
    """
    return tokens.holder(node.issuer, node.contracts, _token(presented)[1])


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
