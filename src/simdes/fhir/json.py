"""Decimal-exact JSON, as FHIR wants it (https://hl7.org/fhir/R4/json.html#primitive, RFC 8259).

FHIR's decimals carry precision: 4.00 says more than 4.0, and a server that turns one into the other
has changed the record. So every number with a fraction or an exponent becomes a ``Decimal`` that
writes back character for character as it was read; integers become ``int``. Member order is kept,
white space is not: ``dumps(loads(x))`` differs from ``x`` only in white space and string escapes.
The rules in MUST-language: docs/formats/json.md.

What could be read in two ways is refused rather than guessed: a member name twice in one object,
text that is not UTF-8, a byte order mark, lone surrogates, NaN and Infinity.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from simdes.errors import Invalid, TooLarge

Json = Any
"""A JSON value: dict, list, str, bool, None, int or Decimal."""

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 100
MAX_NUMBER_LENGTH = 64
MAX_EXPONENT = 400

# A string and, if it is a member's name, the colon behind it. Possessive repeats, so that no input
# makes it backtrack.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"[ \t\r\n]*+(:?)', re.DOTALL)
_NEGATIVE_ZERO = re.compile(rb"(?<![eE])-0(?![.0-9eE])")
_MAYBE_NEGATIVE_ZERO = re.compile(rb"-0(?![.0-9eE])")  # begins with a literal, so it is fast
_BEFORE_NUMBER = frozenset({b"", b" ", b"\t", b"\r", b"\n", b":", b",", b"["})
_NEGATIVE_ZERO_OR_STRING = re.compile(_STRING.pattern + b"|" + _NEGATIVE_ZERO.pattern, re.DOTALL)
_NEGATIVE_ZERO_MARK = b"-0E+" + bytes(b"0" * MAX_NUMBER_LENGTH)  # longer than any number may be
_SPACED_COLONS = (b" :", b"\n:", b"\t:", b"\r:")
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]+)$")


class _Written(Decimal):
    """A decimal whose text is not the one that ``str`` would choose (1e3, 0.0000001, -0)."""

    __slots__ = ("text",)
    text: str

    def __str__(self) -> str:
        return self.text


def loads(data: bytes, *, max_bytes: int = MAX_BYTES) -> Json:
    """Return the JSON value in ``data`` with every decimal exactly as written.

    Raises ``Invalid`` for anything that is not one unambiguous RFC 8259 text in UTF-8 and
    ``TooLarge`` beyond ``max_bytes``, 100 levels, or numbers of 64 characters or exponent 400.
    """
    if len(data) > max_bytes:
        raise TooLarge(f"JSON text of {len(data)} bytes; the limit is {max_bytes}")
    if _NEGATIVE_ZERO_MARK in data:
        raise TooLarge(f"a number beyond {MAX_NUMBER_LENGTH} characters or 1e{MAX_EXPONENT}")
    value = _decode(_with_marked_zeros(data) if _has_negative_zero(data) else data)
    if not _has_names(data, _inspect(value)):
        raise Invalid("a JSON object has the same member twice")
    return value


def dumps(value: Json) -> bytes:
    """Return ``value`` as compact UTF-8 JSON, member order and decimals unchanged.

    Raises ``Invalid`` for what FHIR's JSON can't hold exactly (floats, NaN, lone surrogates, names
    that are not strings, other types) and ``TooLarge`` beyond 100 levels.
    """
    _inspect(value)
    try:
        return _ENCODER.encode(value)
    except UnicodeError:
        raise Invalid("can't be written as JSON: a string holds a lone surrogate") from None


def loads_own(data: bytes) -> Json:
    """Return the JSON value in what `dumps` or `dumps_own` wrote, decimals exactly as written.

    Several times as quick as `loads`, and for such bytes alone: nothing is refused twice.
    """
    return _decode(_with_marked_zeros(data) if _has_negative_zero(data) else data)


def dumps_own(value: Json) -> bytes:
    """Return as JSON a value that `loads` read, or parts of such values: nothing is refused."""
    return _ENCODER.encode(value)


def indent(data: bytes) -> bytes:
    """Return the JSON text ``data`` over several lines, its numbers and strings as they were."""
    return msgspec.json.format(data, indent=2)


def _decode(data: bytes) -> Json:
    try:
        return _DECODER.decode(data)
    except RecursionError:
        raise TooLarge(f"JSON nested deeper than {MAX_DEPTH} levels") from None
    except UnicodeDecodeError as error:
        raise Invalid(f"not JSON: not UTF-8 at byte {error.start} of a string") from None
    except msgspec.DecodeError as error:
        # The message names a position and the kind of fault, never the text around it.
        raise Invalid(f"not JSON: {error}") from None


def _read_number(text: str) -> Decimal:
    """Return the decimal written as ``text``; msgspec calls this for what is no integer."""
    if text == _NEGATIVE_ZERO_MARK.decode():
        text = "-0"
    exponent = _EXPONENT.search(text)
    is_far = exponent is not None and abs(int(exponent[1][:9])) > MAX_EXPONENT
    if is_far or len(text) > MAX_NUMBER_LENGTH:
        raise TooLarge(f"a number beyond {MAX_NUMBER_LENGTH} characters or 1e{MAX_EXPONENT}")
    number = Decimal(text)
    if str(number) == text:
        return number
    written = _Written(text)
    written.text = text
    return written


def _has_negative_zero(data: bytes) -> bool:
    """Whether an integer -0 may stand in ``data`` (in a string too; UUIDs and dates aside)."""
    found = (m.start() for m in _MAYBE_NEGATIVE_ZERO.finditer(data))
    return any(data[max(at - 1, 0) : at] in _BEFORE_NUMBER for at in found)


def _with_marked_zeros(data: bytes) -> bytes:
    """Return ``data`` with each integer -0 (which would lose its sign) as a marked decimal."""

    def mark(match: re.Match[bytes]) -> bytes:
        return match[0] if match[0][:1] == b'"' else _NEGATIVE_ZERO_MARK

    return _NEGATIVE_ZERO_OR_STRING.sub(mark, data)


def _has_names(data: bytes, count: int) -> bool:
    """Whether the (well-formed) JSON text ``data`` has ``count`` member names, repeats included.

    Counting the quotes before a colon is enough where it comes to ``count``: inside strings it can
    only count too many, and too few only where white space stands before a colon.
    """
    if data.count(b'":') == count and not any(spaced in data for spaced in _SPACED_COLONS):
        return True
    return _STRING.findall(data).count(b":") == count


def _inspect(value: Json) -> int:
    """Return the number of object members in ``value``; refuse other types and great depth.

    Walks level by level, with the built-in ``map`` over each container, because this runs for every
    resource read and written.
    """
    members = 0
    level: list[Any] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        deeper: list[Any] = []
        for container in level:
            values = container
            if type(container) is dict:
                members += len(container)
                values = container.values()
                if not _STRING_ONLY.issuperset(map(type, container)):
                    raise Invalid("can't be written as JSON: a member name is not a string")
            kinds = set(map(type, values))
            if not kinds <= _SCALARS:
                _refuse_other_types(kinds, values)
                deeper += [v for v in values if type(v) is dict or type(v) is list]
        if not deeper:
            return members
        level = deeper
    raise TooLarge(f"JSON nested deeper than {MAX_DEPTH} levels")


def _refuse_other_types(kinds: set[type], values: Iterable[Any]) -> None:
    if not kinds <= _TYPES:
        names = ", ".join(sorted(k.__name__ for k in kinds - _TYPES))
        raise Invalid(f"can't be written as JSON: {names}")
    if Decimal in kinds and not all(v.is_finite() for v in values if type(v) is Decimal):
        raise Invalid("can't be written as JSON: NaN or Infinity")


def _write_other(value: object) -> msgspec.Raw:
    return msgspec.Raw(str(value).encode())


_STRING_ONLY = frozenset({str})
_SCALARS = frozenset({str, bool, int, type(None)})
_TYPES = _SCALARS | {dict, list, Decimal, _Written}
_DECODER = msgspec.json.Decoder(float_hook=_read_number)
_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=_write_other)
