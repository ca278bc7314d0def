"""Extensions wherever they stand: each is checked against its definition, if that is loaded.

https://hl7.org/fhir/R4/extensibility.html: what it may hold, and where it may stand
(``StructureDefinition.context``).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from simdes.fhir.definitions import definition, type_names
from simdes.fhir.profiles.values import Item, children

_NAMES = ("extension", "modifierExtension")


Placed = tuple[Item, str, frozenset[str]]


def extensions(item: Item, path: str, place: str = "") -> Iterator[Placed]:
    """Yield each extension at and below ``item`` with its path and what its host may be called.

    ``place`` is the path of ``item`` in definitions: ``Patient.name``.
    """
    place = place or item.type
    hosts = frozenset({place, *_kinds(item.type)})
    for name in _elements(item):
        for child in children(item, name):
            if name in _NAMES:
                yield child, path + child.step, hosts
            is_resource = "resourceType" in child.members
            inner = child.type if is_resource else f"{place}.{name}"
            yield from _inside(item, child, name, path, inner)


def _inside(item: Item, child: Item, name: str, path: str, inner: str) -> Iterator[Placed]:
    own = f"{item.type}.{name}"
    for found, where, hosts in extensions(child, path + child.step, inner):
        yield found, where, hosts | {own} if inner in hosts else hosts


def _elements(item: Item) -> list[str]:
    """Return the elements of ``item`` that are extensions or hold some."""
    names = _json_names(item.type)
    held = [k.lstrip("_") for k, v in item.members.items() if k in _NAMES or _holds(v)]
    return list(dict.fromkeys(names[one] for one in held if one in names))


def _holds(value: Any) -> bool:
    """Whether there is an extension in a JSON value: most have none, and need no walk by types."""
    if isinstance(value, dict):
        return any(key in _NAMES or _holds(one) for key, one in value.items())
    return isinstance(value, list) and any(map(_holds, value))


@cache
def _json_names(type_: str) -> dict[str, str]:
    """Return each member name of the type with the name of its element."""
    if type_ not in type_names():
        return {}
    elements = definition(type_).elements.values()
    return {json: e.name for e in elements for json in e.json_names}


@cache
def _kinds(type_: str) -> tuple[str, ...]:
    """Return the type and those it is built on."""
    found = []
    while type_:
        found.append(type_)
        type_ = definition(type_).base
    return tuple(found)


def may_stand(structure: dict[str, Any], hosts: frozenset[str]) -> bool:
    """Whether the extension defined by ``structure`` may stand where the host is so called.

    Only contexts that name elements are decided; others (``fhirpath``, ``extension``) may be met.
    """
    contexts = structure.get("context", [])
    if not contexts or any(c.get("type") != "element" for c in contexts):
        return True
    names = {str(c.get("expression", "")).replace("[x]", "") for c in contexts}
    return not names.isdisjoint(hosts)
