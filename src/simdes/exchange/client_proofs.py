"""Which app is calling the token endpoint, and whether it is really that app.

RFC 6749 §2.3, SMART's confidential clients (secret by HTTP Basic, or a signed assertion) and public
ones (nothing; PKCE protects their codes). An app may prove itself in its one registered way alone.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final
from urllib.parse import unquote_plus

from simdes.access import assertions, clients, dpop, handles
from simdes.access.clients import Client, Kind
from simdes.access.oauth import OAuthRefusal
from simdes.errors import Unauthenticated
from simdes.exchange.node import Node
from simdes.index import authorization

TOKEN_PATH: Final = "/auth/token"  # noqa: S105 (an address)
REVOKE_PATH: Final = "/auth/revoke"
INTROSPECT_PATH: Final = "/auth/introspect"
_ASSERTION: Final = ("client_assertion", "client_assertion_type")
_UNKNOWN: Final = "The app could not be authenticated."


@dataclass(frozen=True, slots=True)
class Call:
    """A POST of an app: its form, its Authorization header, its DPoP headers joined by commas."""

    parameters: tuple[tuple[str, str], ...] = field(repr=False)
    authorization: str = field(default="", repr=False)
    proof: str = field(default="", repr=False)


def prove(node: Node, given: Mapping[str, str], call: Call, *, path: str) -> Client:
    """The app that calls. Raises `OAuthRefusal` ``invalid_client``, alike for every reason."""
    basic = _basic(call.authorization)
    signed = any(name in given for name in _ASSERTION)
    if basic is not None and signed:
        raise OAuthRefusal("invalid_request", "An app proves itself in one way at a time.")
    named = given.get("client_id") or _of_refresh_token(node, given)
    if signed:
        return _by_assertion(node, given, path)
    if basic is not None:
        client = _client(node, basic[0])
        if named not in ("", basic[0]) or not _has_secret(client, basic[1]):
            raise _refused()
        return client
    client = _client(node, named)
    if client.kind is not Kind.PUBLIC or "client_secret" in given or call.authorization:
        raise _refused()
    return client


def possession(node: Node, call: Call, *, path: str) -> str:
    """The thumbprint of the key that a DPoP proof is by, "" without one.

    Raises `OAuthRefusal` ``invalid_dpop_proof``; a proof is good once.
    """
    if not call.proof:
        return ""
    try:
        proof = dpop.prove(
            call.proof, method="POST", url=node.issuer.name + path, now_seconds=node.now_seconds()
        )
    except Unauthenticated as error:
        raise OAuthRefusal("invalid_dpop_proof", error.message) from error
    if not _spend(node, proof.name, proof.expires_ms):
        raise OAuthRefusal("invalid_dpop_proof", "The DPoP proof was used before.")
    return proof.thumbprint


def _by_assertion(node: Node, given: Mapping[str, str], path: str) -> Client:
    assertion = given.get("client_assertion", "")
    if given.get("client_assertion_type") != assertions.ASSERTION_TYPE:
        raise _refused()
    base = node.issuer.name
    try:
        client = _client(node, assertions.client_id(assertion))
        proof = assertions.prove(
            assertion,
            client,
            node.app_keys,
            # RFC 7523: this server's identifier or the endpoint's; SMART names the token endpoint.
            audiences=(base, base + TOKEN_PATH, base + path),
            now_seconds=node.now_seconds(),
        )
    except Unauthenticated as error:
        raise _refused() from error
    if given.get("client_id", client.id) != client.id:
        raise _refused()
    if not _spend(node, proof.name, proof.expires_ms):
        raise _refused()
    return client


def _of_refresh_token(node: Node, given: Mapping[str, str]) -> str:
    """The app that a refresh token was given to, "" for any other request.

    RFC 6749 §6 has an app that proves nothing send its token alone, and SMART's own JavaScript
    client does. The name is no secret: who has the token of a public app could send it, too.
    """
    if given.get("grant_type") != "refresh_token":
        return ""
    name = handles.digest("refresh", given.get("refresh_token", "")[: handles.MAX_CHARACTERS])
    with node.database.read() as tx:
        token = authorization.refresh(tx, name)
        grant = authorization.grant(tx, token.grant_id, now_ms=node.now_ms()) if token else None
    return grant.client_id if grant is not None else ""


def _has_secret(client: Client, secret: str) -> bool:
    if client.secret_digest is None:
        return False
    return compare_digest(handles.digest("client", secret), client.secret_digest)


def _client(node: Node, client_id: str) -> Client:
    with node.database.read() as tx:
        row = authorization.client(tx, client_id)
    if row is None:
        raise _refused()
    return clients.of_row(row)


def _spend(node: Node, name: bytes, expires_ms: int) -> bool:
    return node.database.write(lambda tx: authorization.spend(tx, name, expires_ms=expires_ms))


def _basic(header: str) -> tuple[str, str] | None:
    """User and password of an Authorization header, each form-encoded (RFC 6749 §2.3.1)."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(rest.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise _refused() from None
    user, colon, secret = text.partition(":")
    if not colon:
        raise _refused()
    return unquote_plus(user), unquote_plus(secret)


def _refused() -> OAuthRefusal:
    return OAuthRefusal("invalid_client", _UNKNOWN)
