"""Conversions between System's types (http://hl7.org/fhirpath/N1/#conversion)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from simdes.fhir.fhirpath.equality import single
from simdes.fhir.fhirpath.errors import PathError
from simdes.fhir.fhirpath.functions.signature import Function, Plain
from simdes.fhir.fhirpath.nodes import Collection
from simdes.fhir.fhirpath.quantity import CALENDAR, Quantity, convert
from simdes.fhir.fhirpath.temporal import (
    Temporal,
    parse_date_time,
    parse_time,
)

Conversion = Callable[[Any], Any]

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,200}(?:\.[0-9]{1,200})?")
_QUANTITY = re.compile(
    r"(?P<value>[+-]?[0-9]{1,200}(?:\.[0-9]{1,200})?)\s*(?:'(?P<unit>[^']+)'|(?P<time>[a-zA-Z]+))?"
)
_TRUE = frozenset(("true", "t", "yes", "y", "1", "1.0"))
_FALSE = frozenset(("false", "f", "no", "n", "0", "0.0"))
_INTEGERS = range(-(2**31), 2**31)


def _to_boolean(value: Any) -> bool | None:
    if type(value) is bool:
        return value
    if type(value) is str:
        text = value.lower()
        return True if text in _TRUE else False if text in _FALSE else None
    if type(value) is int or type(value) is Decimal:
        return bool(value) if value in (0, 1) else None
    return None


def _to_integer(value: Any) -> int | None:
    if type(value) is int or type(value) is bool:
        return int(value)
    if type(value) is str and _INTEGER.fullmatch(value):
        number = int(value)
        return number if number in _INTEGERS else None
    return None


def _to_decimal(value: Any) -> Decimal | None:
    if type(value) is Decimal:
        return value
    if type(value) is int or type(value) is bool:
        return Decimal(value)
    return Decimal(value) if type(value) is str and _DECIMAL.fullmatch(value) else None


def to_text(value: Any) -> str | None:
    """Return a System value as a string; None if it is none."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is Decimal:
        return format(value, "f") if abs(value.adjusted()) < 400 else str(value)
    return str(value) if type(value) in (int, Temporal, Quantity) else None


def _to_date(value: Any) -> Temporal | None:
    if type(value) is Temporal:
        if value.kind == "Time":
            return None
        return Temporal("Date", value.parts[:3])
    found = parse_date_time(value) if type(value) is str else None
    return None if found is None else Temporal("Date", found.parts[:3])


def _to_date_time(value: Any) -> Temporal | None:
    if type(value) is Temporal:
        return None if value.kind == "Time" else Temporal("DateTime", value.parts, value.zone)
    return parse_date_time(value) if type(value) is str else None


def _to_time(value: Any) -> Temporal | None:
    if type(value) is Temporal:
        return value if value.kind == "Time" else None
    return parse_time(value) if type(value) is str else None


def _to_quantity(value: Any) -> Quantity | None:
    if type(value) is Quantity:
        return value
    if type(value) in (int, bool, Decimal):
        return Quantity(Decimal(value), "1")
    match = _QUANTITY.fullmatch(value) if type(value) is str else None
    if match is None or (match["time"] and match["time"] not in CALENDAR):
        return None
    number = Decimal(match["value"])
    if match["time"]:
        return Quantity(number, CALENDAR[match["time"]], is_calendar=True)
    return Quantity(number, match["unit"] or "1")


_CONVERSIONS: Mapping[str, Conversion] = {
    "Boolean": _to_boolean,
    "Date": _to_date,
    "DateTime": _to_date_time,
    "Decimal": _to_decimal,
    "Integer": _to_integer,
    "String": to_text,
    "Time": _to_time,
}


def _converting(conversion: Conversion) -> Plain:
    def wrapped(items: Collection) -> Collection:
        value = single(items)
        found = None if value is None else conversion(value)
        return [] if found is None else [found]

    return wrapped


def _testing(conversion: Conversion) -> Plain:
    def wrapped(items: Collection) -> Collection:
        value = single(items)
        return [] if value is None else [conversion(value) is not None]

    return wrapped


def _quantity_in(items: Collection, unit: Collection = []) -> Collection:  # noqa: B006
    value, wanted = single(items), single(unit)
    found = None if value is None else _to_quantity(value)
    if found is None or wanted is None:
        return [] if found is None else [found]
    if type(wanted) is not str:
        raise PathError("a unit is a string")
    is_calendar = wanted in CALENDAR
    name = CALENDAR.get(wanted, wanted)
    number = convert(found, name, is_calendar=is_calendar)
    return [] if number is None else [Quantity(number, name, is_calendar)]


def _is_quantity_in(items: Collection, unit: Collection = []) -> Collection:  # noqa: B006
    return [bool(_quantity_in(items, unit))] if items else []


FUNCTIONS: Mapping[str, Function[Plain]] = {
    **{f"to{name}": Function(_converting(c)) for name, c in _CONVERSIONS.items()},
    **{f"convertsTo{name}": Function(_testing(c)) for name, c in _CONVERSIONS.items()},
    "toQuantity": Function(_quantity_in, 0, 1),
    "convertsToQuantity": Function(_is_quantity_in, 0, 1),
}
