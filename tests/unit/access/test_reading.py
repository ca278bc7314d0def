"""The reader's side against custodians that answer properly signed nonsense."""

from __future__ import annotations

import os
from typing import Any

import pytest

from simdes.access.asking import Because, ask
from simdes.access.categories import Purpose
from simdes.access.messages import LogBody
from simdes.access.reading import gather, list_records, locate, look_up, read_log
from simdes.access.requests import hexed
from simdes.crypto import keys
from simdes.errors import Forbidden, Invalid, SimdesError, Tampered, TooLarge
from unit.access.conftest import Scene
from unit.access.liars import answering


def patient_gathers(scene: Scene) -> dict[bytes, bytes]:
    record = scene.written.sealed.record_id
    capsules = {record: scene.network.store.get(scene.written.capsule_cid)}
    because = Because(Purpose.PATRQT)
    return dict(gather(scene.home.caller("ada"), scene.vault, because, capsules).secrets)


def bad_share_lists(record: bytes) -> list[Any]:
    return [
        None,
        7,
        "x",
        [],
        [7],
        [[]],
        [[record]],
        [[record, 1, b"short"]],
        [[record, 1, bytes(32)]],
        [[record, 2, bytes(32)]],
        [[record, 0, bytes(32)]],
        [[record, "1", bytes(32)]],
        [[os.urandom(32), 1, bytes(32)]],
        [["record", 1, bytes(32)]],
        [{"record": record}],
    ]


def test_nonsense_from_one_custodian_does_not_stop_a_read(scene: Scene) -> None:
    record = scene.written.sealed.record_id
    for nonsense in bad_share_lists(record):
        body = {} if nonsense is None else {"shares": nonsense}
        for receipt in ({}, {"refused": 7}, {"refused": {"0xzz": "x", "y": 1}}):
            scene.network.client.open(scene.home.id, answering(scene.home, receipt, body))
            assert record in patient_gathers(scene)


def test_a_refusal_by_one_custodian_is_not_the_last_word(scene: Scene) -> None:
    record = scene.written.sealed.record_id
    refused = {"refused": {hexed(record): "REVOKED"}}
    scene.network.client.open(scene.home.id, answering(scene.home, refused, {"shares": []}))
    assert record in patient_gathers(scene)
    scene.network.client.open(scene.second.id, answering(scene.second, refused, {"shares": []}))
    with pytest.raises(Forbidden, match="REVOKED"):
        patient_gathers(scene)


@pytest.mark.parametrize(
    "entries",
    [
        [7],
        [[]],
        [[bytes(32)] * 12],
        [[bytes(32), 1, 2, [], "x", bytes(32), "y", bytes(32), [], bytes(32), bytes(19), 3]],
        [[bytes(32), 1, 2, [7], "x", bytes(32), "y", bytes(32), [], bytes(32), bytes(20), 3]],
        [[bytes(32), 1, 2, "A", "x", bytes(32), "y", bytes(32), [], bytes(32), bytes(20), 3]],
        [[bytes(32), 1, 2, [], "x", bytes(32), "y", bytes(32), ["z"], bytes(32), bytes(20), 3]],
        [{}],
        ["x" * 12],
    ],
)
def test_a_malformed_list_is_refused_and_another_custodian_asked(
    scene: Scene, entries: list[Any]
) -> None:
    because, caller = Because(Purpose.PATRQT), scene.home.caller("ada")
    body = {"entries": entries, "more": 0}
    for member in (scene.home, scene.second):
        scene.network.client.open(member.id, answering(member, {}, body))
    assert len(list_records(caller, scene.vault, because)) == 1  # the third is honest
    scene.network.client.open(scene.third.id, answering(scene.third, {}, body))
    with pytest.raises(Tampered):
        list_records(caller, scene.vault, because)
    with pytest.raises(Tampered):
        look_up(caller, scene.vault, because, [scene.written.sealed.record_id])


def test_a_list_that_never_ends_is_cut_off(scene: Scene) -> None:
    row = [bytes(32), 1, 2, ["A"], "x", bytes(32), "y", bytes(32), [0], bytes(32), bytes(20), 3]
    endless = answering(scene.home, {}, {"entries": [row], "more": 1})
    for member in (scene.home, scene.second, scene.third):
        scene.network.client.open(member.id, answering(member, {}, {"entries": [row], "more": 1}))
    scene.network.client.open(scene.home.id, endless)
    with pytest.raises(Tampered):
        list_records(scene.home.caller("ada"), scene.vault, Because(Purpose.PATRQT))
    page = {"entries": ["{}"], "last": 1, "more": 1}
    scene.network.client.open(scene.home.id, answering(scene.home, {}, page))
    with pytest.raises(Tampered):
        read_log(scene.home.caller("ada"), scene.vault.tag, scene.home.id)


@pytest.mark.parametrize(
    "vaults", [[7], [[]], [[b"", 1, 1, []]], [[bytes(32), "2", 1, [bytes(32)]]], ["x"]]
)
def test_a_malformed_answer_to_locate_is_refused(scene: Scene, vaults: list[Any]) -> None:
    lying = answering(scene.home, {}, {"vaults": vaults})
    scene.network.client.open(scene.home.id, lying)
    with pytest.raises(Tampered):
        locate(scene.reader.caller("doctor"), scene.home.id, [("s", "v")], purpose=0)


def test_capsules_that_do_not_fit_are_refused_before_anybody_is_asked(scene: Scene) -> None:
    capsule = scene.network.store.get(scene.written.capsule_cid)
    caller, because = scene.home.caller("ada"), Because(Purpose.PATRQT)
    with pytest.raises(Invalid):
        gather(caller, scene.vault, because, {})
    with pytest.raises(TooLarge):
        gather(caller, scene.vault, because, dict.fromkeys(map(bytes, range(1_001)), capsule))
    with pytest.raises(Tampered):
        gather(caller, scene.vault, because, {os.urandom(32): capsule})
    with pytest.raises(SimdesError):
        gather(caller, scene.vault, because, {scene.written.sealed.record_id: capsule[:-1]})


def test_an_answer_that_is_no_map_is_refused(scene: Scene) -> None:
    scene.network.client.open(scene.home.id, lambda method, token: token)
    with pytest.raises(Tampered):
        ask(scene.home.caller("ada"), scene.home.id, "log", LogBody(vault=hexed(scene.vault.tag)))


def test_nothing_is_kept_of_the_one_time_keys_that_custodians_answer_to(scene: Scene) -> None:
    """Ten kilobytes for each answer, up to what a cache holds, were a soak's growing memory."""
    patient_gathers(scene)
    kept = keys._public_key.cache_info().currsize
    patient_gathers(scene)
    assert keys._public_key.cache_info().currsize == kept
