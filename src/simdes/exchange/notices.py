"""What a patient should know of when they come: somebody asks, looked in an emergency, wants in.

Made of what stands elsewhere (requests, the ledger's emergencies and recoveries): nothing is kept
for it, so nothing is forgotten or told twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simdes.exchange import access_requests, consents, emergencies
from simdes.exchange.node import Node
from simdes.exchange.signin import Session

REQUEST: Final = "request"
EMERGENCY: Final = "emergency"
RECOVERY: Final = "recovery"
KINDS: Final = (REQUEST, EMERGENCY, RECOVERY)
RECENT_SECONDS: Final = 30 * 86_400
"""How long an emergency that is over is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to look at: what it is, by which organisation (None: by nobody known), when."""

    kind: str
    organisation: bytes | None
    at_ms: int


def listed(node: Node, session: Session) -> list[Notice]:
    """What waits for a patient or happened lately, newest first; what can be stopped comes first.

    Raises as `access_requests.waiting` where the session is no patient's.
    """
    found: list[Notice] = []
    now = node.now_seconds()
    for vault in consents.vaults_of(node, session):
        found += [
            Notice(kind=REQUEST, organisation=one.organisation, at_ms=one.asked_ms)
            for one in access_requests.waiting(node, session, vault)
        ]
        found += [
            Notice(kind=EMERGENCY, organisation=one.organisation, at_ms=one.opened_seconds * 1000)
            for one in emergencies.of_vault(node, session, vault)
            if one.open or one.opened_seconds > now - RECENT_SECONDS
        ]
    found.sort(key=lambda one: one.at_ms, reverse=True)
    pending = node.contracts.accounts.pending_recovery(session.actor.account)
    if pending is not None:
        at_ms = pending.ready_at * 1000
        found.insert(0, Notice(kind=RECOVERY, organisation=None, at_ms=at_ms))
    return found
