"""Turn a value of an older version's type into a value of R4's.

`TYPES` has what one type becomes where R4 wants another; `FUNCTIONS` what rows of the sheets ask
for by name. Each takes the value as the older version writes it and gives what R4 writes, of the
type named beside it (still to be converted itself where that is the older type), or None where the
value has no such form. A `Made` that is not ``whole`` said less than the source: the source's value
is then kept beside, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from simdes.fhir.codes import exists
from simdes.mapper.model import Json

_OID = re.compile(r"(?:urn:oid:)?([0-2](?:\.(?:0|[1-9][0-9]*))+)")
_NEW = "http://terminology.hl7.org/CodeSystem/"
_MOVED = (("http://hl7.org/fhir/v2/", "v2-"), ("http://hl7.org/fhir/v3/", "v3-"))
_FHIR = "http://hl7.org/fhir/"
_CURRENCY = re.compile(r"[A-Z]{3}")


class Made(NamedTuple):
    """A value, the older type it still has ('' for R4 as it is), and whether it says all."""

    value: Any
    type: str = ""
    whole: bool = True


Coercion = Callable[[Any], Made | None]


def _in(name: str) -> Coercion:
    return lambda value: Made({name: value}) if isinstance(value, str) and value else None


def _concept_of_coding(value: Any) -> Made | None:
    return Made({"coding": [value]}, "CodeableConcept") if isinstance(value, dict) else None


def _coding_of_concept(value: Any) -> Made | None:
    codings = value.get("coding") if isinstance(value, dict) else None
    if not isinstance(codings, list) or not codings or not isinstance(codings[0], dict):
        return None
    return Made(codings[0], "Coding", whole=len(codings) == 1 and len(value) == 1)


def _text_of_concept(value: Any) -> Made | None:
    if not isinstance(value, dict):
        return None
    text = value.get("text")
    if isinstance(text, str):
        return Made(text, whole=len(value) == 1)
    for coding in _codings(value):
        display = coding.get("display") or coding.get("code")
        if isinstance(display, str):
            return Made(display, whole=False)
    return None


def _codings(value: Any) -> list[Json]:
    codings = value.get("coding") if isinstance(value, dict) else None
    return [one for one in codings if isinstance(one, dict)] if isinstance(codings, list) else []


def _code_of_concept(value: Any) -> Made | None:
    for coding in _codings(value):
        if isinstance(coding.get("code"), str):
            whole = len(_codings(value)) == 1 and "text" not in value
            return Made(coding["code"], whole=whole)
    return None


def _code_of_coding(value: Any) -> Made | None:
    code = value.get("code") if isinstance(value, dict) else None
    return Made(code, whole=len(value) == 1) if isinstance(code, str) else None


def _value_of_identifier(value: Any) -> Made | None:
    text = value.get("value") if isinstance(value, dict) else None
    return Made(text, whole=len(value) == 1) if isinstance(text, str) else None


def _uri_of_reference(value: Any) -> Made | None:
    text = value.get("reference") if isinstance(value, dict) else None
    return Made(text, whole=len(value) == 1) if isinstance(text, str) else None


def _identified(value: Any) -> Made | None:
    return Made({"identifier": value}, "Reference") if isinstance(value, dict) else None


def _money(value: Any) -> Made | None:
    """Make an amount of money of a Quantity whose code is a currency (ISO 4217)."""
    if not isinstance(value, dict) or "value" not in value:
        return None
    made = {name: value[name] for name in ("id", "extension", "value", "_value") if name in value}
    currency = value.get("code") or value.get("unit")
    if isinstance(currency, str) and _CURRENCY.fullmatch(currency):
        made["currency"] = currency
    return Made(made, whole="currency" in made and "comparator" not in value)


def _as_is(kind: str) -> Coercion:
    return lambda value: Made(value, kind)


def _written(value: Any) -> Made | None:
    return Made(str(value)) if not isinstance(value, (dict, list, bool)) else None


TYPES: dict[tuple[str, str], Coercion] = {
    **{(one, "CodeableConcept"): _in("text") for one in ("string", "code", "uri", "markdown")},
    **{(one, "Annotation"): _in("text") for one in ("string", "markdown")},
    **{(one, "Dosage"): _in("text") for one in ("string",)},
    **{(one, "string"): _written for one in ("integer", "positiveInt", "unsignedInt", "decimal")},
    **{("Quantity", one): _as_is("Quantity") for one in ("Age", "Count", "Distance", "Duration")},
    ("Money", "Money"): _money,
    ("Quantity", "Money"): _money,
    ("Coding", "CodeableConcept"): _concept_of_coding,
    ("Coding", "code"): _code_of_coding,
    ("CodeableConcept", "Coding"): _coding_of_concept,
    ("CodeableConcept", "code"): _code_of_concept,
    ("CodeableConcept", "string"): _text_of_concept,
    ("Identifier", "string"): _value_of_identifier,
    ("Identifier", "Reference"): _identified,
    ("Reference", "uri"): _uri_of_reference,
    ("Reference", "canonical"): _uri_of_reference,
    ("string", "Identifier"): _in("value"),
    ("string", "Reference"): _in("display"),
    ("uri", "Reference"): _in("reference"),
}
"""By the older type and R4's."""


def _name(value: Any) -> Made | None:
    """Give a text as a CodeableConcept's."""
    return _in("text")(value)


def _join(value: Any) -> Made | None:
    """Join texts with blanks: R4 has one family name."""
    texts = value if isinstance(value, list) else [value]
    given = [text for text in texts if isinstance(text, str) and text]
    return Made(" ".join(given)) if given and len(given) == len(texts) else None


def _code_system(value: Any) -> Made | None:
    """Give the URI that R4 has for a code system of the older versions."""
    return Made(moved(value)) if isinstance(value, str) else None


def moved(system: str) -> str:
    """Return where R4 put a code system, or ``system`` where it stayed."""
    for begins, prefix in _MOVED:
        if system.startswith(begins):
            new = f"{_NEW}{prefix}{system.removeprefix(begins).partition('/')[0]}"
            return new if exists(new, "") is not None else system
    return system


def settled_coding(coding: Json) -> Json:
    """Move a coding of a FHIR code system to the system's R4 URI if that has the code."""
    system, code = coding.get("system"), coding.get("code")
    if isinstance(system, str) and system.startswith(_FHIR) and isinstance(code, str):
        new = _NEW + system.removeprefix(_FHIR).removeprefix("ValueSet/").removeprefix(
            "CodeSystem/"
        )
        if exists(new, code):
            return {**coding, "system": new}
    return coding


def _uid(value: Any) -> Made | None:
    """Give a DICOM UID bare, as R4 writes it within a study."""
    match = _OID.fullmatch(value) if isinstance(value, str) else None
    return Made(match[1]) if match else None


def _study(value: Any) -> Made | None:
    """Give a DICOM study's UID as an Identifier (https://hl7.org/fhir/R4/imagingstudy.html)."""
    match = _OID.fullmatch(value) if isinstance(value, str) else None
    return Made({"system": "urn:dicom:uid", "value": f"urn:oid:{match[1]}"}) if match else None


def _sop_class(value: Any) -> Made | None:
    """Give a DICOM SOP class's UID as a Coding."""
    match = _OID.fullmatch(value) if isinstance(value, str) else None
    return Made({"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{match[1]}"}) if match else None


def _accession(value: Any) -> Made | None:
    """Say of an Identifier that it is an accession number."""
    if not isinstance(value, dict):
        return None
    kind = {"system": _NEW + "v2-0203", "code": "ACSN"}
    return Made({"type": {"coding": [kind]}, **value}, "Identifier")


def _policy(value: Any) -> Made | None:
    """Give the URI of a policy as a Coding in a CodeableConcept."""
    if not isinstance(value, str):
        return None
    known = {"system": _NEW + "v3-ActCode", "code": "OPTIN"} if value.endswith("#opt-in") else None
    return Made({"coding": [known], "text": value} if known else {"text": value})


def _reference_to(value: Any) -> Made | None:
    """Give a URI as a Reference."""
    return _in("reference")(value)


def _diagnosis(code: str, display: str) -> Coercion:
    """Make an Encounter's diagnosis of a reference, with its part in the encounter."""
    coding = {"system": _NEW + "diagnosis-role", "code": code, "display": display}

    def make(value: Any) -> Made | None:
        if not isinstance(value, dict):
            return None
        return Made({"condition": value, "use": {"coding": [coding]}})

    return make


FUNCTIONS: dict[str, Coercion] = {
    "accession": _accession,
    "admitting": _diagnosis("AD", "Admission diagnosis"),
    "code_system": _code_system,
    "discharge": _diagnosis("DD", "Discharge diagnosis"),
    "join": _join,
    "name": _name,
    "policy": _policy,
    "reference": _reference_to,
    "sop_class": _sop_class,
    "study": _study,
    "uid": _uid,
    "value": Made,
}
"""What a row's ``as`` may name. ``join`` takes all values at once, ``value`` an extension's."""
