"""Grant and revoke: the patient's consent becomes contract state (paper, "Permission management").

The vault's control key signs (EIP-712) and an organisation relays: whoever relays pays no fee, can
change nothing, and must relay a revocation. The terms travel sealed to the grantee's organisation,
the vault's custodians and the patient's own gateway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict, Unpack

from simdes.access import consent
from simdes.access.categories import Category, Label, Purpose, Role, members
from simdes.access.consent import Consent, Grantee
from simdes.crypto.digest import sha256
from simdes.errors import Forbidden, NotFound
from simdes.exchange.following import KnownConsent, known_consents
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import chain, contents
from simdes.ledger.consents import Permit
from simdes.ledger.terms import ZERO20, GranteeKind, Terms

Named = Callable[[bytes, bytes], bytes]
"""Makes what a consent hangs on of its handle and salt."""
HANGS_ON = ("prescription", "claim", "study", "other")
"""What a consent's condition is of: something of one of these has to be open."""
SIGNATURE_SECONDS = 600
"""How long a signature may sit with a relay before it is worthless."""


class What(TypedDict):
    """What is granted from now on, whoever signs it: what a verb says, a key of ours or a wallet
    signs.

    ``records``: of these ids alone. ``while_open``: as long as a contract (address) says that an id
    is open, if not longer; the id may be made of the consent's handle and salt.
    """

    vault: bytes
    grantee: Grantee
    categories: Sequence[str]
    purposes: Sequence[str]
    valid_seconds: int
    labels: NotRequired[Sequence[str]]
    records: NotRequired[Sequence[bytes]]
    while_open: NotRequired[tuple[bytes, bytes | Named]]


def grant(node: Node, session: Session, **what: Unpack[What]) -> Consent:
    """Let a grantee read these categories for these purposes, from now on for ``valid_seconds``.

    Raises Invalid for unknown names, NotFound for an unknown vault or grantee, Forbidden where the
    session's account does not control the vault.
    """
    require_control(node, session, what["vault"])
    drafted = draft(node, **what)
    letter = sealed(node, drafted)
    keep_letter(node, letter)
    said = said_of(node, drafted, letter)
    consents = node.contracts.consents
    permit = _permit(
        node,
        session,
        lambda nonce, deadline: consents.grant_digest(**said, nonce=nonce, deadline=deadline),
    )
    node.agent.transact(consents.grant_by_signature(**said, permit=permit))
    return drafted


def draft(node: Node, **what: Unpack[What]) -> Consent:
    """Draft a consent from now on. Raises Invalid for unknown names."""
    now, condition = node.now_seconds(), what.get("while_open")
    return consent.draft(
        what["vault"],
        what["grantee"],
        categories=what["categories"],
        purposes=what["purposes"],
        not_before_seconds=now,
        expiry_seconds=now + what["valid_seconds"],
        random=node.random,
        labels=what.get("labels", ()),
        records=what.get("records", ()),
        **({} if condition is None else _condition(*condition)),
    )


def sealed(node: Node, drafted: Consent) -> bytes:
    """Seal a consent's terms to who must know: the letter that its grant points at."""
    return consent.seal_terms(drafted, _readers(node, drafted), random=node.random)


def said_of(node: Node, drafted: Consent, letter: bytes) -> dict[str, Any]:
    """What a grant of a consent says on chain, but for nonce and deadline."""
    return {
        "tag": drafted.vault,
        "handle": drafted.handle,
        "commitment": drafted.commitment,
        "pointer": sha256(letter),
        "generation": node.contracts.consents.generation(drafted.vault),
    }


def keep_letter(node: Node, letter: bytes) -> None:
    """Store sealed terms for good, before the chain points at them."""
    stored = (node.store.put(letter), contents.LETTER, None)
    node.database.write(lambda tx: contents.add(tx, [stored], now_ms=node.now_ms()))


def _condition(contract: bytes, id_: bytes | Named) -> dict[str, Any]:
    return {"condition": contract, "condition_id": id_}


def revoke(node: Node, session: Session, *, vault: bytes, handle: bytes) -> None:
    """Withdraw one consent, effective with the block that holds the transaction."""
    require_control(node, session, vault)
    consents = node.contracts.consents
    permit = _permit(
        node,
        session,
        lambda nonce, deadline: consents.revoke_digest(
            tag=vault, handle=handle, nonce=nonce, deadline=deadline
        ),
    )
    node.agent.transact(consents.revoke_by_signature(tag=vault, handle=handle, permit=permit))


def revoke_all(node: Node, session: Session, *, vault: bytes) -> None:
    """Withdraw every consent of a vault at once, those still on their way included."""
    require_control(node, session, vault)
    consents = node.contracts.consents
    generation = consents.generation(vault)
    permit = _permit(
        node,
        session,
        lambda nonce, deadline: consents.revoke_all_digest(
            tag=vault, generation=generation, nonce=nonce, deadline=deadline
        ),
    )
    node.agent.transact(
        consents.revoke_all_by_signature(tag=vault, generation=generation, permit=permit)
    )


def _permit(node: Node, session: Session, digest: Callable[[int, int], bytes]) -> Permit:
    """Sign what ``digest`` gives for a fresh nonce and a deadline."""
    nonce = int.from_bytes(node.random(31), "big")
    deadline = node.now_seconds() + SIGNATURE_SECONDS
    return Permit(nonce, deadline, session.key.sign(digest(nonce, deadline)))


def require_control(node: Node, session: Session, vault: bytes) -> None:
    """Say it clearly before the contract does; the contract decides."""
    known = node.contracts.accounts.vault(vault)
    if known is None:
        raise NotFound("The network knows no such vault.")
    if known.control != session.actor.account:
        raise Forbidden(
            "This account does not control the vault.",
            advice="Sign in as the patient, or enrol the patient first.",
        )


def _readers(node: Node, drafted: Consent) -> list[bytes]:
    """The public keys the terms are sealed to, each once."""
    directory = node.desk.directory
    custodians = directory.vault(drafted.vault).custodians
    organisations = {_organisation_of(node, drafted.terms), node.organisation}
    keys = [custodian.public for custodian in custodians]
    keys += [directory.organisation(one).public for one in sorted(organisations)]
    return list(dict.fromkeys(keys))


def _organisation_of(node: Node, terms: Terms) -> bytes:
    """The organisation whose gateway acts for the grantee."""
    if terms.grantee_kind != GranteeKind.ACCOUNT:
        return terms.grantee
    account = node.contracts.accounts.account(terms.grantee)
    if account is None:
        raise NotFound("The network knows no such account.")
    return account.organisation


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A consent as its patient reads it. ``state`` is active, expired or withdrawn; ``role`` is ""
    and ``account`` None unless the consent names one. ``records``: how many single records it is
    about, 0 for all; ``while_open``: what has to be open besides (`HANGS_ON`), "" for nothing."""

    handle: bytes
    organisation: bytes
    account: bytes | None
    role: str
    categories: tuple[str, ...]
    labels: tuple[str, ...]
    purposes: tuple[str, ...]
    not_before_seconds: int
    expiry_seconds: int
    state: str
    records: int = 0
    while_open: str = ""


def listed(node: Node, vault: bytes) -> list[Given]:
    """Every consent of a vault whose terms are known here, oldest first."""
    node.following.catch_up()
    return [given_as(node, one) for one in known_consents(node.desk, vault)]


def whom(organisation: bytes, role: str = "") -> Grantee:
    """Whom a consent names: a role in an organisation, or without one everybody there."""
    return Grantee.role_in(organisation, role) if role else Grantee.organisation(organisation)


def vaults_of(node: Node, session: Session) -> list[bytes]:
    """The vaults that the session's account controls, oldest first."""
    node.following.catch_up()
    with node.database.read() as tx:
        return [one.tag for one in chain.vaults_of(tx, session.actor.account)]


def is_account(node: Node, text: str) -> bool:
    """Whether a text is the id of an account that the network knows."""
    digits = text.removeprefix("0x")
    if len(digits) != 64:
        return False
    return node.contracts.accounts.account(bytes.fromhex(digits)) is not None


def given_as(node: Node, one: KnownConsent) -> Given:
    """A consent as its patient reads it."""
    terms = one.consent.terms
    account = terms.grantee if terms.grantee_kind == GranteeKind.ACCOUNT else None
    expired = terms.expiry <= node.now_seconds()
    return Given(
        handle=one.consent.handle,
        organisation=_organisation_of(node, terms),
        account=account,
        role=Role(terms.grantee_role).name.lower() if terms.grantee_role else "",
        categories=tuple(Category(bit).label for bit in members(terms.categories, Category)),
        labels=tuple(bit.name for bit in members(terms.labels, Label)),
        purposes=tuple(bit.name for bit in members(terms.purposes, Purpose)),
        not_before_seconds=terms.not_before,
        expiry_seconds=terms.expiry,
        state="withdrawn" if not one.active else "expired" if expired else "active",
        records=len(one.consent.listed),
        while_open="" if terms.condition == ZERO20 else _hangs_on(node, terms.condition),
    )


def _hangs_on(node: Node, condition: bytes) -> str:
    addresses = node.contracts.addresses
    known = (addresses.prescriptions, addresses.claims, addresses.studies)
    return dict(zip(known, HANGS_ON, strict=False)).get(condition, HANGS_ON[-1])
