"""What we show to a FHIR server: a password, a token, or SMART Backend Services.

https://hl7.org/fhir/smart-app-launch/backend-services.html: a JWT signed with our key
(``private_key_jwt``, RFC 7523) buys an access token, which is used until shortly before its end.
The secrets stand in a TOML file that its owner alone can read, or in the environment
(``SIMDES_FACADE_CREDENTIALS``)::

    [basic]                      [bearer]              [smart]
    user = "simdes"              token = "…"           client_id = "simdes"
    password = "…"                                     token_url = "https://…/token"
                                                       key_file = "facade.pem"
                                                       scope = "system/*.rs"
"""

from __future__ import annotations

import base64
import os
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, RSAKey

from simdes.errors import Invalid, Unauthenticated, Unavailable
from simdes.fhir.json import loads
from simdes.fhir_http import Credentials, NoCredentials, checked, client, exchange

VARIABLE: Final = "SIMDES_FACADE_CREDENTIALS"

ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME_SECONDS: Final = 240
"""Of an assertion; five minutes at most, says the specification."""

_EARLY_SECONDS: Final = 30
_UNSAID_SECONDS: Final = 300
_ALGORITHMS: Final = {"EC": "ES384", "RSA": "RS384"}

Clock = Callable[[], float]
Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Fixed:
    """A header that never changes."""

    header: str = field(repr=False)

    def authorization(self, *, renew: bool = False) -> str:
        """The header; renewing changes nothing."""
        del renew
        return self.header


class BackendServices:
    """Access tokens bought with signed assertions. For one thread."""

    def __init__(
        self,
        *,
        client_id: str,
        token_url: str,
        key: Key,
        scope: str,
        http: httpx.Client,
        clock: Clock,
        random: Random,
    ) -> None:
        self._client_id, self._scope = client_id, scope
        self._token_url = checked(token_url)
        self._key = key
        self._http, self._clock, self._random = http, clock, random
        self._token, self._until = "", 0.0

    def authorization(self, *, renew: bool = False) -> str:
        """A token that is good for a while; raises Unauthenticated where none is given."""
        if renew or not self._token or self._clock() >= self._until:
            self._buy()
        return f"Bearer {self._token}"

    def _buy(self) -> None:
        answer, body = exchange(
            self._http,
            "POST",
            self._token_url,
            data={
                "grant_type": "client_credentials",
                "scope": self._scope,
                "client_assertion_type": ASSERTION,
                "client_assertion": self._assertion(),
            },
            headers={"Accept": "application/json"},
        )
        if answer.status_code >= 500 or answer.status_code == 429:
            raise Unavailable("The FHIR server's token endpoint fails")
        found: Any = loads(body) if answer.is_success else {}
        token = found.get("access_token") if isinstance(found, dict) else None
        if not isinstance(token, str) or not token or not token.isascii():
            raise Unauthenticated(
                f"The FHIR server's token endpoint gives no token (HTTP {answer.status_code})",
                advice="Check client_id, key and scope with whoever runs the FHIR server.",
            )
        seconds = found.get("expires_in")
        lasting = seconds if isinstance(seconds, int) and seconds > 0 else _UNSAID_SECONDS
        self._token = token
        self._until = self._clock() + max(lasting - _EARLY_SECONDS, lasting / 2)

    def _assertion(self) -> str:
        algorithm = _ALGORITHMS[self._key.key_type]
        header: dict[str, Any] = {"alg": algorithm, "typ": "JWT"}
        if self._key.kid:
            header["kid"] = self._key.kid
        now = int(self._clock())
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": self._token_url,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "jti": self._random(32).hex(),
        }
        return jwt.encode(header, claims, self._key, algorithms=[algorithm])


def read_credentials(
    path: Path | None,
    *,
    authority: Path | None = None,
    clock: Clock = time.time,
    random: Random = os.urandom,
    environment: Mapping[str, str] = os.environ,
) -> Credentials:
    """The credentials of the environment or of a file; none where neither is there.

    Raises Unauthenticated for a file that others can read, Invalid for one that says nothing.
    """
    text = environment.get(VARIABLE) or ("" if path is None else _secret(path))
    if not text:
        return NoCredentials()
    folder = Path() if path is None else path.parent
    try:
        [(kind, values)] = tomllib.loads(text).items()
        return _KINDS[kind](values, folder, authority, clock, random)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Invalid(
            "The FHIR server's credentials can't be read.",
            advice="They are TOML with one table: basic, bearer or smart (docs/guide.md).",
        ) from None


def read_hosts(
    path: Path | None, *, clock: Clock = time.time, random: Random = os.urandom
) -> dict[str, Credentials]:
    """Our credentials at several hosts: a file with tables ``["host".basic]`` and the like.

    Raises as `read_credentials`.
    """
    if path is None:
        return {}
    try:
        return {
            host.lower(): _KINDS[kind](values, path.parent, None, clock, random)
            for host, tables in tomllib.loads(_secret(path)).items()
            for kind, values in [*tables.items()][:1]
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Invalid(
            "The credentials for imports can't be read.",
            advice='They are TOML, for each host a table such as ["host".smart] (docs/guide.md).',
        ) from None


def _secret(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise Unauthenticated(
                f"{path} can be read by others.", advice=f"Run `chmod 600 {path}` and try again."
            )
        return path.read_text(encoding="utf-8")
    except OSError:
        raise Unauthenticated(f"{path} can't be read.") from None


Values = Mapping[str, Any]


def _basic(values: Values, *_: object) -> Credentials:
    pair = f"{_text(values, 'user')}:{_text(values, 'password')}".encode()
    return Fixed(f"Basic {base64.b64encode(pair).decode()}")


def _bearer(values: Values, *_: object) -> Credentials:
    token = _text(values, "token")
    if not token.isascii() or not token.isprintable():
        raise ValueError("no token")
    return Fixed(f"Bearer {token}")


def _smart(
    values: Values, folder: Path, authority: Path | None, clock: Clock, random: Random
) -> Credentials:
    return BackendServices(
        client_id=_text(values, "client_id"),
        token_url=_text(values, "token_url"),
        key=_key(_secret(folder / _text(values, "key_file")), str(values.get("kid", ""))),
        scope=str(values.get("scope", "system/*.rs")),
        http=client(authority),
        clock=clock,
        random=random,
    )


def _key(text: str, kid: str) -> Key:
    """A private key from PEM or JWK."""
    parameters: Any = {"kid": kid} if kid else {}
    for kind in (ECKey, RSAKey):
        try:
            found: Any = loads(text.encode()) if text.lstrip().startswith("{") else text
            key = kind.import_key(found, parameters or None)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if key.is_private and (kind is RSAKey or key.as_dict()["crv"] == "P-384"):
            return key
    raise Invalid(
        "The key of the FHIR server's credentials is no private key for ES384 or RS384.",
        advice="Make one with `openssl ecparam -name secp384r1 -genkey -noout`.",
    )


def _text(values: Values, name: str) -> str:
    found = values[name]
    if not isinstance(found, str) or not found:
        raise ValueError(name)
    return found


_KINDS: Final[Mapping[str, Callable[..., Credentials]]] = {
    "basic": _basic,
    "bearer": _bearer,
    "smart": _smart,
}
