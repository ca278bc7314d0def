"""A second reader of the formats, written from docs/formats alone.

It shares no code with `simdes`: another CBOR decoder, another Keccak, another signature library,
HPKE from its parts (https://www.rfc-editor.org/rfc/rfc9180, MLKEM768-X25519 as in
draft-ietf-hpke-pq). It is short because it checks only what it needs to get at the plaintext; what
a reader must refuse is tested on the real one.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import unicodedata
from base64 import urlsafe_b64decode
from typing import Any

import cbor2
from Crypto.Hash import keccak
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from eth_keys.datatypes import Signature

PRIME = 2**256 - 189


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def keccak256(*parts: bytes) -> bytes:
    return keccak.new(data=b"".join(parts), digest_bits=256).digest()


def derive(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)


def signer(digest: bytes, signature: bytes) -> bytes:
    recoverable = Signature(signature[:64] + bytes((signature[64] - 27,)))
    return recoverable.recover_public_key_from_msg_hash(digest).to_canonical_address()


# HPKE


def private_keys(seed: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    expanded = hashlib.shake_256(seed).digest(96)
    return (
        MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
        X25519PrivateKey.from_private_bytes(expanded[64:]),
    )


def public_key(seed: bytes) -> bytes:
    mlkem, x25519 = private_keys(seed)
    return mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()


def decapsulate(seed: bytes, encapsulated: bytes) -> bytes:
    mlkem, x25519 = private_keys(seed)
    ephemeral = encapsulated[1088:]
    return hashlib.sha3_256(
        mlkem.decapsulate(encapsulated[:1088])
        + x25519.exchange(X25519PublicKey.from_public_bytes(ephemeral))
        + ephemeral
        + x25519.public_key().public_bytes_raw()
        + b"\\.//^\\"
    ).digest()


SUITE = b"HPKE" + bytes.fromhex("647a00010003")


def _extract(salt: bytes, label: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + SUITE + label + secret, "sha256")


def _expand(key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + SUITE + label + info
    return hmac.digest(key, labelled + b"\1", "sha256")[:length]


def key_schedule(shared_secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Return key and base nonce, base mode."""
    context = b"\0" + _extract(b"", b"psk_id_hash", b"") + _extract(b"", b"info_hash", info)
    secret = _extract(shared_secret, b"secret", b"")
    return _expand(secret, b"key", context, 32), _expand(secret, b"base_nonce", context, 12)


def hpke_open(seed: bytes, sealed: bytes, info: bytes) -> bytes:
    key, nonce = key_schedule(decapsulate(seed, sealed[:1120]), info)
    return ChaCha20Poly1305(key).decrypt(nonce, sealed[1120:], b"")


def open_sealed(seed: bytes, sealed: bytes, use: bytes, bound: bytes) -> bytes:
    info = b"simdes/hpke/v1\0" + len(use).to_bytes(4, "big") + use + bound
    return hpke_open(seed, sealed, info)


# Objects


def items_of(data: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    """Return the header, its bytes, and what follows."""
    stream = io.BytesIO(data)
    header = cbor2.CBORDecoder(stream, read_size=1).decode()
    end = len(cbor2.dumps(header, canonical=True))
    assert data[:end] == cbor2.dumps(header, canonical=True)
    return header, data[:end], data[end:]


def packed(
    record: bytes, vault: bytes, category: int, labels: int, epoch: int, org: bytes
) -> bytes:
    numbers = bytes((category,)) + labels.to_bytes(8, "big") + epoch.to_bytes(4, "big")
    return record + vault + numbers + org


def open_share(capsule: bytes, seed: bytes, index: int) -> dict[str, Any]:
    header, header_bytes, rest = items_of(capsule)
    assert (header["type"], header["v"], header["suite"], header["kind"]) == ("capsule", 1, 1, 1)
    record, epoch = header["record"], header["epoch"].to_bytes(4, "big")
    payload = open_sealed(
        seed,
        cbor2.loads(rest)[index - 1],
        b"simdes/capsule/v1\0" + record + epoch + bytes((index,)),
        sha256(header_bytes),
    )
    names = "value custodian record vault category labels organisation author content signature"
    share = dict(zip(names.split(), cbor2.loads(payload), strict=True))
    subject = packed(
        record,
        share["vault"],
        share["category"],
        share["labels"],
        header["epoch"],
        share["organisation"],
    )
    statement = sha256(
        b"simdes/record-statement/v1\0",
        subject,
        header["secret"],
        bytes((header["m"], len(header["shares"]))),
        sha256(*header["shares"]),
        share["content"],
    )
    assert signer(statement, share["signature"]) == share["author"]
    assert header["shares"][index - 1] == sha256(
        b"simdes/share/v1\0", record, epoch, bytes((index,)), share["value"]
    )
    return share


def open_parts(capsule: bytes, seed: bytes, index: int) -> dict[int, bytes]:
    """Return dealer -> part of new custodian `index` in a redistributed capsule."""
    header, header_bytes, rest = items_of(capsule)
    assert (header["type"], header["kind"]) == ("capsule", 2)
    record, epoch = header["record"], header["epoch"].to_bytes(4, "big")
    numbers = header["from"].to_bytes(4, "big") + epoch + bytes((header["m"], header["n"]))
    parts = {}
    for dealer, commitments, sealed in cbor2.loads(rest):
        place = epoch + bytes((dealer, index))
        payload = open_sealed(
            seed,
            sealed[index - 1],
            b"simdes/capsule-part/v1\0" + record + place,
            sha256(header_bytes) + sha256(*commitments),
        )
        value, _, vault, category, labels, written, by, author, *rest_of = cbor2.loads(payload)
        m, n, roster, content, signature, organisation, address, dealt = rest_of
        subject = packed(record, vault, category, labels, written, by) + header["secret"]
        statement = b"simdes/record-statement/v1\0" + subject + bytes((m, n)) + roster + content
        assert signer(sha256(statement), signature) == author
        statement = b"simdes/dealer-statement/v1\0" + subject + numbers + bytes((dealer,))
        assert signer(sha256(statement, organisation, sha256(*commitments)), dealt) == address
        assert commitments[index] == sha256(b"simdes/part/v1\0", record, place, value)
        parts[dealer] = value
    return parts


def combine(values: dict[int, bytes]) -> bytes:
    total = 0
    for i, value in values.items():
        term = int.from_bytes(value, "big")
        for j in values:
            if j != i:
                term = term * j * pow(j - i, -1, PRIME) % PRIME
        total += term
    return (total % PRIME).to_bytes(32, "big")


def split(secret: bytes, m: int, n: int, record: bytes, epoch: int) -> dict[int, bytes]:
    coefficients = [int.from_bytes(secret, "big")]
    for j in range(1, m):
        info = b"simdes/coefficient/v1\0" + epoch.to_bytes(4, "big") + bytes((j,))
        coefficients.append(int.from_bytes(derive(secret, record, info, 48), "big") % PRIME)
    return {
        x: (sum(c * x**k for k, c in enumerate(coefficients)) % PRIME).to_bytes(32, "big")
        for x in range(1, n + 1)
    }


def open_body(body: bytes, secret: bytes) -> dict[str, Any]:
    header, header_bytes, sealed = items_of(body)
    assert header["secret"] == sha256(b"simdes/secret/v1\0", header["record"], secret)
    cipher = ChaCha20Poly1305(derive(secret, header["record"], b"simdes/body/v1\0", 32))
    size = header["chunk"] + 16 if header["chunk"] else len(sealed)
    plain = b""
    for number, start in enumerate(range(0, len(sealed), size)):
        last = start + size >= len(sealed)
        nonce = number.to_bytes(11, "big") + bytes((last,))
        plain += cipher.decrypt(nonce, sealed[start : start + size], header_bytes)
    stream = io.BytesIO(plain)
    decoder = cbor2.CBORDecoder(stream, read_size=1)
    record, vault, category, labels, epoch, organisation, author, count = decoder.decode()
    items = [tuple(decoder.decode()) for _ in range(count)]
    content = sha256(plain[: stream.tell()])
    trailer = decoder.decode()
    statement = sha256(
        b"simdes/record-statement/v1\0",
        packed(record, vault, category, labels, epoch, organisation),
        header["secret"],
        trailer[:34],
        content,
    )
    assert signer(statement, trailer[34:]) == author
    assert plain[stream.tell() :].rstrip(b"\0") == b"\x80"
    leaves = [
        keccak256(
            b"\0",
            record,
            sha256(body),
            kind.encode().ljust(32, b"\0"),
            keccak256(salt, sha256(text)),
        )
        for kind, salt, text in items
    ]
    return {"items": items, "vault": vault, "author": author, "leaves": leaves, "epoch": epoch}


def open_letter(letter: bytes, seed: bytes, info: bytes) -> bytes:
    header, header_bytes, rest = items_of(letter)
    decoder = cbor2.CBORDecoder(io.BytesIO(rest), read_size=1)
    sealed, data = decoder.decode(), decoder.decode()
    hint = sha256(b"simdes/hint/v1", header["salt"], sha256(public_key(seed)))[:16]
    bound = sha256(header_bytes)
    stanza = sealed[header["hints"].index(hint)]
    key = open_sealed(seed, stanza, b"simdes/letter/v1\0" + info, bound)
    assert header["key"] == sha256(b"simdes/letter-key/v1\0", header["salt"], key)
    padded = ChaCha20Poly1305(key).decrypt(bytes(12), data, bound + info)
    return padded.rstrip(b"\0")[:-1]


# A patient's own copy


def own_key(file: str, passphrase: str) -> bytes:
    fields = json.loads(file)
    assert (fields["type"], fields["v"]) == ("own-key", 1)
    assert 600_000 <= fields["passes"] <= 10_000_000
    salt, locked = (urlsafe_b64decode(fields[name] + "==") for name in ("salt", "locked"))
    words = unicodedata.normalize("NFKC", passphrase).encode()
    key = hashlib.pbkdf2_hmac("sha256", words, salt, fields["passes"], 32)
    return AESGCM(key).decrypt(bytes(12), locked, b"simdes/own-key/v1")


def own_copy(seed: bytes, copy: bytes) -> bytes:
    header, header_bytes, sealed = items_of(copy)
    assert header == {"type": "own-copy", "v": 1, "suite": 1}
    use = b"simdes/own-copy/v1"
    return open_sealed(seed, sealed, use, sha256(header_bytes)).rstrip(b"\0")[:-1]
