"""Functions on collections (http://hl7.org/fhirpath/N1/#existence, #subsetting, #combining)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from simdes.fhir.fhirpath.equality import distinct, key, single, truth
from simdes.fhir.fhirpath.errors import PathError
from simdes.fhir.fhirpath.functions.signature import Function, Plain
from simdes.fhir.fhirpath.nodes import Collection, all_children, bare, descendants

PerItem = Callable[[Any], Collection]


def whole(items: Collection) -> int | None:
    """Return the one integer in ``items``, None if there is none."""
    value = single(items)
    if value is not None and type(value) is not int:
        raise PathError("an integer is needed")
    return value


def _booleans(items: Collection) -> list[bool]:
    values = [bare(n) for n in items]
    if any(type(v) is not bool for v in values):
        raise PathError("booleans are needed")
    return values


def _is_distinct(items: Collection) -> Collection:
    return [len(items) < 2 or len({key(n) for n in items}) == len(items)]


def _not(items: Collection) -> Collection:
    value = truth(items)
    return [] if value is None else [not value]


def _keys(items: Collection) -> set[Any]:
    return {key(n) for n in items}


def _intersect(items: Collection, others: Collection) -> Collection:
    keys = _keys(others)
    return distinct([n for n in items if key(n) in keys])


def _exclude(items: Collection, others: Collection) -> Collection:
    keys = _keys(others)
    return [n for n in items if key(n) not in keys]


def _only(items: Collection) -> Collection:
    if len(items) > 1:
        raise PathError("one value is needed where there are several")
    return items


def _skip(items: Collection, number: Collection) -> Collection:
    count = whole(number)
    return [] if count is None else items[max(count, 0) :]


def _take(items: Collection, number: Collection) -> Collection:
    count = whole(number)
    return [] if count is None else items[: max(count, 0)]


FUNCTIONS: Mapping[str, Function[Plain]] = {
    "allFalse": Function(lambda items: [not any(_booleans(items))]),
    "allTrue": Function(lambda items: [all(_booleans(items))]),
    "anyFalse": Function(lambda items: [not all(_booleans(items))]),
    "anyTrue": Function(lambda items: [any(_booleans(items))]),
    "children": Function(lambda items: [c for n in items for c in all_children(n)]),
    "combine": Function(lambda items, others: items + others, 1, 1),
    "count": Function(lambda items: [len(items)]),
    "descendants": Function(descendants),
    "distinct": Function(distinct),
    "empty": Function(lambda items: [not items]),
    "exclude": Function(_exclude, 1, 1),
    "exists": Function(lambda items: [bool(items)]),
    "first": Function(lambda items: items[:1]),
    "intersect": Function(_intersect, 1, 1),
    "isDistinct": Function(_is_distinct),
    "last": Function(lambda items: items[-1:]),
    "not": Function(_not),
    "single": Function(_only),
    "skip": Function(_skip, 1, 1),
    "subsetOf": Function(lambda items, others: [_keys(items) <= _keys(others)], 1, 1),
    "supersetOf": Function(lambda items, others: [_keys(items) >= _keys(others)], 1, 1),
    "tail": Function(lambda items: items[1:]),
    "take": Function(_take, 1, 1),
    "union": Function(lambda items, others: distinct([*items, *others]), 1, 1),
}


def _where(items: Collection, condition: PerItem) -> Collection:
    return [n for n in items if truth(condition(n))]


PER_ITEM: Mapping[str, Callable[[Collection, PerItem], Collection]] = {
    "all": lambda items, condition: [all(truth(condition(n)) for n in items)],
    "exists": lambda items, condition: [any(truth(condition(n)) for n in items)],
    "select": lambda items, part: [c for n in items for c in part(n)],
    "where": _where,
}
"""Functions whose argument is evaluated for each item."""
