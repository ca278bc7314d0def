"""Sealed bodies: a header in clear, then ChaCha20-Poly1305, whole or in chunks.

The author's bytes are the record: they go in and come out unchanged, each resource with its salt,
followed by the author's signature, padded. Up to 1 MiB a body is sealed in one piece; beyond, in
64 KiB chunks by the STREAM construction (https://eprint.iacr.org/2015/189), so that a CT scan
never sits in memory whole. Format: ``docs/formats/sealed-record.md``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from simdes.crypto import anchor, cbor
from simdes.crypto.capsule import Draft
from simdes.crypto.digest import hkdf, sha256
from simdes.crypto.keys import SigningKey
from simdes.crypto.padding import MARK, padded_size
from simdes.crypto.statement import Subject
from simdes.errors import Invalid, TooLarge

CHUNK_BYTES: Final = 64 * 1024
MAX_WHOLE_BYTES: Final = 1024 * 1024
MAX_BODY_BYTES: Final = 4 * 1024**3
MAX_ITEMS: Final = 10_000
TAG_BYTES: Final = 16
_KEY_INFO: Final = b"simdes/body/v1\0"
TRAILER_HEAD: Final = cbor.bytes_head(99)  # m, n, roster and signature follow
TRAILER_BYTES: Final = 101


@dataclass(frozen=True, slots=True)
class Item:
    """One resource version: its type's name, the author's bytes unchanged, a 32-byte salt."""

    type: str
    content: bytes
    salt: bytes

    @property
    def length(self) -> int:
        """Bytes of the content."""
        return len(self.content)

    @property
    def pieces(self) -> tuple[bytes]:
        """The content as the one piece it is."""
        return (self.content,)

    def __repr__(self) -> str:
        return f"Item(type={self.type}, {len(self.content)} bytes)"


@dataclass(frozen=True, slots=True)
class StreamItem:
    """A resource to seal whose content comes in pieces: type, 32-byte salt, length in bytes."""

    type: str
    salt: bytes
    length: int
    pieces: Iterable[bytes]


def _header(subject: Subject, chunk: int) -> bytes:
    return cbor.encode_header(
        {
            "type": "body",
            "v": 1,
            "suite": 1,
            "record": subject.record_id,
            "secret": subject.commitment,
            "chunk": chunk,
        }
    )


def body_cipher(secret: bytes, record_id: bytes) -> ChaCha20Poly1305:
    """Return the cipher of a record's body: its key is derived from the secret."""
    return ChaCha20Poly1305(hkdf(secret, salt=record_id, info=_KEY_INFO))


def chunk_nonce(counter: int, *, last: bool) -> bytes:
    """Return the STREAM nonce: 11 bytes of counter, then 1 for the last chunk, else 0."""
    return counter.to_bytes(11, "big") + bytes((last,))


def _preamble(subject: Subject, author: bytes, count: int) -> bytes:
    return cbor.encode(
        [
            subject.record_id,
            subject.vault,
            subject.category,
            subject.labels,
            subject.epoch,
            subject.organisation,
            author,
            count,
        ]
    )


@lru_cache(maxsize=1024)
def _type_head(item_type: str) -> bytes:
    """Encode the start of a resource: an array of 3, its type, the head of its salt."""
    anchor.type_field(item_type)
    head = cbor.head(4, 3) + cbor.head(3, len(item_type))
    return head + item_type.encode() + cbor.bytes_head(32)


def _item_head(item_type: str, salt: bytes, length: int) -> bytes:
    if len(salt) != 32:
        raise Invalid("A resource's salt is 32 bytes.")
    return _type_head(item_type) + salt + cbor.bytes_head(length)


class SealingBody:
    """A body being sealed: iterate once for its bytes; then `digest`, `leaves`, `content_digest`
    and the author's `signature` are there.

    Holds one chunk at a time when the body is over 1 MiB. `Invalid` when an item gives more or
    fewer bytes than it announced.
    """

    def __init__(
        self, items: Sequence[Item | StreamItem], secret: bytes, draft: Draft, author: SigningKey
    ) -> None:
        if not 1 <= len(items) <= MAX_ITEMS:
            raise Invalid(f"A record holds 1 to {MAX_ITEMS} resources.")
        self._items, self._draft, self._author, self._secret = items, draft, author, secret
        self._heads = [_item_head(i.type, i.salt, i.length) for i in items]
        self._preamble = _preamble(draft.subject, author.address, len(items))
        size = len(self._preamble) + sum(map(len, self._heads)) + sum([i.length for i in items])
        self._padding = padded_size(size + TRAILER_BYTES) - size - TRAILER_BYTES
        if size > MAX_BODY_BYTES:
            raise TooLarge("A body holds at most 4 GiB.")
        self._header = _header(draft.subject, 0)
        padded = size + TRAILER_BYTES + self._padding
        self._whole = len(self._header) + padded + TAG_BYTES <= MAX_WHOLE_BYTES
        if not self._whole:
            self._header = _header(draft.subject, CHUNK_BYTES)
        self.digest, self.content_digest, self.signature = b"", b"", b""
        self.leaves: tuple[bytes, ...] = ()

    def __iter__(self) -> Iterator[bytes]:
        content_digests: list[bytes] = []
        chunks = (
            ((self._plaintext_whole(content_digests), True),)
            if self._whole
            else rechunk(self._plaintext(content_digests), CHUNK_BYTES)
        )
        header, record_id = self._header, self._draft.subject.record_id
        cipher = body_cipher(self._secret, record_id)
        body = hashlib.sha256(header)
        yield header
        for counter, (chunk, last) in enumerate(chunks):
            sealed = cipher.encrypt(chunk_nonce(counter, last=last), chunk, header)
            body.update(sealed)
            yield sealed
        self.digest = body.digest()
        contents = zip(self._items, content_digests, strict=True)
        self.leaves = anchor.leaves(
            [(item.type, item.salt, digest) for item, digest in contents],
            record_id=record_id,
            body_digest=self.digest,
        )

    def _plaintext_whole(self, content_digests: list[bytes]) -> bytes:
        # The same bytes as `_plaintext` gives, without a generator's cost per resource, which is
        # a tenth of sealing thirty small ones.
        parts = [self._preamble]
        for item, head in zip(self._items, self._heads, strict=True):
            content = b"".join(item.pieces)
            _check_length(item, len(content))
            content_digests.append(sha256(content))
            parts += (head, content)
        plain = b"".join(parts)
        return b"".join((plain, self._sign(sha256(plain)), *self._pad()))

    def _plaintext(self, content_digests: list[bytes]) -> Iterator[bytes]:
        plain = hashlib.sha256(self._preamble)
        yield self._preamble
        for item, head in zip(self._items, self._heads, strict=True):
            plain.update(head)
            yield head
            content, length = hashlib.sha256(), 0
            for piece in item.pieces:
                content.update(piece)
                plain.update(piece)
                length += len(piece)
                yield piece
            _check_length(item, length)
            content_digests.append(content.digest())
        yield self._sign(plain.digest())
        yield from self._pad()

    def _sign(self, content_digest: bytes) -> bytes:
        """Return the trailer that ends the content."""
        draft = self._draft
        self.content_digest = content_digest
        self.signature = self._author.sign(draft.statement(content_digest))
        threshold = bytes((draft.m, len(draft.shares)))
        return b"".join((TRAILER_HEAD, threshold, draft.roster, self.signature))

    def _pad(self) -> Iterator[bytes]:
        yield MARK
        for start in range(1, self._padding, CHUNK_BYTES):
            yield bytes(min(CHUNK_BYTES, self._padding - start))


def _check_length(item: Item | StreamItem, length: int) -> None:
    if length != item.length:
        raise Invalid("A resource's content is not as long as was announced.")


def rechunk(pieces: Iterable[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
    """Cut pieces anew into chunks of `size`, the last one shorter or equal and marked."""
    buffer = bytearray()
    for piece in pieces:
        view = memoryview(piece)
        while view:
            if len(buffer) == size:
                yield bytes(buffer), False
                buffer.clear()
            taken = min(size - len(buffer), len(view))
            buffer += view[:taken]
            view = view[taken:]
    yield bytes(buffer), True
