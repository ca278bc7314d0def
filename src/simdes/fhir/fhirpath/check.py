"""Whether an expression can mean anything on a type: errors that no resource need show.

http://hl7.org/fhirpath/N1/#type-safety-and-strict-evaluation: an element that the type does not
have, a choice written as in JSON (``valueQuantity``), a conversion to a type that can't be there,
an order asked of what has none. Evaluating is lenient, as the specification allows: there such a
path is empty. What is not known for sure is let pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from simdes.errors import Invalid
from simdes.fhir.definitions import definition, type_names
from simdes.fhir.fhirpath.compile import compile_exactly
from simdes.fhir.fhirpath.nodes import ancestors, is_primitive_type
from simdes.fhir.fhirpath.parse import (
    Binary,
    Call,
    Index,
    Literal,
    Node,
    Sign,
    Step,
    Union,
    Variable,
    parse,
)
from simdes.fhir.fhirpath.types import specifier, type_of

_TEXTUAL = frozenset(
    ("contains", "endsWith", "indexOf", "length", "lower", "matches", "matchesFull", "replace",
     "replaceMatches", "split", "startsWith", "substring", "toChars", "trim", "upper")
)  # fmt: skip
_NO_STRINGS = frozenset(("boolean", "integer", "decimal", "positiveInt", "unsignedInt"))
_TESTS = frozenset(
    ("all", "allFalse", "allTrue", "anyFalse", "anyTrue", "conformsTo", "empty", "exists",
     "hasValue", "isDistinct", "memberOf", "not", "subsetOf", "supersetOf")
)  # fmt: skip
_PER_ITEM = frozenset(("all", "exists", "select", "where"))
_ORDERED = frozenset(("first", "last", "skip", "tail", "take"))
_SAME = frozenset(("distinct", "first", "intersect", "last", "single", "skip", "tail", "take",
                   "trace", "where", "exclude", "sort"))  # fmt: skip
_LOGIC = frozenset(
    ("and", "or", "xor", "implies", "=", "!=", "~", "!~", "<", "<=", ">", ">=", "in", "contains")
)
_DATES = frozenset(("Date", "DateTime", "Time", "date", "dateTime", "instant", "time"))
_NUMBERS = frozenset(("Integer", "Decimal", "integer", "decimal", "positiveInt", "unsignedInt"))


@dataclass(frozen=True, slots=True)
class Shape:
    """What a collection can hold: ``types`` (None: any), one item or ``is_many``, in an order."""

    types: frozenset[str] | None = None
    is_many: bool = False
    is_ordered: bool = True

    def is_only(self, names: frozenset[str]) -> bool:
        """Whether it surely holds nothing but items of the types ``names``."""
        return bool(self.types) and self.types is not None and self.types <= names


_ANY = Shape()
_BOOLEAN = Shape(frozenset(("Boolean",)))


def check(expression: str, type_name: str) -> None:
    """Raise ``Invalid`` if ``expression``, started at a ``type_name``, surely is a mistake."""
    compile_exactly(expression)
    _infer(parse(expression), Shape(frozenset((type_name,))))


def _infer(node: Node, focus: Shape) -> Shape:
    return _RULES[type(node)](node, focus)


def _literal(node: Literal, focus: Shape) -> Shape:
    return Shape(frozenset(type_of(v)[1] for v in node.values))


def _variable(node: Variable, focus: Shape) -> Shape:
    return focus if node.name == "$this" else _ANY


def _union(node: Union, focus: Shape) -> Shape:
    shapes = [_infer(p, focus) for p in node.parts]
    known = [s.types for s in shapes if s.types is not None]
    filled = [s for s in shapes if s.types != frozenset()]
    types = frozenset().union(*known) if len(known) == len(shapes) else None
    return Shape(types, is_many=len(filled) > 1 or any(s.is_many for s in shapes))


def _sign(node: Sign, focus: Shape) -> Shape:
    return _infer(node.operand, focus)


def _index(node: Index, focus: Shape) -> Shape:
    target = _infer(node.target, focus)
    _infer(node.index, focus)
    _need_order(target)
    return replace(target, is_many=False)


def _need_order(target: Shape) -> None:
    if not target.is_ordered:
        raise Invalid("FHIRPath asks for a position among items that have no order")


# --- paths -----------------------------------------------------------------------------------


def _step(node: Step, focus: Shape) -> Shape:
    if node.target is None and node.name in type_names() and node.name[0].isupper():
        if focus.types and not any(_related(t, node.name) for t in focus.types):
            raise Invalid("the FHIRPath expression begins with a type that the focus is not")
        return Shape(frozenset((node.name,)))
    return _child(node.name, focus if node.target is None else _infer(node.target, focus))


def _child(child: str, target: Shape) -> Shape:
    """Return what the children called ``child`` of ``target`` can be."""
    if target.types is None:
        return Shape(None, is_many=True, is_ordered=target.is_ordered)
    types: set[str] = set()
    is_found, is_open, is_many = False, False, target.is_many
    for name in target.types:
        element = definition(name).elements.get(child) if name in type_names() else None
        if element is None:
            is_value = child == "value" and is_primitive_type(name)
            is_open = is_open or is_value or name in ("Resource", "DomainResource", "Element")
            continue
        is_found, is_many = True, is_many or element.is_list
        types.update(element.types)
    if not is_found and not is_open and target.types:
        raise Invalid("the FHIRPath expression asks for an element that the type does not have")
    if is_open or "Resource" in types:
        return Shape(None, is_many=True, is_ordered=target.is_ordered)
    return Shape(frozenset(types), is_many, target.is_ordered)


def _related(one: str, other: str) -> bool:
    return one in ancestors(other) or other in ancestors(one)


# --- functions -------------------------------------------------------------------------------


def _call(node: Call, focus: Shape) -> Shape:
    if node.name in ("is", "as", "ofType"):
        return _type_test(node.name, node.target, node.arguments[0], focus)
    target = focus if node.target is None else _infer(node.target, focus)
    if node.name == "iif":
        return _iif(node, target)
    if node.name in _TEXTUAL:
        _need_text(target)
    if node.name in _ORDERED:
        _need_order(target)
    if node.name in ("repeat", "aggregate", "sort", "trace", "defineVariable"):
        return target if node.name in _SAME else _ANY
    inner = replace(target, is_many=False) if node.name in _PER_ITEM else focus
    arguments = [_infer(a, inner) for a in node.arguments]
    return _result(node.name, target, arguments)


def _result(name: str, target: Shape, arguments: list[Shape]) -> Shape:
    if name in _TESTS:
        return _BOOLEAN
    if name in _SAME:
        return replace(target, is_many=target.is_many and name not in ("first", "last", "single"))
    if name == "select":
        return replace(arguments[0], is_many=target.is_many or arguments[0].is_many)
    if name == "extension":
        return Shape(frozenset(("Extension",)), is_many=True)
    if name in ("children", "descendants"):
        return Shape(None, is_many=True, is_ordered=False)
    return _ANY


def _need_text(target: Shape) -> None:
    for name in target.types or ():
        is_text = is_primitive_type(name) and name not in _NO_STRINGS
        if is_text or name in ("String", "Any"):
            return
    if target.types:
        raise Invalid("the FHIRPath expression calls a function of strings on what is none")


def _iif(node: Call, target: Shape) -> Shape:
    condition, *results = [_infer(a, target) for a in node.arguments]
    if condition.is_many and condition.types is not None:
        raise Invalid("iif takes one condition")
    if condition.types and not condition.types & {"boolean", "Boolean"}:
        raise Invalid("iif takes a boolean as its condition")
    if any(r.types is None for r in results):
        return _ANY
    return Shape(frozenset().union(*(r.types or frozenset() for r in results)))


def _type_test(name: str, target: Node | None, type_: Node, focus: Shape) -> Shape:
    asked = specifier(type_)
    if isinstance(target, Step) and target.target is not None:
        owner = _infer(target.target, focus)
        shape, is_choice = _child(target.name, owner), _is_choice(target.name, owner)
    else:
        shape = focus if target is None else _infer(target, focus)
        is_choice = isinstance(target, Step) and _is_choice(target.name, focus)
    if name == "is":
        return _BOOLEAN
    is_possible = shape.types is None or any(
        asked.name == t or _related(t, asked.name) for t in shape.types
    )
    if not is_possible and shape.types and is_choice:
        raise Invalid("the FHIRPath expression asks for a type that the choice does not have")
    return replace(shape, types=frozenset((asked.name,)))


def _is_choice(name: str, owner: Shape) -> bool:
    elements = [definition(o).elements.get(name) for o in owner.types or () if o in type_names()]
    return any(e is not None and e.is_choice for e in elements)


# --- operators -------------------------------------------------------------------------------


def _binary(node: Binary, focus: Shape) -> Shape:
    if node.operator in ("is", "as"):
        return _type_test(node.operator, node.left, node.right, focus)
    left, right = _infer(node.left, focus), _infer(node.right, focus)
    if node.operator in _LOGIC:
        return _BOOLEAN
    if node.operator in ("+", "-") and left.is_only(_DATES) and right.is_only(_NUMBERS):
        raise Invalid("a date moves by a quantity of time, not by a number")
    return Shape(frozenset(("String",))) if node.operator == "&" else _ANY


_RULES: Mapping[type, Callable[..., Shape]] = {
    Binary: _binary,
    Call: _call,
    Index: _index,
    Literal: _literal,
    Sign: _sign,
    Step: _step,
    Union: _union,
    Variable: _variable,
}
