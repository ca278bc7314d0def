"""Bytes that look drawn and come out the same in every run."""

from __future__ import annotations

from collections.abc import Callable


def counted(seed: int = 0) -> Callable[[int], bytes]:
    """A source of bytes that differ from call to call and from seed to seed."""
    count = iter(range(seed * 1_000_000, (seed + 1) * 1_000_000))
    return lambda length: (next(count) + 7).to_bytes(8, "little") * (length // 8)
