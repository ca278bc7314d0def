"""Quantities of FHIRPath: UCUM and calendar units (http://hl7.org/fhirpath/N1/#quantity)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from simdes.fhir.ucum import is_unit
from simdes.fhir.units import exact_unit

CALENDAR = {
    form: unit
    for unit in ("year", "month", "week", "day", "hour", "minute", "second", "millisecond")
    for form in (unit, unit + "s")
}
"""The words for calendar units, singular and plural, each with its singular."""

_AS_UCUM = {"week": "wk", "day": "d", "hour": "h", "minute": "min", "second": "s",
            "millisecond": "ms"}  # fmt: skip
_AS_WORD = {"a": "year", "mo": "month", **{code: word for word, code in _AS_UCUM.items()}}
_UNEQUAL = {"year": "a", "month": "mo"}
_MONTHS = {"year": 12, "month": 1}
_LARGEST_EXPONENT = 400


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with a unit: a UCUM code, ``1`` for none, or (``is_calendar``) ``year``, ``day``."""

    value: Decimal
    unit: str
    is_calendar: bool = False

    def __str__(self) -> str:
        unit = self.unit if self.is_calendar else f"'{self.unit}'"
        if self.is_calendar and self.value != 1:
            unit += "s"
        return f"{format(self.value, 'f')} {unit}"


def calendar_unit(quantity: Quantity, *, definite: bool) -> str | None:
    """Return the calendar unit in which ``quantity`` moves a date, None if it has none.

    ``definite``: years and months must be the calendar's; those of UCUM are fixed numbers of days.
    """
    if quantity.is_calendar or quantity.unit in CALENDAR:
        return CALENDAR.get(quantity.unit)
    word = _AS_WORD.get(quantity.unit)
    return None if definite and word in _UNEQUAL else word


def canonical(quantity: Quantity, *, loosely: bool = False) -> tuple[Fraction, str] | None:
    """Return the value in base units and the dimensions; None if the unit is unknown.

    Calendar years and months are units of their own, but (``loosely``) equivalent to UCUM's.
    """
    unit = quantity.unit
    if quantity.is_calendar or unit in CALENDAR:
        word = CALENDAR.get(unit, unit)
        if word in _MONTHS and not loosely:
            months = quantity.value * _MONTHS[word]
            return (Fraction(months), "calendar month") if _is_sensible(months) else None
        unit = _UNEQUAL[word] if word in _MONTHS else _AS_UCUM[word]
    base = exact_unit(unit)
    if base is None or not _is_sensible(quantity.value):
        return None
    return Fraction(quantity.value) * base.factor + base.offset, base.code


def _is_sensible(value: Decimal) -> bool:
    """Whether ``value`` as a fraction has no more digits than a measurement can need."""
    return abs(value.adjusted()) <= _LARGEST_EXPONENT and len(value.as_tuple().digits) <= 1000


def compare_quantities(left: Quantity, right: Quantity, *, loosely: bool = False) -> int | None:
    """Return -1, 0 or 1; None if their units can't be compared."""
    if left.unit == right.unit and left.is_calendar is right.is_calendar:
        return int(left.value > right.value) - int(left.value < right.value)
    first, second = canonical(left, loosely=loosely), canonical(right, loosely=loosely)
    if first is None or second is None or first[1] != second[1]:
        return None
    return int(first[0] > second[0]) - int(first[0] < second[0])


def are_comparable(left: Quantity, right: Quantity) -> bool:
    """Say whether both measure the same thing."""
    if left.unit == right.unit:
        return True
    first, second = canonical(left, loosely=True), canonical(right, loosely=True)
    return first is not None and second is not None and first[1] == second[1]


def convert(quantity: Quantity, unit: str, *, is_calendar: bool) -> Decimal | None:
    """Return the value of ``quantity`` in ``unit``; None if that measures something else."""
    if (quantity.unit, quantity.is_calendar) == (unit, is_calendar):
        return quantity.value
    first = canonical(quantity)
    one = canonical(Quantity(Decimal(1), unit, is_calendar))
    zero = canonical(Quantity(Decimal(0), unit, is_calendar))
    if first is None or one is None or zero is None or first[1] != one[1]:
        return None
    return as_decimal((first[0] - zero[0]) / (one[0] - zero[0]))


def as_decimal(number: Fraction) -> Decimal:
    """Return ``number`` with up to 28 digits."""
    return Decimal(number.numerator) / Decimal(number.denominator)


def multiply(left: Quantity, right: Quantity) -> Quantity | None:
    """Return the product, in the product of the units."""
    return _combine(left.value * right.value, left, right, ".")


def divide(left: Quantity, right: Quantity) -> Quantity | None:
    """Return the quotient, in the quotient of the units; None if ``right`` is nothing."""
    if right.value == 0:
        return None
    if are_comparable(left, right):
        value = convert(left, right.unit, is_calendar=right.is_calendar)
        return None if value is None else Quantity(value / right.value, "1")
    return _combine(left.value / right.value, left, right, "/")


def _combine(value: Decimal, left: Quantity, right: Quantity, sign: str) -> Quantity | None:
    first, second = (_AS_UCUM.get(q.unit, q.unit) for q in (left, right))
    if second == "1":
        return Quantity(value, first)
    if first == "1" and sign == ".":
        return Quantity(value, second)
    if sign == "/" and any(c in second for c in "./"):
        second = f"({second})"
    text = f"{first}{sign}{second}"
    return Quantity(value, text) if is_unit(text) else None
