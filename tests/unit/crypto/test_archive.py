"""A backup's file: what was written comes back, and nothing that anybody changed, cut or moved."""

from __future__ import annotations

import io
from typing import Any

import pytest

from simdes.crypto import archive
from simdes.crypto.archive import PIECE_BYTES, Piece
from simdes.errors import Invalid, SimdesError, Tampered, Unsupported

KEY = bytes(range(32))
HEADER = {"organisation": bytes(32), "name": "a", "created_ms": 5}
PIECES: list[Piece] = [
    ("one", b"x" * 1000),
    ("one", b""),
    ("two", bytes(PIECE_BYTES)),
    ("two", b"y"),
]


def written(pieces: list[Piece] = PIECES, header: dict[str, Any] = HEADER) -> bytes:
    file = io.BytesIO()
    archive.write(file, KEY, header, pieces)
    return file.getvalue()


def read(data: bytes, key: bytes = KEY) -> tuple[dict[str, Any], list[Piece]]:
    header, pieces = archive.read(io.BytesIO(data), key)
    return header, list(pieces)


def bounds(data: bytes) -> list[tuple[int, int]]:
    """Where each piece lies, with its length."""
    at, found = 4 + int.from_bytes(data[:4], "big"), []
    while at < len(data):
        size = 4 + int.from_bytes(data[at : at + 4], "big")
        found.append((at, at + size))
        at += size
    return found


@pytest.mark.parametrize("pieces", [[], PIECES], ids=["nothing", "pieces"])
def test_what_was_written_comes_back(pieces: list[Piece]) -> None:
    header, found = read(written(pieces))
    assert found == pieces
    assert header == {"type": "backup", "v": 1, "suite": 1} | HEADER
    assert archive.read_header(io.BytesIO(written())) == header


def test_every_changed_byte_is_found() -> None:
    data = written([("one", b"content")])
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises(SimdesError):
            read(bytes(changed))


def test_every_shorter_and_longer_file_is_refused() -> None:
    data = written([("one", b"content"), ("two", b"more")])
    for size in range(len(data)):
        with pytest.raises(SimdesError):
            read(data[:size])
    with pytest.raises(Tampered, match="behind"):
        read(data + b"\0")


def test_pieces_can_be_neither_exchanged_nor_left_out_nor_repeated() -> None:
    data = written([("one", b"a"), ("two", b"b"), ("three", b"c")])
    cut = [data[start:end] for start, end in bounds(data)]
    head = data[: bounds(data)[0][0]]
    for order in ([1, 0, 2, 3], [0, 2, 3], [0, 0, 1, 2, 3], [0, 1, 2, 3, 3], [3], [0, 1, 3]):
        with pytest.raises(Tampered):
            read(head + b"".join(cut[number] for number in order))


def test_pieces_of_another_file_under_the_same_key_do_not_fit() -> None:
    data, other = written([("one", b"a")]), written([("one", b"a")], HEADER | {"name": "b"})
    head = other[: bounds(other)[0][0]]
    with pytest.raises(Tampered):
        read(head + data[bounds(data)[0][0] :])


def test_another_key_opens_nothing_and_a_later_format_is_not_guessed_at() -> None:
    with pytest.raises(Tampered):
        read(written(), bytes(32))
    later = written().replace(b"\x61v\x01", b"\x61v\x02", 1)
    with pytest.raises(Unsupported):
        archive.read_header(io.BytesIO(later))
    with pytest.raises(Invalid):
        written([("one", bytes(PIECE_BYTES + 1))])
