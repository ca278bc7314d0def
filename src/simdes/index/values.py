"""Values of resources as search rows, and what of them is looked up by.

One table holds the values of each kind. Slots and systems are numbers made from their names, which
keeps rows and indexes short; texts are cut where PostgreSQL's indexes end, with a digest in place
of what is cut off, so that equal stays equal and different different.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from sys import float_info
from typing import Any

from simdes.fhir.search.conditions import (
    Kind,
    Number,
    Quantity,
    Reference,
    Span,
    Text,
    Token,
    Uri,
    Valued,
)
from simdes.index.statements import Value

TABLES: Mapping[Kind, str] = {
    Kind.DATE: "search_span",
    Kind.NUMBER: "search_number",
    Kind.QUANTITY: "search_quantity",
    Kind.REFERENCE: "search_reference",
    Kind.STRING: "search_text",
    Kind.TOKEN: "search_token",
    Kind.URI: "search_uri",
}
"""Where the values of each kind lie."""

HEAD = 64
"""Characters of a text that its index holds."""
KEY = 400
"""Characters of a code or URI that its index holds in full."""
WIDE_MS = 366 * 86_400_000
"""Longer spans have an index by their end; shorter ones are found by where they begin."""
_KEPT = 300
_LARGEST = float_info.max

Row = dict[str, Value]
Rows = Mapping[str, Sequence[Row]]
"""Search rows by table, without the columns ``entry``."""


@lru_cache(maxsize=8192)
def slot_number(name: str) -> int:
    """The number of a slot's name: 48 bits of its digest, 6 bytes in SQLite's rows."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6])


@lru_cache(maxsize=4096)
def system_number(system: str) -> int:
    """The number of a code system's URI: 63 bits of its digest; 0 for "", which is no system."""
    if not system:
        return 0
    return (int.from_bytes(hashlib.sha256(clean(system).encode()).digest()[:8]) >> 1) or 1


def clean(text: str) -> str:
    """The text without what PostgreSQL can't hold: NUL and lone surrogates."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def key(text: str) -> str:
    """What stands for a text in an index; the text itself up to `KEY` characters."""
    if len(text) <= KEY and text.isascii() and "\0" not in text:
        return text
    text = clean(text)
    if len(text) <= KEY:
        return text
    return text[:_KEPT] + "…" + hashlib.sha256(text.encode()).hexdigest()


def literal(target: str) -> tuple[str, str]:
    """(type, id) of a reference to ``Type/id``; ("", URL) of any other."""
    type_, slash, logical_id = target.partition("/")
    if slash and type_.isalpha() and "/" not in logical_id and ":" not in logical_id:
        return type_, key(logical_id)
    return "", key(target)


def real(number: float) -> float:
    """The number, or the largest of its sign where it is beyond all numbers."""
    if math.isnan(number):
        return 0.0
    return max(-_LARGEST, min(_LARGEST, float(number)))


def rows_of(values: Sequence[Valued]) -> Rows:
    """Search rows of a resource's values, each value once."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for one in dict.fromkeys(values):
        table = TABLES[one.slot.kind]
        rows = found[table]
        rows.append(
            {"slot": slot_number(one.slot.name), "n": len(rows), "part": one.part}
            | _COLUMNS[type(one.value)](one.value)
        )
    return found


def _token(one: Token) -> Row:
    return {"system": system_number(one.system), "code": key(one.code)}


def _text(one: Text) -> Row:
    folded = clean(one.folded)
    head = folded[:HEAD]
    return {"head": head, "folded": None if head == folded else folded, "exact": clean(one.exact)}


def _span(one: Span) -> Row:
    return {"low_ms": one.low_ms, "high_ms": one.high_ms}


def _number(one: Number) -> Row:
    return {"value": real(one.value), "low": real(one.low), "high": real(one.high)}


def _quantity(one: Quantity) -> Row:
    return {
        "value": real(one.value),
        "low": real(one.low),
        "high": real(one.high),
        "system": system_number(one.system),
        "code": key(one.code),
        "unit": key(one.unit),
    }


def _reference(one: Reference) -> Row:
    type_, target = literal(one.target)
    return {
        "type": type_,
        "target": target,
        "version": key(one.version),
        "subject": int(one.is_subject),
    }


def _uri(one: Uri) -> Row:
    return {"text": key(one.text)}


_COLUMNS: Mapping[type, Callable[[Any], Row]] = {
    Token: _token,
    Text: _text,
    Span: _span,
    Number: _number,
    Quantity: _quantity,
    Reference: _reference,
    Uri: _uri,
}
