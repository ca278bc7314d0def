"""Functions on strings (http://hl7.org/fhirpath/N1/#string-manipulation).

``encode`` to ``unescape``, ``trim``, ``split``, ``join``, ``matchesFull`` are of the later
http://hl7.org/fhirpath/.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
from collections.abc import Callable, Mapping
from typing import Any

from simdes.fhir.fhirpath.equality import single, system
from simdes.fhir.fhirpath.errors import PathError
from simdes.fhir.fhirpath.functions.signature import Function, Plain, Scoped
from simdes.fhir.fhirpath.nodes import Collection
from simdes.fhir.fhirpath.patterns import find, matches_whole, substitute
from simdes.fhir.fhirpath.scope import LONGEST_TEXT, Scope


def _values(items: Collection, arguments: tuple[Collection, ...], kinds: str) -> list[Any] | None:
    """Return the string and its arguments (``s`` or ``i`` each); None if one is empty."""
    values = [single(items), *map(single, arguments)]
    if None in values:
        return None
    for value, kind in zip(values, "s" + kinds, strict=False):
        if type(value) is not (str if kind == "s" else int):
            raise PathError("a string is needed" if kind == "s" else "an integer is needed")
    return values


def _on_text(
    function: Callable[..., Any], kinds: str = "", least: int | None = None
) -> Function[Plain]:
    """Return ``function`` on single values; empty if one is empty, or if it returns None."""

    def wrapped(items: Collection, *arguments: Collection) -> Collection:
        values = _values(items, arguments, kinds)
        found = None if values is None else function(*values)
        return [] if found is None else [found]

    return Function(wrapped, len(kinds) if least is None else least, len(kinds))


def _substring(text: str, start: int, length: int | None = None) -> str | None:
    if not 0 <= start < len(text):
        return None
    return text[start:] if length is None else text[start : start + max(length, 0)]


def _replace(text: str, old: str, new: str) -> str:
    if text.count(old) * len(new) > LONGEST_TEXT:
        raise PathError("the text would be too long")
    return text.replace(old, new)


def _encode(text: str, form: str) -> str | None:
    data = text.encode("utf-8", "replace")
    if form == "hex":
        return data.hex()
    if form == "base64":
        return base64.b64encode(data).decode()
    return base64.urlsafe_b64encode(data).decode() if form == "urlbase64" else None


def _decode(text: str, form: str) -> str | None:
    try:
        if form == "hex":
            return bytes.fromhex(text).decode()
        if form == "base64":
            return base64.b64decode(text, validate=True).decode()
        return base64.urlsafe_b64decode(text).decode() if form == "urlbase64" else None
    except (binascii.Error, ValueError):
        return None


def _escape(text: str, form: str) -> str | None:
    if form == "html":
        return html.escape(text)
    return json.dumps(text, ensure_ascii=False)[1:-1] if form == "json" else None


def _unescape(text: str, form: str) -> str | None:
    if form == "html":
        return html.unescape(text)
    if form != "json":
        return None
    try:
        found = json.loads('"' + text.replace('\\"', '"').replace('"', '\\"') + '"', strict=False)
    except ValueError:
        return None
    return str(found)


def _split(items: Collection, separator: Collection) -> Collection:
    values = _values(items, (separator,), "s")
    if values is None:
        return []
    return values[0].split(values[1]) if values[1] else list(values[0])


def _join(items: Collection, separator: Collection = []) -> Collection:  # noqa: B006
    between = single(separator)
    texts = [t for t in map(system, items) if t is not None]
    if not items:
        return []
    if any(type(t) is not str for t in texts) or not isinstance(between, str | None):
        raise PathError("strings are needed")
    if len(between or "") * len(texts) > LONGEST_TEXT:
        raise PathError("the text would be too long")
    return [(between or "").join(texts)]


def _to_chars(items: Collection) -> Collection:
    values = _values(items, (), "")
    return [] if values is None else list(values[0])


FUNCTIONS: Mapping[str, Function[Plain]] = {
    "contains": _on_text(lambda text, part: part in text, "s"),
    "decode": _on_text(_decode, "s"),
    "encode": _on_text(_encode, "s"),
    "endsWith": _on_text(lambda text, end: text.endswith(end), "s"),
    "escape": _on_text(_escape, "s"),
    "indexOf": _on_text(lambda text, part: text.find(part), "s"),
    "join": Function(_join, 0, 1),
    "lastIndexOf": _on_text(lambda text, part: text.rfind(part), "s"),
    "length": _on_text(len),
    "lower": _on_text(lambda text: text.lower()),
    "replace": _on_text(_replace, "ss"),
    "split": Function(_split, 1, 1),
    "startsWith": _on_text(lambda text, start: text.startswith(start), "s"),
    "substring": _on_text(_substring, "ii", 1),
    "toChars": Function(_to_chars),
    "trim": _on_text(lambda text: text.strip()),
    "unescape": _on_text(_unescape, "s"),
    "upper": _on_text(lambda text: text.upper()),
}


def _with_pattern(function: Callable[..., Any], kinds: str) -> Function[Scoped]:
    def wrapped(items: Collection, scope: Scope, *arguments: Collection) -> Collection:
        values = _values(items, arguments, kinds)
        if values is None:
            return []
        return [function(*values, spend=scope.spend if scope.is_limited else None)]

    return Function(wrapped, len(kinds), len(kinds))


SCOPED: Mapping[str, Function[Scoped]] = {
    "matches": _with_pattern(find, "s"),
    "matchesFull": _with_pattern(matches_whole, "s"),
    "replaceMatches": _with_pattern(substitute, "ss"),
}
"""Functions that run a pattern, whose work is counted."""
