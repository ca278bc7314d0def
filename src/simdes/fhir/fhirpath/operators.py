"""Operators (http://hl7.org/fhirpath/N1/#operations), those of two-valued laziness aside.

Each takes two collections and returns one. Integers have 32 bits and dates the years 1 to 9999: a
result outside is empty, as the specification says of overflow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from typing import Any

from simdes.fhir.fhirpath import equality
from simdes.fhir.fhirpath.equality import (
    Equal,
    equal_collections,
    equivalent_collections,
    key,
    single,
)
from simdes.fhir.fhirpath.errors import PathError
from simdes.fhir.fhirpath.nodes import Collection
from simdes.fhir.fhirpath.quantity import Quantity, calendar_unit, convert, divide, multiply
from simdes.fhir.fhirpath.temporal import Temporal, shift

Operation = Callable[[Collection, Collection], Collection]

_INTEGERS = range(-(2**31), 2**31)
_NUMBERS = frozenset((int, Decimal))
# Beyond this a quantity of time leads outside the years that there are.
_LONGEST_SHIFT = Decimal(10) ** 15


def _equality(are_equal: Equal) -> dict[str, Operation]:
    def equal(left: Collection, right: Collection) -> Collection:
        found = equal_collections(left, right, are_equal)
        return [] if found is None else [found]

    def not_equal(left: Collection, right: Collection) -> Collection:
        found = equal_collections(left, right, are_equal)
        return [] if found is None else [not found]

    return {"=": equal, "!=": not_equal}


def _order(compare: Callable[[Any, Any], int | None]) -> dict[str, Operation]:
    def ordered(holds: Callable[[int], bool]) -> Operation:
        def operation(left: Collection, right: Collection) -> Collection:
            if not left or not right:
                return []
            if len(left) > 1 or len(right) > 1:
                raise PathError("one value is needed where there are several")
            if single(left) is None or single(right) is None:
                return []
            order = compare(left[0], right[0])
            return [] if order is None else [holds(order)]

        return operation

    return {
        "<": ordered(lambda order: order < 0),
        "<=": ordered(lambda order: order <= 0),
        ">": ordered(lambda order: order > 0),
        ">=": ordered(lambda order: order >= 0),
    }


def _in(left: Collection, right: Collection) -> Collection:
    if not left:
        return []
    if len(left) > 1:
        raise PathError("one value is needed where there are several")
    wanted = key(left[0])
    return [any(key(item) == wanted for item in right)]


def _values(left: Collection, right: Collection) -> tuple[Any, Any] | None:
    first, second = single(left), single(right)
    return None if first is None or second is None else (first, second)


def _number(value: Any) -> Collection:
    if type(value) is int and value not in _INTEGERS:
        return []
    return [value]


def _mismatch() -> PathError:
    return PathError("an operator that values of these types don't have")


def _arithmetic(
    on_numbers: Callable[[Any, Any], Any],
    on_quantities: Callable[[Quantity, Quantity], Quantity | None] | None = None,
) -> Operation:
    def operation(left: Collection, right: Collection) -> Collection:
        values = _values(left, right)
        if values is None:
            return []
        try:
            if type(values[0]) in _NUMBERS and type(values[1]) in _NUMBERS:
                found = on_numbers(*values)
            elif on_quantities is not None and Quantity in map(type, values):
                found = on_quantities(*map(_quantity, values))
            else:
                raise _mismatch()
        except ArithmeticError:
            return []
        return [] if found is None else _number(found)

    return operation


def _quantity(value: Any) -> Quantity:
    if type(value) in _NUMBERS:
        return Quantity(Decimal(value), "1")
    if type(value) is not Quantity:
        raise _mismatch()
    return value


def _add(left: Collection, right: Collection) -> Collection:
    values = _values(left, right)
    if values is None:
        return []
    if type(values[0]) is str and type(values[1]) is str:
        return [values[0] + values[1]]
    if type(values[0]) is Temporal:
        return _moved(values[0], values[1], 1)
    return _PLUS(left, right)


def _subtract(left: Collection, right: Collection) -> Collection:
    values = _values(left, right)
    if values is None:
        return []
    if type(values[0]) is Temporal:
        return _moved(values[0], values[1], -1)
    return _MINUS(left, right)


def _moved(moment: Temporal, by: Any, sign: int) -> Collection:
    """Return ``moment`` moved by a quantity of time."""
    if type(by) is not Quantity:
        raise _mismatch()
    unit = calendar_unit(by, definite=True)
    if unit is None:
        raise PathError("a date moves by calendar units or by UCUM's up to the week")
    if abs(by.value) > _LONGEST_SHIFT:
        return []
    found = shift(moment, by.value * sign, unit)
    return [] if found is None else [found]


def _sum(sign: int) -> Callable[[Quantity, Quantity], Quantity | None]:
    def total(left: Quantity, right: Quantity) -> Quantity | None:
        value = convert(right, left.unit, is_calendar=left.is_calendar)
        return None if value is None else replace(left, value=left.value + sign * value)

    return total


_PLUS = _arithmetic(lambda a, b: a + b, _sum(1))
_MINUS = _arithmetic(lambda a, b: a - b, _sum(-1))


def _div(left: Any, right: Any) -> int | None:
    if right == 0:
        return None
    return int((Decimal(left) / Decimal(right)).to_integral_value(ROUND_DOWN))


def _join(left: Collection, right: Collection) -> Collection:
    values = ["" if v is None else v for v in (single(left), single(right))]
    if any(type(v) is not str for v in values):
        values = [_text(v) for v in values]
    return [values[0] + values[1]]


def _text(value: Any) -> str:
    """Return a primitive as text: R4's invariants join codes, URLs and numbers."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int or type(value) is Decimal:
        return format(value, "f") if type(value) is Decimal else str(value)
    if type(value) is Temporal or type(value) is Quantity:
        return str(value)
    raise _mismatch()


def negative(items: Collection) -> Collection:
    """Return the number or quantity with its sign changed."""
    value = single(items)
    if value is None:
        return []
    if type(value) is Quantity:
        return [replace(value, value=-value.value)]
    if type(value) not in _NUMBERS:
        raise _mismatch()
    return [-value]


def positive(items: Collection) -> Collection:
    """Return the number or quantity as it is."""
    return negative(negative(items))


_COMMON: dict[str, Operation] = {
    "~": lambda left, right: [equivalent_collections(left, right)],
    "!~": lambda left, right: [not equivalent_collections(left, right)],
    "in": _in,
    "contains": lambda left, right: _in(right, left),
    "+": _add,
    "-": _subtract,
    "*": _arithmetic(lambda a, b: a * b, multiply),
    "/": _arithmetic(lambda a, b: Decimal(a) / b if b else None, divide),
    "div": _arithmetic(_div),
    "mod": _arithmetic(lambda a, b: a - b * _div(a, b) if b else None),
    "&": _join,
}

EXACT: Mapping[str, Operation] = {
    **_COMMON,
    **_equality(equality.equal),
    **_order(equality.compare),
}
"""Where the types of items are known."""

BARE: Mapping[str, Operation] = {
    **_COMMON,
    **_equality(equality.bare_equal),
    **_order(equality.bare_compare),
}
"""Where they are not: strings that look like dates are dates."""

COMPARING = frozenset(("=", "!=", "~", "!~", "in", "contains"))
"""Operators that compare items with all they hold."""
