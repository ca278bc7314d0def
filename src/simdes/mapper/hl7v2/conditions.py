"""Turn a compiled condition (tools/v2_to_fhir/conditions.py) into a function.

A condition is asked with the message's state and the values of the level it stands on: the fields
of its segment, or the components of its data type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simdes.mapper.hl7v2.functions import PREDICATES
from simdes.mapper.hl7v2.state import State, read_reference

Condition = Callable[[State, list[str]], bool]
_NULL = '""'


def build(tree: list[Any], level: int) -> Condition:
    """Build the condition ``tree``; ``level`` is 0 for fields, 1 for components."""
    kind = tree[0]
    if kind == "not":
        inner = build(tree[1], level)
        return lambda state, values: not inner(state, values)
    if kind in ("and", "or"):
        left, right = build(tree[1], level), build(tree[2], level)
        if kind == "and":
            return lambda state, values: left(state, values) and right(state, values)
        return lambda state, values: left(state, values) or right(state, values)
    if kind == "named" and tree[1] in _SEGMENTS:
        names = [text.partition("-")[0] for text in tree[2]]
        ask = _SEGMENTS[tree[1]]
        return lambda state, _: all(ask(state, name) for name in names)
    if kind == "named":
        predicate = PREDICATES[tree[1]]
        references = [read_reference(text, level, whole=True) for text in tree[2]]
        return lambda state, values: predicate(state, *[r(state, values) for r in references])
    return _test(tree, level)


_SEGMENTS: dict[str, Callable[[State, str], bool]] = {
    "ahead": lambda state, name: state.is_ahead(name),
    "seen": lambda state, name: state.frame.fields(name) is not None,
}
"""Predicates of whole segments: one that follows in the same group, one that came in it before."""


def _test(tree: list[Any], level: int) -> Condition:
    kind, reference = tree[0], tree[1]
    if kind == "valued":
        whole = read_reference(reference, level, whole=True)
        return lambda state, values: whole(state, values) not in ("", _NULL)
    if kind == "count":
        return _count(reference, tree[2], tree[3])
    first = read_reference(reference, level, whole=kind == "length")
    if kind == "eq":
        text = tree[2]
        return lambda state, values: first(state, values) == text
    if kind == "in":
        texts = frozenset(tree[2])
        return lambda state, values: first(state, values) in texts
    compare = _COMPARE[tree[2]]
    number = tree[3]
    return lambda state, values: compare(len(first(state, values)), number)


_COMPARE: dict[str, Callable[[int, int], bool]] = {
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "=": lambda a, b: a == b,
}


def _count(reference: str, sign: str, number: int) -> Condition:
    compare = _COMPARE[sign]
    field = int(reference.partition("-")[2])

    def test(state: State, values: list[str]) -> bool:
        text = values[field] if field < len(values) else ""
        count = text.count(state.separators.repetition) + 1 if text else 0
        return compare(count, number)

    return test
