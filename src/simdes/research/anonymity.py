"""How anonymous a table is: k-anonymity and distinct l-diversity, as pycanon measures them.

k (Samarati and Sweeney 1998): every combination of quasi-identifiers that occurs is shared by k
rows or more. l (Machanavajjhala and others 2007): within each, the sensitive value takes l values
or more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """What a table reaches; both 0 if it is empty."""

    k: int
    l: int  # noqa: E741 (its name in the literature)
    classes: int
    rows: int


def measure(rows: Iterable[tuple[Sequence[Hashable], Hashable]]) -> Measured:
    """Return what ``rows`` reach: of each its quasi-identifiers and its sensitive value."""
    sizes: dict[tuple[Hashable, ...], int] = defaultdict(int)
    values: dict[tuple[Hashable, ...], set[Hashable]] = defaultdict(set)
    for quasi, sensitive in rows:
        key = tuple(quasi)
        sizes[key] += 1
        values[key].add(sensitive)
    if not sizes:
        return Measured(0, 0, 0, 0)
    diverse = min(len(v) for v in values.values())
    return Measured(min(sizes.values()), diverse, len(sizes), sum(sizes.values()))
