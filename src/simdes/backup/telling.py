"""How far a backup or a restore has come, told to whoever watches."""

from __future__ import annotations

from typing import Protocol


class Watching(Protocol):
    """Told of steps: each begins with how much there is to do, then some of it is done."""

    def begin(self, what: str, total: int) -> None:
        """A step begins."""

    def advance(self, some: int) -> None:
        """Some of the step is done."""


class Nobody:
    """Nobody watches."""

    def begin(self, what: str, total: int) -> None:
        """See `Watching`."""

    def advance(self, some: int) -> None:
        """See `Watching`."""
