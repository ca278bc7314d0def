"""Hold the trails of everybody against each other, as a patient sees them all at once.

What one organisation leaves out of what it shows the patient, those show who were there: custodians
show whom they gave shares, the reader's organisation shows what was opened with them
(docs/audit.md, "What a patient's log finds"). Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from simdes.access.audit_event import Attempt, Verb
from simdes.access.openings import LONGEST_MS, TOO_FEW
from simdes.access.trails import (
    ANCHORED_WITHIN_MS,
    CUSTODY,
    NOT_ANCHORED,
    OUT_OF_ORDER,
    SKEW_MS,
    Event,
    Shown,
    judge,
    wrong_order,
)

SETTLED_MS: Final = LONGEST_MS + 300_000
"""What is younger may be under way."""
_BESIDE: Final[Mapping[Verb, Verb]] = {
    **dict.fromkeys(CUSTODY, Verb.READ),
    Verb.RELEASED: Verb.RELEASED,
}
"""What the trail of who asked has beside an entry of who was asked."""
COPY_MS: Final = 900_000
"""How long a reader's organisation keeps what it opened."""
FEWER: Final = "fewer-releases"
CONTRADICTED: Final = "contradicted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trails:
    """What was shown of one vault, by organisation; who showed nothing; who may have had shares."""

    shown: Mapping[bytes, Sequence[Shown]]
    silent: Collection[bytes]
    custodians: Collection[bytes]
    needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """What does not agree: whose trail, of what time. With several names, one of them.

    ``by`` is whose trail says otherwise: which of both is true, signatures decide. None where it
    follows from the trail itself, or from several.
    """

    kind: str
    organisations: tuple[bytes, ...]
    time_ms: int
    by: bytes | None = None


def cross_check(trails: Trails, *, now_ms: int) -> list[Doubt]:
    """Everything that does not agree, oldest first."""
    found = [
        *_not_held_by_readers(trails, now_ms),
        *_too_few_gave(trails, now_ms),
        *_out_of_order(trails),
        *_not_anchored(trails, now_ms),
    ]
    order = sorted(set(found), key=lambda one: (one.kind, one.organisations, one.by or b""))
    return sorted(order, key=lambda one: one.time_ms)


def _not_held_by_readers(trails: Trails, now_ms: int) -> Iterator[Doubt]:
    """What custodians gave or refused, and the reader's organisation does not show."""
    for custodian, shown in trails.shown.items():
        events: defaultdict[bytes, list[Event]] = defaultdict(list)
        for number, one in enumerate(shown):
            attempt = one.entry.attempt
            reader = attempt.organisation
            if attempt.verb not in _BESIDE or reader == custodian or reader not in trails.shown:
                continue
            if one.entry.recorded_ms < now_ms - SETTLED_MS:
                events[reader].append(_event(number, one))
        for reader, its in events.items():
            verdicts = judge(its, trails.shown[reader], now_ms=now_ms)
            for event in its:
                if kind := verdicts[event.key].kind:
                    yield Doubt(
                        kind=kind, organisations=(reader,), time_ms=event.at_ms, by=custodian
                    )


def _event(number: int, one: Shown) -> Event:
    attempt = one.entry.attempt
    return Event(
        key=number,
        attempt=attempt,
        verb=_BESIDE[attempt.verb],
        records=attempt.records,
        at_ms=one.entry.recorded_ms,
        reason=attempt.reason,
        count=attempt.count,
    )


def _too_few_gave(trails: Trails, now_ms: int) -> Iterator[Doubt]:
    """What was opened with fewer custodians than that takes; what was, and is said not to be."""
    gave = _gave(trails)
    for reader, shown in trails.shown.items():
        for one in shown:
            attempt, at_ms = one.entry.attempt, one.entry.recorded_ms
            if attempt.verb is not Verb.READ or attempt.handle is None:
                continue
            if at_ms >= now_ms - SETTLED_MS:
                continue
            for record in attempt.records:
                givers = _givers(gave, attempt, record, at_ms)
                if attempt.granted and len(givers | set(trails.silent)) < trails.needed:
                    others = tuple(sorted(set(trails.custodians) - givers))
                    yield Doubt(kind=FEWER, organisations=others, time_ms=at_ms)
                if attempt.reason == TOO_FEW and len(givers) >= trails.needed:
                    yield Doubt(kind=CONTRADICTED, organisations=(reader,), time_ms=at_ms)


_Given = Mapping[tuple[bytes, bytes, bytes | None], Sequence[tuple[int, bytes]]]


def _gave(trails: Trails) -> _Given:
    """When which custodian gave its share: by record, reader's organisation and handle."""
    found: defaultdict[tuple[bytes, bytes, bytes | None], list[tuple[int, bytes]]]
    found = defaultdict(list)
    for custodian, shown in trails.shown.items():
        for one in shown:
            attempt = one.entry.attempt
            if attempt.verb is Verb.RELEASE and attempt.granted:
                for record in attempt.records:
                    key = (record, attempt.organisation, attempt.handle)
                    found[key].append((one.entry.recorded_ms, custodian))
    return found


def _givers(gave: _Given, attempt: Attempt, record: bytes, at_ms: int) -> set[bytes]:
    first = at_ms - LONGEST_MS - COPY_MS - SKEW_MS
    key = (record, attempt.organisation, attempt.handle)
    return {who for when, who in gave.get(key, ()) if first <= when <= at_ms + SKEW_MS}


def _out_of_order(trails: Trails) -> Iterator[Doubt]:
    for organisation, shown in trails.shown.items():
        for one in wrong_order(shown):
            yield Doubt(
                kind=OUT_OF_ORDER, organisations=(organisation,), time_ms=one.entry.recorded_ms
            )


def _not_anchored(trails: Trails, now_ms: int) -> Iterator[Doubt]:
    for organisation, shown in trails.shown.items():
        for one in shown:
            if one.place is None and one.entry.recorded_ms < now_ms - ANCHORED_WITHIN_MS:
                yield Doubt(
                    kind=NOT_ANCHORED, organisations=(organisation,), time_ms=one.entry.recorded_ms
                )
