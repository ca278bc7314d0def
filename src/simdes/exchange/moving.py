"""A patient's account moves from a key that is kept here to a wallet of their own, or from there
on to another one.

The wallet shows that it is there by signing typed data that binds account, organisation, chain and
a deadline, so that no mistyped address locks anybody out. Then the key that is kept here asks the
ledger for the rotation, which waits for the network's delay, can be called off meanwhile, and is
completed like any other (`recovering.tend`): from then on the key is nowhere here. What guards the
account stays; the vault's control is the account, so consents stay, too. Where a wallet keeps the
account already, that one signs the rotation in the place of a key that is kept here, and calls it
off (`owners`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from simdes import typed_numbers
from simdes.access.categories import Role
from simdes.errors import Conflict, Forbidden, Invalid, NotFound
from simdes.exchange import guardians, owners, recovering
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.exchange.wallet_signatures import SIGN_SECONDS, signer, with_usual_v
from simdes.exchange.wallets import count
from simdes.ledger.accounts import PendingKey
from simdes.ledger.typed_data import TypedData

_BROKEN: Final = "That is no request for a wallet to take over an account."
_PATIENTS: Final = "Only patients' accounts move to a wallet."


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What somebody should know before their account moves: how long it waits, whether guardians
    could let a new key in, whom they guard themselves and would not any more, what waits."""

    delay_seconds: int
    guarded: bool
    wards: int
    waiting: PendingKey | None


@dataclass(frozen=True, slots=True)
class Signed:
    """A wallet's signature, and until when what it signed is worth something."""

    deadline: int
    signature: bytes


def standing(node: Node, session: Session) -> Standing:
    """Look before moving. Raises Forbidden for somebody who is no patient."""
    _require_patient(session)
    account, accounts = session.actor.account, node.contracts.accounts
    known = accounts.account(account)
    return Standing(
        delay_seconds=accounts.delay_seconds(),
        guarded=known is not None and known.guardian_count > 0,
        wards=len(guardians.wards(node, account)),
        waiting=recovering.waiting_wallet(node, account),
    )


def prepare(node: Node, session: Session, wallet: bytes) -> TypedData:
    """What a wallet signs to take over the account.

    Raises Forbidden for somebody who is no patient or may not act, Conflict for a wallet that has
    an account, an account that a wallet keeps already where the session is not the wallet's, or
    where another key waits for it, Unsupported on a network that takes no such word of a wallet.
    """
    _require_free(node, session, wallet)
    if session.wallet is not None:
        node.contracts.accounts.owner_nonce(session.actor.account)  # before anybody signs anything
    return _data(node, session, wallet, node.now_seconds() + SIGN_SECONDS)


def move(
    node: Node, session: Session, wallet: bytes, *, deadline: int, signature: bytes
) -> PendingKey:
    """Ask the ledger for the wallet in the place of the key that is kept here; when it counts.

    Raises as `prepare`, Forbidden where the signature is not the wallet's, Invalid where its time
    is over.
    """
    prove(node, session, wallet, Signed(deadline, signature))
    recovering.rotate_to(node, session, wallet, b"")
    return _asked_for(node, session)


def prove(node: Node, session: Session, wallet: bytes, said: Signed) -> None:
    """Hold a signature against the address that takes over. Raises as `move`."""
    _require_free(node, session, wallet)
    owners.require_in_time(node, said.deadline)
    digest = _data(node, session, wallet, said.deadline).digest
    if signer(digest, with_usual_v(said.signature)) != wallet:
        raise Forbidden(
            "This is not a signature of that wallet, or not of this.",
            advice="Sign with the wallet of the address; a wallet that is a contract can't be one.",
        )


def to_move_on(
    node: Node, session: Session, wallet: bytes, proof: Signed, *, deadline: int | None = None
) -> TypedData:
    """What the wallet that keeps the account signs so that another one, which showed that it is
    there, takes over. Raises as `move`."""
    prove(node, session, wallet, proof)
    account, accounts = session.actor.account, node.contracts.accounts
    return accounts.owner_data(
        owners.MOVE_ON,
        account=account,
        key=wallet,
        nonce=accounts.owner_nonce(account),
        deadline=node.now_seconds() + SIGN_SECONDS if deadline is None else deadline,
    )


def move_on(
    node: Node, session: Session, wallet: bytes, *, proof: Signed, own: Signed
) -> PendingKey:
    """Ask the ledger for another wallet in the place of the one that keeps the account.

    Raises as `move` for either signature, TooLarge where there were too many of this wallet's.
    """
    owners.require_in_time(node, own.deadline)
    account = session.actor.account
    data = to_move_on(node, session, wallet, proof, deadline=own.deadline)
    call = owners.signed_call(node, account, data, own.signature)
    count(node, account)

    def relay() -> None:
        node.agent.transact(call)

    recovering.rotate_by(node, account, wallet, b"", relay)
    return _asked_for(node, session)


def _asked_for(node: Node, session: Session) -> PendingKey:
    waiting = recovering.waiting_wallet(node, session.actor.account)
    if waiting is None:
        raise Conflict("Another key was asked for meanwhile.", advice="Look what waits now.")
    return waiting


def written(data: TypedData) -> str:
    """What a wallet signs, as JSON to be carried to it."""
    return json.dumps({"type": "wallet-move", "v": 1, "typedData": data.document()})


def read(text: str) -> tuple[bytes, int]:
    """The wallet and the deadline of what `written` wrote; Invalid for anything else.

    Nothing else of it is believed: what must be signed follows from who asks.
    """
    try:
        handed = json.loads(text)
        if (handed["type"], handed["v"]) != ("wallet-move", 1):
            raise Invalid(_BROKEN)
        said = handed["typedData"]["message"]
        wallet, deadline = typed_numbers.octets(said["wallet"], 20), int(said["deadline"])
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise Invalid(_BROKEN) from None
    if wallet is None:
        raise Invalid(_BROKEN)
    return wallet, deadline


def call_off(node: Node, session: Session) -> None:
    """Keep the key that is here. Raises Conflict where no wallet waits."""
    if recovering.waiting_wallet(node, session.actor.account) is None:
        raise Conflict("No wallet waits for your account.")
    recovering.cancel_rotation(node, session)


def _data(node: Node, session: Session, wallet: bytes, deadline: int) -> TypedData:
    return node.contracts.accounts.move_account_data(
        account=session.actor.account,
        organisation=node.organisation,
        wallet=wallet,
        deadline=deadline,
    )


def _require_patient(session: Session) -> None:
    if session.actor.role != Role.PATIENT:
        raise Forbidden(_PATIENTS)


def _require_free(node: Node, session: Session, wallet: bytes) -> None:
    _require_patient(session)
    account, accounts = session.actor.account, node.contracts.accounts
    person = node.desk.keystore.person_of(account)
    if person is None:
        raise NotFound("The account is not hosted here any more.")
    if person.wallet and session.wallet is None:
        raise Conflict("A wallet keeps your account already.")
    known = accounts.standing(person.address)
    if known is None or not known.active:
        raise Forbidden("The account is suspended or frozen.")
    holder = accounts.holder_of(wallet)
    if holder == account:
        raise Conflict("This is a key that your account has or had.", advice="Take another wallet.")
    if holder is not None or not any(wallet):
        raise Conflict("The wallet has an account already.", advice="Take another address.")
    if accounts.pending_rotation(account) is not None:
        raise Conflict("A new key waits for your account already.", advice="Call it off first.")
    if accounts.pending_recovery(account) is not None:
        raise Conflict(
            "Somebody asked for a new key to your account.",
            advice="Stop it first, if it was not you.",
        )
