"""Notifications over HTTP: the adapter of `exchange.subscriptions.hooks.Hooks`.

Subscribers name the address, so it must not become a way into our network
(https://cwe.mitre.org/data/definitions/918.html): it is https to a public address, or a host that
the operator listed (``subscription_hosts``). A name is resolved for every new connection, every
address it has must be allowed, and the connection goes to the very address that was looked at, with
the certificate checked for the name. Redirects are not followed, nothing of the answer but its
status is used, and a receiver has a time for all of it, however slowly it sends.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore

from simdes.errors import Invalid, Unavailable

CONNECT_SECONDS: Final = 5.0
KEPT_SECONDS: Final = 15.0
MOST_CONNECTIONS: Final = 32

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_ADVICE: Final = "Use https to a public address; an operator lists others in subscription_hosts."


class HttpHooks:
    """Posts notifications. Safe for several threads."""

    def __init__(self, hosts: str = "", *, authority: ssl.SSLContext | None = None) -> None:
        """``hosts`` lists hosts, with a port or without, that may be of our own network.

        ``authority`` says which certificates are trusted, None: those that the system trusts.
        """
        self._listed = frozenset(one.lower() for one in hosts.replace(",", " ").split())
        self._until = threading.local()
        self._pool = httpcore.ConnectionPool(
            ssl_context=authority or ssl.create_default_context(),
            max_connections=MOST_CONNECTIONS,
            max_keepalive_connections=MOST_CONNECTIONS,
            keepalive_expiry=KEPT_SECONDS,
            network_backend=_Backend(self._is_listed, self._until),
        )

    def check(self, url: str) -> None:
        """See `Hooks.check`."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise Invalid("The subscription's endpoint is no URL.") from None
        plain = parts.username is None and parts.password is None and not parts.fragment
        if not host or not plain or port == 0 or not _is_visible(url):
            raise Invalid("The subscription's endpoint is no plain URL.", advice=_ADVICE)
        default = 443 if parts.scheme == "https" else 80
        listed = self._is_listed(host, port or default)
        if parts.scheme != "https" and not (parts.scheme == "http" and listed):
            raise Invalid("The subscription's endpoint is not https.", advice=_ADVICE)
        literal = _literal(host)
        if literal is not None and not listed and not _is_public(literal):
            raise Invalid("The subscription's endpoint is no public address.", advice=_ADVICE)

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_seconds: float
    ) -> None:
        """See `Hooks.post`."""
        self.check(url)
        self._until.seconds = time.monotonic() + timeout_seconds
        timeout = {
            "connect": min(CONNECT_SECONDS, timeout_seconds),
            "read": timeout_seconds,
            "write": timeout_seconds,
            "pool": timeout_seconds,
        }
        sent = [
            (b"Host", urlsplit(url).netloc.encode()),
            (b"User-Agent", b"simdes"),
            (b"Accept", b"*/*"),
            (b"Content-Length", str(len(body)).encode()),
            *((name.encode(), value.encode()) for name, value in headers.items()),
        ]
        try:
            with self._pool.stream(
                "POST", url, headers=sent, content=body, extensions={"timeout": timeout}
            ) as answer:
                status = answer.status
                self._drop_rest(answer.iter_stream())
        except (*_FAILED, OSError) as error:
            kind = type(error).__name__
            raise Unavailable(f"The subscriber's endpoint does not answer ({kind}).") from None
        if not 200 <= status < 300:
            raise Unavailable(f"The subscriber's endpoint answered with HTTP {status}.")

    def close(self) -> None:
        """Close connections."""
        self._pool.close()

    def _drop_rest(self, pieces: Iterable[bytes]) -> None:
        """Read a small answer, so that the connection can be used again; leave a large one."""
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > 64 * 1024:
                return

    def _is_listed(self, host: str, port: int) -> bool:
        host = host.lower()
        named = f"[{host}]" if ":" in host else host
        return bool({host, named, f"{named}:{port}"} & self._listed)


_FAILED: Final = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)


class _Backend(httpcore.SyncBackend):
    """Connects to addresses that were looked at, and to no others."""

    def __init__(self, is_listed: Any, until: threading.local) -> None:
        self._is_listed = is_listed
        self._until = until

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolve, judge every address, and connect to one of them."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name leads nowhere") from error
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        if not self._is_listed(host, port):
            judged = [_literal(one.partition("%")[0]) for one in addresses]
            if not judged or any(one is None or not _is_public(one) for one in judged):
                raise httpcore.ConnectError("the name leads to no public address")
        stream = super().connect_tcp(addresses[0], port, timeout, local_address, socket_options)
        return _Stream(stream, self._until)


class _Stream(httpcore.NetworkStream):
    """A connection on which everything of a request has to be over by one moment."""

    def __init__(self, inner: httpcore.NetworkStream, until: threading.local) -> None:
        self._inner = inner
        self._until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read some bytes."""
        left = self._left()
        if left <= 0:
            raise httpcore.ReadTimeout("the receiver takes too long")
        return self._inner.read(max_bytes, left)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write bytes."""
        left = self._left()
        if left <= 0:
            raise httpcore.WriteTimeout("the receiver takes too long")
        self._inner.write(buffer, left)

    def close(self) -> None:
        """Close."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Begin TLS; the name is the one in the URL."""
        left = max(self._left(), 0.001)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._until)

    def get_extra_info(self, info: str) -> Any:
        """What is known of the connection."""
        return self._inner.get_extra_info(info)

    def _left(self) -> float:
        return float(getattr(self._until, "seconds", 0.0)) - time.monotonic()


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_public(address: Address) -> bool:
    """Whether an address is one of the internet's, in whatever form it stands."""
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        if inside is not None:
            return _is_public(inside)
        if address.teredo is not None or address in _NAT64:
            return False
    return address.is_global and not address.is_multicast


_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


def _is_visible(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url and "\\" not in url
