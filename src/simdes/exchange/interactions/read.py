"""Read one resource, or one of its versions (https://hl7.org/fhir/R4/http.html#read)."""

from __future__ import annotations

from simdes.access.categories import categories_of
from simdes.access.rights import Interaction
from simdes.errors import Gone, NotFound
from simdes.exchange.interactions import finding, views
from simdes.exchange.interactions.auditing import audit_found, is_usual
from simdes.exchange.interactions.found import Found
from simdes.exchange.node import Node
from simdes.exchange.reach import reach
from simdes.exchange.rights import Asking
from simdes.index import search
from simdes.index.histories import LAST, versions
from simdes.index.visible import narrowed
from simdes.tracing import step

_NOTHING = "There is no such resource, or not for you."


@step("exchange.interactions.read.read")
def read(
    node: Node,
    asking: Asking,
    type_: str,
    logical_id: str,
    *,
    vaults: tuple[bytes, ...] | None = None,
) -> Found:
    """The current version of a resource; ``vaults`` narrows where it may be.

    What this organisation has is looked up first; only what is not here is looked for at others.
    Raises NotFound alike for what is not there and what may not be seen, Gone for a deleted one.
    """
    asking.rights.require(Interaction.READ, type_)
    found, usual = _local(node, asking, type_, logical_id, vaults)
    if found is None:
        reached = reach(node, asking, vaults=vaults, categories=categories_of(type_))
        if reached.asking is not asking:
            asking = reached.asking
            found, usual = _local(node, asking, type_, logical_id, vaults)
    if found is None:
        raise NotFound(_NOTHING)
    if found.deleted:
        raise Gone("The resource was deleted.")
    audit_found(node, asking, [found], usual=usual)
    return found


@step("exchange.interactions.read.vread")
def vread(node: Node, asking: Asking, type_: str, logical_id: str, version: int) -> Found:
    """One version of a resource (https://hl7.org/fhir/R4/http.html#vread); raises as `read`."""
    present = read_any(node, asking, type_, logical_id)
    if present.version == version:
        found: Found | None = present
    else:
        with node.database.read() as tx:
            rows = versions(
                tx,
                asking.rights.reading,
                types=(type_,),
                logical_id=logical_id,
                vaults=(present.vault,),
                version=version,
                before=LAST,
                limit=1,
            )
            keys = finding.keys_of(node, tx, {row.vault for row in rows})
            found = next((finding.version_of(node, row, keys[row.vault]) for row in rows), None)
    if found is None:
        raise NotFound(_NOTHING)
    if found.deleted:
        raise Gone("This version is the deletion of the resource.")
    audit_found(node, asking, [found])
    return found


def read_any(node: Node, asking: Asking, type_: str, logical_id: str) -> Found:
    """As `read`, for a resource that may be deleted, and without an audit entry."""
    asking.rights.require(Interaction.READ, type_)
    found, _ = _local(node, asking, type_, logical_id, None)
    if found is None:
        raise NotFound(_NOTHING)
    return found


def _local(
    node: Node, asking: Asking, type_: str, logical_id: str, vaults: tuple[bytes, ...] | None
) -> tuple[Found | None, bool]:
    """What is here under an id, and whether reading it is usual as far as that is known."""
    with node.database.read() as tx:
        visible = narrowed(asking.rights.reading, vaults)
        seen = search.get(tx, visible, type_, logical_id, limit=1)
        loaded = finding.load(node, tx, finding.fitting(tx, seen))
        usual = bool(loaded) and is_usual(node, tx, asking, loaded)
    if loaded:
        return loaded[0], usual
    found = views.read(node, asking, type_, logical_id)
    inside = found is not None and (vaults is None or found.vault in vaults)
    return (found if inside else None), usual
