"""The token endpoint: codes, refresh tokens and backend services' credentials become access tokens.

RFC 6749 §§4.1.3, 4.4 and 6 with PKCE, SMART's launch context and Backend Services, DPoP (RFC 9449).
A code and a refresh token are good once. Whoever presents one again ends everything that came of
it: of the two who had it one stole it, and nobody can tell which (RFC 9700 §4.14).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hmac import compare_digest
from typing import Any, Final

from simdes.access import accounts, authorizing, handles, identity, scopes, tokens
from simdes.access.app_context import Context
from simdes.access.audit_event import Attempt, Verb
from simdes.access.authentication import Authentication
from simdes.access.categories import Role
from simdes.access.clients import Client, Kind
from simdes.access.keystore import Person
from simdes.access.oauth import (
    ACCESS_SECONDS,
    IDLE_SECONDS,
    READING_MS,
    REUSED_SECRET,
    OAuthRefusal,
)
from simdes.access.requests import b64
from simdes.access.rights import SCOPE
from simdes.access.scopes import Scopes
from simdes.crypto.digest import sha256
from simdes.crypto.keys import SigningKey
from simdes.errors import Forbidden, Invalid, NotFound, SimdesError
from simdes.exchange import client_proofs, clients
from simdes.exchange.attempting import recording
from simdes.exchange.client_proofs import TOKEN_PATH, Call
from simdes.exchange.constraints import understood
from simdes.exchange.node import Node
from simdes.exchange.on_record import put_on_record
from simdes.index import authorization
from simdes.index.authorization import Code, Grant, Refresh
from simdes.index.transaction import Transaction

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_NO_GRANT: Final = "The code or refresh token is not valid, or not any more."
Answer = dict[str, Any]


def redeem(node: Node, call: Call) -> Answer:
    """Answer a token request: the JSON object of RFC 6749 §5.1 with SMART's launch context.

    Raises `OAuthRefusal`, or another of `simdes.errors` where a part of this server doesn't answer.
    """
    given = authorizing.single(call.parameters)
    act = _GRANT_TYPES.get(given.get("grant_type", ""))
    if act is None:
        raise OAuthRefusal("unsupported_grant_type", "There is no such grant type here.")
    client = client_proofs.prove(node, given, call, path=TOKEN_PATH)
    thumbprint = client_proofs.possession(node, call, path=TOKEN_PATH)
    _tidy(node)
    return act(node, client, given, thumbprint)


def _by_code(node: Node, client: Client, given: Mapping[str, str], thumbprint: str) -> Answer:
    text, now_ms = given.get("code", ""), node.now_ms()
    name = handles.digest("code", text[: handles.MAX_CHARACTERS])
    with node.database.read() as tx:
        code = authorization.code(tx, name)
        grant = authorization.grant(tx, code.grant_id, now_ms=now_ms) if code else None
    if code is None or grant is None:
        raise _no_grant()
    with recording(node, lambda reason: _attempt(node, grant, reason)):
        return _of_code(node, client, given, thumbprint, code, grant)


def _of_code(
    node: Node,
    client: Client,
    given: Mapping[str, str],
    thumbprint: str,
    code: Code,
    grant: Grant,
) -> Answer:
    text, now_ms = given["code"], node.now_ms()
    if grant.client_id != client.id:
        raise _no_grant()
    if code.key_wrapped is None:
        raise _reused(node, grant)
    if now_ms >= code.expires_ms or code.redirect_uri != given.get("redirect_uri", ""):
        raise _no_grant()
    if not _verifies(given.get("code_verifier", ""), code.challenge):
        raise _no_grant()
    if grant.thumbprint not in ("", thumbprint):
        raise _no_grant()
    # RFC 9449 §5: a public app's refresh tokens are its key's; others' are bound to the app itself.
    bound = thumbprint if client.kind is Kind.PUBLIC else ""
    key = handles.unwrap_key("code", text, code.key_wrapped)
    _require_active(node, grant)

    def use(tx: Transaction) -> bool:
        if not authorization.use_code(tx, code.id):
            return False
        authorization.bind_grant(tx, grant.id, bound)
        authorization.note_use(tx, grant.id, now_ms=now_ms)
        if grant.lasting == "none":
            authorization.extend_grant(tx, grant.id, now_ms + (ACCESS_SECONDS + 60) * 1000)
        return True

    if not node.database.write(use):
        raise _reused(node, grant)
    return _answer(node, grant, key, scopes.parse(grant.scope), thumbprint, nonce=code.nonce)


def _by_refresh(node: Node, client: Client, given: Mapping[str, str], thumbprint: str) -> Answer:
    text, now_ms = given.get("refresh_token", ""), node.now_ms()
    name = handles.digest("refresh", text[: handles.MAX_CHARACTERS])
    with node.database.read() as tx:
        token = authorization.refresh(tx, name)
        grant = authorization.grant(tx, token.grant_id, now_ms=now_ms) if token else None
    if token is None or grant is None:
        raise _no_grant()
    with recording(node, lambda reason: _attempt(node, grant, reason)):
        return _of_refresh(node, client, given, thumbprint, token, grant)


def _of_refresh(
    node: Node,
    client: Client,
    given: Mapping[str, str],
    thumbprint: str,
    token: Refresh,
    grant: Grant,
) -> Answer:
    text, now_ms = given["refresh_token"], node.now_ms()
    if grant.client_id != client.id:
        raise _no_grant()
    if token.key_wrapped is None:
        raise _reused(node, grant)
    if now_ms >= token.expires_ms or (grant.thumbprint and grant.thumbprint != thumbprint):
        raise _no_grant()
    granted = asked = scopes.parse(grant.scope)
    if "scope" in given:
        asked = _narrowed(granted, given["scope"])
    key = handles.unwrap_key("refresh", text, token.key_wrapped)
    _require_active(node, grant)
    if not node.database.write(lambda tx: authorization.use_refresh(tx, token.id)):
        raise _reused(node, grant)
    return _answer(node, grant, key, asked, thumbprint)


def _narrowed(granted: Scopes, text: str) -> Scopes:
    try:
        asked = scopes.parse(text)
    except Invalid as error:
        raise OAuthRefusal("invalid_scope", error.message) from error
    if not asked or not scopes.within(granted, asked):
        raise OAuthRefusal("invalid_scope", "A refresh can't widen what was allowed.", reason=SCOPE)
    return asked


def _by_credentials(
    node: Node, client: Client, given: Mapping[str, str], thumbprint: str
) -> Answer:
    if client.kind is not Kind.BACKEND:
        raise OAuthRefusal("unauthorized_client", "Only a backend service acts for itself.")
    with recording(node, lambda reason: _agent_attempt(node, reason)):
        token, scope = _agent_token(node, client, given.get("scope", ""), thumbprint)
    return {
        "access_token": token,
        "token_type": _type(thumbprint),
        "expires_in": ACCESS_SECONDS,
        "scope": scope,
    }


def issue(node: Node, client_id: str, scope: str) -> str:
    """An access token of a backend service for the operator's own scripts.

    Raises `NotFound` for an unknown app, `OAuthRefusal` for one that is no backend service and for
    scopes that it may not have.
    """
    client = clients.find(node, client_id)
    if client is None:
        raise NotFound("No such app here.", advice="See `simdes client list`.")
    if client.kind is not Kind.BACKEND:
        raise OAuthRefusal("unauthorized_client", "Only a backend service acts for itself.")
    return _agent_token(node, client, scope, "")[0]


def _agent_token(node: Node, client: Client, scope: str, thumbprint: str) -> tuple[str, str]:
    try:
        asked = scopes.parse(scope)
    except Invalid as error:
        raise OAuthRefusal("invalid_scope", error.message) from error
    granted = scopes.of_contexts(scopes.meet(asked, client.scope), "system")
    granted = understood(granted)
    if not granted.resources:
        raise OAuthRefusal(
            "invalid_scope", "The service may have none of these scopes.", reason=SCOPE
        )
    standing = accounts.require_active(node.contracts, node.desk.keystore.lanes[0].address)
    context = Context(client=client.id, scope=granted.text, thumbprint=thumbprint)
    return tokens.mint_agent(node.issuer, standing.account, context=context), granted.text


_GRANT_TYPES: Final[Mapping[str, Callable[[Node, Client, Mapping[str, str], str], Answer]]] = {
    "authorization_code": _by_code,
    "refresh_token": _by_refresh,
    "client_credentials": _by_credentials,
}
GRANT_TYPES: Final = tuple(_GRANT_TYPES)


def _answer(
    node: Node,
    grant: Grant,
    key: SigningKey,
    granted: Scopes,
    thumbprint: str,
    *,
    nonce: str = "",
) -> Answer:
    authentication = (
        Authentication(tuple(grant.methods.split()), grant.authenticated_ms // 1000)
        if grant.methods
        else None
    )
    identified = granted.names >= {"openid"} and bool(granted.names & {"fhirUser", "profile"})
    context = Context(
        client=grant.client_id,
        scope=granted.text,
        grant=grant.id,
        vault=grant.vault,
        patient=grant.patient,
        encounter=grant.encounter,
        fhir_user=grant.fhir_user if identified else "",
        thumbprint=thumbprint,
    )
    person = _require_active(node, grant)
    try:
        token = tokens.mint(
            node.issuer, person, key, context=context, authentication=authentication
        )
    except SimdesError as error:
        # The person's key was replaced, or the grant ended while it was being redeemed.
        raise _no_grant() from error
    answer: Answer = {
        "access_token": token,
        "token_type": _type(thumbprint),
        "expires_in": ACCESS_SECONDS,
        "scope": granted.text,
    }
    if grant.patient:
        answer |= {"patient": grant.patient, "need_patient_banner": True}
    if grant.encounter:
        answer["encounter"] = grant.encounter
    if "openid" in granted.names:
        answer["id_token"] = identity.identity_token(
            node.issuer,
            account=grant.account,
            client_id=grant.client_id,
            nonce=nonce,
            authentication=authentication,
            fhir_user=context.fhir_user,
            access_token=token,
        )
    if grant.lasting != "none":
        answer["refresh_token"] = _next_refresh(node, grant, key)
    return answer


def _next_refresh(node: Node, grant: Grant, key: SigningKey) -> str:
    text = handles.draw(node.random)
    row = authorization.Refresh(
        id=handles.digest("refresh", text),
        grant_id=grant.id,
        key_wrapped=handles.wrap_key("refresh", text, key, random=node.random),
        expires_ms=min(grant.expires_ms, node.now_ms() + IDLE_SECONDS * 1000),
    )

    def write(tx: Transaction) -> bool:
        # Reuse may have ended the grant a moment ago; then there must be no successor.
        if authorization.lock_grant(tx, grant.id, now_ms=node.now_ms()) is None:
            return False
        authorization.add_refresh(tx, row)
        authorization.note_use(tx, grant.id, now_ms=node.now_ms())
        return True

    if not node.database.write(write):
        raise _no_grant()
    return text


def _require_active(node: Node, grant: Grant) -> Person:
    person = node.desk.keystore.person_of(grant.account)
    if person is None:
        raise _no_grant()
    try:
        accounts.require_active(node.contracts, person.address)
    except Forbidden as error:
        raise OAuthRefusal("invalid_grant", error.message, reason=error.reason) from error
    return person


def _verifies(verifier: str, challenge: str) -> bool:
    """RFC 7636 §4.6, S256."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    return compare_digest(b64(sha256(verifier.encode())), challenge)


def _reused(node: Node, grant: Grant) -> OAuthRefusal:
    """End what was allowed, because a code or refresh token came twice; once, and on record."""
    attempt = _attempt(node, grant, REUSED_SECRET)

    def write(tx: Transaction) -> None:
        if authorization.end_grants(tx, [grant.id]):
            node.desk.trail.append(tx, [attempt])

    node.database.write(write)
    error = _no_grant()
    put_on_record(error)
    return error


def _attempt(node: Node, grant: Grant, reason: str) -> Attempt:
    """What was refused of what a person allowed, in whoever's hands it is."""
    person = node.desk.keystore.person_of(grant.account)
    return Attempt(
        verb=Verb.APPS,
        account=grant.account,
        address=person.address if person else bytes(20),
        role=int(person.role) if person else 0,
        organisation=node.organisation,
        purpose=None,
        vault=grant.vault,
        reason=reason,
    )


def _agent_attempt(node: Node, reason: str) -> Attempt | None:
    """What was refused to a service that proved itself: it acts as the organisation's agent."""
    address = node.desk.keystore.lanes[0].address
    standing = node.contracts.accounts.standing(address)
    if standing is None:
        return None
    return Attempt(
        verb=Verb.APPS,
        account=standing.account,
        address=address,
        role=int(Role.AGENT),
        organisation=node.organisation,
        purpose=None,
        vault=None,
        reason=reason,
    )


def _tidy(node: Node) -> None:
    now_ms = node.now_ms()
    node.database.write(
        lambda tx: authorization.purge(tx, now_ms=now_ms, reading_before_ms=now_ms - READING_MS)
    )


def _type(thumbprint: str) -> str:
    return "DPoP" if thumbprint else "Bearer"


def _no_grant() -> OAuthRefusal:
    return OAuthRefusal("invalid_grant", _NO_GRANT)
