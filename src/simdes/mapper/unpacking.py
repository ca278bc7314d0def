"""Unpack gzip (RFC 1952) without trusting it: bounded, several members, never more than asked."""

from __future__ import annotations

import zlib

from simdes.errors import TooLarge
from simdes.mapper.refusal import Unreadable

MARK = b"\x1f\x8b"
_BROKEN = "Send the file again, whole, or unpacked."


def unpacked(data: bytes, *, limit_bytes: int) -> bytes:
    """Unpack ``data``. Raises TooLarge beyond the limit, `Unreadable` where it is damaged."""
    parts: list[bytes] = []
    left = limit_bytes
    while data.startswith(MARK):
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            part = member.decompress(data, left + 1)
        except zlib.error as error:
            raise Unreadable("damaged-archive", "this gzip is damaged", _BROKEN) from error
        if len(part) > left:
            raise TooLarge(f"it unpacks to more than {limit_bytes} bytes")
        if not member.eof:
            raise Unreadable("damaged-archive", "this gzip is cut off", _BROKEN)
        parts.append(part)
        left -= len(part)
        data = member.unused_data.lstrip(b"\0")
    return b"".join(parts)
