"""`manifests`, `capsules` and `log`: what may be listed, under the same check as a release."""

from __future__ import annotations

import json
from collections.abc import Sequence

from simdes.access.audit_event import Attempt, Verb
from simdes.access.categories import Purpose
from simdes.access.desk import UNKNOWN_RECORD, Asker, Desk, Ground, Outcome, judge, refusal, refuse
from simdes.access.held import at_present, held_in_vault, held_records
from simdes.access.messages import NO_TERMS, CapsulesBody, LogBody, ManifestsBody
from simdes.access.openings import own_openings
from simdes.access.requests import hexed, unhex
from simdes.crypto import cbor
from simdes.index.custody import ManifestEntry
from simdes.ledger.consents import Reason
from simdes.ledger.terms import ZERO32


def manifests(desk: Desk, asker: Asker, body: ManifestsBody) -> Outcome:
    """The records of a vault that the ground opens; the others are not mentioned."""
    ground = Ground.of(body.basis)
    with desk.database.read() as tx:
        after = unhex(body.after) if body.after else None
        listed = tuple(
            at_present(tx, ground.vault, list(held_in_vault(tx, ground.vault, after=after)))
        )
    reasons = judge(desk, asker, ground, listed)
    opened = [entry for entry, reason in zip(listed, reasons, strict=True) if not reason]
    if not opened and (reasons or after is None):
        return _refused(asker, Verb.MANIFESTS, ground, reasons)
    page = opened[: body.limit]
    return Outcome(
        attempts=(_granted(asker, Verb.MANIFESTS, ground),),
        receipt={"vault": hexed(ground.vault), "purpose": ground.purpose, "count": len(page)},
        body={"entries": [_row(entry) for entry in page], "more": int(len(page) < len(opened))},
    )


def capsules(desk: Desk, asker: Asker, body: CapsulesBody) -> Outcome:
    """Where capsule and body of these records lie now, for those that the ground opens."""
    ground = Ground.of(body.basis)
    records = tuple(dict.fromkeys(unhex(record) for record in body.records))
    with desk.database.read() as tx:
        found = held_records(tx, ground.vault, records)
        listed = at_present(tx, ground.vault, [found[one] for one in records if one in found])
    reasons = judge(desk, asker, ground, listed)
    opened = [entry for entry, reason in zip(listed, reasons, strict=True) if not reason]
    if not opened:
        return _refused(asker, Verb.CAPSULES, ground, reasons, records=records)
    return Outcome(
        attempts=(_granted(asker, Verb.CAPSULES, ground, [one.record_id for one in opened]),),
        receipt={"vault": hexed(ground.vault), "purpose": ground.purpose, "count": len(opened)},
        body={"entries": [_row(entry) for entry in opened]},
    )


def log(desk: Desk, asker: Asker, body: LogBody) -> Outcome:
    """The audit entries of a vault with their proofs, for its control account."""
    vault = unhex(body.vault)
    ground = Ground(vault, Purpose.PATRQT, ZERO32, NO_TERMS, ZERO32, {})
    reason = allowed_patient(desk, asker, ground)
    if reason:
        return refuse(asker.attempt(Verb.LOG, vault=vault, purpose=Purpose.PATRQT, reason=reason))
    own_openings(desk).close_unended(now_ms=int(desk.clock() * 1000))
    page = desk.trail.page(desk.database, vault, after=body.after, limit=body.limit)
    return Outcome(
        attempts=(asker.attempt(Verb.LOG, vault=vault, purpose=Purpose.PATRQT),),
        receipt={"vault": body.vault, "purpose": int(Purpose.PATRQT), "count": len(page.proofs)},
        body={
            "entries": [json.dumps(proof) for proof in page.proofs],
            "last": page.last_seq,
            "more": int(page.more),
        },
    )


def allowed_patient(desk: Desk, asker: Asker, ground: Ground) -> str:
    """ "" when the asker is the vault's control account, by the contract's own rule."""
    if asker.unfit:
        return asker.unfit
    decision = desk.contracts.consents.is_allowed(
        handle=ground.handle,
        terms=ground.terms,
        salt=ground.salt,
        request=ground.request(asker, record=ZERO32, category=0, labels=0),
    )
    return "" if decision.allowed else decision.reason.name


def _granted(asker: Asker, verb: Verb, ground: Ground, records: Sequence[bytes] = ()) -> Attempt:
    return asker.attempt(
        verb,
        vault=ground.vault,
        purpose=ground.purpose,
        handle=ground.named_handle,
        records=records,
    )


def _refused(
    asker: Asker,
    verb: Verb,
    ground: Ground,
    reasons: Sequence[str],
    *,
    records: Sequence[bytes] = (),
) -> Outcome:
    reason = max(reasons, key=_checked_far, default=UNKNOWN_RECORD)
    attempt = asker.attempt(
        verb,
        vault=ground.vault,
        purpose=ground.purpose,
        handle=ground.named_handle,
        records=records,
        reason=reason,
    )
    return Outcome(attempts=(attempt,), error=refusal(reason))


def _checked_far(reason: str) -> int:
    """How far a record came in the contract's checks: of several reasons the last one says most.

    An expired consent for observations is told as expired, not as silent on the demographics.
    """
    return Reason[reason] if reason in Reason.__members__ else 0


def _row(entry: ManifestEntry) -> list[cbor.Value]:
    return [
        entry.record_id,
        entry.category,
        entry.labels,
        list(entry.types),
        entry.body_cid,
        entry.body_digest,
        entry.capsule_cid,
        entry.batch_id,
        list(entry.indexes),
        entry.organisation,
        entry.author,
        entry.created_ms,
    ]
