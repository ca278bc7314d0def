"""Records of other organisations that people here read: kept a short time, wrapped, then dropped.

A copy belongs to the consent handle it was read under (`visible.PATIENT` for the patient's own
reading). It is dropped when it expires, and at once when the handle is revoked or the vault starts
a generation; with it goes all that searches know of what is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A record's content, wrapped under the vault's local key."""

    record_id: bytes
    vault: bytes
    handle: bytes
    content_wrapped: bytes
    expires_ms: int


_COPY = select(Copy, "remote_copy")


def put(tx: Transaction, copies: Sequence[Copy]) -> None:
    """Keep copies; one kept before gets the new content and expiry."""
    tx.insert(
        "remote_copy",
        [row_of(copy) for copy in copies],
        conflict="(vault, record_id, handle) DO UPDATE SET"
        " content_wrapped = excluded.content_wrapped, expires_ms = excluded.expires_ms",
    )


def get(
    tx: Transaction, vault: bytes, handle: bytes, record_ids: Sequence[bytes], *, now_ms: int
) -> dict[bytes, Copy]:
    """Return the copies among these records that have not expired, by record id."""
    rows = tx.all(
        _COPY + " WHERE vault = :vault AND handle = :handle AND record_id IN :ids"
        " AND expires_ms > :now",
        vault=vault,
        handle=handle,
        ids=record_ids,
        now=now_ms,
    )
    return {row[0]: read(Copy, row) for row in rows}


def of_handle(tx: Transaction, vault: bytes, handle: bytes, *, now_ms: int) -> list[Copy]:
    """Return every copy read under a handle that has not expired."""
    rows = tx.all(
        _COPY + " WHERE vault = :vault AND handle = :handle AND expires_ms > :now"
        " ORDER BY record_id",
        vault=vault,
        handle=handle,
        now=now_ms,
    )
    return [read(Copy, row) for row in rows]


def count(tx: Transaction, vault: bytes, *, now_ms: int) -> int:
    """Return how many copies of a vault's records have not expired."""
    row = tx.one(
        "SELECT count(*) FROM remote_copy WHERE vault = :vault AND expires_ms > :now",
        vault=vault,
        now=now_ms,
    )
    return 0 if row is None else int(row[0])


def renew(tx: Transaction, vault: bytes, handle: bytes, *, expires_ms: int, now_ms: int) -> int:
    """Lengthen the stay of the copies read under a handle, after asking again; how many."""
    return tx.run(
        "UPDATE remote_copy SET expires_ms = :expires"
        " WHERE vault = :vault AND handle = :handle AND expires_ms > :now",
        expires=expires_ms,
        vault=vault,
        handle=handle,
        now=now_ms,
    )


def drop_handle(tx: Transaction, vault: bytes, handle: bytes) -> int:
    """Drop what was read under a handle; how many copies."""
    return tx.run(
        "DELETE FROM remote_copy WHERE vault = :vault AND handle = :handle",
        vault=vault,
        handle=handle,
    )


def drop_vault(tx: Transaction, vault: bytes) -> int:
    """Drop every copy of a vault's records; how many."""
    return tx.run("DELETE FROM remote_copy WHERE vault = :vault", vault=vault)


def purge(tx: Transaction, *, now_ms: int) -> int:
    """Drop expired copies; how many."""
    return tx.run("DELETE FROM remote_copy WHERE expires_ms <= :now", now=now_ms)


def expired(tx: Transaction, *, now_ms: int) -> bool:
    """Whether there is a copy to purge."""
    row = tx.one("SELECT 1 FROM remote_copy WHERE expires_ms <= :now LIMIT 1", now=now_ms)
    return row is not None
