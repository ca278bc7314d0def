"""Tokens that only the holder of a key can use: DPoP, https://www.rfc-editor.org/rfc/rfc9449.

A proof is a JWT by the app's key over method, address, time, a number used once and, with a token,
its digest. `prove` checks all but the replay: the caller spends `Proof.name` in its database.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Annotated, Any, Final
from urllib.parse import unquote, urlsplit

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from simdes.access import proofs
from simdes.access.proofs import Key
from simdes.access.requests import b64
from simdes.crypto.digest import sha256
from simdes.errors import Unauthenticated

TYPE: Final = "dpop+jwt"
ALGORITHMS: Final = ("ES256", "ES384", "RS256", "PS256")
LIFETIME_SECONDS: Final = 60
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class Claims(msgspec.Struct, frozen=True):
    """What a proof says; other claims, a nonce among them, are passed over."""

    jti: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    htm: str
    htu: str
    iat: int
    ath: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds: whose key, and the name under which it is remembered until then."""

    thumbprint: str
    name: bytes
    expires_ms: int


def prove(text: str, *, method: str, url: str, now_seconds: int, token: str = "") -> Proof:
    """Check a proof for a request of ``method`` to ``url``, with a token if one is presented.

    Raises `Unauthenticated` alike for whatever does not hold.
    """
    unverified = proofs.read(text, typ=TYPE, algorithms=ALGORITHMS)
    key = _key(unverified.header.get("jwk"))
    claims = proofs.verify(unverified, key, Claims)
    if claims.htm != method or _normal(claims.htu) != _normal(url):
        raise Unauthenticated("The DPoP proof is for another request.")
    if not claims.iat - proofs.SKEW_SECONDS <= now_seconds < claims.iat + LIFETIME_SECONDS:
        raise Unauthenticated("The DPoP proof is too old, or the clocks differ.")
    if token and not compare_digest(claims.ath.encode(), b64(sha256(token.encode())).encode()):
        raise Unauthenticated("The DPoP proof is for another token.")
    thumbprint = key.thumbprint()
    return Proof(
        thumbprint,
        sha256(f"simdes/dpop/v1/{thumbprint}/{claims.jti}".encode()),
        (claims.iat + LIFETIME_SECONDS + proofs.SKEW_SECONDS) * 1000,
    )


def _key(jwk: object) -> Key:
    if not isinstance(jwk, dict) or _PRIVATE & set(jwk):
        raise Unauthenticated("The DPoP proof has no public key.")
    make = _KINDS.get(str(jwk.get("kty")))
    if make is None:
        raise Unauthenticated("The DPoP proof's key is of a kind that is not accepted.")
    try:
        return make(jwk)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise Unauthenticated("The DPoP proof has no public key.") from error


# Only the members that make the key: whatever else stands beside them is nobody's business.
_KINDS: Final[dict[str, Callable[[dict[str, Any]], Key]]] = {
    "EC": lambda jwk: ECKey.import_key({name: jwk[name] for name in ("kty", "crv", "x", "y")}),
    "RSA": lambda jwk: RSAKey.import_key({name: jwk[name] for name in ("kty", "n", "e")}),
}


def _normal(url: str) -> tuple[str, str, int | None, str]:
    """RFC 9449 §4.3: compared without query and fragment, after normalising case and port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Unauthenticated("The DPoP proof is for another request.") from None
    scheme = parts.scheme.lower()
    return (
        scheme,
        parts.hostname or "",
        port or _DEFAULT_PORTS.get(scheme),
        unquote(parts.path) or "/",
    )
