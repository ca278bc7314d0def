"""`release`: hand out a custodian's shares of records to whom the chain allows.

The heart of it all (docs/formats/custody-release.md; paper: "access control"). Each record is
answered for itself. The decision is taken on category and labels as anchored, before anything is
opened; a share goes out only if its author signed exactly those inside the share, so that neither
the request nor a dishonest manifest can widen a consent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from simdes.access import custody_keys, epochs
from simdes.access.audit_event import Verb
from simdes.access.descriptors import MAX_EPOCH
from simdes.access.desk import (
    UNKNOWN_RECORD,
    UNREACHABLE,
    WRONG_EPOCH,
    Asker,
    Desk,
    Ground,
    Outcome,
    judge,
    refusal,
)
from simdes.access.held import at_epoch, held_records
from simdes.access.messages import ReleaseBody
from simdes.access.requests import hexed, unhex
from simdes.crypto.capsule import MAX_CAPSULE_BYTES, OpenedShare
from simdes.crypto.keys import OpeningKey
from simdes.crypto.seal import open_share, read_capsule
from simdes.errors import NotFound, SimdesError, Unavailable
from simdes.index.custody import ManifestEntry


@dataclass(frozen=True, slots=True)
class Found:
    """One record asked for: its entry if we hold one, its share if that opens, else a reason."""

    record: bytes
    entry: ManifestEntry | None = None
    share: OpenedShare | None = None
    reason: str = ""


def release(desk: Desk, asker: Asker, body: ReleaseBody) -> Outcome:
    """Judge each record; shares of the allowed ones go out, each refusal is recorded."""
    ground = Ground.of(body.basis)
    records = tuple(dict.fromkeys(unhex(record) for record in body.records))
    entries = _entries(desk, ground.vault, records, epoch=body.epoch)
    found = _judged(desk, asker, ground, entries)
    opened = _opened(desk, ground.vault, found, epoch=body.epoch)
    granted = [one for one in opened if one.share is not None]
    attempts = tuple(
        asker.attempt(
            Verb.RELEASE,
            vault=ground.vault,
            purpose=ground.purpose,
            handle=ground.named_handle,
            records=[one.record for one in opened if one.reason == reason],
            reason=reason,
        )
        for reason in dict.fromkeys(one.reason for one in opened)
    )
    if not granted:
        return Outcome(attempts=attempts, error=refusal(opened[0].reason))
    return Outcome(
        attempts=attempts,
        receipt={
            "vault": hexed(ground.vault),
            "purpose": ground.purpose,
            "epoch": body.epoch,
            "granted": [hexed(one.record) for one in granted],
            "refused": {hexed(one.record): one.reason for one in opened if one.reason},
        },
        body={
            "shares": [
                [one.record, one.share.index, one.share.value] for one in granted if one.share
            ]
        },
    )


def opened_shares(
    desk: Desk, vault: bytes, records: Sequence[bytes], *, before: int = MAX_EPOCH + 1
) -> tuple[Found, ...]:
    """The entries and shares of records as they lie here, whatever anybody may have of them.

    `before` leaves out capsules of that epoch and later ones.
    """
    return _opened(desk, vault, _entries(desk, vault, records, epoch=before - 1), epoch=None)


def _entries(desk: Desk, vault: bytes, records: Sequence[bytes], *, epoch: int) -> list[Found]:
    """The entry anchored first counts: who anchors a copied record id later is too late.

    Each names the newest capsule of this epoch or an earlier one.
    """
    with desk.database.read() as tx:
        held = at_epoch(tx, held_records(tx, vault, records), epoch=epoch)
    return [
        Found(record, held[record]) if record in held else Found(record, reason=UNKNOWN_RECORD)
        for record in records
    ]


def _judged(desk: Desk, asker: Asker, ground: Ground, found: Sequence[Found]) -> list[Found]:
    known = [one.entry for one in found if one.entry is not None]
    reasons = iter(judge(desk, asker, ground, known))
    return [one if one.entry is None else replace(one, reason=next(reasons)) for one in found]


def _opened(
    desk: Desk, vault: bytes, found: Sequence[Found], *, epoch: int | None
) -> tuple[Found, ...]:
    """Open the shares of those without a reason against it."""
    if all(one.reason for one in found):
        return tuple(found)
    places: dict[int, tuple[OpeningKey | None, int | None]] = {}
    opened = []
    for one in found:
        if one.reason or one.entry is None:
            opened.append(one)
            continue
        share, reason = _share(desk, one.entry, places, epoch=epoch)
        opened.append(replace(one, share=share, reason=reason))
    return tuple(opened)


def _share(
    desk: Desk,
    entry: ManifestEntry,
    places: dict[int, tuple[OpeningKey | None, int | None]],
    *,
    epoch: int | None,
) -> tuple[OpenedShare | None, str]:
    """Our share of one record; `epoch` None: of whatever epoch its capsule is."""
    try:
        capsule = desk.store.get(entry.capsule_cid, most_bytes=MAX_CAPSULE_BYTES)
    except SimdesError as error:
        away = isinstance(error, (Unavailable, NotFound))
        return None, UNREACHABLE if away else UNKNOWN_RECORD
    try:
        number = epoch or read_capsule(capsule).epoch
        if number not in places:
            places[number] = _place(desk, entry.vault, number)
        key, index = places[number]
        if key is None:
            return None, WRONG_EPOCH
        share = open_share(capsule, key, desk.organisation, index=index)
    except Unavailable:
        return None, UNREACHABLE
    except SimdesError:
        return None, WRONG_EPOCH if _of_another_epoch(capsule, epoch) else UNKNOWN_RECORD
    if epoch is not None and share.epoch != epoch:
        return None, WRONG_EPOCH
    return (share, "") if _signed_as_anchored(share, entry) else (None, UNKNOWN_RECORD)


def _place(desk: Desk, vault: bytes, epoch: int) -> tuple[OpeningKey | None, int | None]:
    """Our key of an epoch, and our number among its custodians.

    Without the number (the epoch is not known here yet) every share is tried.
    """
    with desk.database.read() as tx:
        key = custody_keys.opening_key(tx, desk.keystore, vault, epoch=epoch)
    try:
        return key, epochs.at(desk, vault, epoch).index_of(desk.organisation)
    except SimdesError:
        return key, None


def _of_another_epoch(capsule: bytes, epoch: int | None) -> bool:
    """Why a share did not open; asked only then, as parsing a capsule twice costs."""
    try:
        return epoch is not None and read_capsule(capsule).epoch != epoch
    except SimdesError:
        return False


def _signed_as_anchored(share: OpenedShare, entry: ManifestEntry) -> bool:
    signed = (share.record_id, share.vault, share.category, share.labels)
    anchored = (entry.record_id, entry.vault, entry.category, entry.labels)
    return signed == anchored and (share.organisation, share.author) == (
        entry.organisation,
        entry.author,
    )
