"""The times that a date stands for: from its first millisecond up to, not including, the next.

https://hl7.org/fhir/R4/search.html#date: 2013-01 is the whole month. A time without a zone is
taken to be in UTC. Searches may leave out seconds and zone; what resources hold has both.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date

DAY_MS = 86_400_000

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_LAST_DAY_MS = (date.max.toordinal() + 1 - _EPOCH_DAY) * DAY_MS
_WRITTEN = re.compile(
    r"(?!0000)(\d{4})(?:-(\d\d)(?:-(\d\d)"
    r"(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)


def span_ms(text: str) -> tuple[int, int]:
    """Return the first millisecond of ``text`` and the first after it; ``ValueError`` if no date.

    Takes date, dateTime and instant, and what a search may give: no seconds, no zone.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError("not a date")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    if hour is None:
        return _days(int(year), month, day)
    if int(hour) > 23 or int(minute) > 59:
        raise ValueError("not a time")
    low = _day_ms(int(year), int(month), int(day)) + (int(hour) * 60 + int(minute)) * 60_000
    if zone is not None and zone != "Z":
        minutes = int(zone[1:3]) * 60 + int(zone[4:6])
        if minutes > 14 * 60 or int(zone[4:6]) > 59:
            raise ValueError("not a time zone")
        low += minutes * (60_000 if zone[0] == "-" else -60_000)
    if second is None:
        return low, low + 60_000
    if int(second) > 60:  # 60: a leap second, which unix time doesn't count
        raise ValueError("not a time")
    low += int(second) * 1000
    if fraction is None:
        return low, low + 1000
    width = 10 ** max(3 - len(fraction), 0)
    low += int(fraction[:3].ljust(3, "0"))
    return low, low + width


def _day_ms(year: int, month: int, day: int) -> int:
    return (date(year, month, day).toordinal() - _EPOCH_DAY) * DAY_MS


def _days(year: int, month: str | None, day: str | None) -> tuple[int, int]:
    if month is None:
        return _day_ms(year, 1, 1), (_day_ms(year + 1, 1, 1) if year < 9999 else _LAST_DAY_MS)
    if day is None:
        low = _day_ms(year, int(month), 1)
        return low, low + monthrange(year, int(month))[1] * DAY_MS
    low = _day_ms(year, int(month), int(day))
    return low, low + DAY_MS
