"""From entries to resources: who wrote them, their bytes, and the small look-ups of writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from simdes.access.vaults import vault_key
from simdes.crypto.keys import unwrap
from simdes.errors import SimdesError
from simdes.exchange import room
from simdes.exchange.indexing import resource_context
from simdes.exchange.interactions.drafts import literals
from simdes.exchange.interactions.found import Found, served
from simdes.exchange.node import Node
from simdes.exchange.opening import open_copy
from simdes.exchange.rights import Asking
from simdes.fhir.json import loads
from simdes.fhir.reference import parse_reference
from simdes.fhir.search.conditions import Query
from simdes.index import entries, resources, search, vaults
from simdes.index.entries import Entry
from simdes.index.resources import Resource
from simdes.index.transaction import Transaction

ANCHORED = resources.ANCHORED
Record = Sequence[tuple[str, bytes]]
"""The (type, content) of each item of a record."""
_METHODS = {True: "DELETE", False: "PUT"}


def own_source(node: Node) -> str:
    """What ``meta.source`` says of this organisation's own records: its address."""
    return node.issuer.name


def source_of(node: Node, organisation: bytes) -> str:
    """What ``meta.source`` says of an organisation's records: its address, or its id."""
    if organisation == node.organisation:
        return own_source(node)
    try:
        return node.desk.directory.organisation(organisation).url
    except SimdesError:
        return f"urn:simdes:organisation:0x{organisation.hex()}"


PAGE_BYTES: Final = 16 << 20
"""A page ends where it would be larger; it holds one resource in any case."""
_COPIES: Final = 5
"""How many times content is in memory while it is unwrapped and put into an answer."""


def fitting(tx: Transaction, found: Sequence[Entry]) -> Sequence[Entry]:
    """As many entries, from the first on, as one page can hold; room is taken for them."""
    if not found:
        return found
    return found[: len(fitting_rows(entries.sizes(tx, found)))]


def fitting_rows(sizes: Mapping[int, int]) -> Sequence[int]:
    """As many of these row ids with their sizes, from the first on; room is taken for them."""
    taken, rows = 0, list(sizes)
    for at, size in enumerate(sizes.values()):
        if at and taken + size > PAGE_BYTES:
            rows = rows[:at]
            break
        taken += size
    room.need(_COPIES * taken)
    return rows


def load(node: Node, tx: Transaction, found: Sequence[Entry]) -> list[Found]:
    """Entries as they are served, in their order; what was purged meanwhile is left out.

    At most four statements, however many there are. Of what may be large ask `fitting` before.
    """
    own = [one.resource_id for one in found if one.resource_id is not None]
    rows = {row.id: row for row in resources.get_many(tx, own)} if own else {}
    copied = [one for one in found if one.record_id is not None]
    contents = entries.contents(tx, copied) if copied else {}
    keys = keys_of(node, tx, {one.vault for one in found})
    opened: dict[tuple[bytes | None, bytes], Record] = {}
    loaded = []
    for one in found:
        if one.resource_id is not None and one.resource_id in rows:
            loaded.append(version_of(node, rows[one.resource_id], keys[one.vault]))
        elif one.id in contents and one.item is not None:
            name = (one.record_id, one.handle)
            if name not in opened:
                opened[name] = _record(one, contents[one.id], keys[one.vault])
            loaded.append(_copied(node, one, opened[name]))
    return loaded


def of_hits(tx: Transaction, hits: Sequence[search.Hit]) -> list[Entry]:
    """The entries of hits, in their order."""
    return entries.get_many(tx, [hit.id for hit in hits])


def version_of(node: Node, row: Resource, key: bytes) -> Found:
    """A version that this organisation wrote, as it is served."""
    source = own_source(node)
    content = b""
    if not row.deleted:
        content = served(
            _unwrapped(row, key),
            version=row.version,
            updated_ms=row.created_ms,
            source=source,
            state=row.state,
        )
    return Found(
        type=row.type,
        id=row.logical_id,
        version=row.version,
        updated_ms=row.created_ms,
        vault=row.vault,
        content=content,
        source=source,
        deleted=bool(row.deleted),
        record_id=row.record_id,
        method="POST" if row.version == 1 else _METHODS[bool(row.deleted)],
    )


def _record(one: Entry, wrapped: bytes, key: bytes) -> Record:
    """The record that a copied entry is an item of."""
    assert one.record_id is not None  # noqa: S101
    return open_copy(key, record_id=one.record_id, handle=one.handle, wrapped=wrapped)


def _copied(node: Node, one: Entry, opened: Record) -> Found:
    assert one.item is not None  # noqa: S101
    source = source_of(node, one.organisation)
    content = b""
    if not one.deleted:
        content = served(
            opened[one.item][1],
            version=one.version,
            updated_ms=one.updated_ms,
            source=source,
            state=ANCHORED,
        )
    return Found(
        type=one.type,
        id=one.logical_id,
        version=one.version,
        updated_ms=one.updated_ms,
        vault=one.vault,
        content=content,
        source=source,
        deleted=bool(one.deleted),
        record_id=one.record_id,
        method=_METHODS[bool(one.deleted)],
    )


def parsed(content: bytes, *, waits: bool = True) -> Any:
    """Stored content as JSON; room for what it grows to is taken first, as `room.need` does."""
    room.need(room.GROWS * len(content), waits=waits)
    return loads(content)


def raw(node: Node, tx: Transaction, entry: Entry) -> bytes:
    """The author's own bytes of an entry."""
    key = keys_of(node, tx, {entry.vault})[entry.vault]
    if entry.resource_id is not None:
        return _unwrapped(resources.get_many(tx, [entry.resource_id])[0], key)
    assert entry.item is not None  # noqa: S101
    return _record(entry, entries.contents(tx, [entry])[entry.id], key)[entry.item][1]


def keys_of(node: Node, tx: Transaction, tags: Collection[bytes]) -> dict[bytes, bytes]:
    """The local keys of vaults, in one statement."""
    rows = vaults.get_many(tx, sorted(tags)) if tags else {}
    return {
        tag: vault_key(node.desk.keystore, row)
        for tag, row in rows.items()
        if row.key_wrapped is not None
    }


def _unwrapped(row: Resource, key: bytes) -> bytes:
    context = resource_context(row.vault, row.type, row.logical_id)
    return unwrap(key, row.content_wrapped, aad=context)


# Look-ups of writes ---------------------------------------------------------------------------


def matching(tx: Transaction, asking: Asking, query: Query) -> list[Entry]:
    """At most two entries that meet a conditional interaction's search and may be seen."""
    hits = search.search(tx, asking.rights.searching, query, limit=2)
    return entries.get_many(tx, [hit.id for hit in hits])


def named(
    tx: Transaction,
    asking: Asking,
    names: Collection[tuple[str, str]],
    *,
    vaults: Collection[bytes] | None = None,
) -> Mapping[tuple[str, str], Sequence[Entry]]:
    """What the caller may see under these (type, id), in one statement; deleted ones left out.

    ``vaults``: in these alone.
    """
    if not names:
        return {}
    visible = asking.rights.unscoped(*{type_ for type_, _ in names})
    found: dict[tuple[str, str], list[Entry]] = {}
    for one in search.named(tx, visible, sorted(names), vaults=vaults):
        if not one.deleted:
            found.setdefault((one.type, one.logical_id), []).append(one)
    return found


def conditional_references(resource: Mapping[str, Any]) -> Iterator[str]:
    """The references of a resource that are searches: ``Patient?identifier=…``."""
    for literal in literals(resource):
        if parse_reference(literal).kind == "conditional":
            yield literal
