"""Resources that were stored before searches could find them: a list that only gets shorter.

A migration fills it, with the newest version of every resource whose entry is missing or was made
by other rules; the worker takes some at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

from simdes.index.transaction import Transaction


def some(tx: Transaction, *, limit: int) -> list[int]:
    """Return row ids of resources that wait, the newest first."""
    rows = tx.all(
        "SELECT resource_id FROM unindexed ORDER BY resource_id DESC LIMIT :limit", limit=limit
    )
    return [int(row) for (row,) in rows]


def done(tx: Transaction, resource_ids: Sequence[int]) -> None:
    """Take resources off the list."""
    if resource_ids:
        tx.run("DELETE FROM unindexed WHERE resource_id IN :ids", ids=resource_ids)


def drop_vault(tx: Transaction, vault: bytes) -> None:
    """Take a vault's resources off the list: what follows to another is indexed there."""
    tx.run(
        "DELETE FROM unindexed WHERE resource_id IN (SELECT id FROM resource WHERE vault = :vault)",
        vault=vault,
    )
