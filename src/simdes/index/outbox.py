"""Resources that wait for a worker to seal them: claimed for a time, done once.

A worker claims rows under a lease, does its slow work outside any transaction, and completes them
in the transaction that writes the result. A worker that dies loses its lease, and another takes
over. Two workers never hold the same row: PostgreSQL claims with SKIP LOCKED
(https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE), SQLite has one
writer at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.errors import Conflict
from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed row: a resource version, where it belongs, and how often it was tried."""

    id: int
    resource_id: int
    vault: bytes
    category: int
    labels: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Pending:
    """How much waits: free to claim now, claimed or put off."""

    free: int
    held: int

    @property
    def total(self) -> int:
        """Everything not completed."""
        return self.free + self.held


FAR_MS = 60_000
"""Nothing is put off, or claimed, for longer."""

# MATERIALIZED: the rows are picked and locked once, whatever plan the update gets.
# What waits for its vault is passed over: however much it is, it stands in nobody's way.
# What is claimed for longer than anybody claims was claimed by a clock that was set back since.
_CLAIM = """
    WITH picked AS MATERIALIZED (
        SELECT id FROM outbox WHERE (claimed_until_ms <= :now OR claimed_until_ms > :far)
           AND EXISTS (SELECT 1 FROM resource JOIN vault ON vault.tag = resource.vault
                        WHERE resource.id = outbox.resource_id AND vault.state <> 'opening')
         ORDER BY id LIMIT :limit /* lock */
    )
    UPDATE outbox SET claimed_by = :worker, claimed_until_ms = :until, attempts = attempts + 1
     WHERE id IN (SELECT id FROM picked)
    RETURNING id, resource_id, attempts
"""


def add(tx: Transaction, resource_ids: Sequence[int]) -> None:
    """Put versions into the outbox; those in it already stay as they are."""
    tx.insert(
        "outbox",
        [
            {"resource_id": id_, "claimed_by": None, "claimed_until_ms": 0, "attempts": 0}
            for id_ in resource_ids
        ],
        conflict="(resource_id) DO NOTHING",
    )


def claim(tx: Transaction, *, worker: str, now_ms: int, lease_ms: int, limit: int) -> list[Claim]:
    """Claim up to ``limit`` of the oldest free rows for ``worker`` until the lease ends.

    Rows of a vault that is still being opened stay where they are.

    ``worker`` names one running worker (process and thread), not a kind of worker.
    """
    rows = tx.all(
        _CLAIM.replace("/* lock */", tx.skip_locked),
        now=now_ms,
        limit=limit,
        worker=worker,
        until=now_ms + lease_ms,
        far=now_ms + max(2 * lease_ms, FAR_MS),
    )
    tries = {resource_id: (id_, attempts) for id_, resource_id, attempts in rows}
    found = tx.all(
        "SELECT id, vault, category, labels FROM resource WHERE id IN :ids", ids=list(tries)
    )
    claims = [
        Claim(tries[id_][0], id_, vault, category, labels, tries[id_][1])
        for id_, vault, category, labels in found
    ]
    return sorted(claims, key=lambda one: one.id)


def complete(tx: Transaction, ids: Sequence[int], *, worker: str) -> None:
    """Remove finished rows, in the transaction that writes their result.

    Raises:
        Conflict: the lease of one of them ended and it is no longer this worker's; undo and let
            the other worker's result stand.

    """
    removed = tx.run(
        "DELETE FROM outbox WHERE id IN :ids AND claimed_by = :worker", ids=ids, worker=worker
    )
    if removed != len(set(ids)):
        raise Conflict("The lease on outbox rows ended before the work was done")


def release(tx: Transaction, ids: Sequence[int], *, worker: str, free_at_ms: int = 0) -> None:
    """Give rows back undone, to be claimed again from ``free_at_ms`` on (back-off)."""
    tx.run(
        "UPDATE outbox SET claimed_by = NULL, claimed_until_ms = :at"
        " WHERE id IN :ids AND claimed_by = :worker",
        at=free_at_ms,
        ids=ids,
        worker=worker,
    )


def free(tx: Transaction, vaults: Sequence[bytes]) -> None:
    """Let what was put off until these vaults would be open be claimed at once."""
    tx.run(
        "UPDATE outbox SET claimed_until_ms = 0 WHERE claimed_by IS NULL AND claimed_until_ms > 0"
        " AND resource_id IN (SELECT id FROM resource WHERE vault IN :vaults)",
        vaults=vaults,
    )


def extend(tx: Transaction, ids: Sequence[int], *, worker: str, until_ms: int) -> int:
    """Lengthen the lease of rows still held; how many are."""
    return tx.run(
        "UPDATE outbox SET claimed_until_ms = :until WHERE id IN :ids AND claimed_by = :worker",
        until=until_ms,
        ids=ids,
        worker=worker,
    )


def pending(tx: Transaction, *, now_ms: int) -> Pending:
    """Return how many rows wait."""
    row = tx.one(
        "SELECT count(*), count(CASE WHEN claimed_until_ms <= :now THEN 1 END) FROM outbox",
        now=now_ms,
    )
    total, free = (0, 0) if row is None else row
    return Pending(free=free, held=total - free)
