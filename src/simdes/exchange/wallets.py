"""A patient's own wallet: their vault's control key lies with them, and no gateway ever has it.

What a control key signs is prepared here in words and as EIP-712 typed data, signed by the wallet
wherever it is, and relayed by any organisation: whoever relays pays no fee and can change nothing
(https://eips.ethereum.org/EIPS/eip-712, ``eth_signTypedData_v4``). A request carries the terms that
its commitment hides, so that words and typed data can be held against one another by anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

from simdes.access import accounts, attempts
from simdes.access.categories import Role, State
from simdes.access.keystore import Person
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from simdes.exchange import consents, enrolment, meanings
from simdes.exchange.consents import What
from simdes.exchange.meanings import Named
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.exchange.signin import Session
from simdes.exchange.wallet_requests import (
    CLAIM,
    GRANT,
    MOST_BYTES,
    REVOKE,
    REVOKE_ALL,
    Request,
    given,
    read,
    written,
)
from simdes.exchange.wallet_signatures import SIGN_SECONDS, signer, with_usual_v
from simdes.ledger.consents import Permit
from simdes.ledger.lane import Call

__all__ = [
    "CLAIM",
    "GRANT",
    "MOST_BYTES",
    "REVOKE",
    "REVOKE_ALL",
    "SIGN_SECONDS",
    "Request",
    "count",
    "enrol",
    "given",
    "grant",
    "read",
    "revoke",
    "revoke_all",
    "send",
    "written",
]

# Preparing ---------------------------------------------------------------------------------------


def enrol(
    node: Node,
    administrator: Session,
    address: bytes,
    *,
    vault: bytes,
    attesters: Sequence[bytes] | None = None,
    user: str = "",
    display: str = "",
) -> Request:
    """Register a patient's wallet as an account here, for a vault that it is to take.

    The administrator has seen the person and their papers. ``user`` is what they are known by here
    when they sign in with their wallet; without one they read by another account. Continues where
    an earlier try stopped. Raises Conflict for a wallet of somebody else's, a user name that is
    taken or a vault that has its patient, and as `enrolment.enrol`.
    """
    enrolment.require_administrator(administrator)
    known = node.contracts.accounts.vault(vault)
    if known is None:
        raise NotFound("The network knows no such vault.")
    if known.control is not None:
        raise Conflict("The vault belongs to an enrolled patient already.")
    if user:
        _require_free(node, address, user)
    account, pending = _registered(node, address)
    if user and node.desk.keystore.person_of(account) is None:
        person = Person(user, account, address, Role.PATIENT, display or user, wallet=True)
        node.desk.keystore.add_wallet(person)
    deadline = node.now_seconds() + enrolment.CLAIM_SECONDS
    signed = enrolment.attested(node, account, vault, deadline, attesters=attesters)
    if pending:
        accounts.verify_account(node.contracts, node.lane(administrator.key), account)
    data = node.contracts.accounts.claim_vault_data(tag=vault, account=account, deadline=deadline)
    return Request(data=data, attestations=signed)


def grant(
    node: Node, asking: Asking | None = None, about: Named | None = None, **what: Unpack[What]
) -> Request:
    """Ask a wallet to grant this; ``about``: what it hangs on, which is told to the patient, who
    asks.

    Nothing is stored before the wallet has signed. Raises as `consents.grant` and `meanings.find`,
    Invalid where it is more than a request can carry.
    """
    _require_wallet(node, what["vault"])
    drafted = consents.draft(node, **what)
    meaning = meanings.find(node, asking, drafted, about)
    letter = consents.sealed(node, drafted)
    said = consents.said_of(node, drafted, letter)
    data = node.contracts.consents.grant_data(**said, **_once(node))
    made = Request(data=data, drafted=drafted, letter=letter, meaning=meaning, listed=True)
    if len(written(made)) > MOST_BYTES:
        raise Invalid(
            "That is more than a wallet can be asked to sign at once.", advice="Choose less."
        )
    return made


def revoke(node: Node, *, vault: bytes, handle: bytes) -> Request:
    """Ask a wallet to withdraw one consent. Raises NotFound, Forbidden for a hosted control."""
    _require_wallet(node, vault)
    contract = node.contracts.consents
    return Request(data=contract.revoke_data(tag=vault, handle=handle, **_once(node)))


def revoke_all(node: Node, *, vault: bytes) -> Request:
    """Ask a wallet to withdraw everything. Raises NotFound.

    Strangers may ask: the answer doesn't say whose keys are kept here. A signature does not count
    that is not of the vault's control.
    """
    _control(node, vault)
    contract = node.contracts.consents
    generation = contract.generation(vault)
    return Request(data=contract.revoke_all_data(tag=vault, generation=generation, **_once(node)))


# Relaying ----------------------------------------------------------------------------------------


def send(node: Node, request: Request, signature: bytes) -> None:
    """Relay what a wallet signed, effective with the block that holds the transaction.

    Raises Forbidden where the signature is not of the vault's wallet or is of something else,
    Conflict where it was relayed before, TooLarge where there were too many of this wallet's,
    and what else the contract refuses.
    """
    signed = with_usual_v(signature)
    account = request.message["account"] if request.verb == CLAIM else _control(node, request.vault)
    known = node.contracts.accounts.account(account)
    if known is None or signer(request.data.digest, signed) != known.key:
        raise Forbidden(
            "This is not a signature of the wallet that controls the vault, or not of this.",
            advice="Sign just this request, with the wallet that the vault belongs to.",
        )
    if request.verb in (CLAIM, GRANT):
        _require_new(node, request)
        count(node, account)
    if request.letter:
        consents.keep_letter(node, request.letter)
    node.agent.transact(_call(node, request, signed))


def _require_new(node: Node, request: Request) -> None:
    """Raise Conflict for what the ledger would not take again: signatures lie there for all to see,
    and whoever brings one again uses no turn of its owner's up."""
    said, contracts = request.message, node.contracts
    if request.verb == CLAIM:
        known = contracts.accounts.vault(request.vault)
        taken = known is not None and known.control is not None
    else:
        taken = contracts.consents.is_nonce_used(tag=request.vault, nonce=said["nonce"])
    if taken or said["deadline"] < node.now_seconds():
        raise Conflict("This was sent before, or too late.", advice="Begin again.")


def count(node: Node, account: bytes) -> None:
    """Count by the account what its wallet truly signed, so that no stranger uses another's turns
    up; withdrawals are not counted, for nothing may hold them up."""
    subjects = attempts.wallet_subjects(node.desk.keystore, account)
    try:
        node.database.write(lambda tx: attempts.count(tx, subjects, now_ms=node.now_ms()))
    except TooLarge as error:
        raise TooLarge("There were too many requests.", advice=error.advice) from None


def _call(node: Node, request: Request, signature: bytes) -> Call:
    said = request.message
    if request.verb == CLAIM:
        attested = request.attestations
        return node.contracts.accounts.set_vault(**said, signature=signature, attestations=attested)
    permit = Permit(said.pop("nonce"), said.pop("deadline"), signature)
    contract = node.contracts.consents
    relayed: Mapping[str, Callable[..., Call]] = {
        GRANT: contract.grant_by_signature,
        REVOKE: contract.revoke_by_signature,
        REVOKE_ALL: contract.revoke_all_by_signature,
    }
    return relayed[request.verb](**said, permit=permit)


# Steps -------------------------------------------------------------------------------------------


def _registered(node: Node, address: bytes) -> tuple[bytes, bool]:
    """The wallet's account here, and whether it is still to be verified."""
    contract = node.contracts.accounts
    account = contract.account_of(address)
    if account is None:
        account = node.random(32)
        node.agent.transact(
            contract.register(
                account=account,
                organisation=node.organisation,
                role=int(Role.PATIENT),
                key=address,
            )
        )
    standing = contract.standing(address)
    ours = standing is not None and standing.organisation == node.organisation
    if standing is None or not ours or standing.role != Role.PATIENT:
        raise Conflict("The wallet is somebody else's already.", advice="Take another address.")
    person = node.desk.keystore.person_of(account)
    if person is not None and not person.wallet:
        raise Conflict("The key is kept here, so it is no wallet of the patient's own.")
    if standing.account_state is State.SUSPENDED or standing.frozen:
        raise Conflict(
            "The wallet's account is suspended or frozen.",
            advice="Verify it again first, if that is right, or take another address.",
        )
    return account, standing.account_state is not State.VERIFIED


def _require_free(node: Node, address: bytes, user: str) -> None:
    """Say before anything is on the ledger that the wallet's owner can't be called so here."""
    accounts.check_user(user)
    for one in node.desk.keystore.people():
        if (one.user == user) is not (one.address == address):
            raise Conflict("The user name is taken.", advice="Choose another user name.")


def _control(node: Node, vault: bytes) -> bytes:
    known = node.contracts.accounts.vault(vault)
    if known is None or known.control is None:
        raise NotFound("The network knows no such vault of a patient.")
    return known.control


def _require_wallet(node: Node, vault: bytes) -> None:
    """Say early that a hosted key signs for itself; the contract takes either."""
    person = node.desk.keystore.person_of(_control(node, vault))
    if person is not None and not person.wallet:
        raise Forbidden(
            "The vault's key is kept here, under its patient's passphrase.",
            advice="Sign in as the patient.",
        )


def _once(node: Node) -> dict[str, Any]:
    nonce = int.from_bytes(node.random(31), "big")
    return {"nonce": nonce, "deadline": node.now_seconds() + SIGN_SECONDS}
