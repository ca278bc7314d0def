"""Clinical systems that may ask for decision support: an allow-list, and how each proves itself.

CDS Hooks 2.0, "Trusting CDS Clients" (https://cds-hooks.hl7.org/2.0/#trusting-cds-clients): every
call carries a JWT by the client's key for the address that is called, good once. A key set is the
operator's file or at a URL that the operator wrote down; what a token says of its keys' place
(``jku``) is compared with that, never followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import msgspec

from simdes.access import assertions, proofs
from simdes.access.assertions import Assertion, KeySource
from simdes.access.clients import is_web_url, key_set
from simdes.access.requests import unb64
from simdes.crypto.digest import sha256
from simdes.decoding import ready
from simdes.errors import Invalid, SimdesError, Unauthenticated

ALGORITHMS: Final = ("ES384", "RS384", "ES256", "RS256")
MAX_SECONDS: Final = 3_600
MOST_CLIENTS: Final = 100
_MAX_ISSUER: Final = 500
_REFUSED: Final = "The token of the clinical system is not valid here and now."
_ADVICE: Final = "Write a JSON list of objects: issuer, name, and jwks (keys) or jwks_url."


@dataclass(frozen=True, slots=True)
class CdsClient:
    """A clinical system: the ``iss`` of its tokens, a name for people, its keys or their URL."""

    issuer: str
    name: str
    keys: str | None = field(default=None, repr=False)
    keys_url: str | None = None


class _Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    issuer: Annotated[str, msgspec.Meta(min_length=1, max_length=_MAX_ISSUER)]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    jwks: dict[str, Any] | None = None
    jwks_url: str | None = None


class _Claims(msgspec.Struct, frozen=True):
    """What a token says; claims that nobody asked for are passed over."""

    iss: str
    aud: str | list[str]
    exp: int
    iat: int
    jti: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    nbf: int | None = None


class _Issued(msgspec.Struct, frozen=True):
    iss: str


def read(text: str) -> tuple[CdsClient, ...]:
    """Read the allow-list. Raises `Invalid` saying what of it can't be."""
    try:
        listed = msgspec.json.decode(text, type=ready(list[_Listed]))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        said = f"The list of clinical systems can't be read: {error}"
        raise Invalid(said, advice=_ADVICE) from None
    if len({one.issuer for one in listed}) < len(listed) or len(listed) > MOST_CLIENTS:
        raise Invalid(f"At most {MOST_CLIENTS} clinical systems, each with an issuer of its own.")
    return tuple(_client(one) for one in listed)


def _client(listed: _Listed) -> CdsClient:
    if (listed.jwks is None) is (listed.jwks_url is None):
        raise Invalid("A clinical system has a key set or the address of one.", advice=_ADVICE)
    if listed.jwks_url is not None and not is_web_url(listed.jwks_url):
        raise Invalid("The address of a key set is https, or http on this machine.")
    keys = None if listed.jwks is None else msgspec.json.encode(listed.jwks).decode()
    if keys is not None:
        key_set(keys)
    return CdsClient(listed.issuer, listed.name, keys, listed.jwks_url)


def prove(
    token: str,
    clients: Sequence[CdsClient],
    keys: KeySource,
    *,
    audience: str,
    now_seconds: int,
) -> tuple[CdsClient, Assertion]:
    """Who calls ``audience``, the address of what is called; the caller spends `Assertion.name`.

    Raises `Unauthenticated` alike for whatever does not hold, `Unavailable` where the system's URL
    of keys doesn't answer.
    """
    unverified = proofs.read(token, typ="JWT", algorithms=ALGORITHMS)
    named = _issuer(token)
    client = next((one for one in clients if one.issuer == named), None)
    header = unverified.header
    if client is None or not isinstance(header.get("kid"), str):
        raise Unauthenticated(_REFUSED)
    if "jku" in header and client.keys_url is not None and header["jku"] != client.keys_url:
        raise Unauthenticated(_REFUSED)
    claims = assertions.signed_by(unverified, client.keys, client.keys_url, keys, _Claims)
    soon = now_seconds + proofs.SKEW_SECONDS
    if (
        claims.iss != client.issuer
        or claims.aud not in (audience, [audience])
        or not now_seconds < claims.exp <= soon + MAX_SECONDS
        or claims.iat > soon
        or (claims.nbf is not None and claims.nbf > soon)
    ):
        raise Unauthenticated(_REFUSED)
    spent = f"simdes/cds/v1/{len(client.issuer)}/{client.issuer}/{claims.jti}"
    return client, Assertion(sha256(spent.encode()), claims.exp * 1000)


def _issuer(token: str) -> str:
    try:
        return msgspec.json.decode(unb64(token.split(".")[1]), type=ready(_Issued)).iss
    except (IndexError, SimdesError, ValueError, RecursionError) as error:
        raise Unauthenticated(_REFUSED) from error
