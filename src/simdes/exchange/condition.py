"""An organisation's condition, for its administrators: what answers, what waits, what is wrong.

Numbers of the whole organisation and names of others; nothing here names a patient or a record.
`simdes doctor` looks at more, from the machine itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from simdes.exchange import enrolment, members
from simdes.exchange.custody import CustodyDesk
from simdes.exchange.members import Member
from simdes.exchange.node import Node
from simdes.exchange.operations import DONE, Figures, Operations
from simdes.exchange.signin import Session
from simdes.index.reconciling import reconciliation

GOOD, WATCH, BAD = "good", "watch", "bad"
WAITS_SECONDS: Final = 900
"""How long work may wait before somebody should look."""
_ASKED_TOGETHER: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part: ``state`` is good, watch or bad; ``numbers`` are what there is to say of it."""

    name: str
    state: str
    numbers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """All parts, which other organisations answer, and when trails were compared last."""

    parts: tuple[Part, ...]
    others: tuple[tuple[Member, bool], ...]
    compared_ms: int | None
    release: tuple[str, str]


def look(node: Node, session: Session) -> Condition:
    """Look at everything once, in a few seconds at most. Raises Forbidden unless an administrator
    asks."""
    enrolment.require_administrator(session)
    operations = Operations(CustodyDesk(node.desk, node.following))
    ready, figures = operations.ready(), operations.figures()
    compared = figures.reconciliation.done_ms if figures.reconciliation else None
    return Condition(
        parts=(
            _part("ledger", ready, blocks=figures.head_number, seconds=figures.head_seconds),
            _part("contracts", ready),
            _part("database", ready),
            _store(ready, figures),
            _work(figures),
            _trails(figures),
        ),
        others=_others(node),
        compared_ms=compared,
        release=operations.release(),
    )


def compared_ms(node: Node) -> int | None:
    """When audit trails were compared last, None before the first time."""
    with node.database.read() as tx:
        return reconciliation(tx, done=DONE).done_ms


def _part(name: str, ready: Mapping[str, str], **numbers: float | None) -> Part:
    known = {one: int(value) for one, value in numbers.items() if value is not None}
    return Part(name=name, state=GOOD if ready[name] == "ok" else BAD, numbers=known)


def _store(ready: Mapping[str, str], figures: Figures) -> Part:
    kept = figures.storekeeping
    numbers = (
        {}
        if kept is None
        else {
            "contents": kept.contents,
            "short": kept.short,
            "damaged": kept.damaged,
            "overdue": kept.overdue,
        }
    )
    broken = ready["store"] != "ok" or numbers.get("damaged", 0) > 0
    late = any(numbers.get(name, 0) for name in ("short", "overdue"))
    return Part(name="store", state=BAD if broken else WATCH if late else GOOD, numbers=numbers)


def _work(figures: Figures) -> Part:
    found = figures.backlog
    if found is None:
        return Part(name="work", state=BAD)
    oldest = int(figures.oldest_seconds or 0)
    waits = oldest > WAITS_SECONDS or found.quarantine > 0
    return Part(
        name="work",
        state=WATCH if waits else GOOD,
        numbers={
            "waiting": found.pending + found.sealed,
            "minutes": oldest // 60,
            "quarantine": found.quarantine,
        },
    )


def _trails(figures: Figures) -> Part:
    found = figures.reconciliation
    if found is None:
        return Part(name="trails", state=BAD)
    return Part(
        name="trails",
        state=BAD if found.findings else GOOD,
        numbers={"findings": found.findings, "waiting": found.waiting},
    )


def _others(node: Node) -> tuple[tuple[Member, bool], ...]:
    listed = [
        one
        for one in members.listed(node)
        if one.state == "verified" and one.id != node.organisation
    ]
    if not listed:
        return ()
    with ThreadPoolExecutor(min(_ASKED_TOGETHER, len(listed))) as pool:
        answers = list(pool.map(lambda one: node.custody.reachable(one.id), listed))
    return tuple(zip(listed, answers, strict=True))
