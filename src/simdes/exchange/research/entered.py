"""`released`: these patients are in a release. The custodian's side.

Whoever was asked for shares learns what became of them, and writes it into its own trail, where the
patient finds it whatever the sponsor shows. Nothing is taken on the sponsor's word: the ledger has
the release and the digest of its tags, and a patient's tag follows from the consent that they take
part by (docs/formats/studies.md, "Taking part"). All of a question is entered, or nothing, and each
patient once, however often it is asked.
"""

from __future__ import annotations

from typing import Final

from simdes.access.accounts import why_inactive
from simdes.access.audit_event import Verb, decode
from simdes.access.categories import Purpose, Role
from simdes.access.desk import Asker, Desk, Ground, Outcome, refuse
from simdes.access.messages import ReleasedBody
from simdes.access.requests import unhex
from simdes.errors import NotFound
from simdes.exchange.research.taking_part import secret_under
from simdes.index import audit, chain_consents
from simdes.index.transaction import Transaction
from simdes.ledger.consents import Reason, commitment
from simdes.ledger.contracts import members_digest
from simdes.ledger.studies import Release, tag_of

NOT_SPONSOR: Final = "NOT_SPONSOR"
NOT_RELEASED: Final = "NOT_RELEASED"
_PURPOSE: Final = Purpose.HRESCH
_SKEW_MS: Final = 86_400_000
"""How far the ledger's clock and ours may be apart."""


def released(desk: Desk, asker: Asker, body: ReleasedBody) -> Outcome:
    """An entry for every patient of a recorded release, refused where one of them isn't in it."""
    study, tags = unhex(body.study), {unhex(one) for one in body.members}
    reason = asker.unfit or why_inactive(asker.standing)
    if not reason and asker.standing.role is not Role.RESEARCHER:
        reason = Reason.WRONG_ROLE.name
    if not reason:
        known = desk.contracts.studies.study(study)
        if known is None or known.sponsor != asker.standing.organisation:
            reason = NOT_SPONSOR
    grounds = [Ground.of(one) for one in body.patients]
    found = None if reason else _release(desk, study, body.number, tags)
    if found is None:
        return _refuse(asker, reason or NOT_RELEASED)
    with desk.database.read() as tx:
        seen = audit.head(tx).seq
        if not all(_takes_part(desk, tx, one, study, tags) for one in grounds):
            return _refuse(asker, NOT_RELEASED)
        named = {one.vault: one for one in grounds}
        new = [one for one in named.values() if not _is_entered(desk, tx, one.vault, found)]
    return Outcome(
        attempts=tuple(
            asker.attempt(
                Verb.RELEASED,
                vault=one.vault,
                purpose=_PURPOSE,
                records=(found.manifest,),
                handle=one.handle,
            )
            for one in new
        ),
        receipt={"study": body.study, "number": body.number, "count": len(grounds)},
        still=lambda tx, one: not _is_entered(desk, tx, one.vault, found, after=seen),
    )


def _refuse(asker: Asker, reason: str) -> Outcome:
    return refuse(asker.attempt(Verb.RELEASED, purpose=_PURPOSE, reason=reason))


def _release(desk: Desk, study: bytes, number: int, tags: set[bytes]) -> Release | None:
    """The release that the ledger has of exactly these tags."""
    found = desk.contracts.studies.release(study, number)
    return found if found and found.members == members_digest(tuple(tags)) else None


def _is_entered(
    desk: Desk, tx: Transaction, vault: bytes | None, release: Release, *, after: int = 0
) -> bool:
    """Whether our trail has the patient's entry of a release: looked for from its time on, behind
    an entry's number."""
    assert vault is not None  # noqa: S101 (entries of releases are about somebody)
    from_ms = release.at * 1000 - _SKEW_MS
    while listed := audit.of_vault(tx, vault, after=after, limit=100, from_ms=from_ms):
        for row in listed:
            try:
                tried = decode(desk.trail.read(tx, row)).attempt
            except NotFound:  # of a vault that was erased here
                continue
            if tried.verb is Verb.RELEASED and tried.records == (release.manifest,):
                return True
        after = listed[-1].seq
    return False


def _takes_part(
    desk: Desk, tx: Transaction, ground: Ground, study: bytes, tags: set[bytes]
) -> bool:
    """Whether the patient of this vault gave this consent to research, and its tag is released."""
    held = chain_consents.get(tx, ground.vault, ground.handle)
    if held is None or held.commitment != commitment(ground.terms, ground.salt):
        return False
    if ground.terms.condition != desk.contracts.addresses.studies:
        return False
    return tag_of(study, secret_under(ground.handle, ground.salt, study)) in tags
