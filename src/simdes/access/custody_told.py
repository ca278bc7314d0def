"""`claims` and `prescriptions`: who wrote something tells who may look at it in whose vault it is.

The ledger says that a claim is disclosed, or that somebody let a pharmacy in, and not whose the
claim is, nor who has a prescription. A claim is told once to its insurer, a prescription once under
each consent to the pharmacy that it names and as long as that consent stands, each to software,
with an entry in its patient's log. Format: ``docs/formats/custody-release.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from simdes.access.audit_event import Attempt, Verb
from simdes.access.categories import Kind, Purpose, State
from simdes.access.consent import decode_terms_row
from simdes.access.custody_fingerprints import why_no_insurer
from simdes.access.custody_vaults import unfit_software
from simdes.access.desk import Asker, Body, Desk, Outcome, refuse
from simdes.index import custody, whereabouts
from simdes.index.transaction import Transaction
from simdes.index.whereabouts import Told

NOT_DISPENSER: Final = "NOT_DISPENSER"
DISPENSERS: Final = (Kind.PHARMACY, Kind.HOSPITAL)
"""Kinds of organisations that may dispense."""


class ToldBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What may we look at that you told us nothing of, behind the number ``after``?"""

    after: Annotated[int, Meta(ge=0, lt=1 << 53)]


def claims(desk: Desk, asker: Asker, body: ToldBody) -> Outcome:
    """Claims with their vaults; an entry for each vault that is told of, none for no news."""
    reason = unfit_software(asker) or why_no_insurer(desk, asker)
    if reason:
        return refuse(asker.attempt(Verb.CLAIMS, purpose=Purpose.HPAYMT, reason=reason))
    with desk.database.read() as tx:
        told = whereabouts.CLAIMS.told(tx, asker.standing.organisation, after=body.after)
    return Outcome(
        attempts=_attempts(asker, Verb.CLAIMS, Purpose.HPAYMT, told),
        receipt={"count": len(told)},
        body=_body("claims", told, more=len(told) == whereabouts.PAGE),
    )


def prescriptions(desk: Desk, asker: Asker, body: ToldBody) -> Outcome:
    """Prescriptions with their vaults, of patients whose consent to the asker stands now.

    What was to be told under a consent that is over is never told.
    """
    reason = unfit_software(asker) or _why_no_dispenser(desk, asker)
    if reason:
        return refuse(asker.attempt(Verb.PRESCRIPTIONS, purpose=Purpose.TREAT, reason=reason))
    with desk.database.read() as tx:
        rows = whereabouts.PRESCRIPTIONS.told(tx, asker.standing.organisation, after=body.after)
        under = {(one.vault, one.handle) for one in rows}
        begun = {one for one in under if _is_within(tx, *one, asker.time_seconds)}
    standing = desk.contracts.consents.standing(sorted(begun))
    told = [one for one in rows if (one.vault, one.handle) in standing]
    over = [one.number for one in rows if (one.vault, one.handle) not in standing]

    def write(tx: Transaction) -> Body:
        whereabouts.PRESCRIPTIONS.unsay(tx, over)
        return {}

    return Outcome(
        attempts=_attempts(asker, Verb.PRESCRIPTIONS, Purpose.TREAT, told),
        receipt={"count": len(told)},
        body=_body("prescriptions", told, more=len(rows) == whereabouts.PAGE),
        write=write,
    )


def _is_within(tx: Transaction, vault: bytes, handle: bytes, now_seconds: int) -> bool:
    row = custody.terms(tx, vault, handle)
    return row is not None and now_seconds < decode_terms_row(row).terms.expiry


def _why_no_dispenser(desk: Desk, asker: Asker) -> str:
    """Why the asker is not of a verified organisation that may dispense; "" where it is."""
    known = desk.contracts.accounts.organisation(asker.standing.organisation)
    fit = known is not None and known.state == State.VERIFIED and known.kind in DISPENSERS
    return "" if fit else NOT_DISPENSER


def _attempts(
    asker: Asker, verb: Verb, purpose: Purpose, told: Iterable[Told]
) -> tuple[Attempt, ...]:
    vaults = dict.fromkeys(one.vault for one in told)
    return tuple(asker.attempt(verb, purpose=purpose, vault=vault) for vault in vaults)


def _body(name: str, told: Sequence[Told], *, more: bool) -> Body:
    return {name: [[one.number, one.item, one.vault] for one in told], "more": int(more)}
