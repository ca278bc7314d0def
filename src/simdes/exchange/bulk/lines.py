"""The lines of what is imported: split as they come, bounded, kept in chunks.

NDJSON (https://hl7.org/fhir/uv/bulkdata/export.html#bulk-data-output-file-requests): a resource on
each line. Nothing here looks into a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

MOST_LINE_BYTES: Final = 8 << 20
CHUNK_BYTES: Final = 256 << 10
CHUNK_LINES: Final = 500
PLACES: Final = 1_000
"""Places in a chunk that a line's number leaves room for: chunk · PLACES + place."""
_BLANK: Final = b" \t\r\n"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """Some lines of an input with their numbers from 1; None is a line that was too long."""

    input: int
    numbers: tuple[int, ...]
    lines: tuple[bytes | None, ...]


@dataclass(slots=True)
class Splitter:
    """Splits what comes in pieces; blank lines are counted and left out."""

    number: int = 0
    _rest: bytearray = field(default_factory=bytearray)
    _is_long: bool = False

    def feed(self, piece: bytes) -> Iterator[tuple[int, bytes | None]]:
        """The lines that end in this piece, by number; None for one that was too long."""
        *whole, rest = piece.split(b"\n")
        for part in whole:
            yield from self._end(part)
        self._keep(rest)

    def end(self) -> Iterator[tuple[int, bytes | None]]:
        """The last line, where no line feed ends it."""
        if self._rest or self._is_long:
            yield from self._end(b"")

    def _end(self, part: bytes) -> Iterator[tuple[int, bytes | None]]:
        self._keep(part)
        text = None if self._is_long else bytes(self._rest)
        self._rest.clear()
        self._is_long = False
        self.number += 1
        if text is None:
            yield self.number, None
            return
        if self.number == 1:
            text = text.removeprefix(_BYTE_ORDER_MARK)
        if text := text.strip(_BLANK):
            yield self.number, text

    def _keep(self, part: bytes) -> None:
        if self._is_long or len(self._rest) + len(part) > MOST_LINE_BYTES:
            self._is_long = True
            self._rest.clear()
        else:
            self._rest += part


@dataclass(slots=True)
class Chunker:
    """Gathers lines of one input to chunks."""

    input: int
    _numbers: list[int] = field(default_factory=list)
    _lines: list[bytes | None] = field(default_factory=list)
    _size: int = 0

    def add(self, number: int, line: bytes | None) -> Chunk | None:
        """Add a line; the chunk that it fills, if it does."""
        self._numbers.append(number)
        self._lines.append(line)
        self._size += len(line or b"")
        full = self._size >= CHUNK_BYTES or len(self._lines) >= CHUNK_LINES
        return self.end() if full else None

    def end(self) -> Chunk | None:
        """What is gathered."""
        if not self._lines:
            return None
        made = Chunk(input=self.input, numbers=tuple(self._numbers), lines=tuple(self._lines))
        self._numbers, self._lines, self._size = [], [], 0
        return made


def chunks_of(content: bytes) -> Iterator[Chunk]:
    """The chunks of what came whole, as the first input."""
    splitter, chunker = Splitter(), Chunker(0)
    for number, line in (*splitter.feed(content), *splitter.end()):
        if (made := chunker.add(number, line)) is not None:
            yield made
    if (made := chunker.end()) is not None:
        yield made
