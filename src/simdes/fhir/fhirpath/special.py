"""Functions that evaluate their arguments in a way of their own.

Each is built from the closure of what it is called on and from the tree of the call, with the
compiler for its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cmp_to_key
from typing import Any

from simdes.fhir.fhirpath.equality import compare, key, single, truth
from simdes.fhir.fhirpath.errors import PathError
from simdes.fhir.fhirpath.nodes import Collection, all_children, descendants
from simdes.fhir.fhirpath.parse import Call, Sign, Variable
from simdes.fhir.fhirpath.parse import Node as Tree
from simdes.fhir.fhirpath.scope import Compiled, Scope

Compile = Callable[[Tree], Compiled]
Build = Callable[[Compile, Compiled, Call], Compiled]


def _iif(compile_: Compile, target: Compiled, node: Call) -> Compiled:
    condition, then, *otherwise = [compile_(a) for a in node.arguments]
    has_target = node.target is not None

    def iif(focus: Collection, scope: Scope) -> Collection:
        nodes = target(focus, scope)
        if has_target and len(nodes) > 1:
            raise PathError("iif takes one item")
        scope.spend(1)
        if truth(condition(nodes, scope)):
            return then(nodes, scope)
        return otherwise[0](nodes, scope) if otherwise else []

    return iif


def _repeat(compile_: Compile, target: Compiled, node: Call) -> Compiled:
    argument = compile_(node.arguments[0])

    def repeat(focus: Collection, scope: Scope) -> Collection:
        found: dict[Any, Any] = {}
        waiting = target(focus, scope)
        while waiting:
            scope.charge(waiting, compared=scope.is_limited)
            below = [c for n in waiting for c in argument([n], scope)]
            waiting = []
            for item in below:
                if (name := key(item)) not in found:
                    found[name] = item
                    waiting.append(item)
        return list(found.values())

    return repeat


def _aggregate(compile_: Compile, target: Compiled, node: Call) -> Compiled:
    argument, *start = [compile_(a) for a in node.arguments]

    def aggregate(focus: Collection, scope: Scope) -> Collection:
        outer, at = scope.total, scope.index
        items = target(focus, scope)
        total = start[0](focus, scope) if start else []
        try:
            for index, item in enumerate(items):
                scope.total, scope.index = total, index
                scope.charge(total)
                total = argument([item], scope)
        finally:
            scope.total, scope.index = outer, at
        return total

    return aggregate


def _sort(compile_: Compile, target: Compiled, node: Call) -> Compiled:
    """Sort by keys, each in falling order if written with ``-`` (http://hl7.org/fhirpath/#sort)."""
    keys = [
        (compile_(k.operand), True)
        if isinstance(k, Sign) and k.sign == "-"
        else (compile_(k), False)
        for k in node.arguments or (Variable("$this"),)
    ]

    def sort(focus: Collection, scope: Scope) -> Collection:
        items = list(target(focus, scope))
        scope.charge(items)
        for by, is_falling in reversed(keys):
            scope.spend(len(items) * max(len(items).bit_length(), 1))
            items.sort(key=_sort_key(by, scope, is_falling=is_falling))
        return items

    return sort


def _sort_key(by: Compiled, scope: Scope, *, is_falling: bool) -> Callable[[Any], Any]:
    def order(left: Collection, right: Collection) -> int:
        if not left or not right:
            return int(bool(left)) - int(bool(right))  # nothing comes first in either direction
        found = compare(left[0], right[0]) or 0
        return -found if is_falling else found

    as_key = cmp_to_key(order)

    def value(item: Any) -> Any:
        found = by([item], scope)
        if len(found) > 1:
            raise PathError("a sort key is one value")
        return as_key(found)

    return value


def _trace(compile_: Compile, target: Compiled, node: Call) -> Compiled:
    label, *projection = [compile_(a) for a in node.arguments]

    def trace(focus: Collection, scope: Scope) -> Collection:
        items, name = target(focus, scope), single(label(focus, scope))
        report = scope.surroundings.trace
        if report is not None and isinstance(name, str):
            shown = [c for n in items for c in projection[0]([n], scope)] if projection else items
            report(name, shown)
        return items

    return trace


def _below(compile_: Compile, target: Compiled, node: Call) -> Compiled:
    def below(focus: Collection, scope: Scope) -> Collection:
        return descendants(target(focus, scope), scope.spend if scope.is_limited else None)

    return below


def _children(compile_: Compile, target: Compiled, node: Call) -> Compiled:
    def found(focus: Collection, scope: Scope) -> Collection:
        nodes = [c for n in target(focus, scope) for c in all_children(n)]
        if scope.is_limited:
            scope.spend(len(nodes) + 1)
        return nodes

    return found


SPECIAL: Mapping[str, tuple[int, int, Build]] = {
    "aggregate": (1, 2, _aggregate),
    "children": (0, 0, _children),
    "descendants": (0, 0, _below),
    "iif": (2, 3, _iif),
    "repeat": (1, 1, _repeat),
    "sort": (0, 20, _sort),
    "trace": (1, 2, _trace),
}
"""By name: the least and the most arguments, and the builder."""
