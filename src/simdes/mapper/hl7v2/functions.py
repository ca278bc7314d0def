"""The functions and predicates that the overlay of the maps calls by name.

A predicate answers a condition that HL7 gives in prose; a function makes a value out of several
fields. Both take the message's state and raw texts; a function gives raw text or an empty string.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import quote

from simdes.mapper import primitives
from simdes.mapper.hl7v2.state import State

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_V2_TABLE = re.compile(r"HL7-?(\d{4})|2\.16\.840\.1\.113883\.12\.(\d{1,4})", re.IGNORECASE)


@lru_cache(maxsize=4096)
def absolute(name: str) -> str:
    """Make a URI of a name that is none: OID, UUID, URI as such, anything else ``urn:id:name``."""
    if primitives.OID.fullmatch(name):
        return f"urn:oid:{name}"
    if _UUID.fullmatch(name):
        return f"urn:uuid:{name.lower()}"
    if _ABSOLUTE.fullmatch(name) and name.isprintable():
        return name
    return f"urn:id:{quote(name.strip(), safe='')}" if name.strip() else ""


_LOCAL_KINDS = frozenset("LMN")


def authority(state: State, namespace: str, universal: str, kind: str = "") -> str:
    """Name the identifier system of an assigning authority (HD)."""
    space = state.plain(namespace).strip()
    known = state.site.systems.get(space)
    if known:
        return known
    name = state.plain(universal).strip()
    # The forms of OID and UUID say what they are, and senders mislabel them; a locally numbered
    # authority (HL7 table 0301) is one at its sender only: two hospitals both have a "1".
    if space and kind in _LOCAL_KINDS and absolute(name).startswith("urn:id:"):
        name = space
    return state.systems.get((name or space).upper()) or absolute(name or space)


def endpoint(state: State, namespace: str, universal: str, kind: str) -> str:
    """Name the address of an application (HD) where it has a universal id."""
    del namespace
    name = state.plain(universal).strip()
    if kind == "DNS":
        return f"urn:dns:{quote(name, safe='')}" if name else ""
    made = absolute(name)
    return "" if made.startswith("urn:id:") else made


def code_system(state: State, name: str) -> str:
    """Name a coding system (CWE.3): by the site, HL7's tables, our table, or its own form."""
    text = state.plain(name).split(state.subcomponent)[0].strip()
    known = state.site.code_systems.get(text) or state.systems.get(text.upper())
    if known:
        return known
    table = _V2_TABLE.fullmatch(text)
    if table:
        number = (table[1] or table[2]).zfill(4)
        return f"http://terminology.hl7.org/CodeSystem/v2-{number}"
    return absolute(text)


def first(state: State, text: str) -> str:
    """Give ``text`` as it is."""
    del state
    return text


def instead(state: State, meaning: str, text: str) -> str:
    """Say what ``text`` means; the row stands for the field, unlike a bare constant."""
    del state, text
    return meaning


def text_of(state: State, text: str) -> str:
    """Give a whole field as one text, its separators included."""
    del state
    return text


def lines(state: State, text: str) -> str:
    """Join the repetitions of a field as lines."""
    return "\n".join(part.strip() for part in text.split(state.separators.repetition))


def concatenate(state: State, *texts: str) -> str:
    """Join texts as they are; a trailing ``^`` stands for components that are not there."""
    del state
    return "".join(texts).rstrip("^")


def join(state: State, between: str, *texts: str) -> str:
    """Join the texts that are there; the parts of a surname (FN) by blanks."""
    return between.join(text.replace(state.subcomponent, " ").strip() for text in texts if text)


def media_type(state: State, kind: str, subtype: str) -> str:
    """Make a MIME type of HL7's type of data and subtype (ED.2, ED.3)."""
    del state
    names = {"AP": "application", "AU": "audio", "IM": "image", "TEXT": "text", "TX": "text"}
    main = names.get(kind.upper(), kind.lower())
    minor = subtype.lower().removeprefix("x-hl7-")
    if main in ("application", "audio", "image", "text", "multipart", "video") and minor:
        made = f"{main}/{minor}"
    elif "/" in subtype:
        made = subtype.lower()
    else:
        made = ""
    return made if re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", made) else ""


def encode(state: State, encoding: str, data: str) -> str:
    """Give data sent as text or hexadecimal in Base64."""
    if encoding == "Hex":
        try:
            return b64encode(bytes.fromhex(data)).decode()
        except ValueError:
            return ""
    return b64encode(state.plain(data).encode()).decode()


_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("wk", "week", "weeks"), "wk"),
    **dict.fromkeys(("mo", "month", "months"), "mo"),
    **dict.fromkeys(("a", "yr", "year", "years"), "a"),
}
_LETTERS = {"S": "s", "M": "min", "H": "h", "D": "d", "W": "wk", "L": "mo"}
_OFTEN = {
    "BID": ("2", "1", "d"),
    "TID": ("3", "1", "d"),
    "QID": ("4", "1", "d"),
    "QD": ("1", "1", "d"),
    "QAM": ("1", "1", "d"),
    "QPM": ("1", "1", "d"),
    "QHS": ("1", "1", "d"),
    "QOD": ("1", "2", "d"),
}
_EVERY = re.compile(r"Q([1-9]\d{0,3})([SMHDWL])")
_TIMES = re.compile(r"([5-9]|1\d)ID")
_SPAN = re.compile(r"([SMHDWL])([1-9]\d{0,4})")


def unit_of_time(state: State, unit: str) -> str:
    """Give the UCUM code of a unit of time as senders write it (CWE); empty for other units."""
    code = unit.split(state.subcomponent, 1)[0].split(state.component, 1)[0]
    return _UNITS.get(code.strip().lower(), "")


def _often(text: str) -> tuple[str, str, str] | None:
    """Read a repeat pattern of HL7 table 0335: (frequency, period, unit)."""
    code = text.strip().upper()
    every, times = _EVERY.fullmatch(code), _TIMES.fullmatch(code)
    if every:
        return "1", every[1], _LETTERS[every[2]]
    return (times[1], "1", "d") if times else _OFTEN.get(code)


def repeat(state: State, pattern: str, part: str) -> str:
    """Give the ``frequency``, ``period`` or ``periodUnit`` that a repeat pattern means."""
    found = _often(pattern.split(state.subcomponent, 1)[0])
    return found[("frequency", "period", "periodUnit").index(part)] if found else ""


def span(state: State, text: str, part: str) -> str:
    """Give the ``value`` or UCUM ``code`` of a duration such as ``D10`` (TQ.3)."""
    del state
    found = _SPAN.fullmatch(text.strip().upper())
    return (found[2] if part == "value" else _LETTERS[found[1]]) if found else ""


def document(state: State, text: str) -> str:
    """Give text sent in a field (its repetitions are lines) in Base64."""
    plain = [state.plain(part) for part in text.split(state.separators.repetition)]
    return b64encode("\n".join(plain).encode()).decode()


def ended(state: State, start: str, count: str, unit: str) -> str:
    """Add a duration, in minutes where no ``unit`` is named, to a date with time (both as v2)."""
    begun = primitives.date_time(start.strip(), "Z")
    number = primitives.decimal(count)
    scale = _SECONDS.get(unit_of_time(state, unit) if unit not in ("", "M", "m") else "min")
    if begun is None or "T" not in begun or number is None or scale is None:
        return ""
    try:
        end = datetime.fromisoformat(begun) + timedelta(seconds=float(number) * scale)
    except OverflowError:
        return ""
    zone = end.strftime("%z") if _ZONED.search(start.strip()) else ""
    return end.strftime("%Y%m%d%H%M%S").zfill(14) + zone


_ZONED = re.compile(r"[+-]\d{2}:?\d{2}$|Z$")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "wk": 604800}


FUNCTIONS: dict[str, Callable[..., str]] = {
    "authority": authority,
    "code_system": code_system,
    "concatenate": concatenate,
    "document": document,
    "encode": encode,
    "ended": ended,
    "endpoint": endpoint,
    "first": first,
    "instead": instead,
    "join": join,
    "lines": lines,
    "media_type": media_type,
    "repeat": repeat,
    "span": span,
    "text": text_of,
    "unit_of_time": unit_of_time,
}


def typed(state: State, kind: str, value: str) -> bool:
    """Say whether OBX-5 is what OBX-2 declares, so that its FHIR type can hold it."""
    check = _TYPED.get(kind)
    return check(state, value) if check else False


def _sequence(state: State, value: str) -> bool:
    parts = [part.strip() for part in value.split(state.component)]
    parts += [""] * (4 - len(parts))
    sign, low, middle, high = parts[:4]
    if len(parts) > 4 or sign not in ("", "<", "<=", ">=", ">", "=") or not _number(low):
        return False
    if not middle and not high:
        return True
    return middle in ("-", ":", "/") and _number(high) and (middle != "-" or not sign)


def _number(text: str) -> bool:
    return primitives.decimal(text) is not None


def _all(check: Callable[[str], bool], state: State, value: str) -> bool:
    parts = [part for part in value.split(state.component) if part]
    return bool(parts) and len(parts) <= 2 and all(check(part) for part in parts)


def _is_date_time(text: str) -> bool:
    return primitives.date_time(text) is not None


_TYPED: dict[str, Callable[[State, str], bool]] = {
    "NM": lambda _, value: _number(value),
    "DT": lambda _, value: _is_date_time(value),
    "DTM": lambda _, value: _is_date_time(value),
    "TS": lambda state, value: _is_date_time(value.split(state.component)[0]),
    "TM": lambda _, value: primitives.time(value) is not None,
    "DR": lambda state, value: _all(_is_date_time, state, value),
    "NR": lambda state, value: _all(_number, state, value),
    "SN": _sequence,
    **dict.fromkeys(
        ("ST", "FT", "TX", "CWE", "CE", "CNE", "CF", "IS", "ID", "ED", "RP"),
        lambda _, value: bool(value),
    ),
}


def ascending(state: State, low: str, high: str) -> bool:
    """Say whether two amounts are a range: both numbers, the second the larger."""
    del state
    one, other = primitives.decimal(low), primitives.decimal(high)
    return one is not None and other is not None and one < other


def later(state: State, start: str, end: str) -> bool:
    """Say whether ``end`` is surely after ``start``: both as exact, both in the same zone."""
    one, other = (text.split(state.component)[0].strip() for text in (start, end))
    zones = (re.sub(r"^[\d.]+", "", one), re.sub(r"^[\d.]+", "", other))
    exact = len(one) == len(other) and zones[0] == zones[1]
    return exact and other > one and _is_date_time(one) and _is_date_time(other)


def best_identifier(state: State, field: str) -> tuple[str, str] | None:
    """Choose one identifier of a CX field: (system or empty, value), record numbers first."""
    best: tuple[int, str, str] | None = None
    for text in field.split(state.separators.repetition):
        parts = [*text.split(state.component), "", "", "", ""]
        value = state.plain(parts[0].split(state.subcomponent)[0]).strip()
        if not value or value == '""':
            continue
        pieces = [*parts[3].split(state.subcomponent), ""]
        system = authority(state, pieces[0], pieces[1])
        code = parts[4].split(state.subcomponent)[0]
        rank = _PREFERRED.index(code) if code in _PREFERRED else len(_PREFERRED) + (not system)
        if best is None or rank < best[0]:
            best = (rank, system, value)
    return None if best is None else (best[1], best[2])


_PREFERRED = ("MR", "PI", "PT", "VN")


def another(state: State, one: str, other: str) -> bool:
    """Say whether two CX fields name two different patients: both name one, and not the same."""
    found = best_identifier(state, one), best_identifier(state, other)
    return None not in found and found[0] != found[1]


PREDICATES: dict[str, Callable[..., bool]] = {
    "amount": lambda state, value: _number(value.split(state.component)[0]),
    "another": another,
    "ascending": ascending,
    "later": later,
    "repeats": lambda state, pattern: _often(pattern.split(state.subcomponent, 1)[0]) is not None,
    "span": lambda state, text: bool(span(state, text, "code")),
    "typed": typed,
    "unit_of_time": lambda state, unit: bool(unit_of_time(state, unit)),
}
