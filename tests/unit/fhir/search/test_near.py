"""Strips that cover a circle on the globe, against the great-circle distance itself."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from simdes.fhir.search.conditions import Kind, Number, Slot, Valued
from simdes.fhir.search.match import matches
from simdes.fhir.search.near import EARTH_RADIUS_M, near

SLOTS = (Slot("Location.near#0", Kind.NUMBER), Slot("Location.near#1", Kind.NUMBER))


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Return the great-circle distance by the haversine formula."""
    (south, west), (north, east) = (tuple(map(radians, place)) for place in (a, b))
    lat, lon = sin((north - south) / 2) ** 2, sin((east - west) / 2) ** 2
    return 2 * EARTH_RADIUS_M / 1000 * asin(min(1.0, sqrt(lat + cos(south) * cos(north) * lon)))


def is_near(place: tuple[float, float], middle: tuple[float, float], km: float) -> bool:
    where = near(SLOTS, "near", [str(middle[0]), str(middle[1]), str(km), "km"])
    values = [Valued(s, Number(n, n, n), 1) for s, n in zip(SLOTS, place, strict=True)]
    return matches(where, type="Location", id="1", updated_ms=0, values=values)


PLACES = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@settings(derandomize=True, max_examples=200, deadline=None)
@given(PLACES, PLACES, st.floats(0.001, 20_000))
@example((0.0, 179.9), (0.0, -179.9), 50)
@example((0.0, -179.9), (0.0, 179.9), 50)
@example((89.9, 170.0), (89.9, 0.0), 30)
@example((-90.0, 0.0), (-89.9, 100.0), 20)
def test_whatever_is_within_the_distance_is_found(
    place: tuple[float, float], middle: tuple[float, float], km: float
) -> None:
    assume(distance_km(place, middle) <= km)
    assert is_near(place, middle, km)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    st.tuples(st.floats(-60, 60), st.floats(-180, 180)),
    st.floats(-3, 3),
    st.floats(-3, 3),
    st.floats(1, 100),
)
def test_little_beyond_the_distance_is_found(
    middle: tuple[float, float], north: float, east: float, km: float
) -> None:
    """A strip is a sixth of the distance high, so it reaches a fifth too far at most."""
    longitude = (middle[1] + east + 180) % 360 - 180
    place = (middle[0] + north, longitude)
    assume(distance_km(place, middle) > km * 1.2)
    assert not is_near(place, middle, km)
