"""Recognise what an input is from its first bytes; its name only breaks ties.

Kinds: ``empty``, ``hl7v2``, ``fhir``, ``json``, ``cda``, ``xml``, ``x12``, ``dicom``, ``csv``,
``zip``, ``pdf``, ``gzip``, ``text``, ``binary``. Those that nobody maps (`api.FORMATS`) are named
so that the quarantine can say what was sent.
"""

from __future__ import annotations

import re

from simdes.mapper.model import UTF16_MARKS

_WINDOW_BYTES = 64 * 1024
_LEADING = b"\xef\xbb\xbf\x0b\x00 \t\r\n\x1c"
_CDA = re.compile(rb"<(?:[\w.-]+:)?ClinicalDocument[\s>/]")
_FHIR = re.compile(rb"<(?:[\w.-]+:)?[A-Z]\w*\s[^<>]*[\"']http://hl7\.org/fhir[\"']")
_LATER_MESSAGE = re.compile(rb"[\r\n\x0b\x1c]MSH[^A-Za-z0-9\s]")
_WHOLE = (
    (re.compile(rb"PK(?:\x03\x04|\x05\x06)"), "zip"),
    (re.compile(rb"%PDF-"), "pdf"),
    (re.compile(rb"\x1f\x8b"), "gzip"),
    (re.compile(rb".{128}DICM", re.DOTALL), "dicom"),
)
_DICOM_JSON = re.compile(rb'"[0-9A-Fa-f]{8}"\s*:\s*\{[^{}]*"vr"\s*:')
_AFTER_BLANKS = (
    (re.compile(rb"(?:MSH|FHS|BHS)[^A-Za-z0-9\s]"), "hl7v2"),
    (re.compile(rb"[{\[]"), "json"),
    (re.compile(rb"<"), "xml"),
    (re.compile(rb"ISA[^A-Za-z0-9\s]"), "x12"),
)


def detect(name: str, data: bytes) -> str:
    """Name the kind of ``data``; never raises, looks at its first 64 KiB."""
    head = data[:_WINDOW_BYTES]
    for pattern, kind in _WHOLE:
        if pattern.match(head):
            return kind
    if head[:2] in UTF16_MARKS:
        head = head.decode("utf-16", errors="replace").encode()
    start = head.lstrip(_LEADING)
    if not start:
        return "empty" if not data.strip(_LEADING) else "binary"
    kind = next((kind for pattern, kind in _AFTER_BLANKS if pattern.match(start)), "")
    if kind == "json" and b'"resourceType"' in data:
        kind = "fhir"
    if kind == "json" and _DICOM_JSON.search(head):
        kind = "dicom"
    if kind == "xml" and _CDA.search(start):
        kind = "cda"
    if kind == "xml" and _FHIR.search(start):
        kind = "fhir"
    if not kind and not _is_named_table(name) and _LATER_MESSAGE.search(data):
        kind = "hl7v2"
    return kind or _by_name(name, head)


def _by_name(name: str, head: bytes) -> str:
    lower = name.lower()
    if lower.endswith((".hl7", ".er7")):
        return "hl7v2"
    if lower.endswith((".dcm", ".dicom")):
        return "dicom"
    if re.search(rb"[\x00-\x08\x0e-\x1a]", head):
        return "binary"
    return "csv" if _is_named_table(name) or _is_table(head) else "text"


def _is_named_table(name: str) -> bool:
    return name.lower().endswith((".csv", ".tsv", ".tab"))


def _is_table(head: bytes) -> bool:
    """Say whether the first lines have the same number of cells, three or more of them."""
    lines = [line for line in head.splitlines()[:6] if line.strip()]
    if len(lines) < _TABLE_LINES:
        return False
    for sign in (b",", b";", b"\t"):
        counts = {line.count(sign) for line in lines[:-1]}  # the last may be cut off
        if len(counts) == 1 and counts.pop() >= _TABLE_SIGNS:
            return True
    return False


_TABLE_LINES = 3
_TABLE_SIGNS = 2
