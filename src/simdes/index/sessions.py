"""Signed-in people: a session's id, whose account it acts as, and that account's wrapped key.

The id is a digest of the bearer's secret, and the key is wrapped under that secret: this table
alone neither admits nor signs.
"""

from __future__ import annotations

from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session until ``expires_ms``.

    ``key_wrapped`` None: the organisation's agent, whose key is at hand. ``grant_id`` is what an
    app was allowed, None for a person's own session; ``vault`` the patient in context.
    """

    id: bytes
    account: bytes
    key_wrapped: bytes | None
    grant_id: bytes | None = None
    vault: bytes | None = None
    expires_ms: int


_SESSION = select(Session, "session")


def add(tx: Transaction, session: Session) -> None:
    """Open a session; `Conflict` when its id is taken."""
    tx.insert("session", [row_of(session)])


def get(tx: Transaction, id: bytes, *, now_ms: int) -> Session | None:
    """Return a session that has not expired."""
    row = tx.one(_SESSION + " WHERE id = :id AND expires_ms > :now", id=id, now=now_ms)
    return None if row is None else read(Session, row)


def end(tx: Transaction, id: bytes) -> bool:
    """End a session; False when there was none."""
    return tx.run("DELETE FROM session WHERE id = :id", id=id) > 0


def end_all(tx: Transaction, account: bytes) -> int:
    """End every session of an account; how many there were."""
    return tx.run("DELETE FROM session WHERE account = :account", account=account)


def purge(tx: Transaction, *, now_ms: int) -> int:
    """Drop expired sessions; how many."""
    return tx.run("DELETE FROM session WHERE expires_ms <= :now", now=now_ms)
