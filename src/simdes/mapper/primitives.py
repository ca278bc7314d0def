"""Turn v2 text into FHIR's primitive types (https://hl7.org/fhir/R4/datatypes.html).

Each conversion takes unescaped text and gives the JSON value, or None when the text is not of that
type: the field then counts as unmapped and is kept as it was sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from simdes.errors import Invalid

MAX_STRING = 1024 * 1024
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_CODE = re.compile(r"[^\s]+(?: [^\s]+)*")
_URI = re.compile(r"\S+")
_NUMBER = re.compile(r"([+-]?)(\d{0,30})(?:\.(\d{1,30}))?")
OID = re.compile(r"(?=.{5,}\.)[0-2](?:\.(?:0|[1-9]\d*))+")
"""An object identifier that can be one: 1.2 and 2.1.1 are somebody's local names."""

_DATE_TIME = re.compile(
    r"(?P<year>\d{4})(?:(?P<month>0[1-9]|1[0-2])(?:(?P<day>0[1-9]|[12]\d|3[01])"
    r"(?:(?P<hour>[01]\d|2[0-3])(?:(?P<minute>[0-5]\d)(?:(?P<second>[0-5]\d)"
    r"(?P<fraction>\.\d{1,9})?)?)?)?)?)?(?P<zone>[+-](?:0\d|1[0-4]):?[0-5]\d)?"
)
_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(\.\d+)?)?)?(Z|[+-].*)?"
)
_TIME = re.compile(r"([01]\d|2[0-3]):?([0-5]\d)?:?([0-5]\d)?(\.\d{1,9})?(?:[+-]\d{4})?")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

Zone = str | ZoneInfo


def zone(name: str) -> Zone:
    """Read a site's time zone: an offset such as ``+01:00``, or an IANA name. Raises `Invalid`."""
    match = _OFFSET.fullmatch(name)
    if match:
        return f"{match[1]}{match[2]}:{match[3]}"
    if name in ("Z", "UTC"):
        return "Z"
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise Invalid(f"no time zone is called {name!r}") from error


def string(text: str, _: Zone = "Z") -> str | None:
    """Text without control characters and outer blanks; None when empty or too long for FHIR."""
    text = _CONTROL.sub("", text).strip() if not text.isprintable() else text.strip()
    return text if 0 < len(text) <= MAX_STRING else None


def code(text: str, _: Zone = "Z") -> str | None:
    """A code: no blanks but single ones inside."""
    text = text.strip()
    return text if _CODE.fullmatch(text) and text.isprintable() else None


def uri(text: str, _: Zone = "Z") -> str | None:
    """A URI: no blanks."""
    text = text.strip()
    return text if _URI.fullmatch(text) and text.isprintable() else None


def decimal(text: str, _: Zone = "Z") -> Decimal | None:
    """A number with the precision it was sent with: 4.00 stays 4.00."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None or not (match[2] or match[3]):
        return None
    digits = f"{match[2] or '0'}" + (f".{match[3]}" if match[3] else "")
    try:
        return Decimal(("-" if match[1] == "-" else "") + digits)
    except InvalidOperation:  # pragma: no cover - the pattern allows no such text
        return None


def integer(text: str, _: Zone = "Z") -> int | None:
    """A whole number of 32 bits."""
    value = decimal(text)
    if value is None or value != value.to_integral_value() or abs(value) >= 2**31:
        return None
    return int(value)


def positive(text: str, _: Zone = "Z") -> int | None:
    """A whole number from 1."""
    value = integer(text)
    return value if value is not None and value > 0 else None


def unsigned(text: str, _: Zone = "Z") -> int | None:
    """A whole number from 0."""
    value = integer(text)
    return value if value is not None and value >= 0 else None


def boolean(text: str, _: Zone = "Z") -> bool | None:
    """Yes or no."""
    return {"Y": True, "true": True, "1": True, "N": False, "false": False, "0": False}.get(text)


def base64_binary(text: str, _: Zone = "Z") -> str | None:
    """Base64 with its line breaks taken out."""
    text = "".join(text.split())
    return (
        text
        if text and len(text) % 4 == 0 and re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", text)
        else None
    )


def date(text: str, _: Zone = "Z") -> str | None:
    """The date of a DT or DTM."""
    value = date_time(text, "Z")
    return value[:10] if value else None


def instant(text: str, site: Zone = "Z") -> str | None:
    """A moment; None when the text names a day at most."""
    value = date_time(text, site)
    return value if value and "T" in value else None


def date_time(text: str, site: Zone = "Z") -> str | None:
    """A DTM as FHIR dateTime; a time without a zone is the site's, missing seconds become 00."""
    text = text.strip()
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return _from_iso(text, site)
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    if month is None:
        return year if year != "0000" else None
    if day is None:
        return f"{year}-{month}"
    if not _is_day(int(year), int(month), int(day)):
        return None
    if hour is None:
        return f"{year}-{month}-{day}"
    local = f"{year}-{month}-{day}T{hour}:{minute or '00'}:{second or '00'}"
    return f"{local}{fraction or ''}{_zone_of(local, offset, site)}"


def _from_iso(text: str, site: Zone) -> str | None:
    """Some senders write ISO 8601 where v2 wants digits; the meaning is plain."""
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    digits = f"{year}{month}{day}{hour or ''}{minute or ''}{second or ''}"
    if second:
        digits += fraction or ""
    if offset == "Z":
        offset, site = None, "Z"
    if offset and not _OFFSET.fullmatch(offset):
        return None
    digits += (offset or "").replace(":", "")
    return date_time(digits, site) if _DATE_TIME.fullmatch(digits) else None


def _is_day(year: int, month: int, day: int) -> bool:
    if year == 0 or day > _DAYS[month - 1]:
        return False
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return not (month == 2 and day == 29 and not leap)


def _zone_of(local: str, offset: str | None, site: Zone) -> str:
    if offset:
        return offset if ":" in offset else f"{offset[:3]}:{offset[3:]}"
    if isinstance(site, str):
        return site
    from datetime import datetime  # noqa: PLC0415 - only for sites with a named zone

    moment = datetime.fromisoformat(local).replace(tzinfo=site)
    text = moment.strftime("%z")
    return f"{text[:3]}:{text[3:5]}"


def time(text: str, _: Zone = "Z") -> str | None:
    """A time of day."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    return f"{match[1]}:{match[2] or '00'}:{match[3] or '00'}{match[4] or ''}"


CONVERSIONS: dict[str, Callable[[str, Zone], Any]] = {
    "string": string,
    "markdown": string,
    "code": code,
    "id": code,
    "uri": uri,
    "url": uri,
    "canonical": uri,
    "decimal": decimal,
    "integer": integer,
    "positiveInt": positive,
    "unsignedInt": unsigned,
    "boolean": boolean,
    "base64Binary": base64_binary,
    "date": date,
    "dateTime": date_time,
    "instant": instant,
    "time": time,
}
