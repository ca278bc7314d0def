"""The current version of everything readable here: own resources, and opened copies of others'.

An entry holds no content: that stands in its own resource's newest row, or in the copy of another
organisation's record under a consent's handle. A copy's entries go with the copy, search rows go
with their entry, so that what is purged can't be found.
"""

# ruff: noqa: S608
# Text is made of names in this package; every value is bound.

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from simdes.errors import Conflict
from simdes.fhir.search.conditions import Valued
from simdes.index import happenings
from simdes.index.rows import read, row_of, select
from simdes.index.statements import MAX_LIST
from simdes.index.transaction import Transaction
from simdes.index.values import TABLES, Row, rows_of
from simdes.index.visible import OWN

_KEY = "type, logical_id, vault, handle, organisation"
_CHANGING = ("category", "labels", "version", "deleted", "updated_ms", "resource_id", "record_id")
_UPSERT = (
    f"({_KEY}) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in (*_CHANGING, "item"))
    # An own version is put once, and an older one never over a newer one.
    + " WHERE excluded.version > entry.version"
    + " OR (excluded.version = entry.version AND excluded.record_id IS NOT NULL)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """What becomes findable: an own resource (``resource_id``) or an item of a copied record.

    ``organisation`` is the author; ``version`` of a copy is the time of its record, ``deleted`` 1
    for a tombstone. Exactly one of ``resource_id`` and (``record_id``, ``item``) is given.
    """

    type: str
    logical_id: str
    vault: bytes
    category: int
    labels: int
    version: int
    deleted: int
    updated_ms: int
    handle: bytes
    organisation: bytes
    resource_id: int | None = None
    record_id: bytes | None = None
    item: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(NewEntry):
    """An entry as kept."""

    id: int


_ENTRY = select(Entry, "entry AS e", prefix="e.")
_Key = tuple[str, str, bytes, bytes, bytes]


def put(tx: Transaction, new: Sequence[tuple[NewEntry, Sequence[Valued]]]) -> None:
    """Put entries with what they are found by, in place of earlier versions of the same resources.

    Of several versions of one resource the last given is put. At most 23 statements for 500
    entries, 9 where all are new. A tombstone has no values but whose it is.
    """
    for one, _ in new:
        if (one.handle == OWN) == (one.resource_id is None):
            raise Conflict("An entry is an own resource or a copy under a handle")
    # In the order of their keys: two transactions that put the same ones wait, never deadlock.
    chosen = dict(sorted({_key(one): (one, values) for one, values in new}.items()))
    inserted = tx.insert(
        "entry",
        [row_of(one) for one, _ in chosen.values()],
        conflict=_UPSERT,
        returning=f"id, {_KEY}",
    )
    found = {
        (type_, id_, bytes(vault), bytes(handle), bytes(organisation)): row
        for row, type_, id_, vault, handle, organisation in inserted
    }
    # Nothing stood before the first version of an own resource.
    stale = [row for key, row in found.items() if not _first(chosen[key][0])]
    if stale:
        _forget(tx, sorted(stale))
    rows: dict[str, list[Row]] = {}
    for key, row in found.items():
        for table, its in rows_of(chosen[key][1]).items():
            rows.setdefault(table, []).extend({"entry": row} | one for one in its)
    for table in sorted(rows):
        tx.insert(table, rows[table])
    if found:
        happenings.note(tx, sorted(found.values()))


def get_many(tx: Transaction, ids: Sequence[int]) -> list[Entry]:
    """Return entries by their row ids, in the order given; what went meanwhile is left out."""
    if not ids:
        return []
    rows = tx.all(_ENTRY + " WHERE e.id IN :ids", ids=ids)
    found = {one.id: one for one in (read(Entry, row) for row in rows)}
    return [found[one] for one in ids if one in found]


def of_vault(tx: Transaction, vault: bytes, *, after: int = 0, limit: int = 1000) -> list[Entry]:
    """Return a vault's entries, own and copied, tombstones too, by row id behind ``after``."""
    rows = tx.all(
        _ENTRY + " WHERE e.vault = :vault AND e.id > :after ORDER BY e.id LIMIT :limit",
        vault=vault,
        after=after,
        limit=limit,
    )
    return [read(Entry, row) for row in rows]


def sizes(tx: Transaction, found: Sequence[Entry]) -> dict[int, int]:
    """Return how many bytes the wrapped content of entries has, by row id.

    Of a copy it is its record's, for the first entry of it; the others need nothing more.
    """
    of_own: dict[int, int] = {}
    if own := [one.resource_id for one in found if one.resource_id is not None]:
        sql = "SELECT id, length(content_wrapped) FROM resource WHERE id IN :ids"
        of_own = {int(row): int(size) for row, size in tx.all(sql, ids=own)}
    of_copies = {
        key: int(size) for key, size in _of_copies(tx, found, "length(content_wrapped)").items()
    }
    return {
        one.id: of_own.get(one.resource_id, 0)
        if one.resource_id is not None
        else of_copies.pop(_copy(one), 0)
        for one in found
    }


def contents(tx: Transaction, found: Sequence[Entry]) -> dict[int, bytes]:
    """Return the wrapped content of entries by row id, in at most two statements.

    Of an own entry it is the resource's bytes, of a copy the whole record's, of which it is the
    ``item``; a record is read once for all of its entries. What was purged meanwhile is left out.
    """
    made: dict[int, bytes] = {}
    if own := [one.id for one in found if one.resource_id is not None]:
        sql = (
            "SELECT e.id, r.content_wrapped FROM entry AS e"
            " JOIN resource AS r ON r.id = e.resource_id WHERE e.id IN :ids"
        )
        made = {int(row): bytes(content) for row, content in tx.all(sql, ids=own)}
    of_copies = {
        key: bytes(content) for key, content in _of_copies(tx, found, "content_wrapped").items()
    }
    for one in found:
        if one.record_id is not None and _copy(one) in of_copies:
            made[one.id] = of_copies[_copy(one)]
    return made


def _of_copies(
    tx: Transaction, found: Sequence[Entry], column: str
) -> dict[tuple[bytes, bytes, bytes], Any]:
    wanted = {_copy(one) for one in found if one.record_id is not None}
    if not wanted:
        return {}
    rows = tx.all(
        f"SELECT vault, record_id, handle, {column} FROM remote_copy WHERE vault IN :vaults"
        " AND record_id IN :records AND handle IN :handles",
        vaults=sorted({vault for vault, _, _ in wanted}),
        records=sorted({record for _, record, _ in wanted}),
        handles=sorted({handle for _, _, handle in wanted}),
    )
    named = {(bytes(row[0]), bytes(row[1]), bytes(row[2])): row[3] for row in rows}
    return {key: value for key, value in named.items() if key in wanted}


def _copy(one: Entry) -> tuple[bytes, bytes, bytes]:
    return (one.vault, one.record_id or b"", one.handle)


def authors_of_copies(tx: Transaction) -> list[bytes]:
    """Return the organisations of whose records there are copies here."""
    rows = tx.all("SELECT DISTINCT organisation FROM entry WHERE record_id IS NOT NULL")
    return sorted(bytes(row[0]) for row in rows)


def drop_own(tx: Transaction, vault: bytes) -> int:
    """Let nothing be found of what this organisation wrote in a vault, as after a merge."""
    return tx.run("DELETE FROM entry WHERE vault = :vault AND handle = :own", vault=vault, own=OWN)


def drop(tx: Transaction, ids: Iterable[int]) -> None:
    """Drop entries with all they are found by."""
    rows = sorted(set(ids))
    for start in range(0, len(rows), MAX_LIST):
        tx.run("DELETE FROM entry WHERE id IN :ids", ids=rows[start : start + MAX_LIST])


def _forget(tx: Transaction, ids: Sequence[int]) -> None:
    for table in sorted(TABLES.values()):
        tx.run(f"DELETE FROM {table} WHERE entry IN :ids", ids=ids)


def _first(one: NewEntry) -> bool:
    return one.resource_id is not None and one.version == 1


def _key(one: NewEntry) -> _Key:
    return (one.type, one.logical_id, one.vault, one.handle, one.organisation)
