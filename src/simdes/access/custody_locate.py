"""`locate`: does this organisation hold vaults of the person with these identifiers?

Asked by a verified clinician of another organisation; a holder answers with tag and custodians
only. Who does not hold the patient stores nothing of the identifiers: its audit entry says that
somebody looked and found nothing. That members learn who is looked for is said to users
(docs/formats/custody-release.md, "locate").
"""

from __future__ import annotations

from simdes.access.accounts import why_inactive
from simdes.access.audit_event import Verb
from simdes.access.categories import CLINICIANS, Purpose
from simdes.access.desk import Asker, Desk, Outcome, refuse
from simdes.access.messages import LocateBody
from simdes.crypto import cbor
from simdes.errors import SimdesError
from simdes.index.vaults import ORGANISATION
from simdes.ledger.consents import Reason

_PURPOSES = frozenset({Purpose.TREAT, Purpose.ETREAT})


def locate(desk: Desk, asker: Asker, body: LocateBody) -> Outcome:
    """Tags and custodians of the vaults that this organisation opened for the person."""
    reason = asker.unfit or why_inactive(asker.standing)
    if not reason and asker.standing.role not in CLINICIANS:
        reason = Reason.WRONG_ROLE.name
    if not reason and body.purpose not in _PURPOSES:
        reason = Reason.PURPOSE.name
    if reason:
        purpose = body.purpose if body.purpose in set(Purpose) else None
        return refuse(asker.attempt(Verb.LOCATE, purpose=purpose, reason=reason))
    tags = _tags(desk, body)
    found: list[cbor.Value] = []
    for tag in tags:
        try:
            vault = desk.directory.vault(tag)
        except SimdesError:
            continue  # not open on chain yet, or its descriptor is away now
        custodians: list[cbor.Value] = [one.organisation for one in vault.custodians]
        found.append([tag, vault.m, vault.epoch, custodians])
    return Outcome(
        attempts=tuple(
            asker.attempt(Verb.LOCATE, vault=tag, purpose=body.purpose) for tag in tags or (None,)
        ),
        receipt={"count": len(found)},
        body={"vaults": found},
    )


def _tags(desk: Desk, body: LocateBody) -> tuple[bytes, ...]:
    tags: dict[bytes, None] = {}
    with desk.database.read() as tx:
        for identifier in body.identifiers:
            rows = tx.all(
                "SELECT i.tag FROM identifier i JOIN vault v ON v.tag = i.tag "
                "WHERE i.system = :s AND i.value = :v AND v.home = 1 AND v.state = 'open'"
                " AND i.system <> :organisations",
                organisations=ORGANISATION,  # whose own vault is nobody's record
                s=identifier.system,
                v=identifier.value,
            )
            tags.update((row[0], None) for row in rows)
    return tuple(tags)
