"""Guardians freeze an account at once, when its key is in somebody else's hands.

Each says so at their own organisation; the ward's collects what they sign, tells the ward, and
sends it once there are enough (`access.custody_freezing`). Where that organisation does not answer
they sign the same until by command, and whoever has what they signed brings it to the ledger. A
frozen account does nothing until it is recovered to a new key (`exchange.recovering`).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from simdes.access.asking import ask
from simdes.access.custody_freezing import LASTING_SECONDS, seated
from simdes.access.guardians import SKEW_SECONDS
from simdes.access.messages import SeatBody, VouchBody
from simdes.access.requests import hexed
from simdes.crypto import cbor
from simdes.crypto.keys import recover
from simdes.errors import Invalid, NotFound, SimdesError, Tampered
from simdes.exchange import guardians
from simdes.exchange.guardians import Guardian
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import freezes as rows
from simdes.index.freezes import Freeze
from simdes.ledger.accounts import Account, GuardianProof

__all__ = ["LASTING_SECONDS", "Gathered", "freeze", "gathered", "join", "sign", "tend"]

_START: Final = "freeze:"

_log = structlog.get_logger("simdes.freezing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """How many guardians signed that an account be frozen, of how many needed, until when it
    counts; ``guardians`` are those who signed, where the ward asks."""

    signed: int
    needed: int
    until_seconds: int
    guardians: tuple[Guardian, ...] = ()


def join(node: Node, session: Session, ward: bytes) -> Gathered:
    """Sign, as a guardian, that a ward's account be frozen, with whoever else does.

    Raises NotFound for somebody whom the guardian does not guard, Forbidden where the account is
    frozen already, Tampered where the ward's organisation would have something else signed,
    Unavailable where it does not answer.
    """
    found = guardians.guarded(node, session.actor.account, ward)
    known, now = node.contracts.accounts.account(ward), node.now_seconds()
    caller, seat = node.caller(session.key), SeatBody.of(found.seat)
    body = VouchBody(account=hexed(ward), seat=seat)
    said = ask(caller, found.organisation, "vouch", body).body
    nonce, deadline = said.get("nonce"), said.get("deadline")
    if (
        known is None
        or nonce != known.guardian_nonce
        or not isinstance(deadline, int)
        or not now < deadline <= now + LASTING_SECONDS + SKEW_SECONDS
    ):
        raise Tampered("The answer would have something else signed than a freeze.")
    digest = node.contracts.accounts.freeze_digest(
        account=ward, nonce=known.guardian_nonce, deadline=deadline
    )
    signed = VouchBody(account=body.account, seat=seat, signature=hexed(session.key.sign(digest)))
    said = ask(caller, found.organisation, "vouch", signed).body
    count = said.get("signed")
    return Gathered(
        signed=count if isinstance(count, int) else 1,
        needed=known.guardian_threshold,
        until_seconds=deadline,
    )


def gathered(node: Node, account: bytes) -> Gathered | None:
    """Which guardians of somebody here signed that their account be frozen; None for nobody."""
    with node.database.read() as tx:
        found, signed = rows.freeze(tx, account), rows.proofs(tx, account)
    accounts = node.contracts.accounts
    known = accounts.account(account) if found is not None and signed else None
    if found is None or known is None or _is_over(node, found, known):
        return None
    signers = {one.signer for one in signed if seated(one, known)}
    if not signers:
        return None
    present = guardians.standing(node, account).present
    named = []
    for one in present.guardians if present else ():
        holder = accounts.account(one.account)
        if holder is not None and holder.key in signers:
            named.append(one)
    return Gathered(
        signed=len(signers),
        needed=known.guardian_threshold,
        until_seconds=found.deadline_seconds,
        guardians=tuple(named),
    )


def tend(node: Node) -> int:
    """Send each freeze that enough guardians signed; how many. A worker's step."""
    with node.database.read() as tx:
        listed = rows.freezes(tx)
    done = 0
    for one in listed:
        try:
            done += _advance(node, one)
        except SimdesError as error:
            _log.warning("a freeze waits", issue=error.issue)
    return done


def _advance(node: Node, one: Freeze) -> bool:
    accounts = node.contracts.accounts
    known = accounts.account(one.account)
    if known is None or _is_over(node, one, known):
        node.database.write(lambda tx: rows.drop(tx, one.account))
        return False
    with node.database.read() as tx:
        proofs = [proof for kept in rows.proofs(tx, one.account) if (proof := seated(kept, known))]
    if not 0 < known.guardian_threshold <= len(proofs):
        return False
    deadline = one.deadline_seconds
    node.agent.transact(accounts.freeze(account=one.account, deadline=deadline, proofs=proofs))
    node.database.write(lambda tx: rows.drop(tx, one.account))
    return True


def _is_over(node: Node, one: Freeze, known: Account) -> bool:
    """Whether what was signed is worth nothing any more: the account is frozen or recovered, or it
    is late."""
    over = one.deadline_seconds <= node.now_seconds()
    return over or known.frozen or one.nonce != known.guardian_nonce


def sign(node: Node, session: Session, ward: bytes, *, until_seconds: int) -> str:
    """What one guardian signs to freeze a ward's account, as text to hand on.

    Raises NotFound for somebody whom the guardian does not guard, Invalid for a time that is over.
    """
    if until_seconds <= node.now_seconds():
        raise Invalid("The time is over.")
    known = node.contracts.accounts.account(ward)
    seat = guardians.guarded(node, session.actor.account, ward).seat
    if known is None:
        raise NotFound("There is nothing like that.")
    digest = node.contracts.accounts.freeze_digest(
        account=ward, nonce=known.guardian_nonce, deadline=until_seconds
    )
    said = {
        "account": ward,
        "deadline": until_seconds,
        "nonce": known.guardian_nonce,
        "salt": seat.salt,
        "index": seat.index,
        "path": list(seat.path),
        "signature": session.key.sign(digest),
    }
    return _START + base64.urlsafe_b64encode(cbor.encode(said)).decode()


def freeze(node: Node, signed: Sequence[str], *, dry: bool = False) -> tuple[bytes, int, int]:
    """Freeze the account that guardians signed for: which, how many signed, how many it takes.

    ``dry`` leaves nothing; the contract checks all of it and says what it would do. Raises Invalid
    for texts that are none or of several accounts or times, NotFound for an unknown account, and
    what the contract refuses with.
    """
    accounts = node.contracts.accounts
    said = [_read(text) for text in dict.fromkeys(signed)]
    if len({(one["account"], one["deadline"], one["nonce"]) for one in said}) != 1:
        raise Invalid("They did not sign the same.", advice="Sign with one and the same --until.")
    account, deadline, nonce = (said[0][name] for name in ("account", "deadline", "nonce"))
    known = accounts.account(account)
    if known is None:
        raise NotFound("There is nothing like that.")
    digest = accounts.freeze_digest(account=account, nonce=nonce, deadline=deadline)
    by = {recover(digest, one["signature"]): one for one in said}
    proofs = [
        GuardianProof(one["salt"], one["index"], tuple(one["path"]), one["signature"])
        for _, one in sorted(by.items())
    ]
    if dry:
        accounts.try_freeze(account=account, deadline=deadline, proofs=proofs)
    else:
        node.agent.transact(accounts.freeze(account=account, deadline=deadline, proofs=proofs))
    return account, len(proofs), known.guardian_threshold


def _read(text: str) -> dict[str, Any]:
    wrong = Invalid("That is not what a guardian signed.")
    try:
        said: Any = cbor.decode(base64.urlsafe_b64decode(text.strip().removeprefix(_START)))
    except (ValueError, SimdesError) as error:
        raise wrong from error
    kinds = {"account": bytes, "deadline": int, "nonce": int, "salt": bytes, "index": int}
    kinds |= {"path": list, "signature": bytes}
    if not isinstance(said, dict) or set(said) != set(kinds):
        raise wrong
    if not all(isinstance(said[name], kind) for name, kind in kinds.items()):
        raise wrong
    return said
