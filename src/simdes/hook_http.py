"""Notifications over HTTP: the adapter of `exchange.subscriptions.hooks.Hooks`.

Subscribers name the address, so it must not become a way into our network (`outward_http`): it is
https to a public address, or a host that the operator listed (``subscription_hosts``). Redirects
are not followed, nothing of the answer but its status is used, and a receiver has a time for all of
it, however slowly it sends.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

import httpcore

from simdes.errors import Invalid, Unavailable
from simdes.outward_http import (
    FAILED,
    Address,
    Deadline,
    JudgedBackend,
    is_public,
    literal,
    plain_url,
    port_of,
)
from simdes.tls import trusted

CONNECT_SECONDS: Final = 5.0
KEPT_SECONDS: Final = 15.0
MOST_CONNECTIONS: Final = 32

_ADVICE: Final = "Use https to a public address; an operator lists others in subscription_hosts."


class HttpHooks:
    """Posts notifications. Safe for several threads."""

    def __init__(self, hosts: str = "", *, authority: ssl.SSLContext | None = None) -> None:
        """``hosts`` lists hosts, with a port or without, that may be of our own network.

        ``authority`` says which certificates are trusted, None: those that the system trusts.
        """
        self._listed = frozenset(one.lower() for one in hosts.replace(",", " ").split())
        self._deadline = Deadline()
        self._pool = httpcore.ConnectionPool(
            ssl_context=authority or trusted(),
            max_connections=MOST_CONNECTIONS,
            max_keepalive_connections=MOST_CONNECTIONS,
            keepalive_expiry=KEPT_SECONDS,
            network_backend=JudgedBackend(self._is_allowed, self._deadline),
        )

    def check(self, url: str) -> None:
        """See `Hooks.check`."""
        parts = plain_url(url)
        if parts is None:
            raise Invalid("The subscription's endpoint is no plain URL.", advice=_ADVICE)
        host = parts.hostname or ""
        listed = self._is_listed(host, port_of(parts))
        if parts.scheme != "https" and not (parts.scheme == "http" and listed):
            raise Invalid("The subscription's endpoint is not https.", advice=_ADVICE)
        address = literal(host)
        if address is not None and not listed and not is_public(address):
            raise Invalid("The subscription's endpoint is no public address.", advice=_ADVICE)

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_seconds: float
    ) -> None:
        """See `Hooks.post`."""
        self.check(url)
        self._deadline.seconds = time.monotonic() + timeout_seconds
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
        except FAILED as error:
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

    def _is_allowed(self, host: str, port: int, address: Address) -> bool:
        return self._is_listed(host, port) or is_public(address)

    def _is_listed(self, host: str, port: int) -> bool:
        host = host.lower()
        named = f"[{host}]" if ":" in host else host
        return bool({host, named, f"{named}:{port}"} & self._listed)
