"""Date, DateTime and Time of FHIRPath: partial precision, comparison, arithmetic, boundaries.

http://hl7.org/fhirpath/N1/#date (literals), #comparison, #datetime-arithmetic; the boundaries are
those of http://hl7.org/fhirpath/#lowboundary-decimal.

A comparison has no result where the shorter value ends before a difference, and where one side has
a zone, the other none, and the difference is smaller than what zones can make.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_FLOOR, Decimal

_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?"
    r"(?:(T)(?:(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?)?(Z|[+-]\d\d:\d\d)?)?)?",
    re.ASCII,
)
_TIME = re.compile(r"T?(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?)?", re.ASCII)
_LIMITS = ((1, 9999), (1, 12), (1, 31), (0, 23), (0, 59), (0, 60))
_WIDEST_ZONE_MINUTES = 14 * 60
_DAY_SECONDS = 86_400

Part = int | Decimal


@dataclass(frozen=True, slots=True)
class Temporal:
    """A point in time known to some precision.

    ``kind`` is ``Date``, ``DateTime`` or ``Time``; ``parts`` begin with the year (Time: with the
    hour) and end with what is known; seconds are a Decimal; ``zone`` is in minutes east of UTC.
    """

    kind: str
    parts: tuple[Part, ...]
    zone: int | None = None

    def __str__(self) -> str:
        texts = [_digits(p, 4 if i == 0 and self.kind != "Time" else 2) for i, p in self._numbered]
        if self.kind == "Time":
            return ":".join(texts)
        text = "-".join(texts[:3])
        if len(texts) > 3:
            text += "T" + ":".join(texts[3:])
        return text + _zone_text(self.zone)

    @property
    def _numbered(self) -> list[tuple[int, Part]]:
        return list(enumerate(self.parts))

    @property
    def clock(self) -> tuple[Part, ...]:
        """The parts from the hour on."""
        return self.parts if self.kind == "Time" else self.parts[3:]


def _digits(part: Part, width: int) -> str:
    if type(part) is Decimal:
        whole, _, fraction = format(part, "f").partition(".")
        return whole.rjust(width, "0") + ("." + fraction if fraction else "")
    return str(part).rjust(width, "0")


def _zone_text(zone: int | None) -> str:
    if zone is None:
        return ""
    hours, minutes = divmod(abs(zone), 60)
    return "Z" if zone == 0 else f"{'-' if zone < 0 else '+'}{hours:02}:{minutes:02}"


def parse_temporal(text: str) -> Temporal | None:
    """Return the literal ``text`` (without ``@``, as in ``2015-02T`` or ``T14:30``), else None."""
    return parse_time(text) if text[:1] == "T" else _parse_date(text, as_time=False)


def parse_date(text: str) -> Temporal | None:
    """Return the FHIR date ``text``, None if it is none."""
    found = _parse_date(text, as_time=False)
    return found if found is not None and found.kind == "Date" else None


def parse_date_time(text: str) -> Temporal | None:
    """Return the FHIR dateTime or instant ``text``, which may be a date alone; None if neither."""
    return _parse_date(text, as_time=True)


def parse_time(text: str) -> Temporal | None:
    """Return the time of day ``text``, None if it is none."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    return _checked("Time", match.groups(), None)


def _parse_date(text: str, *, as_time: bool) -> Temporal | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day, separator, hour, minute, second, zone = match.groups()
    if hour is not None and day is None:
        return None
    kind = "DateTime" if as_time or separator else "Date"
    return _checked(kind, (year, month, day, hour, minute, second), _zone(zone))


def _zone(text: str | None) -> int | None:
    if text is None or text == "Z":
        return None if text is None else 0
    minutes = int(text[1:3]) * 60 + int(text[4:6])
    return -minutes if text[0] == "-" else minutes


def _checked(kind: str, texts: tuple[str | None, ...], zone: int | None) -> Temporal | None:
    parts: list[Part] = [
        Decimal(t) if is_last else int(t)
        for t, is_last in zip(texts, [False] * (len(texts) - 1) + [True], strict=True)
        if t is not None
    ]
    limits = _LIMITS[3:] if kind == "Time" else _LIMITS
    for part, (least, most) in zip(parts, limits, strict=False):
        if not least <= part < most + 1:
            return None
    if kind != "Time" and len(parts) > 2 and parts[2] > monthrange(int(parts[0]), int(parts[1]))[1]:
        return None
    if zone is not None and abs(zone) > _WIDEST_ZONE_MINUTES:
        return None
    return Temporal(kind, tuple(parts), zone)


# --- comparison ------------------------------------------------------------------------------


def compare_temporal(left: Temporal, right: Temporal) -> int | None:
    """Return -1, 0 or 1; None where it can't be known. Times and dates must not be mixed."""
    if left.zone is not None and right.zone is not None:
        return _compare_parts(_in_utc(left), _in_utc(right))
    if (left.zone is None) is not (right.zone is None) and left.clock and right.clock:
        distance = _minutes(_in_utc(left)) - _minutes(_in_utc(right))
        return _sign(distance) if abs(distance) > _WIDEST_ZONE_MINUTES else None
    return _compare_parts(left.parts, right.parts)


def _compare_parts(left: tuple[Part, ...], right: tuple[Part, ...]) -> int | None:
    for first, second in zip(left, right, strict=False):
        if first != second:
            return _sign(first - second)
    return 0 if len(left) == len(right) else None


def _sign(number: Part) -> int:
    return int(number > 0) - int(number < 0)


def _in_utc(moment: Temporal) -> tuple[Part, ...]:
    """Return the parts as they are in UTC; the day may lie before year 1 or after 9999."""
    if not moment.zone or len(moment.parts) < 4:
        return moment.parts
    year, month, day, hour, *rest = moment.parts
    minute = rest[0] if rest else 0
    days = date(int(year), int(month), int(day)).toordinal()
    total = (days * 24 + int(hour)) * 60 + int(minute) - moment.zone
    days, in_day = divmod(total, 24 * 60)
    shifted = (*_from_ordinal(days), in_day // 60, in_day % 60, *rest[1:])
    # A whole hour's zone leaves "minutes unknown" unknown.
    return shifted if rest else shifted[:4]


def _from_ordinal(days: int) -> tuple[int, int, int]:
    if days < 1:
        return (0, 12, 31 + days)
    if days > date.max.toordinal():
        return (10_000, 1, days - date.max.toordinal())
    found = date.fromordinal(days)
    return (found.year, found.month, found.day)


def _minutes(parts: tuple[Part, ...]) -> int:
    year, month, day, hour, *rest = parts
    days = date(min(max(int(year), 1), 9999), int(month), int(day)).toordinal()
    return (days * 24 + int(hour)) * 60 + (int(rest[0]) if rest else 0)


def key_of(moment: Temporal) -> tuple[object, ...]:
    """Return something equal for values that are equal."""
    parts = _in_utc(moment)
    return (moment.kind == "Time", moment.zone is None or len(moment.parts) < 4, parts)


# --- arithmetic ------------------------------------------------------------------------------

_MONTHS = {"year": 12, "month": 1}
_SECONDS = {
    "week": Decimal(7 * _DAY_SECONDS),
    "day": Decimal(_DAY_SECONDS),
    "hour": Decimal(3600),
    "minute": Decimal(60),
    "second": Decimal(1),
    "millisecond": Decimal("0.001"),
}


def shift(moment: Temporal, amount: Decimal, unit: str) -> Temporal | None:
    """Return ``moment`` moved by ``amount`` calendar units (negative: back).

    A fraction counts for seconds alone; a unit finer than what is known is taken in whole units of
    what is known. None if the result is outside the years 1 to 9999.
    """
    if unit in _MONTHS:
        return _shift_months(moment, int(amount) * _MONTHS[unit])
    if unit not in ("second", "millisecond"):
        amount = Decimal(int(amount))
    return _shift_seconds(moment, amount * _SECONDS[unit])


def _shift_months(moment: Temporal, months: int) -> Temporal | None:
    if moment.kind == "Time":
        return moment
    if len(moment.parts) == 1:
        months -= months % 12 if months >= 0 else -(-months % 12)
    year, *rest = moment.parts
    total = int(year) * 12 + (int(rest[0]) - 1 if rest else 0) + months
    year, month = total // 12, total % 12 + 1
    if not 1 <= year <= 9999:
        return None
    parts: list[Part] = [year, month, *rest[1:]][: len(moment.parts)]
    if len(parts) > 2:
        parts[2] = min(int(parts[2]), monthrange(year, month)[1])
    return replace(moment, parts=tuple(parts))


def _shift_seconds(moment: Temporal, seconds: Decimal) -> Temporal | None:
    known = len(moment.parts) + (3 if moment.kind == "Time" else 0)
    if known < 3:  # whole months of 30 days, years of 365: http://hl7.org/fhirpath/N1/#addition-2
        days = int(seconds / _DAY_SECONDS)
        return _shift_months(moment, int(days / 365) * 12 if known == 1 else int(days / 30))
    grain = (_DAY_SECONDS, 3600, 60)[known - 3] if known < 6 else None
    if grain is not None:
        seconds = Decimal(int(seconds / grain) * grain)
    days, clock = _split(moment)
    days, clock = days + int(_whole_days(clock + seconds)), (clock + seconds) % _DAY_SECONDS
    if clock < 0:
        clock += _DAY_SECONDS
    parts: tuple[Part, ...] = (int(clock // 3600), int(clock // 60 % 60), clock % 60)
    if moment.kind == "Time":
        return replace(moment, parts=parts[: len(moment.parts)])
    if not 1 <= days <= date.max.toordinal():
        return None
    return replace(moment, parts=(*_from_ordinal(days), *parts)[: len(moment.parts)])


def _whole_days(seconds: Decimal) -> Decimal:
    return (seconds / _DAY_SECONDS).to_integral_value(rounding=ROUND_FLOOR)


def _split(moment: Temporal) -> tuple[int, Decimal]:
    """Return the day as a number and the seconds since its midnight."""
    days = 1
    if moment.kind != "Time":
        year, month, day = (int(p) for p in moment.parts[:3])
        days = date(year, month, day).toordinal()
    hour, minute, second = (*moment.clock, 0, 0, 0)[:3]
    return days, Decimal(int(hour) * 3600 + int(minute) * 60) + second


# --- precision -------------------------------------------------------------------------------

_WIDTHS = {"Date": (4, 2, 2), "DateTime": (4, 2, 2, 2, 2, 2, 3), "Time": (2, 2, 2, 3)}


def precision(moment: Temporal) -> int:
    """Return the number of digits known, milliseconds as three."""
    widths = _WIDTHS[moment.kind]
    seconds_at = 2 if moment.kind == "Time" else 5
    has_fraction = len(moment.parts) > seconds_at and "." in str(moment.parts[seconds_at])
    return sum(widths[: len(moment.parts) + has_fraction])


def boundary(moment: Temporal, digits: int | None, *, high: bool) -> Temporal | None:
    """Return the first (``high``: last) moment that ``moment`` may mean, to ``digits`` digits.

    The default is all that the type can have. None if no value has that many digits.
    """
    kind = moment.kind
    widths = _WIDTHS[kind]
    wanted = sum(widths) if digits is None else digits
    sums = [sum(widths[: n + 1]) for n in range(len(widths))]
    if wanted not in sums:
        return None
    count = sums.index(wanted) + 1
    parts = list(moment.parts)
    first = 3 if kind == "Time" else 0
    for at in range(len(parts) + first, 6):
        parts.append(_edge(at, parts, high=high))
    seconds_at = 5 - first
    if kind != "Date" and len(parts) > seconds_at:
        second = Decimal(parts[seconds_at])
        is_known = len(moment.parts) > seconds_at and "." in str(second)
        fraction = Decimal("0.999") if high and not is_known else Decimal("0.000")
        parts[seconds_at] = second if is_known else second + fraction
        if count == seconds_at + 1:
            parts[seconds_at] = Decimal(int(second))
    cut = tuple(parts[: min(count, 6 - first)])
    zone = moment.zone
    if zone is None and kind == "DateTime" and len(cut) > 3:
        zone = -12 * 60 if high else _WIDEST_ZONE_MINUTES
    if len(cut) < 4 and kind != "Time":
        zone = None
    return Temporal(kind, cut, zone)


def _edge(at: int, parts: list[Part], *, high: bool) -> Part:
    if not high:
        return (1, 1, 1, 0, 0, 0)[at]
    if at == 2:
        return monthrange(int(parts[0]), int(parts[1]))[1]
    return (9999, 12, 0, 23, 59, 59)[at]
