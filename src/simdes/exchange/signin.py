"""Sign in: every user authenticates with a personal token (paper, "Every user has to
authenticate with their personal authentication token").

A session is the actor the chain knows and the account key that the token unlocked; it lives as
long as the verb that uses it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from simdes.access import tokens
from simdes.access.tokens import Actor
from simdes.crypto.keys import SigningKey
from simdes.exchange.node import Node


@dataclass(frozen=True, slots=True)
class Session:
    """Who acts, with the unlocked key that signs for them."""

    actor: Actor
    key: SigningKey = field(repr=False)
    token: str = field(repr=False)


SINGLE_FACTOR: Final = "urn:simdes:acr:single"
MULTIPLE_FACTORS: Final = "urn:simdes:acr:multiple"


@dataclass(frozen=True, slots=True)
class Authentication:
    """How a person proved who they are, and when, in the words of OpenID Connect Core, section 2.

    ``methods`` are values of RFC 8176 in order: ``pwd`` passphrase, ``otp`` one-time or recovery
    code, ``hwk`` or ``swk`` with ``pop`` and ``user`` passkey (bound to a device, or synchronised).
    ``time_seconds`` is when the last of them was shown, in unix seconds.
    """

    methods: tuple[str, ...]
    time_seconds: int

    @property
    def multiple(self) -> bool:
        """Whether two factors were shown; a passkey that verified its user is two in one."""
        return "pop" in self.methods or len(self.methods) > 1

    @property
    def amr(self) -> tuple[str, ...]:
        """The ``amr`` claim."""
        return (*self.methods, "mfa") if self.multiple else self.methods

    @property
    def acr(self) -> str:
        """The ``acr`` claim."""
        return MULTIPLE_FACTORS if self.multiple else SINGLE_FACTOR


def sign_in(node: Node, user: str, passphrase: str, *, scope: str = "") -> Session:
    """Open a session with user name and passphrase.

    Raises Unauthenticated alike for an unknown user and a wrong passphrase, Forbidden where the
    account may not act now.
    """
    key = node.desk.keystore.unlock_person(user, passphrase)
    person = node.desk.keystore.person(user)
    token = tokens.mint(node.issuer, person, key, scope=scope)
    return resume(node, token)


def resume(node: Node, token: str) -> Session:
    """Open the session of an access token; raises Unauthenticated where it is not valid."""
    actor = tokens.check(node.issuer, node.contracts, token)
    return Session(actor, tokens.unlock(node.issuer, token), token)
