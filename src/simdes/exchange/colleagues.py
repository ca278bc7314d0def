"""The people of an organisation, for its administrators: who there is, verifying, suspending.

Names are in the key store alone, states on the ledger. Whoever is registered under the organisation
and hosted elsewhere (with a wallet of their own) has an account here and no name.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

from simdes.access import accounts
from simdes.access.categories import Role
from simdes.access.keystore import Person
from simdes.errors import Conflict, Invalid, NotFound
from simdes.exchange import enrolment
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import chain

STATES: Final = {chain.PENDING: "pending", chain.VERIFIED: "verified", chain.SUSPENDED: "suspended"}
UNREGISTERED: Final = "unregistered"
ROLES: Final = ("doctor", "nurse", "pharmacist", "insurer", "researcher", "administrator")
"""The roles that an administrator gives; patients are enrolled (`enrolment.enrol`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Colleague:
    """Somebody with an account; ``user`` is "" for who is not hosted here.

    ``state``: ``unregistered``, ``pending``, ``verified`` or ``suspended``; ``frozen`` besides,
    by their guardians.
    """

    account: bytes
    user: str
    display: str
    role: str
    state: str
    frozen: bool


def listed(node: Node, session: Session) -> list[Colleague]:
    """Everybody of this organisation but its software, in the order of registration.

    Raises Forbidden unless an administrator asks.
    """
    enrolment.require_administrator(session)
    node.following.catch_up()
    with node.database.read() as tx:
        known = {one.id: one for one in chain.accounts(tx, node.organisation)}
    hosted = {one.account: one for one in node.desk.keystore.people()}
    others = [one for one in known if one not in hosted and known[one].role != Role.AGENT]
    return [
        _colleague(account, hosted.get(account), known.get(account))
        for account in (*hosted, *others)
    ]


def names(node: Node) -> dict[bytes, str]:
    """What the people hosted here are called, by account."""
    return {one.account: one.display or one.user for one in node.desk.keystore.people()}


def find(node: Node, session: Session, account: bytes) -> Colleague:
    """One of `listed`. Raises NotFound, Forbidden."""
    found = [one for one in listed(node, session) if one.account == account]
    if not found:
        raise NotFound("There is nothing like that.")
    return found[0]


def add(
    node: Node, session: Session, user: str, *, role: str, display: str = ""
) -> tuple[Person, str]:
    """Register and verify a person of the staff; their account, and a passphrase to begin with.

    The passphrase is told once and kept nowhere. Raises Conflict where the user name is taken,
    Invalid for a malformed one, Forbidden unless an administrator asks.
    """
    enrolment.require_administrator(session)
    if role not in ROLES:
        raise Invalid("Choose a role.", advice="Patients are enrolled with their record.")
    if any(one.user == user for one in node.desk.keystore.people()):
        raise Conflict("The user name is taken.", advice="Choose another user name.")
    first = first_passphrase(node.random(15))
    person = enrolment.add_person(
        node, session, user, role=Role[role.upper()], passphrase=first, display=display
    )
    return person, first


def first_passphrase(octets: bytes) -> str:
    """15 random bytes in groups that people can copy from paper."""
    text = base64.b32encode(octets).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def verify(node: Node, session: Session, account: bytes) -> Colleague:
    """Verify an account of this organisation, or end its suspension; the contract decides.

    Raises Forbidden unless an administrator asks, or for their own account; NotFound.
    """
    found = find(node, session, account)
    if found.state != STATES[chain.VERIFIED]:
        accounts.verify_account(node.contracts, node.lane(session.key), account)
    return found


def suspend(node: Node, session: Session, account: bytes) -> Colleague:
    """Suspend an account: from the next block on it can do nothing but revoke. Raises as
    `verify`."""
    found = find(node, session, account)
    if found.state != STATES[chain.SUSPENDED]:
        accounts.suspend_account(node.contracts, node.lane(session.key), account)
    return found


def _colleague(account: bytes, person: Person | None, known: chain.Account | None) -> Colleague:
    role = person.role if person else Role(known.role if known else 0)
    return Colleague(
        account=account,
        user=person.user if person else "",
        display=person.display if person else "",
        role=role.name.lower(),
        state=STATES.get(known.state, UNREGISTERED) if known else UNREGISTERED,
        frozen=bool(known and known.frozen),
    )
