"""Enrolment: accounts for people, and the vault that becomes the patient's (paper, "user
registration").

An administrator registers and verifies; nobody verifies themselves. A patient known from a feed has
a provisional vault: with the patient's own signature and two organisations' word that identity was
checked, it becomes theirs, once and for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.access import accounts
from simdes.access import vaults as vault_access
from simdes.access.attestations import Decision
from simdes.access.categories import Role
from simdes.access.keystore import Person
from simdes.crypto.keys import SigningKey
from simdes.errors import Conflict, Forbidden, NotFound, Unavailable
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import vaults
from simdes.index.vaults import Identifier

CLAIM_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A patient who controls a vault."""

    person: Person
    vault: bytes


def add_person(
    node: Node, administrator: Session, user: str, *, role: Role, passphrase: str, display: str = ""
) -> Person:
    """Register a person's account here and verify it, as an administrator of this organisation.

    Continues where an earlier try stopped. Raises Forbidden unless the session is an
    administrator's, Conflict when the user name is taken by somebody in another role.
    """
    require_administrator(administrator)
    keystore, contracts = node.desk.keystore, node.contracts
    known = next((one for one in keystore.people() if one.user == user), None)
    if known is None:
        known = accounts.register_person(
            keystore,
            contracts,
            node.agent,
            user,
            role=role,
            passphrase=passphrase,
            random=node.random,
            display=display,
        )
    elif known.role != role:
        raise Conflict("The user name is taken.", advice="Choose another user name.")
    else:
        accounts.resume_registration(keystore, contracts, node.agent, known)
    standing = contracts.accounts.standing(known.address)
    if standing is None or not standing.active:
        accounts.verify_account(contracts, node.lane(administrator.key), known.account)
    return known


def suspend_person(node: Node, administrator: Session, user: str) -> Person:
    """Suspend a person's account: from the next block on it can do nothing but revoke."""
    require_administrator(administrator)
    person = node.desk.keystore.person(user)
    accounts.suspend_account(node.contracts, node.lane(administrator.key), person.account)
    return person


def trust_checks(
    node: Node, administrator: Session, *, checked_by: bytes, valid_seconds: int
) -> Decision:
    """Decide, as an administrator, to attest for patients whose identity another organisation
    checked; every attestation under it is audited."""
    return node.desk.attestations.decide(
        administrator.key,
        node.contracts,
        until_seconds=node.now_seconds() + valid_seconds,
        checked_by=checked_by,
    )


def find_vault(node: Node, identifiers: Sequence[tuple[str, str]]) -> bytes:
    """Return the tag of the vault of a patient known here by one of these identifiers.

    Raises NotFound for a patient unknown here, Conflict where they belong to several.
    """
    asked = [Identifier(system, value) for system, value in identifiers]
    asked = [one for one in asked if not one.is_reserved]
    with node.database.read() as tx:
        tags = set(vaults.find_many(tx, asked).values())
    if not tags:
        raise NotFound("No patient here has this identifier.")
    if len(tags) > 1:
        raise Conflict("The identifiers belong to different patients here.")
    return tags.pop()


def enrol(
    node: Node,
    administrator: Session,
    user: str,
    *,
    vault: bytes,
    passphrase: str,
    display: str = "",
    attesters: Sequence[bytes] | None = None,
) -> Enrolled:
    """Give a patient an account here and make the provisional vault theirs.

    The administrator has seen the person and their papers. ``attesters`` are organisations asked,
    in order, for the second attestation (default: every other custodian of the vault). Raises
    Conflict when the vault is somebody's already, Forbidden when nobody else attests, Unavailable
    while the vault is not open yet.
    """
    known = node.contracts.accounts.vault(vault)
    if known is None:
        raise Unavailable("The vault is not open on the network yet.")
    person = add_person(
        node,
        administrator,
        user,
        role=Role.PATIENT,
        passphrase=passphrase,
        display=display,
    )
    if known.control not in (None, person.account):
        raise Conflict("The vault belongs to an enrolled patient already.")
    if known.control is None:
        deadline = node.now_seconds() + CLAIM_SECONDS
        signed = attested(node, person.account, vault, deadline, attesters=attesters)
        key = node.desk.keystore.unlock_person(user, passphrase)
        claim(node, person, key, vault, deadline, signed)
    with node.database.transaction() as tx:
        vaults.set_control(tx, vault, person.account)
    return Enrolled(person, vault)


def require_administrator(session: Session) -> None:
    """Say it clearly before the contract does; the contract decides."""
    if session.actor.role != Role.ADMINISTRATOR:
        raise Forbidden("This needs an administrator of the organisation.")


def _attesters(node: Node, vault: bytes, chosen: Sequence[bytes] | None) -> list[bytes]:
    if chosen is not None:
        return list(chosen)
    custodians = node.desk.directory.vault(vault).custodians
    return [one.organisation for one in custodians if one.organisation != node.organisation]


def attested(
    node: Node,
    account: bytes,
    vault: bytes,
    deadline: int,
    *,
    attesters: Sequence[bytes] | None = None,
) -> tuple[bytes, bytes]:
    """Two organisations' word, until a time, that a vault is this account's; ours is the first.

    An administrator of ours has seen the person and their papers. Raises as `enrol`.
    """
    own = vault_access.attest_here(
        node.desk.keystore,
        node.contracts,
        tag=vault,
        account=account,
        deadline_seconds=deadline,
    )
    asked = _attesters(node, vault, attesters)
    return own, _second_attestation(node, account, vault, asked, deadline)


def claim(
    node: Node,
    person: Person,
    key: SigningKey,
    vault: bytes,
    deadline: int,
    attestations: Sequence[bytes],
) -> None:
    """Make a vault a person's whose key is open, by what `attested` gave. Raises Conflict where it
    is somebody's already, Forbidden where an attestation does not count."""
    vault_access.claim(
        node.contracts,
        node.agent,
        key,
        tag=vault,
        account=person.account,
        deadline_seconds=deadline,
        attestations=attestations,
    )


def _second_attestation(
    node: Node, account: bytes, vault: bytes, attesters: Sequence[bytes], deadline: int
) -> bytes:
    last: Forbidden | Unavailable = Forbidden(
        "A vault is claimed with the attestations of two organisations; no other was asked."
    )
    for organisation in attesters:
        try:
            return vault_access.ask_attestation(
                node.agent_caller(),
                organisation,
                tag=vault,
                account=account,
                deadline_seconds=deadline,
            )
        except (Forbidden, Unavailable) as error:
            last = error
    raise last
