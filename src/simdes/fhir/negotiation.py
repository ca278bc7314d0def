"""What the headers of a FHIR request ask for (https://hl7.org/fhir/R4/http.html).

Media types (section 3.1.0.1.9; RFC 9110, sections 8.3 and 12.5.1), preferences (3.1.0.1.8; RFC
7240), versions as entity tags (3.1.0.2 to 3.1.0.5; RFC 9110, sections 8.8.3 and 13.1), dates (RFC
9110, section 5.6.7), searches in If-None-Exist (3.1.0.8.1). Header names match in any case, so the
caller looks them up; several headers of a name come joined by commas.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_plus

from simdes.errors import Invalid
from simdes.fhir.form import Form

FHIR_VERSIONS = frozenset({"4.0", "4.0.1"})
MAX_HEADER_CHARACTERS = 8192
MAX_PAIRS = 100

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f])*+"'
_PARAMETER = re.compile(rf"\s*;\s*(?:({_WORD})\s*=\s*({_WORD}|{_QUOTED}))?\s*")
_MEDIA = re.compile(rf"\s*({_WORD})/({_WORD})")
_ELEMENT = re.compile(rf'(?:[^",]|{_QUOTED})++')
_QUALITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


class MediaType(NamedTuple):
    """A media type in lower case, and its parameters; names of these in lower case, too."""

    name: str
    parameters: Mapping[str, str]


def media_type(text: str) -> MediaType | None:
    """Return the media type or range that ``text`` is, None if it is none."""
    match = _MEDIA.match(text)
    if match is None or len(text) > MAX_HEADER_CHARACTERS:
        return None
    parameters: dict[str, str] = {}
    at = match.end()
    while at < len(text):
        found = _PARAMETER.match(text, at)
        if found is None:
            return None if text[at:].strip() else MediaType(_joined(match), parameters)
        if found[1]:
            parameters.setdefault(found[1].lower(), _unquoted(found[2]))
        at = found.end()
    return MediaType(_joined(match), parameters)


def _joined(match: re.Match[str]) -> str:
    return f"{match[1]}/{match[2]}".lower()


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


def _elements(header: str) -> Iterator[str]:
    """Yield the members of a header that is a list (RFC 9110, section 5.6.1)."""
    for match in _ELEMENT.finditer(header[:MAX_HEADER_CHARACTERS]):
        if match[0].strip():
            yield match[0].strip()


# --- forms -----------------------------------------------------------------------------------

_FORMS: Mapping[str, Form] = {
    **dict.fromkeys(("application/fhir+json", "application/json", "text/json"), Form.JSON),
    **dict.fromkeys(("application/json+fhir",), Form.JSON),  # before STU3; some still send it
    **dict.fromkeys(("application/fhir+xml", "application/xml", "text/xml"), Form.XML),
    **dict.fromkeys(("application/xml+fhir",), Form.XML),
}
_SHORT: Mapping[str, Form] = {"json": Form.JSON, "xml": Form.XML}
_RANGES: Mapping[str, tuple[Form, ...]] = {
    **{name: (form,) for name, form in _FORMS.items()},
    **dict.fromkeys(("*/*", "application/*", "text/*"), (Form.JSON, Form.XML)),
}


class Body(Enum):
    """What a request's body is, by its Content-Type; any other type is content of a Binary."""

    JSON = "application/fhir+json"
    XML = "application/fhir+xml"
    JSON_PATCH = "application/json-patch+json"
    MERGE_PATCH = "application/merge-patch+json"
    XML_PATCH = "application/xml-patch+xml"
    FIELDS = "application/x-www-form-urlencoded"

    @property
    def form(self) -> Form | None:
        """The form of the resource it holds, None if it holds none."""
        return {Body.JSON: Form.JSON, Body.XML: Form.XML}.get(self)


_BODIES: Mapping[str, Body] = {
    **{name: Body(form.value) for name, form in _FORMS.items()},
    **{b.value: b for b in Body if b.form is None},
}


@lru_cache(maxsize=64)  # asked several times for a request, and of few clients different things
def answer_form(accept: str | None, format_: str | None = None) -> Form | None:
    """Return the form that ``_format``, or else the Accept header, asks for; None for neither's.

    Without either, JSON. Of what is equally welcome, what is named first; of a wildcard, JSON.
    Only R4 is spoken: ``fhirVersion=5.0`` asks in vain.
    """
    if format_ is not None and format_.strip():
        return _named_form(format_)
    ranges = [r for r in map(_range, _elements(accept or "")) if r is not None]
    if not ranges:
        return Form.JSON
    ranked = [(*_welcome(form, ranges), -place, form) for place, form in enumerate(Form)]
    quality, _, _, form = max(ranked, key=lambda row: row[:3])
    return form if quality > 0 else None


def _named_form(format_: str) -> Form | None:
    # In a URL "+" means a blank unless it is escaped, which many forget: application/fhir json.
    text = format_.strip().replace("fhir json", "fhir+json").replace("fhir xml", "fhir+xml")
    media = media_type(text)
    if media is None:
        return _SHORT.get(text.lower())
    welcome = _RANGES.get(media.name, ()) if _is_r4(media) else ()
    return welcome[0] if welcome else None


def body_of(content_type: str | None) -> Body | None:
    """Return what a body with this Content-Type is; None if it is nothing known or not UTF-8."""
    media = media_type(content_type or "")
    if media is None or not _is_r4(media):
        return None
    charset = media.parameters.get("charset", "utf-8").lower()
    return _BODIES.get(media.name) if charset in ("utf-8", "utf8", "us-ascii") else None


def _is_r4(media: MediaType) -> bool:
    return media.parameters.get("fhirversion", "4.0") in FHIR_VERSIONS


class _Range(NamedTuple):
    name: str
    quality: float
    is_r4: bool


def _range(text: str) -> _Range | None:
    media = media_type(text)
    if media is None:
        return None
    quality = media.parameters.get("q", "1")
    if not _QUALITY.fullmatch(quality):
        return None
    return _Range(media.name, float(quality), _is_r4(media))


def _welcome(form: Form, ranges: list[_Range]) -> tuple[float, int]:
    """Return how welcome ``form`` is by the most specific range it is in, and how early that is."""
    found = [
        (one.name.count("*"), -one.quality, place)
        for place, one in enumerate(ranges)
        if one.is_r4 and form in _RANGES.get(one.name, ())
    ]
    if not found:
        return 0.0, 0
    _, quality, place = min(found)
    return -quality, -place


# --- preferences -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What the Prefer header asks for; None where it says nothing that is known.

    ``returns`` is ``minimal``, ``representation`` or ``OperationOutcome``; ``handling`` is
    ``strict`` or ``lenient``.
    """

    returns: str | None = None
    handling: str | None = None
    is_async: bool = False


_RETURNS = {name.lower(): name for name in ("minimal", "representation", "OperationOutcome")}
_HANDLINGS = {"strict": "strict", "lenient": "lenient"}
_PREFERENCE = re.compile(rf"\s*({_WORD})\s*(?:=\s*({_WORD}|{_QUOTED})\s*)?")


def preferences(prefer: str | None) -> Preferences:
    """Return what the Prefer header asks for; what is unknown or garbled counts for nothing.

    Of a preference that stands there twice, the first holds (RFC 7240, section 2). Clients put
    semicolons where commas belong, so these part preferences as well.
    """
    found: dict[str, str] = {}
    for element in _elements(prefer or ""):
        for piece in element.split(";"):
            match = _PREFERENCE.fullmatch(piece)
            if match:
                found.setdefault(match[1].lower(), _unquoted(match[2] or ""))
    return Preferences(
        returns=_RETURNS.get(found.get("return", "").lower()),
        handling=_HANDLINGS.get(found.get("handling", "").lower()),
        is_async="respond-async" in found,
    )


# --- versions --------------------------------------------------------------------------------

_BARE = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_TAG = re.compile(r'\s*(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions that a condition names; ``None`` is any (``*``)."""

    ids: frozenset[str] | None

    def has(self, version: str | int | None) -> bool:
        """Say whether the present ``version`` (None: there is no such resource) is among them."""
        return version is not None and (self.ids is None or str(version) in self.ids)


def etag(version: str | int) -> str:
    """Return the entity tag of a version: weak, since JSON and XML of it share it."""
    return f'W/"{version}"'


def versions(header: str | None) -> Versions | None:
    """Return what If-Match or If-None-Match names, None without one. Raises Invalid on garbage.

    Whether a tag is weak makes no difference: FHIR's versions are compared as such.
    """
    if header is None:
        return None
    if header.strip() == "*":
        return Versions(None)
    found: set[str] = set()
    at = 0
    while at < len(header) or not found:
        match = _TAG.match(header, at)
        if match is None or len(header) > MAX_HEADER_CHARACTERS:
            raise Invalid("If-Match and If-None-Match take entity tags", advice='Send W/"1".')
        found.add(match[1])
        at = match.end()
    return Versions(frozenset(found))


def none_match(header: str | None, version: str | int | None) -> bool:
    """Say whether If-None-Match names the present ``version``, so that a read answers 304.

    A bare version id, which fhirpy sends, is taken for its tag here: a read changes nothing.
    """
    if header is not None and _BARE.fullmatch(header.strip()):
        return header.strip() == str(version)
    named = versions(header)
    return named is not None and named.has(version)


# --- dates -----------------------------------------------------------------------------------

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_CLOCK = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DATES = (
    re.compile(rf"[A-Z][a-z]{{2}}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_CLOCK} GMT"),
    re.compile(rf"[A-Z][a-z]+, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_CLOCK} GMT"),
    re.compile(rf"[A-Z][a-z]{{2}} {_MONTH} (?P<day>[0-9 ][0-9]) {_CLOCK} (?P<year>[0-9]{{4}})"),
)
_PIVOT = 70  # a year of two digits before it is of this century


def http_date(ms: int) -> str:
    """Return the time ``ms`` (since 1970, UTC) as Last-Modified has it: whole seconds."""
    time = datetime.fromtimestamp(ms // 1000, UTC)
    day, month = _DAYS[time.weekday()], _MONTHS[time.month - 1]
    return f"{day}, {time.day:02} {month} {time.year:04} {time:%H:%M:%S} GMT"


def parse_http_date(text: str | None) -> int | None:
    """Return the milliseconds since 1970 that a date of a header names.

    None for what is no date, which a server has to ignore (RFC 9110, section 13.1.3).
    """
    for pattern in _DATES:
        match = pattern.fullmatch((text or "").strip())
        if match:
            year = int(match["year"])
            if len(match["year"]) == 2:
                year += 2000 if year < _PIVOT else 1900
            month = _MONTHS.index(match["month"]) + 1
            day, hour, minute, second = map(int, match.group("day", "hour", "minute", "second"))
            try:
                time = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
            except ValueError:
                return None
            return int(time.timestamp()) * 1000
    return None


def not_modified(header: str | None, updated_ms: int) -> bool:
    """Say whether If-Modified-Since is at or after the change at ``updated_ms``: answer 304.

    Not to be asked where If-None-Match is given, which counts alone (RFC 9110, section 13.1.3).
    """
    since = parse_http_date(header)
    return since is not None and updated_ms // 1000 <= since // 1000


# --- searches --------------------------------------------------------------------------------


def query_pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Return the (name, value) pairs of a query in the order they stand, decoded.

    Raises Invalid for more than 100, for a pair without name and for bytes that are no UTF-8.
    """
    pieces = [piece for piece in text.split("&") if piece]
    if len(pieces) > MAX_PAIRS:
        raise Invalid(f"more than {MAX_PAIRS} parameters")
    return tuple(_pair(piece) for piece in pieces)


def _pair(piece: str) -> tuple[str, str]:
    name, _, value = piece.partition("=")
    try:
        pair = unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")
    except UnicodeDecodeError:
        raise Invalid("a parameter's bytes are not UTF-8") from None
    if not pair[0]:
        raise Invalid("a parameter without a name")
    return pair


def if_none_exist(header: str | None) -> tuple[tuple[str, str], ...] | None:
    """Return the search of an If-None-Exist header, None without one. Raises Invalid if empty.

    It is what would follow the ``?``; that, or the whole relative URL, is taken as well.
    """
    if header is None:
        return None
    pairs = query_pairs(header.strip().rpartition("?")[2])
    if not pairs:
        raise Invalid("If-None-Exist holds no search", advice="Send identifier=system|value.")
    return pairs
