"""The block layout: one for given content, bounded memory, any other root refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import cbor2
import libipld
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.errors import Tampered, TooLarge
from simdes.storage import layout
from simdes.storage.cid import DAG_CBOR, RAW, binary_cid, check, cid_of, parse
from simdes.storage.layout import BLOCK_BYTES, Root, decode_root, encode_root


class Blocks:
    """Blocks in a dict."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    def put(self, codec: int, block: bytes) -> str:
        cid = cid_of(block, codec=codec)
        self.held[cid] = block
        return cid

    def get(self, cid: str) -> bytes:
        return check(cid, self.held[cid])


def _content(size: int) -> bytes:
    return bytes(i * 31 % 251 for i in range(997)) * (size // 997 + 1)


@pytest.mark.parametrize(
    ("size", "blocks"),
    [(0, 1), (1, 1), (BLOCK_BYTES, 1), (BLOCK_BYTES + 1, 3), (3 * BLOCK_BYTES, 4)],
)
def test_content_of_each_size_comes_back_from_the_expected_blocks(size: int, blocks: int) -> None:
    store, content = Blocks(), _content(size)[:size]
    cid = layout.put(content, store.put)
    assert len(store.held) == blocks
    assert parse(cid)[0] == (RAW if blocks == 1 else DAG_CBOR)
    assert layout.get(cid, store.get, most_bytes=size) == content
    assert b"".join(layout.get_chunks(cid, store.get)) == content


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 1_500_000), max_size=6))
def test_the_cid_does_not_depend_on_how_the_content_is_handed_over(pieces: list[int]) -> None:
    content = _content(sum(pieces))[: sum(pieces)]

    def stream() -> Iterator[bytes]:
        at = 0
        for size in pieces:
            yield content[at : at + size]
            at += size

    whole, streamed = Blocks(), Blocks()
    assert layout.put(stream(), streamed.put) == layout.put(content, whole.put)
    assert whole.held == streamed.held


def test_storing_a_stream_holds_one_block_at_a_time() -> None:
    waiting = 0
    most = 0

    def stream() -> Iterator[bytes]:
        nonlocal waiting, most
        for _ in range(160):
            waiting += 64 << 10
            most = max(most, waiting)
            yield bytes(64 << 10)

    def put(codec: int, block: bytes) -> str:
        nonlocal waiting
        waiting -= len(block) if codec == RAW else 0
        return cid_of(block, codec=codec)

    layout.put(stream(), put)
    assert most <= 2 * BLOCK_BYTES + (64 << 10)
    assert waiting == 0


def test_reading_a_stream_fetches_a_block_only_when_it_is_asked_for() -> None:
    store = Blocks()
    cid = layout.put(_content(3 * BLOCK_BYTES)[: 3 * BLOCK_BYTES], store.put)
    fetched: list[str] = []

    def get(cid: str) -> bytes:
        fetched.append(cid)
        return store.get(cid)

    chunks = layout.get_chunks(cid, get)
    next(chunks)
    assert len(fetched) == 2  # the root and the first block


def test_content_above_the_readers_limit_is_refused_before_its_blocks_are_read() -> None:
    store = Blocks()
    cid = layout.put(_content(2 * BLOCK_BYTES)[: 2 * BLOCK_BYTES], store.put)
    fetched: list[str] = []

    def get(cid: str) -> bytes:
        fetched.append(cid)
        return store.get(cid)

    with pytest.raises(TooLarge):
        layout.get(cid, get, most_bytes=2 * BLOCK_BYTES - 1)
    assert fetched == [cid]
    with pytest.raises(TooLarge):
        layout.get(store.put(RAW, b"four"), store.get, most_bytes=3)


def test_content_beyond_the_root_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MAX_LINKS", 2)
    with pytest.raises(TooLarge):
        layout.put(_content(3 * BLOCK_BYTES)[: 3 * BLOCK_BYTES], Blocks().put)


def test_the_largest_root_is_one_block() -> None:
    root = Root((cid_of(b"x"),) * layout.MAX_LINKS, layout.MAX_LINKS * BLOCK_BYTES)
    assert len(encode_root(root)) <= BLOCK_BYTES


A, B = binary_cid(cid_of(b"a")), binary_cid(cid_of(b"b"))
GOOD = {"links": [A, B], "size": BLOCK_BYTES + 1, "type": "chunks", "v": 1}


def test_the_root_is_the_documented_bytes() -> None:
    link_a, link_b = cbor2.CBORTag(42, b"\0" + A), cbor2.CBORTag(42, b"\0" + B)
    written = {"v": 1, "size": BLOCK_BYTES + 1, "type": "chunks", "links": [link_a, link_b]}
    # dag-cbor: definite lengths, keys by length and then by bytes.
    assert encode_root(decode_root(cbor2.dumps(written, canonical=True))) == cbor2.dumps(
        written, canonical=True
    )


@pytest.mark.parametrize(
    "root",
    [
        GOOD | {"links": [A]},
        GOOD | {"links": []},
        GOOD | {"links": [A, binary_cid(cid_of(b"b", codec=DAG_CBOR))]},
        GOOD | {"links": [A, b"not a link"]},
        GOOD | {"size": BLOCK_BYTES},
        GOOD | {"size": 2 * BLOCK_BYTES + 1},
        GOOD | {"size": -1},
        GOOD | {"size": "1"},
        GOOD | {"type": "file"},
        GOOD | {"v": 2},
        GOOD | {"extra": 0},
        {"links": [A, B]},
        [A, B],
        0,
    ],
)
def test_a_root_of_another_layout_is_refused(root: object) -> None:
    assert decode_root(libipld.encode_dag_cbor(GOOD))
    with pytest.raises(Tampered):
        decode_root(libipld.encode_dag_cbor(root))


@settings(derandomize=True)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_root_with_any_byte_changed_is_refused_or_is_another_proper_root(
    at: int, flip: int
) -> None:
    encoded = bytearray(encode_root(Root((cid_of(b"a"), cid_of(b"b")), BLOCK_BYTES + 1)))
    encoded[at % len(encoded)] ^= flip
    with suppress(Tampered):
        assert encode_root(decode_root(bytes(encoded))) == bytes(encoded)


@given(st.binary(max_size=200))
def test_foreign_bytes_are_no_root(block: bytes) -> None:
    with pytest.raises(Tampered):
        decode_root(block)


@pytest.mark.parametrize("sizes", [(BLOCK_BYTES - 1, 2), (BLOCK_BYTES, 2), (BLOCK_BYTES, 0)])
def test_blocks_of_other_lengths_than_the_root_says_are_refused(sizes: tuple[int, int]) -> None:
    store = Blocks()
    links = tuple(store.put(RAW, bytes(size)) for size in sizes)
    cid = store.put(DAG_CBOR, encode_root(Root(links, BLOCK_BYTES + 1)))
    with pytest.raises(Tampered):
        layout.get(cid, store.get, most_bytes=1 << 30)
