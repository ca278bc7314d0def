"""Access tokens of one organisation's gateway: minted at sign-in, checked at every request.

RFC 9068 (``typ=at+jwt``), ES256 by the organisation's token key, at most five minutes. A session
keeps the hosted person's account key wrapped under HKDF of the token's signature bytes: whoever
presents the token unlocks the key, the disk alone does not. ECDSA draws a fresh secret for every
signature, so that not even the token key together with the disk gives those bytes back; a
deterministic algorithm such as EdDSA would, which is why there is none here.

What a token says about role and organisation is for readers; `check` asks the chain. An app's
token adds what the person allowed it (SMART App Launch) and, with DPoP, the key it is bound to (RFC
9449); its patient's vault stands in the session alone. A backend service acts as the organisation's
agent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final

import msgspec
from joserfc import jws, jwt
from joserfc.errors import JoseError
from msgspec import UNSET, UnsetType

from simdes.access.app_context import OWN, Context
from simdes.access.authentication import Authentication
from simdes.access.categories import Role
from simdes.access.claims import Bound, Claims, Remembered
from simdes.access.keystore import KeyStore, Person
from simdes.access.requests import hexed, unb64, unhex
from simdes.crypto.digest import hkdf, sha256
from simdes.crypto.keys import SigningKey, unwrap, wrap
from simdes.decoding import ready
from simdes.errors import Invalid, SimdesError, Unauthenticated
from simdes.index import sessions
from simdes.index.database import Database
from simdes.index.transaction import Transaction
from simdes.ledger.contracts import Contracts

MAX_VALID_SECONDS: Final = 300
MAX_TOKEN_BYTES: Final = 4096
TYPE: Final = "at+jwt"
ALGORITHM: Final = "ES256"
_SKEW_SECONDS: Final = 5
_REFUSED: Final = "The access token is not valid here."
_INFO = b"simdes/session/v1"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is asking: a hosted person, or this organisation's agent for a backend service.

    The chain says that the account is active. ``user`` is a user name, or the service's client id.
    """

    account: bytes
    address: bytes
    role: int
    organisation: bytes
    user: str
    session: bytes
    context: Context = OWN
    authentication: Authentication | None = None
    issued_seconds: int = 0
    expires_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Issuer:
    """What minting and checking depend on. `name` is the iss, `audience` the aud claim."""

    keystore: KeyStore
    database: Database
    name: str
    audience: str
    clock: Callable[[], float]
    random: Callable[[int], bytes]
    remembered: Remembered = field(default_factory=Remembered, repr=False, compare=False)


def mint(
    issuer: Issuer,
    person: Person,
    key: SigningKey,
    *,
    context: Context = OWN,
    authentication: Authentication | None = None,
    valid_seconds: int = MAX_VALID_SECONDS,
) -> str:
    """An access token for a person whose account key has just been unlocked.

    Raises `Invalid` for a validity above five minutes or a key that is not the person's.
    """
    if key.address != person.address:
        raise Invalid("The key is not this person's.")
    subject, role = hexed(person.account), person.role
    claims = _made(issuer, subject, role, context, authentication, valid_seconds)
    token = _signed(issuer, claims)
    session = _name(token)
    wrapped = wrap(_wrapping(token), key.to_bytes(), aad=session, random=issuer.random)
    _open(issuer, session, person.account, wrapped, context, claims.exp)
    return token


def mint_agent(issuer: Issuer, account: bytes, *, context: Context) -> str:
    """An access token for a backend service, which acts as the agent account of the first lane."""
    claims = _made(issuer, context.client, Role.AGENT, context, None, MAX_VALID_SECONDS)
    token = _signed(issuer, claims)
    _open(issuer, _name(token), account, None, context, claims.exp)
    return token


def _made(
    issuer: Issuer,
    subject: str,
    role: Role,
    context: Context,
    authentication: Authentication | None,
    valid_seconds: int,
) -> Claims:
    if not 0 < valid_seconds <= MAX_VALID_SECONDS:
        raise Invalid("An access token is valid for at most 300 seconds.")
    now = int(issuer.clock())
    return Claims(
        iss=issuer.name,
        aud=issuer.audience,
        sub=subject,
        client_id=context.client,
        iat=now,
        exp=now + valid_seconds,
        jti=hexed(issuer.random(32)),
        scope=context.scope,
        org=hexed(issuer.keystore.organisation),
        role=int(role),
        auth_time=authentication.time_seconds if authentication else UNSET,
        amr=authentication.amr if authentication else UNSET,
        acr=authentication.acr if authentication else UNSET,
        patient=context.patient or UNSET,
        encounter=context.encounter or UNSET,
        fhirUser=context.fhir_user or UNSET,
        cnf=Bound(context.thumbprint) if context.thumbprint else UNSET,
    )


def _signed(issuer: Issuer, claims: Claims) -> str:
    return jwt.encode(
        {"alg": ALGORITHM, "typ": TYPE},
        msgspec.to_builtins(claims),
        issuer.keystore.token_key,
        algorithms=[ALGORITHM],
    )


def _open(
    issuer: Issuer,
    session: bytes,
    account: bytes,
    wrapped: bytes | None,
    context: Context,
    expires_seconds: int,
) -> None:
    row = sessions.Session(
        id=session,
        account=account,
        key_wrapped=wrapped,
        grant_id=context.grant,
        vault=context.vault,
        expires_ms=expires_seconds * 1000,
    )

    def write(tx: Transaction) -> None:
        sessions.purge(tx, now_ms=int(issuer.clock() * 1000))
        sessions.add(tx, row)

    issuer.database.write(write)


def check(
    issuer: Issuer, contracts: Contracts, token: str, *, thumbprint: str | None = ""
) -> Actor:
    """Who presents this token.

    ``thumbprint`` is that of the key which proved possession (`simdes.access.dpop`), "" when the
    token came alone; a token bound to a key needs just that key and no other token takes one. None
    asks who the token is for without its being presented.

    Raises `Unauthenticated` alike for every way in which a token is not valid here and now,
    `Forbidden` with the chain's reason when the account may no longer act.
    """
    claims, session = _claims(issuer, token), _name(token)
    bound = "" if isinstance(claims.cnf, UnsetType) else claims.cnf.jkt
    if thumbprint is not None and not compare_digest(bound, thumbprint):
        raise Unauthenticated(_REFUSED)
    row = _session(issuer, session)
    address, user = _holder(issuer, row, claims)
    standing = issuer.remembered.active(contracts, address)
    if standing.account != row.account or standing.organisation != issuer.keystore.organisation:
        raise Unauthenticated(_REFUSED)
    return Actor(
        account=row.account,
        address=address,
        role=standing.role,
        organisation=standing.organisation,
        user=user,
        session=session,
        context=_context(claims, row, bound),
        authentication=_authentication(claims),
        issued_seconds=claims.iat,
        expires_seconds=claims.exp,
    )


def holder(issuer: Issuer, contracts: Contracts, token: str) -> Actor | None:
    """Whose token this is, valid or not: made here and of a time that is not over, else None.

    For writing down who was turned away; it opens nothing.
    """
    try:
        claims = _claims(issuer, token)
    except Unauthenticated:
        return None
    if claims.sub == claims.client_id and claims.role == Role.AGENT:
        address, user = issuer.keystore.lanes[0].address, claims.client_id
        standing = contracts.accounts.standing(address)
        account = standing.account if standing is not None else bytes(32)
    else:
        person = issuer.keystore.person_of(unhex(claims.sub))
        if person is None:
            return None
        account, address, user = person.account, person.address, person.user
    return Actor(
        account=account,
        address=address,
        role=claims.role,
        organisation=issuer.keystore.organisation,
        user=user,
        session=_name(token),
    )


def unlock(issuer: Issuer, token: str) -> SigningKey:
    """The account key of the session behind a valid token; `Unauthenticated` without one."""
    _claims(issuer, token)
    session = _name(token)
    wrapped = _session(issuer, session).key_wrapped
    if wrapped is None:
        return issuer.keystore.lanes[0]
    try:
        return SigningKey.from_bytes(unwrap(_wrapping(token), wrapped, aad=session))
    except SimdesError as error:
        raise Unauthenticated(_REFUSED) from error


def session_of(token: str) -> bytes:
    """The name of the session that a token would open."""
    return _name(token)


def _holder(issuer: Issuer, row: sessions.Session, claims: Claims) -> tuple[bytes, str]:
    """Whose key acts and under which name."""
    if row.key_wrapped is None:
        if claims.sub != claims.client_id or claims.role != Role.AGENT:
            raise Unauthenticated(_REFUSED)
        return issuer.keystore.lanes[0].address, claims.client_id
    person = issuer.keystore.person_of(row.account)
    if person is None or hexed(row.account) != claims.sub:
        raise Unauthenticated(_REFUSED)
    return person.address, person.user


def _context(claims: Claims, row: sessions.Session, thumbprint: str) -> Context:
    return Context(
        client=claims.client_id,
        scope=claims.scope,
        grant=row.grant_id,
        vault=row.vault,
        patient=claims.patient or "",
        encounter=claims.encounter or "",
        fhir_user=claims.fhirUser or "",
        thumbprint=thumbprint,
    )


def _authentication(claims: Claims) -> Authentication | None:
    if isinstance(claims.amr, UnsetType) or isinstance(claims.auth_time, UnsetType):
        return None
    return Authentication(tuple(one for one in claims.amr if one != "mfa"), claims.auth_time)


def revoke(issuer: Issuer, session: bytes) -> None:
    """End a session: its token is refused from now on, the wrapped key is gone."""
    issuer.database.write(lambda tx: sessions.end(tx, session))


def _claims(issuer: Issuer, token: str) -> Claims:
    claims = issuer.remembered.claims(token)
    if claims is None:
        claims = _verified(issuer, token)
        issuer.remembered.keep(token, claims)
    now = issuer.clock()
    expected = (issuer.name, issuer.audience, hexed(issuer.keystore.organisation))
    if (
        (claims.iss, claims.aud, claims.org) != expected
        or not re.fullmatch("0x[0-9a-f]{64}", claims.jti)
        or not 0 < claims.exp - claims.iat <= MAX_VALID_SECONDS
        or now >= claims.exp
        or now + _SKEW_SECONDS < claims.iat
    ):
        raise Unauthenticated(_REFUSED)
    return claims


def _verified(issuer: Issuer, token: str) -> Claims:
    """The claims of a token with this organisation's signature; nothing else is looked at."""
    try:
        if len(token) > MAX_TOKEN_BYTES or token.count(".") != 2:
            raise Unauthenticated(_REFUSED)
        signed = jws.deserialize_compact(
            token.encode("ascii"), issuer.keystore.token_key, algorithms=[ALGORITHM]
        )
        if signed.headers() != {"alg": ALGORITHM, "typ": TYPE}:
            raise Unauthenticated(_REFUSED)
        return msgspec.json.decode(signed.payload, type=ready(Claims))
    except (JoseError, SimdesError, msgspec.DecodeError, ValueError) as error:
        raise Unauthenticated(_REFUSED) from error


def _session(issuer: Issuer, session: bytes) -> sessions.Session:
    with issuer.database.look() as tx:
        row = sessions.get(tx, session, now_ms=int(issuer.clock() * 1000))
    if row is None:
        raise Unauthenticated(_REFUSED)
    return row


def _name(token: str) -> bytes:
    # Over the whole token: a second valid form of the same ECDSA signature names no session.
    return sha256(b"simdes/session-name/v1" + token.encode())


def _wrapping(token: str) -> bytes:
    signature = unb64(token.rsplit(".", 1)[1])
    return hkdf(signature, salt=b"", info=_INFO)
