"""System values of items; equality, equivalence, order (http://hl7.org/fhirpath/N1/#operations).

FHIR's primitives and quantities convert to System's implicitly
(https://hl7.org/fhir/R4/fhirpath.html#types). Of a bare string the type is not known: it is taken
for a date or time where it stands beside one; ``bare_equal`` and ``bare_compare`` take two bare
strings for dates or times if both look like it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from simdes.fhir.fhirpath.errors import PathError
from simdes.fhir.fhirpath.nodes import Collection, Node, ancestors, bare
from simdes.fhir.fhirpath.quantity import Quantity, canonical, compare_quantities
from simdes.fhir.fhirpath.temporal import (
    Temporal,
    compare_temporal,
    key_of,
    parse_date,
    parse_date_time,
    parse_time,
)

UCUM = "http://unitsofmeasure.org"
_SPACE = re.compile(r"\s+")


# --- System values ---------------------------------------------------------------------------


def _decimal(value: Any) -> Any:
    return Decimal(value) if type(value) is int else value


def _temporal(parse: Callable[[str], Temporal | None]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        found = parse(value) if type(value) is str else None
        return value if found is None else found

    return convert


_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "date": _temporal(parse_date),
    "dateTime": _temporal(parse_date_time),
    "decimal": _decimal,
    "instant": _temporal(parse_date_time),
    "time": _temporal(parse_time),
}


def system(item: Any) -> Any:
    """Return the System value of ``item``; None if it has no value; complex ones as they are."""
    if type(item) is not Node:
        return item
    value = item.value
    if type(value) is dict:
        if not item.type:
            return value
        found = as_quantity(value) if _is_quantity(item.type) else None
        return item if found is None else found
    convert = _CONVERSIONS.get(item.type)
    return value if convert is None or value is None else convert(value)


@cache
def _is_quantity(type_name: str) -> bool:
    return "Quantity" in ancestors(type_name)


def as_quantity(value: Any) -> Quantity | None:
    """Return a FHIR Quantity as System's; None if it is none, has no value or a comparator."""
    if type(value) is not dict or "comparator" in value:
        return None
    number = value.get("value")
    if type(number) is not int and type(number) is not Decimal:
        return None
    if value.get("system") == UCUM and isinstance(value.get("code"), str):
        return Quantity(Decimal(number), value["code"])
    if "code" in value or "system" in value:
        return None
    unit = value.get("unit", "1")
    return Quantity(Decimal(number), unit) if isinstance(unit, str) else None


def single(collection: Collection) -> Any:
    """Return the System value of the one item, None if there is none; more are an error."""
    if not collection:
        return None
    if len(collection) > 1:
        raise PathError("one value is needed where there are several")
    item = collection[0]
    return item if type(item) is not Node else system(item)


def truth(collection: Collection) -> bool | None:
    """Return the collection as a condition: None if empty, true for one value of another type."""
    if not collection:
        return None
    if len(collection) > 1:
        raise PathError("one value is needed where there are several")
    value = bare(collection[0])
    return value if type(value) is bool else True


def key(item: Any) -> Hashable:
    """Return something equal for equal items (http://hl7.org/fhirpath/N1/#equality)."""
    if type(item) is Node:
        if item.value is None:
            return ("extended", key(item.element))
        item = bare(system(item)) if item.type else item.value
    kind = type(item)
    if kind is str:
        return (False, item)
    form = _KEYS.get(kind)
    return (kind is bool, item) if form is None else form(item)


_KEYS: Mapping[type, Callable[[Any], Hashable]] = {
    dict: lambda item: frozenset((k, key(v)) for k, v in item.items()),
    list: lambda item: tuple(map(key, item)),
    Quantity: lambda item: canonical(item) or (item.value, item.unit),
    Temporal: key_of,
}


def distinct(items: Collection) -> Collection:
    """Return the items without those that equal an earlier one."""
    if len(items) < 2:
        return items
    found: dict[Hashable, Any] = {}
    for item in items:
        found.setdefault(key(item), item)
    return list(found.values())


# --- equality --------------------------------------------------------------------------------


Equal = Callable[[Any, Any], bool | None]


def equal_collections(left: Collection, right: Collection, are_equal: Equal) -> bool | None:
    """Return whether both have equal items in the same order; None if that can't be known."""
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    if len(left) == 1:
        return are_equal(left[0], right[0])
    found = [are_equal(a, b) for a, b in zip(left, right, strict=True)]
    return False if False in found else None if None in found else True


def bare_equal(left: Any, right: Any) -> bool | None:
    """Return what :func:`equal` does, for items of which no type is known."""
    if type(left) is str and type(right) is str:
        if left == right or not _are_stamps(left, right):
            return left == right
        first, second = parse_date_time(left), parse_date_time(right)
        return False if first is None or second is None else _equal_temporal(first, second)
    return equal(left, right)


def equal(left: Any, right: Any) -> bool | None:
    """Return whether two items are equal; None if that can't be known."""
    first, second = system(left), system(right)
    kind, other = type(first), type(second)
    if kind is str and other is str:
        return bool(first == second)
    if first is None or second is None:
        # No value, only extensions: equal if they are the same.
        return first is second and key(left) == key(right)
    if kind is bool or other is bool:
        return first is second
    if kind in _NUMBERS and other in _NUMBERS:
        return bool(first == second)
    if kind is Temporal or other is Temporal:
        return _equal_temporal(*_as_temporals(first, second))
    return _equal_complex(first, second)


_NUMBERS = frozenset((int, Decimal))


def _are_stamps(*texts: str) -> bool:
    return all(len(t) > 16 and t[4] == "-" and t[10] == "T" for t in texts)


def _as_temporals(left: Any, right: Any) -> tuple[Any, Any]:
    """Return both as dates or times, reading a bare string beside one as one."""
    if type(left) is str and type(right) is Temporal:
        return parse_time(left) if right.kind == "Time" else parse_date_time(left), right
    if type(right) is str and type(left) is Temporal:
        return left, parse_time(right) if left.kind == "Time" else parse_date_time(right)
    return left, right


def _equal_temporal(left: Any, right: Any) -> bool | None:
    if type(left) is not Temporal or type(right) is not Temporal:
        return False
    if (left.kind == "Time") is not (right.kind == "Time"):
        return False
    order = compare_temporal(left, right)
    return None if order is None else order == 0


def _equal_complex(left: Any, right: Any) -> bool | None:
    first, second = _quantity(left), _quantity(right)
    if first is not None and second is not None:
        order = compare_quantities(first, second)
        return None if order is None else order == 0
    left, right = bare(left), bare(right)
    if type(left) is not dict or type(right) is not dict:
        return False
    return key(left) == key(right)


def _quantity(value: Any) -> Quantity | None:
    """Return ``value`` as a quantity: a number is one without unit."""
    if type(value) is Quantity:
        return value
    if type(value) is int or type(value) is Decimal:
        return Quantity(Decimal(value), "1")
    return as_quantity(value)


# --- equivalence -----------------------------------------------------------------------------


def equivalent_collections(left: Collection, right: Collection) -> bool:
    """Return whether both have equivalent items in any order."""
    if len(left) != len(right):
        return False
    rest = list(right)
    for item in left:
        at = next((i for i, other in enumerate(rest) if equivalent(item, other)), None)
        if at is None:
            return False
        del rest[at]
    return True


def equivalent(left: Any, right: Any) -> bool:
    """Return whether two items are equivalent (http://hl7.org/fhirpath/N1/#equivalence)."""
    first, second = system(left), system(right)
    kind, other = type(first), type(second)
    if kind is str and other is str:
        return _folded(first) == _folded(second)
    if kind in _NUMBERS and other in _NUMBERS:
        return equivalent_numbers(Decimal(first), Decimal(second))
    if Quantity in (kind, other):
        quantities = _quantity(first), _quantity(second)
        return None not in quantities and _equivalent_quantities(*quantities)  # type: ignore[arg-type]
    if kind is Node or kind is dict:
        return other in (Node, dict) and _equivalent_objects(bare(first), bare(second))
    return equal(left, right) is True


def _folded(text: str) -> str:
    return _SPACE.sub(" ", text).casefold()


def equivalent_numbers(left: Decimal, right: Decimal) -> bool:
    """Return whether both are equal at the precision of the less precise one."""
    digits = min(_places(left), _places(right))
    return round(left, digits) == round(right, digits)


def _places(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _equivalent_quantities(left: Quantity, right: Quantity) -> bool:
    if left.unit == right.unit:
        return equivalent_numbers(left.value, right.value)
    first, second = canonical(left, loosely=True), canonical(right, loosely=True)
    if first is None or second is None or first[1] != second[1]:
        return False
    one = canonical(Quantity(Decimal(1), left.unit, left.is_calendar), loosely=True)
    if one is None or not one[0]:
        return False
    here = second[0] / one[0]
    converted = Decimal(here.numerator) / Decimal(here.denominator)
    return equivalent_numbers(left.value, converted)


# Not part of what an element says.
_BESIDE = frozenset(("id",))


def _equivalent_objects(left: dict[str, Any], right: dict[str, Any]) -> bool:
    names = (left.keys() | right.keys()) - _BESIDE
    return all(equivalent_collections(_listed(left.get(n)), _listed(right.get(n))) for n in names)


def _listed(value: Any) -> Collection:
    return value if type(value) is list else [] if value is None else [value]


# --- order -----------------------------------------------------------------------------------


def compare(left: Any, right: Any) -> int | None:
    """Return -1, 0 or 1; None where the order can't be known. ``PathError`` for other types."""
    first, second = system(left), system(right)
    kind, other = type(first), type(second)
    if kind is str and other is str:
        return _sign(first, second)
    if kind in _NUMBERS and other in _NUMBERS:
        return _sign(first, second)
    if kind is Temporal or other is Temporal:
        moments = _as_temporals(first, second)
        if any(type(m) is not Temporal for m in moments):
            raise PathError("values of these types have no order")
        return _compare_temporals(*moments)
    one, two = _quantity(first), _quantity(second)
    if one is not None and two is not None:
        return compare_quantities(one, two)
    if _may_be_quantity(first) and _may_be_quantity(second):
        return None
    raise PathError("values of these types have no order")


def bare_compare(left: Any, right: Any) -> int | None:
    """Return what :func:`compare` does, for items of which no type is known."""
    one, two = bare(left), bare(right)
    if type(one) is str and type(two) is str and one[:4].isdigit() and two[:4].isdigit():
        if len(one) == len(two) and one[19:] == two[19:]:
            return _sign(one, two)  # of one form, in one zone: their texts are in their order
        first, second = parse_date_time(one), parse_date_time(two)
        if first is not None and second is not None:
            return compare_temporal(first, second)
    return compare(left, right)


def _may_be_quantity(value: Any) -> bool:
    """Whether it is a FHIR Quantity that UCUM can't compare: in another system, or "less than"."""
    if type(value) is Node:
        return _is_quantity(value.type)
    return type(value) is Quantity or (type(value) is dict and "value" in value)


def _compare_temporals(left: Temporal, right: Temporal) -> int | None:
    if (left.kind == "Time") is not (right.kind == "Time"):
        raise PathError("a time of day and a date have no order")
    return compare_temporal(left, right)


def _sign(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)
