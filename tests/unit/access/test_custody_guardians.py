"""`appoint` and `vouch`: guardians by the chain are heard, everybody else learns nothing."""

from __future__ import annotations

import os

import pytest

from simdes.access.asking import ask
from simdes.access.audit_event import Attempt, Verb
from simdes.access.categories import Role
from simdes.access.guardians import Seat, code_of, seat_all
from simdes.access.messages import (
    AppointBody,
    AttestationBody,
    RecoverBody,
    SeatBody,
    VouchBody,
)
from simdes.access.requests import hexed
from simdes.crypto.keys import SigningKey
from simdes.errors import Forbidden, Invalid
from simdes.index import attested_recoveries, freezes
from simdes.index import guardians as rows
from unit.access.conftest import Scene
from unit.access.network import Organisation

FRIENDS = ("bo", "cy")


@pytest.fixture
def guarded(scene: Scene) -> tuple[Scene, list[Seat], bytes]:
    """Ada of home has two guardians at `second`; one new key of hers waits. Its address."""
    home, second = scene.home, scene.second
    people = [second.enrol(f"{one}-{os.urandom(4).hex()}", Role.PATIENT) for one in FRIENDS]
    scene.friends = people  # type: ignore[attr-defined]
    root, seats = seat_all([(os.urandom(32), one.address) for one in people])
    ada, key = home.people["ada"]
    accounts = home.contracts.accounts
    home.network.lane(key).transact(accounts.set_guardians(root=root, count=2, threshold=2))
    home.network.clock.advance(5)
    home.agent.transact(accounts.complete_guardians(ada.account))
    address = os.urandom(20)
    known = accounts.account(ada.account)
    assert known is not None
    recovery = rows.Recovery(
        account=ada.account,
        address=address,
        locked_wrapped=b"locked",
        nonce=known.guardian_nonce,
        deadline_seconds=int(home.network.clock()) + 3600,
        begun_ms=1,
        state=rows.OPEN,
    )
    home.database.write(lambda tx: rows.add_recovery(tx, recovery))
    return scene, list(seats), address


def key_of(scene: Scene, number: int) -> SigningKey:
    person = scene.friends[number]  # type: ignore[attr-defined]
    return scene.second.people[person.user][1]


def vouched(member: Organisation) -> list[Attempt]:
    entries = member.desk.trail.entries(member.database, limit=100_000)
    return [one.attempt for _, one in entries if one.attempt.verb is Verb.VOUCH]


def body_of(scene: Scene, seat: Seat, code: str, signature: bytes | None = None) -> VouchBody:
    return VouchBody(
        account=hexed(scene.home.people["ada"][0].account),
        code=code,
        seat=SeatBody.of(seat),
        signature=None if signature is None else hexed(signature),
    )


def test_a_guardian_is_told_by_their_ward_alone(
    guarded: tuple[Scene, list[Seat], bytes],
) -> None:
    scene, seats, _ = guarded
    friend = scene.friends[0]  # type: ignore[attr-defined]
    body = AppointBody(
        guardian=hexed(friend.account),
        seat=SeatBody.of(seats[0]),
        threshold=2,
        name="Ada of the mill",
    )
    ask(scene.home.caller("ada"), scene.second.id, "appoint", body)
    with scene.second.database.read() as tx:
        [kept] = rows.guardianships(tx, friend.account)
    assert b"Ada Lovelace" not in kept.details_wrapped
    with pytest.raises(Forbidden, match="NOT_GUARDIAN"):  # somebody else's set
        ask(scene.home.caller(), scene.second.id, "appoint", body)
    with pytest.raises(Forbidden, match="NOT_HOSTED"):
        ask(scene.home.caller("ada"), scene.third.id, "appoint", body)
    for wrong in (
        AppointBody(guardian=body.guardian, seat=SeatBody.of(seats[1]), threshold=2, name="Ada"),
        AppointBody(guardian=body.guardian, seat=body.seat, threshold=1, name="Ada"),
    ):
        with pytest.raises(Forbidden, match="NOT_GUARDIAN"):
            ask(scene.home.caller("ada"), scene.second.id, "appoint", wrong)


def test_who_signs_by_a_wallet_is_not_taken_for_a_guardian(
    guarded: tuple[Scene, list[Seat], bytes],
) -> None:
    """They could let nobody in: these pages have no key of theirs to sign with."""
    scene, seats, _ = guarded
    friend = scene.friends[0]  # type: ignore[attr-defined]
    keystore = scene.second.keystore
    keystore.replace_key(friend.account, friend.address, b"")
    body = AppointBody(
        guardian=hexed(friend.account), seat=SeatBody.of(seats[0]), threshold=2, name="Ada"
    )
    with pytest.raises(Forbidden, match="NOT_HOSTED"):
        ask(scene.home.caller("ada"), scene.second.id, "appoint", body)
    with scene.second.database.read() as tx:
        assert rows.guardianships(tx, friend.account) == []


def test_a_guardian_learns_the_key_of_a_code_and_signs_for_just_that(
    guarded: tuple[Scene, list[Seat], bytes],
) -> None:
    scene, seats, address = guarded
    code, caller = code_of(address), scene.second.caller(key_of(scene, 0))
    said = ask(caller, scene.home.id, "vouch", body_of(scene, seats[0], code)).body
    assert said["key"] == address
    accounts = scene.home.contracts.accounts
    ada = scene.home.people["ada"][0].account
    nonce, deadline = int(said["nonce"]), int(said["deadline"])  # type: ignore[arg-type]
    digest = accounts.recover_digest(account=ada, key=address, nonce=nonce, deadline=deadline)
    other = accounts.recover_digest(account=ada, key=os.urandom(20), nonce=nonce, deadline=deadline)
    own = key_of(scene, 0)
    for bad in (own.sign(other), key_of(scene, 1).sign(digest), b"\1" * 65):
        with pytest.raises(Forbidden, match="NOT_GUARDIAN"):
            ask(caller, scene.home.id, "vouch", body_of(scene, seats[0], code, bad))
    with scene.home.database.read() as tx:
        assert rows.proofs(tx, ada, address) == []
    good = body_of(scene, seats[0], code, own.sign(digest))
    assert ask(caller, scene.home.id, "vouch", good).receipt["signed"] is True
    ask(caller, scene.home.id, "vouch", good)
    with scene.home.database.read() as tx:
        assert len(rows.proofs(tx, ada, address)) == 1, "twice is once"
    named = vouched(scene.home)[-1].vault  # so that she finds it in her log
    vault = accounts.vault(named) if named else None
    assert vault is not None and vault.control == ada


def test_nobody_else_learns_that_an_account_is_being_recovered(
    guarded: tuple[Scene, list[Seat], bytes],
) -> None:
    scene, seats, address = guarded
    right, wrong = code_of(address), code_of(bytes(20))
    stranger, second = scene.third.caller(), scene.second
    for code in (right, wrong):
        for seat in seats:
            with pytest.raises(Forbidden, match="NOT_GUARDIAN"):
                ask(stranger, scene.home.id, "vouch", body_of(scene, seat, code))
        with pytest.raises(Forbidden, match="NOT_GUARDIAN"):  # another guardian's seat
            ask(second.caller(key_of(scene, 0)), scene.home.id, "vouch",
                body_of(scene, seats[1], code))  # fmt: skip
        with pytest.raises(Forbidden, match="NOT_HOSTED"):
            ask(second.caller(key_of(scene, 0)), scene.third.id, "vouch",
                body_of(scene, seats[0], code))  # fmt: skip
    with pytest.raises(Forbidden, match="NO_RECOVERY"):
        ask(second.caller(key_of(scene, 0)), scene.home.id, "vouch",
            body_of(scene, seats[0], wrong))  # fmt: skip
    scene.home.network.clock.advance(3600)
    with pytest.raises(Forbidden, match="NO_RECOVERY"):  # its time is over
        ask(second.caller(key_of(scene, 0)), scene.home.id, "vouch",
            body_of(scene, seats[0], right))  # fmt: skip


def freeze_of(scene: Scene, seat: Seat, signature: bytes | None = None) -> VouchBody:
    return VouchBody(
        account=hexed(scene.home.people["ada"][0].account),
        seat=SeatBody.of(seat),
        signature=None if signature is None else hexed(signature),
    )


def test_what_guardians_sign_to_freeze_is_the_same_for_all_and_kept_of_each_once(
    guarded: tuple[Scene, list[Seat], bytes],
) -> None:
    scene, seats, _ = guarded
    home, ada = scene.home, scene.home.people["ada"][0].account
    own, other = key_of(scene, 0), key_of(scene, 1)
    caller = scene.second.caller(own)
    with pytest.raises(Forbidden, match="DEADLINE"):  # signed before anybody asked what
        ask(caller, home.id, "vouch", freeze_of(scene, seats[0], b"\1" * 65))
    said = ask(caller, home.id, "vouch", freeze_of(scene, seats[0])).body
    assert (said["signed"], said["needed"]) == (0, 2)
    again = ask(scene.second.caller(other), home.id, "vouch", freeze_of(scene, seats[1])).body
    assert again == said
    accounts, nonce = home.contracts.accounts, int(said["nonce"])  # type: ignore[arg-type]
    deadline = int(said["deadline"])  # type: ignore[arg-type]
    digest = accounts.freeze_digest(account=ada, nonce=nonce, deadline=deadline)
    later = accounts.freeze_digest(account=ada, nonce=nonce, deadline=deadline + 1)
    old = accounts.freeze_digest(account=ada, nonce=nonce + 1, deadline=deadline)
    for bad in (own.sign(later), own.sign(old), other.sign(digest), b"\1" * 65):
        with pytest.raises(Forbidden, match="NOT_GUARDIAN"):
            ask(caller, home.id, "vouch", freeze_of(scene, seats[0], bad))
    for _ in range(2):
        kept = ask(caller, home.id, "vouch", freeze_of(scene, seats[0], own.sign(digest))).body
        assert kept["signed"] == 1, "twice is once"
    named = vouched(home)[-1].vault  # so that she finds it in her log
    vault = accounts.vault(named) if named else None
    assert vault is not None and vault.control == ada


def test_nobody_else_asks_for_a_freeze_or_learns_of_one(
    guarded: tuple[Scene, list[Seat], bytes],
) -> None:
    scene, seats, _ = guarded
    guardian = scene.second.caller(key_of(scene, 0))
    with scene.home.database.read() as tx:
        before = freezes.freezes(tx)
    for signature in (None, b"\1" * 65):
        for stranger in (scene.third.caller(), scene.home.caller(), scene.home.caller("ada")):
            with pytest.raises(Forbidden, match="NOT_GUARDIAN"):
                ask(stranger, scene.home.id, "vouch", freeze_of(scene, seats[0], signature))
        with pytest.raises(Forbidden, match="NOT_GUARDIAN"):  # another guardian's seat
            ask(guardian, scene.home.id, "vouch", freeze_of(scene, seats[1], signature))
        with pytest.raises(Forbidden, match="NOT_HOSTED"):
            ask(guardian, scene.third.id, "vouch", freeze_of(scene, seats[0], signature))
    with scene.home.database.read() as tx:
        assert freezes.freezes(tx) == before


def attested_of(
    scene: Scene, code: str, signature: bytes | None = None, checked: str = "passport"
) -> RecoverBody:
    said = AttestationBody(signature=hexed(signature), checked=checked) if signature else None
    account = hexed(scene.home.people["ada"][0].account)
    return RecoverBody(account=account, code=code, attestation=said)


def test_an_administrator_anywhere_learns_the_key_of_a_code_and_signs_for_just_that(
    guarded: tuple[Scene, list[Seat], bytes],
) -> None:
    scene, _, address = guarded
    home, ada, code = scene.home, scene.home.people["ada"][0].account, code_of(address)
    own, accounts = scene.second.administrator, home.contracts.accounts
    caller = scene.second.caller(own)
    said = ask(caller, home.id, "recover", attested_of(scene, code)).body
    assert said["key"] == address and said["organisations"] == []
    nonce, deadline = int(said["nonce"]), int(said["deadline"])  # type: ignore[arg-type]

    def digest(key: bytes, nonce: int = nonce, attested: bool = True) -> bytes:
        return accounts.recover_digest(
            account=ada, key=key, nonce=nonce, deadline=deadline, attested=attested
        )

    for bad in (
        own.sign(digest(os.urandom(20))),
        own.sign(digest(address, nonce + 1)),
        own.sign(digest(address, attested=False)),  # as a guardian's
        scene.third.administrator.sign(digest(address)),
        b"\1" * 65,
    ):
        with pytest.raises(Forbidden, match="NOT_SIGNED"):
            ask(caller, home.id, "recover", attested_of(scene, code, bad))
    good_by = own.sign(digest(address))
    good = attested_of(scene, code, good_by, "passport, seen in person")
    for _ in range(2):
        kept = ask(caller, home.id, "recover", good).body
        assert kept["organisations"] == [scene.second.id], "twice is once"
    with home.database.read() as tx:
        [row] = attested_recoveries.of_key(tx, ada, address)
    assert b"passport" not in row.details_wrapped
    for words in ("", "  "):  # without a word how they knew
        with pytest.raises(Invalid):
            ask(caller, home.id, "recover", attested_of(scene, code, good_by, words))


def test_nobody_but_administrators_with_the_code_learns_that_a_key_waits(
    guarded: tuple[Scene, list[Seat], bytes],
) -> None:
    scene, _, address = guarded
    right, wrong = code_of(address), code_of(bytes(20))
    office = scene.second.caller(scene.second.administrator)
    doctor = f"doctor-{os.urandom(4).hex()}"
    scene.second.enrol(doctor, Role.DOCTOR)
    for signature in (None, b"\1" * 65):
        for code in (right, wrong):
            for who in (
                scene.second.caller(),
                scene.second.caller(doctor),
                scene.home.caller("ada"),
            ):
                with pytest.raises(Forbidden, match="WRONG_ROLE"):
                    ask(who, scene.home.id, "recover", attested_of(scene, code, signature))
            with pytest.raises(Forbidden, match="NOT_HOSTED"):
                ask(office, scene.third.id, "recover", attested_of(scene, code, signature))
        with pytest.raises(Forbidden, match="NO_RECOVERY"):
            ask(office, scene.home.id, "recover", attested_of(scene, wrong, signature))
    scene.home.network.clock.advance(3600)
    with pytest.raises(Forbidden, match="NO_RECOVERY"):  # its time is over
        ask(office, scene.home.id, "recover", attested_of(scene, right))
