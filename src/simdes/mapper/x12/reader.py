"""Take X12 interchanges apart into transactions (X12.5 Interchange Control, X12.6 Syntax).

The interchange header names the delimiters: its fourth character parts elements, ISA11 parts
repetitions (from 00402), ISA16 components, and what follows ISA16 ends segments; line breaks after
that are no content. A transaction whose trailer is missing is not whole and becomes a `Fault`; a
wrong count or control number is only told, for every sender's counts are wrong at times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from simdes.mapper.model import Dropped

_ISA_ELEMENTS = 16
_BLANK = b"\r\n\t \x00\x0b\x0c\x1a\x1c"
_FIRST_REPEATING = "00402"
_WITH_DATA = {b"BIN": 1, b"BDS": 2}
"""Segments whose last element is that many bytes of anything, by where their length stands."""


class Delimiters(NamedTuple):
    """The signs of an interchange; ``repetition`` is empty before version 00402."""

    element: str
    repetition: str
    component: str
    segment: str


class Segment(NamedTuple):
    """A segment: its name, its elements as text (the first is the name), its bytes."""

    name: str
    elements: tuple[str, ...]
    raw: bytes

    def element(self, number: int) -> str:
        """Give an element by its number; empty where there is none."""
        return self.elements[number].strip() if number < len(self.elements) else ""


@dataclass(slots=True)
class Interchange:
    """An interchange's header, its signs, and what was wrong with its envelope."""

    header: Segment
    delimiters: Delimiters
    line_end: bytes
    notes: list[Dropped] = field(default_factory=list)


@dataclass(slots=True)
class Group:
    """A functional group's header, and what was wrong with its envelope."""

    header: Segment
    interchange: Interchange
    notes: list[Dropped] = field(default_factory=list)


@dataclass(slots=True)
class Transaction:
    """A transaction set: from ST to SE, in its group; ``raw`` is all of it as it came."""

    group: Group
    segments: list[Segment]
    raw: bytes
    notes: list[Dropped] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The transaction set's number: ``837``."""
        return self.segments[0].element(1)

    @property
    def version(self) -> str:
        """The implementation guide it says it follows: ``005010X222A1``."""
        first = self.segments[0].element(3)
        if first:
            return first
        named = (one.element(2) for one in self.segments[:6] if one.elements[:2] == ("REF", "87"))
        group = self.group.header.element(8)
        return group if "X" in group else next(named, group)

    def problems(self) -> tuple[Dropped, ...]:
        """Tell what is wrong with its envelopes."""
        return (*self.notes, *self.group.notes, *self.group.interchange.notes)


@dataclass(frozen=True, slots=True)
class Fault:
    """A part of the input that is no whole transaction: the reason's code, why, what to do."""

    code: str
    reason: str
    advice: str
    source: bytes


def read(data: bytes, *, encoding: str = "utf-8") -> list[Transaction | Fault]:
    """Read every transaction of ``data``; what is not part of one becomes a `Fault`."""
    return _Reading(data, encoding).run()


class _Reading:
    """One input on its way: where it stands, the envelopes that are open, what was found."""

    def __init__(self, data: bytes, encoding: str) -> None:
        self._data = data
        self._encoding = encoding
        self._at = 0
        self._found: list[Transaction | Fault] = []
        self._interchange: Interchange | None = None
        self._groups = 0
        self._group: Group | None = None
        self._transactions = 0
        self._open: list[Segment] = []
        self._started = 0
        self._stray = -1

    def run(self) -> list[Transaction | Fault]:
        while self._skip_blanks():
            if self._data[self._at : self._at + 3] == b"ISA":
                self._close_interchange()
                if self._begin():
                    self._read_interchange()
                    continue
            if self._stray < 0:
                self._stray = self._at
            following = self._data.find(b"ISA", self._at + 1)
            self._at = len(self._data) if following < 0 else following
        self._close_interchange()
        self._end_stray()
        return self._found

    def _skip_blanks(self) -> bool:
        data, at = self._data, self._at
        if at == 0 and data.startswith(b"\xef\xbb\xbf"):
            at = 3
        while at < len(data) and data[at] in _BLANK:
            at += 1
        self._at = at
        return at < len(data)

    def _end_stray(self) -> None:
        """Put aside what stood outside of interchanges."""
        if self._stray < 0:
            return
        source = self._data[self._stray : self._at]
        code, reason = "invalid-x12", "no interchange header (ISA) can be read here"
        self._found.append(Fault(code, reason, _ASK, source))
        self._stray = -1

    def _begin(self) -> bool:
        """Read an interchange header; says whether it is one."""
        made = header(self._data, self._at)
        if made is None:
            return False
        self._end_stray()
        self._interchange, self._at = made
        self._groups = self._transactions = 0
        return True

    def _read_interchange(self) -> None:
        interchange = self._interchange
        if interchange is None:
            return
        for start, end, segment in self._segments(interchange):
            if segment.name == "ISA":
                self._at = start
                return
            self._at = end
            read_as = _ENVELOPE.get(segment.name)
            if read_as is not None:
                read_as(self, segment, start, end)
                if segment.name == "IEA":
                    return
            elif self._open:
                self._open.append(segment)
            else:
                self._note_stray(interchange, segment)

    def _note_stray(self, interchange: Interchange, segment: Segment) -> None:
        told = "acknowledges another interchange" if segment.name == "TA1" else "in no transaction"
        name = segment.name if segment.name.isalnum() and len(segment.name) <= 3 else "segment"
        note = Dropped(name, told)
        if note not in interchange.notes:
            interchange.notes.append(note)

    def _segments(self, interchange: Interchange) -> Iterator[tuple[int, int, Segment]]:
        """Give the segments from here on, with where each begins and ends."""
        data, signs = self._data, interchange.delimiters
        mark, part = signs.segment.encode("latin-1"), signs.element.encode("latin-1")
        at = self._at
        while True:
            while at < len(data) and data[at] in _BLANK and data[at : at + 1] != mark:
                at += 1
            end = _end_of(data, at, mark, part)
            if end < 0:
                rest = data[at:]
                if rest.strip(_BLANK):
                    yield at, len(data), _segment(rest.rstrip(_BLANK), signs, self._encoding)
                self._at = len(data)
                return
            if end > at:
                yield at, end + 1, _segment(data[at:end], signs, self._encoding)
            at = end + 1

    def _begin_group(self, segment: Segment, start: int, end: int) -> None:
        del start, end
        self._close_group()
        if self._interchange is not None:
            self._group = Group(segment, self._interchange)
            self._groups += 1
            self._transactions = 0

    def _begin_transaction(self, segment: Segment, start: int, end: int) -> None:
        del end
        self._close_transaction(start)
        if self._group is None and self._interchange is not None:
            self._interchange.notes.append(Dropped("GS", "the functional group has no header"))
            self._group = Group(Segment("GS", ("GS",), b""), self._interchange)
        self._open, self._started = [segment], start
        self._transactions += 1

    def _end_transaction(self, segment: Segment, start: int, end: int) -> None:
        del start
        if not self._open or self._group is None:
            return
        first, notes = self._open[0], []
        if segment.element(1) != str(len(self._open) + 1) and segment.element(1).lstrip("0") != str(
            len(self._open) + 1
        ):
            notes.append(Dropped("SE/SE01", "not the number of segments; mapped all the same"))
        if segment.element(2) != first.element(2):
            notes.append(Dropped("SE/SE02", "not the number in ST02; mapped all the same"))
        segments = [*self._open, segment]
        raw = self._data[self._started : end]
        self._found.append(Transaction(self._group, segments, raw, notes))
        self._open = []

    def _end_group(self, segment: Segment, start: int, end: int) -> None:
        del end
        self._close_transaction(start)
        group = self._group
        if group is None:
            return
        if segment.element(1).lstrip("0") != str(self._transactions):
            group.notes.append(Dropped("GE/GE01", "not the number of transactions"))
        if segment.element(2) != group.header.element(6):
            group.notes.append(Dropped("GE/GE02", "not the number in GS06"))
        self._group = None

    def _end_interchange(self, segment: Segment, start: int, end: int) -> None:
        del end
        self._close_transaction(start)
        self._close_group()
        interchange = self._interchange
        if interchange is None:
            return
        if segment.element(1).lstrip("0") != str(self._groups):
            interchange.notes.append(Dropped("IEA/IEA01", "not the number of groups"))
        if segment.element(2) != interchange.header.element(13):
            interchange.notes.append(Dropped("IEA/IEA02", "not the number in ISA13"))
        self._interchange = None

    def _close_transaction(self, end: int) -> None:
        """Put aside a transaction that has no trailer."""
        if not self._open:
            return
        source = self._data[self._started : end]
        if self._group is not None:
            source = enveloped(self._group, source)
        reason = "the transaction has no trailer (SE): the rest of it is missing"
        self._found.append(Fault("truncated", reason, "Have the transaction sent again.", source))
        self._open = []

    def _close_group(self) -> None:
        if self._group is not None:
            self._close_transaction(self._at)
            self._group.notes.append(Dropped("GE", "the functional group has no trailer"))
            self._group = None

    def _close_interchange(self) -> None:
        interchange = self._interchange
        if interchange is None:
            return
        if not self._groups:
            raw = interchange.header.raw
            reason = "the interchange holds no transaction"
            self._found.append(Fault("empty", reason, "Check the sender's export.", raw))
        self._close_group()
        interchange.notes.append(Dropped("IEA", "the interchange has no trailer"))
        self._interchange = None


_ASK = "Check that the file is X12 and begins with the interchange header ISA, and send it again."
_ENVELOPE: dict[str, Callable[[_Reading, Segment, int, int], None]] = {
    "GS": _Reading._begin_group,
    "ST": _Reading._begin_transaction,
    "SE": _Reading._end_transaction,
    "GE": _Reading._end_group,
    "IEA": _Reading._end_interchange,
}


def header(data: bytes, at: int) -> tuple[Interchange, int] | None:
    """Read the interchange header at ``at`` and where it ends; None where that is none.

    ISA is 106 characters long; where elements were not padded, they are counted instead.
    """
    part = data[at + 3 : at + 4]
    if not part or part.isalnum() or part in (b" ", b"\r", b"\n"):
        return None
    end = at + 3
    for _ in range(_ISA_ELEMENTS - 1):
        end = data.find(part, end + 1, at + 400)
        if end < 0:
            return None
    component, mark = data[end + 1 : end + 2], data[end + 2 : end + 3]
    if not mark or mark.isalnum() or component.isalnum() or len({part, component, mark}) < 3:
        return None
    raw = data[at : end + 2]
    texts = raw.decode("latin-1").split(part.decode("latin-1"))
    repeats = texts[11] if texts[12].strip() >= _FIRST_REPEATING else ""
    repetition = repeats if len(repeats) == 1 and not repeats.isalnum() else ""
    signs = Delimiters(texts[0][3:] or part.decode("latin-1"), repetition.strip(), "", "")
    signs = signs._replace(component=component.decode("latin-1"), segment=mark.decode("latin-1"))
    after = data[end + 3 : end + 5]
    line_end = after[: len(after) - len(after.lstrip(b"\r\n"))]
    found = Segment("ISA", tuple(texts), raw)
    return Interchange(found, signs, line_end), end + 3


def _end_of(data: bytes, at: int, mark: bytes, part: bytes) -> int:
    """Find where a segment ends; binary data is passed over by its length."""
    length_at = _WITH_DATA.get(data[at : at + 3])
    if length_at is None or data[at + 3 : at + 4] != part:
        return data.find(mark, at)
    parts = data[at : at + 64].split(part, length_at + 1)
    length = parts[length_at] if len(parts) > length_at + 1 else b""
    if not length.isdigit():
        return data.find(mark, at)
    begin = at + sum(len(one) + 1 for one in parts[: length_at + 1])
    end = begin + int(length)
    return end if data[end : end + 1] == mark else data.find(mark, at)


def _segment(raw: bytes, signs: Delimiters, encoding: str) -> Segment:
    if raw[:3] in _WITH_DATA:
        elements = raw.decode("latin-1").split(signs.element, _WITH_DATA[raw[:3]] + 1)
    else:
        elements = _decoded(raw, encoding).split(signs.element)
    return Segment(elements[0].strip(), (elements[0].strip(), *elements[1:]), raw)


def _decoded(raw: bytes, encoding: str) -> str:
    for name in ("utf-8", encoding):
        try:
            return raw.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
    return raw.decode("latin-1")


def enveloped(group: Group, content: bytes) -> bytes:
    """Wrap one transaction so that it can be read alone."""
    interchange = group.interchange
    signs = interchange.delimiters
    end = signs.segment.encode("latin-1") + interchange.line_end
    part = signs.element.encode("latin-1")
    number = interchange.header.element(13).encode("latin-1", "replace")
    before = interchange.header.raw + end + (group.header.raw + end if group.header.raw else b"")
    group_number = group.header.element(6).encode("utf-8", "replace")
    after = [part.join((b"GE", b"1", group_number))] if group.header.raw else []
    after.append(part.join((b"IEA", b"1", number)))
    return before + content + interchange.line_end + b"".join(one + end for one in after)
