"""Flat tables by SQL on FHIR's view definitions (https://sql-on-fhir.org/ig/, version 2).

``select`` with ``column``, nested ``select``, ``forEach``, ``forEachOrNull`` and ``unionAll``;
``where``; ``constant``; ``getResourceKey()`` and ``getReferenceKey(Type)``. Paths are FHIRPath on
our own engine, within its limits. A column without ``collection`` that finds several values is
refused, as the specification wants.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import product
from types import MappingProxyType
from typing import Any

from simdes.errors import Invalid
from simdes.fhir.definitions import resource_types
from simdes.fhir.fhirpath import Node, evaluate_nodes
from simdes.fhir.fhirpath.nodes import bare
from simdes.fhir.json import loads

Row = dict[str, Any]
_RESOURCE_KEY = re.compile(r"\bgetResourceKey\(\)")
_REFERENCE_KEY = re.compile(r"\bgetReferenceKey\(\s*([A-Za-z]*)\s*\)")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TYPES = {"boolean": "boolean", "integer": "integer", "decimal": "decimal"}
_TYPES |= {"positiveInt": "integer", "unsignedInt": "integer"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, and ``boolean``, ``integer``, ``decimal``, ``string`` or ``list``."""

    name: str
    type: str


class View:
    """A view definition, ready to run."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self._definition = definition
        self.resource = definition.get("resource")
        if self.resource not in resource_types():
            raise Invalid("a view definition names a resource type of R4")
        self.name = str(definition.get("name", ""))
        if not _NAME.fullmatch(self.name):
            raise Invalid("a view definition has a name of letters, digits and underscores")
        self._constants = {c["name"]: _constant(c) for c in definition.get("constant", ())}
        self.columns = tuple(_columns(definition))
        if len({c.name for c in self.columns}) != len(self.columns) or not self.columns:
            raise Invalid("a view definition has columns, each name once")

    def rows(self, resource: Any) -> Iterator[Row]:
        """Yield the rows that ``resource`` makes; none if it is of another type."""
        if resource.get("resourceType") != self.resource:
            return
        root = _Place(resource, None, self._constants)
        for clause in self._definition.get("where", ()):
            if root.evaluate(clause["path"]) != [True]:
                return
        names = [c.name for c in self.columns]
        for row in _all(self._definition, root):
            yield {name: row.get(name) for name in names}


@cache
def views() -> Mapping[str, View]:
    """Return the views that come with this release, by name."""
    folder = resources.files("simdes.research").joinpath("view_definitions")
    found = [View(loads(f.read_bytes())) for f in folder.iterdir() if f.name.endswith(".json")]
    return MappingProxyType({v.name: v for v in sorted(found, key=lambda v: v.name)})


@dataclass(frozen=True, slots=True)
class _Place:
    resource: Any
    node: Node | None
    constants: Mapping[str, Any]

    def nodes(self, path: str) -> list[Any]:
        """Return the nodes that ``path`` leads to from here."""
        found: list[Any] = evaluate_nodes(
            _rewritten(path), self.resource, context=self.node, variables=self.constants
        )
        return found

    def evaluate(self, path: str) -> list[Any]:
        """Return the values that ``path`` leads to from here."""
        return [v for v in map(bare, self.nodes(path)) if v is not None]

    def at(self, node: Any) -> _Place:
        """Return the place ``node``."""
        return _Place(self.resource, node, self.constants)


def _all(select: Mapping[str, Any], place: _Place) -> Iterable[Row]:
    """Return the rows of a ``select`` (or the whole view): one per node that it is for each of."""
    each, or_null = select.get("forEach"), select.get("forEachOrNull")
    if each is None and or_null is None:
        return _here(select, place)
    nodes = place.nodes(str(each or or_null))
    if not nodes and or_null is not None:
        return [{c.name: None for c in _columns(select)}]
    return [row for node in nodes for row in _here(select, place.at(node))]


def _here(select: Mapping[str, Any], place: _Place) -> list[Row]:
    parts: list[Iterable[Row]] = [[{c["name"]: _cell(c, place) for c in select.get("column", ())}]]
    parts += [_all(inner, place) for inner in select.get("select", ())]
    if "unionAll" in select:
        parts.append([row for inner in select["unionAll"] for row in _all(inner, place)])
    return [{k: v for part in parts_ for k, v in part.items()} for parts_ in product(*parts)]


def _cell(column: Mapping[str, Any], place: _Place) -> Any:
    values = place.evaluate(column["path"])
    if column.get("collection"):
        return values
    if len(values) > 1:
        raise Invalid("a column of a view finds several values and is no collection")
    return values[0] if values else None


def _columns(select: Mapping[str, Any]) -> Iterator[Column]:
    for column in select.get("column", ()):
        if not _NAME.fullmatch(str(column.get("name", ""))) or "path" not in column:
            raise Invalid("a column of a view has a name of letters and digits, and a path")
        kind = _TYPES.get(column.get("type", "string"), "string")
        yield Column(column["name"], "list" if column.get("collection") else kind)
    for inner in select.get("select", ()):
        yield from _columns(inner)
    branches = [[*_columns(inner)] for inner in select.get("unionAll", ())]
    if any(b != branches[0] for b in branches):
        raise Invalid("the branches of a unionAll have the same columns")
    yield from branches[0] if branches else ()


def _constant(constant: Mapping[str, Any]) -> Any:
    return next((v for k, v in constant.items() if k.startswith("value")), None)


@cache
def _rewritten(path: str) -> str:
    """Return ``path`` with the view definitions' own two functions in FHIRPath's terms."""

    def key(match: re.Match[str]) -> str:
        only = f".where(startsWith('{match[1]}/'))" if match[1] else ""
        return f"reference{only}.select(split('/').last())"

    return _REFERENCE_KEY.sub(key, _RESOURCE_KEY.sub("id", path))
