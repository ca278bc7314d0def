"""Manifests: what a batch holds, in clear only as leaves, in detail only for the custodians.

The list of a batch is public and its CID on chain: all leaves, so that anybody can recompute the
root and make Merkle paths, and one letter per vault, sealed to the vault's custodians, that tells
where each record lies. Format: ``docs/formats/manifest.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simdes.crypto import anchor, cbor, letter
from simdes.crypto.digest import Random
from simdes.crypto.keys import OpeningKey
from simdes.crypto.statement import MAX_CATEGORY, MAX_LABELS
from simdes.errors import Invalid, TooLarge

MAX_LIST_BYTES: Final = 64 * 1024 * 1024
MAX_LEAVES: Final = 1_000_000
MAX_ENTRIES: Final = 100_000
MAX_CID_LETTERS: Final = 128
_MAX_INDEXES: Final = 10_000
_INFO: Final = b"simdes/manifest/v1"
_MAX_TIME_MS: Final = 2**53
_LIST_FIELDS: Final = frozenset(("type", "v", "leaves", "letters"))
_ENTRIES_FIELDS: Final = frozenset(("type", "v", "vault", "entries"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """One record of a batch.

    `record_id`, `body_digest` and `organisation` (the author's) are 32 bytes, `author` a 20-byte
    address, `types` and `leaf_indexes` as long as each other (item k of the body is leaf
    `leaf_indexes[k]` of the batch), `time_ms` Unix milliseconds.
    """

    record_id: bytes
    category: int
    labels: int
    types: tuple[str, ...]
    body_cid: str
    body_digest: bytes
    capsule_cid: str
    leaf_indexes: tuple[int, ...]
    organisation: bytes
    author: bytes
    time_ms: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The public list of a batch: its leaves in order, and one letter per vault."""

    leaves: tuple[bytes, ...]
    letters: tuple[bytes, ...]


def encode_manifest(manifest: Manifest) -> bytes:
    """Encode the list of a batch; `TooLarge` over a million leaves or 64 MiB."""
    _check_leaves(manifest.leaves)
    encoded = cbor.encode(
        {
            "type": "manifest",
            "v": 1,
            "leaves": list(manifest.leaves),
            "letters": list(manifest.letters),
        }
    )
    if len(encoded) > MAX_LIST_BYTES:
        raise TooLarge("The list of a batch is at most 64 MiB.")
    return encoded


def _check_leaves(leaves: Sequence[bytes]) -> None:
    if not leaves or any(len(leaf) != 32 for leaf in leaves):
        raise Invalid("A batch holds at least one leaf, each of 32 bytes.")
    if len(leaves) > MAX_LEAVES:
        raise TooLarge("A batch holds at most a million leaves.")


def decode_manifest(encoded: bytes, *, root: bytes | None = None) -> Manifest:
    """Decode the list of a batch; with `root`, `Tampered` unless the leaves give this root."""
    if len(encoded) > MAX_LIST_BYTES:
        raise TooLarge("The list of a batch is at most 64 MiB.")
    fields = cbor.Fields(cbor.decode(encoded), kind="manifest", known=_LIST_FIELDS)
    leaves = fields.array("leaves", least=1, most=MAX_LEAVES)
    letters = fields.array("letters", least=0, most=MAX_LEAVES)
    manifest = Manifest(
        tuple(cbor.as_fixed(leaf, 32, "leaves") for leaf in leaves),
        tuple(cbor.as_bytes(one, "letters") for one in letters),
    )
    if root is not None:
        anchor.check_root(manifest.leaves, root)
    return manifest


def seal_entries(
    vault: bytes, entries: Sequence[ManifestEntry], publics: Sequence[bytes], *, random: Random
) -> bytes:
    """Seal the entries of one vault to its custodians' public keys: a letter of the list."""
    return letter.seal_letter(encode_entries(vault, entries), publics, info=_INFO, random=random)


def open_entries(sealed: bytes, key: OpeningKey) -> tuple[bytes, tuple[ManifestEntry, ...]] | None:
    """Return vault and entries of a letter of the list, or None when it is not for this key.

    Entries are what the batch's organisation says: a reader checks each against the capsule, the
    body and the leaves.
    """
    payload = letter.open_letter(sealed, key, info=_INFO)
    return None if payload is None else decode_entries(payload)


def encode_entries(vault: bytes, entries: Sequence[ManifestEntry]) -> bytes:
    """Encode the entries of one vault, 32-byte tag; `Invalid` for a field out of range."""
    if len(entries) > MAX_ENTRIES:
        raise TooLarge("A letter lists at most 100,000 records.")
    encoded = cbor.encode(
        {"type": "entries", "v": 1, "vault": vault, "entries": [_entry(e) for e in entries]}
    )
    decode_entries(encoded)
    return encoded


def _entry(entry: ManifestEntry) -> list[object]:
    return [
        entry.record_id,
        entry.category,
        entry.labels,
        list(entry.types),
        entry.body_cid,
        entry.body_digest,
        entry.capsule_cid,
        list(entry.leaf_indexes),
        entry.organisation,
        entry.author,
        entry.time_ms,
    ]


def decode_entries(encoded: bytes) -> tuple[bytes, tuple[ManifestEntry, ...]]:
    """Return vault tag and entries; `Invalid` or `Unsupported` for anything else."""
    fields = cbor.Fields(cbor.decode(encoded), kind="entries", known=_ENTRIES_FIELDS)
    entries = fields.array("entries", least=1, most=MAX_ENTRIES)
    return fields.fixed("vault", 32), tuple(_decode_entry(entry) for entry in entries)


def _decode_entry(value: cbor.Value) -> ManifestEntry:
    items = cbor.as_array(value, "entries", least=11, most=11)
    types = cbor.as_array(items[3], "types", least=1, most=_MAX_INDEXES)
    count = len(types)
    indexes = cbor.as_array(items[7], "leaf indexes", least=count, most=count)
    names = tuple(cbor.as_text(one, "types") for one in types)
    for name in names:
        anchor.type_field(name)
    return ManifestEntry(
        record_id=cbor.as_fixed(items[0], 32, "record"),
        category=cbor.as_uint(items[1], MAX_CATEGORY, "category"),
        labels=cbor.as_uint(items[2], MAX_LABELS, "labels"),
        types=names,
        body_cid=_cid(items[4]),
        body_digest=cbor.as_fixed(items[5], 32, "body digest"),
        capsule_cid=_cid(items[6]),
        leaf_indexes=tuple(cbor.as_uint(i, MAX_LEAVES - 1, "leaf indexes") for i in indexes),
        organisation=cbor.as_fixed(items[8], 32, "organisation"),
        author=cbor.as_fixed(items[9], 20, "author"),
        time_ms=cbor.as_uint(items[10], _MAX_TIME_MS, "time"),
    )


def _cid(value: cbor.Value) -> str:
    cid = cbor.as_text(value, "cid")
    if not (cid.isascii() and cid.isalnum() and len(cid) <= MAX_CID_LETTERS):
        raise Invalid("A CID is up to 128 letters and digits.")
    return cid
