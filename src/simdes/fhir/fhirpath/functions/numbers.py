"""Functions on numbers (http://hl7.org/fhirpath/N1/#math); precision and boundaries.

``comparable``, ``precision``, ``lowBoundary`` and ``highBoundary`` are of the later
http://hl7.org/fhirpath/. What has no number as its result (a root of -1, an overflow) is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from simdes.fhir.fhirpath.equality import single
from simdes.fhir.fhirpath.errors import PathError
from simdes.fhir.fhirpath.functions.collections import whole
from simdes.fhir.fhirpath.functions.signature import Function, Plain
from simdes.fhir.fhirpath.nodes import Collection
from simdes.fhir.fhirpath.quantity import Quantity, are_comparable
from simdes.fhir.fhirpath.temporal import Temporal, boundary, precision

_MOST_DIGITS = 31
_DEFAULT_DIGITS = 8
# What is larger has no use, and writing its digits out has a cost.
_LARGEST_EXPONENT = 400
_INTEGERS = range(-(2**31), 2**31)

Number = int | Decimal


def number(items: Collection) -> Number | None:
    """Return the one number in ``items``, None if there is none."""
    value = single(items)
    if value is None:
        return None
    if type(value) is not int and type(value) is not Decimal:
        raise PathError("a number is needed")
    if type(value) is Decimal and abs(value.adjusted()) > _LARGEST_EXPONENT:
        raise PathError("the number is out of range")
    return value


def as_integer(value: Number) -> Collection:
    """Return ``value``, which is whole, as an Integer; empty if that can't hold it."""
    return [int(value)] if int(value) in _INTEGERS else []


def _on_number(function: Callable[..., Any], least: int = 0, most: int = 0) -> Function[Plain]:
    def wrapped(items: Collection, *arguments: Collection) -> Collection:
        values = [number(items), *map(number, arguments)]
        if None in values:
            return []
        try:
            found = function(*values)
        except ArithmeticError:
            return []
        if type(found) is int:
            return as_integer(found)
        return [] if found is None or not found.is_finite() else [found]

    return Function(wrapped, least, most)


def _abs(items: Collection) -> Collection:
    value = single(items)
    if isinstance(value, Quantity):
        return [replace(value, value=abs(value.value))]
    found = number(items)
    return [] if found is None else [abs(found)]


def _log(value: Number, base: Number) -> Decimal | None:
    if value <= 0 or base <= 0 or base == 1:
        return None
    if base == 10:
        return Decimal(value).log10()
    return (Decimal(value).ln() / Decimal(base).ln()).quantize(Decimal("1e-20")).normalize()


def _power(value: Number, exponent: Number) -> Number | None:
    if type(value) is int and type(exponent) is int and exponent >= 0:
        found = Decimal(value) ** exponent
        return int(found) if abs(found) < 2**40 else None
    if value < 0 and exponent != int(exponent):
        return None
    return Decimal(value) ** Decimal(exponent)


def _round(value: Number, digits: Number = 0) -> Number | None:
    if type(digits) is not int or digits < 0:
        raise PathError("a precision is an integer from 0")
    if type(value) is int:
        return value
    if digits >= _MOST_DIGITS:
        return value
    return Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


FUNCTIONS: dict[str, Function[Plain]] = {
    "abs": Function(_abs),
    "ceiling": _on_number(lambda v: int(Decimal(v).to_integral_value(ROUND_CEILING))),
    "exp": _on_number(lambda v: Decimal(v).exp()),
    "floor": _on_number(lambda v: int(Decimal(v).to_integral_value(ROUND_FLOOR))),
    "ln": _on_number(lambda v: Decimal(v).ln() if v > 0 else None),
    "log": _on_number(_log, 1, 1),
    "power": _on_number(_power, 1, 1),
    "round": _on_number(_round, 0, 1),
    "sqrt": _on_number(lambda v: Decimal(v).sqrt() if v >= 0 else None),
    "truncate": _on_number(int),
}


# --- precision -------------------------------------------------------------------------------


def _precision(items: Collection) -> Collection:
    value = single(items)
    if value is None:
        return []
    if isinstance(value, Temporal):
        return [precision(value)]
    found = number(items)
    return [] if found is None else [_places(found)]


def _places(value: Number) -> int:
    exponent = Decimal(value).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _boundary(*, high: bool) -> Callable[..., Collection]:
    def wrapped(items: Collection, digits: Collection = []) -> Collection:  # noqa: B006
        value, wanted = single(items), whole(digits)
        if value is None:
            return []
        found: Any
        if isinstance(value, Temporal):
            found = boundary(value, wanted, high=high)
        elif isinstance(value, Quantity):
            edge = _decimal_boundary(value.value, wanted, high=high)
            found = None if edge is None else replace(value, value=edge)
        else:
            one = number(items)
            found = None if one is None else _decimal_boundary(one, wanted, high=high)
        return [] if found is None else [found]

    return wrapped


def _decimal_boundary(value: Number, digits: int | None, *, high: bool) -> Decimal | None:
    """Return the least (``high``: largest) number that rounds to ``value``, to ``digits``."""
    wanted = _DEFAULT_DIGITS if digits is None else digits
    if not 0 <= wanted < _MOST_DIGITS:
        return None
    half = Decimal(5).scaleb(-_places(value) - 1)
    edge = Decimal(value) + (half if high else -half)
    try:
        return edge.quantize(Decimal(1).scaleb(-wanted), ROUND_CEILING if high else ROUND_FLOOR)
    except ArithmeticError:
        return None


def _comparable(items: Collection, other: Collection) -> Collection:
    left, right = single(items), single(other)
    if left is None or right is None:
        return []
    if not isinstance(left, Quantity) or not isinstance(right, Quantity):
        raise PathError("quantities are needed")
    return [are_comparable(left, right)]


FUNCTIONS |= {
    "comparable": Function(_comparable, 1, 1),
    "highBoundary": Function(_boundary(high=True), 0, 1),
    "lowBoundary": Function(_boundary(high=False), 0, 1),
    "precision": Function(_precision),
}
