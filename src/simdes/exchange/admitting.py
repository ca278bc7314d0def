"""From a request with an access token to a caller: the door of everything that needs one.

The token says which account and which app; the chain says whether the account may act; the app's
scopes, the purpose and the consents that stand say the rest (`rights.ask`).
"""

from __future__ import annotations

from simdes.exchange import scoping
from simdes.exchange.node import Node
from simdes.exchange.presenting import Presented, present
from simdes.exchange.rights import Asking, ask


def admit(node: Node, presented: Presented, *, purpose: str = "") -> Asking:
    """The caller behind a request; ``purpose`` is a PurposeOfUse code, "" for the role's usual one.

    Raises Unauthenticated where the token does not hold here and now, Forbidden where its account
    may not act or not ask for the purpose.
    """
    session = present(node, presented)
    context = session.actor.context
    vaults = (context.vault,) if context.vault is not None else ()
    scopes = (
        None if context.unrestricted else scoping.allowed(context.scope, vaults, context.fhir_user)
    )
    return ask(node, session, scopes=scopes, purpose=purpose)
