"""Files of bulk imports over HTTP: the adapter of `exchange.bulk.files.Files`.

Whoever may import names the address, so it must not become a way into our network (`outward_http`):
its host is one that the operator listed (``import_hosts``), and leads to public addresses unless
these are listed themselves. It is https, or http of this very machine. Redirects are not followed.
What comes is unpacked piece by piece (gzip, RFC 1952) and bounded in size and time.
"""

from __future__ import annotations

import base64
import ipaddress
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final, Protocol
from urllib.parse import urlsplit

import httpcore

from simdes.errors import Invalid, NotFound, TooLarge, Unavailable, Unsupported
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
PIECE_SECONDS: Final = 10.0
"""How long a source may be silent."""
KICK_OFF: Final = {"Accept": "application/fhir+json", "Prefer": "respond-async"}
LEAST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 120.0
PIECE_BYTES: Final = 64 * 1024
"""What is unpacked at a time, however well it was packed."""
MAGIC: Final = b"\x1f\x8b"

_ADVICE: Final = "Use https; an operator lists hosts for imports in import_hosts."
_ENCODINGS: Final = frozenset(("", "identity", "gzip", "x-gzip"))
_TRANSIENT: Final = frozenset((408, 425, 429))
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Credentials(Protocol):
    """Who we are to a host."""

    def authorization(self) -> str:
        """The header that says it. Raises Unauthenticated, Unavailable."""


class HttpFiles:
    """Reads files. For one thread at a time each, safe for several."""

    def __init__(
        self,
        hosts: str = "",
        *,
        credentials: Mapping[str, Credentials] | None = None,
        authority: ssl.SSLContext | None = None,
    ) -> None:
        """``hosts`` lists hosts, with a port or without, and addresses or networks
        (``10.1.0.0/16``) of our own where listed hosts may be.

        ``credentials`` are ours at a host, shown to no other. ``authority`` says which certificates
        are trusted, None: those that the system trusts.
        """
        listed = [one.lower() for one in hosts.replace(",", " ").split()]
        self._hosts = frozenset(listed)
        self._networks = tuple(found for one in listed if (found := _network(one)) is not None)
        self._credentials = dict(credentials or {})
        self._deadline = Deadline()
        self._pool = httpcore.ConnectionPool(
            ssl_context=authority or trusted(),
            max_keepalive_connections=0,
            network_backend=JudgedBackend(self._is_allowed, self._deadline),
        )

    def check(self, url: str) -> None:
        """See `Files.check`."""
        parts = plain_url(url)
        if parts is None:
            raise Invalid("The address of an input is no plain URL.", advice=_ADVICE)
        host, port = parts.hostname or "", port_of(parts)
        address = literal(host)
        here = host.lower() == "localhost" or (address is not None and address.is_loopback)
        if parts.scheme != "https" and not (parts.scheme == "http" and here):
            raise Invalid("The address of an input is not https.", advice=_ADVICE)
        if not self._is_listed(host, port):
            raise Invalid("The host of an input is not one to import from.", advice=_ADVICE)

    def read(
        self, url: str, *, credential: str = "", most_bytes: int, seconds: float
    ) -> Iterator[bytes]:
        """See `Files.read`."""
        self.check(url)
        self._deadline.seconds = time.monotonic() + seconds
        timeout = {"connect": CONNECT_SECONDS, "read": PIECE_SECONDS, "write": PIECE_SECONDS}
        accepted = "application/fhir+ndjson, application/ndjson, */*;q=0.5"
        headers = self._headers(url, credential, {"Accept": accepted, "Accept-Encoding": "gzip"})
        try:
            with self._pool.stream(
                "GET", url, headers=headers, extensions={"timeout": timeout}
            ) as answer:
                _require_taken(answer)
                yield from _bounded(_unpacked(answer.iter_stream()), most_bytes)
        except FAILED as error:
            if self._deadline.left() <= 0:
                raise TooLarge("The input takes too long to fetch.") from None
            kind = type(error).__name__
            raise Unavailable(f"The input's server does not answer ({kind}).") from None

    def begin(self, url: str, *, credential: str = "", seconds: float) -> str:
        """See `Files.begin`."""
        status, headers, _ = self._asked("GET", url, credential, seconds, KICK_OFF)
        place = headers.get("content-location", "")
        if status != 202 or not place:
            raise NotFound(f"No export was begun: HTTP {status}.", advice=_KICK_OFF)
        return place

    def state(
        self, url: str, *, credential: str = "", most_bytes: int, seconds: float
    ) -> bytes | float:
        """See `Files.state`."""
        status, headers, content = self._asked(
            "GET", url, credential, seconds, {"Accept": "application/json"}, most_bytes=most_bytes
        )
        if status == 202:
            return _pause(headers.get("retry-after", ""))
        if status != 200:
            raise NotFound(f"The export ended without files: HTTP {status}.")
        return content

    def end(self, url: str, *, credential: str = "", seconds: float) -> None:
        """See `Files.end`."""
        self._asked("DELETE", url, credential, seconds, {})

    def _asked(
        self,
        method: str,
        url: str,
        credential: str,
        seconds: float,
        headers: Mapping[str, str],
        *,
        most_bytes: int = 1 << 16,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of a request to a server that begins exports."""
        self.check(url)
        self._deadline.seconds = time.monotonic() + seconds
        timeout = {"connect": CONNECT_SECONDS, "read": PIECE_SECONDS, "write": PIECE_SECONDS}
        sent = self._headers(url, credential, headers)
        try:
            with self._pool.stream(
                method, url, headers=sent, extensions={"timeout": timeout}
            ) as answer:
                if answer.status >= 500 or answer.status in _TRANSIENT:
                    raise Unavailable(f"The export's server answered with HTTP {answer.status}.")
                content = b"".join(_bounded(answer.iter_stream(), most_bytes))
                named = {
                    name.decode("latin-1").lower(): value.decode("latin-1")
                    for name, value in answer.headers
                }
                return answer.status, named, content
        except FAILED as error:
            kind = type(error).__name__
            raise Unavailable(f"The export's server does not answer ({kind}).") from None

    def _headers(
        self, url: str, credential: str, headers: Mapping[str, str]
    ) -> list[tuple[bytes, bytes]]:
        """What is sent: who we are to that host, by what came with the request or by its own."""
        made = {"Host": urlsplit(url).netloc, "User-Agent": "simdes", **headers}
        host = (urlsplit(url).hostname or "").lower()
        if credential:
            made["Authorization"] = "Basic " + base64.b64encode(credential.encode()).decode()
        elif host in self._credentials:
            made["Authorization"] = self._credentials[host].authorization()
        return [(name.encode(), value.encode()) for name, value in made.items() if value]

    def close(self) -> None:
        """Close connections."""
        self._pool.close()

    def _is_allowed(self, host: str, port: int, address: Address) -> bool:
        if not self._is_listed(host, port):
            return False
        here = host.lower() == "localhost" and address.is_loopback
        return is_public(address) or literal(host) == address or here or self._is_ours(address)

    def _is_listed(self, host: str, port: int) -> bool:
        host = host.lower()
        named = f"[{host}]" if ":" in host else host
        if {host, named, f"{named}:{port}"} & self._hosts:
            return True
        address = literal(host)
        return address is not None and self._is_ours(address)

    def _is_ours(self, address: Address) -> bool:
        return any(address in one for one in self._networks)


def _network(text: str) -> Network | None:
    with suppress(ValueError):
        return ipaddress.ip_network(text.strip("[]"))
    return None


def _require_taken(answer: httpcore.Response) -> None:
    status = answer.status
    if status >= 500 or status in _TRANSIENT:
        raise Unavailable(f"The input's server answered with HTTP {status}.")
    if status != 200:
        raise NotFound(f"The input could not be fetched: HTTP {status}.", advice=_ELSEWHERE)
    encodings = [value for name, value in answer.headers if name.lower() == b"content-encoding"]
    if any(one.decode("latin-1").strip().lower() not in _ENCODINGS for one in encodings):
        raise Unsupported("The input comes in an encoding other than gzip.", advice=_ELSEWHERE)


_ELSEWHERE: Final = "Give an address from which the file comes as it is, without a redirect."


_KICK_OFF: Final = "Give the kick-off address of a bulk export that this server may begin."


def _pause(text: str) -> float:
    """How long to wait by Retry-After; a date is waited for in pauses."""
    seconds = float(text) if text.isdecimal() else LEAST_PAUSE_SECONDS * 10
    return min(max(seconds, LEAST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)


def _bounded(pieces: Iterator[bytes], most: int) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            raise TooLarge("The inputs are larger than one import may be.", advice=_PARTS)
        yield piece


_PARTS: Final = "Import them in several jobs."


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces as they are, or what they hold where they begin as gzip does."""
    begun = b""
    for piece in pieces:
        begun += piece
        if len(begun) >= len(MAGIC):
            break
    if not begun.startswith(MAGIC):
        yield begun
        yield from pieces
        return
    unpacking = zlib.decompressobj(wbits=31)
    try:
        for packed in _chained(begun, pieces):
            left = packed
            while left:
                if unpacking.eof:  # several members one after the other are one file
                    unpacking = zlib.decompressobj(wbits=31)
                yield unpacking.decompress(left, PIECE_BYTES)
                left = unpacking.unused_data if unpacking.eof else unpacking.unconsumed_tail
    except zlib.error as error:
        raise Invalid("The input is no whole gzip file.") from error
    yield from _rest(unpacking)


def _rest(unpacking: zlib._Decompress) -> Iterator[bytes]:
    while not unpacking.eof:
        piece = unpacking.decompress(b"", PIECE_BYTES)
        if not piece:
            raise Invalid("The input is no whole gzip file.")
        yield piece


def _chained(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from others
