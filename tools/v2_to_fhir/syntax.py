"""Read message structures that HL7 has no map for, written as the v2 standard writes them.

Abstract message syntax (chapter 2.12 of the HL7 v2 standard): ``[ ]`` may be missing, ``{ }``
repeats, ``NAME:`` after an opening bracket names the group, ``PV1>ROL`` is the ROL that follows PV1
where a group has several. A choice ``< A | B >`` is written as segments that may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tools.v2_to_fhir.sheets import Line

_TOKEN = re.compile(
    r"\s*(?:(?P<sign>[\[\]{}])|(?P<group>[A-Z][A-Z0-9_]*):|(?P<name>(?:[A-Z][A-Z0-9]{2}>)?[A-Z][A-Z0-9]{2}))"
)
_CLOSING = {"[": "]", "{": "}"}


def structures(rows: list[dict[str, str]]) -> dict[str, list[Line]]:
    """Read the sheet ``structures.psv``: rows of one structure continue each other."""
    texts: dict[str, str] = {}
    for row in rows:
        texts[row["structure"]] = f"{texts.get(row['structure'], '')} {row['syntax']}"
    return {name: list(_lines(name, text)) for name, text in texts.items()}


def _lines(structure: str, text: str) -> Iterator[Line]:
    tokens = _tokens(structure, text)
    yield from _items(structure, tokens, "", "")
    if next(tokens, None) is not None:
        raise ValueError(f"{structure}: brackets do not close")


def _tokens(structure: str, text: str) -> Iterator[tuple[str, str]]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"{structure}: not abstract syntax: {text[at : at + 20]}")
        yield match.lastgroup or "", match[match.lastgroup or 0]
        at = match.end()


def _items(
    prefix: str, tokens: Iterator[tuple[str, str]], until: str, opened: str
) -> Iterator[Line]:
    """Read until the bracket ``until``; ``opened`` are the brackets around a segment alone."""
    group = ""
    for kind, text in tokens:
        if kind == "sign" and text == until:
            break
        if kind == "group":
            prefix, group = f"{prefix}.{text}", text
            yield _line(prefix, opened, f"--- {text} begin")
            opened = ""
        elif kind == "name":
            name = text.rpartition(">")[2]
            yield _line(_identifier(prefix, text), f"{opened}{name}", "")
        elif text in _CLOSING:
            yield from _items(prefix, tokens, _CLOSING[text], opened + text if not group else text)
        else:
            raise ValueError(f"{prefix}: {text} closes nothing")
    else:
        if until:
            raise ValueError(f"{prefix}: {until} is missing")
    if group:
        yield _line(f"/{prefix}", "", f"--- {group} end")


def _identifier(prefix: str, text: str) -> str:
    """Name a segment; ``PV1>ROL``, the ROL after PV1 of a group with several, as HL7 does."""
    after, _, name = text.rpartition(">")
    return f"{prefix}:follow:{after}.{name}" if after else f"{prefix}.{name}"


def _line(identifier: str, syntax: str, name: str) -> Line:
    return Line(identifier, syntax, name, "", "", "", "", "")
