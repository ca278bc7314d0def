"""The functions of FHIRPath that R4's invariants call (http://hl7.org/fhirpath/N1/#functions).

Four tables by calling convention; the compiler looks nowhere else, so that a function missing here
is refused when an expression is compiled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from simdes.fhir.definitions import resource_types
from simdes.fhir.fhirpath.values import (
    Collection,
    PathError,
    all_children,
    bare,
    descendants,
    key,
    single,
    truth,
)

PerItem = Callable[[Any], Collection]

# Types that the JSON value alone tells; what a string is, only its definition knows.
_PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "Boolean": (bool,),
    "decimal": (Decimal, int),
    "Decimal": (Decimal,),
    "integer": (int,),
    "Integer": (int,),
}


def is_of_type(node: Any, name: str) -> bool:
    """Whether ``node`` is of the type ``name``: a resource type, a boolean or a number."""
    value = bare(node)
    if type(value) is dict:
        return value.get("resourceType") == name
    if name in _PYTHON_TYPES:
        if type(value) is bool:
            return bool in _PYTHON_TYPES[name]
        return isinstance(value, _PYTHON_TYPES[name])
    if name in resource_types():
        return False
    raise PathError("a type that can't be told from the JSON value")


def resolve(nodes: Collection, find: Callable[[str], dict[str, Any] | None]) -> Collection:
    """Return the resources that the references ``nodes`` lead to, as far as they are at hand."""
    literals = [n.get("reference") if type(n) is dict else bare(n) for n in nodes]
    found = [find(literal) for literal in literals if isinstance(literal, str)]
    return [resource for resource in found if resource is not None]


def union(left: Collection, right: Collection) -> Collection:
    """Return the distinct items of both."""
    return _distinct([*left, *right])


def _distinct(nodes: Collection) -> Collection:
    return list({key(n): n for n in reversed(nodes)}.values())[::-1]


def _is_distinct(nodes: Collection) -> Collection:
    return [len({key(n) for n in nodes}) == len(nodes)]


def _not(nodes: Collection) -> Collection:
    value = truth(nodes)
    return [] if value is None else [not value]


def _has_value(nodes: Collection) -> Collection:
    return [len(nodes) == 1 and type(nodes[0]) is not dict and bare(nodes[0]) is not None]


def _to_integer(nodes: Collection) -> Collection:
    value = single(nodes)
    if type(value) is int or type(value) is bool:
        return [int(value)]
    is_number = isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value)
    return [int(value)] if is_number else []


def _to_string(nodes: Collection) -> Collection:
    value = single(nodes)
    if value is None:
        return []
    return [str(value).lower() if type(value) is bool else str(value)]


def _all_false(nodes: Collection) -> Collection:
    return [all(bare(n) is False for n in nodes)]


PLAIN: Mapping[str, Callable[[Collection], Collection]] = {
    "allFalse": _all_false,
    "children": lambda nodes: [c for n in nodes for c in all_children(n)],
    "count": lambda nodes: [len(nodes)],
    "descendants": lambda nodes: list(descendants(nodes)),
    "distinct": _distinct,
    "empty": lambda nodes: [not nodes],
    "exists": lambda nodes: [bool(nodes)],
    "first": lambda nodes: nodes[:1],
    "hasValue": _has_value,
    "isDistinct": _is_distinct,
    "not": _not,
    "tail": lambda nodes: nodes[1:],
    "toInteger": _to_integer,
    "toString": _to_string,
}
"""Functions without arguments."""


def _where(nodes: Collection, condition: PerItem) -> Collection:
    return [n for n in nodes if truth(condition(n))]


PER_ITEM: Mapping[str, Callable[[Collection, PerItem], Collection]] = {
    "all": lambda nodes, condition: [all(truth(condition(n)) for n in nodes)],
    "exists": lambda nodes, condition: [any(truth(condition(n)) for n in nodes)],
    "select": lambda nodes, part: [c for n in nodes for c in part(n)],
    "where": _where,
}
"""Functions whose argument is evaluated for each item."""


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.DOTALL)


def _on_text(function: Callable[..., Any]) -> Callable[..., Collection]:
    """Return ``function`` on single strings; empty if its input or an argument is empty."""

    def wrapped(nodes: Collection, *arguments: Collection) -> Collection:
        values = [single(nodes), *map(single, arguments)]
        if any(v is None for v in values):
            return []
        if not isinstance(values[0], str):
            raise PathError("text is needed")
        return [function(*values)]

    return wrapped


def _intersect(nodes: Collection, others: Collection) -> Collection:
    keys = {key(n) for n in others}
    return _distinct([n for n in nodes if key(n) in keys])


WITH_ARGUMENTS: Mapping[str, Callable[..., Collection]] = {
    "combine": lambda nodes, others: nodes + others,
    "contains": _on_text(lambda text, part: part in text),
    "intersect": _intersect,
    "matches": _on_text(lambda text, pattern: _pattern(pattern).search(text) is not None),
    "replaceMatches": _on_text(lambda text, pattern, new: _pattern(pattern).sub(new, text)),
    "startsWith": _on_text(lambda text, start: text.startswith(start)),
    "substring": _on_text(lambda text, start: text[start:]),
    "trace": lambda nodes, *_: nodes,
}
"""Functions whose arguments are collections."""


def _of_type(nodes: Collection, name: str) -> Collection:
    return [n for n in nodes if is_of_type(n, name)]


def _is(nodes: Collection, name: str) -> Collection:
    if len(nodes) > 1:
        raise PathError("one value is needed where there are several")
    return [is_of_type(nodes[0], name)] if nodes else []


TYPE_FUNCTIONS: Mapping[str, Callable[[Collection, str], Collection]] = {
    "as": _of_type,
    "is": _is,
    "ofType": _of_type,
}
"""Functions, also written as operators, whose argument is a type."""
