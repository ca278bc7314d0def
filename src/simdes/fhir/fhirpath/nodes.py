"""Nodes of FHIR JSON: bare values, and nodes that know their type and their place.

A collection is a list of items. An item is one of

- a System value: ``bool``, ``str``, ``int``, ``Decimal``, :class:`Temporal`, :class:`Quantity`;
- a bare FHIR value: a JSON object or primitive as it stands, of which only its form is known;
- a :class:`Node`.

Navigating from a bare value leads to bare values, from a typed node to typed nodes: expressions
that ask no types run on bare values, which costs no object per step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from simdes.fhir.definitions import definition, resource_types, type_names

Collection = list[Any]


class Node:
    """A value with what JSON does not say at the value itself.

    ``value`` is the JSON value (None for a primitive with only extensions), ``element`` the
    companion ``_name`` of a primitive, {} if it has none. ``type`` is a FHIR type, an inline one by
    its path (``Patient.contact``), or "" where it is not known: then this is a bare primitive with
    a companion, and the rest is empty too. ``parent`` is None for the root; ``key`` is the member's
    JSON name (``valueQuantity``) in the parent's object, ``index`` the position if it is an array.
    ``name`` is the element's name in FHIRPath (``value``).
    """

    __slots__ = ("element", "index", "key", "name", "parent", "type", "value")

    def __init__(
        self,
        value: Any,
        element: dict[str, Any] | None,
        type: str = "",
        parent: Node | None = None,
        key: str = "",
        index: int | None = None,
        name: str = "",
    ) -> None:
        self.value = value
        self.element = element or {}
        self.type = type
        self.parent = parent
        self.key = key
        self.index = index
        self.name = name

    @property
    def is_primitive(self) -> bool:
        """Whether it is of a primitive type."""
        return type(self.value) is not dict

    @property
    def location(self) -> tuple[str | int, ...]:
        """The way from the root in JSON: ``("name", 0, "given", 1)``."""
        steps: list[str | int] = []
        at: Node | None = self
        while at is not None and at.parent is not None:
            if at.index is not None:
                steps.append(at.index)
            steps.append(at.key)
            at = at.parent
        return tuple(reversed(steps))

    @property
    def path(self) -> str:
        """The way from the root as FHIRPath: ``Patient.name[0].given[1]``."""
        steps: list[str] = []
        at: Node = self
        while at.parent is not None:
            steps.append(f".{at.name}" + ("" if at.index is None else f"[{at.index}]"))
            at = at.parent
        return at.type + "".join(reversed(steps))


Primitive = Node
"""A bare primitive with a companion."""


# --- what types have -------------------------------------------------------------------------

Members = tuple[tuple[str, str], ...]
"""The JSON names of an element, each with its type."""


@cache
def shape(type_name: str) -> Mapping[str, Members]:
    """Return the elements of a type by their names in FHIRPath; {} if it is unknown."""
    if type_name not in type_names():
        return {}
    elements = definition(type_name).elements.values()
    return {e.name: tuple(e.json_names.items()) for e in elements}


@cache
def _json_members(type_name: str) -> Mapping[str, tuple[str, str]]:
    """Return for each JSON name of a type the element's name and its type."""
    return {
        json_name: (name, type_)
        for name, members in shape(type_name).items()
        for json_name, type_ in members
    }


@cache
def ancestors(type_name: str) -> tuple[str, ...]:
    """Return the type and those it specialises, the nearest first."""
    found = []
    while type_name and type_name in type_names():
        found.append(type_name)
        type_name = definition(type_name).base
    return tuple(found)


@cache
def is_primitive_type(type_name: str) -> bool:
    """Whether FHIR's type of that name is a primitive."""
    return type_name in type_names() and definition(type_name).kind == "primitive-type"


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


# --- navigation ------------------------------------------------------------------------------


def typed_root(item: Any, type_name: str = "") -> Any:
    """Return ``item`` as a typed node; as it is if it is one, or no type is known for it."""
    if type(item) is dict:
        named = item.get("resourceType")
        if isinstance(named, str) and named in resource_types():
            return Node(item, None, named)
        return Node(item, None, type_name) if type_name else item
    if type_name and type(item) is Node and not item.type:
        return Node(item.value, item.element, type_name)
    return Node(item, None, type_name) if type_name and type(item) is not Node else item


def children(node: Any, name: str, choices: dict[str, None] | None) -> Collection:
    """Return the children of ``node`` called ``name``; ``choices`` are its names if a choice."""
    if type(node) is not dict:
        if type(node) is not Node:
            return []
        return _typed_children(node, name) if node.type else children(node.element, name, choices)
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
    return [v if e is None else Node(v, e) for v, e in _paired(value, element)]


def _paired(value: Any, element: Any) -> Iterator[tuple[Any, Any]]:
    values = value if type(value) is list else [value]
    elements = element if type(element) is list else [element]
    for at in range(max(len(values), len(elements))):
        yield (
            values[at] if at < len(values) else None,
            elements[at] if at < len(elements) else None,
        )


def _owner(node: Node) -> dict[str, Any]:
    owner: dict[str, Any] = node.value if type(node.value) is dict else node.element
    return owner


def _typed_children(node: Node, name: str) -> Collection:
    members = shape(node.type).get(name)
    if members is None:
        if name == "value" and is_primitive_type(node.type) and node.value is not None:
            return [node.value]
        return []
    owner = _owner(node)
    for key, type_name in members:
        if key in owner or "_" + key in owner:
            return list(_place(node, key, name, type_name))
    return []


def _place(parent: Node, key: str, name: str, type_name: str) -> Iterator[Node]:
    owner = _owner(parent)
    value, element = owner.get(key), owner.get("_" + key)
    is_list = type(value) is list or type(element) is list
    for index, (one, companion) in enumerate(_paired(value, element)):
        if one is None and companion is None:
            continue
        actual = type_name
        if type(one) is dict and type_name == "Resource":
            named = one.get("resourceType")
            actual = named if isinstance(named, str) and named in resource_types() else type_name
        extra = companion if type(companion) is dict else None
        yield Node(one, extra, actual, parent, key, index if is_list else None, name)


def all_children(node: Any) -> Collection:
    """Return every child of ``node``, its ``resourceType`` not among them."""
    if type(node) is Node:
        return _all_typed_children(node) if node.type else all_children(node.element)
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


def _all_typed_children(node: Node) -> Collection:
    members, owner = _json_members(node.type), _owner(node)
    names = dict.fromkeys(k.removeprefix("_") for k in owner)
    return [c for k in names if k in members for c in _place(node, k, *members[k])]


def descendants(nodes: Collection, limit: Callable[[int], None] | None = None) -> Collection:
    """Return every node below ``nodes``, each once, parents before their children."""
    found: Collection = []
    waiting = [c for n in reversed(nodes) for c in reversed(all_children(n))]
    while waiting:
        node = waiting.pop()
        found.append(node)
        if type(node) is dict or type(node) is Node:
            below = all_children(node)
            below.reverse()
            waiting += below
            if limit is not None:
                limit(len(below) + 1)
    return found


def bare(node: Any) -> Any:
    """Return the JSON value of ``node`` (None for a primitive that has only extensions)."""
    return node.value if type(node) is Node else node
