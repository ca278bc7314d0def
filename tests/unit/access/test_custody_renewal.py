"""`renew`, `deal` and `accept`: what is agreed on is dealt, nothing else; who lies is refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from simdes.access import custody_keys
from simdes.access.asking import ask
from simdes.access.audit_event import Verb
from simdes.access.custody_renewal import part_of
from simdes.access.messages import RenewalBody, RenewBody
from simdes.access.requests import hexed
from simdes.crypto.capsule import OpenedShare
from simdes.crypto.dealing import assemble, deal
from simdes.crypto.keys import SigningKey
from simdes.crypto.seal import combine_shares, open_share
from simdes.crypto.shares import Share
from simdes.errors import Forbidden, Invalid, NotFound, Tampered
from simdes.index import renewals
from simdes.ledger.renewals import Renewal, renew_vault
from unit.access.conftest import Scene
from unit.access.network import Organisation
from unit.access.renewing import accept_body, deal_body, entry, next_epoch, signed


@pytest.fixture
def fourth(scene: Scene) -> Organisation:
    return scene.network.members[3]


@pytest.fixture
def renewal(scene: Scene, fourth: Organisation) -> Renewal:
    """third leaves, fourth joins."""
    return next_epoch(scene, (scene.home, scene.second, fourth))


def reasons(member: Organisation, verb: Verb, vault: bytes) -> list[str]:
    entries = member.desk.trail.entries(member.database, vault=vault, limit=10_000)
    return [one.attempt.reason for _, one in entries if one.attempt.verb is verb]


def old_share(member: Organisation, scene: Scene) -> OpenedShare:
    with member.database.read() as tx:
        key = custody_keys.opening_key(tx, member.keystore, scene.vault.tag, epoch=1)
    assert key is not None
    return open_share(scene.written.sealed.capsule, key, member.id)


def dealt(scene: Scene, renewal: Renewal, signatures: list[bytes]) -> bytes:
    """The new capsule, of parts that second and third dealt when asked."""
    record = scene.written.sealed.record_id
    body = deal_body(renewal, signatures, [record])
    parts = []
    for member in (scene.second, scene.third):
        [row] = ask(scene.home.caller(), member.id, "deal", body).body["parts"]  # type: ignore[misc]
        named, part = part_of(row)
        assert named == record
        parts.append(part)
    return assemble(old_share(scene.home, scene), parts, epoch=renewal.epoch, m=renewal.m)


# deal -----------------------------------------------------------------------------------------


def test_what_the_patient_agreed_to_is_dealt_kept_and_opens(
    scene: Scene, renewal: Renewal, fourth: Organisation
) -> None:
    scene.network.follow()
    capsule = dealt(scene, renewal, signed(scene, renewal))
    cid = scene.network.store.put(capsule)
    record = scene.written.sealed.record_id
    opened = []
    for member in (scene.home, scene.second, fourth):
        receipt = ask(
            scene.home.caller(), member.id, "accept", accept_body(scene, renewal, cid)
        ).receipt
        assert (receipt["good"], receipt["bad"]) == ([hexed(record)], {}), member.name
        with member.database.read() as tx:
            key = custody_keys.opening_key(tx, member.keystore, scene.vault.tag, epoch=2)
            known = renewals.capsules(tx, [record], epoch=2)
        assert known[record].capsule_cid == cid
        assert key is not None
        opened.append(open_share(capsule, key, member.id))
    shares = [Share(one.index, one.value) for one in opened]
    assert combine_shares(capsule, shares[1:]) == combine_shares(capsule, shares[:2])
    assert reasons(scene.second, Verb.DEAL, scene.vault.tag) == [""]
    assert reasons(fourth, Verb.ACCEPT, scene.vault.tag) == [""]


def test_nothing_is_dealt_without_the_patients_signature(scene: Scene, renewal: Renewal) -> None:
    record = scene.written.sealed.record_id
    mallory = SigningKey.generate(os.urandom)
    agents = [scene.home.keystore.lanes[0], scene.second.keystore.lanes[0]]
    for signatures in (
        [],
        signed(scene, renewal, mallory),
        signed(scene, renewal, *agents),
        signed(scene, renewal, scene.reader.people["doctor"][1]),
        signed(scene, replace(renewal, m=3)),
        signed(scene, replace(renewal, organisation=scene.second.id)),
        signed(scene, replace(renewal, deadline=renewal.deadline + 1)),
    ):
        with pytest.raises(Forbidden, match="NOT_AGREED"):
            ask(
                scene.home.caller(),
                scene.second.id,
                "deal",
                deal_body(renewal, signatures, [record]),
            )
    assert set(reasons(scene.second, Verb.DEAL, scene.vault.tag)) == {"NOT_AGREED"}


def test_who_was_not_agreed_on_gets_nothing_with_the_patients_signature(
    scene: Scene, renewal: Renewal, fourth: Organisation
) -> None:
    body = deal_body(renewal, signed(scene, renewal), [scene.written.sealed.record_id])
    for member in (scene.reader, fourth):
        with pytest.raises(Forbidden, match="NOT_ITS_VAULT"):
            ask(member.caller(), scene.second.id, "deal", body)
    with pytest.raises(Forbidden, match="NOT_AGREED"):
        ask(scene.third.caller(), scene.second.id, "deal", body)


def test_a_later_epoch_than_the_next_is_not_dealt_for(scene: Scene, renewal: Renewal) -> None:
    later = replace(renewal, epoch=3)
    body = deal_body(later, signed(scene, later), [scene.written.sealed.record_id])
    with pytest.raises(Forbidden, match="NOT_AGREED"):
        ask(scene.home.caller(), scene.second.id, "deal", body)


def test_a_descriptor_that_says_something_else_than_agreed_is_not_dealt_for(
    scene: Scene, renewal: Renewal
) -> None:
    for other in (
        replace(renewal, m=3),
        replace(renewal, n=4),
        replace(renewal, descriptor=b"\1" * 32),
    ):
        body = deal_body(other, signed(scene, other), [scene.written.sealed.record_id])
        with pytest.raises(Exception, match=r"share|store|differs"):
            ask(scene.home.caller(), scene.second.id, "deal", body)


def test_records_of_another_vault_are_not_dealt(scene: Scene, renewal: Renewal) -> None:
    other = scene.network.open_vault(scene.home, (scene.home, scene.second, scene.third), m=2)
    elsewhere = scene.network.write(scene.home, other, b"{}")
    body = deal_body(renewal, signed(scene, renewal), [elsewhere.sealed.record_id, os.urandom(32)])
    assert ask(scene.home.caller(), scene.second.id, "deal", body).body["parts"] == []


def test_in_force_the_rest_is_dealt_under_that_descriptor_alone(
    scene: Scene, renewal: Renewal, fourth: Organisation
) -> None:
    scene.network.follow()
    signatures = signed(scene, renewal)
    other = next_epoch(scene, (scene.home, scene.second, scene.third, fourth))
    accounts = scene.home.contracts.accounts
    scene.home.agent.transact(renew_vault(accounts, renewal, signatures))
    scene.network.follow()
    record = scene.written.sealed.record_id
    assert ask(scene.home.caller(), scene.third.id, "deal", deal_body(renewal, [], [record])).body[
        "parts"
    ]
    with pytest.raises(Forbidden, match="NOT_AGREED"):
        ask(
            scene.home.caller(),
            scene.third.id,
            "deal",
            deal_body(other, signed(scene, other), [record]),
        )


def test_too_much_at_once_is_refused(scene: Scene, renewal: Renewal) -> None:
    many = deal_body(renewal, signed(scene, renewal), [os.urandom(32) for _ in range(33)])
    with pytest.raises(Invalid):
        ask(scene.home.caller(), scene.second.id, "deal", many)


# keep -----------------------------------------------------------------------------------------


@pytest.fixture
def capsule_cid(scene: Scene, renewal: Renewal) -> Iterator[str]:
    scene.network.follow()
    return scene.network.store.put(dealt(scene, renewal, signed(scene, renewal)))


def kept(scene: Scene, member: Organisation, renewal: Renewal, cid: str, **more: object) -> str:
    """ "" where the member keeps its share, else why not."""
    receipt = ask(
        scene.home.caller(), member.id, "accept", accept_body(scene, renewal, cid, **more)
    ).receipt
    bad = receipt["bad"]
    assert isinstance(bad, dict)
    return str(next(iter(bad.values()), ""))


def test_a_joining_custodian_believes_nothing_about_a_record(
    scene: Scene, renewal: Renewal, fourth: Organisation, capsule_cid: str
) -> None:
    other = scene.network.write(scene.second, scene.vault, b"{}")
    lies: dict[str, dict[str, object]] = {
        "BAD_CAPSULE": {"category": 4},
        "BAD_ENTRY": {"batch_id": os.urandom(32)},
    }
    for expected, lie in lies.items():
        assert kept(scene, fourth, renewal, capsule_cid, **lie) == expected
    for expected, lie in (
        ("BAD_CAPSULE", {"labels": 1}),
        ("BAD_CAPSULE", {"record_id": os.urandom(32)}),
        ("BAD_ENTRY", {"organisation": scene.second.id}),
        ("BAD_ENTRY", {"author": scene.second.keystore.lanes[0].address}),
        ("BAD_ENTRY", {"indexes": (99,)}),
        ("BAD_ENTRY", {"batch_id": other.batch_id}),
    ):
        assert kept(scene, fourth, renewal, capsule_cid, **lie) == expected, lie
    with fourth.database.read() as tx:
        assert renewals.capsules(tx, [entry(scene).record_id], epoch=9) == {}


def test_a_capsule_of_dealers_who_were_no_custodians_is_refused(
    scene: Scene, renewal: Renewal, fourth: Organisation
) -> None:
    """Dealt well, but in another's name: the chain knows who had which share."""
    scene.network.follow()
    new = scene.home.directory.descriptor(renewal.descriptor)
    first, second = old_share(scene.home, scene), old_share(scene.second, scene)

    def part(share: OpenedShare, who: bytes, signer: SigningKey):  # type: ignore[no-untyped-def]
        return deal(
            share,
            organisation=who,
            epoch=2,
            m=2,
            custodians=new.custodians,
            signer=signer,
        )

    home, reader = scene.home.keystore.lanes[0], scene.reader.keystore.lanes[0]
    honest = part(first, scene.home.id, home)
    for who, signer in (
        (scene.reader.id, reader),
        (scene.second.id, SigningKey.generate(os.urandom)),
        (scene.home.id, home),
    ):
        capsule = assemble(first, [honest, part(second, who, signer)], epoch=2, m=2)
        cid = scene.network.store.put(capsule)
        assert kept(scene, fourth, renewal, cid) == "BAD_CAPSULE"


@pytest.mark.parametrize("place", ["old capsule", "other bytes", "nothing"])
def test_a_capsule_that_is_none_of_this_epoch_is_refused(
    scene: Scene, renewal: Renewal, fourth: Organisation, place: str
) -> None:
    cid = {
        "old capsule": scene.written.capsule_cid,
        "other bytes": scene.network.store.put(b"\0" * 40),
        "nothing": "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
    }[place]
    expected = "SHARE_UNAVAILABLE" if place == "nothing" else "BAD_CAPSULE"
    assert kept(scene, fourth, renewal, cid) == expected


def test_who_is_not_in_the_next_epoch_keeps_nothing(
    scene: Scene, renewal: Renewal, capsule_cid: str
) -> None:
    body = accept_body(scene, renewal, capsule_cid)
    for member in (scene.third, scene.reader):
        with pytest.raises(Forbidden, match="NOT_CUSTODIAN"):
            ask(scene.home.caller(), member.id, "accept", body)
    with pytest.raises(Forbidden, match="NOT_ITS_VAULT"):
        ask(scene.reader.caller(), scene.second.id, "accept", body)


# renew ----------------------------------------------------------------------------------------


@pytest.fixture
def provisional(scene: Scene) -> Scene:
    vault = scene.network.open_vault(scene.home, (scene.home, scene.second, scene.third), m=2)
    scene.vault = vault
    return scene


def agreed(scene: Scene, renewal: Renewal, *, by: Organisation | None = None) -> bytes:
    body = RenewBody(renewal=RenewalBody.of(renewal))
    answer = ask((by or scene.home).caller(), scene.second.id, "renew", body)
    signature = answer.body["signature"]
    assert isinstance(signature, bytes)
    return signature


def test_another_custodian_agrees_and_the_contract_takes_it(
    provisional: Scene, fourth: Organisation
) -> None:
    scene = provisional
    renewal = next_epoch(scene, (scene.home, scene.second, fourth))
    [own] = signed(scene, renewal, scene.home.keystore.lanes[0])
    call = renew_vault(scene.home.contracts.accounts, renewal, [own, agreed(scene, renewal)])
    scene.home.agent.transact(call)
    known = scene.home.contracts.accounts.vault(scene.vault.tag)
    assert known is not None
    assert (known.epoch, known.descriptor) == (2, renewal.descriptor)


def test_software_agrees_for_no_patients_vault(scene: Scene, renewal: Renewal) -> None:
    with pytest.raises(Forbidden, match="CONTROLLED"):
        agreed(scene, renewal)


def test_software_agrees_to_no_set_that_is_unfit(provisional: Scene, fourth: Organisation) -> None:
    scene = provisional
    stranger = next_epoch(scene, (scene.home, fourth, scene.reader))
    with pytest.raises(Forbidden, match="UNFIT_CUSTODIANS"):
        agreed(scene, stranger)
    new = next_epoch(scene, (scene.home, scene.second, fourth))
    for other, reason in (
        (replace(new, deadline=int(scene.network.clock()) - 1), "DEADLINE"),
        (replace(new, deadline=int(scene.network.clock()) + 8 * 86_400), "DEADLINE"),
        (replace(new, epoch=3), "WRONG_EPOCH|this epoch"),
        (replace(new, m=3), "UNFIT_CUSTODIANS"),
        (replace(new, organisation=scene.third.id), "NOT_ITS_VAULT"),
    ):
        with pytest.raises((Forbidden, NotFound), match=reason):
            agreed(scene, other)


def test_only_who_opened_the_vault_is_agreed_with(provisional: Scene, fourth: Organisation) -> None:
    scene = provisional
    for by in (scene.third, scene.reader):
        renewal = next_epoch(scene, (scene.home, scene.second, fourth), by=by)
        with pytest.raises(Forbidden, match="NOT_ITS_VAULT"):
            agreed(scene, renewal, by=by)


def test_malformed_parts_are_told() -> None:
    for row in (None, [], [b"", 1, []], [b"", "1", [], []], [b"", 1, [1], []], [b"", 1, [], ["x"]]):
        with pytest.raises(Tampered):
            part_of(row)  # type: ignore[arg-type]
