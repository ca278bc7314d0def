"""Small readings of FHIR's elements that claims need (pure)."""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from simdes.errors import Invalid

_MONTH, _DAY = len("YYYY-MM"), len("YYYY-MM-DD")
_DECEMBER: Final = 12


def coded(concept: Any) -> Iterator[tuple[str, str]]:
    """(system, code) of each coding of a CodeableConcept."""
    codings = concept.get("coding") if isinstance(concept, Mapping) else None
    for one in codings or ():
        if isinstance(one, Mapping) and isinstance(one.get("code"), str):
            yield str(one.get("system", "")), one["code"]


def first_code(concept: Any) -> tuple[str, str]:
    """The first coding, ("", "") where there is none."""
    return next(coded(concept), ("", ""))


def day_of(value: Any, *, last: bool = False) -> date | None:
    """The day of a FHIR date or dateTime; of a year or month its first day, or its ``last``."""
    if not isinstance(value, str) or len(value) < len("YYYY"):
        return None
    try:
        if len(value) >= _DAY:
            return date.fromisoformat(value[:_DAY])
        year = int(value[:4])
        month = int(value[5:7]) if len(value) >= _MONTH else _DECEMBER if last else 1
        return date(year, month, calendar.monthrange(year, month)[1] if last else 1)
    except (ValueError, calendar.IllegalMonthError):
        return None


def quantity_of(value: Any) -> Decimal:
    """The value of a Quantity, 1 where there is none. Raises Invalid for none above zero."""
    found = value.get("value", 1) if isinstance(value, Mapping) else 1
    if isinstance(found, bool) or not isinstance(found, Decimal | int) or found <= 0:
        raise Invalid("A quantity is a number above zero.")
    return Decimal(found)


def reference_of(value: Any) -> str:
    """The literal reference of a Reference, "" where it has none."""
    found = value.get("reference", "") if isinstance(value, Mapping) else ""
    return found if isinstance(found, str) else ""
