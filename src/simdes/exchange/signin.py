"""Sign in: every user authenticates with a personal token (paper, "Every user has to
authenticate with their personal authentication token").

A session is the actor the chain knows and the account key that the token unlocked; it lives as
long as the verb that uses it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from simdes.access import scopes, tokens
from simdes.access.app_context import Context
from simdes.access.asking import Caller
from simdes.access.authentication import MULTIPLE_FACTORS, SINGLE_FACTOR, Authentication
from simdes.access.keystore import Person
from simdes.access.passes import Carried
from simdes.access.tokens import Actor
from simdes.crypto.keys import SigningKey
from simdes.errors import Forbidden, Invalid
from simdes.exchange.fhir_users import own_records
from simdes.exchange.node import Node

__all__ = [
    "MULTIPLE_FACTORS",
    "NEEDS_KEY",
    "SINGLE_FACTOR",
    "Authentication",
    "Session",
    "caller",
    "held",
    "needs_wallet",
    "resume",
    "sign_in",
]


NEEDS_KEY: Final = "NEEDS_KEY"
"""Why a session that a wallet let read gets no further, as the audit trail and pages know it."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who acts; ``unlock`` opens the key that signs for them, which most requests never need.

    ``by``: with what somebody reads whose own wallet keeps that key; nothing here signs for them.
    """

    actor: Actor
    unlock: Callable[[], SigningKey] = field(repr=False)
    token: str = field(repr=False)
    by: Carried | None = field(default=None, repr=False)

    @property
    def key(self) -> SigningKey:
        """The key that signs for them. Raises Unauthenticated where the session ended meanwhile,
        Forbidden where it is in their wallet."""
        if self.by is not None:
            raise needs_wallet()
        return self.unlock()

    @property
    def wallet(self) -> bytes | None:
        """The address of the wallet that keeps their key; None where it is hosted here."""
        return None if self.by is None else self.by.wallet


def needs_wallet() -> Forbidden:
    """The one answer to whatever a key that is kept here would have to sign."""
    return Forbidden(
        "This takes more than your wallet can sign here yet.",
        advice="No key of yours is kept here. You share under “Who may see it”, and end there, too,"
        " what pharmacies, insurers and studies were let read; for the rest ask your organisation.",
        reason=NEEDS_KEY,
    )


def caller(node: Node, session: Session) -> Caller:
    """Who asks custodians when a session reads: by its key, or by the pass of its wallet."""
    if session.by is None:
        return node.caller(session.key)
    return replace(node.caller(session.by.key), by=session.by.signed)


def held(session: Session) -> Session:
    """The same session for work that takes longer than its token lives: its key is opened now.

    Whoever is asked on the way still looks up whether the account may act. Raises Unauthenticated.
    """
    if session.by is not None:
        return session
    key = session.key
    return replace(session, unlock=lambda: key)


def sign_in(node: Node, user: str, passphrase: str, *, scope: str = "") -> Session:
    """Open a session with user name and passphrase; ``scope`` narrows what it is good for.

    Raises Unauthenticated alike for an unknown user and a wrong passphrase, Forbidden where the
    account may not act now, Invalid for a scope that is not a person's.
    """
    key = node.desk.keystore.unlock_person(user, passphrase)
    person = node.desk.keystore.person(user)
    token = tokens.mint(
        node.issuer,
        person,
        key,
        context=_context(node, person, scope),
        authentication=Authentication(("pwd",), node.now_seconds()),
    )
    return resume(node, token)


def _context(node: Node, person: Person, scope: str) -> Context:
    """What narrows a person's own token: scopes, and for ``patient/`` their own record."""
    if not scope:
        return Context()
    asked = scopes.parse(scope)
    contexts = {one.context for one in asked.resources}
    if asked.unknown or not asked.resources or "system" in contexts:
        raise Invalid("Name scopes such as user/Observation.rs or patient/*.rs.")
    if "patient" not in contexts:
        return Context(scope=asked.text)
    own = own_records(node, person.account)
    if len(own) != 1:
        raise Invalid("Scopes patient/… are for somebody with one record of their own here.")
    return Context(scope=asked.text, vault=own[0].vault, patient=own[0].patient)


def resume(node: Node, token: str) -> Session:
    """Open the session of an access token; raises Unauthenticated where it is not valid."""
    actor = tokens.check(node.issuer, node.contracts, token)
    return Session(actor, partial(tokens.unlock, node.issuer, token), token)
