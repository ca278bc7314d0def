"""Release: what goes out, to whom, and what is left in the log, on real parts end to end."""

from __future__ import annotations

import dataclasses
import os

import pytest

from simdes.access.asking import Because, ask
from simdes.access.audit_event import Verb
from simdes.access.categories import Purpose, Role
from simdes.access.custody_keys import bind
from simdes.access.messages import ReleaseBody
from simdes.access.reading import gather, list_records
from simdes.access.requests import (
    hexed,
    verify_receipt,
)
from simdes.crypto.seal import open_body
from simdes.errors import (
    Forbidden,
    NotFound,
    SimdesError,
    Tampered,
    Unavailable,
)
from unit.access.asking import ask_one, body, granted, grants, read, refusals
from unit.access.conftest import Scene
from unit.access.liars import answering
from unit.access.network import Network


def test_a_granted_doctor_lists_gathers_and_opens_the_record(scene: Scene) -> None:
    because = granted(scene)
    [listed] = list_records(scene.reader.caller("doctor"), scene.vault, because)
    assert listed.record_id == scene.written.sealed.record_id
    gathered = read(scene, because)
    stored = scene.network.store.get(listed.body_cid)
    secret = gathered.secrets[listed.record_id]
    opened = open_body(stored, secret, record_id=listed.record_id)
    assert opened.items[0].content == scene.written.item.content
    assert len(gathered.receipts) == 2
    claims, signer = verify_receipt(gathered.receipts[0])
    assert signer in scene.home.keystore.lane_addresses()
    assert claims.receipt["granted"] == [hexed(listed.record_id)]


def test_without_consent_every_custodian_refuses_and_writes_it_down(scene: Scene) -> None:
    because = Because(Purpose.TREAT)
    with pytest.raises(Forbidden, match="UNKNOWN_HANDLE"):
        read(scene, because)
    assert refusals(scene.home, scene.vault.tag) == [("release", "UNKNOWN_HANDLE")]
    assert Verb.RELEASE not in grants(scene.home, scene.vault.tag)


def test_a_revoked_consent_closes_at_once_and_the_refusal_is_audited(scene: Scene) -> None:
    because = granted(scene)
    assert read(scene, because).secrets
    assert because.consent is not None
    scene.network.revoke(scene.home, "ada", because.consent)
    with pytest.raises(Forbidden, match="REVOKED"):
        read(scene, because)
    with pytest.raises(Forbidden, match="REVOKED"):
        list_records(scene.reader.caller("doctor"), scene.vault, because)
    assert ("release", "REVOKED") in refusals(scene.home, scene.vault.tag)


def test_a_consent_for_observations_does_not_open_a_condition(scene: Scene) -> None:
    other = scene.network.write(
        scene.home, scene.vault, b'{"resourceType":"Condition"}', category=2, type="Condition"
    )
    because = granted(scene)
    listed = list_records(scene.reader.caller("doctor"), scene.vault, because)
    assert [one.record_id for one in listed] == [scene.written.sealed.record_id]
    store = scene.network.store
    capsules = {one.sealed.record_id: store.get(one.capsule_cid) for one in (scene.written, other)}
    gathered = gather(scene.reader.caller("doctor"), scene.vault, because, capsules)
    assert set(gathered.secrets) == {scene.written.sealed.record_id}
    assert gathered.refused == {other.sealed.record_id: "CATEGORY"}
    assert ("release", "CATEGORY") in refusals(scene.home, scene.vault.tag)


def test_a_labelled_record_needs_its_labels_in_the_terms(scene: Scene) -> None:
    labelled = scene.network.write(scene.home, scene.vault, b"{}", labels=0b10)
    plain, with_hiv = granted(scene), granted(scene, labels=("HIV",))
    capsules = {labelled.sealed.record_id: scene.network.store.get(labelled.capsule_cid)}
    caller = scene.reader.caller("doctor")
    with pytest.raises(Forbidden, match="LABEL"):
        gather(caller, scene.vault, plain, capsules)
    assert gather(caller, scene.vault, with_hiv, capsules).secrets


def test_a_manifest_that_understates_the_label_opens_nothing(scene: Scene) -> None:
    """The author signed another label inside the share; the anchored list alone says none."""
    lied = scene.network.write(
        scene.home,
        scene.vault,
        b"{}",
        labels=0b10,
        alter=lambda entry: dataclasses.replace(entry, labels=0),
    )
    capsules = {lied.sealed.record_id: scene.network.store.get(lied.capsule_cid)}
    with pytest.raises(NotFound):
        ask_one(scene, granted(scene), lied.sealed.record_id)
    with pytest.raises(SimdesError):
        gather(scene.reader.caller("doctor"), scene.vault, granted(scene), capsules)


def test_a_consent_limited_to_records_opens_those_alone(scene: Scene) -> None:
    other = scene.network.write(scene.home, scene.vault, b"{}")
    record = scene.written.sealed.record_id
    because = granted(scene, records=(record, os.urandom(32), os.urandom(32)))
    assert read(scene, because).secrets
    with pytest.raises(Forbidden, match="RECORD"):
        ask_one(scene, because, other.sealed.record_id)
    [listed] = list_records(scene.reader.caller("doctor"), scene.vault, because)
    assert listed.record_id == record


def test_the_patient_reads_everything_by_control_of_the_vault(scene: Scene) -> None:
    because = Because(Purpose.PATRQT)
    assert read(scene, because, scene.home.caller("ada")).secrets
    with pytest.raises(Forbidden):
        read(scene, because)  # the doctor is not the patient


def test_an_organisation_reads_what_it_wrote_and_nothing_else(scene: Scene) -> None:
    scene.home.enrol(f"dr-{os.urandom(4).hex()}", Role.DOCTOR)
    scene.home.enrol(f"res-{os.urandom(4).hex()}", Role.RESEARCHER)
    *_, doctor, researcher = scene.home.people
    because = Because(Purpose.TREAT)
    assert read(scene, because, scene.home.caller(doctor)).secrets
    assert read(scene, because, scene.home.caller()).secrets  # its own software
    with pytest.raises(Forbidden):
        read(scene, because, scene.home.caller(researcher))
    with pytest.raises(Forbidden):
        read(scene, Because(Purpose.HRESCH), scene.home.caller(doctor))
    with pytest.raises(Forbidden):
        read(scene, because, scene.home.caller("ada"))  # a patient of it is not its staff
    written = scene.network.write(scene.second, scene.vault, b"{}")
    capsules = {written.sealed.record_id: scene.network.store.get(written.capsule_cid)}
    with pytest.raises(Forbidden):
        gather(scene.home.caller(doctor), scene.vault, because, capsules)


def test_a_suspended_doctor_reads_nothing_not_even_of_the_own_organisation(scene: Scene) -> None:
    name = f"dr-{os.urandom(4).hex()}"
    doctor = scene.home.enrol(name, Role.DOCTOR)
    administrator = scene.network.lane(scene.home.administrator)
    administrator.transact(scene.home.contracts.accounts.suspend(doctor.account))
    with pytest.raises(Forbidden, match="INACTIVE_ACTOR"):
        read(scene, Because(Purpose.TREAT), scene.home.caller(name))


def test_break_glass_opens_observations_for_the_clinician_alone(scene: Scene) -> None:
    handle = os.urandom(32)
    key = scene.reader.people["doctor"][1]
    scene.network.lane(key).transact(
        scene.home.contracts.consents.open_emergency(
            tag=scene.vault.tag, handle=handle, reason_digest=os.urandom(32)
        )
    )
    because = Because(Purpose.ETREAT, emergency=handle)
    assert read(scene, because).secrets
    with pytest.raises(Forbidden, match="PURPOSE"):
        read(scene, Because(Purpose.TREAT, emergency=handle))
    labelled = scene.network.write(scene.home, scene.vault, b"{}", labels=1)
    with pytest.raises(Forbidden, match="LABEL"):
        ask_one(scene, because, labelled.sealed.record_id)


# Custodians that are down or cheat ------------------------------------------------------------


@pytest.mark.parametrize(("m", "n"), [(2, 3), (3, 4)])
def test_one_custodian_down_reads_go_on_two_down_nothing_is_logged_as_read(
    network: Network, m: int, n: int
) -> None:
    home, second, third, fourth, reader = network.members[:5]
    custodians = (home, second, third, fourth)[:n]
    vault = network.open_vault(home, custodians, m=m)
    network.claim(home, second, vault.tag, "ada")
    written = network.write(home, vault, b"{}")
    scene = Scene(network, home, second, third, reader, vault, written)
    because = granted(scene)
    try:
        custodians[-1].shut()
        assert read(scene, because).secrets
        before = [grants(one, vault.tag) for one in custodians]
        custodians[0].shut()
        with pytest.raises(Unavailable, match="nothing was read"):
            read(scene, because)
        assert [grants(one, vault.tag) for one in custodians] == before
    finally:
        for one in custodians:
            one.open()


def test_a_custodian_that_gives_a_bad_share_is_named_and_replaced(scene: Scene) -> None:
    because = granted(scene)
    false = {"shares": [[scene.written.sealed.record_id, 1, bytes(31) + b"\1"]]}
    scene.network.client.open(scene.home.id, answering(scene.home, {}, false))
    gathered = read(scene, because)
    assert gathered.secrets
    assert list(gathered.culprits) == [scene.home.id]
    scene.third.shut()
    with pytest.raises(Tampered, match=scene.home.id.hex()):
        read(scene, because)


def test_a_capsule_of_another_epoch_is_not_opened_with_a_later_key(scene: Scene) -> None:
    scene.home.database.write(
        lambda tx: bind(
            tx, scene.home.keystore, [(scene.vault.tag, 2)], random=os.urandom, now_ms=1
        )
    )
    asking = body(scene, Because(Purpose.PATRQT))
    later = ReleaseBody(basis=asking.basis, records=asking.records, epoch=2)
    with pytest.raises(NotFound, match="epoch"):
        ask(scene.home.caller("ada"), scene.home.id, "release", later)
    assert refusals(scene.home, scene.vault.tag) == [("release", "WRONG_EPOCH")]
