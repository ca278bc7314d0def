"""Another FHIR server over HTTP: the adapter of `exchange.facade.Source`.

https://hl7.org/fhir/R4/http.html. HTTPS with the certificate verified, or loopback; redirects are
not followed; links are followed below the server's own base alone, so that a server can't send us
to another address of our network (https://cwe.mitre.org/data/definitions/918.html); answers are
read up to a limit.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import unquote, urljoin, urlsplit

import httpx

from simdes import errors
from simdes.exchange.facade import Answer
from simdes.fhir.json import dumps, loads
from simdes.tls import trusted

MEDIA_TYPE: Final = "application/fhir+json"
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 60.0
MOST_BYTES: Final = 64 * 1024 * 1024

_ADVICE: Final = "Check facade_url, and that the FHIR server runs; it is asked again by itself."
_OF_STATUS: Final[Mapping[int, tuple[type[errors.SimdesError], str]]] = {
    400: (errors.Invalid, "The FHIR server does not take the request"),
    401: (errors.Unauthenticated, "The FHIR server does not accept the credentials"),
    403: (errors.Forbidden, "The FHIR server does not let us read this"),
    404: (errors.NotFound, "The FHIR server has no such thing"),
    405: (errors.Invalid, "The FHIR server does not know this request"),
    410: (errors.NotFound, "The FHIR server deleted it"),
    412: (errors.Invalid, "The FHIR server does not take the request"),
    422: (errors.Invalid, "The FHIR server does not take the request"),
}


class Credentials(Protocol):
    """What is shown to the server with each request."""

    def authorization(self, *, renew: bool = False) -> str:
        """The Authorization header, "" for none; ``renew``: the last one was refused."""


class NoCredentials:
    """For a server that asks for none."""

    def authorization(self, *, renew: bool = False) -> str:
        """Nothing."""
        del renew
        return ""


class HttpSource:
    """A FHIR server at ``base``."""

    def __init__(
        self,
        base: str,
        *,
        credentials: Credentials | None = None,
        authority: Path | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """``authority`` is a PEM file of the authorities that vouch for it, None the system's.

        Raises Invalid for an address that is neither HTTPS nor loopback, or for a wrong PEM file.
        """
        self._base = checked(base)
        self._credentials = credentials or NoCredentials()
        self._client = client(authority, transport)

    @property
    def base(self) -> str:
        """Its address, without a slash at the end."""
        return self._base

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """See `Source.get`."""
        url = self._below(path)
        response, body = self._ask("GET", url, params=dict(query) if query else None)
        return Answer(_read(body), _date(response))

    def create(self, resource: Mapping[str, Any]) -> None:
        """See `Source.create`."""
        url = self._below(str(resource["resourceType"]))
        self._ask("POST", url, content=dumps(dict(resource)))

    def close(self) -> None:
        """See `Source.close`."""
        self._client.close()

    def _below(self, path: str) -> str:
        """The whole URL of a path or link. Raises Invalid where it leads elsewhere."""
        try:
            url = urljoin(f"{self._base}/", path)
            there, here = urlsplit(url), urlsplit(self._base)
        except ValueError:
            raise errors.Unavailable("The FHIR server's link is no URL", advice=_ADVICE) from None
        same = (there.scheme, there.hostname, _port(there)) == (
            here.scheme,
            here.hostname,
            _port(here),
        )
        inside = there.path == here.path or there.path.startswith(f"{here.path}/")
        if not same or not inside or there.username is not None or _climbs(there.path):
            raise errors.Unavailable(
                "The FHIR server's link leads to another address than its own",
                advice="Let it write links with the address in facade_url (behind a proxy, its "
                "own base URL has to be set); what was read so far is kept.",
            )
        return url

    def _ask(self, method: str, url: str, **request: Any) -> tuple[httpx.Response, bytes]:
        response, body = self._send(method, url, renew=False, **request)
        if response.status_code == 401:  # a token may have ended before its time
            response, body = self._send(method, url, renew=True, **request)
        if response.is_success:
            return response, body
        raise _refusal(response)

    def _send(
        self, method: str, url: str, *, renew: bool, **request: Any
    ) -> tuple[httpx.Response, bytes]:
        headers = {"Accept": MEDIA_TYPE}
        if authorization := self._credentials.authorization(renew=renew):
            headers["Authorization"] = authorization
        if "content" in request:
            headers["Content-Type"] = MEDIA_TYPE
        return exchange(self._client, method, url, headers=headers, **request)


def client(authority: Path | None, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """An HTTP client that trusts these authorities and follows no redirect. Raises Invalid."""
    try:
        verify = trusted() if authority is None else ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        raise errors.Invalid(f"{authority} holds no certificates (PEM).") from error
    return httpx.Client(
        timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=False,
        trust_env=False,
        verify=verify,
        transport=transport,
    )


def exchange(
    http: httpx.Client, method: str, url: str, **request: Any
) -> tuple[httpx.Response, bytes]:
    """Send a request and read the answer up to `MOST_BYTES`. Raises Unavailable, TooLarge."""
    body = bytearray()
    try:
        with http.stream(method, url, **request) as response:
            for piece in response.iter_bytes():
                body += piece
                if len(body) > MOST_BYTES:
                    raise errors.TooLarge(
                        f"The FHIR server's answer is above {MOST_BYTES:,} bytes",
                        advice="Set facade_page_size lower.",
                    )
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
        kind = type(error).__name__
        raise errors.Unavailable(
            f"The FHIR server does not answer ({kind})", advice=_ADVICE
        ) from None
    return response, bytes(body)


def checked(url: str) -> str:
    """An address of a server without the slash at its end.

    Raises Invalid unless it is https, or http to this machine, and nothing but an address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise errors.Invalid("The address of the FHIR server is no URL.") from None
    secure = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))
    plain = parts.username is None and not parts.query and not parts.fragment and port != 0
    if not secure or not parts.hostname or not plain or not url.isascii() or " " in url:
        raise errors.Invalid(
            "A FHIR server's address is https://…, or http:// on this machine, without user, "
            "query or fragment.",
            advice="Credentials belong into facade_credentials_file.",
        )
    return url.rstrip("/")


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _climbs(path: str) -> bool:
    """Whether a path has a step upwards, in whatever spelling."""
    return ".." in unquote(unquote(path)).replace("\\", "/").split("/")


def _port(parts: Any) -> int | None:
    try:
        found: int | None = parts.port
    except ValueError:
        return -1
    return found or {"https": 443, "http": 80}.get(parts.scheme)


def _read(body: bytes) -> Any:
    try:
        return loads(body, max_bytes=MOST_BYTES)
    except errors.SimdesError:
        raise errors.Unavailable(
            "The FHIR server's answer is no JSON, or broke off", advice=_ADVICE
        ) from None


def _refusal(response: httpx.Response) -> errors.SimdesError:
    """The error of a status; whatever the server says about it might name a patient."""
    status = response.status_code
    if response.is_redirect:
        return errors.Unavailable(
            "The FHIR server sends us to another address",
            advice="Set facade_url to where it sends; redirects are not followed.",
        )
    kind, text = _OF_STATUS.get(status, (errors.Unavailable, "The FHIR server fails"))
    return kind(f"{text} (HTTP {status})", advice=_ADVICE)


def _date(response: httpx.Response) -> int | None:
    try:
        return int(parsedate_to_datetime(response.headers["date"]).timestamp() * 1000)
    except (KeyError, ValueError, TypeError):
        return None
