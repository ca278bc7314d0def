"""Write the test vectors of the formats: `.venv/bin/python tests/vectors/make.py`.

Keys, salts and secrets come from a fixed seed, so everything but HPKE's ciphertexts (which draw
their own randomness) repeats. A second implementation opens the sealed bytes with the private keys
given beside them and must find the values given beside them; what stands under `refused` it must
refuse. `test_vectors.py` checks the files as they lie here against both readers.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import eth_abi

from simdes.crypto import anchor, cbor, digest, locks, own_copy, padding
from simdes.crypto.dealing import assemble, deal
from simdes.crypto.digest import keccak256
from simdes.crypto.keys import OpeningKey, SigningKey, seal_to
from simdes.crypto.letter import seal_letter
from simdes.crypto.manifest import Manifest, ManifestEntry, encode_manifest, seal_entries
from simdes.crypto.seal import (
    Custodian,
    Item,
    OpenedShare,
    SealedRecord,
    combine_shares,
    open_share,
    seal,
)
from simdes.crypto.statement import Subject

HERE = Path(__file__).parent
TEXTS = (
    b'{"resourceType":"Observation","status":"final","valueQuantity":{"value":4.00}}',
    b'{"resourceType":"DiagnosticReport","status":"final"}',
)


class Seeded:
    """SHAKE-256 of a seed and a counter."""

    def __init__(self, seed: str) -> None:
        self._seed, self._drawn = seed, 0

    def __call__(self, size: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(f"{self._seed}/{self._drawn}".encode()).digest(size)


def hexed(value: Any) -> Any:
    """Bytes as 0x-hex, all the way down."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, dict):
        return {key: hexed(one) for key, one in value.items()}
    return [hexed(one) for one in value] if isinstance(value, (list, tuple)) else value


def write(name: str, content: dict[str, Any]) -> None:
    (HERE / f"{name}.json").write_text(json.dumps(hexed(content), indent=1) + "\n")


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


class Vault:
    """Custodians of a vault in one epoch."""

    def __init__(self, random: Seeded, n: int) -> None:
        self.keys = [OpeningKey.generate(random) for _ in range(n)]
        self.custodians = [Custodian(random(32), key.public) for key in self.keys]

    def open(self, capsule: bytes) -> list[OpenedShare]:
        pairs = enumerate(zip(self.keys, self.custodians, strict=True), 1)
        return [open_share(capsule, k, c.organisation, index=i) for i, (k, c) in pairs]

    def described(self) -> list[dict[str, Any]]:
        return [
            {"organisation": c.organisation, "seed": k.to_bytes(), "public": c.public}
            for k, c in zip(self.keys, self.custodians, strict=True)
        ]


def sealed_record(random: Seeded) -> tuple[SealedRecord, Vault, SigningKey]:
    author, vault = SigningKey.generate(random), Vault(random, 3)
    tag, organisation = random(32), random(32)
    items = [
        Item("Observation", TEXTS[0], random(32)),
        Item("DiagnosticReport", TEXTS[1], random(32)),
    ]
    record = seal(
        items,
        vault=tag,
        category=3,
        labels=2,
        epoch=7,
        m=2,
        custodians=vault.custodians,
        author=author,
        organisation=organisation,
        random=random,
    )
    shares = vault.open(record.capsule)
    secret = combine_shares(record.capsule, [share.share for share in shares])
    header, end = cbor.decode_first(record.capsule)
    body_header, body_end = cbor.decode_first(record.body)
    assert isinstance(header, dict) and isinstance(body_header, dict)
    encode = cbor.encode
    write(
        "sealed-record",
        {
            "formats": "docs/formats/sealed-record.md, docs/formats/key-capsule.md",
            "author": {"secret": author.to_bytes(), "address": author.address},
            "organisation": organisation,
            "vault": tag,
            "category": 3,
            "labels": 2,
            "epoch": 7,
            "m": 2,
            "custodians": vault.described(),
            "record": record.record_id,
            "secret": secret,
            "items": [
                {"type": i.type, "salt": i.salt, "content": i.content, "leaf": leaf}
                for i, leaf in zip(items, record.leaves, strict=True)
            ],
            "body": record.body,
            "body_digest": record.body_digest,
            "content_digest": shares[0].warrant.content_digest,
            "signature": shares[0].warrant.signature,
            "capsule": record.capsule,
            "shares": [{"index": s.index, "value": s.value} for s in shares],
            "refused": {
                "body": {
                    "a flipped bit in the header": flipped(record.body, 20),
                    "a flipped bit in the ciphertext": flipped(record.body, body_end + 5),
                    "a byte after the end": record.body + b"\0",
                    "cut": record.body[:-1],
                    "version 2": encode(body_header | {"v": 2}) + record.body[body_end:],
                    "suite 2": encode(body_header | {"suite": 2}) + record.body[body_end:],
                    "an unknown critical field": encode(body_header | {"x": 1})
                    + record.body[body_end:],
                    "chunked though small": encode(body_header | {"chunk": 65536})
                    + record.body[body_end:],
                    "header keys out of order": b"\xa6"
                    + b"".join(
                        encode(k) + encode(v) for k, v in sorted(body_header.items(), reverse=True)
                    )
                    + record.body[body_end:],
                },
                "capsule": {
                    "a flipped bit in the header": flipped(record.capsule, 60),
                    "a byte after the end": record.capsule + b"\0",
                    "m = 1": encode(header | {"m": 1}) + record.capsule[end:],
                    "m > n": encode(header | {"m": 4}) + record.capsule[end:],
                    "kind 3": encode(header | {"kind": 3}) + record.capsule[end:],
                    "version 2": encode(header | {"v": 2}) + record.capsule[end:],
                    "an unknown critical field": encode(header | {"x": 1}) + record.capsule[end:],
                },
            },
        },
    )
    return record, vault, author


def redistributed_capsule(random: Seeded, record: SealedRecord, old: Vault) -> None:
    new, shares = Vault(random, 3), old.open(record.capsule)
    signers = [SigningKey.generate(random) for _ in shares]
    parts = [
        deal(
            share,
            organisation=share.custodian,
            epoch=8,
            m=2,
            custodians=new.custodians,
            signer=signer,
        )
        for share, signer in list(zip(shares, signers, strict=True))[::2]
    ]
    capsule = assemble(shares[0], parts, epoch=8, m=2)
    opened = new.open(capsule)
    write(
        "redistributed-capsule",
        {
            "formats": "docs/formats/key-capsule.md",
            "record": record.record_id,
            "body": record.body,
            "old_capsule": record.capsule,
            "custodians": new.described(),
            "dealers": [
                {"index": d.index, "organisation": d.organisation, "address": d.address}
                for d in opened[0].dealers
            ],
            "capsule": capsule,
            "shares": [{"index": s.index, "value": s.value} for s in opened],
            "secret": combine_shares(capsule, [s.share for s in opened]),
        },
    )


def statements(random: Seeded) -> None:
    subject = Subject(
        record_id=random(32),
        vault=random(32),
        category=63,
        labels=2**63,
        epoch=2**32 - 1,
        organisation=random(32),
        commitment=random(32),
    )
    key, digest = SigningKey.generate(random), random(32)
    seed = OpeningKey.generate(random)
    write(
        "keys",
        {
            "formats": "docs/formats/key-store.md, docs/formats/key-capsule.md",
            "signing": {
                "secret": key.to_bytes(),
                "public": key.public,
                "address": key.address,
                "digest": digest,
                "signature": key.sign(digest),
            },
            "opening": {
                "seed": seed.to_bytes(),
                "public": seed.public,
                "info": b"some use",
                "aad": b"some context",
                "sealed": seal_to(seed.public, b"plain", info=b"some use", aad=b"some context"),
                "plaintext": b"plain",
            },
            "subject": {
                "record": subject.record_id,
                "vault": subject.vault,
                "category": subject.category,
                "labels": str(subject.labels),
                "epoch": subject.epoch,
                "organisation": subject.organisation,
                "commitment": subject.commitment,
                "packed": subject.packed(),
            },
            "lock": {
                "passphrase": "correct horse battery staple",
                "secret": b"s" * 32,
                "locked": locks.lock(
                    b"s" * 32,
                    "correct horse battery staple",
                    cost=locks.ArgonCost(passes=2, memory_kib=64, lanes=2),
                    random=random,
                ),
            },
            "wrap": {
                "key": b"k" * 32,
                "aad": b"vault key",
                "plaintext": b"v" * 32,
                "wrapped": locks.wrap(b"k" * 32, b"v" * 32, aad=b"vault key", random=random),
            },
        },
    )


def letters(random: Seeded, record: SealedRecord, author: SigningKey) -> None:
    keys, tag = [OpeningKey.generate(random) for _ in range(3)], random(32)
    publics = [key.public for key in keys]
    info, payload = b"simdes/consent-terms/v1", b"terms and salt"
    write(
        "letter",
        {
            "formats": "docs/formats/letter.md",
            "info": info,
            "recipients": [{"seed": k.to_bytes(), "public": k.public} for k in keys],
            "payload": payload,
            "letter": seal_letter(payload, publics, info=info, random=random),
        },
    )
    entry = ManifestEntry(
        record_id=record.record_id,
        category=3,
        labels=2,
        types=("Observation", "DiagnosticReport"),
        body_cid="bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
        body_digest=record.body_digest,
        capsule_cid="bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
        leaf_indexes=(0, 2),
        organisation=random(32),
        author=author.address,
        time_ms=1_795_000_000_000,
    )
    leaves = (record.leaves[0], random(32), record.leaves[1])
    sealed = seal_entries(tag, [entry], publics, random=random)
    write(
        "manifest",
        {
            "formats": "docs/formats/manifest.md",
            "recipients": [{"seed": k.to_bytes(), "public": k.public} for k in keys],
            "vault": tag,
            "entry": {
                "record": entry.record_id,
                "category": entry.category,
                "labels": entry.labels,
                "types": entry.types,
                "body_cid": entry.body_cid,
                "body_digest": entry.body_digest,
                "capsule_cid": entry.capsule_cid,
                "leaf_indexes": entry.leaf_indexes,
                "organisation": entry.organisation,
                "author": entry.author,
                "time_ms": entry.time_ms,
            },
            "leaves": leaves,
            "root": anchor.root(leaves),
            "manifest": encode_manifest(Manifest(leaves, (sealed,))),
        },
    )


def anchors(random: Seeded) -> None:
    leaf = {
        "record": random(32),
        "body_digest": random(32),
        "type": "Patient",
        "salt": random(32),
        "content_digest": random(32),
    }
    leaves = [random(32) for _ in range(11)]
    salt, entry, organisation = random(32), b'{"resourceType":"AuditEvent"}', random(32)
    trees = []
    for count in (1, 2, 3, 5, 8, 11):
        root = anchor.root(leaves[:count])
        trees.append(
            {
                "count": count,
                "root": root,
                "paths": anchor.paths(leaves[:count], range(count)),
                "batch_id": anchor.batch_id(1337, organisation, root),
            }
        )
    write(
        "anchor",
        {
            "formats": "docs/formats/anchor-batch.md, docs/formats/audit-entry.md",
            "leaf": leaf
            | {
                "leaf": anchor.leaf(
                    record_id=leaf["record"],
                    body_digest=leaf["body_digest"],
                    type="Patient",
                    salt=leaf["salt"],
                    content_digest=leaf["content_digest"],
                )
            },
            "audit": {"salt": salt, "entry": entry, "leaf": anchor.audit_leaf(salt, entry)},
            "chain_id": 1337,
            "organisation": organisation,
            "leaves": leaves,
            "trees": trees,
        },
    )


TERMS_TYPE = "(uint8,bytes32,uint8,uint64,uint64,uint16,uint64,uint64,bytes32,address,bytes32)"


def consents(random: Seeded) -> None:
    salt, records = random(32), sorted(random(32) for _ in range(5))
    listed = sorted(keccak256(b"\4" + record) for record in records)

    def above(level: list[bytes]) -> list[bytes]:
        pairs = [sorted(level[i : i + 2]) for i in range(0, len(level), 2)]
        return [keccak256(b"\1" + b"".join(p)) if len(p) == 2 else p[0] for p in pairs]

    root = listed
    while len(root) > 1:
        root = above(root)
    terms = {
        "granteeKind": 3,
        "grantee": random(32),
        "granteeRole": 2,
        "categories": 8,
        "labels": 0,
        "purposes": 1,
        "notBefore": 1_795_000_000,
        "expiry": 2**64 - 1,
        "records": root[0],
        "condition": bytes(20),
        "conditionId": bytes(32),
    }
    values = tuple(
        "0x" + v.hex() if k == "condition" else v  # type: ignore[attr-defined]
        for k, v in terms.items()
    )
    encoded = eth_abi.encode(["bytes32", TERMS_TYPE], [salt, values])
    write(
        "consent",
        {
            "formats": "docs/formats/consent.md",
            "salt": salt,
            "terms": terms | {"expiry": str(2**64 - 1)},
            "encoded": encoded,
            "commitment": keccak256(encoded),
            "records": records,
            "records_root": root[0],
        },
    )


def paddings() -> None:
    lengths = [0, 1, 2, 8, 9, 15, 16, 17, 31, 100, 255, 256, 1000, 1025, 65_537, 1_000_000, 2**31]
    write(
        "padding",
        {
            "formats": "docs/formats/sealed-record.md",
            "padme": [[length, padding.padme(length)] for length in lengths],
            "padded": [[data, padding.pad(data)] for data in (b"", b"a", b"abcdefghij", b"\x80\0")],
        },
    )


def own_copies(random: Seeded) -> None:
    key, passphrase = OpeningKey.generate(random), "Zwölf Wörter für mich"
    file = own_copy.lock_own_key(key.to_bytes(), passphrase, random=random)
    record = b'{"resourceType":"Bundle","type":"collection","entry":[{"resource":%s}]}' % TEXTS[0]
    copy, fields = own_copy.seal_copy(key.public, record), json.loads(file)
    header, sealed = own_copy.HEADER, copy[len(own_copy.HEADER) :]

    def changed(**others: Any) -> str:
        return json.dumps(fields | others)

    fewer = own_copy.lock_own_key(key.to_bytes(), passphrase, random=random, passes=1_000)
    write(
        "own-copy",
        {
            "formats": "docs/formats/own-copy.md",
            "passphrase": passphrase,
            "key": file.decode(),
            "seed": key.to_bytes(),
            "public": key.public,
            "record": record,
            "copy": copy,
            "refused": {
                "copy": {
                    "a flipped bit in the ciphertext": flipped(copy, len(copy) - 40),
                    "a flipped bit in the encapsulated key": flipped(copy, 100),
                    "a byte after the end": copy + b"\0",
                    "cut": copy[:-1],
                    "version 2": cbor.encode({"type": "own-copy", "v": 2, "suite": 1}) + sealed,
                    "suite 2": cbor.encode({"type": "own-copy", "v": 1, "suite": 2}) + sealed,
                    "not padded": header
                    + seal_to(
                        key.public, record, info=b"simdes/own-copy/v1", aad=digest.sha256(header)
                    ),
                },
                "key": {
                    "too few passes": fewer.decode(),
                    "too many passes": changed(passes=10_000_001),
                    "passes as text": changed(passes="600000"),
                    "version 2": changed(v=2),
                    "another type": changed(type="own-copy"),
                    "an unknown field": changed(hint="the dog"),
                    "a short salt": changed(salt=fields["salt"][:-2]),
                    "a flipped bit": changed(locked="AAAA" + fields["locked"][4:]),
                },
            },
        },
    )


def main() -> None:
    """Write every file."""
    own_copies(Seeded("own copies"))
    record, vault, author = sealed_record(Seeded("sealed record"))
    redistributed_capsule(Seeded("redistributed"), record, vault)
    statements(Seeded("keys"))
    letters(Seeded("letters"), record, author)
    anchors(Seeded("anchors"))
    consents(Seeded("consents"))
    paddings()


if __name__ == "__main__":
    main()
