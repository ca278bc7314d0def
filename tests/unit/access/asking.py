"""How the release tests ask: as the reader's doctor, about the scene's record."""

from __future__ import annotations

from simdes.access.asking import Because, Caller, ask
from simdes.access.audit_event import Verb
from simdes.access.categories import Purpose
from simdes.access.consent import Grantee
from simdes.access.messages import ReleaseBody
from simdes.access.reading import Gathered, gather
from simdes.access.requests import hexed
from unit.access.conftest import Scene
from unit.access.network import Organisation


def granted(scene: Scene, **options: object) -> Because:
    doctor = scene.reader.people["doctor"][0]
    consent = scene.network.grant(
        scene.home,
        "ada",
        scene.vault,
        Grantee.account(doctor.account),
        **options,  # type: ignore[arg-type]
    )
    listed = tuple(options.get("records", ()))  # type: ignore[arg-type]
    return Because(Purpose.TREAT, consent, listed=listed)


def read(scene: Scene, because: Because, caller: Caller | None = None) -> Gathered:
    record = scene.written.sealed.record_id
    capsules = {record: scene.network.store.get(scene.written.capsule_cid)}
    return gather(caller or scene.reader.caller("doctor"), scene.vault, because, capsules)


def body(scene: Scene, because: Because, *records: bytes) -> ReleaseBody:
    ids = records or (scene.written.sealed.record_id,)
    return ReleaseBody(
        basis=because.basis(scene.vault.tag), records=[hexed(one) for one in ids], epoch=1
    )


def refusals(member: Organisation, vault: bytes) -> list[tuple[str, str]]:
    entries = member.desk.trail.entries(member.database, vault=vault)
    return [(e.attempt.verb.value, e.attempt.reason) for _, e in entries if e.attempt.reason]


def grants(member: Organisation, vault: bytes) -> list[Verb]:
    entries = member.desk.trail.entries(member.database, vault=vault)
    return [e.attempt.verb for _, e in entries if e.attempt.granted]


def ask_one(scene: Scene, because: Because, *records: bytes) -> object:
    caller = scene.reader.caller("doctor")
    return ask(caller, scene.home.id, "release", body(scene, because, *records))
