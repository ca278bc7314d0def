"""Read HL7 v2 in its ER7 form: files and batches into messages, messages into segments.

Chapter 2 of the HL7 v2 standard (https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185).
Tolerant where senders differ and nothing is lost by it: MLLP framing, byte order marks, batch and
file headers, CR, LF or CRLF, separators of any kind as MSH-1 and MSH-2 declare them, line breaks
inside a field. Strict where guessing could change a record: an encoding that does not fit,
separators that contradict each other. Fields stay raw; only what is used is split and unescaped.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from simdes.errors import TooLarge
from simdes.mapper.model import Limits
from simdes.mapper.refusal import Unreadable

_HEADER = re.compile(rb"MSH(?=[^A-Za-z0-9\s])")
_BEFORE_A_LINE = b"\r\n\x0b\x1c"
_ENVELOPE = re.compile(rb"(?:FHS|BHS|BTS|FTS)(?:[^A-Za-z0-9\s][^\r\n]*)?\Z")
_LINES = re.compile(rb"[\r\n\x0b\x1c]+")
_FRAMING = b"\x0b\x1c\x00 \t\r\n"
_LINE_BYTES = 4096
_SEGMENT_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_USUAL = "Send MSH-1 and MSH-2 with five different signs, usually | and ^~\\&."
_DEFAULT_ENCODING_CHARACTERS = "^~\\&"

_CHARACTER_SETS = {
    "ASCII": "ascii",
    "8859/1": "iso8859-1",
    "8859/2": "iso8859-2",
    "8859/3": "iso8859-3",
    "8859/4": "iso8859-4",
    "8859/5": "iso8859-5",
    "8859/6": "iso8859-6",
    "8859/7": "iso8859-7",
    "8859/8": "iso8859-8",
    "8859/9": "iso8859-9",
    "8859/15": "iso8859-15",
    "ISO IR13": "iso2022_jp_ext",
    "ISO IR87": "iso2022_jp_ext",
    "ISO IR159": "iso2022_jp_ext",
    "ISO IR14": "shift_jis",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "CNS 11643-1992": "euc_tw",
    "BIG-5": "big5",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "UNICODE UTF-16": "utf-8",  # `feed` has read it: it is in UTF-16 no more
}
_ESCAPED_TO = {"iso2022_jp_ext"}
"""Encodings that begin as ASCII: a message names ASCII first and them second."""


@dataclass(frozen=True, slots=True)
class Separators:
    """What divides fields, components, repetitions and subcomponents, and what escapes."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str


@dataclass(slots=True)
class Segment:
    """One segment: ``fields[n]`` is field n raw (``fields[0]`` the name), ``place`` its line."""

    name: str
    fields: list[str]
    place: int

    def field(self, number: int) -> str:
        """Give field ``number`` raw, empty when it is not there."""
        return self.fields[number] if number < len(self.fields) else ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message read: its separators, its encoding's Python name, its segments in order."""

    separators: Separators
    encoding: str
    segments: list[Segment]

    @property
    def header(self) -> Segment:
        """MSH."""
        return self.segments[0]


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the input: one message's bytes, or bytes that belong to no message."""

    data: bytes
    is_message: bool


def split(data: bytes) -> list[Part]:
    """Cut an input into messages and whatever lies outside of them, losing no byte but framing."""
    starts = _starts(data)
    if not starts:
        return [Part(data, is_message=False)] if data.strip(_FRAMING) else []
    parts = []
    if starts[0] and _holds_something(data[: starts[0]]):
        parts.append(Part(data[: starts[0]], is_message=False))
    for at, start in enumerate(starts):
        end = starts[at + 1] if at + 1 < len(starts) else len(data)
        parts.append(Part(_without_trailer(data[start:end]), is_message=True))
    return parts


def _starts(data: bytes) -> list[int]:
    """Find where messages begin: MSH, or the byte order mark before it, at the start of a line."""
    found: list[int] = []
    for match in _HEADER.finditer(data):
        start = match.start()
        if data.endswith(codecs.BOM_UTF8, 0, start):
            start -= len(codecs.BOM_UTF8)
        if start == 0 or data[start - 1] in _BEFORE_A_LINE:
            found.append(start)
    return found


def _holds_something(data: bytes) -> bool:
    """Say whether bytes before the first message are more than framing and batch headers."""
    lines = (line.strip(_FRAMING) for line in _LINES.split(data.removeprefix(codecs.BOM_UTF8)))
    return any(line and not _ENVELOPE.match(line) for line in lines)


def _without_trailer(data: bytes) -> bytes:
    """Take framing, and the batch's lines around the next message, off the end."""
    data = data.removeprefix(codecs.BOM_UTF8).rstrip(_FRAMING)
    end = len(data)
    while True:
        tail = data[max(end - _LINE_BYTES, 0) : end]
        line = tail[max(tail.rfind(b"\r"), tail.rfind(b"\n")) + 1 :]
        if len(line) >= end or not _ENVELOPE.match(line.strip(_FRAMING)):
            return data[:end]
        end -= len(line)
        while end and data[end - 1] in _FRAMING:
            end -= 1


def read(data: bytes, *, default_encoding: str, limits: Limits) -> Message:
    """Read one message. Raises `Unreadable` or `TooLarge`; no patient data in either."""
    if len(data) > limits.message_bytes:
        raise TooLarge(f"a message of {len(data)} bytes; the limit is {limits.message_bytes}")
    separators, encoding = _header(data, default_encoding)
    text = _decode(data, encoding)
    segments = _segments(text, separators.field, limits)
    if not segments or segments[0].name != "MSH":
        raise Unreadable("wrong-separators", "the sign after MSH is no separator", _USUAL)
    header = segments[0]
    if len(header.fields) < 10:
        raise Unreadable(
            "truncated-header",
            f"MSH ends after field {len(header.fields) - 1}; the message type is in field 9",
            "Send the message again, whole.",
        )
    return Message(separators, encoding, segments)


def sender(data: bytes) -> str:
    """Give the sending facility's namespace (MSH-4.1) before the message is read as a whole."""
    line = _first_line(data)
    fields = line[4:].split(line[3:4]) if len(line) > len("MSH|^") else []
    return re.split(re.escape(line[4:5]), fields[2])[0].strip() if len(fields) > 2 else ""


def _first_line(data: bytes) -> str:
    head = data[:16384].replace(b"\n", b"\r")
    return head.partition(b"\r")[0].decode("latin-1")


def _header(data: bytes, default_encoding: str) -> tuple[Separators, str]:
    line = _first_line(data)
    field = line[3:4]
    parts = line[4:].split(field) if field else [""]
    declared = parts[0]
    characters = "".join(dict.fromkeys(declared or ""))
    if not characters:
        raise Unreadable(
            "wrong-separators",
            "MSH-2 names no encoding characters",
            _USUAL,
        )
    characters += _DEFAULT_ENCODING_CHARACTERS[len(characters) :]
    used = characters[:4]
    if len(set(used)) < 4 or field in used or re.search(r"[A-Za-z0-9\s]", used):
        raise Unreadable(
            "wrong-separators",
            "MSH-1 and MSH-2 name letters, or one separator twice",
            _USUAL,
        )
    sets = parts[16].split(used[1]) if len(parts) > 16 else []
    encoding = _encoding([one.strip().upper() for one in sets], default_encoding)
    return Separators(field, used[0], used[1], used[2], used[3]), encoding


def _encoding(sets: list[str], default: str) -> str:
    """Choose by MSH-18: its first set, except that a later one may be escaped to (ISO 2022)."""
    escaped = [one for one in sets[1:] if _CHARACTER_SETS.get(one) in _ESCAPED_TO]
    first = next(iter(escaped or sets), "")
    return _CHARACTER_SETS.get(first, default)


def _decode(data: bytes, encoding: str) -> str:
    try:
        return data.decode("utf-8" if encoding == "ascii" else encoding)
    except LookupError:
        raise Unreadable(
            "wrong-encoding",
            f"the character set {encoding} cannot be read here",
            "Send the message in UTF-8, and say so in MSH-18.",
        ) from None
    except UnicodeDecodeError as error:
        line = len(re.findall(rb"\r\n|\r|\n", data[: error.start])) + 1
        raise Unreadable(
            "wrong-encoding",
            f"byte {error.start} (line {line}) is not {encoding}",
            "Declare the character set in MSH-18, or set the site's encoding, and replay.",
        ) from None


def _segments(text: str, field: str, limits: Limits) -> list[Segment]:
    segments: list[Segment] = []
    broken: list[str] = []  # lines that go on with the last field
    for line in text.replace("\n", "\r").split("\r"):
        stripped = line.strip("\x0b\x1c\x00 \t\ufeff") if line else ""
        if not stripped:
            continue
        name = stripped[:3]
        if _SEGMENT_NAME.match(name) and (len(stripped) == 3 or stripped[3] == field):
            _go_on(segments, broken)
            fields = stripped.split(field)
            if name == "MSH":
                fields.insert(1, field)
            segments.append(Segment(name, fields, len(segments)))
        elif segments:  # a line break inside a field
            broken.append(stripped)
        if len(segments) > limits.segments:
            raise TooLarge(f"more than {limits.segments} segments in one message")
    _go_on(segments, broken)
    return segments


def _go_on(segments: list[Segment], broken: list[str]) -> None:
    if broken:
        segments[-1].fields[-1] = "\n".join([segments[-1].fields[-1], *broken])
        broken.clear()


def unescape(text: str, separators: Separators, encoding: str) -> str:
    r"""Undo the escape sequences of chapter 2.7: ``\F\ \S\ \T\ \R\ \E\ \Xhh\ \.br\``."""
    escape = re.escape(separators.escape)
    plain = {
        "F": separators.field,
        "S": separators.component,
        "T": separators.subcomponent,
        "R": separators.repetition,
        "E": separators.escape,
        "H": "",
        "N": "",
    }

    def replace(match: re.Match[str]) -> str:
        code = match.group(1)
        if code in plain:
            return plain[code]
        if code.startswith("X") and re.fullmatch(r"X(?:[0-9A-Fa-f]{2})+", code):
            try:
                return bytes.fromhex(code[1:]).decode(encoding)
            except UnicodeDecodeError:
                return match.group(0)
        if code.startswith((".br", ".sp", ".ce")):
            return "\n"
        if re.fullmatch(r"\.(?:in|ti|sk|fi|nf)[+-]?\d*", code):
            return " " if code.startswith(".sk") else ""
        return match.group(0)

    return re.sub(f"{escape}([A-Za-z.][^{escape}\\s]{{0,64}}){escape}", replace, text)
