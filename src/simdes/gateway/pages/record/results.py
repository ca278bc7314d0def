"""Measurements of one kind beside one another: the newest, how it was before, what is usual."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from simdes.gateway.pages.languages import Reader
from simdes.gateway.pages.record.charts import Chart, chart
from simdes.gateway.pages.record.kinds import KINDS
from simdes.gateway.pages.record.saying import Json, dig, first, say, text, unit_of
from simdes.gateway.pages.record.timeline import Source, reference_of, value_of

MOST_POINTS: Final = 60
_MOST: Final = 10**15
_VOID: Final = frozenset(("entered-in-error", "cancelled"))
_BEYOND: Final = {
    **dict.fromkeys(("H", "HH", "HU", ">"), "high"),
    **dict.fromkeys(("L", "LL", "LU", "<"), "low"),
    **dict.fromkeys(("A", "AA"), "other"),
}
"""Codes of http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measurement: when (a FHIR date), what in words, how it lies to what is usual: "high",
    "low", "other" or ""."""

    when: str
    said: str
    beyond: str
    organisation: str
    moment: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Measurements of one kind, newest first, with their chart where there are several."""

    name: str
    usual: str
    points: tuple[Point, ...]
    chart: Chart | None

    @property
    def newest(self) -> Point:
        """The one of the latest day."""
        return self.points[0]


def series(sources: Iterable[Source], reader: Reader) -> list[Series]:
    """The measurements with a number, by kind and unit, those with the newest first."""
    kept: dict[tuple[str, str], list[tuple[Point, Json]]] = {}
    for source in sources:
        resource = source.resource
        if resource.get("resourceType") != "Observation" or resource.get("status") in _VOID:
            continue
        when = text(resource, KINDS["Observation"].when)
        for one in _measured(resource):
            point = _point(one, when, source.organisation, reader)
            if point is not None:
                kept.setdefault((_kind(one), unit_of(one["valueQuantity"])), []).append(
                    (point, one)
                )
    found = [_series(its, reader) for its in kept.values()]
    return sorted(found, key=lambda one: one.newest.moment, reverse=True)


def _series(points: list[tuple[Point, Json]], reader: Reader) -> Series:
    ordered = sorted(points, key=lambda one: one[0].moment, reverse=True)[:MOST_POINTS]
    newest = ordered[0][1]
    drawn = [(one.moment, one.value) for one, _ in reversed(ordered)]
    return Series(
        name=say(newest.get("code"), reader),
        usual=reference_of(newest, reader),
        points=tuple(one for one, _ in ordered),
        chart=chart(drawn, low=_bound(newest, "low"), high=_bound(newest, "high")),
    )


def _measured(resource: Json) -> Iterator[Json]:
    """The resource and its components that hold a number."""
    for one in (resource, *dig(resource, "component")):
        value = one.get("valueQuantity") if isinstance(one, Mapping) else None
        if isinstance(value, Mapping) and _drawable(value.get("value")) is not None:
            yield one


def _point(one: Json, when: str, organisation: str, reader: Reader) -> Point | None:
    moment, value = _seconds(when), _drawable(one["valueQuantity"]["value"])
    if moment is None or value is None:
        return None
    return Point(
        when=when,
        said=value_of(one, reader),
        beyond=_beyond(one, value),
        organisation=organisation,
        moment=moment,
        value=value,
    )


def _beyond(one: Json, value: float) -> str:
    for code in dig(one, "interpretation.coding.code"):
        if code in _BEYOND:
            return _BEYOND[code]
    low, high = _bound(one, "low"), _bound(one, "high")
    if high is not None and value > high:
        return "high"
    return "low" if low is not None and value < low else ""


def _bound(one: Json, end: str) -> float | None:
    """An end of the usual range where it is in the unit of the value."""
    bound = first(one, f"referenceRange.{end}")
    if not isinstance(bound, Mapping):
        return None
    if unit_of(bound) not in ("", unit_of(one["valueQuantity"])):
        return None
    return _drawable(bound.get("value"))


def _drawable(number: object) -> float | None:
    """A number that can be compared and drawn; None for what is none or measures nothing."""
    if not isinstance(number, Decimal | int):
        return None
    exact = Decimal(number)
    return float(exact) if exact.is_finite() and abs(exact) <= _MOST else None


def _kind(one: Json) -> str:
    """What is measured: the code that its author gave first, else its words."""
    coding = first(one, "code.coding")
    code = f"{text(coding, 'system')}|{text(coding, 'code')}" if coding else ""
    return code if code not in ("", "|") else text(one, "code.text")


def _seconds(when: str) -> float | None:
    try:
        found = datetime.fromisoformat(when if len(when) > 7 else f"{when}-01-01"[:10])
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
