"""`claims`: a provider tells an insurer in whose vault the claims are that it may look at.

The ledger says that a claim is disclosed and not whose it is; the insurer has a consent for the
vault and not which of its claims. Each claim is told once, to the software of the insurer that it
was opened for, with an entry in its patient's log. Format: ``docs/formats/custody-release.md``.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from simdes.access.audit_event import Verb
from simdes.access.categories import Purpose
from simdes.access.custody_fingerprints import why_no_insurer
from simdes.access.custody_vaults import unfit_software
from simdes.access.desk import Asker, Desk, Outcome, refuse
from simdes.index import claim_vaults

_PURPOSE = Purpose.HPAYMT


class ClaimsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`claims`: which claims may we look at that you told us nothing of, behind ``after``?"""

    after: Annotated[int, Meta(ge=0, lt=1 << 53)]


def claims(desk: Desk, asker: Asker, body: ClaimsBody) -> Outcome:
    """Claims with their vaults; an entry for each vault that is told of, none for no news."""
    reason = unfit_software(asker) or why_no_insurer(desk, asker)
    if reason:
        return refuse(asker.attempt(Verb.CLAIMS, purpose=_PURPOSE, reason=reason))
    with desk.database.read() as tx:
        told = claim_vaults.told(tx, asker.standing.organisation, after=body.after)
    vaults = dict.fromkeys(one.vault for one in told)
    return Outcome(
        attempts=tuple(
            asker.attempt(Verb.CLAIMS, purpose=_PURPOSE, vault=vault) for vault in vaults
        ),
        receipt={"count": len(told)},
        body={
            "claims": [[one.number, one.claim, one.vault] for one in told],
            "more": int(len(told) == claim_vaults.PAGE),
        },
    )
