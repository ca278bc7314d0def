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
from itertools import chain
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from simdes.crypto import anchor, cbor
from simdes.crypto.capsule import Draft
from simdes.crypto.digest import hkdf, sha256
from simdes.crypto.keys import SigningKey
from simdes.crypto.padding import MARK, padded_size
from simdes.crypto.shares import commit_secret, is_secret
from simdes.crypto.statement import MAX_CATEGORY, MAX_EPOCH, MAX_LABELS, Subject, Warrant, author_of
from simdes.errors import Invalid, Tampered, TooLarge, Unsupported

CHUNK_BYTES: Final = 64 * 1024
MAX_WHOLE_BYTES: Final = 1024 * 1024
MAX_BODY_BYTES: Final = 4 * 1024**3
MAX_ITEMS: Final = 10_000
TAG_BYTES: Final = 16
_KEY_INFO: Final = b"simdes/body/v1\0"
_KNOWN: Final = frozenset(("type", "v", "suite", "record", "secret", "chunk"))
_MAX_HEADER_BYTES: Final = 1024
_TRAILER_HEAD: Final = cbor.bytes_head(99)  # m, n, roster and signature follow
_TRAILER_BYTES: Final = 101


@dataclass(frozen=True, slots=True)
class StreamItem:
    """A resource to seal whose content comes in pieces: type, 32-byte salt, length in bytes."""

    type: str
    salt: bytes
    length: int
    pieces: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class ItemStart:
    """A resource begins; its content follows as `bytes` pieces of `length` bytes together."""

    type: str
    salt: bytes
    length: int


@dataclass(frozen=True, slots=True)
class RecordEnd:
    """The body is complete and its author's signature holds.

    `author` is the 20-byte address; `body_digest` SHA-256 over all body bytes; `leaves` one per
    resource, to look up in the anchored batch.
    """

    subject: Subject
    author: bytes
    warrant: Warrant
    body_digest: bytes
    leaves: tuple[bytes, ...]


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


def _cipher(secret: bytes, record_id: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(hkdf(secret, salt=record_id, info=_KEY_INFO))


def _nonce(counter: int, *, last: bool) -> bytes:
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
        self, items: Sequence[StreamItem], secret: bytes, draft: Draft, author: SigningKey
    ) -> None:
        if not 1 <= len(items) <= MAX_ITEMS:
            raise Invalid(f"A record holds 1 to {MAX_ITEMS} resources.")
        self._items, self._draft, self._author, self._secret = items, draft, author, secret
        self._heads = [_item_head(i.type, i.salt, i.length) for i in items]
        self._preamble = _preamble(draft.subject, author.address, len(items))
        size = len(self._preamble) + sum(map(len, self._heads)) + sum([i.length for i in items])
        self._padding = padded_size(size + _TRAILER_BYTES) - size - _TRAILER_BYTES
        if size > MAX_BODY_BYTES:
            raise TooLarge("A body holds at most 4 GiB.")
        self._header = _header(draft.subject, 0)
        padded = size + _TRAILER_BYTES + self._padding
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
            else _rechunk(self._plaintext(content_digests), CHUNK_BYTES)
        )
        header, record_id = self._header, self._draft.subject.record_id
        cipher = _cipher(self._secret, record_id)
        body = hashlib.sha256(header)
        yield header
        for counter, (chunk, last) in enumerate(chunks):
            sealed = cipher.encrypt(_nonce(counter, last=last), chunk, header)
            body.update(sealed)
            yield sealed
        self.digest = body.digest()
        contents = zip(self._items, content_digests, strict=True)
        self.leaves = _leaves(
            record_id, self.digest, [(i.type, i.salt, digest) for i, digest in contents]
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
        return plain + self._sign(sha256(plain))

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

    def _sign(self, content_digest: bytes) -> bytes:
        """Return the trailer and the padding that end the plaintext."""
        draft = self._draft
        self.content_digest = content_digest
        self.signature = self._author.sign(draft.statement(content_digest))
        threshold = bytes((draft.m, len(draft.shares)))
        trailer = b"".join((_TRAILER_HEAD, threshold, draft.roster, self.signature))
        return trailer + MARK.ljust(self._padding, b"\0")


def _check_length(item: StreamItem, length: int) -> None:
    if length != item.length:
        raise Invalid("A resource's content is not as long as was announced.")


def _leaves(
    record_id: bytes, digest: bytes, items: Sequence[tuple[str, bytes, bytes]]
) -> tuple[bytes, ...]:
    return tuple(
        anchor.leaf(record_id=record_id, body_digest=digest, type=t, salt=s, content_digest=d)
        for t, s, d in items
    )


def _rechunk(pieces: Iterable[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
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


class _Plain:
    """The opened plaintext, read as it is decrypted: at most a few chunks at a time."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._buffer = b""
        self._at = 0
        self._hash = hashlib.sha256()
        self.read_bytes = 0

    def _fill(self, size: int) -> None:
        while len(self._buffer) - self._at < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                return
            self._buffer = self._buffer[self._at :] + chunk
            self._at = 0

    def _advance(self, end: int) -> bytes:
        taken = self._buffer[self._at : end]
        self._at = end
        self.read_bytes += len(taken)
        self._hash.update(taken)
        return taken

    def reader(self, size: int) -> cbor.Reader:
        """Return a reader at the present position with `size` bytes before it, or all there is."""
        self._fill(size)
        return cbor.Reader(self._buffer, self._at)

    def accept(self, reader: cbor.Reader) -> None:
        """Move to where `reader` stopped."""
        self._advance(reader.at)

    def pieces(self, length: int) -> Iterator[bytes]:
        """Yield the next `length` bytes as they come."""
        while length:
            self._fill(1)
            piece = self._advance(min(len(self._buffer), self._at + length))
            if not piece:
                raise Invalid("A resource's content ends too early.")
            length -= len(piece)
            yield piece

    def digest(self) -> bytes:
        """Return SHA-256 of what was read so far."""
        return self._hash.digest()

    def check_padding(self) -> None:
        """`Tampered` unless the mark, zeros and nothing else follow, up to the Padmé length."""
        expected = padded_size(self.read_bytes)
        self._fill(1)
        rest = self._buffer[self._at :]
        size = self.read_bytes + len(rest)
        good = rest[:1] == MARK and not rest[1:].strip(b"\0")
        for chunk in self._chunks:
            size += len(chunk)
            good = good and not chunk.strip(b"\0")
        if not good or size != expected:
            raise Tampered("The padding is not what the format prescribes.")


def _split_header(chunks: Iterator[bytes]) -> tuple[bytes, bytes]:
    start = b""
    while len(start) < _MAX_HEADER_BYTES and (chunk := next(chunks, None)) is not None:
        start += chunk
    _, end = cbor.decode_first(start[:_MAX_HEADER_BYTES])
    return start[:end], start[end:]


def _decrypt(
    sealed: Iterator[bytes], header: bytes, chunk_bytes: int, cipher: ChaCha20Poly1305
) -> Iterator[bytes]:
    limit = (chunk_bytes or MAX_WHOLE_BYTES - len(header) - TAG_BYTES) + TAG_BYTES
    total = len(header)
    for counter, (chunk, last) in enumerate(_rechunk(sealed, limit)):
        total += len(chunk)
        if not (last or chunk_bytes) or total > MAX_BODY_BYTES + MAX_BODY_BYTES // 1024:
            raise TooLarge("The body is longer than its kind allows.")
        try:
            yield cipher.decrypt(_nonce(counter, last=last), chunk, header)
        except InvalidTag:
            raise Tampered("The body does not open: wrong secret or altered bytes.") from None
    if chunk_bytes and total <= MAX_WHOLE_BYTES:
        raise Invalid("A body of at most 1 MiB is sealed in one piece.")


def open_chunks(
    chunks: Iterable[bytes], secret: bytes, *, record_id: bytes
) -> Iterator[ItemStart | bytes | RecordEnd]:
    """Open a body piece by piece: for each resource an `ItemStart` and its content, then one
    `RecordEnd`.

    What was yielded is the author's only once `RecordEnd` has come: a consumer keeps it aside
    until then. Memory stays within 1 MiB and some chunks. `Tampered` if any byte, the secret or
    the record id differs; `Invalid` or `Unsupported` for a body the format does not allow.
    """
    digest = hashlib.sha256()

    def hashed() -> Iterator[bytes]:
        for chunk in chunks:
            digest.update(chunk)
            yield chunk

    source = hashed()
    header, rest = _split_header(source)
    fields = cbor.Fields(cbor.decode(header), kind="body", known=_KNOWN)
    fields.suite()
    chunk_bytes = fields.uint("chunk", 2**32)
    if chunk_bytes not in (0, CHUNK_BYTES):
        raise Unsupported("A body is sealed whole or in chunks of 64 KiB.")
    commitment = fields.fixed("secret", 32)
    if fields.fixed("record", 32) != record_id:
        raise Tampered("The body belongs to another record.")
    if not is_secret(secret) or commit_secret(secret, record_id=record_id) != commitment:
        raise Tampered("The secret is not the one that the body commits to.")
    cipher = _cipher(secret, record_id)
    plain = _Plain(_decrypt(chain((rest,), source), header, chunk_bytes, cipher))
    subject, author, count = _read_preamble(plain, record_id, commitment)
    items: list[tuple[str, bytes, bytes]] = []
    for _ in range(count):
        start = _read_item_start(plain)
        yield start
        content = hashlib.sha256()
        for piece in plain.pieces(start.length):
            content.update(piece)
            yield piece
        items.append((start.type, start.salt, content.digest()))
    content_digest = plain.digest()
    warrant = _read_trailer(plain, content_digest)
    plain.check_padding()
    if author_of(subject, warrant) != author:
        raise Tampered("The author did not sign this body.")
    body_digest = digest.digest()
    yield RecordEnd(subject, author, warrant, body_digest, _leaves(record_id, body_digest, items))


def _read_trailer(plain: _Plain, content_digest: bytes) -> Warrant:
    reader = plain.reader(_TRAILER_BYTES)
    trailer = reader.fixed(_TRAILER_BYTES - len(_TRAILER_HEAD))
    plain.accept(reader)
    return Warrant(trailer[0], trailer[1], trailer[2:34], content_digest, trailer[34:])


def _read_preamble(
    plain: _Plain, record_id: bytes, commitment: bytes
) -> tuple[Subject, bytes, int]:
    reader = plain.reader(256)
    reader.array(8)
    if reader.fixed(32) != record_id:
        raise Tampered("The body's content belongs to another record.")
    subject = Subject(
        record_id=record_id,
        vault=reader.fixed(32),
        category=reader.uint(MAX_CATEGORY),
        labels=reader.uint(MAX_LABELS),
        epoch=reader.uint(MAX_EPOCH),
        organisation=reader.fixed(32),
        commitment=commitment,
    )
    author, count = reader.fixed(20), reader.uint(MAX_ITEMS)
    if count < 1:
        raise Invalid("A record holds at least one resource.")
    plain.accept(reader)
    return subject, author, count


def _read_item_start(plain: _Plain) -> ItemStart:
    reader = plain.reader(128)
    reader.array(3)
    start = ItemStart(reader.text(), reader.fixed(32), reader.bytes_length())
    anchor.type_field(start.type)
    plain.accept(reader)
    return start
