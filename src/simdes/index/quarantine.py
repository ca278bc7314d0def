"""Input that could not become resources, kept with its reason until somebody decides on it.

States: a document is ``open`` until it is ``replayed`` (accepted, for good) or ``dismissed`` (by a
person, who may open it again). Only an open one is refused again or corrected. Order is that of
arrival: time, then place in the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from simdes.errors import Conflict
from simdes.index.rows import read, row_of, select
from simdes.index.statements import Value
from simdes.index.transaction import Transaction

OPEN, REPLAYED, DISMISSED = "open", "replayed", "dismissed"
STATES = (OPEN, REPLAYED, DISMISSED)

CORRECTED, REFUSED, REOPENED, EXPIRED = "corrected", "refused", "reopened", "expired"
"""What else is written into a document's history, beside its states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewQuarantined:
    """A refused document. ``position`` counts messages of its input from 0; ``content_wrapped`` is
    None once retention removed it. No text here holds patient data."""

    digest: bytes
    name: str
    position: int
    kind: str
    event: str
    sender: str
    code: str
    reason: str
    advice: str
    content_wrapped: bytes | None
    received_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined(NewQuarantined):
    """A refused document as kept: ``tried_ms`` its last replay, ``settled_ms`` None while open."""

    id: int
    tried_ms: int | None
    settled_ms: int | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAction:
    """Something decided about a document: by an ``account``, or None by the program's operator.

    ``digest`` and ``content_wrapped`` are a corrected copy, ``source_id`` what was accepted.
    """

    quarantine_id: int
    action: str
    account: bytes | None
    why_wrapped: bytes | None = None
    digest: bytes | None = None
    content_wrapped: bytes | None = None
    source_id: int | None = None
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(NewAction):
    """A decision as kept."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which documents are meant; None leaves a filter out. Times are when they were received."""

    state: str | None = OPEN
    code: str | None = None
    kind: str | None = None
    event: str | None = None
    sender: str | None = None
    since_ms: int | None = None
    before_ms: int | None = None
    last_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Documents of one reason, event and sender; ``advice`` is what one of them says."""

    code: str
    kind: str
    event: str
    sender: str
    count: int
    oldest_ms: int
    newest_ms: int
    advice: str


_QUARANTINED = select(Quarantined, "quarantine")
_ACTION = select(Action, "quarantine_action")
_CLAUSES = {
    "state": "state = :state",
    "code": "code = :code",
    "kind": "kind = :kind",
    "event": "event = :event",
    "sender": "sender = :sender",
    "since_ms": "received_ms >= :since_ms",
    "before_ms": "received_ms < :before_ms",
    "last_id": "id <= :last_id",
}
_EXPIRED = (
    " WHERE state IN ('replayed', 'dismissed') AND settled_ms < :before"
    " AND content_wrapped IS NOT NULL"
)
_HOLDING = (
    " WHERE state = 'open' AND (digest = :digest OR id IN"
    " (SELECT quarantine_id FROM quarantine_action WHERE digest = :digest)) ORDER BY id"
)
_BEHIND = (
    "(received_ms, position, id) > (SELECT received_ms, position, id FROM quarantine"
    " WHERE id = :after)"
)


def add(tx: Transaction, documents: Sequence[NewQuarantined]) -> None:
    """Keep documents, in one statement.

    One that comes again while it is open has the newest reason; one that was settled stays so.
    """
    first = {one.digest: one for one in reversed(documents)}  # a statement changes a row once
    tx.insert(
        "quarantine",
        [row_of(one) | {"state": OPEN} for one in documents if first[one.digest] is one],
        conflict="(digest) DO UPDATE SET code = excluded.code, reason = excluded.reason,"
        " advice = excluded.advice, kind = excluded.kind, event = excluded.event,"
        " sender = excluded.sender WHERE quarantine.state = 'open'",
    )


def get(tx: Transaction, quarantine_id: int) -> Quarantined | None:
    """Return a document by its id."""
    row = tx.one(_QUARANTINED + " WHERE id = :id", id=quarantine_id)
    return None if row is None else read(Quarantined, row)


def find(tx: Transaction, digest: bytes) -> Quarantined | None:
    """Return a document by the digest of its bytes."""
    row = tx.one(_QUARANTINED + " WHERE digest = :digest", digest=digest)
    return None if row is None else read(Quarantined, row)


def page(
    tx: Transaction, selection: Selection, *, after: int = 0, limit: int = 100
) -> list[Quarantined]:
    """Return documents in the order of their arrival, those behind the document ``after``."""
    where, params = _where(selection, *([_BEHIND] if after else []))
    if after:
        params["after"] = after
    rows = tx.all(
        f"{_QUARANTINED}{where} ORDER BY received_ms, position, id LIMIT :limit",
        limit=limit,
        **params,
    )
    return [read(Quarantined, row) for row in rows]


def count(tx: Transaction, selection: Selection | None = None) -> int:
    """Return how many documents there are in a selection (None: open)."""
    where, params = _where(selection or Selection())
    row = tx.one(f"SELECT count(*) FROM quarantine{where}", **params)  # noqa: S608
    return 0 if row is None else int(row[0])


def last_id(tx: Transaction) -> int:
    """Return the newest document's id, 0 without any."""
    row = tx.one("SELECT coalesce(max(id), 0) FROM quarantine")
    return 0 if row is None else int(row[0])


def groups(tx: Transaction, selection: Selection) -> list[Group]:
    """Return documents by reason, event and sender: the largest group first."""
    where, params = _where(selection)
    rows = tx.all(
        "SELECT code, kind, event, sender, count(*) AS many, min(received_ms) AS oldest,"  # noqa: S608
        f" max(received_ms), max(advice) FROM quarantine{where}"
        " GROUP BY code, kind, event, sender ORDER BY many DESC, oldest, code, event, sender",
        **params,
    )
    names = [field.name for field in fields(Group)]
    return [Group(**dict(zip(names, row, strict=True))) for row in rows]


def refuse(tx: Transaction, document: Quarantined, *, now_ms: int) -> bool:
    """Give an open document the newest reason of ``document``; False where it is not open."""
    return bool(
        tx.run(
            "UPDATE quarantine SET code = :code, reason = :reason, advice = :advice, kind = :kind,"
            " event = :event, sender = :sender, tried_ms = :now WHERE id = :id AND state = 'open'",
            code=document.code,
            reason=document.reason,
            advice=document.advice,
            kind=document.kind,
            event=document.event,
            sender=document.sender,
            now=now_ms,
            id=document.id,
        )
    )


def holding(tx: Transaction, digest: bytes) -> Quarantined | None:
    """Return the open document whose newest copy has this digest; None where nothing waits."""
    rows = tx.all(_QUARANTINED + _HOLDING, digest=digest)
    for row in rows:
        found = read(Quarantined, row)
        copy = correction(tx, found.id)
        if (found.digest if copy is None else copy.digest) == digest:
            return found
    return None


def explain(tx: Transaction, quarantine_id: int, code: str, reason: str, advice: str) -> None:
    """Say why an open document waits now."""
    tx.run(
        "UPDATE quarantine SET code = :code, reason = :reason, advice = :advice"
        " WHERE id = :id AND state = 'open'",
        code=code,
        reason=reason,
        advice=advice,
        id=quarantine_id,
    )


def settle(tx: Transaction, quarantine_id: int, state: str, *, now_ms: int) -> None:
    """Mark a document replayed, which no other state stands against, or an open one dismissed.

    Raises Conflict where it was settled before.
    """
    free = ("open", "dismissed") if state == REPLAYED else ("open",)
    changed = tx.run(
        "UPDATE quarantine SET state = :state, settled_ms = :now,"
        " tried_ms = CASE :state WHEN 'replayed' THEN :now ELSE tried_ms END"
        " WHERE id = :id AND state IN :free",
        state=state,
        now=now_ms,
        id=quarantine_id,
        free=free,
    )
    if not changed:
        raise Conflict("The document is settled already.")


def reopen(tx: Transaction, quarantine_id: int) -> None:
    """Open a dismissed document again; raises Conflict where there is none with content."""
    if not tx.run(
        "UPDATE quarantine SET state = 'open', settled_ms = NULL"
        " WHERE id = :id AND state = 'dismissed' AND content_wrapped IS NOT NULL",
        id=quarantine_id,
    ):
        raise Conflict("Only a dismissed document whose content is still kept can be opened again.")


def count_expired(tx: Transaction, *, before_ms: int) -> int:
    """Return how many documents `expired` would name without a limit."""
    row = tx.one(f"SELECT count(*) FROM quarantine{_EXPIRED}", before=before_ms)  # noqa: S608
    return 0 if row is None else int(row[0])


def expired(tx: Transaction, *, before_ms: int, limit: int = 500) -> list[int]:
    """Return documents settled before a time whose content is still kept."""
    rows = tx.all(
        f"SELECT id FROM quarantine{_EXPIRED} ORDER BY id LIMIT :limit",  # noqa: S608
        before=before_ms,
        limit=limit,
    )
    return [int(row[0]) for row in rows]


def remove_content(tx: Transaction, ids: Sequence[int]) -> None:
    """Remove content and corrected copies of settled documents; their history stays."""
    tx.run(
        "UPDATE quarantine SET content_wrapped = NULL WHERE id IN :ids AND state <> 'open'", ids=ids
    )
    tx.run(
        "UPDATE quarantine_action SET content_wrapped = NULL WHERE quarantine_id IN :ids", ids=ids
    )


def record(tx: Transaction, actions: Sequence[NewAction]) -> None:
    """Add to documents' histories."""
    tx.insert("quarantine_action", [row_of(one) for one in actions])


def history(tx: Transaction, quarantine_id: int) -> list[Action]:
    """Return everything decided about a document, in its order."""
    rows = tx.all(_ACTION + " WHERE quarantine_id = :id ORDER BY id", id=quarantine_id)
    return [read(Action, row) for row in rows]


def correction(tx: Transaction, quarantine_id: int) -> Action | None:
    """Return a document's newest corrected copy."""
    row = tx.one(
        _ACTION + " WHERE quarantine_id = :id AND action = 'corrected' ORDER BY id DESC LIMIT 1",
        id=quarantine_id,
    )
    return None if row is None else read(Action, row)


def _where(selection: Selection, *more: str) -> tuple[str, dict[str, Value]]:
    params: dict[str, Value] = {
        name: value for name in _CLAUSES if (value := getattr(selection, name)) is not None
    }
    clauses = [*(_CLAUSES[name] for name in params), *more]
    return (f" WHERE {' AND '.join(clauses)}" if clauses else ""), params
