"""Numbers and quantities: what their data types are to a search.

https://hl7.org/fhir/R4/search.html#number and #quantity. A resource's number is a point, however
many digits it has; a Range, a comparator (``< 5``) and samples make it a range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from sys import float_info
from typing import Any

from simdes.fhir.codes import UCUM
from simdes.fhir.search.around import Around, Convert
from simdes.fhir.search.conditions import Number, Quantity, Value
from simdes.fhir.units import canonical_unit

CURRENCIES = "urn:iso:std:iso:4217"
LEAST, MOST = -float_info.max, float_info.max


def _number(element: Any, around: Around) -> Sequence[Value]:
    value = float(element)
    return (Number(value, value, value),)


def _number_range(element: Any, around: Around) -> Sequence[Value]:
    ends = _ends(element)
    return (Number(*map(float, _with_middle(*ends))),) if ends else ()


def _ends(element: Any) -> tuple[Any, Any] | None:
    low = element.get("low", {}).get("value")
    high = element.get("high", {}).get("value")
    return None if low is None and high is None else (low, high)


def _with_middle(low: Any, high: Any) -> tuple[Any, Any, Any]:
    """Return what to sort by, and both ends, an open one as far out as a float goes."""
    value = low if low is not None else high
    return value, LEAST if low is None else low, MOST if high is None else high


_COMPARATORS = {"<": (True, False), "<=": (True, False), ">": (False, True), ">=": (False, True)}
"""Which ends a Quantity's comparator opens."""


def _magnitude(element: Any) -> tuple[Any, Any, Any] | None:
    value = element.get("value")
    if value is None:
        return None
    comparator = element.get("comparator")
    if comparator is None:
        return value, value, value
    opens_low, opens_high = _COMPARATORS.get(comparator, (False, False))
    return value, LEAST if opens_low else value, MOST if opens_high else value


def _quantity(element: Any, around: Around) -> Sequence[Value]:
    found = _magnitude(element)
    return (_in_unit(found, element),) if found else ()


def _in_unit(numbers: tuple[Any, Any, Any], unit: Any) -> Quantity:
    value, low, high = numbers
    number = float(value)
    code = unit.get("code", "")
    return Quantity(
        number,
        number if low is value else float(low),
        number if high is value else float(high),
        unit.get("system", ""),
        code,
        unit.get("unit", code),
    )


def _canonical(element: Any, around: Around) -> Sequence[Value]:
    found = _magnitude(element)
    return _canonically(found, element) if found else ()


def _canonically(numbers: tuple[Any, Any, Any], unit: Any) -> Sequence[Value]:
    if unit.get("system") != UCUM:
        return ()
    known = canonical_unit(unit.get("code", ""))
    if known is None:
        return ()
    value, low, high = numbers
    number = known.convert(value)
    if low is not value or high is not value:
        low, high = (n if n in (LEAST, MOST) else known.convert(n) for n in (low, high))
        return (Quantity(number, low, high, UCUM, known.code, known.code),)
    return (Quantity(number, number, number, UCUM, known.code, known.code),)


def _money(element: Any, around: Around) -> Sequence[Value]:
    value, currency = element.get("value"), element.get("currency", "")
    if value is None:
        return ()
    number = float(value)
    system = CURRENCIES if currency else ""
    return (Quantity(number, number, number, system, currency, currency),)


def _quantity_range(element: Any, around: Around) -> Sequence[Value]:
    ends = _ends(element)
    unit = element.get("low") or element.get("high")
    return (_in_unit(_with_middle(*ends), unit),) if ends else ()


def _canonical_range(element: Any, around: Around) -> Sequence[Value]:
    ends = _ends(element)
    unit = element.get("low") or element.get("high")
    return _canonically(_with_middle(*ends), unit) if ends else ()


def _sampled_ends(element: Any) -> tuple[Any, Any] | None:
    """The least and the greatest of the samples; E, L and U (error, below, above) are left out."""
    samples = {s for s in element.get("data", "").split(" ") if s not in ("", "E", "L", "U")}
    if not samples:
        return None
    numbers = [Decimal(s) for s in samples]
    factor, origin = element.get("factor", 1), element["origin"].get("value", 0)
    ends = [origin + n * factor for n in (min(numbers), max(numbers))]
    return min(ends), max(ends)


def _sampled(element: Any, around: Around) -> Sequence[Value]:
    ends = _sampled_ends(element)
    return (_in_unit(_with_middle(*ends), element["origin"]),) if ends else ()


def _sampled_canonical(element: Any, around: Around) -> Sequence[Value]:
    ends = _sampled_ends(element)
    return _canonically(_with_middle(*ends), element["origin"]) if ends else ()


NUMBERS: Mapping[str, Convert] = {"decimal": _number, "integer": _number, "Range": _number_range}

QUANTITIES: Mapping[str, Convert] = {
    **dict.fromkeys(("Age", "Count", "Distance", "Duration", "Quantity"), _quantity),
    "Money": _money,
    "Range": _quantity_range,
    "SampledData": _sampled,
}

CANONICAL: Mapping[str, Convert] = {
    **dict.fromkeys(("Age", "Count", "Distance", "Duration", "Quantity"), _canonical),
    "Range": _canonical_range,
    "SampledData": _sampled_canonical,
}
"""The conversions of the slots ``:canonical``."""
