"""From a presented access token to a caller: the door of everything that needs one.

The token says which account and which app; the chain says whether the account may act; the app's
scopes, the purpose and the consents that stand say the rest (`rights.ask`).
"""

from __future__ import annotations

from simdes.errors import Unauthenticated
from simdes.exchange import scoping, signin
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking, ask


def admit(
    node: Node,
    token: str,
    *,
    scheme: str,
    proof: str | None,
    method: str,
    url: str,
    purpose: str = "",
) -> Asking:
    """The caller behind a token.

    ``scheme`` is ``bearer`` or ``dpop``; ``proof`` is the DPoP proof for this ``method`` and
    ``url``. Raises Unauthenticated where the token does not hold here and now, Forbidden where its
    account may not act or not ask for the purpose.
    """
    session = signin.resume(node, token)
    context = session.actor.context
    if context.thumbprint and (scheme != "dpop" or not proof):
        raise Unauthenticated("The access token is bound to a key; send a DPoP proof with it.")
    vaults = (context.vault,) if context.vault is not None else ()
    scopes = None if context.unrestricted else scoping.allowed(context.scope, vaults)
    return ask(node, session, scopes=scopes, purpose=purpose)
