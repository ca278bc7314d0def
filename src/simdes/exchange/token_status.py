"""Taking tokens back and telling what they are worth: RFC 7009 and RFC 7662.

Introspection answers with SMART's fields (http://hl7.org/fhir/smart-app-launch/token-introspection
.html) and only to apps that prove themselves with a secret or a key: resource servers, say.
"""

from __future__ import annotations

from typing import Any, Final

from simdes.access import authorizing, handles, tokens
from simdes.access.clients import Client, Kind
from simdes.access.oauth import OAuthRefusal
from simdes.access.requests import hexed
from simdes.access.tokens import Actor
from simdes.errors import Forbidden, Unauthenticated
from simdes.exchange import client_proofs
from simdes.exchange.client_proofs import INTROSPECT_PATH, REVOKE_PATH, Call
from simdes.exchange.node import Node
from simdes.index import authorization

INACTIVE: Final[dict[str, Any]] = {"active": False}


def revoke(node: Node, call: Call) -> None:
    """End what a token stands for: a refresh token's whole grant, an access token's session.

    Unknown tokens are fine: they are not valid now. Raises `OAuthRefusal`, ``unauthorized_client``
    for another app's token.
    """
    given = authorizing.single(call.parameters)
    client = client_proofs.prove(node, given, call, path=REVOKE_PATH)
    text = given.get("token", "")
    if not text:
        raise OAuthRefusal("invalid_request", "There is no token to revoke.")
    grant = _grant_of(node, text)
    if grant is not None:
        _require_own(grant.client_id, client.id)
        node.database.write(lambda tx: authorization.end_grants(tx, [grant.id]))
        return
    actor = _holder(node, text)
    if actor is not None:
        _require_own(actor.context.client, client.id)
        tokens.revoke(node.issuer, actor.session)


def introspect(node: Node, call: Call) -> dict[str, Any]:
    """What a token is worth now; refresh tokens, everything unknown and, unless a backend service
    asks, other apps' tokens are just not active (RFC 7662 §2.2, §4).

    Raises `OAuthRefusal` unless an app asks that has a secret or a key.
    """
    given = authorizing.single(call.parameters)
    client = client_proofs.prove(node, given, call, path=INTROSPECT_PATH)
    if client.kind is Kind.PUBLIC:
        raise OAuthRefusal("invalid_client", "A public app can't ask what tokens are worth.")
    if "token" not in given:
        raise OAuthRefusal("invalid_request", "There is no token to look at.")
    actor = _holder(node, given["token"])
    if actor is None or not _may_know(client, actor):
        return dict(INACTIVE)
    return _described(node, actor)


def _may_know(client: Client, actor: Actor) -> bool:
    """An app learns of its own tokens; a service with a key, such as a resource server, of all."""
    return client.kind is Kind.BACKEND or actor.context.client == client.id


def _described(node: Node, actor: Actor) -> dict[str, Any]:
    context, person = actor.context, actor.context.fhir_user
    found: dict[str, Any] = {
        "active": True,
        "scope": context.scope,
        "client_id": context.client,
        "token_type": "DPoP" if context.thumbprint else "Bearer",
        "iss": node.issuer.name,
        "aud": node.issuer.audience,
        "sub": actor.user if context.grant is None and _is_agent(actor) else hexed(actor.account),
        "iat": actor.issued_seconds,
        "exp": actor.expires_seconds,
    }
    optional: dict[str, Any] = {
        "patient": context.patient,
        "encounter": context.encounter,
        "fhirUser": f"{node.issuer.audience}/{person}" if person else "",
        "cnf": {"jkt": context.thumbprint} if context.thumbprint else None,
    }
    if actor.authentication is not None:
        optional |= {
            "auth_time": actor.authentication.time_seconds,
            "acr": actor.authentication.acr,
            "amr": list(actor.authentication.amr),
        }
    return found | {name: value for name, value in optional.items() if value}


def _is_agent(actor: Actor) -> bool:
    return actor.user == actor.context.client


def _grant_of(node: Node, text: str) -> authorization.Grant | None:
    """The grant behind a refresh token, one that was used already too."""
    if len(text) > handles.MAX_CHARACTERS:
        return None
    with node.database.read() as tx:
        token = authorization.refresh(tx, handles.digest("refresh", text))
        if token is None:
            return None
        return authorization.grant(tx, token.grant_id, now_ms=node.now_ms())


def _holder(node: Node, text: str) -> Actor | None:
    try:
        return tokens.check(node.issuer, node.contracts, text, thumbprint=None)
    except (Unauthenticated, Forbidden):
        return None


def _require_own(token_client: str, client: str) -> None:
    if token_client != client:
        raise OAuthRefusal("unauthorized_client", "The token is another app's.")
