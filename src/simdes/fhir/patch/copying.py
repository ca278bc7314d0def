"""Copies of JSON within a budget: a few operations that copy what they copied would fill memory."""

from __future__ import annotations

from typing import Any

from simdes.errors import TooLarge
from simdes.fhir.json import MAX_DEPTH

MAX_COPIED_BYTES = 16 * 1024 * 1024
"""What a patch may add, about, in memory."""
_VALUE_BYTES = 64


class Copier:
    """Copies objects and arrays, counting; their strings and numbers can't change."""

    def __init__(self, *, most_bytes: int | None = MAX_COPIED_BYTES) -> None:
        self._left = most_bytes

    def copied(self, value: Any, depth: int = 0) -> Any:
        """Return a copy. Raises TooLarge when all copies together pass the limit, or 100 levels."""
        if depth > MAX_DEPTH:
            raise TooLarge(f"nested deeper than {MAX_DEPTH} levels")
        if self._left is not None:
            self._left -= _VALUE_BYTES + (len(value) if type(value) is str else 0)
            if self._left < 0:
                raise TooLarge("the patch makes the resource too large")
        if type(value) is dict:
            return {key: self.copied(item, depth + 1) for key, item in value.items()}
        if type(value) is list:
            return [self.copied(item, depth + 1) for item in value]
        return value


def copied(value: Any) -> Any:
    """Return a copy of what is there already, however large. Raises TooLarge beyond 100 levels."""
    return Copier(most_bytes=None).copied(value)
