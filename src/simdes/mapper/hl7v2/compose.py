r"""Put HL7 v2 text together: escape values, join fields, write segments and messages.

Chapter 2 of the HL7 v2 standard, sections 2.5 (construction) and 2.7 (escape sequences); the
opposite of `simdes.mapper.hl7v2.er7`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from simdes.mapper.hl7v2.er7 import Separators

USUAL = Separators("|", "^", "~", "\\", "&")
"""The separators that the standard suggests."""

Field = str | tuple[str, ...] | list[tuple[str, ...]]
"""A field: one plain text, its components as plain texts, or repetitions of such components."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def escape(text: str, separators: Separators) -> str:
    r"""Escape plain ``text``: separators by ``\F\`` and so on, line breaks as ``\.br\``."""
    sign = separators.escape
    names = {
        sign: "E",
        separators.field: "F",
        separators.component: "S",
        separators.subcomponent: "T",
        separators.repetition: "R",
    }
    joined = text.replace("\r\n", "\n").replace("\r", "\n")
    escaped = "".join(f"{sign}{names[c]}{sign}" if c in names else c for c in joined)
    escaped = escaped.replace("\n", f"{sign}.br{sign}")
    return _CONTROL.sub(lambda match: f"{sign}X{ord(match[0]):02X}{sign}", escaped)


def field(value: Field, separators: Separators) -> str:
    """Write one field; empty components and repetitions at the end are left out."""
    if isinstance(value, str):
        return escape(value, separators)
    if isinstance(value, tuple):
        text = separators.component.join(_component(part, separators) for part in value)
        return text.rstrip(separators.component)
    texts = [field(part, separators) for part in value]
    return separators.repetition.join(texts).rstrip(separators.repetition)


def _component(part: str, separators: Separators) -> str:
    """Write a component; its subcomponents stand between tabs, which no plain text keeps."""
    pieces = [escape(piece, separators) for piece in part.split("\t")]
    return separators.subcomponent.join(pieces).rstrip(separators.subcomponent)


def segment(name: str, fields: Mapping[int, Field], separators: Separators) -> str:
    """Write segment ``name`` from its numbered fields; those that are not there stay empty."""
    if name == "MSH":
        signs = separators
        encoding = signs.component + signs.repetition + signs.escape + signs.subcomponent
        rest = [field(fields.get(n, ""), signs) for n in range(3, max(fields) + 1)]
        return signs.field.join([name, encoding, *rest]).rstrip(signs.field)
    texts = [field(fields.get(n, ""), separators) for n in range(1, max(fields, default=0) + 1)]
    return separators.field.join([name, *texts]).rstrip(separators.field)


def message(segments: Iterable[str], encoding: str = "utf-8") -> bytes:
    """Write a message of segments, each ended by a carriage return.

    A sign that ``encoding`` does not have becomes a question mark.
    """
    return "".join(f"{text}\r" for text in segments).encode(encoding, errors="replace")
