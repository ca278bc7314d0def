"""Large bodies: sealed and opened in chunks, in bounded memory, without a way around the checks."""

from __future__ import annotations

import gc
import hashlib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from simdes.crypto import cbor
from simdes.crypto.body import CHUNK_BYTES, MAX_WHOLE_BYTES
from simdes.crypto.seal import (
    Item,
    ItemStart,
    RecordEnd,
    SealedStream,
    StreamItem,
    combine_shares,
    open_body,
    open_chunks,
    seal_chunks,
)
from simdes.errors import Invalid, SimdesError, Tampered, TooLarge

from .conftest import World

MIB = 1024 * 1024


def stream_of(world: World, *lengths: int) -> SealedStream:
    items = [
        StreamItem("Binary", world.random(32), length, pieces(length, step=50_000))
        for length in lengths
    ]
    return seal_chunks(
        items,
        vault=world.vault,
        category=9,
        labels=0,
        epoch=1,
        m=2,
        custodians=world.custodians,
        author=world.author,
        organisation=world.organisation,
        random=world.random,
    )


def pieces(length: int, *, step: int) -> Iterator[bytes]:
    for start in range(0, length, step):
        yield bytes(((start // step) % 251,)) * min(step, length - start)


def secret_of(world: World, capsule: bytes) -> bytes:
    return combine_shares(capsule, [one.share for one in world.open(capsule, 1, 2)])


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", [1000, CHUNK_BYTES, CHUNK_BYTES + 16, 10 * MIB])
def test_a_large_body_opens_however_its_bytes_arrive(world: World, size: int) -> None:
    stream = stream_of(world, 900_000, 0, 700_001)
    body = b"".join(stream)
    assert len(body) > MAX_WHOLE_BYTES
    events = list(
        open_chunks(cut(body, size), secret_of(world, stream.capsule), record_id=stream.record_id)
    )
    starts = [event for event in events if isinstance(event, ItemStart)]
    assert [start.length for start in starts] == [900_000, 0, 700_001]
    content = b"".join(event for event in events if isinstance(event, bytes))
    assert content == b"".join((*pieces(900_000, step=50_000), *pieces(700_001, step=50_000)))
    end = events[-1]
    assert isinstance(end, RecordEnd)
    assert (end.author, end.subject.vault) == (world.author.address, world.vault)
    assert (end.body_digest, end.leaves) == (stream.body_digest, stream.leaves)


def test_a_64_mib_body_is_sealed_and_opened_in_a_few_mib(world: World, tmp_path: Path) -> None:
    length, file = 64 * MIB, tmp_path / "body"
    gc.collect()
    tracemalloc.start()
    stream = stream_of(world, length)
    with file.open("wb") as sealed:
        for chunk in stream:
            sealed.write(chunk)
    secret = secret_of(world, stream.capsule)
    content, end = hashlib.sha256(), None
    with file.open("rb") as sealed:
        chunks = iter(lambda: sealed.read(MIB), b"")
        for event in open_chunks(chunks, secret, record_id=stream.record_id):
            if isinstance(event, bytes):
                content.update(event)
            else:
                end = event
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    expected = hashlib.sha256()
    for piece in pieces(length, step=50_000):
        expected.update(piece)
    assert content.digest() == expected.digest()
    assert isinstance(end, RecordEnd) and end.body_digest == stream.body_digest
    assert peak < 4 * MIB, f"{peak / MIB:.1f} MiB"


def test_the_border_between_whole_and_chunked_bodies_is_one_mib(world: World) -> None:
    """One byte of content decides; on both sides the body opens."""

    def chunk_of(length: int) -> int:
        stream = stream_of(world, length)
        body = b"".join(stream)
        header, _ = cbor.decode_first(body[:1024])
        assert (header["chunk"] == 0) == (len(body) <= MAX_WHOLE_BYTES)
        secret = secret_of(world, stream.capsule)
        (item,) = open_body(body, secret, record_id=stream.record_id).items
        assert len(item.content) == length
        return header["chunk"]

    fits, exceeds = MIB - 32_768, MIB
    assert (chunk_of(fits), chunk_of(exceeds)) == (0, CHUNK_BYTES)
    while exceeds - fits > 1:
        middle = (fits + exceeds) // 2
        fits, exceeds = (fits, middle) if chunk_of(middle) else (middle, exceeds)
    # The largest Padmé size that leaves room for header and tag is 2²⁰ − 2¹⁴.
    assert 0 < MIB - 16_384 - fits < 400


@pytest.fixture
def large(world: World) -> tuple[bytes, bytes, bytes, int]:
    """Body, secret, record id, and where the chunks start."""
    stream = stream_of(world, 1_200_000)
    body = b"".join(stream)
    return body, secret_of(world, stream.capsule), stream.record_id, cbor.decode_first(body)[1]


def refused(body: bytes, secret: bytes, record_id: bytes) -> None:
    with pytest.raises(SimdesError):
        open_body(body, secret, record_id=record_id)


def test_a_large_body_opens_in_memory_too(large: tuple[bytes, bytes, bytes, int]) -> None:
    body, secret, record_id, _ = large
    (item,) = open_body(body, secret, record_id=record_id).items
    assert item == Item("Binary", b"".join(pieces(1_200_000, step=50_000)), item.salt)


def test_chunks_cannot_be_swapped_repeated_dropped_or_cut(
    large: tuple[bytes, bytes, bytes, int],
) -> None:
    body, secret, record_id, start = large
    size = CHUNK_BYTES + 16
    header, sealed = body[:start], list(cut(body[start:], size))
    swapped = [sealed[1], sealed[0], *sealed[2:]]
    for forged in (
        swapped,
        [sealed[0], *sealed],
        sealed[1:],
        sealed[:-1],
        sealed[:-2] + sealed[-1:],
        [*sealed, sealed[-1]],
        [*sealed, b"\0"],
        [*sealed[:-1], sealed[-1][:-1]],
        [],
    ):
        refused(header + b"".join(forged), secret, record_id)


def test_one_flipped_bit_in_any_chunk_is_refused(large: tuple[bytes, bytes, bytes, int]) -> None:
    body, secret, record_id, start = large
    for position in (*range(start), *range(start, len(body), 20_011), len(body) - 1):
        changed = bytearray(body)
        changed[position] ^= 1 << position % 8
        refused(bytes(changed), secret, record_id)


def test_a_body_that_claims_to_be_whole_but_is_longer_is_not_read_into_memory(
    large: tuple[bytes, bytes, bytes, int],
) -> None:
    body, secret, record_id, _ = large
    header, _ = cbor.decode_first(body)
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield cbor.encode(header | {"chunk": 0})
        while True:
            taken += 65536
            yield bytes(65536)

    with pytest.raises(TooLarge):
        list(open_chunks(endless(), secret, record_id=record_id))
    assert taken <= 2 * MIB


def test_a_small_body_in_chunks_is_refused(world: World) -> None:
    """One body has one form: a reader never accepts the other one."""
    from simdes.crypto.body import body_cipher, chunk_nonce

    record = world.seal(m=2)
    secret = secret_of(world, record.capsule)
    header, end = cbor.decode_first(record.body)
    cipher = body_cipher(secret, record.record_id)
    plain = cipher.decrypt(chunk_nonce(0, last=True), record.body[end:], record.body[:end])
    chunked = cbor.encode(header | {"chunk": CHUNK_BYTES})
    forged = chunked + cipher.encrypt(chunk_nonce(0, last=True), plain, chunked)
    with pytest.raises(Invalid, match="in one piece"):
        open_body(forged, secret, record_id=record.record_id)


def test_nothing_after_the_check_means_nothing_was_signed(
    large: tuple[bytes, bytes, bytes, int],
) -> None:
    """Content comes before the end; only the end says that it is the author's."""
    body, secret, record_id, _ = large
    changed = bytearray(body)
    changed[-1] ^= 1
    seen = []
    with pytest.raises(Tampered):
        for event in open_chunks(cut(bytes(changed), 9999), secret, record_id=record_id):
            seen.append(event)
    assert any(isinstance(event, bytes) for event in seen)
    assert not any(isinstance(event, RecordEnd) for event in seen)
