"""How content becomes blocks: up to 1 MiB one raw block, beyond that a root that links raw blocks.

The root is dag-cbor (https://ipld.io/specs/codecs/dag-cbor/spec/)::

    {"links": [CID, ...], "size": bytes in all, "type": "chunks", "v": 1}

Every linked block is raw and 1 MiB long, the last one 1 byte to 1 MiB. There is one layout for
given content, so two gateways give it the same CID. Memory holds one block, whatever the content's
size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import libipld

from simdes.errors import Tampered, TooLarge
from simdes.storage.cid import DAG_CBOR, RAW, binary_cid, parse, text_cid

BLOCK_BYTES: Final = 1 << 20
"""Bytes of the largest block; Kubo's own limit on what it passes to peers."""
MAX_LINKS: Final = 24_000
"""Links that fit into a root of one block; content ends at 23.4 GiB."""

PutBlock = Callable[[int, bytes], str]
"""(codec, block) -> CID, durable when it returns."""
GetBlock = Callable[[str], bytes]
"""CID -> block, hashed again."""


@dataclass(frozen=True, slots=True)
class Root:
    """The root of content above one block: the CIDs of its blocks, and its size in bytes."""

    links: tuple[str, ...]
    size: int


def put(content: bytes | Iterable[bytes], put_block: PutBlock) -> str:
    """Store content block by block and return its CID; the root goes last.

    Raises:
        TooLarge: more than `MAX_LINKS` blocks.

    """
    if isinstance(content, bytes) and len(content) <= BLOCK_BYTES:
        return put_block(RAW, content)
    links: list[str] = []
    size = 0
    blocks = split(content)
    first = next(blocks, b"")
    second = next(blocks, None)
    if second is None:
        return put_block(RAW, first)
    for block in _chain(first, second, blocks):
        if len(links) == MAX_LINKS:
            raise TooLarge(f"Content is at most {MAX_LINKS} blocks of 1 MiB")
        links.append(put_block(RAW, block))
        size += len(block)
    return put_block(DAG_CBOR, encode_root(Root(tuple(links), size)))


def get_chunks(cid: str, get_block: GetBlock) -> Iterator[bytes]:
    """Read content block by block, each checked before it is given out.

    Raises:
        Tampered: a block differs from its CID, or the root's layout is not the one rule above.

    """
    codec, _ = parse(cid)
    block = get_block(cid)
    if codec == RAW:
        yield block
        return
    root = decode_root(block)
    left = root.size
    for link in root.links:
        block = get_block(link)
        if len(block) != min(left, BLOCK_BYTES):
            raise Tampered(f"A block of {cid} has another length than its root says")
        left -= len(block)
        yield block


def get(cid: str, get_block: GetBlock, *, most_bytes: int) -> bytes:
    """Read content whole.

    Raises:
        TooLarge: it is longer than ``most_bytes``; found from the root, before its blocks are read.
        Tampered: as in `get_chunks`.

    """
    codec, _ = parse(cid)
    block = get_block(cid)
    size = len(block) if codec == RAW else decode_root(block).size
    if size > most_bytes:
        raise TooLarge(f"The content is larger than the {most_bytes} bytes that fit here")
    return block if codec == RAW else b"".join(get_chunks(cid, get_block))


def size_of(cid: str, get_block: GetBlock) -> int:
    """Return the size of content in bytes, from its first block alone; as `get_chunks`."""
    block = get_block(cid)
    return len(block) if parse(cid)[0] == RAW else decode_root(block).size


def links_of(cid: str, get_block: GetBlock) -> tuple[str, ...]:
    """Return the CIDs of the blocks below a CID; none for a raw block."""
    return () if parse(cid)[0] == RAW else decode_root(get_block(cid)).links


def split(content: bytes | Iterable[bytes]) -> Iterator[bytes]:
    """Cut content into blocks of 1 MiB, the last one shorter; nothing for empty content."""
    if isinstance(content, bytes):
        for start in range(0, len(content), BLOCK_BYTES):
            yield content[start : start + BLOCK_BYTES]
        return
    waiting = bytearray()
    for piece in content:
        # In steps, so that one huge piece does not sit in memory twice.
        for start in range(0, len(piece), BLOCK_BYTES):
            waiting += piece[start : start + BLOCK_BYTES]
            while len(waiting) >= BLOCK_BYTES:
                yield bytes(waiting[:BLOCK_BYTES])
                del waiting[:BLOCK_BYTES]
    if waiting:
        yield bytes(waiting)


def encode_root(root: Root) -> bytes:
    """Encode a root; its links become dag-cbor links, so that Kubo pins what is below."""
    return bytes(
        libipld.encode_dag_cbor(
            {
                "links": [binary_cid(link) for link in root.links],
                "size": root.size,
                "type": "chunks",
                "v": 1,
            }
        )
    )


def decode_root(block: bytes) -> Root:
    """Decode a root.

    Raises:
        Tampered: it is not byte for byte what `encode_root` writes for some content.

    """
    try:
        found = libipld.decode_dag_cbor(block)
        root = Root(tuple(text_cid(link) for link in found["links"]), found["size"])
        count = len(root.links)
        fits = (count - 1) * BLOCK_BYTES < root.size <= count * BLOCK_BYTES
        raw = all(parse(link)[0] == RAW for link in root.links)
        if 1 < count <= MAX_LINKS and fits and raw and encode_root(root) == block:
            return root
    except Exception:  # whatever a decoder makes of foreign bytes, the answer is the same
        raise Tampered("The root block is not of the layout that is written here") from None
    raise Tampered("The root block is not of the layout that is written here")


def _chain(first: bytes, second: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield second
    yield from rest
