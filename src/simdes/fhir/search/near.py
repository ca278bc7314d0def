"""Locations near a place (https://hl7.org/fhir/R4/location.html#search, parameter ``near``).

A circle on the globe becomes a few strips, each a range of latitudes and one of longitudes, which
a database can look up like any composite. The standard leaves the accuracy to the server; strips
that just cover the circle find all within the distance, and little beyond.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import acos, asin, cos, degrees, inf, isfinite, nextafter, radians, sin

from simdes.fhir.search.conditions import AnyOf, Condition, Match, NumberTest, Slot, Together
from simdes.fhir.search.grammar import wrong
from simdes.fhir.units import canonical_unit

EARTH_RADIUS_M = 6_371_008.8
DEFAULT_DISTANCE_KM = 50.0
STRIPS = 12


def near(slots: tuple[Slot, ...], name: str, parts: Sequence[str]) -> Condition:
    """Return the condition of ``latitude|longitude|distance|units``, on latitude and longitude.

    Units are UCUM's, kilometres if left out. Raises ``Invalid`` for what is not such a value.
    """
    padded = [*parts, "", ""][:4]
    try:
        latitude, longitude = float(parts[0]), float(parts[1])
        distance = float(padded[2] or DEFAULT_DISTANCE_KM)
    except (ValueError, IndexError):
        raise wrong(name, "latitude|longitude|distance|units is needed") from None
    unit = canonical_unit(padded[3] or "km")
    is_place = abs(latitude) <= 90 and abs(longitude) <= 180
    if not is_place or not isfinite(distance) or distance < 0 or len(parts) > 4:
        raise wrong(name, "latitude|longitude|distance|units is needed")
    if unit is None or unit.code != "m":
        raise wrong(name, "the distance needs a UCUM unit of length")
    angle = min(unit.convert(distance) / EARTH_RADIUS_M, 3.2)
    return _around(slots, radians(latitude), radians(longitude), angle)


def _around(slots: tuple[Slot, ...], latitude: float, longitude: float, angle: float) -> Condition:
    """Return the strips that cover the circle of the radius ``angle``; all in radians."""
    south, north = max(latitude - angle, -_QUARTER), min(latitude + angle, _QUARTER)
    found = []
    for number in range(STRIPS):
        low = south + (north - south) * number / STRIPS
        high = south + (north - south) * (number + 1) / STRIPS
        width = _half_width(latitude, angle, low, high)
        latitudes = Match(slots[0], (_between(degrees(low), degrees(high)),))
        longitudes = tuple(_between(*ends) for ends in _turned(degrees(longitude), degrees(width)))
        found.append(Together((latitudes, Match(slots[1], longitudes))))
    return AnyOf(tuple(found))


_QUARTER = acos(0.0)


def _half_width(latitude: float, angle: float, low: float, high: float) -> float:
    """Return how far the circle reaches east between the latitudes ``low`` and ``high``."""
    if latitude + angle >= _QUARTER or latitude - angle <= -_QUARTER:
        return 2 * _QUARTER  # a pole is in the circle
    widest = asin(max(-1.0, min(1.0, sin(latitude) / cos(angle))))
    at = max(low, min(high, widest))
    cosine = (cos(angle) - sin(latitude) * sin(at)) / (cos(latitude) * cos(at))
    return acos(max(-1.0, min(1.0, cosine)))


def _turned(middle: float, half: float) -> list[tuple[float, float]]:
    """Return the ranges of longitude ``half`` degrees either side, cut where 180 becomes -180."""
    if half >= 180:
        return [(-180.0, 180.0)]
    low, high = middle - half, middle + half
    if low < -180:
        return [(-180.0, high), (low + 360, 180.0)]
    if high > 180:
        return [(low, 180.0), (-180.0, high - 360)]
    return [(low, high)]


def _between(low: float, high: float) -> NumberTest:
    return NumberTest("eq", (low + high) / 2, low - _SLACK, nextafter(high + _SLACK, inf))


_SLACK = 1e-7
"""About a centimetre, in degrees: what the sums above may be off by."""
