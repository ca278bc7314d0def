"""Connections to addresses that somebody else named, which must not become a way into our network.

https://cwe.mitre.org/data/definitions/918.html. A name is resolved for every new connection, every
address it has is judged, and the connection goes to the very address that was judged, with the
certificate checked for the name. Everything on a connection has to be over by one moment, however
slowly the other side sends. `hook_http` posts through it, `import_http` reads.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import httpcore

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Judge = Callable[[str, int, Address], bool]
"""Whether a host and port may be reached at this address, which is one of the host's."""

FAILED: Final = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    OSError,
)
"""What a connection that does not come about, or breaks, raises."""


class Deadline(threading.local):
    """The moment (monotonic seconds) by which what this thread does has to be over."""

    seconds = 0.0

    def left(self) -> float:
        """Seconds until then; 0 or less when it is over."""
        return self.seconds - time.monotonic()


class JudgedBackend(httpcore.SyncBackend):
    """Connects to addresses that were judged, and to no others."""

    def __init__(self, judge: Judge, deadline: Deadline) -> None:
        self._judge = judge
        self._deadline = deadline

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
        judged = [literal(one.partition("%")[0]) for one in addresses]
        if not judged or any(one is None or not self._judge(host, port, one) for one in judged):
            raise httpcore.ConnectError("the name leads to an address that is not connected to")
        stream = super().connect_tcp(addresses[0], port, timeout, local_address, socket_options)
        return _Stream(stream, self._deadline)


class _Stream(httpcore.NetworkStream):
    """A connection on which everything of a request has to be over by one moment."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read some bytes."""
        return self._inner.read(max_bytes, self._within(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write bytes."""
        self._inner.write(buffer, self._within(timeout, httpcore.WriteTimeout))

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
        left = max(self._deadline.left(), 0.001)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """What is known of the connection."""
        return self._inner.get_extra_info(info)

    def _within(self, timeout: float | None, late: type[httpcore.TimeoutException]) -> float:
        left = self._deadline.left()
        if left <= 0:
            raise late("the other side takes too long")
        return left if timeout is None else min(left, timeout)


def plain_url(url: str) -> SplitResult | None:
    """The parts of a URL with a host and without user, password and fragment; None for others."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    plain = parts.username is None and parts.password is None and not parts.fragment
    return parts if host and plain and port != 0 and _is_visible(url) else None


def port_of(parts: SplitResult) -> int:
    """The port that a URL leads to."""
    return parts.port or (443 if parts.scheme == "https" else 80)


def literal(host: str) -> Address | None:
    """The address that a host is, None where it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet's, in whatever form it stands."""
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        if inside is not None:
            return is_public(inside)
        if address.teredo is not None or address in _NAT64:
            return False
    return address.is_global and not address.is_multicast


_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


def _is_visible(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url and "\\" not in url
