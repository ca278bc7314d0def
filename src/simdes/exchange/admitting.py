"""From a request with an access token to a caller: the door of everything that needs one.

The token says which account and which app; the chain says whether the account may act; the app's
scopes, the purpose and the consents that stand say the rest (`rights.ask`).
"""

from __future__ import annotations

from simdes.access.audit_event import Attempt
from simdes.exchange import scoping
from simdes.exchange.attempting import recording, turned_away
from simdes.exchange.node import Node
from simdes.exchange.presenting import Presented, holder, present
from simdes.exchange.rights import Asking, ask
from simdes.exchange.signin import Session
from simdes.tracing import step


@step("exchange.admitting.admit")
def admit(node: Node, presented: Presented, *, purpose: str = "", asked: str = "") -> Asking:
    """The caller behind a request; ``purpose`` is a PurposeOfUse code, "" for the role's usual one.

    ``asked`` says what for, in the words of `attempting.Trying`: who is turned away is on record
    where the token says who it is. Raises Unauthenticated where the token does not hold here and
    now, Forbidden where its account may not act or not ask for the purpose.
    """
    return asking_of(node, known(node, presented, asked=asked), purpose=purpose, asked=asked)


def asking_of(node: Node, session: Session, *, purpose: str = "", asked: str = "") -> Asking:
    """The caller that a session is, with no more than its app was allowed; raises as `admit`."""
    context = session.actor.context
    vaults = (context.vault,) if context.vault is not None else ()
    with recording(node, lambda reason: turned_away(session.actor, reason, asked=asked)):
        scopes = (
            None
            if context.unrestricted
            else scoping.allowed(context.scope, vaults, context.fhir_user)
        )
        return ask(node, session, scopes=scopes, purpose=purpose)


def known(node: Node, presented: Presented, *, asked: str = "") -> Session:
    """As `present`; a token of ours that does not hold any more leaves an audit entry."""
    with recording(node, lambda reason: _of_holder(node, presented, reason, asked)):
        return present(node, presented)


def _of_holder(node: Node, presented: Presented, reason: str, asked: str) -> Attempt | None:
    actor = holder(node, presented)
    return None if actor is None else turned_away(actor, reason, asked=asked)
