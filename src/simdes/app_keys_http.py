"""The keys that apps publish, fetched over HTTP: the adapter of `access.assertions.KeySource`.

An administrator registered the URL: https, or http of this very machine. Redirects are not
followed, an answer is small and quick, and is kept for five minutes; asked for anew it is fetched
again at most twice a minute, so that nobody makes this server knock at another's door.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import httpx

from simdes.access.clients import MAX_KEYS_BYTES, is_web_url
from simdes.errors import Unavailable

KEPT_SECONDS: Final = 300.0
REST_SECONDS: Final = 30.0
ANSWER_SECONDS: Final = 3.0
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}


class HttpKeySource:
    """Fetches and keeps key sets. Safe for several threads."""

    def __init__(
        self, clock: Callable[[], float], *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, str]] = {}
        self._client = httpx.Client(
            timeout=ANSWER_SECONDS, follow_redirects=False, trust_env=False, transport=transport
        )

    def fetch(self, url: str, *, anew: bool = False) -> str:
        """See `KeySource.fetch`."""
        with self._lock:
            at, text = self._kept.get(url, (float("-inf"), ""))
        if self._clock() - at < (REST_SECONDS if anew else KEPT_SECONDS):
            return text
        fetched = self._get(url)
        with self._lock:
            self._kept[url] = (self._clock(), fetched)
        return fetched

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _get(self, url: str) -> str:
        if not is_web_url(url):
            raise Unavailable("The app's keys are at an address that is not asked.")
        try:
            with self._client.stream("GET", url, headers=_HEADERS) as answer:
                received = bytearray()
                for piece in answer.iter_raw():
                    received += piece
                    if len(received) > MAX_KEYS_BYTES:
                        raise Unavailable("The app's key set is above 64 KiB.")
            if answer.status_code != 200:
                raise Unavailable("The app's keys can't be fetched.")
            return received.decode()
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeDecodeError) as error:
            raise Unavailable("The app's keys can't be fetched.") from error
