"""``$meta`` of a resource, a type or the server; ``$meta-add`` and ``$meta-delete`` of a resource.

https://hl7.org/fhir/R4/resource-operation-meta.html and the two beside it. Profiles, tags and
labels are sets, told apart by URL or by system and code. A change of them is a version like any
other; labels are only ever added, since they decide what a consent opens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from simdes.access.categories import labels_of
from simdes.access.rights import Interaction
from simdes.errors import Invalid, NotFound, Unsupported
from simdes.exchange.indexing import STATE_SYSTEM
from simdes.exchange.interactions import finding, writing
from simdes.exchange.interactions.auditing import audit_found, is_usual
from simdes.exchange.interactions.changes import Change, Method
from simdes.exchange.interactions.found import Found
from simdes.exchange.interactions.read import read
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.json import loads
from simdes.fhir.search.conditions import Kind, Slot
from simdes.index import entries, labels

Json = dict[str, Any]

_SETS: Final = ("profile", "security", "tag")
_SLOTS: Final = (
    Slot("Resource._profile", Kind.URI),
    Slot("Resource._security", Kind.TOKEN),
    Slot("Resource._tag", Kind.TOKEN),
)
MOST_IN_USE: Final = 200


def meta(node: Node, asking: Asking, type_: str, logical_id: str) -> Json:
    """The meta of a resource as it stands. Raises as `read`."""
    return _meta_of(read(node, asking, type_, logical_id))


def in_use(node: Node, asking: Asking, types: Sequence[str]) -> Json:
    """Profiles, tags and labels that stand in what the caller may see of these types (none: all).

    Of what is held here, `MOST_IN_USE` of each at most; what the server itself tags is left out.
    Raises Forbidden where a named type may not be searched.
    """
    for type_ in types:
        asking.rights.require(Interaction.SEARCH, type_)
    visible = asking.rights.searching
    with node.database.read() as tx:
        rows = {
            row
            for slot in _SLOTS
            for row in labels.in_use(
                tx, visible, types or tuple(visible.scopes), slot, limit=MOST_IN_USE
            )
        }
        fits = finding.fitting(tx, entries.get_many(tx, sorted(rows, reverse=True)))
        found = finding.load(node, tx, fits)
        usual = is_usual(node, tx, asking, found)
    audit_found(node, asking, found, usual=usual)
    made: dict[str, list[Any]] = {name: [] for name in _SETS}
    for one in found:
        meta = _meta_of(one)
        for name, its in made.items():
            its[:] = _union(its, meta.get(name, ()))
    made["tag"] = [one for one in made["tag"] if one.get("system") != STATE_SYSTEM]
    return {name: its for name, its in made.items() if its}


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
