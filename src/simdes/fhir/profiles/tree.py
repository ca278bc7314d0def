"""What a profile asks, as a tree of elements (https://hl7.org/fhir/R4/profiling.html).

Only what a profile adds to the base type is in its tree: the differentials from the base type up
to the profile, each laid over the one before. Where a differential's base is not loaded, the
snapshot stands in for both.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from simdes.errors import Invalid, TooLarge
from simdes.fhir.definitions import definition, type_names

Json = Any
Structure = dict[str, Any]
Find = Callable[[str], Structure | None]
"""A canonical URL to the StructureDefinition, None if it is not loaded."""

HL7 = "http://hl7.org/fhir/StructureDefinition/"
_DEEPEST = 30
_MOST_ELEMENTS = 20_000


@dataclass(slots=True)
class Node:
    """One element, or one slice of one, and what is asked of it; None or () where nothing is."""

    name: str
    """As in the path: ``component``, ``value[x]``; of the root the type."""
    slice_name: str = ""
    minimum: int | None = None
    maximum: int | None = None
    """None: no limit but the base type's."""
    types: tuple[dict[str, Any], ...] = ()
    fixed: Json = None
    pattern: Json = None
    binding: dict[str, Any] | None = None
    constraints: dict[str, dict[str, Any]] = field(default_factory=dict)
    slicing: dict[str, Any] | None = None
    longest: int | None = None
    least: Json = None
    most: Json = None
    children: dict[str, Node] = field(default_factory=dict)
    slices: dict[str, Node] = field(default_factory=dict)

    def walk(self) -> Iterator[Node]:
        """Yield this and every node below."""
        yield self
        for node in (*self.children.values(), *self.slices.values()):
            yield from node.walk()


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile ready to check: the type it is of, and its tree."""

    url: str
    type: str
    root: Node


def base_type(url: str) -> str:
    """Return the R4 type whose definition has this URL, "" if it is none."""
    name = url.partition("|")[0].removeprefix(HL7)
    return name if name in type_names() and "/" not in name else ""


def build(url: str, find: Find) -> Profile | None:
    """Return the profile ``url``, None if it is not loaded.

    Nor is one whose base is not loaded and that has no snapshot.
    """
    own_type = base_type(url)
    if own_type:
        return Profile(url, own_type, Node(own_type))
    structure = find(url)
    if structure is None:
        return None
    root = _tree(structure, find, 0)
    return None if root is None else Profile(structure["url"], structure["type"], root)


def _tree(structure: Structure, find: Find, depth: int) -> Node | None:
    if depth > _DEEPEST:
        raise TooLarge("profiles build on each other too often")
    base_url = structure.get("baseDefinition", "")
    differential = structure.get("differential", {}).get("element")
    root: Node | None = None
    if structure.get("derivation") != "constraint" or base_type(base_url):
        root = Node(structure["type"])
    elif differential:
        base = find(base_url)
        below = _tree(base, find, depth + 1) if base else None
        root = copy.deepcopy(below) if below else None
    if root is None or not differential:
        snapshot = structure.get("snapshot", {}).get("element")
        if not snapshot:
            return None
        root, differential = Node(structure["type"]), snapshot
    if len(differential) > _MOST_ELEMENTS:
        raise TooLarge("a profile has more elements than are taken in")
    for steps, element in _placed(differential):
        _lay(_at(root, steps), element)
    return root


def _placed(elements: list[dict[str, Any]]) -> Iterator[tuple[list[tuple[str, str]], Json]]:
    """Yield each element with its steps: name and slice, from below the root on.

    From the id (``Observation.component:systolic.code``); where there is none, from the path and
    the slices that were opened above it.
    """
    opened: dict[str, str] = {}
    for element in elements:
        path = element.get("path")
        if not isinstance(path, str):
            raise Invalid("a profile has an element without a path")
        if "sliceName" in element:
            opened = {p: s for p, s in opened.items() if path.startswith(p + ".")}
            opened[path] = element["sliceName"]
        elif "id" not in element:
            opened = {p: s for p, s in opened.items() if path.startswith(p + ".")}
        yield _steps(element, path.split("."), opened)[1:], element


def _steps(
    element: dict[str, Any], names: list[str], opened: dict[str, str]
) -> list[tuple[str, str]]:
    parts = str(element.get("id", "")).split(".")
    if len(parts) == len(names):
        pairs = (part.partition(":") for part in parts)
        return [(name, slice_name) for name, _, slice_name in pairs]
    return [(n, opened.get(".".join(names[: i + 1]), "")) for i, n in enumerate(names)]


def _at(root: Node, steps: list[tuple[str, str]]) -> Node:
    node = root
    for name, slice_name in steps:
        node = node.children.setdefault(name, Node(name))
        if not slice_name:
            continue
        # A slice of a slice is named after it: `outer/inner`.
        for part in slice_name.split("/"):
            node = node.slices.setdefault(part, Node(name, part))
    return node


def _lay(node: Node, element: dict[str, Any]) -> None:
    """Lay what ``element`` asks over ``node``."""
    if "min" in element:
        node.minimum = element["min"]
    if "max" in element:
        node.maximum = None if element["max"] == "*" else int(element["max"])
    if element.get("type"):
        node.types = tuple(t for t in element["type"] if "code" in t)
    for key, value in element.items():
        slot = next((s for p, s in _VALUES.items() if key.startswith(p) and key[len(p) :]), None)
        if slot is not None:
            setattr(node, slot, value)
    if element.get("binding", {}).get("valueSet"):
        node.binding = element["binding"]
    for constraint in element.get("constraint", ()):
        if constraint["key"] in _own_keys():
            continue  # of the base type, in a snapshot; the base type's check decides it
        node.constraints[constraint["key"]] = constraint
    if "slicing" in element:
        node.slicing = element["slicing"]
    node.longest = element.get("maxLength", node.longest)


@cache
def _own_keys() -> frozenset[str]:
    """Return the keys of the invariants of R4's types."""
    types = [definition(name) for name in type_names()]
    of_types = {c.key for t in types for c in t.constraints}
    return frozenset(
        of_types | {c.key for t in types for e in t.elements.values() for c in e.constraints}
    )


_VALUES = {"fixed": "fixed", "pattern": "pattern", "minValue": "least", "maxValue": "most"}
