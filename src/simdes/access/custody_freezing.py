"""`vouch` without a code: guardians at several organisations freeze an account together.

The ward's organisation names what all of them sign: the account, its nonce on chain, and one
deadline, the first one's. It keeps what each signs until there are enough (`exchange.freezing`
sends it). A seat was proved before; nobody else learns that anybody asked.
"""

from __future__ import annotations

from typing import Any, Final

from simdes.access.audit_event import Verb
from simdes.access.desk import Asker, Body, Desk, Outcome, refuse
from simdes.access.guardians import Seat, is_seated
from simdes.access.messages import VouchBody
from simdes.access.requests import unhex
from simdes.crypto import cbor
from simdes.crypto.keys import recover
from simdes.errors import Conflict, SimdesError
from simdes.index import freezes as rows
from simdes.index import mail
from simdes.index.freezes import Freeze, FreezeProof
from simdes.index.transaction import Transaction
from simdes.ledger.accounts import Account, GuardianProof

FROZEN_ALREADY: Final = "FROZEN_ALREADY"
NOT_SIGNED: Final = "NOT_GUARDIAN"
DEADLINE: Final = "DEADLINE"
LASTING_SECONDS: Final = 86_400
"""For how long what guardians signed is good, from when the first of them asked."""
ANEW_SECONDS: Final = 3_600
"""After how long somebody who asks gets a new deadline where nobody signed for the old one."""


def freeze(
    desk: Desk, asker: Asker, body: VouchBody, known: Account, vault: bytes | None
) -> Outcome:
    """What guardians sign to freeze an account; with this one's signature over it, keep that."""
    account, now = unhex(body.account), int(desk.clock())
    with desk.database.read() as tx:
        present = _present(tx, account, known, now)
    reason = FROZEN_ALREADY if known.frozen else ""
    if not reason and body.signature is not None:
        reason = _why_not_signed(desk, present, asker.address, unhex(body.signature))
    if reason:
        return refuse(asker.attempt(Verb.VOUCH, vault=vault, reason=reason))

    def write(tx: Transaction) -> Body:
        found = _present(tx, account, known, now)
        if body.signature is not None:
            if found is None or found != present:
                raise Conflict("The guardians sign something else meanwhile.", advice="Ask again.")
            _keep(tx, found, asker.address, body, now)
        elif found is None or _is_stale(tx, found, now):
            found = Freeze(
                account=account,
                nonce=known.guardian_nonce,
                deadline_seconds=now + LASTING_SECONDS,
                begun_ms=now * 1000,
            )
            rows.begin(tx, found)
        return {
            "nonce": found.nonce,
            "deadline": found.deadline_seconds,
            "signed": sum(seated(one, known) is not None for one in rows.proofs(tx, account)),
            "needed": known.guardian_threshold,
        }

    return Outcome(
        attempts=(asker.attempt(Verb.VOUCH, vault=vault),),
        receipt={"account": body.account, "freeze": True, "signed": body.signature is not None},
        write=write,
    )


def seated(kept: FreezeProof, known: Account) -> GuardianProof | None:
    """What a guardian of the set in force signed; None for who is none any more."""
    said: Any = cbor.decode(kept.proof)
    seat = Seat(said["salt"], said["index"], known.guardian_count, tuple(said["path"]))
    if not is_seated(seat, kept.signer, known.guardians_root):
        return None
    return GuardianProof(seat.salt, seat.index, seat.path, said["signature"])


def _present(tx: Transaction, account: bytes, known: Account, now: int) -> Freeze | None:
    """What is being signed, None where nothing is, or what was is worth nothing any more."""
    found = rows.freeze(tx, account)
    if found is None or found.nonce != known.guardian_nonce or found.deadline_seconds <= now:
        return None
    return found


def _is_stale(tx: Transaction, found: Freeze, now: int) -> bool:
    asked = found.deadline_seconds - LASTING_SECONDS
    return now - asked >= ANEW_SECONDS and not rows.proofs(tx, found.account)


def _keep(tx: Transaction, found: Freeze, signer: bytes, body: VouchBody, now: int) -> None:
    """Keep what a guardian signed; the ward hears of it at once, and once of each guardian."""
    assert body.signature is not None  # noqa: S101 (the caller looked)
    if signer not in {one.signer for one in rows.proofs(tx, found.account)}:
        mail.alarm(tx, found.account, at_ms=now * 1000 + 999)  # whole seconds
    seat = body.seat.value()
    said: cbor.Value = {
        "salt": seat.salt,
        "index": seat.index,
        "path": list(seat.path),
        "signature": unhex(body.signature),
    }
    rows.put_proof(tx, FreezeProof(account=found.account, signer=signer, proof=cbor.encode(said)))


def _why_not_signed(desk: Desk, present: Freeze | None, signer: bytes, signature: bytes) -> str:
    if present is None:
        return DEADLINE
    digest = desk.contracts.accounts.freeze_digest(
        account=present.account, nonce=present.nonce, deadline=present.deadline_seconds
    )
    try:
        return "" if recover(digest, signature) == signer else NOT_SIGNED
    except SimdesError:
        return NOT_SIGNED
