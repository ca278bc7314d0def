"""A deployed network, its owners, organisations and accounts, on the embedded ledger and a node."""

from __future__ import annotations

import dataclasses
import json
import time

import pytest

from adapters.ledgers import (
    SHORT,
    Member,
    Person,
    Town,
    only_event,
    random_id,
    random_key,
)
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, SimdesError, Tampered
from simdes.ledger.abi import artifact
from simdes.ledger.contracts import (
    Addresses,
    OrganisationKind,
    Pins,
    Role,
    State,
    check_deployment,
    check_pins,
    pins,
    refusal_of,
)
from simdes.ledger.deploy import TimelockContract
from simdes.ledger.digests import keccak256
from simdes.ledger.events import (
    AccountFrozen,
    AccountRegistered,
    AccountVerified,
)
from simdes.ledger.lane import Call

# --- the network ---------------------------------------------------------------------------


def test_a_deployed_network_holds_what_it_must(town: Town) -> None:
    check_deployment(town.ledger, town.addresses, deployer=town.deployer.address, delays=SHORT)


def test_a_network_whose_deployer_kept_rights_is_refused(town: Town) -> None:
    with pytest.raises(Tampered, match="the owners govern"):
        check_deployment(
            town.ledger,
            dataclasses.replace(town.addresses, administrators=town.addresses.accounts),
            deployer=town.deployer.address,
            delays=SHORT,
        )


def test_a_network_description_survives_its_file(town: Town) -> None:
    document = json.loads(json.dumps(town.addresses.to_dict()))
    assert Addresses.from_dict(document) == town.addresses
    for name in document:
        damaged = dict(document)
        damaged[name] = "0x12"
        with pytest.raises(Invalid, match=name):
            Addresses.from_dict(damaged)


def test_pins_survive_their_file_and_hold(town: Town) -> None:
    accepted = Pins.from_dict(json.loads(json.dumps(pins(town.ledger, town.addresses).to_dict())))
    check_pins(town.ledger, town.addresses, accepted)
    for changed in (
        dataclasses.replace(accepted, genesis=bytes(32)),
        dataclasses.replace(accepted, chain_id=1),
        dataclasses.replace(accepted, code_hashes={**accepted.code_hashes, "records": bytes(32)}),
        dataclasses.replace(accepted, addresses={**accepted.addresses, "consents": bytes(20)}),
    ):
        with pytest.raises(Tampered):
            check_pins(town.ledger, town.addresses, changed)


def test_an_upgrade_waits_in_the_timelock_and_breaks_the_pins(town: Town) -> None:
    accepted = pins(town.ledger, town.addresses)
    code = artifact("Records").deployment()
    new = town.deployer.transact(Call(None, code, "deploy Records")).contract_address
    assert new is not None
    upgrade = artifact("Records").call_data("upgradeToAndCall", new, b"")
    timelock = TimelockContract(town.ledger, town.addresses.timelock)
    # OpenZeppelin's AccessManager lets the timelock, its administrator, upgrade the proxies.
    fields = (town.addresses.records, 0, upgrade, bytes(32), random_id())
    town.govern(timelock.write("schedule", *fields, SHORT.timelock_seconds))
    check_pins(town.ledger, town.addresses, accepted)
    deadline = time.monotonic() + 60
    while True:
        try:
            town.deployer.transact(timelock.write("execute", *fields))
            break
        except Conflict as early:
            assert refusal_of(early) == "TimelockUnexpectedOperationState"
            assert time.monotonic() < deadline
            time.sleep(0.3)
    with pytest.raises(Tampered, match=r"implementations\.records"):
        check_pins(town.ledger, town.addresses, accepted)
    check_pins(town.ledger, town.addresses, pins(town.ledger, town.addresses))


# --- organisations and accounts ------------------------------------------------------------


def test_an_organisation_registers_and_owners_verify_it(town: Town) -> None:
    accounts = town.contracts.accounts
    founder, organisation, descriptor = Person(town), random_id(), random_id()
    assert accounts.organisation(organisation) is None
    founder.lane.transact(
        accounts.register_organisation(
            organisation=organisation, kind=2, descriptor=descriptor, account=founder.id
        )
    )
    pending = accounts.organisation(organisation)
    assert pending is not None
    assert (pending.kind, pending.state) == (OrganisationKind.PHARMACY, State.PENDING)
    assert (pending.descriptor, pending.first_administrator) == (descriptor, founder.id)
    assert not accounts.is_active(founder.key.address)
    town.govern(accounts.verify_organisation(organisation))
    verified = accounts.organisation(organisation)
    assert verified is not None
    assert verified.state is State.VERIFIED
    assert accounts.is_active(founder.key.address)
    town.govern(accounts.suspend_organisation(organisation))
    assert not accounts.is_active(founder.key.address)


def test_only_owners_verify_organisations(town: Town, hospital: Member) -> None:
    call = town.contracts.accounts.verify_organisation(hospital.id)
    with pytest.raises(Forbidden) as refused:
        hospital.administrator.lane.transact(call)
    assert refusal_of(refused.value) == "AccessManagedUnauthorized"


def test_one_owner_alone_decides_nothing(town: Town, hospital: Member) -> None:
    administrators = town.contracts.administrators
    call, salt = town.contracts.accounts.suspend_organisation(hospital.id), random_id()
    assert administrators.threshold() == 2
    assert set(administrators.members()) == {owner.address for owner in town.owners}
    town.owners[0].transact(administrators.propose(call, salt=salt))
    proposal = administrators.proposal(administrators.proposal_id(call, salt=salt))
    assert proposal is not None
    assert proposal.confirmed == 1
    with pytest.raises(Forbidden) as refused:
        town.owners[0].transact(administrators.execute(call, salt=salt))
    assert refusal_of(refused.value) == "Administrators_TooFew"
    with pytest.raises(Invalid):
        administrators.carry_out(call, salt=salt, owners=town.owners[:1])
    with pytest.raises(Forbidden):
        hospital.agent.lane.transact(administrators.propose(call, salt=random_id()))


def test_an_account_is_registered_verified_and_suspended(town: Town, hospital: Member) -> None:
    accounts = town.contracts.accounts
    nurse = Person(town)
    registered = hospital.administrator.lane.transact(
        accounts.register(
            account=nurse.id, organisation=hospital.id, role=Role.NURSE, key=nurse.key.address
        )
    )
    event = only_event(town, registered)
    assert event == AccountRegistered(
        log=registered.logs[0],
        account=nurse.id,
        organisation=hospital.id,
        key=nurse.key.address,
        role=Role.NURSE,
    )
    verified = hospital.administrator.lane.transact(accounts.verify(nurse.id))
    assert isinstance(only_event(town, verified), AccountVerified)
    account = accounts.account(nurse.id)
    assert account is not None
    assert (account.organisation, account.key) == (hospital.id, nurse.key.address)
    assert (account.role, account.state, account.frozen) == (Role.NURSE, State.VERIFIED, False)
    assert accounts.account_of(nurse.key.address) == nurse.id
    assert accounts.holder_of(nurse.key.address) == nurse.id
    standing = accounts.standing(nurse.key.address)
    assert standing is not None
    assert standing.active
    hospital.administrator.lane.transact(accounts.suspend(nurse.id))
    standing = accounts.standing(nurse.key.address)
    assert standing is not None
    assert not standing.active


def test_strangers_are_unknown(town: Town) -> None:
    accounts, stranger = town.contracts.accounts, random_key().address
    assert accounts.account(random_id()) is None
    assert accounts.account_of(stranger) is None
    assert accounts.holder_of(stranger) is None
    assert accounts.standing(stranger) is None
    assert accounts.vault(random_id()) is None
    assert not accounts.is_active(stranger)


def test_refusals_arrive_as_our_errors(town: Town, hospital: Member, doctor: Person) -> None:
    accounts = town.contracts.accounts
    fields = {"account": random_id(), "organisation": hospital.id, "role": Role.DOCTOR}
    admin = hospital.administrator.lane
    cases: list[tuple[Call, type[SimdesError], str]] = [
        (
            accounts.register(**fields, key=doctor.key.address),
            Conflict,
            "Accounts_KeyUsed",
        ),
        (
            accounts.register(**{**fields, "role": 9}, key=random_key().address),
            Invalid,
            "Accounts_RoleUnknown",
        ),
        (accounts.verify(doctor.id), Forbidden, "Accounts_NotPermitted"),
        (accounts.complete_rotation(doctor.id), Conflict, "Accounts_NothingPending"),
    ]
    for call, kind, name in cases:
        with pytest.raises(kind) as refused:
            admin.transact(call)
        assert type(refused.value) is kind
        assert refusal_of(refused.value) == name
    unknown = town.contracts.consents.open_emergency(
        tag=random_id(), handle=random_id(), reason_digest=random_id()
    )
    with pytest.raises(NotFound) as missing:
        doctor.lane.transact(unknown)
    assert refusal_of(missing.value) == "Consents_VaultUnknown"


def test_a_key_is_rotated_after_its_delay(town: Town, hospital: Member) -> None:
    accounts = town.contracts.accounts
    person, new = hospital.person(Role.DOCTOR), random_key()
    assert accounts.pending_rotation(person.id) is None
    person.lane.transact(accounts.rotate_key(new.address))
    pending = accounts.pending_rotation(person.id)
    assert pending is not None
    assert (pending.key, pending.attested) == (new.address, False)
    deadline = time.monotonic() + 60
    while accounts.account_of(new.address) is None:
        assert time.monotonic() < deadline
        try:
            person.lane.transact(accounts.complete_rotation(person.id))
        except Conflict as early:
            assert refusal_of(early) == "Accounts_TooEarly"
            time.sleep(0.3)
    assert accounts.account_of(new.address) == person.id
    assert accounts.account_of(person.key.address) is None
    assert accounts.holder_of(person.key.address) == person.id


def test_guardians_freeze_an_account(town: Town, hospital: Member) -> None:
    from simdes.ledger.contracts import GuardianProof

    accounts = town.contracts.accounts
    person, guardian, salt = hospital.person(Role.PATIENT), random_key(), random_id()
    root = keccak256(b"\3" + salt + bytes(12) + guardian.address)
    person.lane.transact(accounts.set_guardians(root=root, count=1, threshold=1))
    waiting = accounts.pending_guardians(person.id)
    assert waiting is not None
    assert (waiting.root, waiting.count, waiting.threshold) == (root, 1, 1)
    deadline = time.monotonic() + 60
    while accounts.pending_guardians(person.id) is not None:
        assert time.monotonic() < deadline
        try:
            person.lane.transact(accounts.complete_guardians(person.id))
        except Conflict:
            time.sleep(0.3)
    account = accounts.account(person.id)
    assert account is not None
    until = town.ledger.head().timestamp + 3_600
    digest = accounts.freeze_digest(account=person.id, nonce=account.guardian_nonce, deadline=until)
    proof = GuardianProof(salt=salt, index=0, path=(), signature=guardian.sign(digest))
    receipt = hospital.agent.lane.transact(
        accounts.freeze(account=person.id, deadline=until, proofs=[proof])
    )
    assert isinstance(only_event(town, receipt), AccountFrozen)
    assert not accounts.is_active(person.key.address)
    account = accounts.account(person.id)
    assert account is not None
    key = random_key().address
    digest = accounts.recover_digest(
        account=person.id, key=key, nonce=account.guardian_nonce, deadline=until
    )
    proof = dataclasses.replace(proof, signature=guardian.sign(digest))
    hospital.agent.lane.transact(
        accounts.recover(account=person.id, key=key, deadline=until, proofs=[proof])
    )
    recovery = accounts.pending_recovery(person.id)
    assert recovery is not None
    assert (recovery.key, recovery.attested) == (key, False)
