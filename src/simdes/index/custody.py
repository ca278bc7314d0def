"""What a custodian keeps for other organisations' vaults: keys, manifests, terms, spent nonces.

Private keys arrive wrapped. A pool of fresh pairs lets a custodian name a public key at once;
binding gives each (vault, epoch) one of them for good. Destroying a key is erasure: its wrapped
private half is overwritten, and the (vault, epoch) never gets another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simdes.errors import Conflict, Unavailable
from simdes.index import prescriptions
from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Row, Transaction

MAX_LABELS = (1 << 63) - 1
POOL, BOUND, DESTROYED = "pool", "bound", "destroyed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A fresh pair for the pool; ``public_digest`` is the public key's SHA-256."""

    public_digest: bytes
    public: bytes
    private_wrapped: bytes
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A pair: in the pool, bound to a vault's epoch, or destroyed."""

    public_digest: bytes
    public: bytes
    private_wrapped: bytes | None
    vault: bytes | None
    epoch: int | None
    state: str
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """One record of an anchored batch, as its organisation lists it for the custodians."""

    batch_id: bytes
    record_id: bytes
    vault: bytes
    category: int
    labels: int
    types: tuple[str, ...]
    body_cid: str
    body_digest: bytes
    capsule_cid: str
    indexes: tuple[int, ...]
    organisation: bytes
    author: bytes
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Opened terms of a consent, as bytes, with the salt of their commitment; ``records`` are the
    ids of the records that they name (32 bytes each), None where they name none."""

    vault: bytes
    handle: bytes
    terms: bytes
    salt: bytes
    block_number: int
    records: bytes | None = None


@dataclass(frozen=True, slots=True)
class Fold:
    """Equal refusals folded into one entry: which, since when, how many."""

    fold: bytes
    first_ms: int
    count: int


_KEY = select(Key, "custody_key")
_ENTRY = select(ManifestEntry, "manifest_entry")
_TERMS = select(Terms, "terms")


def add_keys(tx: Transaction, keys: Sequence[NewKey]) -> None:
    """Put fresh pairs into the pool; pairs known already stay as they are."""
    tx.insert(
        "custody_key",
        [row_of(key) | {"state": POOL} for key in keys],
        conflict="(public_digest) DO NOTHING",
    )


def pool_size(tx: Transaction) -> int:
    """Return how many pairs wait in the pool."""
    row = tx.one("SELECT count(*) FROM custody_key WHERE state = 'pool' AND created_ms >= 0")
    return 0 if row is None else int(row[0])


def set_aside(tx: Transaction, *, now_ms: int) -> int:
    """Let no key of the pool be handed out any more: any may have been, before a restore.

    Their creation is the negative of the moment. What an opened vault names is bound to it
    (`bind_aside`), the rest goes after a while (`drop_aside`).
    """
    return tx.run(
        "UPDATE custody_key SET created_ms = :at WHERE state = 'pool' AND created_ms >= 0",
        at=-now_ms,
    )


def aside(tx: Transaction) -> dict[bytes, bytes]:
    """Return the public halves that were set aside, with their digests."""
    rows = tx.all(
        "SELECT public, public_digest FROM custody_key WHERE state = 'pool' AND created_ms < 0"
    )
    return {row[0]: row[1] for row in rows}


def bind_aside(tx: Transaction, public_digest: bytes, vault: bytes, epoch: int) -> None:
    """Bind a pair that was set aside to the vault's epoch whose descriptor names it."""
    tx.run(
        "UPDATE custody_key SET state = 'bound', vault = :vault, epoch = :epoch,"
        " created_ms = -created_ms WHERE public_digest = :digest AND state = 'pool'",
        vault=vault,
        epoch=epoch,
        digest=public_digest,
    )


def drop_aside(tx: Transaction, *, before_ms: int) -> int:
    """Drop what was set aside before a time; how many."""
    return tx.run(
        "DELETE FROM custody_key WHERE state = 'pool' AND created_ms < 0 AND created_ms > :at",
        at=-before_ms,
    )


def bind(tx: Transaction, vault: bytes, epoch: int) -> Key:
    """Bind a pair of the pool to a vault's epoch and return it; again: the same one.

    Raises:
        Unavailable: the pool is empty; add keys and repeat.
        Conflict: the key of this epoch was destroyed.

    """
    tx.lock("custody_key " + vault.hex())
    held = key_of(tx, vault, epoch)
    if held is not None:
        if held.state == DESTROYED:
            raise Conflict("The vault's key of this epoch was destroyed")
        return held
    picked = tx.one(_PICK.replace("/* lock */", tx.skip_locked), vault=vault, epoch=epoch)
    if picked is None:
        raise Unavailable("No fresh custody key is left", advice="Add keys to the pool.")
    return read(Key, picked)


_PICK = """
    WITH picked AS MATERIALIZED (
        SELECT public_digest FROM custody_key WHERE state = 'pool' AND created_ms >= 0
        ORDER BY created_ms LIMIT 1 /* lock */
    )
    UPDATE custody_key SET state = 'bound', vault = :vault, epoch = :epoch
     WHERE public_digest IN (SELECT public_digest FROM picked)
    RETURNING public_digest, public, private_wrapped, vault, epoch, state, created_ms
"""


def key_of(tx: Transaction, vault: bytes, epoch: int) -> Key | None:
    """Return the pair bound to a vault's epoch, destroyed or not."""
    row = tx.one(_KEY + " WHERE vault = :vault AND epoch = :epoch", vault=vault, epoch=epoch)
    return None if row is None else read(Key, row)


def keys_of(tx: Transaction, vault: bytes) -> list[Key]:
    """Return every pair ever bound to a vault, by epoch."""
    rows = tx.all(_KEY + " WHERE vault = :vault ORDER BY epoch", vault=vault)
    return [read(Key, row) for row in rows]


def bound_keys(tx: Transaction) -> list[Key]:
    """Return every bound pair: those that letters are tried with."""
    rows = tx.all(_KEY + " WHERE state = 'bound' ORDER BY created_ms, public_digest")
    return [read(Key, row) for row in rows]


def keys_by_digest(tx: Transaction, digests: Sequence[bytes]) -> list[Key]:
    """Return pairs by the digests of their public keys."""
    rows = tx.all(_KEY + " WHERE public_digest IN :digests", digests=digests)
    return [read(Key, row) for row in rows]


def destroy(tx: Transaction, vault: bytes, *, through_epoch: int) -> int:
    """Destroy a vault's private keys up to an epoch; how many were destroyed now."""
    tx.shred()
    return tx.run(
        "UPDATE custody_key SET state = 'destroyed', private_wrapped = NULL"
        " WHERE vault = :vault AND epoch <= :epoch AND state = 'bound'",
        vault=vault,
        epoch=through_epoch,
    )


def add_entries(tx: Transaction, entries: Sequence[ManifestEntry]) -> None:
    """Keep manifest entries; those of a known (batch, record) stay as they are."""
    tx.insert(
        "manifest_entry",
        [
            row_of(one) | {"types": json.dumps(one.types), "indexes": json.dumps(one.indexes)}
            for one in entries
        ],
        conflict="(batch_id, record_id) DO NOTHING",
    )


def entries(
    tx: Transaction,
    vault: bytes,
    *,
    categories: Iterable[int],
    labels: int = MAX_LABELS,
    after: tuple[int, bytes] = (-1, b""),
    limit: int = 1000,
) -> list[ManifestEntry]:
    """Return a vault's entries in the order of (time, record id) behind ``after``.

    Only those in one of ``categories`` whose label bits are all in ``labels``.
    """
    rows = tx.all(
        _ENTRY + " WHERE vault = :vault AND category IN :categories AND (labels & :hidden) = 0"
        " AND (created_ms > :after_ms OR (created_ms = :after_ms AND record_id > :after_id))"
        " ORDER BY created_ms, record_id, batch_id LIMIT :limit",
        vault=vault,
        categories=sorted(set(categories)),
        hidden=MAX_LABELS & ~labels,
        after_ms=after[0],
        after_id=after[1],
        limit=limit,
    )
    return [_entry(row) for row in rows]


def entries_of(tx: Transaction, record_ids: Sequence[bytes]) -> list[ManifestEntry]:
    """Return the entries of records; an honest record has one, a claimed one may have more."""
    rows = tx.all(
        _ENTRY + " WHERE record_id IN :ids ORDER BY record_id, created_ms, batch_id",
        ids=record_ids,
    )
    return [_entry(row) for row in rows]


def _entry(row: Row) -> ManifestEntry:
    entry = list(row)
    entry[5] = tuple(json.loads(entry[5]))
    entry[9] = tuple(json.loads(entry[9]))
    return read(ManifestEntry, tuple(entry))


def add_terms(tx: Transaction, terms: Terms) -> None:
    """Keep the opened terms of a consent; known ones stay as they are."""
    tx.insert("terms", [row_of(terms)], conflict="(vault, handle) DO NOTHING")
    prescriptions.note(tx, terms.vault)


def terms(tx: Transaction, vault: bytes, handle: bytes) -> Terms | None:
    """Return the opened terms of a consent."""
    row = tx.one(_TERMS + " WHERE vault = :vault AND handle = :handle", vault=vault, handle=handle)
    return None if row is None else read(Terms, row)


def terms_of(tx: Transaction, vault: bytes) -> list[Terms]:
    """Return the opened terms of every consent of a vault, oldest first."""
    rows = tx.all(_TERMS + " WHERE vault = :vault ORDER BY block_number, handle", vault=vault)
    return [read(Terms, row) for row in rows]


def spend_nonce(tx: Transaction, nonce: bytes, *, expires_ms: int) -> bool:
    """Spend a request's nonce, shared by all replicas; False when it was spent before."""
    return bool(
        tx.insert(
            "release_nonce",
            [{"nonce": nonce, "expires_ms": expires_ms}],
            conflict="(nonce) DO NOTHING",
            returning="nonce",
        )
    )


def purge_nonces(tx: Transaction, *, now_ms: int) -> int:
    """Drop nonces whose requests are refused by their own expiry now; how many."""
    return tx.run("DELETE FROM release_nonce WHERE expires_ms < :now", now=now_ms)


def fold_refusal(tx: Transaction, fold: bytes, *, now_ms: int) -> int:
    """Count a refusal under a digest of all that makes refusals equal; 1 for the first.

    The first makes an audit entry; the rest of the minute are counted, and `take_folds` returns
    them for one more entry.
    """
    rows = tx.insert(
        "refusal_counter",
        [{"fold": fold, "first_ms": now_ms, "count": 1}],
        conflict="(fold) DO UPDATE SET count = refusal_counter.count + 1",
        returning="count",
    )
    return int(rows[0][0])


def take_folds(tx: Transaction, *, before_ms: int) -> list[Fold]:
    """Remove the folds that began before a time and return them, oldest first."""
    rows = tx.all(
        "DELETE FROM refusal_counter WHERE first_ms < :before RETURNING fold, first_ms, count",
        before=before_ms,
    )
    return sorted((Fold(*row) for row in rows), key=lambda one: (one.first_ms, one.fold))
