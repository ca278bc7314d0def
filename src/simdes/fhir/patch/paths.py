"""FHIRPath Patch (https://hl7.org/fhir/R4/fhirpatch.html): operations in a Parameters resource.

``add``, ``insert``, ``delete``, ``replace`` and ``move``, all of them or none. A path has to lead
to one element (to one whole list, for ``insert`` and ``move``) of the resource itself, what is
contained in it included; ``resolve()`` leads out of it. An object that a ``delete`` leaves empty
goes, too, since no element can be empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simdes.errors import Invalid, TooLarge
from simdes.fhir.definitions import Element
from simdes.fhir.fhirpath import locate
from simdes.fhir.fhirpath.nodes import Node
from simdes.fhir.fhirpath.scope import STEPS
from simdes.fhir.patch.copying import Copier, copied
from simdes.fhir.patch.values import (
    Given,
    Json,
    Pair,
    Place,
    element_of,
    fitted,
    given_of,
    pairs_at,
    write,
)

MAX_OPERATIONS = 200
"""Together they may take as many steps of FHIRPath as one expression may."""

_TEXTS = {"type": ("valueCode", "valueString"), "path": ("valueString",), "name": ("valueString",)}
_NUMBER = ("valueInteger", "valueUnsignedInt", "valuePositiveInt")
_NUMBERS = dict.fromkeys(("index", "source", "destination"), _NUMBER)
_NOTHING = "there is nothing at the path"
_LAST_STEP = re.compile(r"(.+)\.([A-Za-z]+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its parts by name, its value, and how many steps its path may take."""

    parts: Mapping[str, Any]
    value: Given | None
    steps: int

    def text(self, name: str) -> str:
        """Return the part ``name``, which has to be there."""
        found = self.parts.get(name)
        if not isinstance(found, str):
            raise Invalid(f"{name} is missing or not of its type")
        return found

    def number(self, name: str) -> int:
        """Return the part ``name``, which has to be there and not to be negative."""
        found = self.parts.get(name)
        if type(found) is not int or found < 0:
            raise Invalid(f"{name} is missing or no index")
        return found

    def given(self) -> Given:
        """Return the value, which has to be there."""
        if self.value is None:
            raise Invalid("value is missing")
        return self.value


def apply(resource: Json, parameters: Any) -> Json:
    """Return ``resource`` after the operations in ``parameters``; both stay as they are.

    Raises Invalid for what is no patch, does not fit or leads elsewhere, TooLarge beyond 200
    operations or the limits of FHIRPath and of copies.
    """
    copier = Copier()
    patched: Json = copied(resource)
    listed = _listed(parameters)
    for number, parameter in enumerate(listed):
        try:
            operation = _operation(copier.copied(parameter), STEPS // len(listed))
            operate = _OPERATIONS.get(operation.text("type"))
            if operate is None:
                raise Invalid("type is one of add, insert, delete, replace and move")
            operate(patched, operation)
        except Invalid as error:
            raise Invalid(f"operation {number}: {error.message}") from None
    return patched


def _listed(parameters: Any) -> list[Any]:
    is_one = isinstance(parameters, dict) and parameters.get("resourceType") == "Parameters"
    listed = parameters.get("parameter", []) if is_one else None
    if not isinstance(listed, list):
        raise Invalid("a FHIRPath Patch is a Parameters resource")
    if len(listed) > MAX_OPERATIONS:
        raise TooLarge(f"more than {MAX_OPERATIONS} operations in a patch")
    return listed


def _operation(parameter: Any, steps: int) -> Operation:
    is_one = isinstance(parameter, dict) and parameter.get("name") == "operation"
    listed = parameter.get("part") if is_one else None
    if not isinstance(listed, list):
        raise Invalid("each parameter is named operation and has parts")
    parts: dict[str, Any] = {}
    value: Given | None = None
    for part in listed:
        name = part.get("name") if isinstance(part, dict) else None
        if name == "value" and value is None:
            value = given_of(part)
            continue
        keys = (_TEXTS | _NUMBERS).get(str(name))
        if keys is None or name in parts:
            raise Invalid("a part stands twice, or is none of an operation's")
        parts[str(name)] = next((part[key] for key in keys if key in part), None)
    return Operation(parts, value, steps)


# --- the operations --------------------------------------------------------------------------


def _add(resource: Json, operation: Operation) -> None:
    node = _one(resource, operation)
    if node is None:
        raise Invalid(_NOTHING)
    _append(node, operation.text("name"), operation.given())


def _append(node: Node, name: str, given: Given) -> None:
    element, called = element_of(node.type, name)
    place, pair = fitted(given, element, called)
    owner = _inside(node)
    there = {key for key in element.json_names if key in owner or "_" + key in owner}
    if there and not place.is_list:
        raise Invalid("the element is there already; replace it")
    write(owner, place, [*pairs_at(owner, place.key), pair])
    _keep(node, owner)


def _insert(resource: Json, operation: Operation) -> None:
    path, index = operation.text("path"), operation.number("index")
    nodes = _located(resource, path, operation.steps)
    if not nodes:
        last = _LAST_STEP.fullmatch(path.strip())
        if index or last is None:
            raise Invalid(_NOTHING)
        owners = _located(resource, last[1], operation.steps)
        if len(owners) != 1:
            raise Invalid(_NOTHING)
        _append(owners[0], last[2], operation.given())
        return
    owner, element, place, pairs = _list_of(nodes)
    _, pair = fitted(operation.given(), element)
    if index > len(pairs):
        raise Invalid("the list is shorter than index")
    pairs.insert(index, pair)
    write(owner, place, pairs)


def _move(resource: Json, operation: Operation) -> None:
    nodes = _located(resource, operation.text("path"), operation.steps)
    if not nodes:
        raise Invalid(_NOTHING)
    owner, _, place, pairs = _list_of(nodes)
    source, destination = operation.number("source"), operation.number("destination")
    if max(source, destination) >= len(pairs):
        raise Invalid("the list is shorter than source or destination")
    pairs.insert(destination, pairs.pop(source))
    write(owner, place, pairs)


def _delete(resource: Json, operation: Operation) -> None:
    node = _one(resource, operation)
    if node is not None:
        _drop(node)


def _replace(resource: Json, operation: Operation) -> None:
    node = _one(resource, operation)
    if node is None:
        raise Invalid(_NOTHING)
    owner, (element, place) = _owner(node), _element(node)
    new, pair = fitted(operation.given(), element)
    if new.key == place.key:
        pairs = pairs_at(owner, place.key)
        pairs[node.index or 0] = pair
        write(owner, place, pairs)
    else:  # a choice of another type
        write(owner, place, [])
        write(owner, new, [pair])


_OPERATIONS: Mapping[str, Callable[[Json, Operation], None]] = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}


# --- places ----------------------------------------------------------------------------------


def _located(resource: Json, path: str, steps: int) -> list[Node]:
    """Return the nodes at ``path``, each once. Raises Invalid for any outside the resource."""
    found: dict[tuple[str | int, ...], Node] = {}
    for node in locate(path, resource, steps=steps):
        top = node
        while top.parent is not None:
            top = top.parent
        if top.value is not resource:
            raise Invalid("the path leads out of the resource")
        found[node.location] = node
    return list(found.values())


def _one(resource: Json, operation: Operation) -> Node | None:
    nodes = _located(resource, operation.text("path"), operation.steps)
    if len(nodes) > 1:
        raise Invalid("the path leads to several elements")
    return nodes[0] if nodes else None


def _owner(node: Node) -> Json:
    """Return the object that holds ``node``: its parent, or what extends a primitive parent."""
    parent = node.parent
    if parent is None:
        raise Invalid("the whole resource can't be changed like an element of it")
    owner: Json = parent.value if isinstance(parent.value, dict) else parent.element
    return owner


def _element(node: Node) -> tuple[Element, Place]:
    """Return the definition of ``node`` in its parent, and its place there."""
    if node.parent is None or not node.key:
        raise Invalid("the path leads to what is no element")
    element, _ = element_of(node.parent.type, node.key)
    return element, Place(node.key, element.is_list)


def _list_of(nodes: list[Node]) -> tuple[Json, Element, Place, list[Pair]]:
    """Return the list that ``nodes`` are, all of it: its owner, definition, place and items."""
    first, owner = nodes[0], _owner(nodes[0])
    element, place = _element(first)
    pairs = pairs_at(owner, place.key)
    if any(node.key != first.key or _owner(node) is not owner for node in nodes):
        raise Invalid("the path leads to elements of several lists")
    if not place.is_list or len(nodes) != len(pairs):
        raise Invalid("the path has to lead to a list, and to all of it")
    return owner, element, place, pairs


def _inside(node: Node) -> Json:
    """Return the object that holds the children of ``node``."""
    owner: Json = node.value if isinstance(node.value, dict) else node.element
    return owner


def _keep(node: Node, owner: Json) -> None:
    """Make ``owner``, which may be new, what extends the primitive ``node``."""
    if isinstance(node.value, dict) or node.parent is None:
        return
    holder, (_, place) = _owner(node), _element(node)
    pairs = pairs_at(holder, place.key)
    pairs[node.index or 0] = (node.value, owner)
    write(holder, place, pairs)


def _drop(node: Node) -> None:
    """Take ``node`` away, and what is empty without it."""
    owner, (_, place) = _owner(node), _element(node)
    pairs = pairs_at(owner, place.key)
    del pairs[node.index or 0]
    write(owner, place, pairs)
    parent = node.parent
    if owner or parent is None or parent.parent is None:
        return
    if parent.value is None or isinstance(parent.value, dict):
        _drop(parent)
    else:
        holder, (_, around) = _owner(parent), _element(parent)
        pairs = pairs_at(holder, around.key)
        pairs[parent.index or 0] = (parent.value, None)
        write(holder, around, pairs)
