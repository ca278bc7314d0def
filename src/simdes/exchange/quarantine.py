"""Quarantine: what could not be accepted, for people to look at, correct, dismiss or replay.

A document is open until it is replayed (`exchange.replay`) or dismissed; the original is never
changed, a corrected copy stands beside it, and everything decided stays in its history
(docs/decisions/0017-quarantine.md). ``session`` None is the operator: whoever runs the program with
the organisation's own folder and passphrase, as for `submit`. A face always passes its session.
Content is patient data: it is shown to administrators alone, and never before an audit entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from simdes.access.accounts import why_inactive
from simdes.access.audit_event import Attempt, Verb
from simdes.access.categories import Role
from simdes.access.desk import refusal
from simdes.crypto.digest import sha256
from simdes.errors import Conflict, Invalid, TooLarge
from simdes.exchange.keeping import (
    Content,
    Entry,
    entry_of,
    newest,
    row_of,
    why_of,
    wrapped_copy,
    wrapped_why,
)
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import quarantine as rows
from simdes.index.quarantine import DISMISSED, OPEN, REPLAYED, STATES, Selection
from simdes.index.transaction import Transaction
from simdes.mapper import LIMITS

__all__ = [
    "DISMISSED",
    "OPEN",
    "REPLAYED",
    "STATES",
    "Content",
    "Entry",
    "Selection",
    "dismiss",
    "expire",
    "fix",
    "listed",
    "open_content",
    "reopen",
    "show",
    "step_of",
    "summary",
]

_Write = Callable[[Transaction, rows.Quarantined, bytes], None]

PAGE_LIMIT = 1000
WHY_CHARACTERS = 500

STEPS = {
    "unsupported-message": "upgrade",
    "unsupported-format": "upgrade",
    "unknown-format": "upgrade",
    "mapper-fault": "upgrade",
    "not-mapped": "upgrade",
    "wrong-encoding": "settings",
    "not-valid-r4": "settings",
    "identifiers-of-two-patients": "decide",
    "merge-needs-patient": "patient",
    "merge-declined": "decide",
    "merge-accepted": "replay",
    "vault-erased": "decide",
}
"""What brings a reason's documents on: an upgrade, the site's settings, a decision about the
patient, the patient's own answer, a replay alone; else a correction, by the sender or here
("correct")."""


@dataclass(frozen=True, slots=True)
class Page:
    """Entries in the order of their arrival; ``after`` names the next page, None at the end."""

    entries: tuple[Entry, ...]
    after: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Documents of one reason, event and sender. ``step`` is one of `STEPS` or ``correct``."""

    code: str
    kind: str
    event: str
    sender: str
    count: int
    oldest_ms: int
    newest_ms: int
    advice: str
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One line of a document's history. ``by`` is a user name, or "" for the operator."""

    action: str
    by: str
    why: str
    time_ms: int
    source_id: int | None


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry with its history, oldest first; ``corrected`` says that a replay takes a copy."""

    entry: Entry
    history: tuple[Decision, ...]
    corrected: bool


def listed(
    node: Node,
    session: Session | None,
    selection: Selection,
    *,
    after: int = 0,
    limit: int = 100,
) -> Page:
    """A page of documents in the order of their arrival; ``after`` is what the last page named.

    Raises Invalid for a limit outside 1 to `PAGE_LIMIT` or an unknown state, Forbidden as `show`.
    """
    permit_look(node, session)
    if not 1 <= limit <= PAGE_LIMIT:
        raise Invalid(f"A page has 1 to {PAGE_LIMIT} entries.")
    if selection.state not in (None, *STATES):
        raise Invalid(f"A state is one of {', '.join(STATES)}.")
    with node.database.read() as tx:
        found = rows.page(tx, selection, after=after, limit=limit + 1)
    shown = tuple(entry_of(one) for one in found[:limit])
    return Page(shown, shown[-1].id if len(found) > limit else None)


def summary(node: Node, session: Session | None, selection: Selection) -> tuple[Group, ...]:
    """Counts by reason, event and sender, what unblocks most first: the reason that holds up most
    documents, and in it the largest group. Raises Forbidden as `show`."""
    permit_look(node, session)
    with node.database.read() as tx:
        found = rows.groups(tx, selection)
    total: dict[str, int] = {}
    for one in found:
        total[one.code] = total.get(one.code, 0) + one.count
    found.sort(key=lambda one: (-total[one.code], one.code, -one.count))
    return tuple(
        Group(
            **{field.name: getattr(one, field.name) for field in fields(one)},
            step=step_of(one.code),
        )
        for one in found
    )


def step_of(code: str) -> str:
    """What brings documents of a reason on: one of `STEPS`, or ``correct``."""
    return STEPS.get(code, "correct")


def show(node: Node, session: Session | None, quarantine_id: int) -> Shown:
    """A document's reason, advice and history, without its content.

    Raises NotFound, and Forbidden for a session that is not an administrator's of this
    organisation.
    """
    permit_look(node, session)
    with node.database.read() as tx:
        row = row_of(tx, quarantine_id)
        history = rows.history(tx, quarantine_id)
    users = {one.account: one.user for one in node.desk.keystore.people()}
    return Shown(
        entry_of(row),
        tuple(
            Decision(
                action=one.action,
                by="" if one.account is None else users.get(one.account, one.account.hex()),
                why=why_of(node, row, one),
                time_ms=one.created_ms,
                source_id=one.source_id,
            )
            for one in history
        ),
        any(one.action == rows.CORRECTED for one in history),
    )


def open_content(
    node: Node, session: Session, quarantine_id: int, *, original: bool = False
) -> Content:
    """A document's bytes, the newest corrected copy unless the ``original`` is asked for.

    The audit entry is durable before the bytes are given. Raises NotFound, also where retention
    removed them, and Forbidden, with an entry of its own, unless an administrator asks.
    """
    with node.database.read() as tx:
        row = row_of(tx, quarantine_id)
    _may(node, session, Verb.QUARANTINE_READ, row)
    content = newest(node, row, original=original)
    node.database.write(
        lambda tx: _audit(node, tx, session, Verb.QUARANTINE_READ, records=(row.digest,))
    )
    return content


def fix(node: Node, session: Session, quarantine_id: int, data: bytes, *, why: str) -> Entry:
    """Put a corrected copy beside the original; a replay takes the newest. Repeating it is safe.

    Raises Conflict unless the document is open, Invalid without a reason or bytes, TooLarge,
    NotFound, and Forbidden unless an administrator corrects.
    """
    if not data:
        raise Invalid("The corrected copy is empty.")
    if len(data) > LIMITS.file_bytes:
        raise TooLarge(f"A corrected copy has at most {LIMITS.file_bytes:,} bytes.")
    digest = sha256(data)

    def write(tx: Transaction, row: rows.Quarantined, reason: bytes) -> None:
        if row.state != OPEN:
            raise Conflict(f"The document is {row.state}; only an open one can be corrected.")
        last = rows.correction(tx, row.id)
        if last is not None and last.digest == digest:
            return
        content = wrapped_copy(node, row, data)
        action = _action(node, session, row, rows.CORRECTED, reason)
        rows.record(tx, [replace(action, digest=digest, content_wrapped=content)])

    return _decide(node, session, quarantine_id, why, write)


def dismiss(node: Node, session: Session, quarantine_id: int, *, why: str) -> Entry:
    """Decide that a document will not be replayed; it is kept. Raises as `fix`."""

    def write(tx: Transaction, row: rows.Quarantined, reason: bytes) -> None:
        if row.state == DISMISSED:
            return
        rows.settle(tx, row.id, DISMISSED, now_ms=node.now_ms())
        rows.record(tx, [_action(node, session, row, DISMISSED, reason)])

    return _decide(node, session, quarantine_id, why, write)


def reopen(node: Node, session: Session, quarantine_id: int, *, why: str) -> Entry:
    """Take a dismissal back. Raises as `fix`, Conflict where it is not dismissed or emptied."""

    def write(tx: Transaction, row: rows.Quarantined, reason: bytes) -> None:
        if row.state == OPEN:
            return
        rows.reopen(tx, row.id)
        rows.record(tx, [_action(node, session, row, rows.REOPENED, reason)])

    return _decide(node, session, quarantine_id, why, write)


def expire(node: Node, session: Session, *, settled_seconds: int, dry_run: bool = False) -> int:
    """Remove the content of documents settled longer ago than that; how many. Rows and history
    stay, open ones are never touched. Raises Forbidden unless an administrator asks."""
    _may(node, session, Verb.QUARANTINE_DECIDE)
    before_ms = node.now_ms() - settled_seconds * 1000

    def write(tx: Transaction) -> int:
        ids = rows.expired(tx, before_ms=before_ms)
        if ids:
            rows.remove_content(tx, ids)
            actor, now_ms = session.actor.account, node.now_ms()
            rows.record(
                tx,
                [
                    rows.NewAction(
                        quarantine_id=one, action=rows.EXPIRED, account=actor, created_ms=now_ms
                    )
                    for one in ids
                ],
            )
            _audit(node, tx, session, Verb.QUARANTINE_DECIDE)
        return len(ids)

    if dry_run:
        with node.database.read() as tx:
            return rows.count_expired(tx, before_ms=before_ms)
    total = 0
    while removed := node.database.write(write):
        total += removed
    return total


def permit_look(node: Node, session: Session | None) -> None:
    """Let an administrator of ours look, or the operator. Raises Forbidden."""
    if session is not None:
        _may(node, session, Verb.QUARANTINE_READ)


def permit(node: Node, session: Session | None) -> bytes | None:
    """Who replays: an administrator's account, or None for the operator. Raises Forbidden."""
    if session is None:
        return None
    _may(node, session, Verb.QUARANTINE_DECIDE)
    return session.actor.account


def _decide(
    node: Node,
    session: Session,
    quarantine_id: int,
    why: str,
    write: _Write,
) -> Entry:
    """Run a person's decision with its audit entry in one transaction; the entry afterwards."""
    reason = why.strip()
    if not 1 <= len(reason) <= WHY_CHARACTERS:
        raise Invalid(f"A decision needs a reason of 1 to {WHY_CHARACTERS} characters.")
    with node.database.read() as tx:
        found = row_of(tx, quarantine_id)
    _may(node, session, Verb.QUARANTINE_DECIDE, found)
    kept_reason = wrapped_why(node, found, reason)

    def body(tx: Transaction) -> Entry:
        write(tx, row_of(tx, quarantine_id), kept_reason)
        _audit(node, tx, session, Verb.QUARANTINE_DECIDE, records=(found.digest,))
        return entry_of(row_of(tx, quarantine_id))

    return node.database.write(body)


def _may(node: Node, session: Session, verb: Verb, row: rows.Quarantined | None = None) -> None:
    """Ask the chain whether this is an active administrator of ours; a refusal is audited."""
    standing = node.contracts.accounts.standing(session.actor.address)
    reason = why_inactive(standing)
    if not reason and standing is not None:
        ours = standing.organisation == node.organisation
        reason = "" if ours and standing.role == Role.ADMINISTRATOR else "WRONG_ROLE"
    if not reason:
        return
    records = () if row is None else (row.digest,)
    if standing is not None:  # strangers leave no entry, as in the custody API
        node.database.write(
            lambda tx: _audit(node, tx, session, verb, records=records, reason=reason)
        )
    raise refusal(reason)


def _audit(
    node: Node,
    tx: Transaction,
    session: Session,
    verb: Verb,
    *,
    records: tuple[bytes, ...] = (),
    reason: str = "",
) -> None:
    actor = session.actor
    attempt = Attempt(
        verb=verb,
        account=actor.account,
        address=actor.address,
        role=actor.role,
        organisation=actor.organisation,
        purpose=None,
        vault=None,
        records=records,
        reason=reason,
    )
    node.desk.trail.append(tx, [attempt])


def _action(
    node: Node, session: Session, row: rows.Quarantined, action: str, why: bytes
) -> rows.NewAction:
    return rows.NewAction(
        quarantine_id=row.id,
        action=action,
        account=session.actor.account,
        why_wrapped=why,
        created_ms=node.now_ms(),
    )
