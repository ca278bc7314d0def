"""`vaults`, `attest` and `ack`: what other organisations' software asks of a custodian."""

from __future__ import annotations

from collections.abc import Sequence

from simdes.access import custody_keys, epochs
from simdes.access.accounts import why_inactive
from simdes.access.audit_event import Verb
from simdes.access.categories import Role
from simdes.access.custody_release import opened_shares
from simdes.access.desk import Asker, Body, Desk, Outcome, refuse
from simdes.access.messages import AckBody, AttestBody, VaultsBody
from simdes.access.requests import hexed, unhex
from simdes.index import custody as rows
from simdes.index.transaction import Transaction
from simdes.ledger.consents import Reason

ATTEST_SECONDS = 7 * 86_400
NOT_ITS_VAULT = "NOT_ITS_VAULT"
NOT_DECIDED = "NOT_DECIDED"
NOT_CLAIMABLE = "NOT_CLAIMABLE"
DEADLINE = "DEADLINE"
NOT_AUTHOR = "NOT_AUTHOR"
KEY_DESTROYED = "KEY_DESTROYED"


def unfit_software(asker: Asker) -> str:
    """Why the asker is not an organisation's active software; "" where it is."""
    reason = asker.unfit or why_inactive(asker.standing)
    if not reason and asker.standing.role is not Role.AGENT:
        reason = Reason.WRONG_ROLE.name
    return reason


def vaults(desk: Desk, asker: Asker, body: VaultsBody) -> Outcome:
    """A public key for each vault; the private half stays here, bound to vault and epoch."""
    asked = [(unhex(one.tag), one.epoch) for one in body.vaults]
    reason = unfit_software(asker)
    for tag, _ in asked if not reason else ():
        known = desk.contracts.accounts.vault(tag)
        if known is not None and not epochs.sees_to(desk, asker.standing.organisation, tag):
            reason = NOT_ITS_VAULT
    reason = reason or _why_no_key(desk, asked)
    if reason:
        return refuse(asker.attempt(Verb.VAULTS, reason=reason))

    def write(tx: Transaction) -> Body:
        now_ms = int(desk.clock() * 1000)
        publics = custody_keys.bind(tx, desk.keystore, asked, random=desk.random, now_ms=now_ms)
        return {
            "keys": [
                [tag, epoch, public] for (tag, epoch), public in zip(asked, publics, strict=True)
            ]
        }

    return Outcome(
        attempts=(asker.attempt(Verb.VAULTS),), receipt={"count": len(asked)}, write=write
    )


def _why_no_key(desk: Desk, asked: Sequence[tuple[bytes, int]]) -> str:
    """A destroyed key is never replaced: its vault and epoch are erased here."""
    with desk.database.read() as tx:
        held = [rows.key_of(tx, tag, epoch) for tag, epoch in asked]
    destroyed = any(key is not None and key.state == rows.DESTROYED for key in held)
    return KEY_DESTROYED if destroyed else ""


def attest(desk: Desk, asker: Asker, body: AttestBody) -> Outcome:
    """Our signature that the account is the person of the vault, under a standing decision."""
    vault, account = unhex(body.vault), unhex(body.account)
    reason = unfit_software(asker) or _why_not_attested(desk, vault, account, body.deadline)
    if reason:
        return refuse(asker.attempt(Verb.ATTEST, vault=vault, reason=reason))
    digest = desk.contracts.accounts.attest_vault_digest(
        tag=vault, account=account, deadline=body.deadline
    )
    return Outcome(
        attempts=(asker.attempt(Verb.ATTEST, vault=vault),),
        receipt={"vault": body.vault, "account": body.account, "deadline": body.deadline},
        body={"signature": desk.keystore.lanes[0].sign(digest)},
    )


def _why_not_attested(desk: Desk, vault: bytes, account: bytes, deadline: int) -> str:
    now = int(desk.clock())
    known = desk.contracts.accounts.vault(vault)
    holder = desk.contracts.accounts.account(account)
    if not now < deadline <= now + ATTEST_SECONDS:
        return DEADLINE
    if known is None or known.control is not None or holder is None:
        return NOT_CLAIMABLE
    if holder.role is not Role.PATIENT:
        return NOT_CLAIMABLE
    covered = desk.attestations.covers(
        desk.contracts, vault=vault, account=account, now_seconds=now
    )
    return "" if covered else NOT_DECIDED


def ack(desk: Desk, asker: Asker, body: AckBody) -> Outcome:
    """Which of an author's records have a share here that opens and holds.

    So an author learns that a capsule is good while it can still issue another, and a signed
    receipt proves that the custodian said so.
    """
    vault = unhex(body.vault)
    records = tuple(dict.fromkeys(unhex(record) for record in body.records))
    reason = unfit_software(asker)
    found = () if reason else opened_shares(desk, vault, records)
    if not reason and any(
        one.entry is not None and one.entry.organisation != asker.standing.organisation
        for one in found
    ):
        reason = NOT_AUTHOR
    if reason:
        return refuse(asker.attempt(Verb.ACK, vault=vault, records=records, reason=reason))
    good = [hexed(one.record) for one in found if one.share is not None]
    bad = {hexed(one.record): one.reason for one in found if one.share is None}
    return Outcome(
        attempts=(asker.attempt(Verb.ACK, vault=vault, records=records),),
        receipt={"vault": body.vault, "good": good, "bad": bad},
    )
