"""An app asks for access and a person answers (SMART App Launch; RFC 6749 §4.1).

`begin` keeps a validated request under an unguessable id; the face asks the person with what
`describe` says and calls `approve` or `refuse`, which give the address to send the browser to. What
was allowed is a grant; the code, tokens and sessions that come of it end with it (`end_grant`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from simdes.access import authorizing, clients, handles, scopes
from simdes.access.audit_event import Attempt, Verb
from simdes.access.authorizing import Asked
from simdes.access.categories import Role
from simdes.access.oauth import (
    CODE_SECONDS,
    OFFLINE_SECONDS,
    ONLINE_SECONDS,
    READING_MS,
    REQUEST_SECONDS,
    OAuthRefusal,
)
from simdes.access.scopes import ResourceScope, Scopes
from simdes.access.tokens import Actor
from simdes.errors import Forbidden, Invalid, NotFound, Unauthenticated
from simdes.exchange.attempting import recording
from simdes.exchange.constraints import understood
from simdes.exchange.fhir_users import OwnRecord, fhir_user, own_records
from simdes.exchange.node import Node
from simdes.exchange.on_record import attempt_of
from simdes.exchange.signin import Session
from simdes.index import authorization, vaults
from simdes.index.transaction import Transaction

__all__ = [
    "Description",
    "OAuthRefusal",
    "OwnRecord",
    "Request",
    "ResourceScope",
    "Scopes",
    "approve",
    "begin",
    "describe",
    "end_grant",
    "end_online",
    "grants",
    "own_records",
    "refuse",
]


@dataclass(frozen=True, slots=True)
class Request:
    """A validated authorization request: ``id`` is what the page that asks the person is given."""

    id: str
    client_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a person is asked.

    ``origin`` is where the answer goes (the app's address, for people to see). ``scopes`` is what
    the app would get: names such as ``openid`` and `ResourceScope` values. ``choose_patient``: the
    person has to say whose records; ``vault`` is set where the launch said so already.
    ``sign_in_again``: the app wants a newer or stronger sign-in than the session at hand
    (``two_factors`` tells which); without a session it is False.
    """

    client_id: str
    client_name: str
    origin: str
    scopes: Scopes
    choose_patient: bool
    vault: bytes | None
    lasting: str
    sign_in_again: bool
    two_factors: bool


def begin(node: Node, parameters: Sequence[tuple[str, str]]) -> Request:
    """Validate an authorization request and keep it for ten minutes.

    Raises `OAuthRefusal`; its ``redirect`` is set where the browser may be sent back to the app.
    """
    given = authorizing.single(parameters)
    with node.database.read() as tx:
        row = authorization.client(tx, given.get("client_id", ""))
    asked = authorizing.read(
        given,
        client_of=lambda _: None if row is None else clients.of_row(row),
        issuer=node.issuer.name,
        audience=node.issuer.audience,
    )
    granted = understood(scopes.parse(asked.scope))
    if not granted:
        message = "No constraint of these scopes is known."
        raise _back(node, asked, "invalid_scope", message)
    asked = replace(asked, scope=granted.text)
    handle = handles.draw(node.random)
    name = handles.digest("request", handle)
    if not node.database.write(lambda tx: _keep(tx, node, asked, name)):
        message = "What was open when the app was started is not known any more."
        raise _back(node, asked, "invalid_request", message)
    return Request(handle, asked.client_id)


def _keep(tx: Transaction, node: Node, asked: Asked, id: bytes) -> bool:
    """Store a request with what its launch handle stands for; False where that is nothing."""
    now_ms, launch = node.now_ms(), None
    authorization.purge(tx, now_ms=now_ms, reading_before_ms=now_ms - READING_MS)
    if "launch" in scopes.parse(asked.scope).names:
        name = handles.digest("launch", asked.launch)
        launch = authorization.take_launch(tx, name, client_id=asked.client_id, now_ms=now_ms)
        if launch is None:
            return False
    authorization.add_request(
        tx,
        authorization.Request(
            id=id,
            client_id=asked.client_id,
            parameters=json.dumps(asdict(asked)),
            launch_account=launch.account if launch else None,
            vault=launch.vault if launch else None,
            patient=launch.patient if launch else "",
            encounter=launch.encounter if launch else "",
            created_ms=now_ms,
            expires_ms=now_ms + REQUEST_SECONDS * 1000,
        ),
    )
    return True


def describe(node: Node, request_id: str, session: Session | None = None) -> Description:
    """What the person is asked; with their session, whether it will do.

    Raises `NotFound` for a request that is unknown, answered or older than ten minutes.
    """
    row, asked = _waiting(node, request_id)
    with node.database.read() as tx:
        client = authorization.client(tx, asked.client_id)
    if client is None:
        raise _gone()
    wanted = scopes.parse(asked.scope)
    return Description(
        client_id=client.id,
        client_name=client.name,
        origin=authorizing.origin_of(asked.redirect_uri),
        scopes=wanted,
        choose_patient=needs_patient(wanted) and row.vault is None,
        vault=row.vault,
        lasting=_lasting(wanted),
        sign_in_again=session is not None and not _will_do(node, row, asked, session),
        two_factors=asked.multiple,
    )


def needs_patient(granted: Scopes) -> bool:
    """Whether these scopes mean one patient's records."""
    return "launch/patient" in granted.names or any(
        one.context == "patient" for one in granted.resources
    )


def approve(
    node: Node,
    request_id: str,
    session: Session,
    granted_scopes: Scopes | str,
    patient: bytes | None = None,
) -> str:
    """The person allows the app ``granted_scopes`` (some or all of what it asked for).

    ``patient`` is the tag of the vault that the person chose, where `Description.choose_patient`.
    Returns the address to send the browser to, with a code that is good once and for a minute.

    Raises `NotFound` for a request that does not wait any more, `Unauthenticated` where the app
    wants a newer or stronger sign-in, `Forbidden` for another person's launch or patient, `Invalid`
    where more is granted than asked, nothing is, or no patient is chosen.
    """
    row, asked = _waiting(node, request_id)
    if not _will_do(node, row, asked, session):
        raise Unauthenticated("The app asks you to sign in again.", advice="Sign in again.")
    with recording(node, lambda reason: refused(session.actor, reason)):
        return _approve(node, row, asked, session, granted_scopes, patient)


def refused(actor: Actor, reason: str) -> Attempt:
    """What somebody wanted to allow an app, and could not."""
    return attempt_of(actor, Verb.APPS, None, purpose=None, reason=reason)


def _approve(
    node: Node,
    row: authorization.Request,
    asked: Asked,
    session: Session,
    granted_scopes: Scopes | str,
    patient: bytes | None,
) -> str:
    if session.actor.context.grant is not None or session.actor.role == Role.AGENT:
        raise Forbidden("Only a person in their own session allows an app something.")
    if row.launch_account is not None and row.launch_account != session.actor.account:
        raise Forbidden("Somebody else started this app.", advice="Start the app yourself.")
    text = granted_scopes if isinstance(granted_scopes, str) else granted_scopes.text
    granted = scopes.parse(text)
    if not granted or not scopes.within(scopes.parse(asked.scope), granted):
        raise Invalid("What is granted is not some of what the app asked for.")
    vault, patient_id = _patient(node, row, session, granted, patient)
    grant = _grant(node, row, asked, session, granted, vault, patient_id)
    code = handles.draw(node.random)
    kept = authorization.Code(
        id=handles.digest("code", code),
        grant_id=grant.id,
        redirect_uri=asked.redirect_uri,
        challenge=asked.challenge,
        nonce=asked.nonce,
        key_wrapped=handles.wrap_key("code", code, session.key, random=node.random),
        expires_ms=node.now_ms() + CODE_SECONDS * 1000,
    )

    def write(tx: Transaction) -> bool:
        if not authorization.take_request(tx, row.id):
            return False
        authorization.add_grant(tx, grant)
        authorization.add_code(tx, kept)
        audit(node, tx, session, grant.vault)
        return True

    if not node.database.write(write):
        raise _gone()
    return authorizing.answer_url(
        asked.redirect_uri, {"code": code, "state": asked.state, "iss": node.issuer.name}
    )


def refuse(node: Node, request_id: str) -> str:
    """The person allows nothing: the address to send the browser to. Raises `NotFound`."""
    row, asked = _waiting(node, request_id)
    node.database.write(lambda tx: authorization.take_request(tx, row.id))
    refused = _back(node, asked, "access_denied", "The person did not allow it.")
    return str(refused.redirect)


def grants(node: Node, session: Session) -> list[authorization.Grant]:
    """What the person allows apps at present, newest first."""
    with node.database.read() as tx:
        return authorization.grants_of(tx, session.actor.account, now_ms=node.now_ms())


def end_grant(node: Node, session: Session, grant_id: bytes) -> None:
    """Take back what an app was allowed: its tokens are refused from now on.

    Raises `NotFound` for a grant that is not this person's.
    """

    def write(tx: Transaction) -> bool:
        found = authorization.grant(tx, grant_id, now_ms=node.now_ms())
        if found is None or found.account != session.actor.account:
            return False
        audit(node, tx, session, found.vault)
        return authorization.end_grants(tx, [grant_id]) > 0

    if not node.database.write(write):
        raise NotFound("You allow no such app anything.")


def audit(node: Node, tx: Transaction, session: Session, vault: bytes | None) -> None:
    """Write down that a person changed what apps may do for them."""
    node.desk.trail.append(tx, [attempt_of(session.actor, Verb.APPS, vault, purpose=None)])


def end_online(node: Node, account: bytes) -> int:
    """The person signed out: apps with ``online_access`` lose it; how many."""
    return node.database.write(lambda tx: authorization.end_lasting(tx, account, "online"))


def _waiting(node: Node, request_id: str) -> tuple[authorization.Request, Asked]:
    if len(request_id) > handles.MAX_CHARACTERS:
        raise _gone()
    name = handles.digest("request", request_id)
    with node.database.read() as tx:
        row = authorization.request(tx, name, now_ms=node.now_ms())
    if row is None:
        raise _gone()
    return row, Asked(**json.loads(row.parameters))


def _gone() -> NotFound:
    return NotFound(
        "The app's request was answered already, or is too old.",
        advice="Go back to the app and start again.",
    )


def _back(node: Node, asked: Asked, error: str, message: str) -> OAuthRefusal:
    url = authorizing.error_url(asked.redirect_uri, error, message, asked.state, node.issuer.name)
    return OAuthRefusal(error, message, redirect=url)


def _will_do(node: Node, row: authorization.Request, asked: Asked, session: Session) -> bool:
    return authorizing.fresh_enough(
        asked,
        session.actor.authentication,
        now_seconds=node.now_seconds(),
        asked_seconds=row.created_ms // 1000,
    )


def _lasting(granted: Scopes) -> str:
    for name, lasting in (("offline_access", "offline"), ("online_access", "online")):
        if name in granted.names:
            return lasting
    return "none"


_SECONDS: Final = {
    "none": CODE_SECONDS,
    "online": ONLINE_SECONDS,
    "offline": OFFLINE_SECONDS,
}


def _patient(
    node: Node,
    row: authorization.Request,
    session: Session,
    granted: Scopes,
    chosen: bytes | None,
) -> tuple[bytes | None, str]:
    """Vault and FHIR id of the patient in context, which the person must be allowed to choose."""
    if row.vault is not None:
        return row.vault, row.patient
    if not needs_patient(granted):
        return None, ""
    if chosen is None:
        raise Invalid("Choose whose records the app may see.")
    with node.database.read() as tx:
        kept = vaults.get(tx, chosen)
        patient_id = authorization.patient_id(tx, chosen)
    if session.actor.role == Role.PATIENT and (
        kept is None or kept.control != session.actor.account
    ):
        raise Forbidden("A patient allows apps their own records alone.")
    if kept is None or patient_id is None:
        raise NotFound("No such patient here.")
    return chosen, patient_id


def _grant(
    node: Node,
    row: authorization.Request,
    asked: Asked,
    session: Session,
    granted: Scopes,
    vault: bytes | None,
    patient_id: str,
) -> authorization.Grant:
    authentication = session.actor.authentication
    now_ms, lasting = node.now_ms(), _lasting(granted)
    return authorization.Grant(
        id=node.random(32),
        client_id=asked.client_id,
        account=session.actor.account,
        scope=granted.text,
        vault=vault,
        patient=patient_id,
        encounter=row.encounter,
        fhir_user=fhir_user(node, session.actor.account, session.actor.role),
        authenticated_ms=authentication.time_seconds * 1000 if authentication else 0,
        methods=" ".join(authentication.methods) if authentication else "",
        lasting=lasting,
        thumbprint=asked.thumbprint,
        created_ms=now_ms,
        expires_ms=now_ms + _SECONDS[lasting] * 1000,
    )
