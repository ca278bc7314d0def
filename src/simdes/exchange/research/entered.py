"""`released`: these patients are in a release. The custodian's side.

Whoever was asked for shares learns what became of them, and writes it into its own trail, where the
patient finds it whatever the sponsor shows. Nothing is taken on the sponsor's word: the ledger has
the release and the digest of its tags, and a patient's tag follows from the consent that they take
part by (docs/formats/studies.md, "Taking part"). All of a question is entered, or nothing.
"""

from __future__ import annotations

from typing import Final

from simdes.access.accounts import why_inactive
from simdes.access.audit_event import Verb
from simdes.access.categories import Purpose, Role
from simdes.access.desk import Asker, Desk, Ground, Outcome, refuse
from simdes.access.messages import ReleasedBody
from simdes.access.requests import unhex
from simdes.exchange.research.taking_part import secret_under
from simdes.index import chain_consents
from simdes.index.transaction import Transaction
from simdes.ledger.consents import Reason, commitment
from simdes.ledger.contracts import members_digest
from simdes.ledger.studies import tag_of

NOT_SPONSOR: Final = "NOT_SPONSOR"
NOT_RELEASED: Final = "NOT_RELEASED"
_PURPOSE: Final = Purpose.HRESCH


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
    manifest, grounds = b"", [Ground.of(one) for one in body.patients]
    if not reason:
        found = desk.contracts.studies.release(study, body.number)
        manifest = b"" if found is None else found.manifest
        with desk.database.read() as tx:
            whole = found is not None and found.members == members_digest(tuple(tags))
            if not whole or not all(_takes_part(desk, tx, one, study, tags) for one in grounds):
                reason = NOT_RELEASED
    if reason:
        return refuse(asker.attempt(Verb.RELEASED, purpose=_PURPOSE, reason=reason))
    return Outcome(
        attempts=tuple(
            asker.attempt(
                Verb.RELEASED,
                vault=one.vault,
                purpose=_PURPOSE,
                records=(manifest,),
                handle=one.handle,
            )
            for one in grounds
        ),
        receipt={"study": body.study, "number": body.number, "count": len(grounds)},
    )


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
