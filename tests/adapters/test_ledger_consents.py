"""Vaults, consent and emergencies through typed calls, on the embedded ledger and a node."""

from __future__ import annotations

import dataclasses
import os
import time

import pytest

from adapters.ledgers import (
    Member,
    Person,
    Town,
    give_vault,
    only_event,
    random_id,
    random_key,
)
from simdes.errors import Conflict, Forbidden
from simdes.ledger.contracts import (
    ConsentState,
    GranteeKind,
    Permit,
    Reason,
    Request,
    Role,
    Terms,
    commitment,
    refusal_of,
)
from simdes.ledger.digests import keccak256
from simdes.ledger.events import (
    Granted,
    NonceUsed,
    Revoked,
    RevokedAll,
    VaultOpened,
    VaultSet,
)

TREATMENT, EMERGENCY_TREATMENT, PATIENT_REQUEST = 0, 4, 5
OBSERVATIONS, CONDITIONS = 3, 2


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
