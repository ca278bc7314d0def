"""Recursive length prefix, the serialisation of Ethereum's transactions and block headers.

Yellow Paper, appendix B (https://ethereum.github.io/yellowpaper/paper.pdf). Decoding is strict:
only the one canonical form of a value is accepted, so that a transaction has one hash.
"""

from __future__ import annotations

from collections.abc import Sequence

from simdes.errors import Invalid

Item = bytes | Sequence["Item"]
_MAX_DEPTH = 4


def encode(item: Item) -> bytes:
    """Serialise bytes, or a sequence of items."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _prefix(len(item), 0x80) + item
    body = b"".join(encode(part) for part in item)
    return _prefix(len(body), 0xC0) + body


def encode_int(value: int) -> bytes:
    """Return the scalar form: big-endian without leading zeros, empty for zero."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def decode(data: bytes) -> Item:
    """Parse exactly one item. Raises `Invalid` for anything not canonical."""
    try:
        item, end = _item(data, 0, 0)
    except IndexError:
        raise Invalid("the RLP data ends too early") from None
    if end != len(data):
        raise Invalid("there are bytes after the RLP item")
    return item


def decode_int(item: Item, *, octets: int = 32) -> int:
    """Read a scalar of at most `octets` bytes. Raises `Invalid` for leading zeros."""
    if not isinstance(item, bytes) or len(item) > octets or item[:1] == b"\0":
        raise Invalid("an RLP integer is not in canonical form")
    return int.from_bytes(item, "big")


def _prefix(length: int, base: int) -> bytes:
    if length < 56:
        return bytes((base + length,))
    size = encode_int(length)
    return bytes((base + 55 + len(size),)) + size


def _item(data: bytes, at: int, depth: int) -> tuple[Item, int]:
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    base = 0x80 if first < 0xC0 else 0xC0
    start, end = _extent(data, at, first - base)
    if base == 0x80:
        value = data[start:end]
        if len(value) == 1 and value[0] < 0x80:
            raise Invalid("an RLP byte is not in canonical form")
        return value, end
    if depth == _MAX_DEPTH:
        raise Invalid("the RLP data nests too deeply")
    parts = []
    while start < end:
        part, start = _item(data, start, depth + 1)
        parts.append(part)
    if start != end:
        raise Invalid("an RLP item is longer than its list")
    return parts, end


def _extent(data: bytes, at: int, size: int) -> tuple[int, int]:
    """Return where the payload starts and ends; `size` is the prefix less its base."""
    start = at + 1
    if size < 56:
        end = start + size
    else:
        width = size - 55
        length = int.from_bytes(data[start : start + width], "big")
        if length < 56 or data[start] == 0:
            raise Invalid("an RLP length is not in canonical form")
        start += width
        end = start + length
    if end > len(data):
        raise Invalid("the RLP data ends too early")
    return start, end
