"""FHIR resources of this gateway, every version, content wrapped under the vault's local key.

A version is pending (durable, acknowledged), then sealed (in a record, with its leaf), then
anchored (the record's batch is in a block). Versions count from 1 as in FHIR
(https://hl7.org/fhir/R4/http.html#versioning).
A resource belongs to one vault: the same practitioner beside two patients is two resources, each
sealed with its patient's, so that a vault is whole without the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simdes.errors import Conflict
from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Row, Transaction

PENDING, SEALED, ANCHORED = "pending", "sealed", "anchored"
MAX_LABELS = (1 << 63) - 1
_MOST_LOST = 20  # rounds of one call to transactions that add versions of the same resources


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResource:
    """A version to add: ``digest`` over the author's JSON bytes, ``salt`` for its leaf.

    ``deleted`` 1: a tombstone, which says that the resource ended. ``account`` is who wrote it over
    the API, None where it came by a feed.
    """

    type: str
    logical_id: str
    vault: bytes
    category: int
    labels: int
    content_wrapped: bytes
    digest: bytes
    salt: bytes
    source_id: int | None
    created_ms: int
    deleted: int = 0
    account: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(NewResource):
    """A version as kept; ``record_id`` and ``leaf`` from ``sealed`` on."""

    id: int
    version: int
    state: str
    record_id: bytes | None
    leaf: bytes | None


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one added version; ``created`` False: the latest version was the same."""

    id: int
    type: str
    logical_id: str
    version: int
    created: bool


_RESOURCE = select(Resource, "resource AS r", prefix="r.")
_HEAD = "SELECT r.type, r.logical_id, r.vault, r.id, r.version, r.digest FROM resource AS r"
_LATEST = (
    " NOT EXISTS (SELECT 1 FROM resource AS newer WHERE newer.type = r.type"
    " AND newer.logical_id = r.logical_id AND newer.vault = r.vault"
    " AND newer.version > r.version)"
)
_KINDS = (
    "SELECT r.category, r.labels, count(*) FROM resource AS r"
    " WHERE r.vault = :vault AND r.deleted = 0 AND"
)
Key = tuple[str, str, bytes]
"""Type, logical id and vault of a resource."""
_Name = tuple[str, str, bytes, int]


def add(tx: Transaction, new: Sequence[NewResource]) -> list[Stored]:
    """Add versions and return what became of each, in the same order.

    Content equal to the resource's *latest* version adds nothing, so a repeated message is
    harmless; content equal to an older version is a new version (a value that was changed and
    changed back is a change). Two statements, however many resources; two more for each further
    version of one resource, and for a race lost to another transaction.

    Raises:
        Conflict: others kept adding versions of the same resources.

    """
    stored: dict[int, Stored] = {}
    lost = 0
    while len(stored) < len(new):
        waiting = {at: one for at, one in enumerate(new) if at not in stored}
        keys = sorted({_key(one) for one in waiting.values()})
        if lost == _MOST_LOST:
            raise Conflict("Others keep changing the same resource")
        if lost:
            # Somebody added a version of one of these meanwhile: now one after the other.
            for type_, logical_id, vault in keys:
                tx.lock(f"resource {type_}/{logical_id} {vault.hex()}")
        added, complete = _add_round(tx, waiting, _latest(tx, keys))
        stored |= added
        lost += not complete
    return [stored[at] for at in range(len(new))]


@dataclass(frozen=True, slots=True)
class Head:
    """The latest version of a resource, and its content's digest."""

    id: int
    version: int
    digest: bytes


def heads(tx: Transaction, keys: Sequence[Key]) -> dict[Key, Head]:
    """Return the latest versions of (type, id, vault) that there are, in one statement."""
    return _latest(tx, keys) if keys else {}


def latest_of(tx: Transaction, type_: str, logical_id: str) -> list[Resource]:
    """Return the latest version of a resource in each vault that has it."""
    where = " WHERE r.type = :type AND r.logical_id = :id AND" + _LATEST + " ORDER BY r.id"
    return _resources(tx.all(_RESOURCE + where, type=type_, id=logical_id))


def _add_round(
    tx: Transaction, waiting: dict[int, NewResource], latest: dict[Key, Head]
) -> tuple[dict[int, Stored], bool]:
    """Add at most one version of each resource, in the given order.

    Returns what that settles, and whether no version was lost to another transaction.
    Of several versions of a resource the later ones wait for the next round, so that none
    overtakes an earlier one that lost against another transaction.
    """
    stored: dict[int, Stored] = {}
    rows: dict[_Name, NewResource] = {}
    answers: dict[int, tuple[_Name, bool]] = {}
    heads: dict[Key, tuple[_Name, bytes] | None] = {}
    for at, one in waiting.items():
        key = _key(one)
        known = latest.get(key)
        if key in heads:
            head = heads[key]
            if head is not None and head[1] == one.digest:
                answers[at] = (head[0], False)
            else:
                heads[key] = None
        elif known is not None and known.digest == one.digest:
            stored[at] = _stored(known.id, (*key, known.version), created=False)
        else:
            name = (*key, 1 if known is None else known.version + 1)
            rows[name], answers[at], heads[key] = one, (name, True), (name, one.digest)
    ids = _insert(tx, rows)
    for at, (name, created) in answers.items():
        if name in ids:
            stored[at] = _stored(ids[name], name, created=created)
    return stored, len(ids) == len(rows)


def _latest(tx: Transaction, keys: Sequence[Key]) -> dict[Key, Head]:
    rows = tx.all(
        _HEAD
        # Without the vaults a ward or a doctor that every patient has would cost as many rows.
        + " WHERE r.type IN :types AND r.logical_id IN :ids AND r.vault IN :vaults AND"
        + _LATEST,
        types=sorted({type_ for type_, _, _ in keys}),
        ids=sorted({logical_id for _, logical_id, _ in keys}),
        vaults=sorted({vault for _, _, vault in keys}),
    )
    wanted = set(keys)
    found = {(type_, id_, bytes(vault)): Head(*head) for type_, id_, vault, *head in rows}
    return {key: head for key, head in found.items() if key in wanted}


def _insert(tx: Transaction, rows: dict[_Name, NewResource]) -> dict[_Name, int]:
    inserted = tx.insert(
        "resource",
        # In the order of their keys: two transactions that add the same ones wait, never deadlock.
        [
            row_of(one) | {"version": name[3], "state": PENDING}
            for name, one in sorted(rows.items(), key=lambda item: item[0])
        ],
        conflict="(type, logical_id, vault, version) DO NOTHING",
        returning="type, logical_id, vault, version, id",
    )
    return {
        (type_, id_, bytes(vault), version): row for type_, id_, vault, version, row in inserted
    }


def _key(one: NewResource) -> Key:
    return (one.type, one.logical_id, one.vault)


def _stored(row_id: int, name: _Name, *, created: bool) -> Stored:
    type_, logical_id, _, version = name
    return Stored(row_id, type_, logical_id, version, created=created)


def get(
    tx: Transaction, *, vault: bytes, type: str, logical_id: str, version: int | None = None
) -> Resource | None:
    """Return a version of a vault's resource, by default the latest."""
    versions = history(tx, vault=vault, type=type, logical_id=logical_id)
    chosen = (one for one in versions if version in (None, one.version))
    return next(chosen, None)


def get_many(tx: Transaction, ids: Sequence[int]) -> list[Resource]:
    """Return versions by their row ids, in the order of the ids; unknown ids are left out."""
    return _resources(tx.all(_RESOURCE + " WHERE r.id IN :ids ORDER BY r.id", ids=ids))


def of_records(tx: Transaction, record_ids: Sequence[bytes]) -> list[Resource]:
    """Return the versions sealed in these records, in the order of their ids."""
    return _resources(
        tx.all(_RESOURCE + " WHERE r.record_id IN :ids ORDER BY r.id", ids=record_ids)
    )


def history(tx: Transaction, *, vault: bytes, type: str, logical_id: str) -> list[Resource]:
    """Return every version of a vault's resource, newest first."""
    rows = tx.all(
        _RESOURCE + " WHERE r.type = :type AND r.logical_id = :id AND r.vault = :vault"
        " ORDER BY r.version DESC",
        type=type,
        id=logical_id,
        vault=vault,
    )
    return _resources(rows)


def any_of_vault(tx: Transaction, vault: bytes) -> bool:
    """Whether anything was ever written into a vault here."""
    return tx.one("SELECT 1 FROM resource WHERE vault = :vault LIMIT 1", vault=vault) is not None


def kinds(tx: Transaction, vault: bytes) -> list[tuple[int, int, int]]:
    """Return category, labels and how many of a vault's resources have both, no tombstones."""
    rows = tx.all(
        _KINDS + _LATEST + " GROUP BY r.category, r.labels ORDER BY r.category, r.labels",
        vault=vault,
    )
    return [(int(category), int(labels), int(count)) for category, labels, count in rows]


def of_vault(
    tx: Transaction,
    vault: bytes,
    *,
    categories: Iterable[int],
    labels: int = MAX_LABELS,
    types: Sequence[str] | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[Resource]:
    """Return the latest versions in a vault, by row id behind ``after``, without tombstones.

    Only resources in one of ``categories`` whose label bits are all in ``labels``, and of one of
    ``types`` when given.
    """
    sql = " AND r.type IN :types" if types is not None else ""
    chosen: dict[str, Sequence[str]] = {} if types is None else {"types": types}
    rows = tx.all(
        _RESOURCE
        + " WHERE r.vault = :vault AND r.category IN :categories AND (r.labels & :hidden) = 0"
        + f" AND r.deleted = 0 AND r.id > :after{sql} AND"
        + _LATEST
        + " ORDER BY r.id LIMIT :limit",
        vault=vault,
        categories=sorted(set(categories)),
        hidden=MAX_LABELS & ~labels,
        after=after,
        limit=limit,
        **chosen,
    )
    return _resources(rows)


def anchored(tx: Transaction, batch_id: bytes) -> int:
    """Set every version in an anchored batch ``anchored``; how many changed."""
    return tx.run(
        "UPDATE resource SET state = 'anchored' WHERE state = 'sealed' AND record_id IN"
        " (SELECT record_id FROM record WHERE batch_id = :batch)",
        batch=batch_id,
    )


def counts(tx: Transaction) -> dict[str, int]:
    """Return how many versions are in each state."""
    rows = tx.all("SELECT state, count(*) FROM resource GROUP BY state")
    return {PENDING: 0, SEALED: 0, ANCHORED: 0} | {str(state): int(n) for state, n in rows}


def _resources(rows: Sequence[Row]) -> list[Resource]:
    return [read(Resource, row) for row in rows]
