"""Recognise what an input is from its first bytes; its name only breaks ties.

Kinds: ``empty``, ``hl7v2``, ``fhir``, ``json``, ``xml``, ``x12``, ``dicom``, ``zip``, ``pdf``,
``gzip``, ``text``, ``binary``. Only ``hl7v2`` and ``fhir`` are mapped in this release; the others
are named so that the quarantine can say what was sent.
"""

from __future__ import annotations

import re

_MAGIC = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"%PDF-", "pdf"),
    (b"\x1f\x8b", "gzip"),
)
_LEADING = b"\xef\xbb\xbf\x0b\x00 \t\r\n\x1c"
_HL7 = re.compile(rb"(?:MSH|FHS|BHS)[^A-Za-z0-9\s]")
_HL7_LATER = re.compile(rb"[\r\n\x0b]MSH[^A-Za-z0-9\s]")
_WINDOW_BYTES = 64 * 1024


def detect(name: str, data: bytes) -> str:
    """Name the kind of ``data``; never raises, reads at most the first 64 KiB."""
    head = data[:_WINDOW_BYTES]
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", errors="replace").encode()
    start = head.lstrip(_LEADING)
    if not start:
        return "empty" if len(data) <= _WINDOW_BYTES else "binary"
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[128:132] == b"DICM":
        return "dicom"
    if _HL7.match(start) or _HL7_LATER.search(head):
        return "hl7v2"
    if start[:1] in (b"{", b"["):
        return "fhir" if b'"resourceType"' in data else "json"
    if start[:1] == b"<":
        return "xml"
    if start[:3] == b"ISA":
        return "x12"
    if b"\x00" in head:
        return "binary"
    return "hl7v2" if name.lower().endswith((".hl7", ".er7")) else "text"
