"""A patient's own wallet: their vault's control key lies with them, and no gateway ever has it.

What a control key signs is prepared here in words and as EIP-712 typed data, signed by the wallet
wherever it is, and relayed by any organisation: whoever relays pays no fee and can change nothing
(https://eips.ethereum.org/EIPS/eip-712, ``eth_signTypedData_v4``). A request carries the terms that
its commitment hides, so that words and typed data can be held against one another by anybody.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

from simdes.access import accounts, attempts, consent
from simdes.access.categories import Category, Label, Purpose, Role, State, mask
from simdes.access.consent import Consent, Grantee
from simdes.access.fetching import letter_keys
from simdes.access.keystore import Person
from simdes.crypto.keys import recover
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, Tampered, TooLarge
from simdes.exchange import consents, enrolment
from simdes.exchange.consents import Given
from simdes.exchange.following import KnownConsent
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.ledger.consents import Permit
from simdes.ledger.lane import Call
from simdes.ledger.terms import ZERO20, ZERO32, GranteeKind, Terms
from simdes.ledger.typed_data import TypedData
from simdes.storage.cid import cid_of_digest

SIGN_SECONDS: Final = 1_800
"""How long the owner of a wallet has to look at a request and sign it."""
MOST_BYTES: Final = 16 * 1024
CLAIM, GRANT, REVOKE, REVOKE_ALL = "ClaimVault", "Grant", "Revoke", "RevokeAll"
_LETTER_BYTES: Final = 256 * 1024
"""Far more than terms without a list of records take, sealed to all custodians that a vault has."""
_LAST_SECOND: Final = 253_402_300_799
"""Of the year 9999; later ends of a consent can't be told as a day."""
_BROKEN: Final = "That is no request for a wallet."
_ANEW: Final = "Have it prepared anew, by an organisation of this network."


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a wallet is asked to sign; ``drafted`` with a grant, ``attestations`` with a claim.

    ``listed``: a key of ours opened the letter that a grant points at, and it says the same terms,
    so that the consent will stand in the vault's list of consents.
    """

    data: TypedData
    drafted: Consent | None = None
    attestations: tuple[bytes, ...] = ()
    listed: bool = False

    @property
    def verb(self) -> str:
        """What it does: one of the four names above."""
        return self.data.primary

    @property
    def message(self) -> dict[str, Any]:
        """The signed values by name."""
        names = [name for _, name in self.data.members]
        return dict(zip(names, self.data.values, strict=True))

    @property
    def vault(self) -> bytes:
        """The vault that it is about."""
        return bytes(self.message["tag"])


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
    node: Node,
    *,
    vault: bytes,
    grantee: Grantee,
    categories: Sequence[str],
    purposes: Sequence[str],
    valid_seconds: int,
    labels: Sequence[str] = (),
) -> Request:
    """Ask a wallet to let a grantee read these categories. Raises as `consents.grant`."""
    _require_wallet(node, vault)
    now = node.now_seconds()
    drafted = consent.draft(
        vault,
        grantee,
        categories=categories,
        purposes=purposes,
        not_before_seconds=now,
        expiry_seconds=now + valid_seconds,
        random=node.random,
        labels=labels,
    )
    what = consents.sealed(node, drafted)
    data = node.contracts.consents.grant_data(**what, **_once(node))
    return Request(data=data, drafted=drafted, listed=True)


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


# Carrying over -----------------------------------------------------------------------------------


def written(request: Request) -> str:
    """A request as JSON, for its owner to look at and sign."""
    more: dict[str, Any] = {}
    if request.drafted is not None:
        terms = asdict(request.drafted.terms)
        more = {"terms": {name: _text(one) for name, one in terms.items()}}
        more["salt"] = _text(request.drafted.salt)
    if request.attestations:
        more["attestations"] = [_text(one) for one in request.attestations]
    head = {"type": "wallet-request", "v": 1, "typedData": request.data.document()}
    return json.dumps(head | more)


def read(node: Node, text: str) -> Request:
    """A request that somebody hands in.

    Raises Invalid for what is none, or is for another chain or contract, or is a grant whose sealed
    terms nobody has, Tampered where the terms are not those that would be signed.
    """
    if len(text) > MOST_BYTES:
        raise Invalid(_BROKEN)
    try:
        handed = json.loads(text)
        request = _read(node, handed)
        named = request.data.document()
        request.data.digest  # noqa: B018 (raises where a value doesn't fit its type)
        _require_sayable(node, request)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise Invalid(_BROKEN) from None
    if named != handed["typedData"]:
        raise Invalid(
            "The request is for another network, or was changed.",
            advice=_ANEW,
        )
    return replace(request, listed=_is_listed(node, request))


def _read(node: Node, handed: Mapping[str, Any]) -> Request:
    if (handed["type"], handed["v"]) != ("wallet-request", 1):
        raise Invalid(_BROKEN)
    document = handed["typedData"]
    message = {name: _value(one) for name, one in document["message"].items()}
    data = _DATA[document["primaryType"]](node)(**message)
    drafted = _drafted(handed, message) if data.primary == GRANT else None
    attestations = tuple(bytes.fromhex(one[2:]) for one in handed.get("attestations", ()))
    return Request(data=data, drafted=drafted, attestations=attestations)


def _require_sayable(node: Node, request: Request) -> None:
    """Raise unless the words for it are those of what is signed, and there are words at all."""
    if request.message["deadline"] > node.now_seconds() + 86_400:
        raise Invalid(_BROKEN)
    if request.drafted is None:
        return
    if request.drafted.commitment != request.message["commitment"]:
        raise Tampered("The terms are not those that would be signed.")
    given(node, request)
    if not _is_plain(request.drafted.terms):
        raise Invalid(_BROKEN)


def _is_listed(node: Node, request: Request) -> bool:
    """Whether a key of ours opens the letter of a grant, to the same terms.

    Without a letter a grant would work for a grantee who holds its terms, and the patient, who
    reads of their consents in letters, would find it in no list.
    """
    if request.drafted is None:
        return False
    said = request.message
    try:
        letter = node.store.get(cid_of_digest(said["pointer"]), most_bytes=_LETTER_BYTES)
    except (NotFound, TooLarge):
        raise Invalid("The sealed terms of the grant are nowhere.", advice=_ANEW) from None
    sealed = consent.open_terms(letter, letter_keys(node.desk.keystore, node.database, said["tag"]))
    if sealed is None:
        return False
    consent.check_terms(
        sealed, vault=said["tag"], handle=said["handle"], committed=said["commitment"]
    )
    return True


def _is_plain(terms: Terms) -> bool:
    """Whether words tell all of the terms: nothing hides in a bit or a member that they leave out.

    A role beside a whole organisation, say, would be told and not be so.
    """
    by_role = terms.grantee_kind == GranteeKind.ROLE_IN_ORGANISATION
    known = ((terms.categories, Category), (terms.labels, Label), (terms.purposes, Purpose))
    return (
        terms.grantee_kind in set(GranteeKind)
        and (terms.grantee_role != 0) is by_role
        and not any(bits & ~mask(names) for bits, names in known)
        and (terms.records, terms.condition) == (ZERO32, ZERO20)
        and terms.not_before < terms.expiry <= _LAST_SECOND
    )


def given(node: Node, request: Request) -> Given:
    """The consent that a request would grant, as its patient reads it. NotFound for other ones."""
    if request.drafted is None:
        raise NotFound("The request grants nothing.")
    return consents.given_as(node, KnownConsent(request.drafted, active=True))


def send(node: Node, request: Request, signature: bytes) -> None:
    """Relay what a wallet signed, effective with the block that holds the transaction.

    Raises Forbidden where the signature is not of the vault's wallet or is of something else,
    Conflict where it was relayed before, TooLarge where there were too many of this wallet's,
    and what else the contract refuses.
    """
    signed = with_usual_v(signature)
    account = request.message["account"] if request.verb == CLAIM else _control(node, request.vault)
    known = node.contracts.accounts.account(account)
    if known is None or _signer(request, signed) != known.key:
        raise Forbidden(
            "This is not a signature of the wallet that controls the vault, or not of this.",
            advice="Sign just this request, with the wallet that the vault belongs to.",
        )
    if request.verb in (CLAIM, GRANT):
        _count(node, account)
    node.agent.transact(_call(node, request, signed))


def _count(node: Node, account: bytes) -> None:
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

_DATA: Final[Mapping[str, Callable[[Node], Callable[..., TypedData]]]] = {
    CLAIM: lambda node: node.contracts.accounts.claim_vault_data,
    GRANT: lambda node: node.contracts.consents.grant_data,
    REVOKE: lambda node: node.contracts.consents.revoke_data,
    REVOKE_ALL: lambda node: node.contracts.consents.revoke_all_data,
}
"""How each is put together again from its values, for our own chain and contracts."""


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


def _signer(request: Request, signature: bytes) -> bytes | None:
    try:
        return recover(request.data.digest, signature)
    except Tampered:
        return None


def with_usual_v(signature: bytes) -> bytes:
    """Some wallets write v as 0 or 1, where the contract takes 27 or 28."""
    if len(signature) == 65 and signature[64] in (0, 1):
        return signature[:64] + bytes((signature[64] + 27,))
    return signature


def _drafted(given: Mapping[str, Any], message: Mapping[str, Any]) -> Consent:
    names = {field.name for field in fields(Terms)}
    values: dict[str, Any] = {name: _value(one) for name, one in given["terms"].items()}
    if set(values) != names:
        raise Invalid(_BROKEN)
    salt = _value(given["salt"])
    if not isinstance(salt, bytes):
        raise Invalid(_BROKEN)
    return Consent(message["tag"], message["handle"], Terms(**values), salt)


def _text(value: bytes | int) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def _value(text: str) -> bytes | int:
    return bytes.fromhex(text[2:]) if text.startswith("0x") else int(text)
