"""The other verbs of the custody API: list, look up, log, locate, vaults, attest, acknowledge."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os

import pytest

from simdes.access.asking import Because, ask
from simdes.access.audit_event import Attempt, Verb
from simdes.access.categories import Purpose, Role
from simdes.access.consent import Grantee
from simdes.access.custody_told import ToldBody
from simdes.access.desk import Limits
from simdes.access.evidence import verify_audit_proof
from simdes.access.messages import AckBody, AttestBody, LocateBody, VaultAsked, VaultsBody
from simdes.access.reading import list_records, locate, look_up, read_log
from simdes.access.requests import hexed
from simdes.errors import Forbidden, Invalid, NotFound, TooLarge, Unavailable
from simdes.exchange.custody import CustodyDesk
from simdes.index import custody
from simdes.index.vaults import Identifier, link_many
from unit.access.conftest import Scene
from unit.access.network import Organisation

SYSTEM = "urn:oid:2.16.840.1.113883.19"


def attempts(member: Organisation) -> list[Attempt]:
    return [entry.attempt for _, entry in member.desk.trail.entries(member.database, limit=100_000)]


# manifests and capsules -----------------------------------------------------------------------


def test_a_long_list_comes_in_pages_each_record_once(scene: Scene) -> None:
    for _ in range(6):
        scene.network.write(scene.home, scene.vault, b"{}", follow=False)
    scene.network.follow()
    caller = scene.home.caller("ada")
    because = Because(Purpose.PATRQT)
    basis = because.basis(scene.vault.tag)
    seen: list[bytes] = []
    after, more = None, 1
    while more:
        body = {"basis": basis, "limit": 3, "after": after}
        answer = ask(caller, scene.home.id, "manifests", body).body
        page = [row[0] for row in answer["entries"]]  # type: ignore[index, union-attr]
        seen += page  # type: ignore[arg-type]
        after, more = hexed(page[-1]), answer["more"]  # type: ignore[assignment, arg-type]
    assert len(seen) == len(set(seen)) == 7
    assert [one.record_id for one in list_records(caller, scene.vault, because)] == seen


def test_a_list_falls_back_to_another_custodian_and_fails_clearly_without_any(
    scene: Scene,
) -> None:
    caller, because = scene.home.caller("ada"), Because(Purpose.PATRQT)
    scene.home.shut()
    assert len(list_records(caller, scene.vault, because)) == 1
    scene.second.shut()
    scene.third.shut()
    with pytest.raises(Unavailable):
        list_records(caller, scene.vault, because)


def test_looking_up_a_record_needs_the_same_consent_as_reading_it(scene: Scene) -> None:
    record = scene.written.sealed.record_id
    doctor = scene.reader.people["doctor"][0]
    caller = scene.reader.caller("doctor")
    with pytest.raises(Forbidden):
        look_up(caller, scene.vault, Because(Purpose.TREAT), [record])
    consent = scene.network.grant(scene.home, "ada", scene.vault, Grantee.account(doctor.account))
    [found] = look_up(caller, scene.vault, Because(Purpose.TREAT, consent), [record])
    assert found.capsule_cid == scene.written.capsule_cid
    with pytest.raises(NotFound):
        look_up(caller, scene.vault, Because(Purpose.TREAT, consent), [os.urandom(32)])


# log ------------------------------------------------------------------------------------------


def test_the_patient_sees_who_looked_and_who_was_refused_with_proof(scene: Scene) -> None:
    with pytest.raises(Forbidden):
        list_records(scene.reader.caller("doctor"), scene.vault, Because(Purpose.TREAT))
    scene.home.anchor_audit()
    proofs = read_log(scene.home.caller("ada"), scene.vault.tag, scene.home.id)
    [verified] = [verify_audit_proof(proof.encode(), scene.third.contracts) for proof in proofs]
    attempt = verified.entry.attempt
    assert (attempt.reason, attempt.account) == (
        "UNKNOWN_HANDLE",
        scene.reader.people["doctor"][0].account,
    )
    again = read_log(scene.home.caller("ada"), scene.vault.tag, scene.home.id)
    assert [json.loads(one)["batch"] is None for one in again] == [False, True]


def test_nobody_but_the_patient_reads_the_log_and_trying_is_logged(scene: Scene) -> None:
    scene.home.enrol(f"adm-{os.urandom(4).hex()}", Role.ADMINISTRATOR)
    name = list(scene.home.people)[-1]
    for caller in (
        scene.reader.caller("doctor"),
        scene.home.caller(),
        scene.home.caller(name),
        scene.home.caller(scene.home.administrator),
    ):
        with pytest.raises(Forbidden):
            read_log(caller, scene.vault.tag, scene.home.id)
    refused = [a for a in attempts(scene.home) if a.vault == scene.vault.tag and a.reason]
    assert [a.verb for a in refused] == [Verb.LOG] * 4


def test_the_log_of_another_vault_stays_closed_to_a_patient(scene: Scene) -> None:
    name = f"p-{os.urandom(4).hex()}"
    scene.home.enrol(name, Role.PATIENT)
    with pytest.raises(Forbidden):
        read_log(scene.home.caller(name), scene.vault.tag, scene.home.id)


# locate ---------------------------------------------------------------------------------------


def known_as(scene: Scene, value: str) -> tuple[str, str]:
    scene.home.database.write(
        lambda tx: link_many(tx, {Identifier(SYSTEM, value): scene.vault.tag})
    )
    return SYSTEM, value


def test_a_clinician_finds_tag_and_custodians_and_it_is_audited(scene: Scene) -> None:
    identifier = known_as(scene, os.urandom(4).hex())
    caller = scene.reader.caller("doctor")
    [found] = locate(caller, scene.home.id, [identifier], purpose=Purpose.TREAT)
    assert (found.tag, found.m, found.epoch) == (scene.vault.tag, 2, 1)
    assert found.custodians == tuple(one.organisation for one in scene.vault.custodians)
    entry = attempts(scene.home)[-1]
    assert (entry.verb, entry.vault, entry.granted) == (Verb.LOCATE, scene.vault.tag, True)


def test_who_does_not_hold_the_patient_stores_nothing_of_the_identifiers(scene: Scene) -> None:
    value = f"MRN-{os.urandom(8).hex()}"
    known_as(scene, value)
    caller = scene.reader.caller("doctor")
    assert locate(caller, scene.third.id, [(SYSTEM, value)], purpose=Purpose.TREAT) == ()
    entry = attempts(scene.third)[-1]
    assert (entry.verb, entry.vault, entry.granted) == (Verb.LOCATE, None, True)
    from simdes.access.audit_event import encode

    assert value.encode() not in encode(
        entry, observer=scene.third.id, recorded_ms=0, previous=bytes(32)
    )
    scene.third.database.write(lambda tx: tx.run("DELETE FROM checkpoint WHERE name = 'none'"))
    for path in scene.third.folder.iterdir():
        assert value.encode() not in path.read_bytes(), path.name


@pytest.mark.parametrize(
    "role", [Role.PATIENT, Role.PHARMACIST, Role.INSURER, Role.RESEARCHER, Role.ADMINISTRATOR]
)
def test_only_clinicians_locate(scene: Scene, role: Role) -> None:
    identifier = known_as(scene, os.urandom(4).hex())
    name = f"u-{os.urandom(4).hex()}"
    scene.reader.enrol(name, role)
    for caller in (scene.reader.caller(name), scene.reader.caller()):
        with pytest.raises(Forbidden, match="WRONG_ROLE"):
            locate(caller, scene.home.id, [identifier], purpose=Purpose.TREAT)
    assert attempts(scene.home)[-1].reason == "WRONG_ROLE"


def test_an_unverified_clinician_and_a_strange_purpose_are_refused(scene: Scene) -> None:
    identifier = known_as(scene, os.urandom(4).hex())
    name = f"dr-{os.urandom(4).hex()}"
    scene.reader.enrol(name, Role.DOCTOR, verified=False)
    with pytest.raises(Forbidden, match="PENDING_ACTOR"):
        locate(scene.reader.caller(name), scene.home.id, [identifier], purpose=Purpose.TREAT)
    for purpose in (Purpose.HRESCH, Purpose.HPAYMT, 9):
        with pytest.raises(Forbidden, match="PURPOSE"):
            locate(scene.reader.caller("doctor"), scene.home.id, [identifier], purpose=purpose)


def test_locating_is_rate_limited(scene: Scene) -> None:
    desk = dataclasses.replace(scene.home.desk, limits=Limits(locates_per_minute=2))
    scene.network.client.open(scene.home.id, CustodyDesk(desk).answer)
    caller = scene.reader.caller("doctor")
    for _ in range(2):
        locate(caller, scene.home.id, [(SYSTEM, "x")], purpose=Purpose.TREAT)
    with pytest.raises(TooLarge):
        locate(caller, scene.home.id, [(SYSTEM, "x")], purpose=Purpose.TREAT)


@pytest.mark.parametrize("verb", ["claims", "prescriptions"])
def test_asking_to_be_told_is_rate_limited(scene: Scene, verb: str) -> None:
    """Whoever asks from the beginning again leaves an entry in every log that it is told of."""
    desk = dataclasses.replace(scene.home.desk, limits=Limits(tellings_per_minute=2))
    scene.network.client.open(scene.home.id, CustodyDesk(desk).answer)
    for _ in range(2):
        with contextlib.suppress(Forbidden):  # it is no insurer
            ask(scene.reader.caller(), scene.home.id, verb, ToldBody(after=0))
    with pytest.raises(TooLarge):
        ask(scene.reader.caller(), scene.home.id, verb, ToldBody(after=0))


@pytest.mark.parametrize(
    "identifiers", [[], [("", "x")], [("x", "")], [("x", "y" * 300)], [("x", "y")] * 17]
)
def test_a_malformed_question_is_refused(scene: Scene, identifiers: list[tuple[str, str]]) -> None:
    with pytest.raises(Invalid):
        locate(scene.reader.caller("doctor"), scene.home.id, identifiers, purpose=0)


# vaults, attest, ack --------------------------------------------------------------------------


def test_only_software_of_a_verified_organisation_gets_custody_keys(scene: Scene) -> None:
    body = VaultsBody(vaults=[VaultAsked(tag=hexed(os.urandom(32)))])
    name = f"dr-{os.urandom(4).hex()}"
    scene.reader.enrol(name, Role.DOCTOR)
    with pytest.raises(Forbidden, match="WRONG_ROLE"):
        ask(scene.reader.caller(name), scene.home.id, "vaults", body)
    first = ask(scene.reader.caller(), scene.home.id, "vaults", body).body
    again = ask(scene.reader.caller(), scene.home.id, "vaults", body).body
    assert first == again


def test_a_destroyed_key_is_refused_by_name_and_the_refusal_is_on_record(scene: Scene) -> None:
    body = VaultsBody(vaults=[VaultAsked(tag=hexed(os.urandom(32)))])
    tag = bytes.fromhex(body.vaults[0].tag[2:])
    ask(scene.reader.caller(), scene.home.id, "vaults", body)
    with scene.home.database.transaction() as tx:
        assert custody.destroy(tx, tag, through_epoch=1) == 1
    with pytest.raises(Forbidden, match="KEY_DESTROYED"):
        ask(scene.reader.caller(), scene.home.id, "vaults", body)
    assert attempts(scene.home)[-1].reason == "KEY_DESTROYED"


@pytest.mark.parametrize("method", ["release", "manifests", "capsules"])
def test_a_purpose_that_nobody_knows_is_bad_input_not_a_fault(scene: Scene, method: str) -> None:
    basis = {"vault": hexed(scene.vault.tag), "purpose": 9}
    records = {"records": [hexed(os.urandom(32))]}
    body = {"basis": basis} | ({} if method == "manifests" else records)
    body |= {"epoch": 1} if method == "release" else {}
    with pytest.raises(Invalid):
        ask(scene.reader.caller("doctor"), scene.home.id, method, body)


def test_nobody_gets_keys_for_a_vault_that_another_organisation_opened(scene: Scene) -> None:
    body = VaultsBody(vaults=[VaultAsked(tag=hexed(scene.vault.tag), epoch=2)])
    with pytest.raises(Forbidden, match="NOT_ITS_VAULT"):
        ask(scene.reader.caller(), scene.second.id, "vaults", body)


def test_the_pool_runs_dry_without_anybody_noticing(scene: Scene) -> None:
    tags = [os.urandom(32) for _ in range(100)]
    body = VaultsBody(vaults=[VaultAsked(tag=hexed(tag)) for tag in tags])
    keys = ask(scene.reader.caller(), scene.home.id, "vaults", body).body["keys"]
    assert len({key[2] for key in keys}) == 100  # type: ignore[index, union-attr]


def test_too_many_vaults_at_once_are_refused(scene: Scene) -> None:
    body = VaultsBody(vaults=[VaultAsked(tag=hexed(os.urandom(32)))] * 257)
    with pytest.raises(Invalid):
        ask(scene.reader.caller(), scene.home.id, "vaults", body)


@pytest.mark.parametrize(("seconds", "reason"), [(-1, "DEADLINE"), (8 * 86_400, "DEADLINE")])
def test_an_attestation_has_a_near_deadline(scene: Scene, seconds: int, reason: str) -> None:
    body = AttestBody(
        vault=hexed(scene.vault.tag),
        account=hexed(scene.home.people["ada"][0].account),
        deadline=int(scene.network.clock()) + seconds,
    )
    with pytest.raises(Forbidden, match=reason):
        ask(scene.home.caller(), scene.second.id, "attest", body)


def test_people_do_not_ask_for_attestations(scene: Scene) -> None:
    body = AttestBody(
        vault=hexed(scene.vault.tag),
        account=hexed(scene.home.people["ada"][0].account),
        deadline=int(scene.network.clock()) + 100,
    )
    with pytest.raises(Forbidden, match="WRONG_ROLE"):
        ask(scene.home.caller("ada"), scene.second.id, "attest", body)


def test_an_author_learns_which_of_its_shares_hold(scene: Scene) -> None:
    record, unknown = scene.written.sealed.record_id, os.urandom(32)
    body = AckBody(vault=hexed(scene.vault.tag), records=[hexed(record), hexed(unknown)])
    answer = ask(scene.home.caller(), scene.second.id, "ack", body)
    assert answer.receipt["good"] == [hexed(record)]
    assert answer.receipt["bad"] == {hexed(unknown): "UNKNOWN_RECORD"}


def test_an_author_learns_that_a_capsule_is_bad(scene: Scene) -> None:
    """The author published something else than the capsule it sealed."""
    bad = scene.network.store.put(os.urandom(400))
    written = scene.network.write(
        scene.home,
        scene.vault,
        b"{}",
        alter=lambda entry: dataclasses.replace(entry, capsule_cid=bad),
    )
    record = hexed(written.sealed.record_id)
    body = AckBody(vault=hexed(scene.vault.tag), records=[record])
    assert record in ask(scene.home.caller(), scene.second.id, "ack", body).receipt["bad"]


def test_nobody_asks_for_acknowledgements_of_others_records(scene: Scene) -> None:
    body = AckBody(vault=hexed(scene.vault.tag), records=[hexed(scene.written.sealed.record_id)])
    with pytest.raises(Forbidden, match="NOT_AUTHOR"):
        ask(scene.reader.caller(), scene.second.id, "ack", body)
    with pytest.raises(Forbidden, match="WRONG_ROLE"):
        ask(scene.home.caller("ada"), scene.second.id, "ack", body)


def test_an_unknown_verb_is_not_found(scene: Scene) -> None:
    with pytest.raises(NotFound):
        scene.home.custody.answer("everything", b"x")
    body = LocateBody(identifiers=[], purpose=0)
    with pytest.raises(Invalid):
        ask(scene.reader.caller("doctor"), scene.home.id, "locate", body)
