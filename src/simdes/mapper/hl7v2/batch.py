"""Answer a batch of HL7 v2 messages with a batch of acknowledgments.

Chapter 2 of the HL7 v2 standard, section 2.10.3 (batch protocol) with 2.15.2 (BHS), 2.15.3 (BTS),
2.15.5 (FHS) and 2.15.6 (FTS): ``[FHS] { [BHS] {messages} [BTS] } [FTS]``. The answer has the same
shape; each header of it names the control id of the one that it answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_HEADS = re.compile(rb"(?:(?<=[\r\n\x0b\x1c])|\A)(?:\xef\xbb\xbf)?(MSH|BHS|FHS)(?=[^A-Za-z0-9\s])")
_LONGEST_HEADER_BYTES = 16_384
_CONTROL = 11
_REFERENCE = 12
_TRAILERS = {b"FHS": b"FTS", b"BHS": b"BTS"}


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages below one BHS, or below none: its line (empty) and how many they are."""

    header: bytes
    messages: int


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is around the messages of an input: the line of FHS (empty without) and batches."""

    header: bytes
    batches: tuple[Batch, ...]


def envelope_of(data: bytes) -> Envelope | None:
    """Find the batches of an input; None when messages stand in it without any header."""
    header = b""
    batches: list[Batch] = []
    for match in _HEADS.finditer(data):
        if match[1] == b"MSH":
            last = batches.pop() if batches else Batch(b"", 0)
            batches.append(Batch(last.header, last.messages + 1))
            continue
        start = match.start(1)
        line = re.split(rb"[\r\n]", data[start : start + _LONGEST_HEADER_BYTES], maxsplit=1)[0]
        if match[1] == b"BHS":
            batches.append(Batch(line, 0))
        else:
            header = header or line
    if not header and not any(batch.header for batch in batches):
        return None
    return Envelope(header, tuple(batches))


def answer(
    envelope: Envelope, acknowledgments: Sequence[Sequence[bytes]], *, control: str, time: str
) -> bytes:
    """Write the batch of acknowledgments; ``acknowledgments[n]`` are those of message n.

    ``control`` becomes the control id of every header, ``time`` its creation time. A batch without
    acknowledgments says that nothing is wrong with any of its messages.
    """
    written: list[bytes] = []
    left = list(acknowledgments)
    for batch in envelope.batches:
        mine, left = left[: batch.messages], left[batch.messages :]
        acks = [one for found in mine for one in found]
        if batch.header:
            written.append(_header(batch.header, control, time))
        written += acks
        if batch.header:
            written.append(_trailer(batch.header, len(acks)))
    written += [one for found in left for one in found]
    if envelope.header:
        count = sum(bool(batch.header) for batch in envelope.batches)
        written.insert(0, _header(envelope.header, control, time))
        written.append(_trailer(envelope.header, count))
    return b"".join(written)


def _header(received: bytes, control: str, time: str) -> bytes:
    """Turn a received FHS or BHS round; bytes are kept as they are, whatever their encoding."""
    line = received.decode("latin-1")
    sign = line[3]
    fields = [line[:3], sign, *line[4:].split(sign)]
    fields += [""] * (_REFERENCE + 1 - len(fields))
    fields[3:7] = [*fields[5:7], *fields[3:5]]
    fields[7] = time
    fields[8:11] = ["", fields[9], ""]
    fields[_CONTROL], fields[_REFERENCE] = control, fields[_CONTROL]
    text = sign.join([fields[0], *fields[2 : _REFERENCE + 1]])
    return text.rstrip(sign).encode("latin-1") + b"\r"


def _trailer(header: bytes, count: int) -> bytes:
    return _TRAILERS[header[:3]] + header[3:4] + str(count).encode() + b"\r"
