"""FHIRPath syntax tree to closures.

Every closure takes the focus (the value of ``$this``, a collection) and the scope, and returns a
collection. A function's arguments see the focus of the expression around them, except those that
are evaluated per item (``where``, ``all``, ``select``), for which the item is the focus.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simdes.errors import Unsupported
from simdes.fhir.fhirpath import functions
from simdes.fhir.fhirpath.parse import Binary, Call, Literal, Node, Step, Variable, parse
from simdes.fhir.fhirpath.values import (
    Collection,
    PathError,
    children,
    choice_names,
    compare,
    key,
    single,
    truth,
)

UCUM = "http://unitsofmeasure.org"


@dataclass(slots=True)
class Scope:
    """What an expression may refer to besides its focus.

    ``resource`` is the resource around the element, ``root`` the one that contains it (itself if
    not contained), ``context`` the element; ``resolve`` finds the resource of a literal reference,
    or None.
    """

    resource: dict[str, Any]
    root: dict[str, Any]
    context: Any
    resolve: Callable[[str], dict[str, Any] | None]


Compiled = Callable[[Collection, Scope], Collection]

_VARIABLES: dict[str, Compiled] = {
    "$this": lambda focus, scope: focus,
    "%context": lambda focus, scope: [scope.context],
    "%resource": lambda focus, scope: [scope.resource],
    "%rootResource": lambda focus, scope: [scope.root],
    "%ucum": lambda focus, scope: [UCUM],
}


_NAMESPACES = (None, Step(None, "FHIR"), Step(None, "System"))


def compile_path(text: str) -> Compiled:
    """Return the expression ``text`` compiled; raises ``Unsupported`` if it uses what is not here.

    Evaluating it may raise :class:`PathError`.
    """
    return _compile(parse(text))


def _compile(node: Node) -> Compiled:
    if isinstance(node, Literal):
        values = list(node.values)
        return lambda focus, scope: values
    if isinstance(node, Variable):
        if node.name not in _VARIABLES:
            raise Unsupported(f"FHIRPath variable {node.name}")
        return _VARIABLES[node.name]
    if isinstance(node, Step):
        return _compile_step(node)
    if isinstance(node, Call):
        return _compile_call(node)
    return _compile_binary(node)


def _compile_step(node: Step) -> Compiled:
    name = node.name
    choices = choice_names().get(name)
    if node.target is None:
        if name[0].isupper():
            return lambda focus, scope: [n for n in focus if functions.is_of_type(n, name)]
        return lambda focus, scope: (
            children(focus[0], name, choices)
            if len(focus) == 1
            else [c for n in focus for c in children(n, name, choices)]
        )
    target = _compile(node.target)

    def step(focus: Collection, scope: Scope) -> Collection:
        nodes = target(focus, scope)
        if len(nodes) == 1:
            return children(nodes[0], name, choices)
        return [c for n in nodes for c in children(n, name, choices)]

    return step


def _compile_call(node: Call) -> Compiled:
    target = _VARIABLES["$this"] if node.target is None else _compile(node.target)
    if node.name in functions.TYPE_FUNCTIONS:
        return _compile_type_function(node, target)
    arguments = [_compile(a) for a in node.arguments]
    if node.name == "iif":
        return _compile_iif(target, arguments)
    if node.name == "resolve":
        return lambda focus, scope: functions.resolve(target(focus, scope), scope.resolve)
    if arguments and node.name in functions.PER_ITEM:
        return _compile_per_item(node.name, target, arguments[0])
    if not arguments and node.name in functions.PLAIN:
        plain = functions.PLAIN[node.name]
        return lambda focus, scope: plain(target(focus, scope))
    if arguments and node.name in functions.WITH_ARGUMENTS:
        function = functions.WITH_ARGUMENTS[node.name]
        return lambda focus, scope: function(
            target(focus, scope), *[a(focus, scope) for a in arguments]
        )
    raise Unsupported(f"FHIRPath function {node.name}")


def _compile_type_function(node: Call, target: Compiled) -> Compiled:
    type_ = node.arguments[0] if len(node.arguments) == 1 else None
    if not isinstance(type_, Step) or type_.target not in _NAMESPACES:
        raise Unsupported(f"FHIRPath function {node.name} without a type")
    function, name = functions.TYPE_FUNCTIONS[node.name], type_.name
    return lambda focus, scope: function(target(focus, scope), name)


def _compile_iif(target: Compiled, arguments: list[Compiled]) -> Compiled:
    condition, then, *otherwise = arguments

    def iif(focus: Collection, scope: Scope) -> Collection:
        nodes = target(focus, scope)
        if truth(condition(nodes, scope)):
            return then(nodes, scope)
        return otherwise[0](nodes, scope) if otherwise else []

    return iif


def _compile_per_item(name: str, target: Compiled, argument: Compiled) -> Compiled:
    function = functions.PER_ITEM[name]

    def per_item(focus: Collection, scope: Scope) -> Collection:
        return function(target(focus, scope), lambda item: argument([item], scope))

    return per_item


def _compile_binary(node: Binary) -> Compiled:
    if node.operator in ("is", "as"):
        if not isinstance(node.right, Step):
            raise Unsupported(f"FHIRPath operator {node.operator} without a type")
        return _compile_type_function(
            Call(node.left, node.operator, (node.right,)), _compile(node.left)
        )
    left, right = _compile(node.left), _compile(node.right)
    if node.operator in _LOGIC:
        logic = _LOGIC[node.operator]
        return lambda focus, scope: logic(left, right, focus, scope)
    operation = _OPERATORS[node.operator]
    return lambda focus, scope: operation(left(focus, scope), right(focus, scope))


# Three-valued logic (http://hl7.org/fhirpath/N1/#boolean-logic); an empty collection is None. The
# right side is not evaluated when the left one decides.

Logic = Callable[[Compiled, Compiled, Collection, Scope], Collection]


def _and(left: Compiled, right: Compiled, focus: Collection, scope: Scope) -> Collection:
    first = truth(left(focus, scope))
    if first is False:
        return [False]
    second = truth(right(focus, scope))
    if second is False:
        return [False]
    return [True] if first and second else []


def _or(left: Compiled, right: Compiled, focus: Collection, scope: Scope) -> Collection:
    first = truth(left(focus, scope))
    if first:
        return [True]
    second = truth(right(focus, scope))
    if second:
        return [True]
    return [] if first is None or second is None else [False]


def _implies(left: Compiled, right: Compiled, focus: Collection, scope: Scope) -> Collection:
    first = truth(left(focus, scope))
    if first is False:
        return [True]
    second = truth(right(focus, scope))
    if first is None:
        return [True] if second else []
    return [] if second is None else [second]


def _xor(left: Compiled, right: Compiled, focus: Collection, scope: Scope) -> Collection:
    first, second = truth(left(focus, scope)), truth(right(focus, scope))
    return [] if first is None or second is None else [first is not second]


_LOGIC: dict[str, Logic] = {"and": _and, "or": _or, "implies": _implies, "xor": _xor}

Operation = Callable[[Collection, Collection], Collection]


def _equal(left: Collection, right: Collection) -> Collection:
    if not left or not right:
        return []
    return [len(left) == len(right) and all(map(_are_equal, left, right))]


def _are_equal(left: Any, right: Any) -> bool:
    return key(left) == key(right)


def _not_equal(left: Collection, right: Collection) -> Collection:
    return [not value for value in _equal(left, right)]


def _ordered(holds: Callable[[int], bool]) -> Operation:
    def operation(left: Collection, right: Collection) -> Collection:
        first, second = single(left), single(right)
        if first is None or second is None:
            return []
        order = compare(first, second)
        return [] if order is None else [holds(order)]

    return operation


def _in(left: Collection, right: Collection) -> Collection:
    if not left:
        return []
    if len(left) > 1:
        raise PathError("one value is needed where there are several")
    return [any(_are_equal(left[0], item) for item in right)]


def _add(left: Collection, right: Collection) -> Collection:
    first, second = single(left), single(right)
    if first is None or second is None:
        return []
    if isinstance(first, str) is not isinstance(second, str):
        raise PathError("text and number can't be added")
    return [first + second]


def _join(left: Collection, right: Collection) -> Collection:
    first, second = single(left), single(right)
    return [("" if first is None else str(first)) + ("" if second is None else str(second))]


_OPERATORS: dict[str, Operation] = {
    "=": _equal,
    "!=": _not_equal,
    "<": _ordered(lambda order: order < 0),
    "<=": _ordered(lambda order: order <= 0),
    ">": _ordered(lambda order: order > 0),
    ">=": _ordered(lambda order: order >= 0),
    "in": _in,
    "contains": lambda left, right: _in(right, left),
    "|": functions.union,
    "+": _add,
    "&": _join,
}
