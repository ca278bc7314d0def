"""``$meta``, ``$meta-add`` and ``$meta-delete`` of a resource.

https://hl7.org/fhir/R4/resource-operation-meta.html and the two beside it. Profiles, tags and
labels are sets, told apart by URL or by system and code. A change of them is a version like any
other; labels are only ever added, since they decide what a consent opens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from simdes.access.categories import labels_of
from simdes.errors import Invalid, NotFound, Unsupported
from simdes.exchange.interactions import writing
from simdes.exchange.interactions.changes import Change, Method
from simdes.exchange.interactions.found import Found
from simdes.exchange.interactions.read import read
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.json import loads

Json = dict[str, Any]

_SETS: Final = ("profile", "security", "tag")


def meta(node: Node, asking: Asking, type_: str, logical_id: str) -> Json:
    """The meta of a resource as it stands. Raises as `read`."""
    return _meta_of(read(node, asking, type_, logical_id))


def add(
    node: Node, asking: Asking, type_: str, logical_id: str, given: Mapping[str, Any], *, base: str
) -> Json:
    """Add profiles, tags and labels; the meta afterwards. Raises as `writing.apply`."""

    def added(resource: Json) -> Json:
        present = resource.get("meta", {})
        return _with(
            resource,
            {name: _union(present.get(name, ()), given.get(name, ())) for name in _SETS},
        )

    return _changed(node, asking, type_, logical_id, added, base=base)


def delete(
    node: Node, asking: Asking, type_: str, logical_id: str, given: Mapping[str, Any], *, base: str
) -> Json:
    """Take profiles and tags away; the meta afterwards. Raises Unsupported for labels."""
    if labels_of({"resourceType": type_, "meta": dict(given)}):
        raise Unsupported(
            "A label is never taken away.",
            advice="Delete the resource and create it anew without the label.",
        )

    def removed(resource: Json) -> Json:
        present, gone = resource.get("meta", {}), {name: given.get(name, ()) for name in _SETS}
        kept = {
            name: [one for one in present.get(name, ()) if not _is_among(one, gone[name])]
            for name in _SETS
        }
        return _with(resource, kept)

    return _changed(node, asking, type_, logical_id, removed, base=base)


def _changed(
    node: Node, asking: Asking, type_: str, logical_id: str, made: Any, *, base: str
) -> Json:
    change = Change(method=Method.PATCH, type=type_, id=logical_id, patch=made)
    found = writing.apply(node, asking, [change], base=base)[0].found
    if found is None or not found.content:
        raise NotFound("There is no such resource, or not for you.")
    return _meta_of(found)


def _meta_of(found: Found) -> Json:
    stated: Json = loads(found.content)["meta"]
    return stated


def _with(resource: Json, sets: Mapping[str, list[Any]]) -> Json:
    kept = {name: one for name, one in resource.get("meta", {}).items() if name not in _SETS}
    made = kept | {name: its for name, its in sets.items() if its}
    rest = {name: one for name, one in resource.items() if name != "meta"}
    return {**rest, "meta": made} if made else rest


def _union(present: Any, given: Any) -> list[Any]:
    found = list(present)
    for one in _listed(given):
        if not _is_among(one, found):
            found.append(one)
    return found


def _is_among(one: Any, others: Any) -> bool:
    return any(_key(one) == _key(other) for other in _listed(others))


def _key(one: Any) -> Any:
    if isinstance(one, Mapping):
        return one.get("system", ""), one.get("code", "")
    return one


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise Invalid("Profiles, tags and labels of a Meta are lists.")
    return list(value)
