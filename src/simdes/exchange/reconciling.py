"""Nightly: hold the audit trails of readers and custodians against each other (paper, "Data access
tracing").

What custodians gave or refused stands in their trails and in that of the reader's organisation.
Each asks the others about its own entries, and looks at the chain and at its own trail; what does
not agree is a finding for its administrators (docs/audit.md). Repeating it is harmless.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from simdes import logs
from simdes.access import trails
from simdes.access.asking import ask
from simdes.access.audit import Batches
from simdes.access.audit_event import Attempt, Entry, Verb
from simdes.access.messages import MAX_RECONCILED, ReconcileBody
from simdes.access.trails import (
    DIFFERENT,
    MISSING,
    NOT_ANCHORED,
    OUT_OF_ORDER,
    UNPROVEN,
    Event,
    Shown,
)
from simdes.errors import NotFound, SimdesError, Tampered
from simdes.exchange.findings import (
    SILENT,
    Finding,
    finding,
    keep,
    own_attempt,
)
from simdes.exchange.node import Node
from simdes.exchange.operations import DONE
from simdes.exchange.own_trail import PAGE, own_trail, read_entry, repeated, scan
from simdes.exchange.running import worker_name
from simdes.index import audit as entries
from simdes.index import chain, checkpoints, safekeeping
from simdes.index import reconciling as rows
from simdes.index.checkpoints import Checkpoint
from simdes.index.reconciling import Witness
from simdes.index.transaction import Transaction

SETTLED_SECONDS: Final = 3_600
"""How old something is before it is compared: openings end, batches are anchored meanwhile."""
SILENT_MS: Final = 3 * 86_400_000
"""How long an organisation may owe an answer."""
PAGE_BYTES: Final = 512 * 1024

LOOK_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 900.0
LEASE_MS: Final = 3_600_000
_DUTY: Final = "reconciling"

_log = structlog.get_logger("simdes.audit")


@dataclass(slots=True)
class Report:
    """What one comparison did. ``asked`` says how many events each organisation was asked about;
    of these ``agreed`` are in its trail as they should, ``waiting`` are to be asked about again.
    """

    asked: dict[bytes, int] = field(default_factory=dict)
    agreed: int = 0
    waiting: int = 0
    silent: list[bytes] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    new: int = 0


def reconcile(
    node: Node,
    *,
    settled_seconds: int = SETTLED_SECONDS,
    everything: bool = False,
    dry: bool = False,
) -> Report:
    """Compare what is older than ``settled_seconds`` and was not compared yet.

    ``everything``: read the whole own trail again, too. ``dry``: look at what is here and count
    what others would be asked, asking nobody and writing nothing.

    Raises Unavailable where ledger or database do not answer; what was done stays done.
    """
    node.following.catch_up()
    report = Report()
    before_ms = node.now_ms() - settled_seconds * 1000
    if not dry:
        node.database.write(lambda tx: node.desk.trail.append(tx, [own_attempt(node)]))
    _note(node, report, [*own_trail(node, everything=everything, dry=dry)], dry=dry)
    _note(node, report, [*repeated(node, everything=everything, dry=dry)], dry=dry)
    waiting = scan(node, before_ms=before_ms, dry=dry)
    with node.database.read() as tx:
        report.asked = rows.asked_of(tx, before_ms=before_ms)
    if dry:
        for organisation, count in waiting.items():
            report.asked[organisation] = report.asked.get(organisation, 0) + count
        return report
    for organisation in report.asked:
        _ask_all(node, organisation, report, before_ms=before_ms)
    mark = Checkpoint(node.now_ms(), bytes(32))
    node.database.write(lambda tx: checkpoints.put(tx, DONE, mark))
    _log.info(
        "audit trails compared",
        organisations=len(report.asked),
        events=sum(report.asked.values()),
        agreed=report.agreed,
        waiting=report.waiting,
        silent=len(report.silent),
        findings=len(report.findings),
    )
    return report


def run(node: Node, stop: threading.Event, *, at: str, time_zone: str) -> None:
    """Compare once a day at a time of day (``HH:MM``; empty: never) until ``stop`` is set.

    Of several processes one does it. What fails is tried again a quarter of an hour later.
    """
    name, pause = worker_name(), 5.0
    while at and not stop.wait(pause):
        pause = LOOK_SECONDS
        try:
            if _is_due(node, at, ZoneInfo(time_zone)) and _has_duty(node, name):
                reconcile(node)
        except SimdesError as error:
            _log.warning("round failed", issue=error.issue, kind=type(error).__name__)
            pause = RETRY_SECONDS
        except Exception as error:  # a fault of ours must not end the thread for good, unseen
            _log.error("round failed", issue="exception", **logs.described(error))
            pause = RETRY_SECONDS


def _is_due(node: Node, at: str, zone: ZoneInfo) -> bool:
    """Whether the time of day passed since the last comparison; the first is on the first night."""
    with node.database.read() as tx:
        done = checkpoints.get(tx, DONE)
    if done is None:
        mark = Checkpoint(node.now_ms(), bytes(32))
        node.database.write(lambda tx: checkpoints.put(tx, DONE, mark))
        return False
    now = datetime.fromtimestamp(node.now_seconds(), zone)
    hour, minute = (int(part) for part in at.split(":"))
    last = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if last > now:
        last -= timedelta(days=1)
    return done.block_number < last.timestamp() * 1000


def _has_duty(node: Node, name: str) -> bool:
    now_ms = node.now_ms()
    return node.database.write(
        lambda tx: safekeeping.hold(tx, _DUTY, name, now_ms=now_ms, until_ms=now_ms + LEASE_MS)
    )


def _note(node: Node, report: Report, found: Sequence[Finding], *, dry: bool = False) -> None:
    report.findings += found
    if not dry:
        report.new += len(keep(node, found))


# Others -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Page:
    """What one organisation is asked in one question: events, and our entries that are about."""

    after: int = 0
    events: list[Event] = field(default_factory=list)
    rows: dict[int, Witness] = field(default_factory=dict)
    proofs: dict[int, str] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    unanchored: list[int] = field(default_factory=list)


def _ask_all(node: Node, organisation: bytes, report: Report, *, before_ms: int) -> None:
    """Ask one organisation about everything that it must show."""
    after = 0
    while (page := _page(node, organisation, before_ms=before_ms, after=after)) is not None:
        after = page.after
        gone = page.gone
        node.database.write(lambda tx, ids=gone: rows.drop_witnesses(tx, ids))  # type: ignore[misc]
        report.waiting += len(page.unanchored)
        if not page.proofs:
            continue
        try:
            shown = _shown(node, organisation, list(page.proofs.values()))
        except SimdesError as error:
            _unanswered(node, organisation, report, list(page.rows), error)
            return
        _compare(node, organisation, report, page, shown)


def _page(node: Node, organisation: bytes, *, before_ms: int, after: int) -> _Page | None:
    page, size = _Page(), 0
    with node.database.read() as tx:
        batches = Batches(tx)
        for row in rows.due(tx, organisation, before_ms=before_ms, after=after, limit=PAGE):
            if row.seq not in page.proofs:
                text = _proof(node, tx, batches, row.seq)
                full = len(page.proofs) == MAX_RECONCILED or size + len(text) > PAGE_BYTES
                if text not in (_GONE, _UNANCHORED) and page.proofs and full:
                    break
                if text in (_GONE, _UNANCHORED):
                    (page.gone if text == _GONE else page.unanchored).append(row.id)
                    page.after = row.id
                    continue
                page.proofs[row.seq] = text
                size += len(text)
            page.after = row.id
            entry = _read_seq(node, tx, row.seq)
            if entry is None:
                page.gone.append(row.id)
                continue
            page.rows[row.id] = row
            page.events.append(_event(row, entry.attempt))
    return page if page.after else None


_GONE, _UNANCHORED = "gone", "unanchored"


def _proof(node: Node, tx: Transaction, batches: Batches, seq: int) -> str:
    """The proof of one of our entries as JSON, or why there is none."""
    row = entries.get(tx, seq)
    try:
        document = None if row is None else node.desk.trail.proof(tx, row, batches)
    except (NotFound, Tampered):
        document = None
    if document is None:
        return _GONE
    return json.dumps(document) if document["batch"] is not None else _UNANCHORED


def _read_seq(node: Node, tx: Transaction, seq: int) -> Entry | None:
    row = entries.get(tx, seq)
    return None if row is None else read_entry(node, tx, row)


def _event(row: Witness, attempt: Attempt) -> Event:
    verb = Verb(row.verb)
    return Event(
        key=row.id,
        attempt=attempt,
        verb=verb,
        records=tuple(row.records[at : at + 32] for at in range(0, len(row.records), 32)),
        at_ms=row.said_ms,
        reason=row.reason,
        count=attempt.count if verb is Verb.READ else 1,
    )


def _shown(node: Node, organisation: bytes, proofs: Sequence[str]) -> list[Shown | None]:
    """Everything that an organisation shows of these; None for what is no entry of its own."""
    answer = ask(
        node.agent_caller(), organisation, "reconcile", ReconcileBody(entries=list(proofs))
    )
    listed = answer.body.get("shown")
    if not isinstance(listed, list) or len(listed) != len(proofs):
        raise Tampered("The answer to reconcile is not of the agreed form.")
    texts: dict[str, None] = {}
    for one in listed:
        if not isinstance(one, list) or not all(isinstance(text, str) for text in one):
            raise Tampered("The answer to reconcile is not of the agreed form.")
        texts |= dict.fromkeys(str(text) for text in one)
    return [trails.read_shown(text, organisation, node.contracts) for text in texts]


def _unanswered(
    node: Node, organisation: bytes, report: Report, ids: Sequence[int], error: SimdesError
) -> None:
    now_ms = node.now_ms()

    def write(tx: Transaction) -> int | None:
        rows.put_off(tx, ids, now_ms=now_ms)
        known = chain.organisation(tx, organisation)
        verified = known is not None and known.state == chain.VERIFIED
        return rows.owed_since(tx, organisation) if verified else None

    since_ms = node.database.write(write)
    report.waiting += len(ids)
    report.silent.append(organisation)
    _log.warning(
        "audit trail not shown", kind=type(error).__name__, about="0x" + organisation.hex()
    )
    if since_ms is not None and since_ms < now_ms - SILENT_MS:
        _note(node, report, [finding(node, SILENT, organisation)])


def _compare(
    node: Node,
    organisation: bytes,
    report: Report,
    page: _Page,
    shown: Sequence[Shown | None],
) -> None:
    real = [one for one in shown if one is not None]
    found = [
        finding(node, UNPROVEN, organisation, seq=next(iter(page.proofs)))
        for one in shown[:1]
        if None in shown
    ]
    found += [_about(node, organisation, one, one.wrong) for one in real if one.wrong]
    found += [_about(node, organisation, one, OUT_OF_ORDER) for one in trails.wrong_order(real)]
    settled, waiting = [], []
    verdicts = trails.judge(page.events, real, now_ms=node.now_ms())
    for id_, verdict in verdicts.items():
        row = page.rows[id_]
        if verdict.waits:
            waiting.append(id_)
            continue
        settled.append(id_)
        report.agreed += not verdict.kind
        if verdict.kind in (MISSING, DIFFERENT, NOT_ANCHORED):
            vault = next(one.attempt.vault for one in page.events if one.key == id_)
            found.append(
                finding(node, verdict.kind, organisation, vault=vault, seq=row.seq, token=row.token)
            )
    report.waiting += len(waiting)
    _note(node, report, found)
    node.database.write(lambda tx: rows.drop_witnesses(tx, settled))


def _about(node: Node, organisation: bytes, shown: Shown, kind: str) -> Finding:
    return finding(
        node,
        kind,
        organisation,
        vault=shown.entry.attempt.vault,
        batch_seq=shown.place[0] if shown.place else None,
        about=shown.digest,
    )
