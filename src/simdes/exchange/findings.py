"""Findings: what does not agree between audit trails, kept until an administrator closes them.

A finding names organisations, vaults' tags and numbers of entries, never a person or a record's
content. Whoever looks leaves an audit entry (docs/audit.md, "Findings").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from simdes.access.accounts import why_inactive
from simdes.access.audit_event import Attempt, Verb
from simdes.access.categories import Role
from simdes.access.cross_checking import CONTRADICTED, FEWER
from simdes.access.desk import refusal
from simdes.access.trails import (
    DIFFERENT,
    MISSING,
    NOT_ANCHORED,
    OUT_OF_ORDER,
    UNPROVEN,
    WRONG_TIME,
)
from simdes.crypto.digest import sha256
from simdes.errors import Conflict, Invalid, TooLarge
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import reconciling as rows
from simdes.index.reconciling import Finding

__all__ = [
    "KINDS",
    "Finding",
    "Kind",
    "close",
    "find",
    "finding",
    "keep",
    "listed",
]

SILENT: Final = "silent"
REPEATED_ROOT: Final = "repeated-root"
OWN_TRAIL: Final = "own-trail"
LISTED_LESS: Final = "listed-less"

PAGE_LIMIT: Final = 1000
WHY_CHARACTERS: Final = 500


@dataclass(frozen=True, slots=True)
class Kind:
    """What a finding means, and what to do about it."""

    means: str
    advice: str


_EVIDENCE: Final = "Keep the proof of our entry (simdes audit findings --json names it), "

KINDS: Final = {
    MISSING: Kind(
        "its trail has no entry of something that ours has",
        _EVIDENCE + "ask the organisation, and tell the patient and the network's owners.",
    ),
    DIFFERENT: Kind(
        "its trail says something else of what ours has",
        _EVIDENCE + "compare both entries with the organisation; tell the patient.",
    ),
    UNPROVEN: Kind(
        "it shows an entry that is not the one anchored on chain",
        "Its database was changed, or it invents entries: tell the network's owners.",
    ),
    OUT_OF_ORDER: Kind(
        "its entries do not follow one another as the chain of digests demands",
        "Entries were moved, inserted or taken out: tell the network's owners.",
    ),
    WRONG_TIME: Kind(
        "an entry claims a time that does not fit the block it was anchored in",
        "Compare clocks (simdes doctor); if they agree, the entry was dated back or forward.",
    ),
    NOT_ANCHORED: Kind(
        "an entry is not on chain a day after it was written",
        "Ask the organisation whether its worker and ledger node run.",
    ),
    SILENT: Kind(
        "it has not shown its trail for three days",
        "Ask the organisation whether its gateway runs and may be reached from here.",
    ),
    REPEATED_ROOT: Kind(
        "an audit root stands on chain twice: one of both was copied",
        "Ask both organisations to prove an entry of that batch; who can't has copied it.",
    ),
    OWN_TRAIL: Kind(
        "our own trail is not the one that we anchored",
        "Our database was changed or restored from a backup: stop, and compare with backups.",
    ),
    FEWER: Kind(
        "a record was opened, and fewer custodians show that they gave their share than it takes",
        _EVIDENCE + "and ask the custodians that show nothing.",
    ),
    CONTRADICTED: Kind(
        "it says that a record could not be opened, and enough custodians gave it their shares",
        "Ask the organisation; count the record as read.",
    ),
    LISTED_LESS: Kind(
        "a custodian left out records that another one lists",
        "Ask the custodian whether it follows the chain; until then it hides records.",
    ),
}

_log = structlog.get_logger("simdes.audit")


def finding(
    node: Node,
    kind: str,
    organisation: bytes,
    *,
    vault: bytes | None = None,
    seq: int | None = None,
    batch_seq: int | None = None,
    token: bytes | None = None,
    about: bytes = b"",
) -> Finding:
    """A finding of now. The same kind, organisation, entry and subject is one finding."""
    now_ms = node.now_ms()
    parts = (seq or 0, batch_seq or 0)
    name = b"".join((kind.encode(), organisation, *(one.to_bytes(8) for one in parts), about))
    return Finding(
        id=sha256(b"simdes/audit-finding/v1" + name),
        kind=kind,
        organisation=organisation,
        vault=vault,
        seq=seq,
        batch_seq=batch_seq,
        token=token,
        found_ms=now_ms,
        again_ms=now_ms,
    )


def keep(node: Node, found: Sequence[Finding]) -> list[Finding]:
    """Make findings durable and log the new ones, by kind alone; returns the new ones."""
    if not found:
        return []
    new = node.database.write(lambda tx: [one for one in found if rows.find(tx, one)])
    for one in new:
        _log.error("audit trails differ", kind=one.kind, about="0x" + one.organisation.hex())
    return new


def listed(
    node: Node,
    session: Session | None,
    *,
    closed: bool = False,
    after: bytes | None = None,
    limit: int = PAGE_LIMIT,
) -> list[Finding]:
    """Findings, the newest first: open ones, with ``closed`` all.

    ``session`` None is the operator, who runs the program with the organisation's own folder.
    """
    if not 1 <= limit <= PAGE_LIMIT:
        raise Invalid(f"A page has 1 to {PAGE_LIMIT} findings.")
    _authorise(node, session)
    with node.database.read() as tx:
        state = None if closed else rows.OPEN
        return rows.findings(tx, state=state, after=after, limit=limit)


def find(node: Node, session: Session, id_: bytes) -> Finding:
    """One finding. NotFound; an administrator's look is on record, as with `listed`."""
    _authorise(node, session)
    with node.database.read() as tx:
        return rows.finding_of(tx, id_)


def close(node: Node, session: Session, id_: bytes, *, why: str) -> None:
    """Close a finding with a reason; it is not found again. NotFound, Conflict if it is closed."""
    text = " ".join(why.split())
    if not text:
        raise Invalid("Say why, for those who come after you.")
    if len(text) > WHY_CHARACTERS:
        raise TooLarge(f"A reason has {WHY_CHARACTERS} characters at most.")
    _authorise(node, session)
    user = session.actor.user
    with node.database.transaction() as tx:
        rows.finding_of(tx, id_)
        if not rows.close(tx, id_, why=text, by=user, now_ms=node.now_ms()):
            raise Conflict("The finding is closed.")


def _authorise(node: Node, session: Session | None) -> None:
    """Write down who looks, then refuse whoever is no administrator of this organisation."""
    if session is None:
        node.database.write(lambda tx: node.desk.trail.append(tx, [own_attempt(node)]))
        return
    actor = session.actor
    standing = node.contracts.accounts.standing(actor.address)
    reason = why_inactive(standing)
    if not reason and (
        standing is None
        or standing.organisation != node.organisation
        or standing.role is not Role.ADMINISTRATOR
    ):
        reason = "WRONG_ROLE"
    attempt = Attempt(
        verb=Verb.RECONCILE,
        account=actor.account,
        address=actor.address,
        role=actor.role,
        organisation=actor.organisation,
        purpose=None,
        vault=None,
        reason=reason,
    )
    node.database.write(lambda tx: node.desk.trail.append(tx, [attempt]))
    if reason:
        raise refusal(reason)


def own_attempt(node: Node, records: Sequence[bytes] = ()) -> Attempt:
    """The entry of our own software, or of the operator, going through audit trails."""
    lane = node.desk.keystore.lanes[0]
    standing = node.contracts.accounts.standing(lane.address)
    return Attempt(
        verb=Verb.RECONCILE,
        account=standing.account if standing else bytes(32),
        address=lane.address,
        role=Role.AGENT,
        organisation=node.organisation,
        purpose=None,
        vault=None,
        records=tuple(records),
    )
