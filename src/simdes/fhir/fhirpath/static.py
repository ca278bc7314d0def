"""What can be said of an expression before it meets a resource."""

from __future__ import annotations

from decimal import Decimal

from simdes.errors import Invalid
from simdes.fhir.definitions import definition, resource_types, type_names
from simdes.fhir.fhirpath.nodes import ancestors, is_primitive_type
from simdes.fhir.fhirpath.parse import Binary, Call, Index, Literal, Node, Step, Variable, walk
from simdes.fhir.fhirpath.types import Specifier, is_told_by_json, specifier

# Functions that ask for no type, and whose result is the same for bare values.
_BARE_FUNCTIONS = frozenset(
    """all allFalse allTrue anyFalse anyTrue children combine contains count descendants distinct
    empty endsWith exclude exists extension first hasValue iif indexOf intersect isDistinct last
    length lower matches not replace replaceMatches resolve select single skip startsWith subsetOf
    substring supersetOf tail take toInteger toString trace union upper where""".split()  # noqa: SIM905
)
_PASSING = frozenset(("where", "first", "last", "tail", "skip", "take", "single", "trace"))
_TYPE_FUNCTIONS = ("is", "as", "ofType")
_BARE_LITERALS = (bool, str, int, Decimal)
_BARE_VARIABLES = ("$this", "%resource", "%rootResource", "%context", "%ucum")


def is_bare(tree: Node) -> bool:
    """Whether bare JSON values tell all that the expression asks."""
    return all(_is_bare(n) for n in walk(tree))


def _is_bare(node: Node) -> bool:
    if isinstance(node, Call):
        if node.name in _TYPE_FUNCTIONS and len(node.arguments) == 1:
            return _is_bare_test(node.name, node.target, node.arguments[0])
        return node.name in _BARE_FUNCTIONS
    if isinstance(node, Binary) and node.operator in _TYPE_FUNCTIONS:
        return _is_bare_test(node.operator, node.left, node.right)
    if isinstance(node, Literal):
        return all(type(v) in _BARE_LITERALS for v in node.values)
    if isinstance(node, Variable):
        return node.name in _BARE_VARIABLES
    return not isinstance(node, Binary) or node.operator not in ("~", "!~")


def _is_bare_test(name: str, target: Node | None, type_: Node) -> bool:
    try:
        asked = specifier(type_)
    except Invalid:
        return False
    if is_told_by_json(asked):
        return True
    return name != "is" and chosen_members(target, asked) is not None


def chosen_members(target: Node | None, asked: Specifier) -> tuple[str, ...] | None:
    """Return the JSON names under which a choice holds the type asked; None if that isn't sure.

    ``("valueQuantity",)`` for ``Observation.value`` and ``Quantity``.
    """
    if not isinstance(target, Step) or asked.namespace == "System":
        return None
    owners = _types(target.target)
    if not owners:
        return None
    members: dict[str, None] = {}
    for owner in owners:
        element = definition(owner).elements.get(target.name)
        if element is None or not element.is_choice:
            return None
        for json_name, type_ in element.json_names.items():
            if _takes(type_, asked.name):
                members[json_name] = None
    return tuple(members)


def _takes(type_: str, name: str) -> bool:
    return type_ == name if is_primitive_type(type_) else name in ancestors(type_)


def _types(node: Node | None) -> frozenset[str]:
    """Return the types that ``node`` can be of; empty if that is not known."""
    if isinstance(node, Step):
        if node.target is None:
            return frozenset((node.name,)) if node.name in resource_types() else frozenset()
        return frozenset(t for o in _types(node.target) for t in _element_types(o, node.name))
    if isinstance(node, Index):
        return _types(node.target)
    if isinstance(node, Call) and node.name in _PASSING:
        return _types(node.target)
    return frozenset()


def _element_types(owner: str, name: str) -> tuple[str, ...]:
    element = definition(owner).elements.get(name) if owner in type_names() else None
    if element is None or "Resource" in element.types:
        return ()
    return element.types
