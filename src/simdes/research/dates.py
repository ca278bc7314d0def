"""Dates as FHIR writes them (https://hl7.org/fhir/R4/datatypes.html#dateTime), moved and coarsened.

A date moves by whole days and loses its time of day. One known to the month or year alone moves as
its middle does, so that two events' order holds as far as it was told.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2})(T.*)?)?)?", re.DOTALL)
_LENGTH = {"year": 4, "month": 7, "day": 10}
INSTANT_END = "T00:00:00Z"


def shifted(text: str, days: int) -> str | None:
    """Return the date in ``text`` ``days`` later, as precise as it was; None if it is no date."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day, _ = match.groups()
    try:
        moved = date(int(year), int(month or 7), int(day or (15 if month else 1)))
        moved += timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return moved.isoformat()[: 10 if day else 7 if month else 4]


def coarsened(text: str, precision: str) -> str:
    """Return ``text`` (YYYY, YYYY-MM or YYYY-MM-DD, a time behind it or none) to ``precision``."""
    return text[: _LENGTH[precision]]


def year_of(text: object) -> int | None:
    """Return the year that the date ``text`` begins with, None if it is none."""
    match = _DATE.fullmatch(text) if isinstance(text, str) else None
    return int(match[1]) if match else None
