"""What the data types are to a search: the values of each kind that an element gives.

https://hl7.org/fhir/R4/search.html#table says which data types the kinds of search parameters look
at; what is not in the tables here gives no value (a string under a date parameter). Every function
takes one element of its data type, as JSON, and the `Around` of its resource.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from simdes.fhir.definitions import value_set_codings
from simdes.fhir.primitives import SYNTAXES
from simdes.fhir.reference import contained, parse_reference
from simdes.fhir.search.around import Around, Convert
from simdes.fhir.search.conditions import (
    FIRST_MS,
    LAST_MS,
    Reference,
    Span,
    Text,
    Token,
    Uri,
    Value,
)
from simdes.fhir.search.magnitudes import CANONICAL, NUMBERS, QUANTITIES
from simdes.fhir.search.spans import span_ms

BOOLEANS = "http://terminology.hl7.org/CodeSystem/special-values"
CASELESS_SYSTEMS = "http://terminology.hl7.org/CodeSystem/v2-"
"""HL7 v2's tables, whose codes are the same in either case."""


# Strings ----------------------------------------------------------------------------------------

_PUNCTUATION = str.maketrans('!"#$%&()*+,-./:;<=>?@[\\]^_{|}~', " " * 30, "'`\u2019\u02bc\u00b4")
"""O'Brien is OBrien, Jean-Luc is Jean Luc."""
_LAST_OF_LETTERS = 9
"""Combining classes up to this one (virama, kana voicing) make letters others, and no accents."""


def fold(text: str) -> str:
    """Return ``text`` as strings are compared: no accents, case, punctuation or needless space.

    What is nothing but punctuation stays as it is.
    """
    plain = text.lower().translate(_PUNCTUATION)
    if not text.isascii():
        marked = unicodedata.normalize("NFKD", text.translate(_PUNCTUATION).casefold())
        bare = [c for c in marked if unicodedata.combining(c) <= _LAST_OF_LETTERS]
        plain = "".join(" " if unicodedata.category(c)[0] == "P" else c for c in bare)
    return " ".join(plain.split()) or text.strip()


_folded_often = lru_cache(maxsize=8192)(fold)


def _display(text: str) -> Text:
    """Return a coding's text. Those are often the same, unlike what is said of one patient."""
    return Text(text, _folded_often(text) if len(text) <= _LONGEST_KEPT else fold(text))


_LONGEST_KEPT = 200
"""Characters of a text that is kept in memory, in case that it comes again."""


def _text(text: Any, around: Around) -> Sequence[Value]:
    return (Text(text, fold(text)),)


def _texts(*names: str) -> Convert:
    """Return the conversion of an object whose members ``names`` are strings or lists of them."""

    def convert(element: Any, around: Around) -> Sequence[Value]:
        found: dict[str, None] = {}
        for name in names:
            part = element.get(name)
            if type(part) is str:
                found[part] = None
            elif part is not None:
                found.update(dict.fromkeys(p for p in part if p is not None))
        return [Text(text, fold(text)) for text in found]

    return convert


# Tokens -----------------------------------------------------------------------------------------


def _coding(element: Any, around: Around) -> Sequence[Value]:
    code, system = element.get("code"), element.get("system", "")
    if code is None:
        return (Token(system, ""),) if system else ()
    if system.startswith(CASELESS_SYSTEMS) and code.lower() != code:
        return (Token(system, code), Token(system, code.lower()))
    return (Token(system, code),)


def _concept(element: Any, around: Around) -> Sequence[Value]:
    codings = element.get("coding")
    if not codings:
        return ()
    if len(codings) == 1:
        return _coding(codings[0], around)
    return [value for coding in codings for value in _coding(coding, around)]


def _identifier(element: Any, around: Around) -> Sequence[Value]:
    value, system = element.get("value", ""), element.get("system", "")
    return (Token(system, value),) if value or system else ()


def _contact_point(element: Any, around: Around) -> Sequence[Value]:
    value = element.get("value")
    if value is None:
        return ()
    system, folded = element.get("system", ""), fold_code(value)
    digits = phone_digits(folded) if system not in ("email", "url") else ""
    if digits and digits != folded:
        return (Token(system, folded), Token(system, digits))
    return (Token(system, folded),)


_PHONE = re.compile(r"\+?[\d\s().\-/]+", re.ASCII)


def phone_digits(text: str) -> str:
    """Return the digits of what may be a telephone number, "" if it can't be one."""
    if not _PHONE.fullmatch(text):
        return ""
    return "".join(c for c in text if c.isdigit())


def fold_code(code: str) -> str:
    """Return ``code`` as it is compared where case doesn't matter."""
    return code.strip().lower()


def _boolean(element: Any, around: Around) -> Sequence[Value]:
    return (Token(BOOLEANS, "true" if element is True else "false"),)


def _deceased(element: Any, around: Around) -> Sequence[Value]:
    """A Patient: true for a true boolean and for any date, else false."""
    is_dead = element.get("deceasedBoolean") is True or "deceasedDateTime" in element
    return _boolean(is_dead, around)


def _plain(element: Any, around: Around) -> Sequence[Value]:
    return (Token("", element),)


def _plain_folded(element: Any, around: Around) -> Sequence[Value]:
    return (Token("", fold_code(element)),)


@cache
def code_converter(value_set: str) -> Convert:
    """Return the conversion of a ``code`` that is bound to ``value_set``: with its code system."""
    codings = value_set_codings(value_set) if value_set else None
    system_of: dict[str, str] = {}
    for system, codes in (codings or {}).items():
        for code in codes:
            system_of.setdefault(code, system)
    otherwise = SYNTAXES[value_set][0] if value_set in SYNTAXES else ""

    def convert(element: Any, around: Around) -> Sequence[Value]:
        return (Token(system_of.get(element, otherwise), element),)

    return convert


# Beside tokens and references ---------------------------------------------------------------------


def _coding_text(element: Any, around: Around) -> Sequence[Value]:
    display = element.get("display")
    return (_display(display),) if display else ()


def _concept_text(element: Any, around: Around) -> Sequence[Value]:
    codings = element.get("coding", ())
    texts = dict.fromkeys(
        [t for t in (element.get("text"), *[c.get("display") for c in codings]) if t]
    )
    return [_display(text) for text in texts]


def _identifier_text(element: Any, around: Around) -> Sequence[Value]:
    text = element.get("type", {}).get("text")
    return (Text(text, fold(text)),) if text else ()


def _identifier_of_type(element: Any, around: Around) -> Sequence[Value]:
    value, codings = element.get("value"), element.get("type", {}).get("coding", ())
    if value is None or not codings:
        return ()
    kinds = [(c.get("system", ""), c["code"]) for c in codings if "code" in c]
    return [Token(f"{system}|{code}", value) for system, code in kinds]


def _reference_identifier(element: Any, around: Around) -> Sequence[Value]:
    identifier = element.get("identifier")
    return _identifier(identifier, around) if identifier else ()


BESIDE: Mapping[tuple[str, str], Mapping[str, Convert]] = {
    ("quantity", ":canonical"): CANONICAL,
    ("token", ":text"): {
        "CodeableConcept": _concept_text,
        "Coding": _coding_text,
        "Identifier": _identifier_text,
    },
    ("token", ":of-type"): {"Identifier": _identifier_of_type},
    ("reference", ":identifier"): {"Reference": _reference_identifier},
}
"""By kind and what its name ends in: the slots beside a parameter's own, and their conversions."""


# Dates ------------------------------------------------------------------------------------------


def _date(element: Any, around: Around) -> Sequence[Value]:
    return (Span(*span_ms(element)),)


def _period(element: Any, around: Around) -> Sequence[Value]:
    start, end = element.get("start"), element.get("end")
    if start is None and end is None:
        return ()
    low = span_ms(start)[0] if start is not None else FIRST_MS
    high = span_ms(end)[1] if end is not None else LAST_MS
    return (Span(low, high),)


def _timing(element: Any, around: Around) -> Sequence[Value]:
    """The outer limits of the schedule: of its events and of its bounds."""
    spans = [span_ms(event) for event in element.get("event", ()) if event is not None]
    bounds = element.get("repeat", {}).get("boundsPeriod")
    if bounds:
        spans += [(s.low_ms, s.high_ms) for s in _period(bounds, around) if isinstance(s, Span)]
    return (Span(min(s[0] for s in spans), max(s[1] for s in spans)),) if spans else ()


# References and URIs ----------------------------------------------------------------------------


def _reference(element: Any, around: Around) -> Sequence[Value]:
    literal = element.get("reference")
    if literal is None:
        return ()
    if around.base and literal.startswith(around.base):
        literal = literal[len(around.base) :]
    take = _taken_apart_often if len(literal) <= _LONGEST_KEPT else _taken_apart
    target, version = take(literal)
    return (Reference(target, version, element is around.subject),)


def _taken_apart(literal: str) -> tuple[str, str]:
    parsed = parse_reference(literal)
    return parsed.versionless, parsed.version


_taken_apart_often = lru_cache(maxsize=8192)(_taken_apart)


def _canonical_reference(element: Any, around: Around) -> Sequence[Value]:
    target, _, version = element.partition("|")
    if around.base and target.startswith(around.base):
        target = target[len(around.base) :]
    return (Reference(target, version),)


def _inside(element: Any, around: Around) -> Sequence[Value]:
    """A resource in a Bundle: the reference that would lead to it."""
    type_, id_ = element["resourceType"], element.get("id")
    return (Reference(f"{type_}/{id_}"),) if id_ is not None else ()


def may_lead_to(element: Any, target: str, around: Around) -> bool:
    """Whether a Reference leads to a ``target``, as far as it says: ``resolve() is Patient``."""
    literal = element.get("reference")
    if literal is None:
        return bool(element.get("type", target) == target)
    parsed = parse_reference(literal)
    if parsed.kind == "fragment":
        found = contained(around.resource, parsed.id)
        return found is not None and found.get("resourceType") == target
    return (parsed.type or element.get("type") or target) == target


def _uri(element: Any, around: Around) -> Sequence[Value]:
    return (Uri(element),)


def _canonical_uri(element: Any, around: Around) -> Sequence[Value]:
    """A canonical URL as it stands, and without its version: a search may name either."""
    plain, bar, _ = element.partition("|")
    return (Uri(element), Uri(plain)) if bar else (Uri(element),)


CONVERT: Mapping[str, Mapping[str, Convert]] = {
    "date": {
        "date": _date,
        "dateTime": _date,
        "instant": _date,
        "Period": _period,
        "Timing": _timing,
    },
    "number": NUMBERS,
    "quantity": QUANTITIES,
    "reference": {
        "Reference": _reference,
        "Resource": _inside,
        "canonical": _canonical_reference,
        "uri": _canonical_reference,
    },
    "string": {
        "Address": _texts("text", "line", "city", "district", "state", "postalCode", "country"),
        "HumanName": _texts("text", "family", "given", "prefix", "suffix"),
        "markdown": _text,
        "string": _text,
    },
    "token": {
        "CodeableConcept": _concept,
        "Coding": _coding,
        "ContactPoint": _contact_point,
        "Identifier": _identifier,
        "boolean": _boolean,
        "deceased": _deceased,
        "id": _plain,
        "string": _plain_folded,
        "uri": _plain,
    },
    "uri": {"canonical": _canonical_uri, "uri": _uri, "url": _uri},
}
"""By kind of search parameter and data type: the values. A ``code`` needs `code_converter`."""


def converter(kind: str, type_: str, value_set: str) -> Convert | None:
    """Return the conversion of a ``type_`` for parameters of ``kind``, None if it gives nothing."""
    if kind == "token" and type_ == "code":
        return code_converter(value_set)
    return CONVERT[kind].get(type_)
