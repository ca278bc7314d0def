"""A backup's file: members in pieces, each piece sealed, none exchanged, left out or cut off.

A header in clear, then pieces of 1 MiB at most, each compressed (RFC 1950) and sealed with
ChaCha20-Poly1305 (RFC 8439) under a key that serves this file alone. A piece's nonce is its number
and whether it is the last, as in STREAM (https://eprint.iacr.org/2015/189); the header's digest is
bound to each. Format: ``docs/formats/backup.md``.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from simdes.crypto import cbor
from simdes.crypto.digest import sha256
from simdes.errors import Invalid, SimdesError, Tampered, Unsupported

PIECE_BYTES: Final = 1 << 20
_MOST_SEALED: Final = PIECE_BYTES + (1 << 16)
_MOST_HEADER: Final = 1 << 12
_TYPE: Final = "backup"
_VERSION: Final = 1
_QUICK: Final = 1
"""zlib's level: a backup is bound by the disk, and most of it is ciphertext."""

Piece = tuple[str, bytes]
"""A member's name and its next bytes; an empty name never stands here."""


def write(file: IO[bytes], key: bytes, header: dict[str, Any], pieces: Iterable[Piece]) -> None:
    """Write a file: ``header`` in clear (format and version are added), then the pieces.

    ``key``: 32 bytes, never used for another file. A piece's bytes are `PIECE_BYTES` at most.
    """
    head = cbor.encode_header({"type": _TYPE, "v": _VERSION, "suite": 1, **header})
    file.write(len(head).to_bytes(4, "big") + head)
    sealed = _Sealed(key, head)
    number = 0
    for number, (name, data) in enumerate(pieces, start=1):
        if len(data) > PIECE_BYTES:
            raise Invalid("A piece of a backup is too large.")
        plain = zlib.compress(cbor.encode([name, data]), _QUICK)
        _put(file, sealed.seal(number - 1, plain, last=False))
    _put(file, sealed.seal(number, b"", last=True))


def _put(file: IO[bytes], piece: bytes) -> None:
    file.write(len(piece).to_bytes(4, "big") + piece)


def read_header(file: IO[bytes]) -> dict[str, Any]:
    """Read the header of a file. It is not checked: that takes the key (`read`).

    Raises Tampered for no backup or a damaged one, Unsupported for a later format.
    """
    return _header(_head(file))


def read(file: IO[bytes], key: bytes) -> tuple[dict[str, Any], Iterator[Piece]]:
    """Read a file: its header, and its pieces in order.

    The iterator raises Tampered where a byte differs, a piece is missing or the end was cut off;
    what came before it is as it was written.
    """
    head = _head(file)
    return _header(head), _pieces(file, _Sealed(key, head))


def _head(file: IO[bytes]) -> bytes:
    size = int.from_bytes(file.read(4), "big")
    head = file.read(size) if 0 < size <= _MOST_HEADER else b""
    if not head or len(head) != size:
        raise Tampered("This is no backup, or its beginning is damaged.", advice=_ADVICE)
    return head


def _header(head: bytes) -> dict[str, Any]:
    try:
        header = cbor.decode(head)
    except SimdesError:
        header = None
    if not isinstance(header, dict) or header.get("type") != _TYPE:
        raise Tampered("This is no backup, or its beginning is damaged.", advice=_ADVICE)
    if (header.get("v"), header.get("suite")) != (_VERSION, 1):
        raise Unsupported("The backup has a later format than this release reads.")
    return header


def _pieces(file: IO[bytes], sealed: _Sealed) -> Iterator[Piece]:
    number = 0
    while True:
        length = file.read(4)
        size = int.from_bytes(length, "big")
        piece = file.read(size) if len(length) == 4 and size <= _MOST_SEALED else b""
        if len(piece) < 16 or len(piece) != size:
            raise Tampered("The backup ends too early or is damaged.", advice=_ADVICE)
        plain = sealed.open(number, piece)
        if plain is None:
            break
        yield _piece(plain)
        number += 1
    if file.read(1):
        raise Tampered("Something stands behind the backup's end.", advice=_ADVICE)


def _piece(plain: bytes) -> Piece:
    inflating = zlib.decompressobj()
    found = cbor.decode(inflating.decompress(plain, PIECE_BYTES + _MOST_HEADER))
    if inflating.unconsumed_tail or not isinstance(found, list) or len(found) != 2:
        raise Tampered("A piece of the backup makes no sense.", advice=_ADVICE)
    name, data = found
    return cbor.as_text(name, "name"), cbor.as_bytes(data, "data")


class _Sealed:
    """Seals and opens the pieces of one file by their numbers."""

    def __init__(self, key: bytes, head: bytes) -> None:
        self._cipher = ChaCha20Poly1305(key)
        self._bound = sha256(head)

    def seal(self, number: int, plain: bytes, *, last: bool) -> bytes:
        return self._cipher.encrypt(_nonce(number, last=last), plain, self._bound)

    def open(self, number: int, piece: bytes) -> bytes | None:
        """A piece's bytes; None: it is the last, which holds nothing."""
        for last in (False, True):
            try:
                plain = self._cipher.decrypt(_nonce(number, last=last), piece, self._bound)
            except InvalidTag:
                continue
            return None if last else plain
        raise Tampered(
            f"Piece {number} of the backup is damaged, or the key is not its own.", advice=_ADVICE
        )


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes((last,))


_ADVICE: Final = "Use an older backup, or another copy of this one."
