"""`recover`: an administrator who saw a patient and their papers lets a new key of theirs in.

Asked of the patient's organisation by an administrator of any, that one included: first which key a
code means, then with a signature over just that key, and how the identity was checked. The code and
the account are the patient's to bring. The contract asks for two organisations
(`contracts/src/accounts/Recovery.sol`); `exchange.attesting` has both sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from simdes.access.accounts import why_inactive
from simdes.access.audit_event import Verb
from simdes.access.categories import Role
from simdes.access.custody_guardians import NO_RECOVERY, NOT_HOSTED, meant, vault_of
from simdes.access.desk import Asker, Body, Desk, Outcome, refuse
from simdes.access.keystore import KeyStore
from simdes.access.messages import AttestationBody, RecoverBody
from simdes.access.requests import hexed, unhex
from simdes.crypto import cbor
from simdes.crypto.keys import recover as signer_of
from simdes.crypto.keys import unwrap, wrap
from simdes.errors import SimdesError
from simdes.index import attested_recoveries as rows
from simdes.index import mail
from simdes.index.attested_recoveries import Attestation
from simdes.index.guardians import Recovery
from simdes.index.transaction import Transaction

NOT_SIGNED: Final = "NOT_SIGNED"
_ATTESTED: Final = b"simdes/attested-recovery/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """An organisation's word: which administrator's, signed by which key, how they knew, when."""

    organisation: bytes
    account: bytes
    signer: bytes
    signature: bytes
    checked: str
    at_seconds: int


def recover(desk: Desk, asker: Asker, body: RecoverBody) -> Outcome:
    """Which key a code means; with an administrator's signature over it, keep that."""
    account = unhex(body.account)
    vault, known = vault_of(desk, account), desk.contracts.accounts.account(account)
    reason = asker.unfit or why_inactive(asker.standing)
    if not reason and asker.standing.role is not Role.ADMINISTRATOR:
        reason = "WRONG_ROLE"
    if not reason and (known is None or desk.keystore.person_of(account) is None):
        reason = NOT_HOSTED
    found = None if reason or known is None else meant(desk, account, body.code)
    if not reason and (
        known is None
        or found is None
        or found.nonce != known.guardian_nonce
        or known.role is not Role.PATIENT  # the contract lets in nobody else so
    ):
        reason = NO_RECOVERY
    if not reason and found is not None and body.attestation is not None:
        reason = _why_not_signed(desk, found, asker.address, body.attestation)
    if reason or found is None:
        return refuse(asker.attempt(Verb.RECOVER, vault=vault, reason=reason))
    return _attested(desk, asker, body, found, vault)


def _attested(
    desk: Desk, asker: Asker, body: RecoverBody, found: Recovery, vault: bytes | None
) -> Outcome:
    said = body.attestation

    def write(tx: Transaction) -> Body:
        kept = rows.of_key(tx, found.account, found.address)
        organisations = {one.organisation for one in kept}
        if said is not None:
            if asker.standing.organisation not in organisations:  # whoever has the old key hears
                mail.alarm(tx, found.account, at_ms=int(desk.clock() * 1000))
            rows.put(tx, _row(desk, asker, found, said))
            organisations.add(asker.standing.organisation)
        return {"organisations": [*sorted(organisations)]}

    return Outcome(
        attempts=(asker.attempt(Verb.RECOVER, vault=vault),),
        receipt={
            "account": body.account,
            "key": hexed(found.address),
            "signed": said is not None,
        },
        body={"key": found.address, "nonce": found.nonce, "deadline": found.deadline_seconds},
        write=write,
    )


def attested(keystore: KeyStore, kept: Sequence[Attestation]) -> list[Attested]:
    """What organisations said, read again."""
    found = []
    for one in kept:
        plain = unwrap(keystore.database_key, one.details_wrapped, aad=_aad(one))
        said = cbor.decode(plain)
        assert isinstance(said, dict)  # noqa: S101 (our own writing)
        found.append(Attested(organisation=one.organisation, **said))  # type: ignore[arg-type]
    return found


def _row(desk: Desk, asker: Asker, found: Recovery, said: AttestationBody) -> Attestation:
    details: cbor.Value = {
        "account": asker.standing.account,
        "signer": asker.address,
        "signature": unhex(said.signature),
        "checked": said.checked.strip(),
        "at_seconds": int(desk.clock()),
    }
    bare = Attestation(
        account=found.account,
        address=found.address,
        organisation=asker.standing.organisation,
        details_wrapped=b"",
    )
    wrapped = wrap(
        desk.keystore.database_key, cbor.encode(details), aad=_aad(bare), random=desk.random
    )
    return replace(bare, details_wrapped=wrapped)


def _aad(one: Attestation) -> bytes:
    return _ATTESTED + one.account + one.address + one.organisation


def _why_not_signed(desk: Desk, found: Recovery, signer: bytes, said: AttestationBody) -> str:
    digest = desk.contracts.accounts.recover_digest(
        account=found.account,
        key=found.address,
        nonce=found.nonce,
        deadline=found.deadline_seconds,
        attested=True,
    )
    try:
        return "" if signer_of(digest, unhex(said.signature)) == signer else NOT_SIGNED
    except SimdesError:
        return NOT_SIGNED
