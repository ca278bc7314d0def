"""FHIRPath syntax tree to closures.

Every closure takes the focus (the value of ``$this``, a collection) and the scope, and returns a
collection. A function's arguments see the focus of the expression around them, except those that
are evaluated per item (``where``, ``all``, ``select``), for which the item is the focus.

An expression is compiled to run on bare JSON values if they tell it all it asks, else on typed
nodes. What it can mean is the same; the typed form costs an object for every node it passes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from simdes.errors import Invalid
from simdes.fhir.definitions import type_names
from simdes.fhir.fhirpath import functions, operators
from simdes.fhir.fhirpath.counting import counted_argument, counted_call
from simdes.fhir.fhirpath.equality import distinct, single
from simdes.fhir.fhirpath.errors import PathError
from simdes.fhir.fhirpath.functions.signature import Function
from simdes.fhir.fhirpath.logic import LOGIC
from simdes.fhir.fhirpath.nodes import (
    Collection,
    Node,
    ancestors,
    children,
    choice_names,
    typed_root,
)
from simdes.fhir.fhirpath.parse import (
    Binary,
    Call,
    Index,
    Literal,
    Sign,
    Step,
    Union,
    Variable,
    parse,
    walk,
)
from simdes.fhir.fhirpath.parse import Node as Tree
from simdes.fhir.fhirpath.scope import Compiled, Scope
from simdes.fhir.fhirpath.special import SPECIAL
from simdes.fhir.fhirpath.static import chosen_members, is_bare
from simdes.fhir.fhirpath.types import Specifier, is_exactly, is_of_type, specifier

_CONSTANTS = {
    "%ucum": "http://unitsofmeasure.org",
    "%sct": "http://snomed.info/sct",
    "%loinc": "http://loinc.org",
}
_PREFIXES = {
    "%vs-": "http://hl7.org/fhir/ValueSet/",
    "%ext-": "http://hl7.org/fhir/StructureDefinition/",
}
_TYPE_FUNCTIONS = frozenset(("is", "as", "ofType"))


def compile_path(
    text: str, *, focus_type: str = "", is_typed: bool = False, is_counted: bool = False
) -> Compiled:
    """Return the expression ``text`` compiled; raises ``Invalid`` if it is none.

    For expressions of the standard, of profiles and of search parameters, which run often. The
    result takes the focus, a list of JSON values, and a :class:`Scope`; what it returns are JSON
    values, :class:`~simdes.fhir.fhirpath.nodes.Node` where one has a companion, and typed nodes
    throughout if ``is_typed`` or if the expression asks for types that JSON doesn't tell.
    ``focus_type`` is the FHIR type of a focus that is no resource. ``as`` passes over items of
    other types, where the specification allows one item, as R4's own search parameters need.
    ``is_counted`` spends the scope's steps, for expressions that nobody here has read.

    Evaluating it may raise :class:`PathError`, and ``Invalid`` for a pattern that is none.
    """
    tree = parse(text)
    if not is_typed and is_bare(tree):
        return _Compiler(is_typed=False, is_counted=is_counted).compile(tree)
    return _typed(_Compiler(is_typed=True, is_counted=is_counted).compile(tree), focus_type)


@lru_cache(maxsize=1024)
def compile_exactly(text: str, focus_type: str = "") -> Compiled:
    """Return ``text`` compiled to run on typed nodes, by the letter of the specification."""
    compiler = _Compiler(is_typed=True, is_counted=True, is_strict=True)
    return _typed(compiler.compile(parse(text)), focus_type)


def _typed(compiled: Compiled, focus_type: str) -> Compiled:
    return lambda focus, scope: compiled([typed_root(n, focus_type) for n in focus], scope)


@dataclass(frozen=True, slots=True)
class _Compiler:
    """``is_strict``: ``as`` refuses several items; ``is_counted``: the scope's steps are spent."""

    is_typed: bool
    is_counted: bool = False
    is_strict: bool = False

    def compile(self, node: Tree) -> Compiled:
        """Return the closure of ``node``."""
        build: Compiled = getattr(self, _BUILDERS[type(node)])(node)
        return build

    def _literal(self, node: Literal) -> Compiled:
        values = list(node.values)
        return lambda focus, scope: values

    def _variable(self, node: Variable) -> Compiled:
        name = node.name
        if name in _OF_SCOPE:
            ask = _OF_SCOPE[name]
            if not self.is_typed:
                return lambda focus, scope: [ask(scope)]
            return lambda focus, scope: [typed_root(ask(scope))]
        if name in _CONTEXTS:
            return _CONTEXTS[name]
        if name[0] == "$":
            raise Invalid("FHIRPath has $this, $index and $total")
        fixed = _CONSTANTS.get(name)
        for prefix, url in _PREFIXES.items():
            if name.startswith(prefix):
                fixed = url + name[len(prefix) :]
        if fixed is not None:
            constant = [fixed]
            return lambda focus, scope: constant
        return _environment(name[1:])

    def _step(self, node: Step) -> Compiled:
        name = node.name
        choices = choice_names().get(name)
        if node.target is None:
            if name in type_names() and name[0].isupper():
                return _root_filter(name)
            return lambda focus, scope: (
                children(focus[0], name, choices)
                if len(focus) == 1
                else _spread(focus, scope, name, choices)
            )
        target = self.compile(node.target)

        def step(focus: Collection, scope: Scope) -> Collection:
            nodes = target(focus, scope)
            if len(nodes) == 1:
                return children(nodes[0], name, choices)
            return _spread(nodes, scope, name, choices)

        return step

    def _index(self, node: Index) -> Compiled:
        target, index = self.compile(node.target), self.compile(node.index)

        def at(focus: Collection, scope: Scope) -> Collection:
            nodes, position = target(focus, scope), single(index(focus, scope))
            if position is None:
                return []
            if type(position) is not int:
                raise PathError("an index is an integer")
            return nodes[position : position + 1] if position >= 0 else []

        return at

    def _sign(self, node: Sign) -> Compiled:
        operand = self.compile(node.operand)
        apply = operators.negative if node.sign == "-" else operators.positive
        return lambda focus, scope: apply(operand(focus, scope))

    def _union(self, node: Union) -> Compiled:
        parts = [self.compile(p) for p in node.parts]

        is_counted = self.is_counted

        def union(focus: Collection, scope: Scope) -> Collection:
            found = [n for part in parts for n in part(focus, scope)]
            if is_counted:
                scope.charge(found, compared=True)
            return distinct(found)

        return union

    # --- calls -------------------------------------------------------------------------------

    def _call(self, node: Call) -> Compiled:
        if node.name in _TYPE_FUNCTIONS:
            if len(node.arguments) != 1:
                raise Invalid(f"FHIRPath function {node.name} takes a type")
            return self._type_test(node.name, node.target, node.arguments[0])
        target = _this if node.target is None else self.compile(node.target)
        if node.name in SPECIAL:
            least, most, build = SPECIAL[node.name]
            _check_count(node, least, most)
            return build(self.compile, target, node)
        if len(node.arguments) == 1 and node.name in functions.PER_ITEM:
            return self._per_item(node, target)
        return self._function(node, target)

    def _function(self, node: Call, target: Compiled) -> Compiled:
        name = node.name
        scoped, plain = functions.SCOPED.get(name), functions.PLAIN.get(name)
        function: Function[Any] | None = scoped or plain
        if function is None:
            if name in functions.PER_ITEM:
                raise Invalid(f"FHIRPath function {name} takes one argument")
            raise Invalid("FHIRPath has no function of that name")
        _check_count(node, function.least, function.most)
        call = function.call
        arguments = [self.compile(a) for a in node.arguments]
        compared = name in functions.COMPARING

        if scoped is not None:
            if not self.is_counted:
                return lambda focus, scope: call(
                    target(focus, scope), scope, *[a(focus, scope) for a in arguments]
                )
            return counted_call(
                target, arguments, lambda scope, first, *rest: call(first, scope, *rest), compared
            )
        if self.is_counted:
            return counted_call(target, arguments, lambda scope, *values: call(*values), compared)
        if not arguments:
            return lambda focus, scope: call(target(focus, scope))
        return lambda focus, scope: call(
            target(focus, scope), *[a(focus, scope) for a in arguments]
        )

    def _per_item(self, node: Call, target: Compiled) -> Compiled:
        function = functions.PER_ITEM[node.name]
        argument = self.compile(node.arguments[0])
        if self.is_counted:
            argument = counted_argument(argument)
        if "$index" in _variables(node.arguments[0]):
            return _numbered(function, target, argument)

        def per_item(focus: Collection, scope: Scope) -> Collection:
            return function(target(focus, scope), lambda item: argument([item], scope))

        return per_item

    # --- types -------------------------------------------------------------------------------

    def _type_test(self, name: str, target: Tree | None, type_: Tree) -> Compiled:
        asked = specifier(type_)
        if not self.is_typed and name != "is":
            chosen = chosen_members(target, asked)
            if chosen is not None and isinstance(target, Step):
                return self._chosen(target, chosen)
        nodes = _this if target is None else self.compile(target)
        if name == "is":
            return lambda focus, scope: _is(nodes(focus, scope), asked)
        if name == "as" and self.is_strict:
            return lambda focus, scope: _as(nodes(focus, scope), asked)
        return lambda focus, scope: [n for n in nodes(focus, scope) if is_exactly(n, asked)]

    def _chosen(self, step: Step, members: tuple[str, ...]) -> Compiled:
        """Return the choice of ``step`` where it is one of ``members``: ``valueQuantity``."""
        owners: Compiled = _this if step.target is None else self.compile(step.target)
        if len(members) == 1:
            (member,) = members
            return lambda focus, scope: [
                c for n in owners(focus, scope) for c in children(n, member, None)
            ]
        return lambda focus, scope: [
            c for n in owners(focus, scope) for m in members for c in children(n, m, None)
        ]

    # --- operators ---------------------------------------------------------------------------

    def _binary(self, node: Binary) -> Compiled:
        if node.operator in _TYPE_FUNCTIONS:
            return self._type_test(node.operator, node.left, node.right)
        left, right = self.compile(node.left), self.compile(node.right)
        if node.operator in LOGIC:
            logic = LOGIC[node.operator]
            return lambda focus, scope: logic(left, right, focus, scope)
        table = operators.EXACT if self.is_typed else operators.BARE
        operation = table[node.operator]
        if not self.is_counted:
            return lambda focus, scope: operation(left(focus, scope), right(focus, scope))
        compared = node.operator in operators.COMPARING
        return counted_call(
            left, [right], lambda scope, first, second: operation(first, second), compared
        )


_BUILDERS = {
    Binary: "_binary",
    Call: "_call",
    Index: "_index",
    Literal: "_literal",
    Sign: "_sign",
    Step: "_step",
    Union: "_union",
    Variable: "_variable",
}


# --- variables -------------------------------------------------------------------------------


def _this(focus: Collection, scope: Scope) -> Collection:
    return focus


_OF_SCOPE: dict[str, Callable[[Scope], Any]] = {
    "%context": lambda scope: scope.context,
    "%resource": lambda scope: scope.resource,
    "%rootResource": lambda scope: scope.root,
}

_CONTEXTS: dict[str, Compiled] = {
    "$this": _this,
    "$index": lambda focus, scope: [scope.index],
    "$total": lambda focus, scope: scope.total,
}


def _environment(name: str) -> Compiled:
    def variable(focus: Collection, scope: Scope) -> Collection:
        found = scope.surroundings.variables.get(name)
        if found is None:
            raise Invalid("the FHIRPath expression uses a variable that has no value here")
        return found

    return variable


def _variables(node: Tree) -> set[str]:
    return {n.name for n in walk(node) if isinstance(n, Variable)}


def _root_filter(name: str) -> Compiled:
    """Return the step ``Patient`` at the beginning: the focus, as far as it is of that type."""
    asked = Specifier("", name)

    def matches(item: Any) -> bool:
        if type(item) is dict:
            named = item.get("resourceType")
            return named == name or (isinstance(named, str) and name in ancestors(named))
        return type(item) is Node and is_of_type(item, asked)

    return lambda focus, scope: [n for n in focus if matches(n)]


def _spread(
    nodes: Collection, scope: Scope, name: str, choices: dict[str, None] | None
) -> Collection:
    scope.steps_left -= len(nodes)
    if scope.steps_left < 0:
        scope.spend(0)
    return [c for n in nodes for c in children(n, name, choices)]


# --- types -----------------------------------------------------------------------------------


def _is(nodes: Collection, asked: Specifier) -> Collection:
    if len(nodes) > 1:
        raise PathError("one value is needed where there are several")
    return [is_of_type(nodes[0], asked)] if nodes else []


def _as(nodes: Collection, asked: Specifier) -> Collection:
    if len(nodes) > 1:
        raise PathError("one value is needed where there are several")
    return [n for n in nodes if is_exactly(n, asked)]


# --- calls ---------------------------------------------------


def _check_count(node: Call, least: int, most: int) -> None:
    if not least <= len(node.arguments) <= most:
        raise Invalid(f"FHIRPath function {node.name} takes {least} to {most} arguments")


def _numbered(
    function: Callable[[Collection, Callable[[Any], Collection]], Collection],
    target: Compiled,
    argument: Compiled,
) -> Compiled:
    """Return a function per item whose argument asks for ``$index``."""

    def per_item(focus: Collection, scope: Scope) -> Collection:
        items, outer, at = target(focus, scope), scope.index, -1

        def take(item: Any) -> Collection:
            nonlocal at
            at += 1
            scope.index = at
            return argument([item], scope)

        try:
            return function(items, take)
        finally:
            scope.index = outer

    return per_item
