"""Opened bodies: decrypted, checked and given on piece by piece.

Reads what `body` writes and nothing else. Format: ``docs/formats/sealed-record.md``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from simdes.crypto import anchor, cbor
from simdes.crypto.body import (
    CHUNK_BYTES,
    MAX_BODY_BYTES,
    MAX_ITEMS,
    MAX_WHOLE_BYTES,
    TAG_BYTES,
    TRAILER_BYTES,
    TRAILER_HEAD,
    body_cipher,
    chunk_nonce,
    rechunk,
)
from simdes.crypto.padding import MARK, padded_size
from simdes.crypto.shares import commit_secret, is_secret
from simdes.crypto.statement import MAX_CATEGORY, MAX_EPOCH, MAX_LABELS, Subject, Warrant, author_of
from simdes.errors import Invalid, Tampered, TooLarge, Unsupported

_KNOWN: Final = frozenset(("type", "v", "suite", "record", "secret", "chunk"))
_MAX_HEADER_BYTES: Final = 1024
_MAX_SEALED_BYTES: Final = MAX_BODY_BYTES + MAX_BODY_BYTES // 8  # padding and tags included


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


def _split_header(chunks: Iterator[bytes]) -> tuple[cbor.Value, bytes, bytes]:
    """Return the decoded header, its bytes, and what of the sealed content was read with it."""
    start = b""
    while len(start) < _MAX_HEADER_BYTES and (chunk := next(chunks, None)) is not None:
        start += chunk
    value, end = cbor.decode_first(start[:_MAX_HEADER_BYTES])
    return value, start[:end], start[end:]


def _decrypt(
    sealed: Iterator[bytes], header: bytes, chunk_bytes: int, cipher: ChaCha20Poly1305
) -> Iterator[bytes]:
    total = len(header)
    pieces = rechunk(sealed, chunk_bytes + TAG_BYTES) if chunk_bytes else _whole(sealed, total)
    for counter, (chunk, last) in enumerate(pieces):
        total += len(chunk)
        if total > _MAX_SEALED_BYTES:
            raise TooLarge("The body is longer than 4 GiB.")
        try:
            yield cipher.decrypt(chunk_nonce(counter, last=last), chunk, header)
        except InvalidTag:
            raise Tampered("The body does not open: wrong secret or altered bytes.") from None
    if chunk_bytes and total <= MAX_WHOLE_BYTES:
        raise Invalid("A body of at most 1 MiB is sealed in one piece.")


def _whole(sealed: Iterator[bytes], header_bytes: int) -> Iterator[tuple[bytes, bool]]:
    kept: list[bytes] = []
    total = header_bytes
    for piece in sealed:
        total += len(piece)
        if total > MAX_WHOLE_BYTES:
            raise TooLarge("A body sealed in one piece is at most 1 MiB.")
        kept.append(piece)
    yield b"".join(kept), True


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
    source = _hashed(chunks, digest)
    value, header, rest = _split_header(source)
    commitment, chunk_bytes = _read_header(value, record_id)
    if not is_secret(secret) or commit_secret(secret, record_id=record_id) != commitment:
        raise Tampered("The secret is not the one that the body commits to.")
    cipher = body_cipher(secret, record_id)
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
    warrant = _read_trailer(plain, plain.digest())
    plain.check_padding()
    if author_of(subject, warrant) != author:
        raise Tampered("The author did not sign this body.")
    leaves = anchor.leaves(items, record_id=record_id, body_digest=digest.digest())
    yield RecordEnd(subject, author, warrant, digest.digest(), leaves)


def _hashed(chunks: Iterable[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _read_header(header: cbor.Value, record_id: bytes) -> tuple[bytes, int]:
    """Return the commitment to the secret, and the bytes per chunk or 0 for a whole body."""
    fields = cbor.Fields(header, kind="body", known=_KNOWN)
    fields.suite()
    chunk_bytes = fields.uint("chunk", 2**32)
    if chunk_bytes not in (0, CHUNK_BYTES):
        raise Unsupported("A body is sealed whole or in chunks of 64 KiB.")
    if fields.fixed("record", 32) != record_id:
        raise Tampered("The body belongs to another record.")
    return fields.fixed("secret", 32), chunk_bytes


def _read_trailer(plain: _Plain, content_digest: bytes) -> Warrant:
    reader = plain.reader(TRAILER_BYTES)
    trailer = reader.fixed(TRAILER_BYTES - len(TRAILER_HEAD))
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
