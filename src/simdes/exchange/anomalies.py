"""Whether a reader must show a second factor before reading on (paper: "anomaly detection").

`demands_second_factor` is asked before a patient's records are read and remembers the reading. It
costs one small write the first time an account reads a patient within ten minutes, else a lookup.
"""

from __future__ import annotations

from typing import Final

from simdes.access import anomaly
from simdes.access.anomaly import FRESH_SECONDS, TREATMENT_SECONDS, Rule
from simdes.access.categories import Category, Role
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import authorization
from simdes.index.transaction import Transaction

__all__ = ["FRESH_SECONDS", "demands_second_factor"]

_REMEMBERED_MS: Final = 600_000
_NO_RULES: Final = frozenset({Role.PATIENT, Role.AGENT})
"""Patients read their own records; software reads within the scopes of its service."""


def demands_second_factor(node: Node, session: Session, vault: bytes) -> bool:
    """Whether this person, about to read this vault, has to show a second factor first.

    False for a person who showed one within fifteen minutes, and for a patient or a service.
    """
    actor, now_ms = session.actor, node.now_ms()
    if actor.role in _NO_RULES:
        return False
    since_ms = now_ms - _REMEMBERED_MS
    with node.database.read() as tx:
        known = authorization.read_since(tx, actor.account, vault, since_ms=since_ms)
    if not known:
        node.database.write(lambda tx: _remember(tx, actor.account, vault, now_ms))
    if anomaly.passes(actor.authentication, now_seconds=node.now_seconds()):
        return False
    with node.database.read() as tx:

        def count(rule: Rule) -> int:
            return authorization.patients_read(
                tx,
                actor.account,
                since_ms=now_ms - rule.seconds * 1000,
                strangers=rule.strangers,
            )

        return anomaly.fires(node.desk.limits.reading, count) is not None


def _remember(tx: Transaction, account: bytes, vault: bytes, now_ms: int) -> None:
    treating = authorization.in_treatment(
        tx, vault, category=Category.ENCOUNTERS, since_ms=now_ms - TREATMENT_SECONDS * 1000
    )
    authorization.add_reading(tx, account, vault, treating=treating, now_ms=now_ms)
