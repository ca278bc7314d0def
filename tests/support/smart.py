"""SMART apps for tests: registered, asking, answered."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from simdes.exchange import authorization, clients, token_requests
from simdes.exchange.authorization import Request
from simdes.exchange.client_proofs import Call
from simdes.exchange.clients import Client, Kind
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.exchange.submit import Accepted
from support.consortium import Consortium
from support.messages import admission

CALLBACK = "https://app.example/callback"
SCOPES = (
    "launch launch/patient launch/encounter openid fhirUser profile offline_access online_access "
    "patient/*.cruds user/*.cruds"
)


@dataclass(frozen=True, slots=True)
class Asking:
    """An app at an organisation with what it needs to ask and to redeem."""

    node: Node
    client: Client
    secret: str = ""
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def challenge(self) -> str:
        """The S256 challenge of the verifier (RFC 7636)."""
        return challenge_of(self.verifier)

    def parameters(self, **changes: str | None) -> dict[str, str]:
        """A usual authorization request with some parameters changed or, by None, left out."""
        usual: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client.id,
            "redirect_uri": self.client.redirect_uris[0],
            "scope": "openid fhirUser user/*.rs",
            "state": self.state,
            "aud": self.node.issuer.audience,
            "code_challenge": self.challenge,
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (usual | changes).items() if value is not None}


def challenge_of(verifier: str) -> str:
    """BASE64URL(SHA256(verifier))."""
    return (
        base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    )


def register(
    node: Node,
    client_id: str,
    *,
    kind: Kind = Kind.PUBLIC,
    scope: str = SCOPES,
    redirects: Sequence[str] = (CALLBACK,),
    administrator: Session | None = None,
    **others: Any,
) -> Asking:
    """Register an app."""
    made = clients.register(
        node,
        administrator,
        name="Growth chart",
        kind=kind,
        scope=scope,
        redirect_uris=redirects,
        client_id=client_id,
        **others,
    )
    return Asking(node, made.client, made.secret)


def authorize(asking: Asking, **changes: str | None) -> Request:
    """Begin with a usual request, changed."""
    return authorization.begin(asking.node, list(asking.parameters(**changes).items()))


def answer(url: str) -> dict[str, str]:
    """The parameters in the query of an address, each once."""
    pairs = parse_qsl(urlsplit(url).query, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def a_patient(network: Consortium, who: str, member: str = "north") -> tuple[bytes, str]:
    """A patient known from a message: vault and FHIR id."""
    from simdes.index import authorization as rows

    message = admission("A01", sent="20260101090000", number=who, control=who)
    [one] = network.submit(member, f"{who}.hl7", message)
    assert isinstance(one, Accepted)
    with network[member].node.database.read() as tx:
        patient = rows.patient_id(tx, one.vault)
    assert patient is not None
    return one.vault, patient


def allow(asking: Asking, session: Session, scope: str, patient: bytes | None = None) -> str:
    """The person allows the app all it asks for; the code."""
    request = authorize(asking, scope=scope)
    granted = authorization.describe(asking.node, request.id).scopes
    url = authorization.approve(asking.node, request.id, session, granted, patient)
    return answer(url)["code"]


def basic(client_id: str, secret: str) -> str:
    """An Authorization header."""
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def call(
    asking: Asking, parameters: dict[str, str | None], *, proof: str = "", authorization: str = ""
) -> Call:
    """A form as the app sends it, with its secret if it has one."""
    form = tuple((name, value) for name, value in parameters.items() if value is not None)
    if asking.secret and not authorization:
        authorization = basic(asking.client.id, asking.secret)
    return Call(form, authorization, proof)


def redeem(
    asking: Asking, code: str, /, *, proof: str = "", authorization: str = "", **changes: str | None
) -> dict[str, Any]:
    """Redeem a code as usual, with some parameters changed."""
    usual: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": asking.client.redirect_uris[0],
        "code_verifier": asking.verifier,
        "client_id": asking.client.id,
    }
    made = call(asking, usual | changes, proof=proof, authorization=authorization)
    return token_requests.redeem(asking.node, made)


def refresh(
    asking: Asking,
    token: str,
    /,
    *,
    proof: str = "",
    authorization: str = "",
    **changes: str | None,
) -> dict[str, Any]:
    """Refresh as usual, with some parameters changed."""
    usual: dict[str, str | None] = {
        "grant_type": "refresh_token",
        "refresh_token": token,
        "client_id": asking.client.id,
    }
    made = call(asking, usual | changes, proof=proof, authorization=authorization)
    return token_requests.redeem(asking.node, made)


Key = ECKey | RSAKey


def new_key(curve: str = "P-384") -> ECKey:
    """A fresh key of an app."""
    return ECKey.generate_key(curve, {"kid": f"k-{secrets.token_hex(4)}"}, private=True)


def public_set(*keys: Key) -> str:
    """A JSON Web Key Set of the public halves."""
    import json

    return json.dumps(KeySet(list(keys)).as_dict(private=False))


def assertion(
    asking: Asking,
    key: Key,
    *,
    header: dict[str, Any] | None = None,
    now: float | None = None,
    **changes: Any,
) -> str:
    """A client assertion as SMART wants it, with some claims changed or, by None, left out."""
    now_seconds = int(asking.node.desk.clock() if now is None else now)
    claims = {
        "iss": asking.client.id,
        "sub": asking.client.id,
        "aud": asking.node.issuer.name + "/auth/token",
        "exp": now_seconds + 240,
        "iat": now_seconds,
        "jti": secrets.token_hex(16),
    } | changes
    head = {"alg": "ES384", "typ": "JWT", "kid": key.kid} | (header or {})
    return jwt.encode(
        {name: value for name, value in head.items() if value is not None},
        {name: value for name, value in claims.items() if value is not None},
        key,
        algorithms=["ES256", "ES384", "RS256", "RS384", "RS512"],
    )


def credentials(asking: Asking, signed: str, **changes: str | None) -> dict[str, Any]:
    """Ask for a backend service's token with an assertion."""
    usual: dict[str, str | None] = {
        "grant_type": "client_credentials",
        "scope": "system/*.rs",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": signed,
    }
    return token_requests.redeem(asking.node, call(asking, usual | changes))


def dpop_proof(
    node: Node,
    key: Key,
    *,
    method: str = "POST",
    path: str = "/auth/token",
    token: str = "",
    header: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    """A DPoP proof (RFC 9449), with some claims changed or, by None, left out."""
    digest = hashlib.sha256(token.encode()).digest()
    claims = {
        "jti": secrets.token_hex(16),
        "htm": method,
        "htu": node.issuer.name + path,
        "iat": node.now_seconds(),
        "ath": base64.urlsafe_b64encode(digest).rstrip(b"=").decode() if token else None,
    } | changes
    public = {n: v for n, v in key.as_dict(private=False).items() if n not in ("kid", "use")}
    head = {"alg": "ES256", "typ": "dpop+jwt", "jwk": public} | (header or {})
    return jwt.encode(
        {name: value for name, value in head.items() if value is not None},
        {name: value for name, value in claims.items() if value is not None},
        key,
        algorithms=["ES256", "ES384", "RS256", "PS256"],
    )
