"""Apps that an administrator registered: what they are and where people are sent back to.

Client types of SMART App Launch (http://hl7.org/fhir/smart-app-launch/app-launch.html#support-for-
public-and-confidential-apps) and Backend Services. A redirect URI is compared letter by letter
(RFC 9700 §4.1.3), but for the port of an app on the person's own machine (RFC 8252 §7.3).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from simdes.access import scopes
from simdes.access.app_context import OWN_CLIENT
from simdes.access.scopes import Scopes
from simdes.errors import Invalid
from simdes.index import authorization

MAX_REDIRECTS: Final = 16
MAX_KEYS: Final = 16
MAX_KEYS_BYTES: Final = 64 << 10
_MAX_URL: Final = 2_048
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
_HERE: Final = _LOOPBACK | {"localhost"}
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")


class Kind(StrEnum):
    """How an app proves that it is itself."""

    PUBLIC = "public"
    """It can't: it runs in a browser or on a phone. PKCE alone ties a code to it."""
    CONFIDENTIAL = "confidential"
    """By a secret or a key that its server keeps; it acts for people."""
    BACKEND = "backend"
    """By a key; it acts for itself, as an agent of this organisation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A registered app. ``scope`` is the most that it may be allowed."""

    id: str
    name: str
    kind: Kind
    scope: Scopes
    redirect_uris: tuple[str, ...] = ()
    launch_url: str = ""
    secret_digest: bytes | None = None
    keys: str | None = None
    keys_url: str | None = None
    created_ms: int = 0

    @property
    def origins(self) -> frozenset[str]:
        """The origins of its pages, which a browser may let call us (CORS)."""
        parts = [urlsplit(uri) for uri in self.redirect_uris]
        return frozenset(
            f"{one.scheme}://{one.netloc.lower()}" for one in parts if one.scheme[:4] == "http"
        )

    def row(self) -> authorization.Client:
        """As the database keeps it."""
        return authorization.Client(
            id=self.id,
            name=self.name,
            kind=self.kind.value,
            secret_digest=self.secret_digest,
            keys=self.keys,
            keys_url=self.keys_url,
            redirect_uris=json.dumps(self.redirect_uris),
            launch_url=self.launch_url or None,
            scope=self.scope.text,
            created_ms=self.created_ms,
        )


def of_row(row: authorization.Client) -> Client:
    """Undo `Client.row`."""
    return Client(
        id=row.id,
        name=row.name,
        kind=Kind(row.kind),
        scope=scopes.parse(row.scope),
        redirect_uris=tuple(json.loads(row.redirect_uris)),
        launch_url=row.launch_url or "",
        secret_digest=row.secret_digest,
        keys=row.keys,
        keys_url=row.keys_url,
        created_ms=row.created_ms,
    )


def redirects_to(client: Client, uri: str) -> bool:
    """Whether an app may have people sent to this address."""
    if uri in client.redirect_uris:
        return True
    asked = _split(uri)
    return asked is not None and any(
        _same_but_port(asked, registered)
        for registered in map(_split, client.redirect_uris)
        if registered is not None
    )


def _same_but_port(asked: SplitResult, registered: SplitResult) -> bool:
    """RFC 8252 §7.3: an app on this machine listens on whatever port is free."""
    if registered.scheme != "http" or registered.hostname not in _LOOPBACK:
        return False
    if asked.username is not None or asked.fragment:
        return False
    return (asked.scheme, asked.hostname, asked.path, asked.query) == (
        registered.scheme,
        registered.hostname,
        registered.path,
        registered.query,
    )


def require_registrable(client: Client) -> None:
    """Raise `Invalid` saying what of a registration can't be."""
    if not _ID.fullmatch(client.id) or client.id == OWN_CLIENT:
        raise Invalid("A client id is 1 to 128 of A-Z, a-z, 0-9 and '._~-', and not taken.")
    if not 0 < len(client.name) <= 200 or not client.name.isprintable():
        raise Invalid("An app's name is 1 to 200 printable characters.")
    if client.scope.unknown or not client.scope:
        unknown = ", ".join(client.scope.unknown[:5])
        raise Invalid(f"The scopes are not all known: {unknown}." if unknown else "Name scopes.")
    backend = client.kind is Kind.BACKEND
    if backend != bool({one.context for one in client.scope.resources} & {"system"}):
        raise Invalid("Scopes system/… are a backend service's, and it has no others.")
    if backend and (client.scope.names or len(_contexts(client)) > 1):
        raise Invalid("A backend service has scopes system/… alone.")
    _require_redirects(client)
    _require_proof(client)


def _contexts(client: Client) -> set[str]:
    return {one.context for one in client.scope.resources}


def _require_redirects(client: Client) -> None:
    if (client.kind is Kind.BACKEND) is bool(client.redirect_uris):
        raise Invalid("Apps for people have redirect URIs, backend services have none.")
    if len(client.redirect_uris) > MAX_REDIRECTS:
        raise Invalid(f"An app has at most {MAX_REDIRECTS} redirect URIs.")
    for uri in client.redirect_uris:
        if not _redirectable(uri):
            raise Invalid(
                "A redirect URI is https, or http on this machine, or a scheme of the app's own "
                "with a dot in it; it has no fragment and no user.",
            )
    if client.launch_url and not is_web_url(client.launch_url):
        raise Invalid("A launch URL is https, or http on this machine.")


def _require_proof(client: Client) -> None:
    proofs = (client.secret_digest, client.keys, client.keys_url)
    if client.kind is Kind.PUBLIC and any(proofs):
        raise Invalid("A public app keeps no secret and no key.")
    if client.kind is Kind.CONFIDENTIAL and sum(map(bool, proofs)) != 1:
        raise Invalid("A confidential app has a secret, keys, or a URL of its keys: one of them.")
    if client.kind is Kind.BACKEND and (client.secret_digest or not any(proofs)):
        raise Invalid("A backend service has keys, or a URL of its keys.")
    if client.keys is not None:
        key_set(client.keys)
    if client.keys_url and not is_web_url(client.keys_url):
        raise Invalid("A URL of keys is https, or http on this machine.")


def key_set(text: str) -> KeySet:
    """Read a JSON Web Key Set (RFC 7517) of public keys; `Invalid` where it is none.

    A private key in it is refused: whoever sends us one has published it.
    """
    if len(text) > MAX_KEYS_BYTES:
        raise Invalid("The key set is above 64 KiB.")
    try:
        document = json.loads(text)
        listed = document["keys"]
        usable = [one for one in listed if one.get("kty") in ("EC", "RSA")]
        if len(listed) > MAX_KEYS or any("d" in one or "k" in one for one in listed):
            raise Invalid(f"A key set has at most {MAX_KEYS} keys, all of them public.")
        keys = KeySet.import_key_set({"keys": usable})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, JoseError) as error:
        raise Invalid("This is not a JSON Web Key Set.") from error
    if not usable:
        raise Invalid("The key set has no key that is EC or RSA.")
    return keys


def is_web_url(text: str) -> bool:
    """Whether this is an https URL, or http of this very machine; no user, no fragment."""
    parts = _split(text)
    if parts is None or parts.username is not None or parts.password is not None or parts.fragment:
        return False
    if "#" in text or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _HERE)


def _redirectable(uri: str) -> bool:
    parts = _split(uri)
    if parts is None or "#" in uri:
        return False
    return is_web_url(uri) or bool(_PRIVATE_SCHEME.fullmatch(parts.scheme))


def _split(uri: str) -> SplitResult | None:
    if (
        len(uri) > _MAX_URL
        or not uri.isascii()
        or not uri.isprintable()
        or set(uri) & set(' <>"\\')
    ):
        return None
    try:
        parts = urlsplit(uri)
        _ = parts.port  # raises for what is no port
    except ValueError:
        return None
    return parts


def origins(clients: Sequence[Client]) -> frozenset[str]:
    """The origins of all apps' pages."""
    return frozenset().union(*(one.origins for one in clients))
