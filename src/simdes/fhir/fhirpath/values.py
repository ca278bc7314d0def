"""Values, navigation and comparison of FHIRPath over FHIR JSON.

A collection is a list. A complex value is its JSON object; a primitive is its JSON value, or a
:class:`Primitive` where it has an ``_name`` companion (id or extensions, perhaps without a value).
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from simdes.fhir.definitions import definition, type_names

Collection = list[Any]

_INSTANT = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d):(\d\d(?:\.\d+)?)(Z|[+-]\d\d:\d\d))?)?)?"
)


class PathError(Exception):
    """The expression has no value for this input, as the specification says (no result at all)."""


class Primitive:
    """A primitive with an element of its own: ``value`` (None if only extended) and ``element``."""

    __slots__ = ("element", "value")

    def __init__(self, value: Any, element: dict[str, Any] | None) -> None:
        self.value = value
        self.element = element or {}


@cache
def choice_names() -> dict[str, dict[str, None]]:
    """Return for each choice (``value``) every member name it has in some type (``valueString``).

    With these a path can be followed without knowing types. Some types have a plain member of
    such a name (``Device.property.valueCode``); a test sees to it that no invariant looks there.
    """
    found: dict[str, dict[str, None]] = {}
    for name in sorted(type_names()):
        for element in definition(name).elements.values():
            if element.is_choice:
                found.setdefault(element.name, {}).update(dict.fromkeys(element.json_names))
    return found


def children(node: Any, name: str, choices: dict[str, None] | None) -> Collection:
    """Return the children of ``node`` called ``name``; ``choices`` are its names if a choice."""
    if type(node) is not dict:
        return children(node.element, name, choices) if type(node) is Primitive else []
    value = node.get(name)
    element = node.get("_" + name)
    if value is None and element is None:
        if choices is None:
            return []
        return _choice(node, choices)
    return _wrap(value, element)


def _choice(node: dict[str, Any], choices: dict[str, None]) -> Collection:
    for key in node:
        plain = key[1:] if key[:1] == "_" else key
        if plain in choices:
            return _wrap(node.get(plain), node.get("_" + plain))
    return []


def _wrap(value: Any, element: Any) -> Collection:
    if element is None:
        return value if type(value) is list else [value]
    values = value if type(value) is list else [value]
    elements = element if type(element) is list else [element]
    values = values + [None] * (len(elements) - len(values))
    elements = elements + [None] * (len(values) - len(elements))
    return [v if e is None else Primitive(v, e) for v, e in zip(values, elements, strict=True)]


def all_children(node: Any) -> Collection:
    """Return every child of ``node``, its ``resourceType`` not among them."""
    if type(node) is Primitive:
        return all_children(node.element)
    if type(node) is not dict:
        return []
    found: Collection = []
    for key, value in node.items():
        if key[:1] == "_":
            if key[1:] not in node:
                found += _wrap(None, value)
        elif key != "resourceType":
            found += _wrap(value, node.get("_" + key))
    return found


def descendants(nodes: Collection) -> Iterator[Any]:
    """Yield every node below ``nodes``, each once."""
    waiting = [c for n in nodes for c in all_children(n)]
    while waiting:
        node = waiting.pop()
        yield node
        if type(node) is dict or type(node) is Primitive:
            waiting += all_children(node)


def bare(node: Any) -> Any:
    """Return the JSON value of ``node`` (None for a primitive that has only extensions)."""
    return node.value if type(node) is Primitive else node


def key(node: Any) -> Hashable:
    """Return something equal for equal nodes (http://hl7.org/fhirpath/N1/#equality)."""
    node = bare(node)
    if type(node) is dict:
        return frozenset((k, key(v)) for k, v in node.items())
    if type(node) is list:
        return tuple(key(v) for v in node)
    return (type(node) is bool, node)


def single(collection: Collection) -> Any:
    """Return the one JSON value in ``collection``, None if there is none; more are an error."""
    if not collection:
        return None
    if len(collection) > 1:
        raise PathError("one value is needed where there are several")
    return bare(collection[0])


def truth(collection: Collection) -> bool | None:
    """Return the collection as a condition: None if empty, true for one value of another type."""
    if not collection:
        return None
    value = single(collection)
    return value if type(value) is bool else True


def compare(left: Any, right: Any) -> int | None:
    """Return -1, 0 or 1; None where the order can't be known. Raises ``PathError`` on other types.

    Strings that both are FHIR dates or times are compared as such; two quantities only in the same
    unit.
    """
    if isinstance(left, str) and isinstance(right, str):
        first, second = _INSTANT.fullmatch(left), _INSTANT.fullmatch(right)
        return _compare_times(first, second) if first and second else _sign(left, right)
    if isinstance(left, dict) and isinstance(right, dict):
        return _compare_quantities(left, right)
    if isinstance(left, int | Decimal) and isinstance(right, int | Decimal):
        return _sign(left, right)
    raise PathError("values of these types have no order")


def _sign(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def _compare_quantities(left: dict[str, Any], right: dict[str, Any]) -> int | None:
    units = [
        (q.get("system"), q.get("code")) if "code" in q else q.get("unit") for q in (left, right)
    ]
    if units[0] != units[1] or "value" not in left or "value" not in right:
        return None
    return compare(left["value"], right["value"])


def _compare_times(left: re.Match[str], right: re.Match[str]) -> int | None:
    """Compare from the year down; None when one ends before a difference (N1, section 6.2)."""
    if left[7] and right[7]:
        return _sign(_moment(left), _moment(right))
    for first, second in zip(left.groups()[:6], right.groups()[:6], strict=True):
        if first is None or second is None:
            return 0 if first is second else None
        if first != second:
            return _sign(first, second)
    return 0


def _moment(match: re.Match[str]) -> tuple[datetime, Decimal]:
    """Return the time in UTC without its seconds, and these (60 is a leap second)."""
    zone = "+00:00" if match[7] == "Z" else match[7]
    stamp = f"{match[1]}-{match[2]}-{match[3]}T{match[4]}:{match[5]}{zone}"
    try:
        return datetime.fromisoformat(stamp).astimezone(UTC), Decimal(match[6])
    except (ValueError, OverflowError):
        raise PathError("not a time") from None
