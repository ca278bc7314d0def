"""Hold what others' audit trails show against what we know happened.

What must be there follows from our own entries and from the receipts that custodians signed; what
is shown are proofs of entries, each with its link to the one before, held against the chain. Times
agree within what a signed question allows clocks to differ, and an opening may take (docs/audit.md,
"What is compared").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from simdes.access import evidence
from simdes.access.audit_event import Attempt, Entry, Verb
from simdes.access.links import Link, check_link
from simdes.access.openings import LONGEST_MS, TOO_FEW, UNFINISHED
from simdes.crypto.digest import sha256
from simdes.decoding import ready
from simdes.errors import Invalid, NotFound, Tampered
from simdes.ledger.contracts import Contracts

SKEW_MS: Final = 120_000
"""How far two clocks, and two moments of one call, may lie apart: a question lives for a minute."""
COUNTED_MS: Final = 3_600_000
"""How much later than another one a trail may have the entry that counts refusals."""
ANCHORED_WITHIN_MS: Final = 86_400_000
"""When an entry must be on chain."""
CUSTODY: Final = frozenset({Verb.RELEASE, Verb.MANIFESTS, Verb.CAPSULES})

MISSING: Final = "missing"
DIFFERENT: Final = "different"
UNPROVEN: Final = "unproven"
OUT_OF_ORDER: Final = "out-of-order"
WRONG_TIME: Final = "wrong-time"
NOT_ANCHORED: Final = "not-anchored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An entry that an organisation showed.

    ``place`` is (batch, index), None where it is not anchored; ``wrong`` names the kind of finding
    where it does not hold.
    """

    entry: Entry
    digest: bytes
    place: tuple[int, int] | None
    anchored_ms: int | None
    wrong: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened, by our own entry ``attempt`` and what the other said; it must stand in theirs.

    ``verb`` is theirs; ``records`` those that they must name; ``reason`` is "" where it was
    granted; ``count`` is how many equal ones it stands for.
    """

    key: int
    attempt: Attempt
    verb: Verb
    records: tuple[bytes, ...]
    at_ms: int
    reason: str = ""
    count: int = 1

    @property
    def granted(self) -> bool:
        """Whether it was allowed."""
        return not self.reason

    @property
    def by_custodian(self) -> bool:
        """Whether the other was asked as a custodian."""
        return self.verb in CUSTODY


@dataclass(frozen=True, slots=True)
class Verdict:
    """ "": it is there and anchored; ``waits``: it is there, and not on chain yet."""

    kind: str = ""
    waits: bool = False
    batch: int | None = None


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    proof: dict[str, Any]
    before: Link | None


def read_shown(text: str, organisation: bytes, contracts: Contracts) -> Shown | None:
    """Check one entry that an organisation showed, with its link; None for what is no entry of its.

    Raises `Unavailable` where the ledger does not answer.
    """
    try:
        form = msgspec.json.decode(text, type=ready(_Form))
    except (msgspec.DecodeError, RecursionError):
        return None
    shown = read_proof(form.proof, organisation, contracts)
    if shown is None or shown.wrong or shown.place is None:
        return shown
    proof, entry = evidence.read_audit_proof(form.proof)
    try:
        check_link(proof, entry.previous, form.before, contracts)
    except Tampered:
        return replace(shown, wrong=OUT_OF_ORDER)
    return shown


def read_proof(
    document: Mapping[str, Any], organisation: bytes, contracts: Contracts
) -> Shown | None:
    """Check the proof of an entry; None for what is no entry of this organisation."""
    try:
        proof, entry = evidence.read_audit_proof(document)
    except (Invalid, Tampered):
        return None
    if entry.observer != organisation:
        return None
    digest = sha256(proof.entry.encode())
    if proof.batch is None:
        return Shown(entry=entry, digest=digest, place=None, anchored_ms=None)
    place, anchored_ms, wrong = (proof.batch.seq, proof.batch.index), None, UNPROVEN
    try:
        anchored_ms = evidence.verify_audit_proof(document, contracts).anchored_seconds * 1000
        wrong = "" if _fits(entry.recorded_ms, anchored_ms) else WRONG_TIME
    except (Tampered, NotFound):
        pass
    return Shown(entry=entry, digest=digest, place=place, anchored_ms=anchored_ms, wrong=wrong)


def _fits(recorded_ms: int, anchored_ms: int) -> bool:
    """Whether an entry was written before it was anchored, and not longer before than it may."""
    return recorded_ms - SKEW_MS <= anchored_ms <= recorded_ms + ANCHORED_WITHIN_MS + SKEW_MS


def judge(events: Sequence[Event], shown: Iterable[Shown], *, now_ms: int) -> dict[int, Verdict]:
    """For each event (by key) whether what was shown holds it; one entry stands for one event."""
    entries = sorted(
        {one.digest: one for one in shown}.values(),
        key=lambda one: (one.entry.recorded_ms, one.place or (1 << 62, 0)),
    )
    used: Counter[tuple[bytes, bytes, str]] = Counter()
    return {
        event.key: _judged(event, entries, used, now_ms)
        for event in sorted(events, key=lambda one: (one.at_ms, one.key))
    }


def wrong_order(shown: Iterable[Shown]) -> list[Shown]:
    """Entries that claim to be older than one that stands before them."""
    latest, found = 0, []
    placed = {one.digest: one for one in shown if one.place is not None and not one.wrong}
    for one in sorted(placed.values(), key=lambda one: one.place or (0, 0)):
        if one.entry.recorded_ms < latest - SKEW_MS:
            found.append(one)
        latest = max(latest, one.entry.recorded_ms)
    return found


def _judged(
    event: Event, entries: Sequence[Shown], used: Counter[tuple[bytes, bytes, str]], now_ms: int
) -> Verdict:
    near = [one for one in entries if _is_of(one.entry.attempt, event) and _in_time(one, event)]
    covering: list[Shown] = []
    for record in event.records or (b"",):
        found = _take(event, record, near, used)
        if found is None:
            wrong = next((one.wrong for one in near if one.wrong), "")
            return Verdict(wrong or (DIFFERENT if near else MISSING))
        covering += found
    return _standing(covering, now_ms)


def _take(
    event: Event,
    record: bytes,
    near: Sequence[Shown],
    used: Counter[tuple[bytes, bytes, str]],
) -> list[Shown] | None:
    """The entries that hold an event for a record, used up as often as it happened."""
    left, found = event.count, []
    for one in near:
        entry = one.entry.attempt
        if not _says(entry, event, record):
            continue
        found.append(one)
        if entry.reason == UNFINISHED or (event.granted and not event.records):
            return [one]  # stands for all of its opening; lists come in pages
        key = (one.digest, record, event.verb.value + event.attempt.verb.value)
        free = min(entry.count - used[key], left)
        if free > 0:
            used[key] += free
            left -= free
        else:
            found.pop()
        if left == 0:
            return found
    return None


def _is_of(entry: Attempt, event: Event) -> bool:
    """Whether an entry is of the same account, vault and kind at all."""
    ours = event.attempt
    kind = entry.verb is event.verb
    return kind and (entry.account, entry.vault) == (ours.account, ours.vault)


def _in_time(one: Shown, event: Event) -> bool:
    after = one.entry.recorded_ms - event.at_ms
    reason = one.entry.attempt.reason
    if reason == UNFINISHED:
        return after >= -SKEW_MS
    if reason or event.reason:
        return after >= -COUNTED_MS  # equal refusals are counted in an entry that comes later
    longest = 0 if event.by_custodian else LONGEST_MS
    return -SKEW_MS <= after <= longest + SKEW_MS


def _says(entry: Attempt, event: Event, record: bytes) -> bool:
    """Whether an entry says of a record what happened."""
    ours = event.attempt
    same = (entry.purpose, entry.handle, entry.role, entry.organisation) == (
        ours.purpose,
        ours.handle,
        ours.role,
        ours.organisation,
    )
    if not same:
        return False
    if entry.reason == UNFINISHED and not event.by_custodian:
        return not entry.records or not record or record in entry.records
    if record and record not in entry.records:
        return False
    if event.by_custodian:
        return entry.reason == event.reason
    if event.granted and record:
        return entry.granted or entry.reason == TOO_FEW
    return True


def _standing(covering: Collection[Shown], now_ms: int) -> Verdict:
    for one in covering:
        if one.wrong:
            return Verdict(one.wrong, batch=one.place[0] if one.place else None)
    for one in covering:
        if one.place is None:
            late = one.entry.recorded_ms < now_ms - ANCHORED_WITHIN_MS
            return Verdict(NOT_ANCHORED) if late else Verdict(waits=True)
    return Verdict()
