"""`reconcile`: what does your trail say of this entry of ours?

Asked by the software of an organisation that shows an anchored entry of its own trail, about an
opening in which both had a part: one is the reader's organisation, the others are custodians of the
vault. The answer holds the entries of our trail about the same: same account, same vault, about the
same time. Nobody learns of an access in which they had no part (docs/audit.md).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from simdes.access import evidence
from simdes.access.accounts import why_inactive
from simdes.access.audit import Batches
from simdes.access.audit_event import Attempt, Entry, Verb, decode
from simdes.access.categories import Role
from simdes.access.desk import Asker, Desk, Outcome, refuse
from simdes.access.epochs import ever
from simdes.access.links import link_of
from simdes.access.messages import ReconcileBody
from simdes.access.openings import own_openings
from simdes.access.requests import unhex
from simdes.crypto import cbor
from simdes.errors import Invalid, NotFound, Tampered
from simdes.index import audit as rows
from simdes.index import reconciling as openings
from simdes.index.transaction import Transaction
from simdes.ledger.consents import Reason

NOT_CONCERNED: Final = "NOT_CONCERNED"
BAD_PROOF: Final = "BAD_PROOF"
WITNESSED: Final = frozenset({Verb.RELEASE, Verb.MANIFESTS, Verb.CAPSULES, Verb.READ})
"""Verbs that leave entries with the reader's organisation and with custodians."""
NEAR_MS: Final = 3_600_000
"""How far the times of two entries about the same may lie apart."""
DAY_MS: Final = 86_400_000
MOST_LOOKED_AT: Final = 1_000
MOST_SHOWN: Final = 200
"""Entries shown for one that is asked about."""


@dataclass(frozen=True, slots=True)
class _Asked:
    entry: Entry
    leaf: bytes


def reconcile(desk: Desk, asker: Asker, body: ReconcileBody) -> Outcome:
    """The entries here about what the asker's entries are about."""
    reason = asker.unfit or why_inactive(asker.standing)
    if not reason and asker.standing.role is not Role.AGENT:
        reason = Reason.WRONG_ROLE.name
    if reason:
        return refuse(asker.attempt(Verb.RECONCILE, reason=reason))
    try:
        asked = [_verified(desk, text) for text in body.entries]
    except (Invalid, NotFound, Tampered):
        return refuse(asker.attempt(Verb.RECONCILE, reason=BAD_PROOF))
    if not all(concerns(desk, asker.standing.organisation, one.entry) for one in asked):
        return refuse(asker.attempt(Verb.RECONCILE, reason=NOT_CONCERNED))
    own_openings(desk).close_unended(now_ms=int(desk.clock() * 1000))
    with desk.database.read() as tx:
        batches = Batches(tx)
        shown: list[cbor.Value] = [_shown(desk, tx, batches, one.entry) for one in asked]
    return Outcome(
        attempts=(asker.attempt(Verb.RECONCILE, records=[one.leaf for one in asked]),),
        receipt={"count": sum(len(one) for one in shown if isinstance(one, list))},
        body={"shown": shown},
    )


def concerns(desk: Desk, asker: bytes, entry: Entry) -> bool:
    """Whether an entry of the asker's is about an opening in which both of us had a part."""
    attempt = entry.attempt
    if entry.observer != asker or attempt.verb not in WITNESSED or attempt.vault is None:
        return False
    parties = {
        attempt.organisation,
        *(one.organisation for its in ever(desk, attempt.vault) for one in its.custodians),
    }
    return {asker, desk.organisation} <= parties


def _verified(desk: Desk, text: str) -> _Asked:
    verified = evidence.verify_audit_proof(text.encode(), desk.contracts)
    proof, _ = evidence.read_audit_proof(text.encode())
    return _Asked(verified.entry, unhex(proof.leaf))


def _shown(desk: Desk, tx: Transaction, batches: Batches, asked: Entry) -> list[cbor.Value]:
    attempt, at_ms = asked.attempt, asked.recorded_ms
    vault = attempt.vault or b""
    near = rows.of_vault_near(tx, vault, at_ms=at_ms, within_ms=NEAR_MS, limit=MOST_LOOKED_AT)
    late = openings.unended_entries(tx, vault, from_ms=at_ms - DAY_MS, to_ms=at_ms + NEAR_MS)
    known = {one.seq for one in near}
    near += [one for seq in late if seq not in known and (one := rows.get(tx, seq)) is not None]
    found: list[cbor.Value] = []
    for one in near:
        if len(found) < MOST_SHOWN and _is_about(_attempt(desk, tx, one), attempt):
            document: dict[str, Any] = {
                "proof": desk.trail.proof(tx, one, batches),
                "before": link_of(tx, one, batches),
            }
            found.append(json.dumps(document))
    return found


def _attempt(desk: Desk, tx: Transaction, entry: rows.Entry) -> Attempt | None:
    try:
        return decode(desk.trail.read(tx, entry)).attempt
    except NotFound:
        return None  # its vault is erased here


def _is_about(ours: Attempt | None, asked: Attempt) -> bool:
    """Whether one of our entries is about what the asker's is about."""
    return (
        ours is not None
        and ours.verb in WITNESSED
        and ours.account == asked.account
        and (not ours.records or not asked.records or _share(ours.records, asked.records))
    )


def _share(one: Sequence[bytes], other: Sequence[bytes]) -> bool:
    return not set(one).isdisjoint(other)
