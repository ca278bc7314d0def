"""How a quasi-identifier is told less and less exactly: a ladder of steps per policy.

Each step is a function of what the policy leaves of it, so that a class knows its step by name and
every pipeline (one process, Spark) comes to the same value.
"""

from __future__ import annotations

from collections.abc import Mapping

_PLACE_PARTS = {"postal3": 3, "state": 2, "country": 1}


def generalised(quasi: str, value: str, step: str) -> str:
    """Return ``value`` of the quasi-identifier ``quasi`` at ``step`` of its ladder."""
    if step == "*":
        return ""
    if quasi == "birth":
        span = int(step)
        return f"{int(value) - int(value) % span:04d}" if value else ""
    if quasi == "place":
        return "|".join(value.split("|")[: _PLACE_PARTS[step]])
    return value


def told_birth(year: str, step: str) -> str:
    """Return a span of births for people to read: 1980-1989."""
    if not year:
        return "any"
    return year if step == "1" else f"{year}-{int(year) + int(step) - 1:04d}"


def heights(ladders: Mapping[str, tuple[str, ...]]) -> list[dict[str, str]]:
    """Return every choice of one step per quasi-identifier, those that lose least first.

    What is lost is the sum of the squares of how far up each ladder goes, a ladder of more steps
    weighing more: to tell two things less exactly is better than not to tell one.
    """
    chosen: list[tuple[float, dict[str, str]]] = [(0.0, {})]
    for quasi, ladder in ladders.items():
        most = max(len(ladder) - 1, 1)
        chosen = [
            (loss + len(ladder) * (place / most) ** 2, {**steps, quasi: step})
            for loss, steps in chosen
            for place, step in enumerate(ladder)
        ]
    return [steps for _, steps in sorted(chosen, key=lambda c: (c[0], [*c[1].values()]))]
