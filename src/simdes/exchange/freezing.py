"""Guardians freeze an account at once, when its key is in somebody else's hands.

Enough of them sign the same until; whoever has what they signed brings it to the ledger. A frozen
account does nothing until it is recovered to a new key (`exchange.recovering`).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Final

from simdes.crypto import cbor
from simdes.crypto.keys import recover
from simdes.errors import Invalid, NotFound, SimdesError
from simdes.exchange.guardians import wards
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.ledger.accounts import GuardianProof

LASTING_SECONDS: Final = 86_400
"""For how long what guardians signed is good, where they name no other time."""
_START: Final = "freeze:"


def sign(node: Node, session: Session, ward: bytes, *, until_seconds: int) -> str:
    """What one guardian signs to freeze a ward's account, as text to hand on.

    Raises NotFound for somebody whom the guardian does not guard, Invalid for a time that is over.
    """
    if until_seconds <= node.now_seconds():
        raise Invalid("The time is over.")
    known = node.contracts.accounts.account(ward)
    listed = wards(node, session.actor.account)
    seat = next((one.seat for one in listed if one.account == ward and not one.waiting), None)
    if seat is None or known is None:
        raise NotFound("You are no guardian of this account, or not yet.")
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
