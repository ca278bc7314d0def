"""Who may listen to which subscriptions over a websocket, by a token that is said there."""

from __future__ import annotations

from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Who may listen to which subscriptions (``names``: ids with spaces between) until when."""

    token: bytes
    account: bytes
    client: str
    session: bytes
    session_until_ms: int
    names: str
    expires_ms: int


_BINDING = select(Binding, "subscription_binding")


def bind(tx: Transaction, binding: Binding, *, now_ms: int) -> None:
    """Keep a binding; those that ended go."""
    tx.run("DELETE FROM subscription_binding WHERE expires_ms <= :now", now=now_ms)
    tx.insert("subscription_binding", [row_of(binding)])


def binding(tx: Transaction, token: bytes, *, now_ms: int) -> Binding | None:
    """A binding that stands."""
    row = tx.one(_BINDING + " WHERE token = :token AND expires_ms > :now", token=token, now=now_ms)
    return None if row is None else read(Binding, row)
