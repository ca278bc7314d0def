"""Whether a reader must show a second factor before reading on (paper: "anomaly detection").

`demands_second_factor` is asked before a patient's records are read and remembers the reading. It
costs one small write the first time an account reads a patient within ten minutes, else a lookup.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from simdes.access import anomaly
from simdes.access.anomaly import FRESH_SECONDS, TREATMENT_SECONDS
from simdes.access.categories import Category, Role
from simdes.errors import Unauthenticated
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import claims, corrections, readings, whereabouts
from simdes.index.transaction import Transaction

__all__ = [
    "FRESH_SECONDS",
    "SecondFactorNeeded",
    "demands_second_factor",
    "is_usual",
    "require_usual",
]

_REMEMBERED_MS: Final = 600_000
_NO_RULES: Final = frozenset({Role.PATIENT, Role.AGENT})
"""Patients read their own records; software reads within the scopes of its service."""


class SecondFactorNeeded(Unauthenticated):
    """The account read unusually much; it goes on after a second factor (RFC 9470)."""

    default_reason = "SECOND_FACTOR"
    default_advice = "Sign in again with a second factor."


def require_usual(node: Node, session: Session, vaults: Collection[bytes]) -> None:
    """Raise `SecondFactorNeeded` where this person must show a second factor before reading."""
    if demands_second_factor(node, session, *vaults):
        raise SecondFactorNeeded("A second factor is needed to read on.")


def is_usual(node: Node, tx: Transaction, session: Session, vaults: Collection[bytes]) -> bool:
    """Whether reading these vaults needs neither a second factor nor to be remembered.

    For who looks into the database anyway; False says nothing: `require_usual` finds out.
    """
    actor, now_ms = session.actor, node.now_ms()
    if actor.role in _NO_RULES or not vaults:
        return True
    known = readings.read_since(tx, actor.account, vaults, since_ms=now_ms - _REMEMBERED_MS)
    if known < set(vaults):
        return False
    passes = anomaly.passes(actor.authentication, now_seconds=node.now_seconds())
    return passes or not _fires(node, tx, actor.account, now_ms)


def demands_second_factor(node: Node, session: Session, *vaults: bytes) -> bool:
    """Whether this person, about to read these vaults, has to show a second factor first.

    False for a person who showed one within fifteen minutes, and for a patient or a service. What
    is refused counts as read, too: whoever goes on trying gains nothing.
    """
    actor, now_ms = session.actor, node.now_ms()
    if actor.role in _NO_RULES or not vaults:
        return False
    passes = anomaly.passes(actor.authentication, now_seconds=node.now_seconds())
    with node.database.read() as tx:
        known = readings.read_since(tx, actor.account, vaults, since_ms=now_ms - _REMEMBERED_MS)
        new = set(vaults) - known
        if not new:
            return not passes and _fires(node, tx, actor.account, now_ms)

    def remember(tx: Transaction) -> bool:
        _remember(tx, actor.account, new, now_ms)
        return not passes and _fires(node, tx, actor.account, now_ms)

    return node.database.write(remember)


def _fires(node: Node, tx: Transaction, account: bytes, now_ms: int) -> bool:
    rules = node.desk.limits.reading
    asked = [(now_ms - rule.seconds * 1000, rule.strangers) for rule in rules]
    counts = dict(zip(rules, readings.patients_read(tx, account, asked), strict=True))
    return anomaly.fires(rules, counts.__getitem__) is not None


def _remember(tx: Transaction, account: bytes, vaults: Collection[bytes], now_ms: int) -> None:
    treated = readings.in_treatment(
        tx, vaults, category=Category.ENCOUNTERS, since_ms=now_ms - TREATMENT_SECONDS * 1000
    )
    for waiting in (whereabouts.PRESCRIPTIONS, whereabouts.CLAIMS):
        treated |= waiting.among(tx, vaults)  # who waits at the counter or for a decision
    treated |= corrections.among(tx, vaults)  # who waits for an answer
    treated |= claims.among(tx, vaults)  # whose claim somebody at the billing desk follows
    readings.add_readings(tx, account, {one: one in treated for one in vaults}, now_ms=now_ms)
