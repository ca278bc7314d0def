"""What is stored is found: entries and their search values, written in the transaction that stores.

Own resources become entries when their version does; records of other organisations when a copy of
them is kept, under the handle that opened it. A resource that ended (`ENDED` in ``meta.tag``) hides
its older versions wherever it is read. What earlier releases stored is caught up on by the worker.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simdes.access.rights import OWNED, owner_value
from simdes.access.vaults import vault_key
from simdes.crypto.digest import sha256
from simdes.crypto.keys import unwrap
from simdes.errors import SimdesError
from simdes.exchange.node import Node
from simdes.fhir.definitions import resource_types
from simdes.fhir.json import loads
from simdes.fhir.search.conditions import Valued
from simdes.fhir.search.extract import extract
from simdes.index import entries, resources, unindexed, vaults
from simdes.index.entries import NewEntry
from simdes.index.resources import NewResource, Resource, Stored
from simdes.index.transaction import Transaction
from simdes.index.visible import OWN

STATE_SYSTEM = "urn:simdes:state"
ENDED = "deleted"
"""The tag of a tombstone: the version that says that a resource was deleted."""

CAUGHT_UP_AT_ONCE = 256
"""Resources of an earlier release that one step makes findable."""

_RESOURCE = b"simdes/resource/v1"
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


@dataclass(frozen=True, slots=True)
class Written:
    """A version that was stored: its row, what became of it, and the resource as JSON."""

    row: NewResource
    stored: Stored
    resource: Mapping[str, Any]
    client: str = ""
    """The app that wrote it for the row's account, for what is its author's alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedItem:
    """An item of a copied record: ``position`` in it, and what its author says of the record."""

    record_id: bytes
    position: int
    category: int
    labels: int
    organisation: bytes
    time_ms: int
    type: str
    content: bytes


def resource_context(vault: bytes, type_: str, logical_id: str) -> bytes:
    """What a wrapped resource is bound to, so that rows can't be exchanged for one another."""
    return _RESOURCE + sha256(vault + f"{type_}/{logical_id}".encode())


def index_own(
    tx: Transaction, organisation: bytes, written: Iterable[Written], *, base: str = ""
) -> None:
    """Make versions that this organisation wrote findable, in place of earlier ones.

    ``base`` is this server's address with a slash at its end: references into it are relative.
    """
    entries.put(
        tx,
        [
            (_own(organisation, one.row, one.stored.id, one.stored.version), _values(one, base))
            for one in written
            if one.stored.created
        ],
    )


Findable = tuple[NewEntry, Sequence[Valued]]
"""What stands in the index of a resource."""


def read_copies(vault: bytes, handle: bytes, items: Iterable[CopiedItem]) -> list[Findable]:
    """Read what `index_copies` needs of items of copied records, in the order of anchoring.

    Apart from it, because it takes longer than a transaction should. What can't be read as a
    resource with an id stays unfindable.
    """
    new = [one for item in items for one in _copied(vault, handle, item)]
    new.sort(key=lambda one: one[0].version)  # stable: of the same time, the later anchored wins
    return new


def index_copies(tx: Transaction, copied: Sequence[Findable]) -> None:
    """Make copied resources findable: of each resource of an author the newest version.

    Their records' copies are kept in the same transaction.
    """
    entries.put(tx, copied)


def is_ended(resource: Mapping[str, Any]) -> bool:
    """Whether a version says that its resource was deleted."""
    meta = resource.get("meta")
    tags = meta.get("tag") if isinstance(meta, Mapping) else None
    return isinstance(tags, list) and any(
        isinstance(one, Mapping) and one.get("system") == STATE_SYSTEM and one.get("code") == ENDED
        for one in tags
    )


def catch_up(node: Node) -> int:
    """Make some of what an earlier release stored findable; how many were left to do, at most.

    Killed at any point it goes on where it was: what was done is off the list.
    """
    with node.database.read() as tx:
        if not unindexed.some(tx, limit=1):
            return 0
    return node.database.write(lambda tx: _catch_up(node, tx))


def _catch_up(node: Node, tx: Transaction) -> int:
    waiting = unindexed.some(tx, limit=CAUGHT_UP_AT_ONCE)
    rows = resources.get_many(tx, waiting)
    known = vaults.get_many(tx, sorted({one.vault for one in rows}))
    keys = {
        tag: vault_key(node.desk.keystore, vault)
        for tag, vault in known.items()
        if vault.key_wrapped is not None
    }
    new = []
    for row in rows:
        if row.vault in keys:
            resource = opened(keys[row.vault], row)
            new.append((_own(node.organisation, row, row.id, row.version), _extracted(resource)))
    entries.put(tx, new)
    unindexed.done(tx, waiting)
    return len(waiting)


def opened(key: bytes, row: Resource) -> dict[str, Any]:
    """A stored version as JSON."""
    context = resource_context(row.vault, row.type, row.logical_id)
    found: dict[str, Any] = loads(unwrap(key, row.content_wrapped, aad=context))
    return found


def _own(organisation: bytes, row: NewResource, resource_id: int, version: int) -> NewEntry:
    return NewEntry(
        type=row.type,
        logical_id=row.logical_id,
        vault=row.vault,
        category=row.category,
        labels=row.labels,
        version=version,
        deleted=row.deleted,
        updated_ms=row.created_ms,
        handle=OWN,
        organisation=organisation,
        resource_id=resource_id,
    )


def _values(one: Written, base: str) -> Sequence[Valued]:
    values = () if one.row.deleted else _extracted(one.resource, base)
    if one.row.type in OWNED and one.row.account is not None:
        return (*values, owner_value(one.row.account, one.client))
    return values


def _extracted(resource: Mapping[str, Any], base: str = "") -> tuple[Valued, ...]:
    return () if is_ended(resource) else extract(dict(resource), base=base)


def _copied(vault: bytes, handle: bytes, item: CopiedItem) -> list[Findable]:
    try:
        resource = loads(item.content)
    except SimdesError:
        return []
    type_, logical_id = _name(resource)
    if type_ != item.type or type_ not in resource_types() or not _ID.fullmatch(logical_id):
        return []
    one = NewEntry(
        type=type_,
        logical_id=logical_id,
        vault=vault,
        category=item.category,
        labels=item.labels,
        version=item.time_ms,
        deleted=int(is_ended(resource)),
        updated_ms=item.time_ms,
        handle=handle,
        organisation=item.organisation,
        record_id=item.record_id,
        item=item.position,
    )
    return [(one, _extracted(resource))]


def _name(resource: Any) -> tuple[str, str]:
    if not isinstance(resource, Mapping):
        return "", ""
    return str(resource.get("resourceType", "")), str(resource.get("id", ""))
