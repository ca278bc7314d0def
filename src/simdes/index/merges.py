"""Which vaults a feed called one person's, and what came of it.

``moved``: both were provisional, the prior's identifiers and records followed to the survivor.
``waiting``: a patient controls one of them, so nothing moved; a person decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

MOVED, WAITING = "moved", "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """A merge of two vaults of this organisation."""

    prior: bytes
    survivor: bytes
    state: str
    created_ms: int


_MERGE = select(Merge, "vault_merge")


def put(tx: Transaction, merge: Merge) -> None:
    """Note a merge; the same again keeps the first time, and ``moved`` stays moved."""
    tx.insert(
        "vault_merge",
        [row_of(merge)],
        conflict="(prior, survivor) DO UPDATE SET state ="
        " CASE vault_merge.state WHEN 'moved' THEN 'moved' ELSE excluded.state END",
    )


def of(tx: Transaction, tag: bytes) -> list[Merge]:
    """Return the merges that a vault is part of, oldest first."""
    rows = tx.all(
        _MERGE + " WHERE prior = :tag OR survivor = :tag ORDER BY created_ms, prior", tag=tag
    )
    return [read(Merge, row) for row in rows]


def joined(tx: Transaction, tag: bytes) -> list[bytes]:
    """Return the vaults whose records were brought to this one, those joined to them included."""
    found: dict[bytes, None] = {}
    left = [tag]
    while left:
        rows = tx.all(
            "SELECT prior FROM vault_merge WHERE survivor IN :tags AND state = 'moved'"
            " ORDER BY created_ms, prior",
            tags=left,
        )
        left = [bytes(row[0]) for row in rows if bytes(row[0]) not in found]
        found |= dict.fromkeys(left)
    return [one for one in found if one != tag]


def goes_on_in(tx: Transaction, tag: bytes) -> bytes:
    """Return the vault that a vault's records go on in: itself, unless it was joined to another."""
    seen = {tag}
    while True:
        row = tx.one(
            "SELECT survivor FROM vault_merge WHERE prior = :tag AND state = 'moved'"
            " ORDER BY created_ms DESC LIMIT 1",
            tag=tag,
        )
        if row is None or bytes(row[0]) in seen:
            return tag
        tag = bytes(row[0])
        seen.add(tag)
