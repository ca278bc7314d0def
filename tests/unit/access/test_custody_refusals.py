"""Requests that a custodian must not answer, and answers that a reader must not believe."""

from __future__ import annotations

import dataclasses
import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from simdes.access.asking import Because, ask
from simdes.access.categories import Purpose
from simdes.access.consent import Consent
from simdes.access.desk import Desk, Limits
from simdes.access.messages import ReleaseBody
from simdes.access.reading import list_records
from simdes.access.requests import (
    b64,
    hexed,
    read_answer,
    sign_request,
    unb64,
)
from simdes.crypto.keys import SigningKey
from simdes.crypto.seal import combine_shares, open_body
from simdes.errors import (
    Forbidden,
    Invalid,
    NotFound,
    SimdesError,
    Tampered,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from simdes.exchange.custody import CustodyDesk
from unit.access.asking import ask_one, body, granted, read, refusals
from unit.access.conftest import Scene


def signed(scene: Scene, because: Because, **changes: object) -> bytes:
    parts = {
        "method": "release",
        "audience": scene.home.id,
        "chain": scene.network.ledger.chain_id(),
        "body": body(scene, because),
        "now_seconds": int(scene.network.clock()),
        "random": os.urandom,
    } | changes
    signer = parts.pop("signer", scene.reader.people["doctor"][1])
    return sign_request(signer, **parts).token  # type: ignore[arg-type]


def entries(scene: Scene) -> int:
    return len(scene.home.desk.trail.entries(scene.home.database, vault=scene.vault.tag))


def test_a_replayed_request_is_refused_the_second_time(scene: Scene) -> None:
    token = signed(scene, granted(scene))
    assert scene.home.custody.answer("release", token)
    before = entries(scene)
    with pytest.raises(Unauthenticated, match="answered before"):
        scene.home.custody.answer("release", token)
    assert entries(scene) == before


def test_replicas_share_spent_nonces_through_the_database(scene: Scene) -> None:
    token = signed(scene, granted(scene))
    replica = CustodyDesk(scene.home.desk)
    assert scene.home.custody.answer("release", token)
    with pytest.raises(Unauthenticated):
        replica.answer("release", token)


@pytest.mark.parametrize(
    "change",
    [
        {"audience": os.urandom(32)},
        {"chain": 1},
        {"method": "manifests"},
        {"now_seconds": 0},
        {"lifetime_seconds": 61},
        {"lifetime_seconds": 0},
        {"lifetime_seconds": -5},
        {"signer": SigningKey.generate(os.urandom)},
    ],
    ids=["audience", "chain", "method", "expired", "long", "empty", "negative", "unregistered"],
)
def test_a_request_not_meant_for_here_and_now_leaves_no_trace(
    scene: Scene, change: dict[str, object]
) -> None:
    because = granted(scene)
    before, counted = entries(scene), sum(scene.home.custody.counters().values())
    with pytest.raises((Unauthenticated, Invalid)):
        scene.home.custody.answer("release", signed(scene, because, **change))
    assert entries(scene) == before
    assert sum(scene.home.custody.counters().values()) == counted + 1


def test_a_request_from_the_future_is_refused(scene: Scene) -> None:
    token = signed(scene, granted(scene), now_seconds=int(scene.network.clock()) + 30)
    with pytest.raises(Unauthenticated):
        scene.home.custody.answer("release", token)


def test_every_byte_of_a_signed_request_counts(scene: Scene) -> None:
    token = signed(scene, granted(scene))
    before = entries(scene)
    for at in range(0, len(token), max(1, len(token) // 150)):
        changed = bytearray(token)
        changed[at] = ord("A") if token[at] != ord("A") else ord("B")
        with pytest.raises((Unauthenticated, Invalid)):
            scene.home.custody.answer("release", bytes(changed))
    assert entries(scene) == before
    assert scene.home.custody.answer("release", token)


def test_unknown_members_and_algorithms_in_a_request_are_refused(scene: Scene) -> None:
    token = signed(scene, granted(scene))
    head, payload, signature = token.split(b".")
    header, claims = json.loads(unb64(head.decode())), json.loads(unb64(payload.decode()))
    bad_headers = [
        header | {"alg": "none"},
        header | {"alg": "HS256"},
        header | {"typ": "JWT"},
        header | {"crit": ["b64"]},
        header | {"jku": "https://elsewhere.invalid"},
        header | {"jwk": header["jwk"] | {"crv": "P-256"}},
        header | {"jwk": header["jwk"] | {"x": b64(bytes(32))}},
    ]
    for bad in bad_headers:
        forged = b64(json.dumps(bad).encode()).encode() + b"." + payload + b"." + signature
        with pytest.raises((Unauthenticated, Invalid)):
            scene.home.custody.answer("release", forged)
    extra = b64(json.dumps(claims | {"admin": True}).encode()).encode()
    with pytest.raises((Unauthenticated, Invalid)):
        scene.home.custody.answer("release", head + b"." + extra + b"." + signature)


def test_more_than_a_thousand_records_are_refused(scene: Scene) -> None:
    because = granted(scene)
    many = [hexed(os.urandom(32)) for _ in range(1_001)]
    with pytest.raises(Invalid):
        ask(
            scene.reader.caller("doctor"),
            scene.home.id,
            "release",
            {"basis": because.basis(scene.vault.tag), "records": many, "epoch": 1},
        )


def test_an_answer_is_bound_to_its_question_and_custodian(scene: Scene) -> None:
    because = granted(scene)
    asked = [
        sign_request(
            scene.reader.people["doctor"][1],
            method="release",
            audience=scene.home.id,
            chain=scene.network.ledger.chain_id(),
            body=body(scene, because),
            now_seconds=int(scene.network.clock()),
            random=os.urandom,
        )
        for _ in range(2)
    ]
    answer = scene.home.custody.answer("release", asked[0].token)
    assert read_answer(answer, asked[0]).body["shares"]
    with pytest.raises(Tampered):
        read_answer(answer, asked[1])
    for at in range(0, len(answer), max(1, len(answer) // 150)):
        changed = bytearray(answer)
        changed[at] = ord("A") if answer[at] != ord("A") else ord("B")
        with pytest.raises(Tampered):
            read_answer(bytes(changed), asked[0])


def test_an_answer_signed_by_somebody_else_does_not_count(scene: Scene) -> None:
    """A member's own agent key does not speak for another member."""
    because = granted(scene)
    impostor = dataclasses.replace(
        scene.home.desk, keystore=_Impostor(scene.home.desk, scene.third.keystore.lanes)
    )
    scene.network.client.open(scene.home.id, CustodyDesk(impostor).answer)
    with pytest.raises(Tampered, match="not signed by an agent"):
        ask_one(scene, because)


class _Impostor:
    """Home's key store with another organisation's signing keys."""

    def __init__(self, desk: Desk, lanes: tuple[SigningKey, ...]) -> None:
        self._kept = desk.keystore
        self.lanes = lanes

    def __getattr__(self, name: str) -> object:
        return getattr(self._kept, name)


def test_a_stale_head_is_refused_except_for_the_own_records(scene: Scene) -> None:
    because = granted(scene)
    stale = dataclasses.replace(
        scene.home.desk,
        limits=Limits(stale_after_seconds=60),
        clock=lambda: scene.network.clock() + 61 + 15,
    )
    scene.network.client.open(scene.home.id, CustodyDesk(stale).answer)
    caller = dataclasses.replace(scene.reader.caller("doctor"), clock=stale.clock)
    with pytest.raises(Unavailable, match="behind"):
        ask(caller, scene.home.id, "release", body(scene, because))
    assert ("release", "STALE_LEDGER") in refusals(scene.home, scene.vault.tag)
    own = dataclasses.replace(scene.home.caller(), clock=stale.clock)
    assert ask(own, scene.home.id, "release", body(scene, Because(Purpose.TREAT)))


def test_contracts_changed_under_a_custodian_stop_it_until_accepted(scene: Scene) -> None:
    from simdes.access.desk import PinWatch
    from simdes.ledger.network import pins

    now = pins(scene.network.ledger, scene.network.town.addresses)
    before = dataclasses.replace(
        now, code_hashes=now.code_hashes | {"consents.implementation": bytes(32)}
    )
    changed = dataclasses.replace(scene.home.desk, pins=PinWatch(before))
    scene.network.client.open(scene.home.id, CustodyDesk(changed).answer)
    with pytest.raises(Unavailable, match="contracts changed"):
        ask_one(scene, granted(scene))


def test_calls_of_one_account_are_limited_and_the_refusal_is_audited_once(scene: Scene) -> None:
    because = granted(scene)
    desk = dataclasses.replace(scene.home.desk, limits=Limits(calls_per_minute=3))
    scene.network.client.open(scene.home.id, CustodyDesk(desk).answer)
    for _ in range(3):
        ask_one(scene, because)
    before = len(scene.home.desk.trail.entries(scene.home.database, limit=10_000))
    for _ in range(3):
        with pytest.raises(TooLarge):
            ask_one(scene, because)
    after = scene.home.desk.trail.entries(scene.home.database, limit=10_000)
    assert [e.attempt.reason for _, e in after[before:]] == ["RATE_LIMITED"]
    scene.network.clock.advance(61)
    assert ask_one(scene, because)


def test_the_entry_is_durable_before_the_answer(scene: Scene) -> None:
    """If writing the entry fails, nothing is answered; if answering fails, the entry stands."""
    because = granted(scene)

    class Broken:
        def append(self, *_: object) -> None:
            raise Unavailable("disk full")

    desk = dataclasses.replace(scene.home.desk, trail=Broken())  # type: ignore[arg-type]
    with pytest.raises(Unavailable, match="disk full"):
        CustodyDesk(desk).answer("release", signed(scene, because))
    before = entries(scene)
    dumb = dataclasses.replace(scene.home.desk, keystore=_Impostor(scene.home.desk, ()))
    with pytest.raises(IndexError):
        CustodyDesk(dumb).answer("release", signed(scene, because))
    assert entries(scene) == before + 1


def test_who_copies_a_record_id_into_a_batch_of_its_own_does_not_hide_the_record(
    scene: Scene,
) -> None:
    record = scene.written.sealed.record_id
    scene.network.write(
        scene.second,
        scene.vault,
        b"{}",
        alter=lambda entry: dataclasses.replace(entry, record_id=record, time_ms=1),
    )
    because = granted(scene)
    assert read(scene, because).secrets
    assert [
        one.organisation
        for one in list_records(scene.reader.caller("doctor"), scene.vault, because)
    ].count(scene.home.id) == 1


def test_a_wrong_epoch_and_an_unknown_record_release_nothing(scene: Scene) -> None:
    because = granted(scene)
    asking = body(scene, because)
    with pytest.raises(NotFound):
        ask(
            scene.reader.caller("doctor"),
            scene.home.id,
            "release",
            ReleaseBody(basis=asking.basis, records=asking.records, epoch=2),
        )
    with pytest.raises(NotFound):
        ask_one(scene, because, os.urandom(32))


def test_a_share_alone_is_not_the_secret(scene: Scene) -> None:
    because = granted(scene)
    answer = ask(scene.reader.caller("doctor"), scene.home.id, "release", body(scene, because))
    [[record, index, value]] = answer.body["shares"]  # type: ignore[misc]
    capsule = scene.network.store.get(scene.written.capsule_cid)
    from simdes.crypto.shares import Share

    with pytest.raises(SimdesError):
        combine_shares(capsule, [Share(index, value)])  # type: ignore[arg-type]
    stored = scene.network.store.get(scene.written.body_cid)
    with pytest.raises(SimdesError):
        open_body(stored, value, record_id=record)  # type: ignore[arg-type]


def test_terms_of_another_consent_do_not_open(scene: Scene) -> None:
    because = granted(scene)
    assert because.consent is not None
    wider = dataclasses.replace(because.consent.terms, categories=(1 << 64) - 1)
    forged = Consent(scene.vault.tag, because.consent.handle, wider, because.consent.salt)
    with pytest.raises(Forbidden, match="TERMS_MISMATCH"):
        read(scene, Because(Purpose.TREAT, forged))


def test_many_readers_at_once_each_get_their_answer_and_their_entry(scene: Scene) -> None:
    because = granted(scene)
    before = entries(scene)
    tokens = [signed(scene, because) for _ in range(32)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(partial(scene.home.custody.answer, "release"), tokens))
    assert len(answers) == 32
    assert entries(scene) == before + 32
    assert scene.home.desk.trail.verify_chain(scene.home.database)


def test_one_request_sent_many_times_at_once_is_answered_once(scene: Scene) -> None:
    token = signed(scene, granted(scene))
    before = entries(scene)

    def answered(_: int) -> bool:
        try:
            return bool(scene.home.custody.answer("release", token))
        except Unauthenticated:
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(answered, range(16))) == 1
    assert entries(scene) == before + 1
