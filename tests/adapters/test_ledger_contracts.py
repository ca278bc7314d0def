"""The network's contracts through their typed calls, on the embedded ledger and on a real node."""

from __future__ import annotations

import dataclasses
import json
import os
import time

import pytest

from adapters.ledgers import SHORT, Member, Person, Town, give_vault, random_id, random_key
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, SimdesError, Tampered
from simdes.ledger.abi import artifact
from simdes.ledger.contracts import (
    Addresses,
    ConsentState,
    Contracts,
    GranteeKind,
    LeafState,
    OrganisationKind,
    Permit,
    Pins,
    Reason,
    Request,
    Role,
    State,
    Terms,
    batch_id_of,
    check_deployment,
    check_pins,
    commitment,
    pins,
    refusal_of,
)
from simdes.ledger.contracts import Leaf as BatchLeaf
from simdes.ledger.deploy import TimelockContract
from simdes.ledger.digests import keccak256
from simdes.ledger.events import (
    AccountFrozen,
    AccountRegistered,
    AccountVerified,
    Anchored,
    Appended,
    Erased,
    Granted,
    NonceUsed,
    Revoked,
    RevokedAll,
    Superseded,
    VaultOpened,
    VaultSet,
)
from simdes.ledger.follow import Checkpoint, HistoryChanged, follow, require_fresh
from simdes.ledger.lane import Call
from simdes.ledger.ledger import Block, Receipt

TREATMENT, EMERGENCY_TREATMENT, PATIENT_REQUEST = 0, 4, 5
OBSERVATIONS, CONDITIONS = 3, 2


@pytest.fixture(scope="session")
def hospital(town: Town) -> Member:
    return town.organisation()


@pytest.fixture(scope="session")
def clinic(town: Town) -> Member:
    return town.organisation()


@pytest.fixture(scope="session")
def doctor(clinic: Member) -> Person:
    return clinic.person(Role.DOCTOR)


@pytest.fixture(scope="session")
def patient(hospital: Member) -> Person:
    return hospital.person(Role.PATIENT)


@pytest.fixture(scope="session")
def vault(hospital: Member, clinic: Member, patient: Person) -> bytes:
    tag = hospital.open_vault()
    give_vault(tag, patient, (hospital, clinic))
    return tag


def only_event(town: Town, receipt: Receipt) -> object:
    [log] = receipt.logs
    return town.contracts.decode(log)


def terms_for(person: Person) -> Terms:
    return Terms(
        grantee_kind=GranteeKind.ACCOUNT,
        grantee=person.id,
        grantee_role=0,
        categories=1 << OBSERVATIONS,
        labels=0,
        purposes=1 << TREATMENT,
        not_before=0,
        expiry=1 << 40,
    )


def request_by(person: Person, vault: bytes, **changes: object) -> Request:
    request = Request(
        vault=vault,
        record=random_id(),
        actor=person.key.address,
        category=OBSERVATIONS,
        labels=0,
        purpose=TREATMENT,
        time=int(time.time()),
    )
    return dataclasses.replace(request, **changes)  # type: ignore[arg-type]


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
    deadline = time.monotonic() + 10
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
    deadline = time.monotonic() + 10
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
    deadline = time.monotonic() + 10
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


# --- vaults and consent --------------------------------------------------------------------


def test_a_provisional_vault_becomes_the_patients(
    town: Town, hospital: Member, clinic: Member
) -> None:
    accounts, patient = town.contracts.accounts, hospital.person(Role.PATIENT)
    tag, descriptor = random_id(), random_id()
    opened = hospital.agent.lane.transact(
        accounts.open_vault(tag=tag, descriptor=descriptor, m=2, n=3)
    )
    assert only_event(town, opened) == VaultOpened(
        log=opened.logs[0],
        tag=tag,
        organisation=hospital.id,
        descriptor=descriptor,
        m=2,
        n=3,
        epoch=1,
    )
    vault = accounts.vault(tag)
    assert vault is not None
    assert (vault.control, vault.m, vault.n, vault.epoch) == (None, 2, 3, 1)
    give_vault(tag, patient, (hospital, clinic))
    vault = accounts.vault(tag)
    assert vault is not None
    assert vault.control == patient.id
    first, last = opened.block_number, town.ledger.head().number
    logs = town.ledger.logs(first=first, last=last, addresses=[town.addresses.accounts])
    events = [town.contracts.decode(log) for log in logs]
    assert any(isinstance(e, VaultSet) and (e.tag, e.account) == (tag, patient.id) for e in events)
    with pytest.raises(Conflict):
        give_vault(tag, patient, (hospital, clinic))


def test_two_attestations_of_one_organisation_are_not_enough(
    town: Town, hospital: Member, patient: Person
) -> None:
    tag = hospital.open_vault()
    with pytest.raises(Forbidden) as refused:
        give_vault(tag, patient, (hospital, hospital))
    assert refusal_of(refused.value) == "Signatures_SameOrganisation"


def test_a_consent_opens_exactly_what_its_terms_say(
    town: Town, vault: bytes, patient: Person, doctor: Person
) -> None:
    consents = town.contracts.consents
    terms, salt, handle, pointer = terms_for(doctor), random_id(), random_id(), random_id()

    def reason(**changes: object) -> Reason:
        request = dataclasses.replace(request_by(doctor, vault), **changes)
        decision = consents.is_allowed(handle=handle, terms=terms, salt=salt, request=request)
        assert decision.allowed is (decision.reason is Reason.ALLOWED)
        return decision.reason

    assert reason() is Reason.UNKNOWN_HANDLE
    granted = patient.lane.transact(
        consents.grant(
            tag=vault, handle=handle, commitment=commitment(terms, salt), pointer=pointer
        )
    )
    event = only_event(town, granted)
    assert isinstance(event, Granted)
    assert (event.tag, event.handle, event.pointer) == (vault, handle, pointer)
    assert event.commitment == commitment(terms, salt)
    assert reason() is Reason.ALLOWED
    assert reason(category=CONDITIONS) is Reason.CATEGORY
    assert reason(purpose=1) is Reason.PURPOSE
    assert reason(labels=1) is Reason.LABEL
    assert reason(time=1 << 41) is Reason.EXPIRED
    assert reason(actor=random_key().address) is Reason.UNKNOWN_ACTOR
    assert reason(actor=patient.key.address) is Reason.WRONG_GRANTEE
    assert reason(vault=random_id()) is Reason.UNKNOWN_VAULT
    consent = consents.consent(tag=vault, handle=handle)
    assert consent is not None
    assert consent.state is ConsentState.GRANTED
    revoked = patient.lane.transact(consents.revoke(tag=vault, handle=handle))
    assert isinstance(only_event(town, revoked), Revoked)
    assert reason() is Reason.REVOKED
    with pytest.raises(Conflict):
        patient.lane.transact(consents.revoke(tag=vault, handle=handle))


def test_wrong_terms_or_salt_open_nothing(
    town: Town, vault: bytes, patient: Person, doctor: Person
) -> None:
    consents = town.contracts.consents
    terms, salt, handle = terms_for(doctor), random_id(), random_id()
    fields = {"tag": vault, "handle": handle, "pointer": random_id()}
    patient.lane.transact(consents.grant(**fields, commitment=commitment(terms, salt)))
    request = request_by(doctor, vault)
    wider = dataclasses.replace(terms, categories=terms.categories | 1)
    questions = [
        (handle, terms, salt, request),
        (handle, wider, salt, request),
        (handle, terms, random_id(), request),
        (random_id(), terms, salt, request),
    ]
    reasons = [decision.reason for decision in consents.are_allowed(questions)]
    assert reasons == [
        Reason.ALLOWED,
        Reason.TERMS_MISMATCH,
        Reason.TERMS_MISMATCH,
        Reason.UNKNOWN_HANDLE,
    ]


def test_a_consent_to_listed_records_needs_their_proof(
    town: Town, vault: bytes, patient: Person, doctor: Person
) -> None:
    consents = town.contracts.consents
    first, second = random_id(), random_id()
    leaves = [keccak256(b"\4" + record) for record in (first, second)]
    root = keccak256(b"\1" + min(leaves) + max(leaves))
    terms = dataclasses.replace(terms_for(doctor), records=root)
    salt, handle = random_id(), random_id()
    fields = {"tag": vault, "handle": handle, "pointer": random_id()}
    patient.lane.transact(consents.grant(**fields, commitment=commitment(terms, salt)))

    def reason(record: bytes, proof: tuple[bytes, ...]) -> Reason:
        request = request_by(doctor, vault, record=record, record_proof=proof)
        return consents.is_allowed(handle=handle, terms=terms, salt=salt, request=request).reason

    assert reason(first, (leaves[1],)) is Reason.ALLOWED
    assert reason(second, (leaves[0],)) is Reason.ALLOWED
    assert reason(first, ()) is Reason.RECORD
    assert reason(random_id(), (leaves[1],)) is Reason.RECORD


def test_the_hand_made_question_is_what_the_abi_says(town: Town, doctor: Person) -> None:
    consents, terms = town.contracts.consents, terms_for(doctor)
    request = request_by(doctor, random_id(), record_proof=(random_id(), random_id()))
    handle, salt = random_id(), random_id()
    fields = [getattr(terms, field.name) for field in dataclasses.fields(terms)]
    question = (
        request.vault,
        request.record,
        list(request.record_proof),
        request.actor,
        request.category,
        request.labels,
        request.purpose,
        request.time,
    )
    expected = consents.artifact.call_data("isAllowed", handle, tuple(fields), salt, question)
    assert consents._question(handle, terms, salt, request) == expected


def test_anybody_relays_what_the_patient_signed(
    town: Town, vault: bytes, patient: Person, hospital: Member, doctor: Person
) -> None:
    consents, until = town.contracts.consents, town.ledger.head().timestamp + 3_600
    terms, salt, handle = terms_for(doctor), random_id(), random_id()
    fields = {
        "tag": vault,
        "handle": handle,
        "commitment": commitment(terms, salt),
        "pointer": random_id(),
        "generation": consents.generation(vault),
    }
    nonce = int.from_bytes(os.urandom(8), "big")
    digest = consents.grant_digest(**fields, nonce=nonce, deadline=until)
    permit = Permit(nonce, until, patient.key.sign(digest))
    assert not consents.is_nonce_used(tag=vault, nonce=nonce)
    receipt = hospital.agent.lane.transact(consents.grant_by_signature(**fields, permit=permit))
    kinds = {type(town.contracts.decode(log)) for log in receipt.logs}
    assert kinds == {Granted, NonceUsed}
    assert consents.is_nonce_used(tag=vault, nonce=nonce)
    request = request_by(doctor, vault)
    question = {"handle": handle, "terms": terms, "salt": salt, "request": request}
    assert consents.is_allowed(**question).allowed

    forged = Permit(nonce + 1, until, hospital.agent.key.sign(digest))
    with pytest.raises(Forbidden) as refused:
        hospital.agent.lane.transact(
            consents.revoke_by_signature(tag=vault, handle=handle, permit=forged)
        )
    assert refusal_of(refused.value) == "Consents_NotControl"
    digest = consents.revoke_digest(tag=vault, handle=handle, nonce=nonce + 1, deadline=until)
    permit = Permit(nonce + 1, until, patient.key.sign(digest))
    hospital.agent.lane.transact(
        consents.revoke_by_signature(tag=vault, handle=handle, permit=permit)
    )
    assert consents.is_allowed(**question).reason is Reason.REVOKED


def test_everything_is_revoked_at_once(
    town: Town, hospital: Member, clinic: Member, doctor: Person
) -> None:
    consents, patient = town.contracts.consents, hospital.person(Role.PATIENT)
    tag = hospital.open_vault()
    give_vault(tag, patient, (hospital, clinic))
    terms, salt, handle = terms_for(doctor), random_id(), random_id()
    fields = {"tag": tag, "handle": handle, "pointer": random_id()}
    patient.lane.transact(consents.grant(**fields, commitment=commitment(terms, salt)))
    receipt = patient.lane.transact(consents.revoke_all(tag))
    assert only_event(town, receipt) == RevokedAll(log=receipt.logs[0], tag=tag, generation=1)
    request = request_by(doctor, tag)
    decision = consents.is_allowed(handle=handle, terms=terms, salt=salt, request=request)
    assert decision.reason is Reason.OLD_GENERATION
    until, nonce = town.ledger.head().timestamp + 3_600, 7
    digest = consents.revoke_all_digest(tag=tag, generation=1, nonce=nonce, deadline=until)
    call = consents.revoke_all_by_signature(
        tag=tag, generation=1, permit=Permit(nonce, until, patient.key.sign(digest))
    )
    clinic.agent.lane.transact(call)
    assert consents.generation(tag) == 2


def test_only_the_patient_grants(town: Town, vault: bytes, doctor: Person) -> None:
    consents = town.contracts.consents
    fields = {"tag": vault, "handle": random_id(), "pointer": random_id()}
    with pytest.raises(Forbidden) as refused:
        doctor.lane.transact(consents.grant(**fields, commitment=random_id()))
    assert refusal_of(refused.value) == "Consents_NotControl"


def test_the_patient_reads_without_a_consent(town: Town, vault: bytes, patient: Person) -> None:
    request = request_by(patient, vault, purpose=PATIENT_REQUEST)
    decision = town.contracts.consents.is_allowed(
        handle=bytes(32), terms=terms_for(patient), salt=bytes(32), request=request
    )
    assert decision.allowed


def test_a_doctor_breaks_glass_and_it_is_reviewed(
    town: Town, vault: bytes, clinic: Member, doctor: Person
) -> None:
    consents, handle = town.contracts.consents, random_id()
    doctor.lane.transact(
        consents.open_emergency(tag=vault, handle=handle, reason_digest=random_id())
    )
    emergency = consents.emergency(tag=vault, handle=handle)
    assert emergency is not None
    assert (emergency.account, emergency.outcome) == (doctor.id, 0)
    limits = consents.emergency_limits()
    assert emergency.until == emergency.opened_at + limits.open_seconds
    day = emergency.opened_at // 86_400
    assert consents.emergencies_on(organisation=clinic.id, day=day) >= 1
    request = request_by(doctor, vault, purpose=EMERGENCY_TREATMENT, time=emergency.opened_at + 1)
    question = {"terms": terms_for(doctor), "salt": bytes(32), "request": request}
    assert consents.is_allowed(handle=handle, **question).allowed
    clinic.administrator.lane.transact(
        consents.review_emergency(tag=vault, handle=handle, outcome=2)
    )
    assert consents.is_allowed(handle=handle, **question).reason is Reason.EMERGENCY_OVER


# --- records and audit ---------------------------------------------------------------------


def two_leaves() -> tuple[bytes, bytes, bytes]:
    left, right = random_id(), random_id()
    return left, right, keccak256(b"\1" + left + right)


def test_a_batch_is_anchored_once_and_its_leaves_verify(town: Town, hospital: Member) -> None:
    records, lane = town.contracts.records, hospital.agent.lane
    left, right, root = two_leaves()
    batch_id = batch_id_of(chain_id=town.ledger.chain_id(), organisation=hospital.id, root=root)
    assert records.batch(batch_id) is None
    call = records.anchor(root=root, count=2, manifest=b"\1\x55\x12\x20" + random_id())
    receipt = lane.transact(call)
    event = only_event(town, receipt)
    assert isinstance(event, Anchored)
    assert (event.batch_id, event.organisation) == (batch_id, hospital.id)
    assert (event.root, event.count) == (root, 2)
    batch = records.batch(batch_id)
    assert batch is not None
    assert (batch.organisation, batch.root, batch.count) == (hospital.id, root, 2)
    verify = {"batch_id": batch_id, "leaf": left, "index": 0, "path": [right]}
    assert records.verify(**verify)
    assert not records.verify(**{**verify, "index": 1})
    assert not records.verify(**{**verify, "leaf": right})
    assert not records.verify(**{**verify, "batch_id": random_id()})
    with pytest.raises(Conflict) as again:
        lane.transact(call)
    assert refusal_of(again.value) == "Records_AlreadyAnchored"


def test_a_leaf_is_superseded_and_erased(town: Town, hospital: Member) -> None:
    records, lane = town.contracts.records, hospital.agent.lane
    left, right, root = two_leaves()
    lane.transact(records.anchor(root=root, count=2, manifest=b"\1" * 36))
    batch_id = batch_id_of(chain_id=town.ledger.chain_id(), organisation=hospital.id, root=root)
    old = BatchLeaf(batch_id, left, 0, (right,))
    new = BatchLeaf(batch_id, right, 1, (left,))
    assert isinstance(
        only_event(town, lane.transact(records.supersede(old=old, successor=new))), Superseded
    )
    status = records.status(organisation=hospital.id, leaf=left)
    assert (status.state, status.successor) == (LeafState.SUPERSEDED, right)
    assert isinstance(only_event(town, lane.transact(records.erase(new))), Erased)
    assert records.status(organisation=hospital.id, leaf=right).state is LeafState.ERASED
    with pytest.raises(Tampered):
        lane.transact(records.erase(BatchLeaf(batch_id, random_id(), 0, (right,))))


def test_only_agents_anchor(town: Town, doctor: Person) -> None:
    call = town.contracts.records.anchor(root=random_id(), count=1, manifest=b"\1" * 36)
    with pytest.raises(Forbidden) as refused:
        doctor.lane.transact(call)
    assert refusal_of(refused.value) == "Records_NotAgent"


def test_the_audit_log_takes_neither_gap_nor_fork(town: Town) -> None:
    pharmacy = town.organisation(2)
    log, lane = town.contracts.audit_log, pharmacy.agent.lane
    assert log.head(pharmacy.id).seq == 0
    left, right, root = two_leaves()
    receipt = lane.transact(log.append(seq=1, previous_root=bytes(32), root=root, count=2))
    event = only_event(town, receipt)
    assert isinstance(event, Appended)
    assert (event.seq, event.previous_root, event.root, event.count) == (1, bytes(32), root, 2)
    with pytest.raises(Conflict) as gap:
        lane.transact(log.append(seq=3, previous_root=root, root=random_id(), count=1))
    assert refusal_of(gap.value) == "AuditLog_Gap"
    with pytest.raises(Conflict) as fork:
        lane.transact(log.append(seq=2, previous_root=random_id(), root=random_id(), count=1))
    assert refusal_of(fork.value) == "AuditLog_Fork"
    second = random_id()
    lane.transact(log.append(seq=2, previous_root=root, root=second, count=1))
    head = log.head(pharmacy.id)
    assert (head.seq, head.root, head.total) == (2, second, 3)
    assert log.root_at(organisation=pharmacy.id, seq=1) == root
    assert log.root_at(organisation=pharmacy.id, seq=9) is None
    entry = log.entry_at(organisation=pharmacy.id, seq=1)
    assert entry is not None
    assert (entry.root, entry.count) == (root, 2)
    proof = {"organisation": pharmacy.id, "seq": 1, "leaf": left, "index": 0, "path": [right]}
    assert log.verify(**proof)
    assert not log.verify(**{**proof, "leaf": right})


# --- following -----------------------------------------------------------------------------


def test_a_follower_sees_every_event_once_across_restarts(town: Town, hospital: Member) -> None:
    records, lane = town.contracts.records, hospital.agent.lane
    first = town.ledger.head().number + 1
    roots = [random_id() for _ in range(6)]
    for root in roots:
        lane.transact(records.anchor(root=root, count=1, manifest=b"\1" * 36))
    seen: list[bytes] = []
    checkpoint: Checkpoint | None = None
    watched = town.addresses.watched()
    for _ in range(20):  # each round is a process that dies after one step
        steps = follow(town.ledger, watched, checkpoint, first_block=first, span=2)
        step = next(steps, None)
        if step is None:
            break
        checkpoint = step.checkpoint
        for log in step.logs:
            event = town.contracts.decode(log)
            if isinstance(event, Anchored):
                seen.append(event.root)
    assert [root for root in seen if root in roots] == roots
    assert checkpoint is not None
    head = town.ledger.head()
    if head.number == checkpoint.block_number:
        assert list(follow(town.ledger, watched, checkpoint)) == []


def test_a_follower_notices_another_history(town: Town) -> None:
    head = town.ledger.head()
    changed = Checkpoint(head.number, random_id())
    with pytest.raises(HistoryChanged):
        list(follow(town.ledger, town.addresses.watched(), changed))
    ahead = Checkpoint(head.number + 1_000, random_id())
    assert list(follow(town.ledger, town.addresses.watched(), ahead)) == []


def test_a_fresh_head_passes_and_a_stale_one_is_refused(town: Town) -> None:
    head = town.ledger.head()
    require_fresh(head, time.time, most_seconds=60)
    with pytest.raises(SimdesError, match="stale"):
        require_fresh(head, lambda: head.timestamp + 61.0, most_seconds=60)
    early = Block(1, bytes(32), bytes(32), int(time.time()) + 5)
    require_fresh(early, time.time, most_seconds=60)


def test_a_contract_of_another_network_is_not_decoded(town: Town, hospital: Member) -> None:
    call = town.contracts.records.anchor(root=random_id(), count=1, manifest=b"\1" * 36)
    [log] = hospital.agent.lane.transact(call).logs
    elsewhere = dataclasses.replace(town.addresses, records=random_key().address)
    assert Contracts(town.ledger, elsewhere).decode(log) is None
    with pytest.raises(Tampered):
        town.contracts.decode(dataclasses.replace(log, data=log.data[:40]))
