"""New custodians without the author: the shares move on, and whoever cheats is named."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from simdes.crypto import cbor, dealing, shares
from simdes.crypto.capsule import Dealer, Part
from simdes.crypto.dealing import assemble, deal
from simdes.crypto.digest import sha256
from simdes.crypto.keys import OpeningKey, SigningKey, seal_to
from simdes.crypto.redistribution import (
    check_dealers,
    commit_part,
    deal_parts,
    dealers_of,
    part_binding,
    part_info,
)
from simdes.crypto.seal import (
    Custodian,
    OpenedShare,
    SealedRecord,
    Share,
    combine_shares,
    open_body,
    open_share,
    read_capsule,
    share_matches,
)
from simdes.crypto.statement import dealer_digest
from simdes.errors import Invalid, NotFound, SimdesError, Tampered, Unsupported

from .conftest import World


def signer_of(opened: OpenedShare) -> SigningKey:
    return SigningKey.from_bytes(sha256(opened.custodian))


def deal_to(world: World, opened: OpenedShare, *, epoch: int = 2, m: int = 2, n: int = 4) -> Part:
    return deal(
        opened,
        organisation=opened.custodian,
        epoch=epoch,
        m=m,
        custodians=world.custodians[:n],
        signer=signer_of(opened),
    )


@pytest.fixture
def record(world: World) -> SealedRecord:
    return world.seal(m=2, n=3, labels=5)


@pytest.fixture
def old(world: World, record: SealedRecord) -> list[OpenedShare]:
    return world.open(record.capsule, 1, 3)


@pytest.fixture
def capsule(other_world: World, old: list[OpenedShare]) -> bytes:
    return assemble(old[0], [deal_to(other_world, one) for one in old], epoch=2, m=2)


def secret_of(world: World, capsule: bytes, *indexes: int) -> bytes:
    return combine_shares(capsule, [one.share for one in world.open(capsule, *indexes)])


def test_any_m_new_custodians_open_the_record_as_before(
    world: World, other_world: World, record: SealedRecord, capsule: bytes
) -> None:
    for indexes in combinations(range(1, 5), 2):
        secret = secret_of(other_world, capsule, *indexes)
        assert open_body(record.body, secret, record_id=record.record_id).items
    assert secret == secret_of(world, record.capsule, 1, 2)
    assert secret == secret_of(other_world, capsule)
    with pytest.raises(Invalid, match="2 shares are needed"):
        secret_of(other_world, capsule, 1)


def test_a_new_custodian_learns_what_the_author_signed_and_who_dealt(
    world: World, other_world: World, old: list[OpenedShare], capsule: bytes
) -> None:
    for opened in other_world.open(capsule):
        assert (opened.vault, opened.category, opened.labels) == (world.vault, 3, 5)
        assert (opened.author, opened.organisation) == (world.author.address, world.organisation)
        assert (opened.epoch, opened.written_epoch, opened.m, opened.n) == (2, 1, 2, 4)
        assert [(d.index, d.organisation, d.address) for d in opened.dealers] == [
            (one.index, one.custodian, signer_of(one).address) for one in old
        ]
        assert (
            open_share(
                capsule,
                other_world.keys[opened.index - 1],
                other_world.custodians[opened.index - 1].organisation,
            )
            == opened
        )


def test_shares_can_be_dealt_onward_again(
    world: World, other_world: World, record: SealedRecord, capsule: bytes
) -> None:
    middle = other_world.open(capsule, 2, 4)
    third = assemble(middle[0], [deal_to(world, one, epoch=5, m=3) for one in middle], epoch=5, m=3)
    assert secret_of(world, third, 1, 2, 4) == secret_of(world, record.capsule, 1, 2)
    opened = world.open(third, 2)[0]
    assert (opened.epoch, opened.written_epoch, opened.labels) == (5, 1, 5)


def test_neither_one_dealer_nor_who_assembles_nor_one_receiver_can_open(
    world: World, other_world: World, record: SealedRecord, capsule: bytes
) -> None:
    """What each of them holds, taken for the secret in every way, opens nothing."""
    dealer = world.open(record.capsule, 1)[0]
    receiver = other_world.open(capsule, 1)[0]
    held = b"".join((dealer.value, receiver.value, capsule, record.capsule))
    for start in range(0, len(held) - 31):
        with pytest.raises(Tampered):
            open_body(record.body, held[start : start + 32], record_id=record.record_id)


def test_fewer_dealers_than_the_old_threshold_are_refused(world: World, other_world: World) -> None:
    record = world.seal(m=3)
    old = world.open(record.capsule)
    parts = [deal_to(other_world, one) for one in old]
    with pytest.raises(Invalid, match="3 old custodians must deal"):
        assemble(old[0], parts[:2], epoch=2, m=2)
    forced = assemble(replace(old[0], m=2), parts[:2], epoch=2, m=2)
    with pytest.raises(Tampered, match="Fewer custodians dealt"):
        other_world.open(forced)
    assert other_world.open(assemble(old[0], parts, epoch=2, m=2))


def test_every_flipped_byte_of_a_redistributed_capsule_is_refused_by_somebody(
    world: World, other_world: World
) -> None:
    record = world.seal(m=2, n=2)
    parts = [deal_to(other_world, one, n=2) for one in world.open(record.capsule, 1, 2)]
    capsule = assemble(world.open(record.capsule, 1)[0], parts, epoch=2, m=2)
    for position in range(len(capsule)):
        changed = bytearray(capsule)
        changed[position] ^= 1 << position % 8
        with pytest.raises(SimdesError):
            combine_shares(capsule, [one.share for one in other_world.open(bytes(changed), 1, 2)])


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("v", 2, Unsupported),
        ("suite", 2, Unsupported),
        ("shares", [bytes(32)] * 4, Unsupported),
        ("m", 1, Invalid),
        ("m", 5, Invalid),
        ("n", 3, Invalid),
        ("from", 2, Invalid),
        ("from", 0, Invalid),
    ],
)
def test_what_a_redistributed_capsule_may_not_say_is_refused(
    capsule: bytes, field: str, value: object, error: type[SimdesError]
) -> None:
    header, end = cbor.decode_first(capsule)
    with pytest.raises(error):
        read_capsule(cbor.encode(header | {field: value}) + capsule[end:])


def test_dealers_come_once_and_in_order(capsule: bytes) -> None:
    _, end = cbor.decode_first(capsule)
    one, two = cbor.decode(capsule[end:])
    for parts in ([two, one], [one, one], [one], [[0, *one[1:]], two], [one, [256, *two[1:]]]):
        with pytest.raises(Invalid):
            read_capsule(capsule[:end] + cbor.encode(parts))
    with pytest.raises(Invalid):
        read_capsule(capsule + b"\0")


def test_a_new_custodian_that_releases_bad_parts_is_named(
    other_world: World, capsule: bytes
) -> None:
    released = [one.share for one in other_world.open(capsule)]
    parsed = read_capsule(capsule)
    payloads = cbor.decode(released[1].value)
    lies = [bytes(1 + 34), b"", payloads[0][:-1] + b"\0", payloads[0] + b"\0"]
    for value in (
        b"",
        released[0].value,
        cbor.encode(payloads[::-1]),
        *(cbor.encode([lie, payloads[1]]) for lie in lies),
    ):
        bad = [released[0], Share(2, value), released[2]]
        assert [share_matches(parsed, s) for s in bad] == [True, False, True]
        with pytest.raises(Tampered, match="Share 2 is bad: its custodian"):
            combine_shares(capsule, bad)
    for index in (0, 5):
        assert not share_matches(parsed, Share(index, released[0].value))
    for position in range(len(released[1].value)):
        changed = bytearray(released[1].value)
        changed[position] ^= 1 << position % 8
        assert not share_matches(parsed, Share(2, bytes(changed))), position


def lying_part(
    world: World,
    opened: OpenedShare,
    scalar: bytes,
    *,
    wrong: int = 0,
    committed: bool = True,
) -> Part:
    """A part of a dealer that deals `scalar` and gives receiver `wrong` another part, properly
    signed; `committed` tells whether it commits to what it gives.
    """
    place = {"record_id": opened.record_id, "epoch": 2, "dealer": opened.index}
    parts, commitments = deal_parts(scalar, old_epoch=1, m=2, n=4, **place)
    values = [part.value for part in parts]
    if wrong:
        values[wrong - 1] = bytes(31) + b"\7"
    if wrong and committed:
        made = commit_part(values[wrong - 1], index=wrong, **place)
        commitments = (*commitments[:wrong], made, *commitments[wrong + 1 :])
    signature = signer_of(opened).sign(
        dealer_digest(
            opened.subject,
            old_epoch=1,
            epoch=2,
            m=2,
            n=4,
            dealer=opened.index,
            organisation=opened.custodian,
            commitments=commitments,
        )
    )
    header = sha256(dealing._header(opened, epoch=2, m=2, n=4))
    sealed = tuple(
        seal_to(
            custodian.public,
            dealing._encode_payload(
                value,
                custodian.organisation,
                opened,
                Dealer(opened.index, opened.custodian, signer_of(opened).address),
                signature,
            ),
            info=part_info(opened.record_id, 2, opened.index, index),
            aad=part_binding(header, commitments),
        )
        for index, (value, custodian) in enumerate(zip(values, world.custodians, strict=True), 1)
    )
    return Part(opened.index, commitments, sealed)


def test_a_dealer_that_gives_a_part_it_did_not_commit_to_is_named_by_its_receiver(
    other_world: World, old: list[OpenedShare]
) -> None:
    lying = lying_part(other_world, old[1], old[1].value, wrong=2, committed=False)
    capsule = assemble(old[0], [deal_to(other_world, old[0]), lying], epoch=2, m=2)
    with pytest.raises(Tampered, match="Dealer 3 gave another part"):
        other_world.open(capsule, 2)
    assert other_world.open(capsule, 1, 3, 4)


def test_a_dealer_whose_parts_do_not_fit_together_is_named_by_the_reader(
    other_world: World, old: list[OpenedShare]
) -> None:
    """Whichever new custodians are asked, whether or not the wrong part is among theirs."""
    lying = lying_part(other_world, old[1], old[1].value, wrong=2)
    capsule = assemble(old[0], [deal_to(other_world, old[0]), lying], epoch=2, m=2)
    for pair in combinations(range(1, 5), 2):
        with pytest.raises(Tampered, match="Dealer 3 of the old epoch dealt inconsistent"):
            secret_of(other_world, capsule, *pair)


def test_a_dealer_that_deals_another_share_is_named_by_the_old_capsule(
    other_world: World, record: SealedRecord, old: list[OpenedShare], capsule: bytes
) -> None:
    check_dealers(capsule, record.capsule)
    lying = lying_part(other_world, old[1], bytes(31) + b"\5")
    forged = assemble(old[0], [deal_to(other_world, old[0]), lying], epoch=2, m=2)
    with pytest.raises(Tampered, match="did not deal the share it held"):
        secret_of(other_world, forged, 1, 2)
    with pytest.raises(Tampered, match="Dealer 3 of the old epoch did not deal"):
        check_dealers(forged, record.capsule)


def test_a_custodian_that_puts_itself_in_a_dealers_place_contradicts_the_others(
    other_world: World, old: list[OpenedShare], capsule: bytes
) -> None:
    """It signs with a key of its own what the dealer signed; only the chain tells who lies."""
    impostor = replace(old[1], custodian=b"i" * 32)
    forged = assemble(
        old[0], [deal_to(other_world, one) for one in (old[0], impostor)], epoch=2, m=2
    )
    honest, lying = other_world.open(capsule, 1)[0], other_world.open(forged, 2)[0]
    released = [honest.share, lying.share]
    assert dealers_of(capsule, released[0]) == honest.dealers
    assert dealers_of(capsule, released[1])[1] == Dealer(3, b"i" * 32, signer_of(impostor).address)
    with pytest.raises(Tampered, match="Shares 1 and 2 name different"):
        combine_shares(capsule, released)


def test_dealers_are_compared_with_the_capsule_they_dealt_from_only(
    world: World, record: SealedRecord, capsule: bytes
) -> None:
    for other in (world.seal(m=2, n=3).capsule, capsule):
        with pytest.raises(Invalid):
            check_dealers(capsule, other)
    with pytest.raises(Invalid):
        check_dealers(record.capsule, record.capsule)


def test_dealers_that_speak_of_another_record_are_refused(
    world: World, other_world: World, record: SealedRecord, old: list[OpenedShare]
) -> None:
    for change in (
        {"vault": bytes(32)},
        {"category": 4},
        {"labels": 0},
        {"organisation": bytes(32)},
        {"author": bytes(20)},
        {"warrant": replace(old[1].warrant, m=3)},
    ):
        one = deal_to(other_world, old[0])
        two = deal_to(other_world, replace(old[1], **change))
        with pytest.raises(Tampered, match="another record"):
            other_world.open(assemble(old[0], [one, two], epoch=2, m=2))
        both = [deal_to(other_world, replace(o, **change)) for o in old]
        with pytest.raises(Tampered, match="author did not sign"):
            other_world.open(assemble(old[0], both, epoch=2, m=2))


def test_a_part_opens_for_its_receiver_alone(
    other_world: World, world: World, old: list[OpenedShare], capsule: bytes
) -> None:
    key, organisation = other_world.keys[0], other_world.custodians[0].organisation
    with pytest.raises(Tampered):
        open_share(capsule, key, organisation, index=2)
    with pytest.raises(Tampered, match="not made for this custodian"):
        open_share(capsule, key, bytes(32), index=1)
    with pytest.raises(NotFound):
        open_share(capsule, world.keys[0], organisation)


@pytest.mark.parametrize("epoch", [0, 1, 2**32])
def test_a_new_epoch_comes_later(other_world: World, old: list[OpenedShare], epoch: int) -> None:
    with pytest.raises(Invalid):
        deal_to(other_world, old[0], epoch=epoch)


def test_custodians_to_deal_to_are_checked_as_in_sealing(
    other_world: World, old: list[OpenedShare]
) -> None:
    with pytest.raises(Invalid):
        deal_to(other_world, old[0], m=1)
    twice = replace(other_world, custodians=(other_world.custodians[0],) * 2)
    with pytest.raises(Invalid):
        deal_to(twice, old[0], n=2)
    stranger = Custodian(bytes(32), OpeningKey.from_bytes(bytes(32)).public)
    assert deal_to(replace(other_world, custodians=(stranger, *other_world.custodians)), old[0])


def test_a_field_element_is_what_is_dealt(old: list[OpenedShare]) -> None:
    assert all(shares.is_secret(one.value) for one in old)
