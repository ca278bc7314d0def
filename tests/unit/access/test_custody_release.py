from __future__ import annotations

from simdes.access.asking import Because
from simdes.access.categories import Purpose
from simdes.access.consent import Grantee
from simdes.access.reading import gather, list_records
from simdes.crypto.seal import open_body
from unit.access.conftest import Scene


def test_a_granted_doctor_lists_gathers_and_opens_the_record(scene: Scene) -> None:
    doctor = scene.reader.people["doctor"][0]
    consent = scene.network.grant(scene.home, "ada", scene.vault, Grantee.account(doctor.account))
    because = Because(Purpose.TREAT, consent)
    caller = scene.reader.caller("doctor")
    [listed] = list_records(caller, scene.vault, because)
    assert listed.record_id == scene.written.sealed.record_id
    capsule = scene.network.store.get(listed.capsule_cid)
    gathered = gather(caller, scene.vault, because, {listed.record_id: capsule})
    body = scene.network.store.get(listed.body_cid)
    opened = open_body(body, gathered.secrets[listed.record_id], record_id=listed.record_id)
    assert opened.items[0].content == scene.written.item.content
    assert len(gathered.receipts) == 2
