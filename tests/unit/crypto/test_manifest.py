"""Manifests: leaves for everybody, entries for the vault's custodians alone."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.crypto import anchor, cbor, manifest
from simdes.crypto.digest import keccak256
from simdes.crypto.manifest import Manifest, ManifestEntry
from simdes.errors import Invalid, SimdesError, Tampered, TooLarge, Unsupported

from .conftest import Seeded, World

VAULT = b"v" * 32
ENTRY = ManifestEntry(
    record_id=b"r" * 32,
    category=3,
    labels=2**63,
    types=("Observation", "DiagnosticReport"),
    body_cid="bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
    body_digest=b"d" * 32,
    capsule_cid="bafkreiem4twkqzsq2aj4shbycd4yvoj2cx72vezicletlhi7dijjciqpui",
    leaf_indexes=(5, 0),
    organisation=b"o" * 32,
    author=b"a" * 20,
    time_ms=1_795_000_000_123,
)
IDS, MASKS = st.binary(min_size=32, max_size=32), st.integers(0, 2**64 - 1)
NAMES = st.sampled_from(["Patient", "Observation", "X" * 32])
ENTRIES = st.lists(
    st.builds(
        lambda entry, pairs: replace(
            entry, types=tuple(p[0] for p in pairs), leaf_indexes=tuple(p[1] for p in pairs)
        ),
        st.builds(
            ManifestEntry,
            record_id=IDS,
            category=st.integers(0, 63),
            labels=MASKS,
            types=st.just(("Patient",)),
            body_cid=st.text("abcdefgh234567", min_size=1, max_size=128),
            body_digest=IDS,
            capsule_cid=st.text("abcdefgh234567", min_size=1, max_size=128),
            leaf_indexes=st.just((0,)),
            organisation=IDS,
            author=st.binary(min_size=20, max_size=20),
            time_ms=st.integers(0, 2**53),
        ),
        st.lists(st.tuples(NAMES, st.integers(0, 999_999)), min_size=1, max_size=5),
    ),
    min_size=1,
    max_size=4,
)


@settings(derandomize=True, deadline=None, database=None, max_examples=50)
@given(ENTRIES)
def test_entries_are_read_as_they_were_written(entries: list[ManifestEntry]) -> None:
    assert manifest.decode_entries(manifest.encode_entries(VAULT, entries)) == (
        VAULT,
        tuple(entries),
    )


def test_custodians_read_their_vaults_entries_and_nobody_else_does(
    world: World, other_world: World
) -> None:
    publics = [custodian.public for custodian in world.custodians]
    sealed = manifest.seal_entries(VAULT, [ENTRY], publics, random=Seeded("manifest"))
    for key in world.keys:
        assert manifest.open_entries(sealed, key) == (VAULT, (ENTRY,))
    assert manifest.open_entries(sealed, other_world.keys[0]) is None
    for value in (VAULT, ENTRY.record_id, ENTRY.body_cid.encode(), ENTRY.organisation):
        assert value not in sealed


def test_anybody_recomputes_the_root_and_makes_paths(world: World) -> None:
    leaves = tuple(keccak256(bytes((i,))) for i in range(7))
    encoded = manifest.encode_manifest(Manifest(leaves, (b"letter one", b"letter two")))
    read = manifest.decode_manifest(encoded, root=anchor.root(leaves))
    assert read == Manifest(leaves, (b"letter one", b"letter two"))
    assert anchor.verify_path(
        read.leaves[6],
        index=6,
        count=7,
        path=anchor.path(read.leaves, 6),
        root=anchor.root(leaves),
    )
    with pytest.raises(Tampered):
        manifest.decode_manifest(encoded, root=leaves[0])


def test_every_flipped_byte_of_a_list_is_refused_or_gives_another_root_or_letter() -> None:
    leaves = tuple(keccak256(bytes((i,))) for i in range(3))
    encoded = manifest.encode_manifest(Manifest(leaves, (b"letter",)))
    for position in range(len(encoded)):
        changed = bytearray(encoded)
        changed[position] ^= 1 << position % 8
        try:
            read = manifest.decode_manifest(bytes(changed), root=anchor.root(leaves))
        except SimdesError:
            continue
        assert read.letters != (b"letter",), position


@pytest.mark.parametrize(
    "change",
    [
        {"record_id": b"short"},
        {"category": 64},
        {"labels": 2**64},
        {"types": ()},
        {"types": ("Not a type", "Patient")},
        {"types": ("Patient",)},
        {"body_cid": ""},
        {"body_cid": "bafy/../x"},
        {"body_cid": "b" * 129},
        {"body_digest": b""},
        {"capsule_cid": "bafké"},
        {"leaf_indexes": (1,)},
        {"leaf_indexes": (1, 1_000_000)},
        {"organisation": b"o"},
        {"author": b"a" * 32},
        {"time_ms": 2**53 + 1},
    ],
)
def test_entries_out_of_range_are_neither_written_nor_read(change: dict[str, object]) -> None:
    bad = replace(ENTRY, **change)
    with pytest.raises(SimdesError):
        manifest.encode_entries(VAULT, [bad])
    good = cbor.decode(manifest.encode_entries(VAULT, [ENTRY]))
    names = [field.name for field in fields(ManifestEntry)]
    for name, value in change.items():
        plain = list(value) if isinstance(value, tuple) else value
        good["entries"][0][names.index(name)] = plain
    try:
        encoded = cbor.encode(good)
    except Exception:
        return
    with pytest.raises(SimdesError):
        manifest.decode_entries(encoded)


def test_unknown_versions_and_fields_are_refused() -> None:
    encoded = cbor.decode(manifest.encode_manifest(Manifest((b"l" * 32,), ())))
    entries = cbor.decode(manifest.encode_entries(VAULT, [ENTRY]))
    for good, read in (
        (encoded, manifest.decode_manifest),
        (entries, manifest.decode_entries),
    ):
        for change, error in (
            ({"v": 2}, Unsupported),
            ({"more": 1}, Unsupported),
            ({"type": "letter"}, Invalid),
        ):
            with pytest.raises(error):
                read(cbor.encode(good | change))
        assert read(cbor.encode(good | {"_remark": "ignored"}))


def test_a_list_without_leaves_or_over_its_limits_is_refused() -> None:
    for leaves in ((), (b"short",)):
        with pytest.raises(Invalid):
            manifest.encode_manifest(Manifest(leaves, ()))
    with pytest.raises(TooLarge):
        manifest.encode_manifest(Manifest((b"l" * 32,) * 1_000_001, ()))
    with pytest.raises(TooLarge):
        manifest.encode_manifest(Manifest((b"l" * 32,), (bytes(65 * 1024 * 1024),)))
    with pytest.raises(TooLarge):
        manifest.decode_manifest(bytes(65 * 1024 * 1024))
    with pytest.raises(TooLarge):
        manifest.encode_entries(VAULT, [ENTRY] * 100_001)
    with pytest.raises(Invalid):
        manifest.encode_entries(VAULT, [])
    with pytest.raises(Invalid):
        manifest.encode_entries(b"short", [ENTRY])
