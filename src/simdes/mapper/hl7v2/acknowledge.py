"""Answer an HL7 v2 message: the ACK with MSA and, where something is wrong, ERR.

Chapter 2 of the HL7 v2 standard, sections 2.9 (original and enhanced acknowledgment rules), 2.13
(ACK) and 2.15 (ERR, MSA). Pure: the caller knows time and control id.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from simdes.mapper.hl7v2 import compose, er7
from simdes.mapper.hl7v2.compose import Field
from simdes.mapper.hl7v2.er7 import Segment, Separators
from simdes.mapper.hl7v2.ordering import OrderResponse
from simdes.mapper.model import LIMITS
from simdes.mapper.refusal import Unreadable

CODES = frozenset(("AA", "AE", "AR", "CA", "CE", "CR"))
"""HL7 table 0008: application (A) or commit (C) accept, error, reject."""

CONDITIONS = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}
"""HL7 table 0357: what is wrong with a message."""

REFUSALS = {
    "unsupported-message": "200",
    "no-message-type": "101",
    "no-patient": "101",
    "truncated-header": "101",
    "wrong-encoding": "102",
    "wrong-separators": "102",
    "outside-message": "100",
    "too-large": "207",
}
"""Reason codes of the quarantine in terms of table 0357; others are 207."""

REJECTED = frozenset(("unsupported-message", "no-message-type", "truncated-header", "too-large"))
"""Reason codes for which a message is rejected (AR, CR): its header, or its size, is refused."""

_RICH_ERR = (2, 5)  # from this version on ERR says more than a place and a code
_STRUCTURED = (2, 3, 1)  # from this version on MSH-9 names the message structure


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with a message, never with a value of it.

    ``condition`` is of table 0357, ``location`` a path such as ``PID[2]-3[1].4``, ``severity`` one
    of E, W, I (table 0516), ``reason`` a code of ours, ``text`` and ``advice`` words for people.
    """

    condition: str = "207"
    location: str = ""
    severity: str = "E"
    reason: str = ""
    text: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """What of a received MSH an answer repeats; all of it may be missing."""

    separators: Separators
    encoding: str
    segment: Segment

    @property
    def control(self) -> str:
        """MSH-10 in plain text."""
        return er7.unescape(self.segment.field(10), self.separators, self.encoding).strip()

    @property
    def version(self) -> tuple[int, ...]:
        """MSH-12.1 as numbers; empty when it names no version."""
        text = self.segment.field(12).split(self.separators.component)[0].strip()
        return (
            tuple(map(int, text.split("."))) if re.fullmatch(r"\d{1,3}(\.\d{1,3})*", text) else ()
        )


def header_of(source: bytes) -> Header:
    """Read the MSH of ``source`` as far as it can be read; never raises on bad data."""
    at = source.find(b"MSH")
    line = re.split(rb"[\r\n]", source[at : at + LIMITS.message_bytes], maxsplit=1)[0][:65536]
    try:
        read = er7.read(line if at >= 0 else b"", default_encoding="utf-8", limits=LIMITS)
    except Unreadable:
        return Header(compose.USUAL, "utf-8", Segment("MSH", ["MSH"], 0))
    return Header(read.separators, read.encoding, read.header)


def fault_of(reason: str, text: str, advice: str = "") -> Fault:
    """Say why a message went to quarantine, in the terms of ERR."""
    return Fault(condition=REFUSALS.get(reason, "207"), reason=reason, text=text, advice=advice)


def code_of(reason: str = "", *, commit: bool = False) -> str:
    """Choose the code of MSA-1: accept without a ``reason``, else error or reject by it."""
    kind = "A" if not reason else "R" if reason in REJECTED else "E"
    return ("C" if commit else "A") + kind


def ack(
    source: bytes | Header,
    code: str,
    *,
    control: str,
    time: str,
    faults: Sequence[Fault] = (),
    text: str = "",
    response: OrderResponse | None = None,
) -> bytes:
    """Write the acknowledgment of ``source``, a message's bytes or its `header_of`.

    ``code`` is one of `CODES`; ``control`` becomes MSH-10 and ``time`` MSH-7 (``YYYYMMDDHHMMSS``
    with or without zone); ``text`` becomes MSA-3. ``response`` makes it the answer to an order,
    which is an acknowledgment with the orders. Separators, character set, version and processing
    id are the sender's, and its application and facility the receiver of the answer. The last
    segment ends with a carriage return; MLLP framing is the caller's. Raises ValueError for a
    ``code`` that is none.
    """
    if code not in CODES:
        raise ValueError(f"no acknowledgment code: {code}")
    header = source if isinstance(source, Header) else header_of(source)
    signs = header.separators
    msa: dict[int, Field] = {1: code, 2: header.control}
    said = text or (faults[0].text if faults else "")
    if said:
        msa[3] = said[:80]
    segments = [_header(header, control, time, response), compose.segment("MSA", msa, signs)]
    if header.version >= _RICH_ERR:
        segments += [compose.segment("ERR", _rich(fault), signs) for fault in faults]
    elif faults:
        places: list[tuple[str, ...]] = [_plain(fault) for fault in faults]
        segments.append(compose.segment("ERR", {1: places}, signs))
    segments += response.lines if response is not None else ()
    return compose.message(segments, header.encoding)


def _header(header: Header, control: str, time: str, response: OrderResponse | None) -> str:
    """Write MSH: the sender's own, with the two ends changed over."""
    received = header.segment
    signs = header.separators
    parts = [*received.field(9).split(signs.component), "", ""]
    event = parts[1].strip()
    kind = ["ACK", event, "ACK"] if response is None else list(response.kind)
    if not event or header.version < _STRUCTURED:
        kind = kind[:2]
    texts = {
        3: received.field(5),
        4: received.field(6),
        5: received.field(3),
        6: received.field(4),
        7: time,
        9: signs.component.join(kind).rstrip(signs.component),
        10: compose.escape(control, signs),
        11: received.field(11) or "P",
        12: received.field(12) or "2.5.1",
        18: received.field(18),
    }
    encoding = signs.component + signs.repetition + signs.escape + signs.subcomponent
    fields = [texts.get(number, "") for number in range(3, 19)]
    return signs.field.join(["MSH", encoding, *fields]).rstrip(signs.field)


_LOCATION = re.compile(
    r"(?P<segment>[A-Z][A-Z0-9]{2})(?:\[(?P<sequence>\d+)\])?"
    r"(?:-(?P<field>\d+)(?:\.(?P<component>\d+))?(?:\.(?P<subcomponent>\d+))?"
    r"(?:\[(?P<repetition>\d+)\])?)?"
)


def _place(fault: Fault) -> tuple[str, ...]:
    """Give a location as the six components of ERL."""
    match = _LOCATION.fullmatch(fault.location)
    if match is None:
        return ()
    sequence = match["sequence"] or "1"
    repetition = match["repetition"] or ("1" if match["field"] else "")
    inner = (match["component"] or "", match["subcomponent"] or "")
    return (match["segment"], sequence, match["field"] or "", repetition, *inner)


def _rich(fault: Fault) -> dict[int, Field]:
    """Write ERR as of v2.5: place, condition, severity, our code, words."""
    fields: dict[int, Field] = {
        2: _place(fault),
        3: (fault.condition, CONDITIONS.get(fault.condition, ""), "HL70357"),
        4: fault.severity,
        8: " ".join(part for part in (fault.text, fault.advice) if part)[:250],
    }
    if fault.reason:
        fields[5] = (fault.reason, "", "L")
    return fields


def _plain(fault: Fault) -> tuple[str, ...]:
    """Write one repetition of ERR-1 as before v2.5: segment, sequence, field, condition."""
    place = (*_place(fault), "", "", "")[:3]
    return (*place, "\t".join((fault.condition, CONDITIONS.get(fault.condition, ""), "HL70357")))
