"""Say FHIR values in HL7 v2 data types: the opposite of HL7's data type maps, for the writers.

Each function takes a FHIR value and gives the components of one repetition as plain text
(`compose` escapes them); an empty tuple when there is nothing to say. Chapter 2A of the standard.
"""

from __future__ import annotations

import re
from functools import cache
from urllib.parse import unquote

from simdes.mapper.hl7v2.tables import hl7v2
from simdes.mapper.model import Json

Parts = tuple[str, ...]

_V2_TABLE = re.compile(r"http://terminology\.hl7\.org/CodeSystem/v2-(\d{4})")
_GENDER = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
_NAME_USE = {"official": "L", "usual": "D", "nickname": "N", "maiden": "M", "anonymous": "S"}
_ADDRESS_USE = {"home": "H", "work": "B", "temp": "C", "old": "BA", "billing": "BI"}
_EQUIPMENT = {"phone": "PH", "fax": "FX", "pager": "BP", "email": "Internet", "sms": "CP"}
_TELECOM_USE = {"home": "PRN", "work": "WPN", "mobile": "PRN"}


@cache
def _names_of_systems() -> dict[str, str]:
    """Name coding systems as HL7 table 0396 does, the first of several names for one URI."""
    found: dict[str, str] = {}
    for name, uri in hl7v2().systems.items():
        found.setdefault(uri, name)
    return found


def system_name(uri: str) -> str:
    """Name a coding system in CWE.3; one that HL7 has no name for by its OID, own name or URI."""
    known = _names_of_systems().get(uri)
    table = _V2_TABLE.fullmatch(uri)
    if known or table:
        return known or f"HL7{table[1]}"  # type: ignore[index]
    return _own_name(uri)


def _own_name(uri: str) -> str:
    for prefix in ("urn:oid:", "urn:id:"):
        if uri.startswith(prefix):
            return unquote(uri[len(prefix) :])
    return uri


def authority(identifier: Json) -> Parts:
    """Name the assigning authority of an Identifier as HD: namespace, universal id, its kind."""
    system = identifier.get("system", "")
    shown = identifier.get("assigner", {}).get("display", "")
    if system.startswith("urn:id:"):
        return (_own_name(system),)
    for prefix, kind in (("urn:oid:", "ISO"), ("urn:uuid:", "UUID"), ("", "URI")):
        if system and system.startswith(prefix):
            return (shown, system[len(prefix) :], kind)
    return (shown,) if shown else ()


def type_code(identifier: Json) -> str:
    """Give the code of table 0203 that an Identifier's type has."""
    for coding in identifier.get("type", {}).get("coding", ()):
        if coding.get("code") and _V2_TABLE.fullmatch(coding.get("system", "")):
            return str(coding["code"])
    return ""


def cx(identifier: Json) -> Parts:
    """Write an Identifier as CX."""
    if not identifier.get("value"):
        return ()
    return (identifier["value"], "", "", "\t".join(authority(identifier)), type_code(identifier))


def ei(identifier: Json) -> Parts:
    """Write an Identifier as EI."""
    return (identifier["value"], *authority(identifier)) if identifier.get("value") else ()


def cwe(concept: Json) -> Parts:
    """Write a CodeableConcept as CWE: two codings, and the text as original text."""
    codings = [*concept.get("coding", ()), {}, {}]
    parts: list[str] = []
    for coding in codings[:2]:
        parts += [coding.get("code", ""), coding.get("display", "")]
        parts.append(system_name(coding["system"]) if coding.get("system") else "")
    return (*parts, "", "", concept.get("text", ""))


def code(concept: Json) -> Parts:
    """Write the first code of a CodeableConcept alone (ID, IS)."""
    for coding in concept.get("coding", ()):
        if coding.get("code"):
            return (coding["code"],)
    return (concept["text"],) if concept.get("text") else ()


def units(quantity: Json) -> Parts:
    """Write the unit of a Quantity as CWE."""
    if quantity.get("system") and quantity.get("code"):
        unit = quantity.get("unit", "")
        return (quantity["code"], unit, system_name(quantity["system"]))
    return (quantity["unit"],) if quantity.get("unit") else ()


_A_DAY = {1: "Q1D", 2: "BID", 3: "TID", 4: "QID"}
_EVERY = {"s": "S", "min": "M", "h": "H", "d": "D", "wk": "W", "mo": "L"}


def repeat_pattern(repeat: Json) -> Parts:
    """Write how often, as table 0335 does: so many times a day, or once in so long."""
    often, period = repeat.get("frequency", 1), repeat.get("period")
    unit = repeat.get("periodUnit", "")
    if any(name in repeat for name in ("frequencyMax", "periodMax", "dayOfWeek", "timeOfDay")):
        return ()
    if period == 1 and unit == "d" and isinstance(often, int) and 1 <= often < _MOST_A_DAY:
        return (_A_DAY.get(often, f"{often}ID"),)
    if often == 1 and unit in _EVERY and period is not None and period == int(period) > 0:
        return (f"Q{int(period)}{_EVERY[unit]}",)
    return ()


_MOST_A_DAY = 20


def repeat_words(repeat: Json) -> Parts:
    """Say in words how often, where no pattern of table 0335 does: it must not be lost."""
    often = repeat.get("frequencyMax", repeat.get("frequency"))
    words = [f"{often} times"] if often is not None else []
    if "period" in repeat:
        words.append(f"in {repeat['period']} {repeat.get('periodUnit', '')}".rstrip())
    if repeat.get("dayOfWeek"):
        words.append(f"on {', '.join(repeat['dayOfWeek'])}")
    return (" ".join(words),) if words else ()


def number(value: object) -> Parts:
    """Write a number as it is, precision kept."""
    return (str(value),)


def amount(quantity: Json) -> Parts:
    """Write the value of a Quantity as NM."""
    return number(quantity["value"]) if "value" in quantity else ()


def cq(quantity: Json) -> Parts:
    """Write a Quantity as CQ."""
    return (*amount(quantity), "\t".join(units(quantity))) if "value" in quantity else ()


def dtm(text: str) -> Parts:
    """Write a date or time as DTM, as exact as it is."""
    match = re.match(r"([\d-]+)(?:T([\d:]+(?:\.\d{1,4})?)\d*)?(Z|[+-]\d\d:\d\d)?$", text)
    if match is None:
        return ()
    zone = "+0000" if match[3] == "Z" else (match[3] or "").replace(":", "")
    return (match[1].replace("-", "") + (match[2] or "").replace(":", "") + zone,)


def tm(text: str) -> Parts:
    """Write a time of day as TM."""
    return (text.replace(":", ""),)


def text(value: object) -> Parts:
    """Write a text."""
    return (str(value),)


def gender(value: str) -> Parts:
    """Write the administrative gender in table 0001."""
    return (_GENDER.get(value, ""),)


def xpn(name: Json) -> Parts:
    """Write a HumanName as XPN."""
    given = name.get("given", [])
    parts = (
        name.get("family", ""),
        given[0] if given else "",
        " ".join(given[1:]),
        " ".join(name.get("suffix", ())),
        " ".join(name.get("prefix", ())),
        "",
        _NAME_USE.get(name.get("use", ""), ""),
    )
    return parts if any(parts) else (name.get("text", ""),)


def xad(address: Json) -> Parts:
    """Write an Address as XAD."""
    line = address.get("line", [])
    names = ("city", "state", "postalCode", "country")
    use = _ADDRESS_USE.get(address.get("use", ""), "")
    first = line[0] if line else ""
    return (first, " ".join(line[1:]), *(address.get(name, "") for name in names), use)


def xtn(contact: Json) -> Parts:
    """Write a ContactPoint as XTN: the number in XTN.12, an address of e-mail in XTN.4."""
    value = contact.get("value", "")
    if not value:
        return ()
    use = _TELECOM_USE.get(contact.get("use", ""), "")
    kind = "CP" if contact.get("use") == "mobile" else _EQUIPMENT.get(contact.get("system", ""), "")
    if kind == "Internet":
        return ("", "NET", kind, value)
    return ("", use, kind, "", "", "", "", "", "", "", "", value)


def xcn(person: Json) -> Parts:
    """Write a Practitioner as XCN, with the first identifier."""
    identifier: Json = next(iter(person.get("identifier", ())), {})
    names = xpn(next(iter(person.get("name", ())), {}))
    names = (*names, *[""] * 7)[:5]
    where = "\t".join(authority(identifier))
    known = (identifier.get("value", ""), *names, "", "", where, "", "", "", type_code(identifier))
    return known if any(known) else ()


def xon(organization: Json) -> Parts:
    """Write an Organization as XON, with the first identifier."""
    identifier: Json = next(iter(organization.get("identifier", ())), {})
    where = "\t".join(authority(identifier))
    return (organization.get("name", ""), *[""] * 4, where, "", "", "", identifier.get("value", ""))


def organization_code(organization: Json) -> Parts:
    """Write an Organization as CWE, the way pharmacies are named."""
    identifier: Json = next(iter(organization.get("identifier", ())), {})
    system = identifier.get("system", "")
    named = system_name(system) if system else ""
    return (identifier.get("value", ""), organization.get("name", ""), named)
