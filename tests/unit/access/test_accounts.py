from __future__ import annotations

import os

import pytest

from simdes.access.accounts import (
    new_person,
    register_person,
    require_active,
    resume_registration,
    suspend_account,
    verify_account,
    why_inactive,
)
from simdes.access.categories import Role, State
from simdes.errors import Conflict, Forbidden, Invalid
from unit.access.network import CHEAP, PASSPHRASE, Network, Organisation


@pytest.fixture
def home(network: Network) -> Organisation:
    return network.members[0]


def user() -> str:
    return f"u-{os.urandom(4).hex()}"


@pytest.mark.parametrize(
    "role",
    [
        Role.PATIENT,
        Role.DOCTOR,
        Role.NURSE,
        Role.PHARMACIST,
        Role.INSURER,
        Role.RESEARCHER,
        Role.ADMINISTRATOR,
    ],
)
def test_the_seven_roles_register_pending_and_act_once_verified(
    network: Network, home: Organisation, role: Role
) -> None:
    person = home.enrol(user(), role, verified=False)
    with pytest.raises(Forbidden, match="not verified"):
        require_active(home.contracts, person.address)
    verify_account(home.contracts, network.lane(home.administrator), person.account)
    standing = require_active(home.contracts, person.address)
    assert (standing.role, standing.organisation) == (role, home.id)


def test_nobody_but_an_administrator_of_the_organisation_verifies(
    network: Network, home: Organisation
) -> None:
    person = home.enrol(user(), Role.DOCTOR, verified=False)
    doctor = home.enrol(user(), Role.DOCTOR)
    own = home.people[person.user][1]
    other = network.members[1].administrator
    for key in (own, home.people[doctor.user][1], other, home.keystore.lanes[0]):
        with pytest.raises(Forbidden):
            verify_account(home.contracts, network.lane(key), person.account)


def test_each_reason_not_to_act_is_said(network: Network, home: Organisation) -> None:
    with pytest.raises(Forbidden, match="No account has this key"):
        require_active(home.contracts, os.urandom(20))
    person = home.enrol(user(), Role.NURSE)
    with pytest.raises(Forbidden, match="needs the role doctor, nurse"):
        require_active(
            home.contracts,
            home.enrol(user(), Role.PATIENT).address,
            roles={Role.DOCTOR, Role.NURSE},
        )
    suspend_account(home.contracts, network.lane(home.administrator), person.account)
    with pytest.raises(Forbidden, match="suspended"):
        require_active(home.contracts, person.address)
    late = network.join(user())
    nurse = late.enrol(user(), Role.NURSE)
    network.town.govern(late.contracts.accounts.suspend_organisation(late.id))
    with pytest.raises(Forbidden, match="organisation is not verified"):
        require_active(late.contracts, nurse.address)
    network.members.remove(late)
    late.database.close()


def test_a_frozen_account_is_told_how_to_go_on(home: Organisation) -> None:
    import dataclasses

    standing = home.contracts.accounts.standing(home.keystore.lanes[0].address)
    assert standing is not None
    frozen = dataclasses.replace(standing, frozen=True)
    assert why_inactive(frozen) == "FROZEN_ACTOR"
    assert why_inactive(dataclasses.replace(standing, account_state=State.PENDING)) == (
        "PENDING_ACTOR"
    )
    assert why_inactive(standing) == ""


@pytest.mark.parametrize("bad", ["", "A", "with space", "-x", "x" * 65, "é", "a/b", "../x"])
def test_a_malformed_user_name_is_refused_before_a_key_is_made(
    home: Organisation, bad: str
) -> None:
    with pytest.raises(Invalid):
        make(home, bad)


def make(home: Organisation, name: str, **changes: object) -> object:
    options = {"role": Role.DOCTOR, "passphrase": PASSPHRASE, "random": os.urandom, "cost": CHEAP}
    return new_person(home.keystore, name, **(options | changes))  # type: ignore[arg-type]


def test_a_short_passphrase_and_a_role_of_software_are_refused(home: Organisation) -> None:
    with pytest.raises(Invalid, match="8 characters"):
        make(home, user(), passphrase="short")
    for role in (Role.AGENT, Role.NONE):
        with pytest.raises(Invalid):
            make(home, user(), role=role)


def test_a_user_name_is_taken_once_and_never_reaches_the_chain(home: Organisation) -> None:
    name = user()
    person = home.enrol(name, Role.DOCTOR)
    with pytest.raises(Conflict):
        home.enrol(name, Role.NURSE)
    ledger = home.contracts.ledger
    logs = ledger.logs(first=0, last=ledger.head().number, addresses=())
    assert not any(name.encode() in log.data for log in logs)
    assert home.keystore.person(name).account == person.account


def test_a_registration_cut_off_by_a_crash_is_finished_later(
    network: Network, home: Organisation
) -> None:
    class Crash:
        def transact(self, _: object) -> object:
            raise KeyboardInterrupt

    name = user()
    with pytest.raises(KeyboardInterrupt):
        register_person(
            home.keystore,
            home.contracts,
            Crash(),  # type: ignore[arg-type]
            name,
            role=Role.DOCTOR,
            passphrase=PASSPHRASE,
            random=os.urandom,
            cost=CHEAP,
        )
    person = home.keystore.person(name)
    assert home.contracts.accounts.account(person.account) is None
    for _ in range(2):
        resume_registration(home.keystore, home.contracts, home.agent, person)
    registered = home.contracts.accounts.account(person.account)
    assert registered is not None
    assert registered.key == person.address
