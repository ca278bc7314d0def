"""Types of items, and the type specifiers of ``is``, ``as`` and ``ofType``.

http://hl7.org/fhirpath/N1/#types; System's types begin with a capital, FHIR's primitives do not:
``Boolean`` is System's, ``boolean`` FHIR's (https://hl7.org/fhir/R4/fhirpath.html#types).

``is`` holds for a type and those it specialises. ``as`` and ``ofType`` take a primitive of exactly
the type asked (a ``code`` is not an ``ofType(string)``), as the published tests have it, because a
choice of elements is told apart by them; for other types they are as ``is``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from simdes.errors import Invalid
from simdes.fhir.definitions import resource_types, type_names
from simdes.fhir.fhirpath.errors import PathError
from simdes.fhir.fhirpath.nodes import Node, ancestors, bare, is_primitive_type
from simdes.fhir.fhirpath.parse import Node as Tree
from simdes.fhir.fhirpath.parse import Step
from simdes.fhir.fhirpath.quantity import Quantity
from simdes.fhir.fhirpath.temporal import Temporal

SYSTEM = frozenset(
    ("Any", "Boolean", "Date", "DateTime", "Decimal", "Integer", "Quantity", "String", "Time")
)

# Profiles on Quantity that R4 uses as the names of types.
_PROFILES = {"MoneyQuantity": "Quantity", "SimpleQuantity": "Quantity"}

# Types that the JSON value alone tells; what a string is, only its definition knows.
_BARE_TYPES: Mapping[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "Boolean": (bool,),
    "decimal": (Decimal, int),
    "Decimal": (Decimal,),
    "integer": (int,),
    "Integer": (int,),
}


@dataclass(frozen=True, slots=True)
class Specifier:
    """A type as an expression names it; ``namespace`` is FHIR, System or "" if left out."""

    namespace: str
    name: str


def specifier(node: Tree) -> Specifier:
    """Return the type that ``node`` names; raises ``Invalid`` if there is none of that name."""
    if not isinstance(node, Step):
        raise Invalid("a FHIRPath type specifier is a name")
    namespace = ""
    if node.target is not None:
        if not isinstance(node.target, Step) or node.target.target is not None:
            raise Invalid("a FHIRPath type specifier is a name, perhaps with its namespace")
        namespace = node.target.name
        if namespace not in ("FHIR", "System"):
            raise Invalid("FHIRPath types are of the namespaces FHIR and System")
    name = _PROFILES.get(node.name, node.name)
    is_known = name in type_names() or (not namespace and name in SYSTEM)
    if namespace != "System" and not is_known:
        raise Invalid("FHIRPath names a type that FHIR R4 does not have")
    return Specifier(namespace, name)


def is_told_by_json(asked: Specifier) -> bool:
    """Whether the JSON value alone, without its definition, tells if it is of that type."""
    return asked.name in _BARE_TYPES or asked.name in resource_types()


def is_of_type(item: Any, asked: Specifier) -> bool:
    """Return whether ``item`` is of the type or of one that specialises it."""
    if type(item) is Node and item.type:
        return asked.namespace != "System" and asked.name in ancestors(item.type)
    value = bare(item)
    if type(value) is dict:
        return _is_bare_object(value, asked)
    if type(item) is not Node and _is_system(value, asked):
        return True
    if asked.name in _BARE_TYPES:
        kinds = _BARE_TYPES[asked.name]
        return bool in kinds if type(value) is bool else isinstance(value, kinds)
    if type(item) is Node and asked.namespace != "System" and asked.name not in resource_types():
        raise PathError("a type that can't be told from the JSON value")
    return False


def is_exactly(item: Any, asked: Specifier) -> bool:
    """Return whether ``as`` and ``ofType`` take ``item``: see the top of this module."""
    if type(item) is Node and item.type and is_primitive_type(item.type):
        return asked.namespace != "System" and item.type == asked.name
    return is_of_type(item, asked)


def _is_bare_object(value: dict[str, Any], asked: Specifier) -> bool:
    named = value.get("resourceType")
    if isinstance(named, str):
        return asked.name in ancestors(named)
    if asked.name in _BARE_TYPES or asked.name in resource_types():
        return False
    if is_primitive_type(asked.name) or (asked.name in SYSTEM and asked.name != "Quantity"):
        return False
    raise PathError("a type that can't be told from the JSON value")


def _is_system(value: Any, asked: Specifier) -> bool:
    return asked.namespace != "FHIR" and asked.name in ("Any", _system_name(value))


def _system_name(value: Any) -> str:
    if type(value) is Temporal:
        return value.kind
    return _SYSTEM_NAMES.get(type(value), "")


_SYSTEM_NAMES = {
    bool: "Boolean",
    Decimal: "Decimal",
    int: "Integer",
    Quantity: "Quantity",
    str: "String",
}


def type_of(item: Any) -> tuple[str, str]:
    """Return namespace and name of the type of ``item``."""
    if type(item) is Node and item.type:
        return "FHIR", "BackboneElement" if "." in item.type else item.type
    value = bare(item)
    if type(value) is dict:
        return "FHIR", str(value.get("resourceType", "Element"))
    return "System", _system_name(value)
