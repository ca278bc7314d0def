"""People and their accounts: register, verify, look up, and say clearly who may not act.

An account on chain is an id, a role, an organisation and a key (paper: "user registration"); user
name and display name live in the organisation's key store alone. An administrator of the
organisation verifies; nobody verifies themselves. What the chain says now is asked of the chain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol

from simdes.access.categories import Role, State
from simdes.access.keystore import Checked, First, KeyStore, Person
from simdes.crypto.keys import DEFAULT_COST, ArgonCost, SigningKey
from simdes.errors import Forbidden, Invalid, SimdesError
from simdes.ledger.accounts import Standing
from simdes.ledger.consents import Reason
from simdes.ledger.contracts import Contracts
from simdes.ledger.lane import Call
from simdes.ledger.ledger import Receipt

MIN_PASSPHRASE: Final = 8
MAX_PASSPHRASE: Final = 1024
_USER = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
HOSTED_ROLES: Final = frozenset(Role) - {Role.NONE, Role.AGENT}


class Transactor(Protocol):
    """Sends a contract call and waits for it; `ledger.lane.Lane` is one."""

    def transact(self, call: Call) -> Receipt:
        """Raises the contract's refusal as one of `simdes.errors`."""


class Agent(Transactor, Protocol):
    """What sends as the organisation's software; `ledger.lane.Lane` is one."""

    @property
    def address(self) -> bytes:
        """By what its lane is known on chain."""

    def transact_many(self, calls: Sequence[Call]) -> list[Receipt | SimdesError]:
        """As `transact`, several; what a contract refuses stands in its place."""

    def resume(self) -> Sequence[Receipt]:
        """Send what an earlier run left again, and wait for it."""


def new_person(
    keystore: KeyStore,
    user: str,
    *,
    role: Role,
    passphrase: str,
    random: Callable[[int], bytes],
    display: str = "",
    cost: ArgonCost = DEFAULT_COST,
    first: First | None = None,
    checked: Checked | None = None,
) -> tuple[Person, SigningKey]:
    """Make a person's account id and key and keep them here; nothing is on chain yet.

    Raises `Invalid` for a malformed user name, a short passphrase or a role that no person has,
    `Conflict` when the user name is taken.
    """
    check_user(user)
    check_passphrase(passphrase)
    if role not in HOSTED_ROLES:
        raise Invalid(
            "A person is a patient, doctor, nurse, pharmacist, insurer, researcher or "
            "administrator."
        )
    key = SigningKey.generate(random)
    person = Person(
        user=user, account=random(32), address=key.address, role=role, display=display or user
    )
    keystore.add_person(person, key, passphrase, cost=cost, first=first, checked=checked)
    return person, key


def check_user(user: str) -> None:
    """Raise `Invalid` for a malformed user name."""
    if not _USER.fullmatch(user):
        raise Invalid("A user name is 1 to 64 of a-z, 0-9, '.', '_', '@' and '-'.")


def check_passphrase(passphrase: str) -> None:
    """Raise `Invalid` for a passphrase that is too short, or too long to be one."""
    if len(passphrase) < MIN_PASSPHRASE:
        raise Invalid(f"A passphrase has at least {MIN_PASSPHRASE} characters.")
    if len(passphrase) > MAX_PASSPHRASE:
        raise Invalid(f"A passphrase has at most {MAX_PASSPHRASE} characters.")


def register_person(
    keystore: KeyStore,
    contracts: Contracts,
    agent: Transactor,
    user: str,
    *,
    role: Role,
    passphrase: str,
    random: Callable[[int], bytes],
    display: str = "",
    cost: ArgonCost = DEFAULT_COST,
) -> Person:
    """Make a person's account and register it on chain, pending; `agent` is a lane of ours.

    Kept here before it is sent, so that no registered key is ever lost; a repeat after a crash
    goes through `resume_registration`.
    """
    person, _ = new_person(
        keystore, user, role=role, passphrase=passphrase, random=random, display=display, cost=cost
    )
    resume_registration(keystore, contracts, agent, person)
    return person


def resume_registration(
    keystore: KeyStore, contracts: Contracts, agent: Transactor, person: Person
) -> None:
    """Register a kept person's account unless the chain knows it already."""
    if contracts.accounts.account(person.account) is None:
        agent.transact(
            contracts.accounts.register(
                account=person.account,
                organisation=keystore.organisation,
                role=int(person.role),
                key=person.address,
            )
        )


def verify_account(contracts: Contracts, administrator: Transactor, account: bytes) -> None:
    """Verify a pending or suspended account, as an administrator of its organisation.

    `administrator` sends with the administrator's own key; the contract refuses everybody else and
    the administrator's own account (`Forbidden`).
    """
    administrator.transact(contracts.accounts.verify(account))


def suspend_account(contracts: Contracts, administrator: Transactor, account: bytes) -> None:
    """Suspend an account: from the next block on it can do nothing but revoke."""
    administrator.transact(contracts.accounts.suspend(account))


def require_active(
    contracts: Contracts, address: bytes, *, roles: Collection[int] | None = None
) -> Standing:
    """The standing of an active account, in one of `roles` if given.

    Raises `Forbidden` saying which of account, organisation or role stands in the way.
    """
    standing = contracts.accounts.standing(address)
    if reason := why_inactive(standing):
        raise Forbidden(_ADVICE[reason][0], advice=_ADVICE[reason][1], reason=reason)
    assert standing is not None  # noqa: S101 (why_inactive said so)
    if roles is not None and standing.role not in roles:
        names = ", ".join(sorted(Role(role).name.lower() for role in roles))
        raise Forbidden(f"This needs the role {names}.", reason=Reason.WRONG_ROLE.name)
    return standing


def why_inactive(standing: Standing | None) -> str:
    """The name of the reason why an account cannot act, "" when it can."""
    if standing is None:
        return Reason.UNKNOWN_ACTOR.name
    if standing.frozen:
        return "FROZEN_ACTOR"
    if standing.account_state is not State.VERIFIED:
        return f"{standing.account_state.name}_ACTOR"
    if standing.organisation_state is not State.VERIFIED:
        return Reason.INACTIVE_ORGANISATION.name
    return ""


_ADVICE: Final = {
    "UNKNOWN_ACTOR": (
        "No account has this key.",
        "Register the account, or sign with its present key.",
    ),
    "PENDING_ACTOR": (
        "The account is not verified yet.",
        "An administrator of the organisation must verify it.",
    ),
    "SUSPENDED_ACTOR": (
        "The account is suspended.",
        "Ask an administrator of the organisation.",
    ),
    "FROZEN_ACTOR": (
        "The account is frozen by its guardians.",
        "A new key opens it again, once its guardians or two organisations let it in.",
    ),
    "INACTIVE_ORGANISATION": (
        "The account's organisation is not verified.",
        "The network's administrators must verify it.",
    ),
}
