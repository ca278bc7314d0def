"""`appoint` and `vouch`: who guards an account learns of it, lets a new key in, or freezes it.

`appoint` is asked of a guardian's organisation by whoever appoints them, `vouch` of the ward's
organisation by the guardian: first which key a code means, then with a signature over just that key
(docs/formats/custody-release.md); without a code it is about a freeze (`custody_freezing`). Both
prove by a path to the root on chain that the guardian is one; nobody else learns whether an account
is being recovered.
"""

from __future__ import annotations

from typing import Final

from simdes.access.accounts import why_inactive
from simdes.access.audit_event import Verb
from simdes.access.custody_freezing import freeze
from simdes.access.desk import QUOTA, Asker, Body, Desk, Outcome, refuse
from simdes.access.guardians import Seat, is_seated, start_of_code
from simdes.access.keystore import KeyStore
from simdes.access.messages import AppointBody, SeatBody, VouchBody
from simdes.access.requests import hexed, unhex
from simdes.crypto import cbor
from simdes.crypto.keys import recover, unwrap, wrap
from simdes.errors import Invalid, SimdesError
from simdes.index import guardians as rows
from simdes.index import vaults
from simdes.index.guardians import Guardianship, Proof, Recovery
from simdes.index.transaction import Transaction
from simdes.ledger.accounts import Account

NOT_HOSTED: Final = "NOT_HOSTED"
NOT_GUARDIAN: Final = "NOT_GUARDIAN"
NO_RECOVERY: Final = "NO_RECOVERY"
MOST_WARDS: Final = 100
_WARD: Final = b"simdes/guardianship/v1"


def appoint(desk: Desk, asker: Asker, body: AppointBody) -> Outcome:
    """Keep for a person here whose guardian they are, once the chain has the set, or waits to."""
    guardian, seat, ward = unhex(body.guardian), body.seat.value(), asker.standing.account
    reason = asker.unfit or why_inactive(asker.standing)
    root, others = _set_of(desk, ward, guardian, seat, body.threshold)
    person = desk.keystore.person_of(guardian)
    if not reason and (person is None or person.wallet):
        reason = NOT_HOSTED  # no key that could sign for a ward here
    if not reason and root is None:
        reason = NOT_GUARDIAN
    with desk.database.read() as tx:
        known = {one.account for one in rows.guardianships(tx, guardian)}
    if not reason and ward not in known and len(known) >= MOST_WARDS:
        reason = QUOTA
    if reason or root is None:
        return refuse(asker.attempt(Verb.APPOINT, reason=reason))
    kept = Guardianship(
        guardian=guardian,
        account=ward,
        root=root,
        details_wrapped=wrap(
            desk.keystore.database_key,
            cbor.encode(
                {
                    "name": body.name,
                    "threshold": body.threshold,
                    "salt": seat.salt,
                    "index": seat.index,
                    "count": seat.count,
                    "path": list(seat.path),
                }
            ),
            aad=_WARD + guardian + ward + root,
            random=desk.random,
        ),
        received_ms=int(desk.clock() * 1000),
    )

    def write(tx: Transaction) -> Body:
        rows.drop_guardianships(tx, guardian, ward, but=others)
        rows.put_guardianship(tx, kept)
        return {}

    return Outcome(
        attempts=(asker.attempt(Verb.APPOINT),),
        receipt={"guardian": body.guardian, "count": seat.count, "threshold": body.threshold},
        write=write,
    )


def ward_of(keystore: KeyStore, kept: Guardianship) -> tuple[str, int, Seat]:
    """The name of a ward, how many guardians it takes, and the guardian's seat."""
    said = cbor.decode(
        unwrap(
            keystore.database_key,
            kept.details_wrapped,
            aad=_WARD + kept.guardian + kept.account + kept.root,
        )
    )
    assert isinstance(said, dict)  # noqa: S101 (our own writing)
    seat = Seat(said["salt"], said["index"], said["count"], tuple(said["path"]))  # type: ignore[arg-type]
    return str(said["name"]), int(said["threshold"]), seat  # type: ignore[arg-type]


def vouch(desk: Desk, asker: Asker, body: VouchBody) -> Outcome:
    """Which key a code means; with the guardian's signature over it, keep that. Without a code,
    what guardians sign to freeze the account."""
    account, seat = unhex(body.account), body.seat.value()
    vault = vault_of(desk, account)
    known = desk.contracts.accounts.account(account)
    reason = asker.unfit or why_inactive(asker.standing)
    if not reason and (known is None or not _is_ours(desk, account, known, body)):
        reason = NOT_HOSTED
    if not reason and known is not None:
        seated = seat.count == known.guardian_count
        if not seated or not is_seated(seat, asker.address, known.guardians_root):
            reason = NOT_GUARDIAN
    if not reason and known is not None and body.code is None:
        return freeze(desk, asker, body, known, vault)
    found = None if reason or known is None else meant(desk, account, body.code or "")
    if not reason and (known is None or found is None or found.nonce != known.guardian_nonce):
        reason = NO_RECOVERY
    if not reason and found is not None and body.signature is not None:
        reason = _why_not_signed(desk, found, asker.address, unhex(body.signature))
    if reason or found is None:
        return refuse(asker.attempt(Verb.VOUCH, vault=vault, reason=reason))
    return _let_in(asker, body, found, vault)


def _is_ours(desk: Desk, account: bytes, known: Account, body: VouchBody) -> bool:
    """A key is let in where it waits; a freeze is for every account registered here."""
    if body.code is None:
        return known.organisation == desk.organisation
    return desk.keystore.person_of(account) is not None


def _let_in(asker: Asker, body: VouchBody, found: Recovery, vault: bytes | None) -> Outcome:
    signed = body.signature

    def write(tx: Transaction) -> Body:
        if signed is not None:
            rows.put_proof(tx, _proof(found, asker.address, body.seat, unhex(signed)))
        return {}

    return Outcome(
        attempts=(asker.attempt(Verb.VOUCH, vault=vault),),
        receipt={"account": body.account, "key": hexed(found.address), "signed": bool(signed)},
        body={
            "key": found.address,
            "nonce": found.nonce,
            "deadline": found.deadline_seconds,
        },
        write=write,
    )


def _proof(found: Recovery, signer: bytes, seat: SeatBody, signature: bytes) -> Proof:
    value = seat.value()
    return Proof(
        account=found.account,
        address=found.address,
        signer=signer,
        proof=cbor.encode(
            {
                "salt": value.salt,
                "index": value.index,
                "path": list(value.path),
                "signature": signature,
            }
        ),
    )


def _set_of(
    desk: Desk, ward: bytes, guardian: bytes, seat: Seat, threshold: int
) -> tuple[bytes | None, list[bytes]]:
    """The root of the set, in force or waiting, in which somebody here has a seat; None where in
    none. And the roots of all sets that count."""
    person = desk.keystore.person_of(guardian)
    known = desk.contracts.accounts.account(ward)
    waiting = desk.contracts.accounts.pending_guardians(ward)
    sets = [(waiting.root, waiting.count, waiting.threshold)] if waiting else []
    if known is not None:
        sets.append((known.guardians_root, known.guardian_count, known.guardian_threshold))
    found = [
        root
        for root, count, least in sets
        if person is not None
        and (count, least) == (seat.count, threshold)
        and is_seated(seat, person.address, root)
    ]
    return next(iter(found), None), [root for root, _, _ in sets]


def meant(desk: Desk, account: bytes, code: str) -> Recovery | None:
    """The new key of an account that waits under a code; None where none does."""
    try:
        start = start_of_code(code)
    except Invalid:
        return None
    now = int(desk.clock())
    with desk.database.read() as tx:
        listed = rows.recoveries(tx, account)
    return next(
        (
            one
            for one in listed
            if one.address.startswith(start)
            and one.deadline_seconds > now
            and one.state == rows.OPEN
        ),
        None,
    )


def _why_not_signed(desk: Desk, found: Recovery, signer: bytes, signature: bytes) -> str:
    digest = desk.contracts.accounts.recover_digest(
        account=found.account,
        key=found.address,
        nonce=found.nonce,
        deadline=found.deadline_seconds,
    )
    try:
        return "" if recover(digest, signature) == signer else NOT_GUARDIAN
    except SimdesError:
        return NOT_GUARDIAN


def vault_of(desk: Desk, account: bytes) -> bytes | None:
    """The ward's vault, so that the patient finds it in their log; None where there is none."""
    with desk.database.read() as tx:
        return next((one.tag for one in vaults.controlled_by(tx, account)), None)
