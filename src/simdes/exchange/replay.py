"""Replay: give quarantined documents to the present mapper and settings once more.

In the order of their arrival, so that a patient's messages follow each other as they came; what
then is older than what is here already is `submit`'s to decide. A message is accepted by the digest
of its bytes and only then its document marked, so a kill between the two is mended by the next
replay, and two replays at once accept nothing twice. A document of several messages is replayed
once one of them is accepted; those still refused become documents of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from simdes.crypto.digest import sha256
from simdes.errors import Conflict
from simdes.exchange import quarantine, submit
from simdes.exchange.keeping import Arrived, newest, row_of, wrapped, wrapped_why
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.exchange.submit import Accepted, Refused
from simdes.index import quarantine as rows
from simdes.index import sources
from simdes.index.quarantine import Selection
from simdes.index.transaction import Transaction
from simdes.mapper import Mapping, Quarantined, map_bytes
from simdes.mapper.api import FORMATS
from simdes.mapper.envelope import envelope

PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of a document. ``outcome``: ``replayed``, ``refused`` or ``settled`` (before).

    ``accepted`` and ``refused`` count its messages, ``resources`` those new or changed. Where it
    was refused, ``code``, ``reason`` and ``advice`` are the newest.
    """

    id: int
    name: str
    outcome: str
    accepted: int = 0
    refused: int = 0
    resources: int = 0
    code: str = ""
    reason: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Bulk:
    """Documents about to be replayed: how many, and the replays themselves, made one by one."""

    count: int
    replays: Iterator[Replayed]


def replay(
    node: Node,
    session: Session | None,
    quarantine_id: int,
    *,
    kind: str | None = None,
    dry_run: bool = False,
) -> Replayed:
    """Replay one open document; one settled before is left as it is.

    ``kind`` overrides what the input is taken for. ``dry_run`` stores nothing and tells what would
    come of it as far as that shows without the database. Raises NotFound, Forbidden for a session
    that is no administrator's, Unavailable where the database does not answer.
    """
    account = quarantine.permit(node, session)
    with node.database.read() as tx:
        row = row_of(tx, quarantine_id)
    return _replay(node, account, row, kind, dry_run)


def replay_all(
    node: Node,
    session: Session | None,
    selection: Selection,
    *,
    kind: str | None = None,
    dry_run: bool = False,
) -> Bulk:
    """Replay every open document of a selection that is here now, in the order of arrival.

    What each becomes is durable when its answer is given. Raises as `replay`.
    """
    account = quarantine.permit(node, session)
    with node.database.read() as tx:
        chosen = replace(selection, state=rows.OPEN, last_id=rows.last_id(tx))
        count = rows.count(tx, chosen)
    return Bulk(count, _each(node, account, chosen, kind, dry_run))


def _each(
    node: Node, account: bytes | None, chosen: Selection, kind: str | None, dry_run: bool
) -> Iterator[Replayed]:
    after = 0
    while True:
        with node.database.read() as tx:
            page = rows.page(tx, chosen, after=after, limit=PAGE)
        if not page:
            return
        for row in page:
            yield _replay(node, account, row, kind, dry_run)
        after = page[-1].id


def _replay(
    node: Node, account: bytes | None, row: rows.Quarantined, kind: str | None, dry_run: bool
) -> Replayed:
    if row.state != rows.OPEN:
        return Replayed(id=row.id, name=row.name, outcome="settled")
    mapping = _map(node, row, kind)
    if dry_run:
        return _told(row, submit.check(mapping))
    [answers] = submit.accept_all(node, [mapping])
    refused = [one for one in answers if isinstance(one, Quarantined)]
    accepted = {one.index: one for one in answers if isinstance(one, Accepted)}
    if not accepted:
        return _still_refused(node, account, row, mapping, refused)
    _mark(node, account, row, mapping, accepted, refused)
    return Replayed(
        id=row.id,
        name=row.name,
        outcome="replayed",
        accepted=len(accepted),
        refused=len(refused),
        resources=sum(one.resources for one in accepted.values()),
    )


def _map(node: Node, row: rows.Quarantined, kind: str | None) -> Mapping:
    """Map the newest copy: as what it was taken for when it was given, where that is mapped."""
    content = newest(node, row)
    if kind is None:
        kind = row.kind if row.kind in FORMATS and not content.corrected else "auto"
    if not content.data and row.kind != "empty":
        unread = Quarantined(
            index=0, reason_code=row.code, reason=row.reason, advice=row.advice, source=b""
        )
        return Mapping(name=row.name, kind=row.kind, quarantined=(unread,))
    return map_bytes(row.name, content.data, kind=kind, site=node.site)


def _told(row: rows.Quarantined, answers: Sequence[Accepted | Refused]) -> Replayed:
    accepted = [one for one in answers if isinstance(one, Accepted)]
    refused = [one for one in answers if isinstance(one, Refused)]
    told = Replayed(
        id=row.id,
        name=row.name,
        outcome="replayed" if accepted else "refused",
        accepted=len(accepted),
        refused=len(refused),
        resources=sum(one.resources for one in accepted),
    )
    if accepted:
        return told
    first = refused[0]
    return replace(told, code=first.code, reason=first.reason, advice=first.advice)


def _still_refused(
    node: Node,
    account: bytes | None,
    row: rows.Quarantined,
    mapping: Mapping,
    refused: Sequence[Quarantined],
) -> Replayed:
    """Give the document its newest reason; a new line of history only where that is another."""
    first = refused[0]
    found = envelope(first.source)
    latest = replace(
        row,
        code=first.reason_code,
        reason=first.reason,
        advice=first.advice,
        kind=mapping.kind,
        event=found.event or row.event,
        sender=found.sender or row.sender,
    )
    changed = (latest.code, latest.reason) != (row.code, row.reason)
    why = wrapped_why(node, row, f"{latest.code}: {latest.reason}")

    def write(tx: Transaction) -> None:
        if rows.refuse(tx, latest, now_ms=node.now_ms()) and changed:
            rows.record(tx, [_action(node, account, row, rows.REFUSED, why_wrapped=why)])

    node.database.write(write)
    return Replayed(
        id=row.id,
        name=row.name,
        outcome="refused",
        refused=len(refused),
        code=latest.code,
        reason=latest.reason,
        advice=latest.advice,
    )


def _mark(
    node: Node,
    account: bytes | None,
    row: rows.Quarantined,
    mapping: Mapping,
    accepted: dict[int, Accepted],
    refused: Sequence[Quarantined],
) -> None:
    """Mark a document replayed, with what was accepted and what is still refused."""
    arrived = [Arrived(row.name, mapping.kind, one) for one in refused]
    kept = wrapped(node, arrived, received_ms=row.received_ms)
    digests = [sha256(one.source) for one in mapping.messages if one.index in accepted]

    def write(tx: Transaction) -> None:
        rows.settle(tx, row.id, rows.REPLAYED, now_ms=node.now_ms())
        found = [source for digest in digests if (source := sources.find(tx, digest))]
        rows.record(
            tx,
            [_action(node, account, row, rows.REPLAYED, source_id=source.id) for source in found],
        )
        rows.add(tx, kept)

    try:
        node.database.write(write)
    except Conflict:
        with node.database.read() as tx:
            if row_of(tx, row.id).state != rows.REPLAYED:
                raise


def _action(
    node: Node,
    account: bytes | None,
    row: rows.Quarantined,
    action: str,
    *,
    why_wrapped: bytes | None = None,
    source_id: int | None = None,
) -> rows.NewAction:
    return rows.NewAction(
        quarantine_id=row.id,
        action=action,
        account=account,
        why_wrapped=why_wrapped,
        source_id=source_id,
        created_ms=node.now_ms(),
    )
