"""SMART apps for tests: registered, asking, answered."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from simdes.exchange import authorization, clients
from simdes.exchange.authorization import Request
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
