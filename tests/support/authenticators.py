"""A software authenticator that can be told to lie (https://www.w3.org/TR/webauthn-3/)."""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 1, 4, 64


def text(data: bytes) -> str:
    """base64url without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def data(text: str) -> bytes:
    """Undo `text`."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(slots=True)
class Authenticator:
    """One credential. Keyword arguments of its verbs replace what an honest one would say."""

    origin: str
    host: str
    count: int = 0
    id: bytes = field(default_factory=lambda: os.urandom(24))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    user: bytes = b""

    def create(self, options: str, **lies: Any) -> str:
        """Answer ``navigator.credentials.create``."""
        asked = json.loads(options)
        self.user = data(asked["user"]["id"])
        point = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: _word(point.x), -3: _word(point.y)}
        held = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(public)
        seen = self._seen(lies, ATTESTED) + held
        client = self._client("webauthn.create", asked, lies)
        attested = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": seen})
        return self._answer({"clientDataJSON": text(client), "attestationObject": text(attested)})

    def get(self, options: str, **lies: Any) -> str:
        """Answer ``navigator.credentials.get``; the counter rises by one."""
        self.count += 1
        client = self._client("webauthn.get", json.loads(options), lies)
        seen = self._seen(lies)
        signed = self.key.sign(seen + sha256(client).digest(), ec.ECDSA(SHA256()))
        if lies.get("forged"):
            signed = Authenticator("", "").key.sign(seen, ec.ECDSA(SHA256()))
        return self._answer(
            {
                "clientDataJSON": text(client),
                "authenticatorData": text(seen),
                "signature": text(signed),
                "userHandle": text(lies.get("user", self.user)),
            }
        )

    def _seen(self, lies: dict[str, Any], more: int = 0) -> bytes:
        flags = lies.get("flags", PRESENT | VERIFIED) | more
        host = sha256(str(lies.get("host", self.host)).encode()).digest()
        return host + bytes((flags,)) + int(lies.get("count", self.count)).to_bytes(4, "big")

    def _client(self, kind: str, asked: dict[str, Any], lies: dict[str, Any]) -> bytes:
        said = {
            "type": lies.get("type", kind),
            "challenge": lies.get("challenge", asked["challenge"]),
            "origin": lies.get("origin", self.origin),
        }
        return json.dumps(said).encode()

    def _answer(self, response: dict[str, str]) -> str:
        named = {"id": text(self.id), "rawId": text(self.id), "type": "public-key"}
        return json.dumps(named | {"response": response, "clientExtensionResults": {}})


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")
