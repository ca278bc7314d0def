"""What a primitive value may look like (https://hl7.org/fhir/R4/datatypes.html#primitive).

The standard's regular expressions, tightened where its prose says more than they do: days that
exist, no control characters, base64 that decodes, 32-bit integers, UUIDs and OIDs in URIs. All run
in time linear in the value.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

Test = Callable[[Any], str | None]
"""Takes a JSON value; returns None if it is good, else what it should have been."""

MAX_STRING_CHARACTERS = 1024 * 1024

_YEAR = r"(?!0000)[0-9]{4}"
_MONTH = r"(?:0[1-9]|1[0-2])"
_DAY = r"(?:0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_OID = r"[0-2](?:\.(?:0|[1-9][0-9]*))+"

_TEXT = re.compile("[\t\n\r\x20-\ud7ff\ue000-\U0010ffff]+")
_CODE = re.compile("[\x21-\ud7ff\ue000-\U0010ffff]+(?: [\x21-\ud7ff\ue000-\U0010ffff]+)*+")
_URI = re.compile("[\x21-\ud7ff\ue000-\U0010ffff]+")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_DATE = re.compile(f"{_YEAR}(?:-{_MONTH}(?:-{_DAY})?)?")
_DATE_TIME = re.compile(f"{_YEAR}(?:-{_MONTH}(?:-{_DAY}(?:T{_CLOCK}{_ZONE})?)?)?")
_INSTANT = re.compile(f"{_YEAR}-{_MONTH}-{_DAY}T{_CLOCK}{_ZONE}")
_TIME = re.compile(_CLOCK)
_URN_UUID = re.compile(f"urn:uuid:{_UUID}")
_URN_OID = re.compile(f"urn:oid:{_OID}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_BASE64 = re.compile("[A-Za-z0-9+/]*={0,2}")
_WHITE_SPACE = str.maketrans("", "", " \t\r\n")


def is_absolute(uri: str) -> bool:
    """Whether ``uri`` begins with a scheme (RFC 3986, section 3.1)."""
    return _SCHEME.match(uri) is not None


def _matching(pattern: re.Pattern[str], message: str) -> Test:
    match = pattern.fullmatch

    def test(value: Any) -> str | None:
        if type(value) is not str:
            return "a JSON string is needed"
        return None if match(value) else message

    return test


def _calendar(pattern: re.Pattern[str], message: str) -> Test:
    match = pattern.fullmatch

    def test(value: Any) -> str | None:
        if type(value) is not str:
            return "a JSON string is needed"
        if not match(value):
            return message
        day = value[8:10]
        if day > "28" and int(day) > monthrange(int(value[:4]), int(value[5:7]))[1]:
            return "the month has no such day"
        return None

    return test


def _text(value: Any) -> str | None:
    if type(value) is not str:
        return "a JSON string is needed"
    if not _TEXT.fullmatch(value):
        return "a string must not be empty or hold control characters"
    return "a string must not pass 1 MiB" if len(value) > MAX_STRING_CHARACTERS else None


def _uri(value: Any) -> str | None:
    if type(value) is not str:
        return "a JSON string is needed"
    if value.startswith("urn:uuid:") and _URN_UUID.fullmatch(value):
        return None  # what references and fullUrls are, mostly
    if not _URI.fullmatch(value):
        return "a URI must not be empty or hold white space"
    if value.startswith("urn:uuid:"):
        return "a URI beginning with urn:uuid: must end in a lower-case UUID"
    if value.startswith("urn:oid:") and not _URN_OID.fullmatch(value):
        return "a URI beginning with urn:oid: must end in an OID"
    return None


def _canonical(value: Any) -> str | None:
    message = _uri(value)
    if message is None and not value.startswith("#") and not is_absolute(value):
        return "a canonical reference must be an absolute URL or name a contained resource"
    return message


def _boolean(value: Any) -> str | None:
    return None if type(value) is bool else "true or false is needed, without quotes"


def _whole(least: int, most: int) -> Test:
    def test(value: Any) -> str | None:
        if type(value) is int:
            return None if least <= value <= most else f"must be from {least} to {most}"
        is_zero = isinstance(value, Decimal) and str(value) == "-0" and least <= 0
        return None if is_zero else "a JSON number without fraction or exponent is needed"

    return test


def _decimal(value: Any) -> str | None:
    if type(value) is int or (isinstance(value, Decimal) and value.is_finite()):
        return None
    return "a JSON number is needed, without quotes"


def _base64(value: Any) -> str | None:
    if type(value) is not str:
        return "a JSON string is needed"
    packed = value.translate(_WHITE_SPACE)
    is_good = packed and len(packed) % 4 == 0 and _BASE64.fullmatch(packed)
    return None if is_good else "base64 is needed (RFC 4648, section 4)"


_DATE_MESSAGE = "a date is needed: YYYY, YYYY-MM or YYYY-MM-DD"

PRIMITIVES: Mapping[str, Test] = {
    "base64Binary": _base64,
    "boolean": _boolean,
    "canonical": _canonical,
    "code": _matching(_CODE, "a code must not be empty or hold needless white space"),
    "date": _calendar(_DATE, _DATE_MESSAGE),
    "dateTime": _calendar(
        _DATE_TIME, _DATE_MESSAGE + ", or YYYY-MM-DDThh:mm:ss with an optional fraction and a zone"
    ),
    "decimal": _decimal,
    "id": _matching(_ID, "an id is 1 to 64 of the characters A-Z a-z 0-9 - ."),
    "instant": _calendar(
        _INSTANT, "an instant is needed: YYYY-MM-DDThh:mm:ss with an optional fraction and a zone"
    ),
    "integer": _whole(-(2**31), 2**31 - 1),
    "markdown": _text,
    "oid": _matching(_URN_OID, "urn:oid: and an OID is needed"),
    "positiveInt": _whole(1, 2**31 - 1),
    "string": _text,
    "time": _matching(_TIME, "a time is needed: hh:mm:ss with an optional fraction"),
    "unsignedInt": _whole(0, 2**31 - 1),
    "uri": _uri,
    "url": _uri,
    "uuid": _matching(_URN_UUID, "urn:uuid: and a lower-case UUID is needed"),
    "xhtml": _text,
}

_MIME_WORD = r"[A-Za-z0-9!#$&^_.+\-]+"
_MIME_TYPE = re.compile(rf"(?:{_MIME_WORD}/{_MIME_WORD}(?: ?;[^\x00-\x1f]*)?|xml|json|ttl)")
_LANGUAGE = re.compile("[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_CURRENCY = re.compile("[A-Z]{3}")

SYNTAXES: Mapping[str, tuple[str, re.Pattern[str]]] = {
    "http://hl7.org/fhir/ValueSet/all-languages": ("urn:ietf:bcp:47", _LANGUAGE),
    "http://hl7.org/fhir/ValueSet/currencies": ("urn:iso:std:iso:4217", _CURRENCY),
    "http://hl7.org/fhir/ValueSet/mimetypes": ("urn:ietf:bcp:13", _MIME_TYPE),
    "http://www.rfc-editor.org/bcp/bcp13.txt": ("urn:ietf:bcp:13", _MIME_TYPE),
}
"""Value sets that are grammars rather than lists: their code system and the form of a code.

``xml``, ``json`` and ``ttl`` are FHIR's own short forms (https://hl7.org/fhir/R4/http.html#parameters).
"""
