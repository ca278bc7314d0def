"""Small charts of measurements as SVG: geometry alone, in whole pixels; templates write the marks.

Nothing here depends on colours or scripts: a strict Content-Security-Policy holds, readers without
sight get the same in words and a table beside it (WCAG 2.2, 1.1.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 240
HEIGHT: Final = 64
_MARGIN: Final = 6


@dataclass(frozen=True, slots=True)
class Chart:
    """Dots in the order of time; ``band`` is (y, height) of the usual range, None without one."""

    dots: tuple[tuple[int, int], ...]
    band: tuple[int, int] | None

    @property
    def path(self) -> str:
        """The dots as a polyline's points."""
        return " ".join(f"{x},{y}" for x, y in self.dots)


def chart(
    points: Sequence[tuple[float, float]], *, low: float | None, high: float | None
) -> Chart | None:
    """The chart of (moment, value) in the order of time; None of fewer than two.

    ``low`` and ``high`` bound the usual range; either may be missing.
    """
    if len(points) < 2:
        return None
    values = [value for _, value in points]
    bounds = [one for one in (low, high) if one is not None]
    bottom, top = min(*values, *bounds), max(*values, *bounds)
    begin, end = points[0][0], points[-1][0]

    def x(moment: float) -> int:
        return _scaled(moment - begin, end - begin, WIDTH)

    def y(value: float) -> int:
        return HEIGHT - _scaled(value - bottom, top - bottom, HEIGHT)

    band = None
    if bounds:
        above = y(high) if high is not None else 0
        below = y(low) if low is not None else HEIGHT
        band = (above, max(1, below - above))
    return Chart(tuple((x(moment), y(value)) for moment, value in points), band)


def _scaled(part: float, whole: float, pixels: int) -> int:
    room = pixels - 2 * _MARGIN
    return _MARGIN + (round(room * part / whole) if whole else room // 2)
