"""The port through which notifications leave: an adapter posts them, `app` chooses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Hooks(Protocol):
    """Posts to addresses that subscribers named. Safe for several threads."""

    def check(self, url: str) -> None:
        """Raise Invalid for an address that notifications may never go to."""

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_seconds: float
    ) -> None:
        """Post once; returns when the receiver answered with a 2xx status.

        Raises Invalid as `check`, Unavailable for everything else, without what was answered.
        """


class NoHooks:
    """For programs that send nothing."""

    def check(self, url: str) -> None:
        """Take every address."""

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_seconds: float
    ) -> None:
        """Send nothing."""
