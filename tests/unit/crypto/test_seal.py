"""Sealed records: what opens them, what does not, and who is named when something was changed."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.crypto import anchor, cbor
from simdes.crypto.digest import sha256
from simdes.crypto.keys import OpeningKey, SigningKey, seal_to
from simdes.crypto.seal import (
    Custodian,
    Item,
    SealedRecord,
    Share,
    StreamItem,
    combine_shares,
    open_body,
    open_share,
    read_capsule,
    reissue,
    seal,
    seal_chunks,
    share_matches,
)
from simdes.errors import Invalid, NotFound, SimdesError, Tampered, Unsupported
from vectors import second_reader

from .conftest import Seeded, World, make_world


def secret_of(world: World, record: SealedRecord, *indexes: int) -> bytes:
    opened = world.open(record.capsule, *(indexes or (1, 2, 3)))
    return combine_shares(record.capsule, [one.share for one in opened])


def test_a_record_comes_back_byte_for_byte(world: World) -> None:
    items = world.items(b'{"value":4.00}', b"", "{'é': 1.10e+2}".encode())
    record = world.seal(items, labels=5)
    opened = open_body(record.body, secret_of(world, record), record_id=record.record_id)
    assert opened.items == items
    assert (opened.vault, opened.category, opened.labels, opened.epoch) == (world.vault, 3, 5, 1)
    assert (opened.author, opened.organisation) == (world.author.address, world.organisation)
    assert opened.body_digest == record.body_digest == sha256(record.body)
    assert opened.leaves == record.leaves


@settings(derandomize=True, deadline=None, database=None, max_examples=25)
@given(
    st.lists(
        st.tuples(st.sampled_from(["Patient", "A" * 32]), st.binary(max_size=500)), min_size=1
    ),
    st.integers(0, 63),
    st.integers(0, 2**64 - 1),
    st.integers(1, 2**32 - 1),
    st.integers(2, 4),
)
def test_any_record_comes_back_and_a_second_reader_agrees(contents, category, labels, epoch, m):
    world = make_world(f"{epoch}")
    items = [Item(name, content, world.random(32)) for name, content in contents]
    record = seal(
        items,
        vault=world.vault,
        category=category,
        labels=labels,
        epoch=epoch,
        m=m,
        custodians=world.custodians,
        author=world.author,
        organisation=world.organisation,
        random=world.random,
    )
    secret = secret_of(world, record, *range(1, m + 1))
    opened = open_body(record.body, secret, record_id=record.record_id)
    assert list(opened.items) == items
    shares = [
        second_reader.open_share(record.capsule, world.keys[i - 1].to_bytes(), i)
        for i in range(1, m + 1)
    ]
    assert {(s["category"], s["labels"], s["vault"]) for s in shares} == {
        (category, labels, world.vault)
    }
    combined = second_reader.combine({i: s["value"] for i, s in enumerate(shares, 1)})
    assert combined == secret
    read = second_reader.open_body(record.body, combined)
    assert read["items"] == [(i.type, i.salt, i.content) for i in items]
    assert tuple(read["leaves"]) == record.leaves
    assert read["author"] == world.author.address


def test_each_leaf_commits_to_its_resource_and_the_body(world: World) -> None:
    items = world.items(b"one", b"two")
    record = world.seal(items)
    assert record.leaves == tuple(
        anchor.leaf(
            record_id=record.record_id,
            body_digest=record.body_digest,
            type=item.type,
            salt=item.salt,
            content_digest=sha256(item.content),
        )
        for item in items
    )


def test_a_custodian_learns_from_its_share_alone_what_consent_is_about(world: World) -> None:
    record = world.seal(labels=6, epoch=9)
    for index, opened in enumerate(world.open(record.capsule), 1):
        assert opened.index == index
        assert (opened.record_id, opened.vault) == (record.record_id, world.vault)
        assert (opened.category, opened.labels) == (3, 6)
        assert (opened.epoch, opened.written_epoch) == (9, 9)
        assert (opened.author, opened.organisation) == (world.author.address, world.organisation)
        assert opened.custodian == world.custodians[index - 1].organisation
        assert (opened.m, opened.n, opened.dealers) == (3, 4, ())


def test_a_custodian_finds_its_share_without_knowing_its_place(world: World) -> None:
    record = world.seal()
    for index, (key, custodian) in enumerate(zip(world.keys, world.custodians, strict=True), 1):
        assert open_share(record.capsule, key, custodian.organisation).index == index


def test_who_is_no_custodian_finds_no_share(world: World, other_world: World) -> None:
    record = world.seal()
    stranger = other_world.keys[0]
    with pytest.raises(NotFound):
        open_share(record.capsule, stranger, world.custodians[0].organisation)
    with pytest.raises(Tampered):
        open_share(record.capsule, stranger, world.custodians[0].organisation, index=1)
    with pytest.raises(Tampered):
        open_share(record.capsule, world.keys[0], world.custodians[0].organisation, index=2)
    with pytest.raises(Tampered, match="not made for this custodian"):
        open_share(record.capsule, world.keys[0], world.custodians[1].organisation, index=1)
    for index in (0, 5, -1):
        with pytest.raises(NotFound):
            open_share(record.capsule, world.keys[0], world.custodians[0].organisation, index=index)


def test_any_three_of_four_custodians_open_and_no_two_do(world: World) -> None:
    record = world.seal()
    for indexes in combinations(range(1, 5), 3):
        secret = secret_of(world, record, *indexes)
        assert open_body(record.body, secret, record_id=record.record_id).items
    for indexes in combinations(range(1, 5), 2):
        with pytest.raises(Invalid, match="3 shares are needed"):
            secret_of(world, record, *indexes)


def test_two_shares_with_everything_else_open_nothing(world: World) -> None:
    """The thieves hold body, capsule, two opened shares, the author's signing key and all salts.

    They try what a secret could be taken for: each share, zero shares filled in, the line through
    both points, every 32-byte window of everything they hold.
    """
    record = world.seal()
    stolen = world.open(record.capsule, 1, 2)
    points = {one.index: one.value for one in stolen}
    guesses = {second_reader.combine(points)}
    guesses |= {second_reader.combine(points | {i: bytes(32)}) for i in (3, 4)}
    held = b"".join(
        (
            record.body,
            record.capsule,
            *points.values(),
            *(repr(one).encode() for one in stolen),
            world.author.to_bytes(),
            world.vault,
            world.organisation,
            *record.leaves,
        )
    )
    guesses |= {held[i : i + 32] for i in range(len(held) - 31)}
    for guess in guesses:
        with pytest.raises(Tampered):
            open_body(record.body, guess, record_id=record.record_id)


def test_a_capsule_shows_strangers_neither_vault_nor_category_nor_people(world: World) -> None:
    record = world.seal()
    for shown in (
        world.vault,
        world.organisation,
        world.author.address,
        *(custodian.organisation for custodian in world.custodians),
        *(custodian.public[:32] for custodian in world.custodians),
        b"Observation",
    ):
        assert shown not in record.capsule
        assert shown not in record.body


def test_two_seals_of_the_same_have_nothing_in_common(world: World) -> None:
    items = world.items(b"the same")
    one, two = world.seal(items), world.seal(items)
    assert one.record_id != two.record_id
    assert one.body[-200:] != two.body[-200:]
    assert not set(one.leaves) & set(two.leaves)


def test_sizes_are_padded(world: World) -> None:
    sizes = {len(world.seal(world.items(b"x" * size)).body) for size in range(2000, 2040)}
    assert len(sizes) <= 2


# Changed bytes


def test_every_flipped_byte_of_a_body_is_refused(world: World) -> None:
    record = world.seal(world.items(b"short"))
    secret = secret_of(world, record)
    for position in range(len(record.body)):
        changed = bytearray(record.body)
        changed[position] ^= 1 << position % 8
        with pytest.raises(SimdesError):
            open_body(bytes(changed), secret, record_id=record.record_id)


def test_every_bit_of_a_body_header_counts(world: World) -> None:
    record = world.seal(world.items(b"short"))
    secret = secret_of(world, record)
    _, end = cbor.decode_first(record.body)
    for bit in range(end * 8):
        changed = bytearray(record.body)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SimdesError):
            open_body(bytes(changed), secret, record_id=record.record_id)


def test_a_shortened_or_lengthened_body_is_refused(world: World) -> None:
    record = world.seal(world.items(b"short"))
    secret = secret_of(world, record)
    for end in range(len(record.body)):
        with pytest.raises(SimdesError):
            open_body(record.body[:end], secret, record_id=record.record_id)
    with pytest.raises(SimdesError):
        open_body(record.body + b"\0", secret, record_id=record.record_id)


def test_every_flipped_byte_of_a_capsule_is_refused_by_whom_it_concerns(world: World) -> None:
    """The header concerns every custodian, a sealed payload the one it is for."""
    record = world.seal(m=2, n=2)
    _, end = cbor.decode_first(record.capsule)
    for position in range(len(record.capsule)):
        changed = bytearray(record.capsule)
        changed[position] ^= 1 << position % 8
        refusals = 0
        for key, custodian in zip(world.keys[:2], world.custodians, strict=False):
            try:
                open_share(bytes(changed), key, custodian.organisation)
            except SimdesError:
                refusals += 1
        assert refusals == 2 if position < end else refusals >= 1, position


def test_every_flipped_bit_of_a_capsule_header_is_refused(world: World) -> None:
    record = world.seal(m=2, n=2)
    _, end = cbor.decode_first(record.capsule)
    for bit in range(end * 8):
        changed = bytearray(record.capsule)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SimdesError):
            open_share(bytes(changed), world.keys[0], world.custodians[0].organisation, index=1)


def test_a_shortened_or_lengthened_capsule_is_refused(world: World) -> None:
    record = world.seal(m=2, n=2)
    for end in range(0, len(record.capsule), 3):
        with pytest.raises(SimdesError):
            read_capsule(record.capsule[:end])
    with pytest.raises(Invalid):
        read_capsule(record.capsule + b"\0")
    with pytest.raises(Invalid):
        read_capsule(bytes(2 * 1024 * 1024))


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("v", 2, Unsupported),
        ("v", 0, Unsupported),
        ("suite", 2, Unsupported),
        ("kind", 3, Unsupported),
        ("critical", 1, Unsupported),
        ("type", "body", Invalid),
        ("m", 1, Invalid),
        ("m", 5, Invalid),
        ("epoch", 0, Invalid),
        ("epoch", 2**32, Invalid),
        ("record", b"short", Invalid),
        ("shares", [b"short"] * 4, Invalid),
        ("shares", [bytes(32)] * 3, Invalid),
    ],
)
def test_what_a_capsule_may_not_say_is_refused(
    world: World, field: str, value: object, error: type[SimdesError]
) -> None:
    record = world.seal()
    header, end = cbor.decode_first(record.capsule)
    changed = cbor.encode(header | {field: value}) + record.capsule[end:]
    with pytest.raises(error):
        read_capsule(changed)


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("v", 2, Unsupported),
        ("suite", 2, Unsupported),
        ("critical", 1, Unsupported),
        ("chunk", 1, Unsupported),
        ("chunk", 65536, Tampered),
        ("type", "capsule", Invalid),
        ("record", b"short", Invalid),
        ("record", bytes(32), Tampered),
        ("secret", bytes(32), Tampered),
        ("_remark", "an extension that the author did not write", Tampered),
    ],
)
def test_what_a_body_may_not_say_is_refused(
    world: World, field: str, value: object, error: type[SimdesError]
) -> None:
    record = world.seal()
    secret = secret_of(world, record)
    header, end = cbor.decode_first(record.body)
    changed = cbor.encode(header | {field: value}) + record.body[end:]
    with pytest.raises(error):
        open_body(changed, secret, record_id=record.record_id)


def test_headers_in_another_encoding_of_the_same_are_refused(world: World) -> None:
    record = world.seal()
    secret = secret_of(world, record)
    for data, read in (
        (record.body, lambda d: open_body(d, secret, record_id=record.record_id)),
        (record.capsule, read_capsule),
    ):
        header, end = cbor.decode_first(data)
        backwards = dict(sorted(header.items(), reverse=True))
        for encoded in (cbor2.dumps(backwards), b"\xbf" + cbor2.dumps(header)[1:] + b"\xff"):
            assert cbor2.loads(encoded) == header
            with pytest.raises(Invalid):
                read(encoded + data[end:])


# Dishonest custodians, authors and carriers


@pytest.mark.parametrize("culprit", [1, 2, 3])
def test_a_custodian_that_releases_a_bad_share_is_named(world: World, culprit: int) -> None:
    record = world.seal()
    released = [one.share for one in world.open(record.capsule)]
    released[culprit - 1] = Share(culprit, bytes(32))
    capsule = read_capsule(record.capsule)
    assert [share_matches(capsule, s) for s in released] == [s.index != culprit for s in released]
    with pytest.raises(Tampered, match=f"Share {culprit} is bad: its custodian"):
        combine_shares(record.capsule, released)
    good = [s for s in released if share_matches(capsule, s)]
    assert open_body(record.body, combine_shares(record.capsule, good), record_id=record.record_id)


def forged_capsule(world: World, sealed_record: SealedRecord, /, **changes: object) -> bytes:
    """A capsule whose first payload says other things, sealed anew by a dishonest carrier."""
    header, end = cbor.decode_first(sealed_record.capsule)
    sealed = cbor.decode(sealed_record.capsule[end:])
    info = b"simdes/capsule/v1\0" + header["record"] + header["epoch"].to_bytes(4, "big") + b"\1"
    bound = sha256(sealed_record.capsule[:end])
    subject = ("record", "vault", "category", "labels", "organisation")
    names = ("value", "custodian", *subject, "author", "content", "signature")
    payload = dict(
        zip(names, cbor.decode(world.keys[0].open(sealed[0], info=info, aad=bound)), strict=True)
    )
    changed = cbor.encode(list((payload | changes).values()))
    sealed[0] = seal_to(world.keys[0].public, changed, info=info, aad=bound)
    return sealed_record.capsule[:end] + cbor.encode(sealed)


@pytest.mark.parametrize(
    "changes",
    [
        {"value": bytes(32)},
        {"custodian": bytes(32)},
        {"record": bytes(32)},
        {"vault": bytes(32)},
        {"category": 4},
        {"labels": 1},
        {"organisation": bytes(32)},
        {"author": bytes(20)},
        {"content": bytes(32)},
        {"signature": bytes(65)},
    ],
)
def test_a_payload_that_its_author_did_not_sign_is_refused(world: World, changes) -> None:
    record = world.seal()
    organisation = world.custodians[0].organisation
    assert open_share(forged_capsule(world, record), world.keys[0], organisation, index=1)
    with pytest.raises(Tampered):
        open_share(forged_capsule(world, record, **changes), world.keys[0], organisation, index=1)


def test_a_payload_with_a_field_out_of_range_or_more_is_refused(world: World) -> None:
    record = world.seal()
    for changes in ({"category": 64}, {"labels": "all"}, {"value": b"short"}, {"more": 1}):
        with pytest.raises(Invalid):
            open_share(
                forged_capsule(world, record, **changes),
                world.keys[0],
                world.custodians[0].organisation,
            )


def test_an_author_that_gives_a_custodian_a_bad_share_is_named_by_it(world: World) -> None:
    record = world.seal()
    with pytest.raises(Tampered, match="the author is at fault"):
        open_share(
            forged_capsule(world, record, value=bytes(31) + b"\1"),
            world.keys[0],
            world.custodians[0].organisation,
        )


def test_a_payload_does_not_open_in_another_place(world: World) -> None:
    """Not under another index, nor in another record's or epoch's capsule."""
    one, two = world.seal(), world.seal()
    header, end = cbor.decode_first(one.capsule)
    first, second, *rest = cbor.decode(one.capsule[end:])
    swapped = one.capsule[:end] + cbor.encode([second, first, *rest])
    moved = two.capsule[: cbor.decode_first(two.capsule)[1]] + one.capsule[end:]
    later = cbor.encode(header | {"epoch": 2}) + one.capsule[end:]
    for capsule in (swapped, moved, later):
        with pytest.raises(NotFound):
            open_share(capsule, world.keys[0], world.custodians[0].organisation)


def test_bodies_and_secrets_of_two_records_do_not_mix(world: World) -> None:
    one, two = world.seal(), world.seal()
    secret = secret_of(world, one)
    with pytest.raises(Tampered, match="another record"):
        open_body(two.body, secret, record_id=one.record_id)
    with pytest.raises(Tampered, match="commits to"):
        open_body(two.body, secret, record_id=two.record_id)
    with pytest.raises(Tampered):
        combine_shares(two.capsule, [s.share for s in world.open(one.capsule)])


def test_a_body_that_its_author_did_not_sign_is_refused(world: World) -> None:
    """A custodian or reader knows the secret and seals another text under it."""
    record = world.seal(world.items(b"blood group A "))
    secret = secret_of(world, record)
    _, end = cbor.decode_first(record.body)
    cipher = second_reader.ChaCha20Poly1305(
        second_reader.derive(secret, record.record_id, b"simdes/body/v1\0", 32)
    )
    nonce = bytes(11) + b"\1"
    plain = cipher.decrypt(nonce, record.body[end:], record.body[:end])
    forged = plain.replace(b"blood group A ", b"blood group 0 ")
    body = record.body[:end] + cipher.encrypt(nonce, forged, record.body[:end])
    with pytest.raises(Tampered, match="did not sign this body"):
        open_body(body, secret, record_id=record.record_id)
    for place in (plain.index(b"\x58\x63") + 20, len(plain) - 1):
        forged = bytearray(plain)
        forged[place] ^= 1
        body = record.body[:end] + cipher.encrypt(nonce, bytes(forged), record.body[:end])
        with pytest.raises(Tampered):
            open_body(body, secret, record_id=record.record_id)


def test_a_whole_body_sealed_anew_names_its_real_author(world: World, other_world: World) -> None:
    """Who knows the secret can sign for itself, never for the author."""
    record = world.seal()
    forged = other_world.seal(record and other_world.items(b"forged"))
    opened = open_body(
        forged.body,
        combine_shares(forged.capsule, [s.share for s in other_world.open(forged.capsule)]),
        record_id=forged.record_id,
    )
    assert opened.author == other_world.author.address != world.author.address


# New epochs


def test_the_author_issues_a_capsule_for_a_new_epoch(world: World, other_world: World) -> None:
    record = world.seal(labels=9)
    secret = secret_of(world, record)
    opened = open_body(record.body, secret, record_id=record.record_id)
    capsule = reissue(
        opened, secret, epoch=2, m=2, custodians=other_world.custodians, author=world.author
    )
    shares = other_world.open(capsule)
    assert {(s.epoch, s.labels, s.author, s.m) for s in shares} == {(2, 9, world.author.address, 2)}
    assert combine_shares(capsule, [s.share for s in shares[2:]]) == secret
    with pytest.raises(Tampered, match="Share 1 is bad"):
        combine_shares(capsule, [world.open(record.capsule, 1)[0].share, shares[1].share])


def test_nobody_else_and_no_other_secret_makes_a_new_capsule(
    world: World, other_world: World
) -> None:
    record = world.seal()
    secret = secret_of(world, record)
    opened = open_body(record.body, secret, record_id=record.record_id)
    place = {"epoch": 2, "m": 2, "custodians": other_world.custodians}
    with pytest.raises(Invalid, match="Only the author"):
        reissue(opened, secret, author=other_world.author, **place)
    with pytest.raises(Invalid, match="commits to"):
        reissue(opened, bytes(31) + b"\1", author=world.author, **place)


# What may not be sealed


@pytest.mark.parametrize(("m", "n"), [(1, 4), (1, 1), (2, 1), (4, 3), (0, 4)])
def test_thresholds_that_protect_nothing_are_refused(world: World, m: int, n: int) -> None:
    with pytest.raises(Invalid):
        world.seal(m=m, n=n)


def test_a_custodian_counts_once(world: World) -> None:
    one, two, *_ = world.custodians
    for custodians in (
        [one, one],
        [one, Custodian(one.organisation, two.public)],
        [one, Custodian(two.organisation, one.public)],
        [one, Custodian(b"short", two.public)],
        [one, Custodian(two.organisation, b"short")],
        [one] * 256,
    ):
        with pytest.raises(Invalid):
            replace(world, custodians=tuple(custodians)).seal(m=2, n=len(custodians))


@pytest.mark.parametrize(
    "item",
    [
        Item("", b"x", bytes(32)),
        Item("Not a type", b"x", bytes(32)),
        Item("T" * 33, b"x", bytes(32)),
        Item("Patient", b"x", b"short"),
    ],
)
def test_items_that_the_format_cannot_hold_are_refused(world: World, item: Item) -> None:
    with pytest.raises(Invalid):
        world.seal([item])


@pytest.mark.parametrize(
    "change",
    [
        {"vault": b"short"},
        {"category": 64},
        {"labels": 2**64},
        {"epoch": 0},
        {"organisation": b""},
    ],
)
def test_subjects_out_of_range_are_refused(world: World, change: dict[str, object]) -> None:
    good = {
        "vault": world.vault,
        "category": 3,
        "labels": 0,
        "epoch": 1,
        "m": 2,
        "custodians": world.custodians,
        "author": world.author,
        "organisation": world.organisation,
        "random": world.random,
    }
    items = world.items(b"x")
    assert seal(items, **good)
    with pytest.raises(Invalid):
        seal(items, **(good | change))
    with pytest.raises(Invalid):
        seal([], **good)


def test_content_must_be_as_long_as_announced_and_is_taken_once(world: World) -> None:
    arguments = {
        "vault": world.vault,
        "category": 3,
        "labels": 0,
        "epoch": 1,
        "m": 2,
        "custodians": world.custodians,
        "author": world.author,
        "organisation": world.organisation,
        "random": world.random,
    }
    for length in (2, 4, 2**21):
        stream = seal_chunks([StreamItem("Binary", bytes(32), length, (b"abc",))], **arguments)
        with pytest.raises(Invalid, match="as long as"):
            list(stream)
    stream = seal_chunks([StreamItem("Binary", bytes(32), 3, (b"a", b"bc"))], **arguments)
    for early in (lambda: stream.body_digest, lambda: stream.leaves, lambda: stream.capsule):
        with pytest.raises(Invalid, match="not all taken"):
            early()
    body = b"".join(stream)
    assert sha256(body) == stream.body_digest
    assert stream.capsule is stream.capsule
    with pytest.raises(Invalid, match="only once"):
        iter(stream)


def test_a_draw_that_is_no_field_element_is_drawn_again(world: World) -> None:
    draws = [bytes(32), b"\xff" * 32, b"\7" * 32]
    record = replace(world, random=lambda _: draws.pop(0)).seal([Item("Basic", b"x", bytes(32))])
    assert secret_of(world, record) == b"\7" * 32


def test_no_text_form_shows_content_or_secrets(world: World) -> None:
    items = world.items(b"very private")
    record = world.seal(items)
    opened = world.open(record.capsule, 1)[0]
    assert "private" not in repr(items)
    assert opened.value.hex() not in repr(opened)
    assert repr(opened.value) not in repr(opened) + repr(opened.share)


def test_keys_from_randomness_that_repeats_are_the_same() -> None:
    assert OpeningKey.generate(Seeded("x")).public == OpeningKey.generate(Seeded("x")).public
    assert SigningKey.generate(Seeded("x")).address != SigningKey.generate(Seeded("y")).address
