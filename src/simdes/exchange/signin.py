"""Sign in: every user authenticates with a personal token (paper, "Every user has to
authenticate with their personal authentication token").

A session is the actor the chain knows and the account key that the token unlocked; it lives as
long as the verb that uses it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from simdes.access import tokens
from simdes.access.authentication import MULTIPLE_FACTORS, SINGLE_FACTOR, Authentication
from simdes.access.tokens import Actor, Context
from simdes.crypto.keys import SigningKey
from simdes.exchange.node import Node

__all__ = [
    "MULTIPLE_FACTORS",
    "SINGLE_FACTOR",
    "Authentication",
    "Session",
    "resume",
    "sign_in",
]


@dataclass(frozen=True, slots=True)
class Session:
    """Who acts, with the unlocked key that signs for them."""

    actor: Actor
    key: SigningKey = field(repr=False)
    token: str = field(repr=False)


def sign_in(node: Node, user: str, passphrase: str, *, scope: str = "") -> Session:
    """Open a session with user name and passphrase.

    Raises Unauthenticated alike for an unknown user and a wrong passphrase, Forbidden where the
    account may not act now.
    """
    key = node.desk.keystore.unlock_person(user, passphrase)
    person = node.desk.keystore.person(user)
    token = tokens.mint(
        node.issuer,
        person,
        key,
        context=Context(scope=scope),
        authentication=Authentication(("pwd",), node.now_seconds()),
    )
    return resume(node, token)


def resume(node: Node, token: str) -> Session:
    """Open the session of an access token; raises Unauthenticated where it is not valid."""
    actor = tokens.check(node.issuer, node.contracts, token)
    return Session(actor, tokens.unlock(node.issuer, token), token)
