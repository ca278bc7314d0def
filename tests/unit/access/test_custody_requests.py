"""`request` and `explain`: who may leave words for a patient, where, and how many."""

from __future__ import annotations

import os

import pytest

from simdes.access.asking import Answer, Caller, ask
from simdes.access.categories import Purpose, Role
from simdes.access.custody_requests import open_words, reason_digest
from simdes.access.messages import ExplainBody, RequestBody
from simdes.access.requests import hexed
from simdes.errors import Forbidden
from simdes.index import access_requests, emergencies
from unit.access.conftest import Scene
from unit.access.network import Organisation


def request(caller: Caller, asked: Organisation, tag: bytes, **others: object) -> Answer:
    body = {"categories": 8, "purpose": int(Purpose.TREAT), "days": 7, "name": "D", "text": "Why."}
    return ask(caller, asked.id, "request", RequestBody(vault=hexed(tag), **body | others))  # type: ignore[arg-type]


def waiting(member: Organisation, tag: bytes) -> list[access_requests.AccessRequest]:
    with member.database.read() as tx:
        return access_requests.of_vault(tx, tag)


def test_words_lie_with_the_patients_host_alone_and_wrapped(scene: Scene) -> None:
    tag, doctor = scene.vault.tag, scene.reader.caller("doctor")
    said = request(doctor, scene.home, tag, text="About your left knee.")
    assert said.receipt["vault"] == hexed(tag)
    [row] = waiting(scene.home, tag)
    assert (row.role, row.organisation) == (int(Role.DOCTOR), scene.reader.id)
    assert b"your left knee" not in row.words_wrapped
    with scene.home.database.read() as tx:
        words = open_words(scene.home.keystore, tx, tag, row.words_wrapped)
    assert words == {"name": "D", "text": "About your left knee."}
    for elsewhere in (scene.second, scene.reader):
        with pytest.raises(Forbidden, match="NOT_HOSTED"):
            request(doctor, elsewhere, tag)
    with pytest.raises(Forbidden, match="UNKNOWN_VAULT"):
        request(doctor, scene.home, bytes(32))
    with pytest.raises(Forbidden, match="PURPOSE"):
        request(doctor, scene.home, tag, purpose=int(Purpose.HRESCH))


def opened(scene: Scene, salt: bytes, reason: str, text: str) -> bytes:
    """An emergency of the reader's doctor, with this reason's digest."""
    handle, key = os.urandom(32), scene.reader.people["doctor"][1]
    call = scene.reader.contracts.consents.open_emergency(
        tag=scene.vault.tag, handle=handle, reason_digest=reason_digest(salt, reason, text)
    )
    scene.network.lane(key).transact(call)
    scene.network.follow()
    return handle


def explain(caller: Caller, asked: Organisation, **fields: object) -> Answer:
    return ask(caller, asked.id, "explain", ExplainBody(name="D", **fields))  # type: ignore[arg-type]


def test_a_reason_is_taken_from_who_opened_and_only_as_its_digest_has_it(scene: Scene) -> None:
    salt, doctor = os.urandom(32), scene.reader.caller("doctor")
    handle = opened(scene, salt, "other", "Found alone.")
    right = {
        "vault": hexed(scene.vault.tag),
        "handle": hexed(handle),
        "salt": hexed(salt),
        "reason": "other",
        "text": "Found alone.",
    }
    user = f"doctor-{handle.hex()[:6]}"
    scene.reader.enrol(user, Role.DOCTOR)
    with pytest.raises(Forbidden, match="NOT_OPENED"):
        explain(scene.reader.caller(user), scene.home, **right)
    for wrong in (
        {"text": "Found along."},
        {"reason": "danger"},
        {"salt": hexed(bytes(32))},
        {"handle": hexed(bytes(32))},
    ):
        with pytest.raises(Forbidden, match="NOT_OPENED"):
            explain(doctor, scene.home, **right | wrong)
    with pytest.raises(Forbidden, match="NOT_HOSTED"):
        explain(doctor, scene.second, **right)
    explain(doctor, scene.home, **right)
    explain(doctor, scene.home, **right)
    with scene.home.database.read() as tx:
        kept = emergencies.get(tx, scene.vault.tag, handle)
    assert kept is not None and b"Found alone" not in kept.words_wrapped


def test_what_was_asked_goes_with_an_erased_vault(scene: Scene) -> None:
    tag = scene.vault.tag
    request(scene.reader.caller("doctor"), scene.home, tag)
    assert waiting(scene.home, tag)
    ask(scene.home.caller("ada"), scene.home.id, "erase", {"vault": hexed(tag)})
    assert not waiting(scene.home, tag)
