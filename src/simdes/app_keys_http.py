"""The keys that apps publish, fetched over HTTP: the adapter of `access.assertions.KeySource`.

An administrator registered the URL: https, or http of this very machine. Redirects are not
followed, an answer is small and quick, and is kept for five minutes; asked for anew it is fetched
again at most twice a minute, so that nobody makes this server knock at another's door.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import httpx

from simdes.access.clients import MAX_KEYS_BYTES, is_web_url
from simdes.errors import Unavailable
from simdes.tls import trusted

KEPT_SECONDS: Final = 300.0
REST_SECONDS: Final = 30.0
ANSWER_SECONDS: Final = 3.0
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}


@dataclass(slots=True)
class _Known:
    """What is known of a URL: its last good answer, and when it was asked and answered last."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    text: str | None = None
    fetched_at: float = float("-inf")
    asked_at: float = float("-inf")

    def told(self) -> str:
        """The last answer; Unavailable where there is none."""
        if self.text is None:
            raise Unavailable("The app's keys could not be fetched a moment ago.")
        return self.text


class HttpKeySource:
    """Fetches and keeps key sets. Safe for several threads."""

    def __init__(
        self, clock: Callable[[], float], *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._client = httpx.Client(
            timeout=ANSWER_SECONDS,
            follow_redirects=False,
            trust_env=False,
            verify=trusted(),
            transport=transport,
        )

    def fetch(self, url: str, *, anew: bool = False) -> str:
        """See `KeySource.fetch`."""
        with self._lock:
            one = self._known.setdefault(url, _Known())
        with one.lock:  # of those who ask for the same URL one goes
            now = self._clock()
            if now - one.fetched_at >= KEPT_SECONDS:
                one.text = None
            if one.text is not None and not anew:
                return one.text
            if now - one.asked_at < REST_SECONDS:
                return one.told()
            one.asked_at = now
            one.text = self._get(url)
            one.fetched_at = now
            return one.text

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _get(self, url: str) -> str:
        if not is_web_url(url):
            raise Unavailable("The app's keys are at an address that is not asked.")
        try:
            with self._client.stream("GET", url, headers=_HEADERS) as answer:
                received, began = bytearray(), time.monotonic()
                for piece in answer.iter_raw():
                    received += piece
                    if len(received) > MAX_KEYS_BYTES:
                        raise Unavailable("The app's key set is above 64 KiB.")
                    if time.monotonic() - began > ANSWER_SECONDS:
                        raise Unavailable("The app's key set comes too slowly.")
            if answer.status_code != 200:
                raise Unavailable("The app's keys can't be fetched.")
            return received.decode()
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeDecodeError) as error:
            raise Unavailable("The app's keys can't be fetched.") from error
