"""ID tokens: who signed in, for the app to read (OpenID Connect Core, section 2), and their keys.

ES256 by the organisation's token key, of another type than access tokens and for the app as
audience, so that neither passes for the other. ``fhirUser`` as in SMART App Launch.
"""

from __future__ import annotations

from typing import Any, Final

from joserfc import jwt

from simdes.access.authentication import Authentication
from simdes.access.requests import b64, hexed
from simdes.access.tokens import ALGORITHM, Issuer
from simdes.crypto.digest import sha256

VALID_SECONDS: Final = 3_600


def identity_token(
    issuer: Issuer,
    *,
    account: bytes,
    client_id: str,
    nonce: str,
    authentication: Authentication | None,
    fhir_user: str,
    access_token: str,
) -> str:
    """A signed statement to one app about who signed in; ``fhir_user`` "" leaves that out."""
    now = int(issuer.clock())
    claims: dict[str, Any] = {
        "iss": issuer.name,
        "sub": hexed(account),
        "aud": client_id,
        "iat": now,
        "exp": now + VALID_SECONDS,
        "at_hash": b64(sha256(access_token.encode())[:16]),
    }
    if nonce:
        claims["nonce"] = nonce
    if authentication is not None:
        claims |= {
            "auth_time": authentication.time_seconds,
            "amr": list(authentication.amr),
            "acr": authentication.acr,
        }
    if fhir_user:
        url = f"{issuer.audience}/{fhir_user}"
        claims |= {"fhirUser": url, "profile": url}
    key = issuer.keystore.token_key
    header = {"alg": ALGORITHM, "typ": "JWT", "kid": key.thumbprint()}
    return jwt.encode(header, claims, key, algorithms=[ALGORITHM])


def public_keys(issuer: Issuer) -> dict[str, Any]:
    """The JSON Web Key Set (RFC 7517) by which anybody checks our signatures."""
    key = issuer.keystore.token_key
    public = dict(key.as_dict(private=False))
    return {"keys": [public | {"kid": key.thumbprint(), "use": "sig", "alg": ALGORITHM}]}
