"""Apps that prove themselves with a key: ``private_key_jwt``.

http://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html and RFC 7523: a JWT by a
key of the app, RS384 or ES384, for this server's token endpoint, valid for five minutes at most and
used once. Keys are registered by value or by a URL, which is asked through a `KeySource`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final, Protocol, TypeVar

import msgspec
from joserfc.jwk import KeySet

from simdes.access import proofs
from simdes.access.clients import Client, key_set
from simdes.access.proofs import Key, Unverified
from simdes.access.requests import unb64
from simdes.crypto.digest import sha256
from simdes.decoding import ready
from simdes.errors import SimdesError, Unauthenticated

T = TypeVar("T")

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS: Final = ("RS384", "ES384")
MAX_SECONDS: Final = 300
_REFUSED: Final = "The app's assertion is not valid here and now."


class KeySource(Protocol):
    """Fetches a key set from an app's URL."""

    def fetch(self, url: str, *, anew: bool = False) -> str:
        """The JSON at a URL, from memory unless ``anew``; raises `Unavailable`."""


class Claims(msgspec.Struct, frozen=True):
    """What an assertion says; claims that nobody asked for are passed over."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: int
    jti: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    iat: int | None = None
    nbf: int | None = None


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion that holds: the name under which it is remembered until it has expired."""

    name: bytes
    expires_ms: int


def client_id(assertion: str) -> str:
    """Which app an assertion says it is from; nothing of it is verified."""
    try:
        payload = assertion.split(".")[1]
        return msgspec.json.decode(unb64(payload), type=ready(_Issued)).iss
    except (IndexError, SimdesError, ValueError, RecursionError) as error:
        raise Unauthenticated(_REFUSED) from error


class _Issued(msgspec.Struct, frozen=True):
    iss: str


def prove(
    assertion: str,
    client: Client,
    keys: KeySource,
    *,
    audiences: Iterable[str],
    now_seconds: int,
) -> Assertion:
    """Check an app's assertion; the caller spends `Assertion.name`.

    Raises `Unauthenticated` alike for whatever does not hold, `Unavailable` where the app's URL of
    keys doesn't answer.
    """
    unverified = proofs.read(assertion, typ="JWT", algorithms=ALGORITHMS)
    header = unverified.header
    if not isinstance(header.get("kid"), str) or header.get("jku", client.keys_url) != (
        client.keys_url
    ):
        raise Unauthenticated(_REFUSED)
    claims = _claims(unverified, client, keys)
    audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    soon = now_seconds + proofs.SKEW_SECONDS
    if (
        (claims.iss, claims.sub) != (client.id, client.id)
        or len(audience) != 1
        or audience[0] not in set(audiences)
        or not now_seconds < claims.exp <= soon + MAX_SECONDS
        or any(one is not None and one > soon for one in (claims.iat, claims.nbf))
    ):
        raise Unauthenticated(_REFUSED)
    name = sha256(f"simdes/assertion/v1/{len(client.id)}/{client.id}/{claims.jti}".encode())
    return Assertion(name, claims.exp * 1000)


def _claims(unverified: Unverified, client: Client, keys: KeySource) -> Claims:
    return signed_by(unverified, client.keys, client.keys_url, keys, Claims)


def signed_by(
    unverified: Unverified, keys: str | None, keys_url: str | None, source: KeySource, kind: type[T]
) -> T:
    """The claims, once one of somebody's registered keys signed them: by value, or at their URL.

    Raises `Unauthenticated`, `Unavailable` where the URL doesn't answer.
    """
    if keys is not None:
        return _verified(unverified, key_set(keys), kind)
    if keys_url is None:
        raise Unauthenticated(_REFUSED)
    try:
        return _verified(unverified, key_set(source.fetch(keys_url)), kind)
    except Unauthenticated:
        # They may have changed their keys since these were fetched.
        return _verified(unverified, key_set(source.fetch(keys_url, anew=True)), kind)


def _verified(unverified: Unverified, keys: KeySet, kind: type[T]) -> T:
    wanted, algorithm = unverified.header["kid"], str(unverified.header["alg"])
    for key in keys.keys:
        if key.kid == wanted and isinstance(key, Key) and proofs.fits(key, algorithm):
            try:
                return proofs.verify(unverified, key, kind)
            except Unauthenticated:
                continue
    raise Unauthenticated(_REFUSED)
