"""Access tokens of one organisation's gateway: minted at sign-in, checked at every request.

RFC 9068 (``typ=at+jwt``), ES256 by the organisation's token key, at most five minutes. A session
keeps the hosted person's account key wrapped under HKDF of the token's signature bytes: whoever
presents the token unlocks the key, the disk alone does not. ECDSA draws a fresh secret for every
signature, so that not even the token key together with the disk gives those bytes back; a
deterministic algorithm such as EdDSA would, which is why there is none here.

What a token says about role and organisation is for readers; `check` asks the chain.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from joserfc import jws, jwt
from joserfc.errors import JoseError

from simdes.access.accounts import require_active
from simdes.access.keystore import KeyStore, Person
from simdes.access.requests import hexed, unb64
from simdes.crypto.digest import hkdf, sha256
from simdes.crypto.keys import SigningKey, unwrap, wrap
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
    """Who is asking: a hosted person whose account the chain says is active."""

    account: bytes
    address: bytes
    role: int
    organisation: bytes
    user: str
    session: bytes


@dataclass(frozen=True, slots=True)
class Issuer:
    """What minting and checking depend on. `name` is the iss, `audience` the aud claim."""

    keystore: KeyStore
    database: Database
    name: str
    audience: str
    clock: Callable[[], float]
    random: Callable[[int], bytes]


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The claims of an access token; all are required."""

    iss: str
    aud: str
    sub: str
    client_id: str
    iat: int
    exp: int
    jti: str
    scope: str
    org: str
    role: int


def mint(
    issuer: Issuer,
    person: Person,
    key: SigningKey,
    *,
    client: str = "simdes",
    scope: str = "",
    valid_seconds: int = MAX_VALID_SECONDS,
) -> str:
    """An access token for a person whose account key has just been unlocked.

    Raises `Invalid` for a validity above five minutes or a key that is not the person's.
    """
    if not 0 < valid_seconds <= MAX_VALID_SECONDS:
        raise Invalid("An access token is valid for at most 300 seconds.")
    if key.address != person.address:
        raise Invalid("The key is not this person's.")
    now = int(issuer.clock())
    claims = Claims(
        iss=issuer.name,
        aud=issuer.audience,
        sub=hexed(person.account),
        client_id=client,
        iat=now,
        exp=now + valid_seconds,
        jti=hexed(issuer.random(32)),
        scope=scope,
        org=hexed(issuer.keystore.organisation),
        role=int(person.role),
    )
    token = jwt.encode(
        {"alg": ALGORITHM, "typ": TYPE},
        msgspec.to_builtins(claims),
        issuer.keystore.token_key,
        algorithms=[ALGORITHM],
    )
    session = _name(token)
    wrapped = wrap(_wrapping(token), key.to_bytes(), aad=session, random=issuer.random)
    row = sessions.Session(
        id=session,
        account=person.account,
        key_wrapped=wrapped,
        expires_ms=(now + valid_seconds) * 1000,
    )

    def write(tx: Transaction) -> None:
        sessions.purge(tx, now_ms=now * 1000)
        sessions.add(tx, row)

    issuer.database.write(write)
    return token


def check(issuer: Issuer, contracts: Contracts, token: str) -> Actor:
    """Who presents this token.

    Raises `Unauthenticated` alike for every way in which a token is not valid here and now,
    `Forbidden` with the chain's reason when the account may no longer act.
    """
    claims, session = _claims(issuer, token), _name(token)
    account = _session(issuer, session).account
    person = issuer.keystore.person_of(account)
    if person is None or hexed(account) != claims.sub:
        raise Unauthenticated(_REFUSED)
    standing = require_active(contracts, person.address)
    if standing.account != account or standing.organisation != issuer.keystore.organisation:
        raise Unauthenticated(_REFUSED)
    return Actor(
        account=account,
        address=person.address,
        role=standing.role,
        organisation=standing.organisation,
        user=person.user,
        session=session,
    )


def unlock(issuer: Issuer, token: str) -> SigningKey:
    """The account key of the session behind a valid token; `Unauthenticated` without one."""
    _claims(issuer, token)
    session = _name(token)
    wrapped = _session(issuer, session).key_wrapped
    try:
        return SigningKey.from_bytes(unwrap(_wrapping(token), wrapped, aad=session))
    except SimdesError as error:
        raise Unauthenticated(_REFUSED) from error


def revoke(issuer: Issuer, session: bytes) -> None:
    """End a session: its token is refused from now on, the wrapped key is gone."""
    issuer.database.write(lambda tx: sessions.end(tx, session))


def _claims(issuer: Issuer, token: str) -> Claims:
    try:
        if len(token) > MAX_TOKEN_BYTES or token.count(".") != 2:
            raise Unauthenticated(_REFUSED)
        signed = jws.deserialize_compact(
            token.encode("ascii"), issuer.keystore.token_key, algorithms=[ALGORITHM]
        )
        if signed.headers() != {"alg": ALGORITHM, "typ": TYPE}:
            raise Unauthenticated(_REFUSED)
        claims = msgspec.json.decode(signed.payload, type=Claims)
    except (JoseError, SimdesError, msgspec.DecodeError, ValueError) as error:
        raise Unauthenticated(_REFUSED) from error
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


def _session(issuer: Issuer, session: bytes) -> sessions.Session:
    with issuer.database.read() as tx:
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
