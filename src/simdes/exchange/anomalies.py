"""Whether a reader must show a second factor before reading on (paper: "anomaly detection").

`demands_second_factor` is asked before a patient's records are read and remembers the reading. It
costs one small write the first time an account reads a patient within ten minutes, else a lookup.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from simdes.access import anomaly
from simdes.access.anomaly import FRESH_SECONDS, TREATMENT_SECONDS, Rule
from simdes.access.categories import Category, Role
from simdes.errors import Unauthenticated
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import readings
from simdes.index.transaction import Transaction

__all__ = ["FRESH_SECONDS", "SecondFactorNeeded", "demands_second_factor", "require_usual"]

_REMEMBERED_MS: Final = 600_000
_NO_RULES: Final = frozenset({Role.PATIENT, Role.AGENT})
"""Patients read their own records; software reads within the scopes of its service."""


class SecondFactorNeeded(Unauthenticated):
    """The account read unusually much; it goes on after a second factor (RFC 9470)."""

    default_advice = "Sign in again with a second factor."


def require_usual(node: Node, session: Session, vaults: Collection[bytes]) -> None:
    """Raise `SecondFactorNeeded` where this person must show a second factor before reading."""
    for vault in vaults:
        if demands_second_factor(node, session, vault):
            raise SecondFactorNeeded("A second factor is needed to read on.")


def demands_second_factor(node: Node, session: Session, vault: bytes) -> bool:
    """Whether this person, about to read this vault, has to show a second factor first.

    False for a person who showed one within fifteen minutes, and for a patient or a service.
    """
    actor, now_ms = session.actor, node.now_ms()
    if actor.role in _NO_RULES:
        return False
    since_ms = now_ms - _REMEMBERED_MS
    with node.database.read() as tx:
        known = readings.read_since(tx, actor.account, vault, since_ms=since_ms)
    if not known:
        node.database.write(lambda tx: _remember(tx, actor.account, vault, now_ms))
    if anomaly.passes(actor.authentication, now_seconds=node.now_seconds()):
        return False
    with node.database.read() as tx:

        def count(rule: Rule) -> int:
            return readings.patients_read(
                tx,
                actor.account,
                since_ms=now_ms - rule.seconds * 1000,
                strangers=rule.strangers,
            )

        return anomaly.fires(node.desk.limits.reading, count) is not None


def _remember(tx: Transaction, account: bytes, vault: bytes, now_ms: int) -> None:
    treating = readings.in_treatment(
        tx, vault, category=Category.ENCOUNTERS, since_ms=now_ms - TREATMENT_SECONDS * 1000
    )
    readings.add_reading(tx, account, vault, treating=treating, now_ms=now_ms)
