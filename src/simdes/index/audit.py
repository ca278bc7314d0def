"""The organisation's audit trail: a gap-free chain of entries, and its batches for the chain.

Each entry names the digest of the one before it inside its bytes, so the writer needs the head
first: `lock_head`, make the entries, `append`, all in one transaction. Entries are never changed
or removed. Batches take entries in order without a gap; batch numbers are those of ``AuditLog``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.errors import Conflict, NotFound
from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

BUILT, SENT, ANCHORED = "built", "sent", "anchored"
ZERO = bytes(32)
_LOCK = "audit"


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry's number and digest; (0, zeros) before the first."""

    seq: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """An entry's bytes, their digest, salt and leaf; ``previous`` is the digest before it."""

    seq: int
    previous: bytes
    digest: bytes
    entry: bytes
    salt: bytes
    leaf: bytes
    vault: bytes | None
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(NewEntry):
    """An entry as kept; ``batch_seq`` None until it is in a batch."""

    batch_seq: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """A batch of the entries ``first_seq`` to ``last_seq``.

    An empty one has ``last_seq = first_seq - 1`` and one random leaf, ``filler``.
    """

    seq: int
    previous_root: bytes
    root: bytes
    count: int
    first_seq: int
    last_seq: int
    filler: bytes | None
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(NewBatch):
    """A batch and how far it has come."""

    state: str
    transaction_hash: bytes | None
    block_number: int | None


_ENTRY = select(Entry, "audit_entry")
_BATCH = select(Batch, "audit_batch")


def lock_head(tx: Transaction) -> Head:
    """Return the head and keep every other writer of entries out until the transaction ends."""
    tx.lock(_LOCK)
    return head(tx)


def head(tx: Transaction) -> Head:
    """Return the head; for writing use `lock_head`."""
    row = tx.one("SELECT seq, digest FROM audit_entry ORDER BY seq DESC LIMIT 1")
    return Head(0, ZERO) if row is None else Head(*row)


def append(tx: Transaction, entries: Sequence[NewEntry], *, behind: Head | None = None) -> None:
    """Append entries behind the head; ``behind`` is what `lock_head` told in this transaction.

    Raises:
        Conflict: an entry does not follow the one before it; undo everything.

    """
    last = lock_head(tx) if behind is None else behind
    for entry in entries:
        if (entry.seq, entry.previous) != (last.seq + 1, last.digest):
            raise Conflict("An audit entry does not follow the last one")
        last = Head(entry.seq, entry.digest)
    tx.insert("audit_entry", [row_of(entry) for entry in entries])


def get(tx: Transaction, seq: int) -> Entry | None:
    """Return an entry by its number."""
    row = tx.one(_ENTRY + " WHERE seq = :seq", seq=seq)
    return None if row is None else read(Entry, row)


def entries(tx: Transaction, *, after: int = 0, limit: int = 1000) -> list[Entry]:
    """Return entries behind number ``after``, in order."""
    rows = tx.all(
        _ENTRY + " WHERE seq > :after ORDER BY seq LIMIT :limit", after=after, limit=limit
    )
    return [read(Entry, row) for row in rows]


def of_vault(
    tx: Transaction, vault: bytes, *, after: int = 0, limit: int = 1000, from_ms: int = 0
) -> list[Entry]:
    """Return the entries about a vault behind number ``after``, from a time on, in order."""
    rows = tx.all(
        _ENTRY + " WHERE vault = :vault AND seq > :after AND created_ms >= :from_ms"
        " ORDER BY seq LIMIT :limit",
        vault=vault,
        after=after,
        from_ms=from_ms,
        limit=limit,
    )
    return [read(Entry, row) for row in rows]


def of_vault_near(
    tx: Transaction, vault: bytes, *, at_ms: int, within_ms: int, limit: int
) -> list[Entry]:
    """Return the entries about a vault whose times are nearest to a time, in order."""
    rows = tx.all(
        _ENTRY + " WHERE vault = :vault AND created_ms BETWEEN :from_ms AND :to_ms"
        " ORDER BY abs(created_ms - :at), seq LIMIT :limit",
        vault=vault,
        from_ms=at_ms - within_ms,
        to_ms=at_ms + within_ms,
        at=at_ms,
        limit=limit,
    )
    return sorted((read(Entry, row) for row in rows), key=lambda one: one.seq)


def newest(tx: Transaction, *, vault: bytes | None = None, limit: int) -> list[Entry]:
    """Return the newest entries about a vault, or of all, newest first."""
    where = " WHERE vault = :vault" if vault is not None else ""
    given = {} if vault is None else {"vault": vault}
    rows = tx.all(_ENTRY + where + " ORDER BY seq DESC LIMIT :limit", limit=limit, **given)
    return [read(Entry, row) for row in rows]


def of_batch(tx: Transaction, seq: int) -> list[Entry]:
    """Return a batch's entries in order: their leaves are the batch's leaves."""
    rows = tx.all(_ENTRY + " WHERE batch_seq = :seq ORDER BY seq", seq=seq)
    return [read(Entry, row) for row in rows]


def unbatched(tx: Transaction, *, limit: int) -> list[Entry]:
    """Return the oldest entries that are in no batch, in order."""
    rows = tx.all(
        _ENTRY + " WHERE batch_seq IS NULL ORDER BY seq LIMIT :limit",
        limit=limit,
    )
    return [read(Entry, row) for row in rows]


def newest_batch(tx: Transaction) -> Batch | None:
    """Return the batch built last."""
    row = tx.one(_BATCH + " ORDER BY seq DESC LIMIT 1")
    return None if row is None else read(Batch, row)


def build(tx: Transaction, batch: NewBatch) -> None:
    """Build a batch from entries that follow the last batch's; building it again is harmless.

    Raises:
        Conflict: it leaves a gap, takes an entry twice, or does not follow the last batch.

    """
    tx.lock("audit batch")
    kept = get_batch(tx, batch.seq)
    if kept is not None:
        if kept.root != batch.root:
            raise Conflict("This audit batch was built with other entries")
        return
    last = newest_batch(tx)
    expected = (1, ZERO, 1) if last is None else (last.seq + 1, last.root, last.last_seq + 1)
    if (batch.seq, batch.previous_root, batch.first_seq) != expected:
        raise Conflict("An audit batch does not follow the last one")
    tx.insert("audit_batch", [row_of(batch) | {"state": BUILT}])
    taken = tx.run(
        "UPDATE audit_entry SET batch_seq = :batch WHERE seq BETWEEN :first AND :last",
        batch=batch.seq,
        first=batch.first_seq,
        last=batch.last_seq,
    )
    if taken != batch.last_seq - batch.first_seq + 1 or batch.count != max(taken, 1):
        raise Conflict("An audit batch names entries that are not there")


def adopt(tx: Transaction, batch: NewBatch, *, block_number: int) -> None:
    """Note a batch of ours that is on chain and whose entries a restore lost: it has none here.

    Its root stands for its leaves. Raises `Conflict` where it does not follow the last batch.
    """
    last = newest_batch(tx)
    expected = (1, 1) if last is None else (last.seq + 1, last.last_seq + 1)
    if (batch.seq, batch.first_seq) != expected:
        raise Conflict("An audit batch does not follow the last one")
    row = row_of(batch) | {"state": ANCHORED, "block_number": block_number}
    tx.insert("audit_batch", [row])


def sent(tx: Transaction, seq: int, *, transaction_hash: bytes) -> None:
    """Note the transaction that appends a batch. Raises `NotFound`."""
    _changed(
        tx.run(
            "UPDATE audit_batch SET transaction_hash = :hash,"
            " state = CASE state WHEN 'built' THEN 'sent' ELSE state END WHERE seq = :seq",
            hash=transaction_hash,
            seq=seq,
        )
    )


def anchored(tx: Transaction, seq: int, *, block_number: int) -> None:
    """Note the block that holds a batch. Raises `NotFound`."""
    _changed(
        tx.run(
            "UPDATE audit_batch SET state = 'anchored', block_number = :block WHERE seq = :seq",
            block=block_number,
            seq=seq,
        )
    )


def get_batch(tx: Transaction, seq: int) -> Batch | None:
    """Return a batch by its number."""
    row = tx.one(_BATCH + " WHERE seq = :seq", seq=seq)
    return None if row is None else read(Batch, row)


def unfinished(tx: Transaction) -> list[Batch]:
    """Return the batches that are not on chain, in order."""
    rows = tx.all(_BATCH + " WHERE state <> 'anchored' ORDER BY seq")
    return [read(Batch, row) for row in rows]


def _changed(count: int) -> None:
    if count == 0:
        raise NotFound("No such audit batch")
