"""Put X12 transactions together: segments, envelopes, and the parts that every writer needs.

X12 has no escapes: a delimiter in a text becomes a blank. Pure: the caller gives time and numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from simdes.errors import Invalid
from simdes.mapper.model import Json

X12 = "https://codesystem.x12.org/005010"
OURS = "urn:simdes:x12"
_QUALIFIERS = {
    "http://hl7.org/fhir/sid/us-npi": "XX",
    "urn:oid:2.16.840.1.113883.4.4": "FI",
    "http://hl7.org/fhir/sid/us-ssn": "34",
}
_SIGNS = re.compile(r"[*~^:\r\n]")

Lines = list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Who writes to whom, when, and the control numbers; nothing here is made up.

    ``sender`` and ``receiver`` are (qualifier, id) as ISA05 and ISA06; ``day`` is ``YYYYMMDD`` and
    ``time`` ``HHMM``. ``usage``: P for production, T for test.
    """

    sender: tuple[str, str]
    receiver: tuple[str, str]
    day: str
    time: str
    interchange: int
    group: int
    transaction: int
    usage: str = "P"

    @classmethod
    def at(
        cls, now: datetime, *, sender: str, receiver: str, usage: str, number: int = 1
    ) -> Envelope:
        """Of one interchange between two who are named as they agreed (qualifier ZZ)."""
        return cls(
            sender=("ZZ", sender),
            receiver=("ZZ", receiver),
            day=f"{now:%Y%m%d}",
            time=f"{now:%H%M}",
            interchange=number,
            group=number,
            transaction=1,
            usage=usage,
        )


def clean(text: Any) -> str:
    """Write a value as an element."""
    return _SIGNS.sub(" ", str(text)).strip()


def segment(name: str, *elements: Any) -> str:
    """Write a segment; elements that are lists are composites. Empty ones at the end are left out.

    None stands for nothing.
    """
    texts = [name]
    for element in elements:
        parts = element if isinstance(element, (list, tuple)) else (element,)
        text = ":".join("" if part is None else clean(part) for part in parts)
        texts.append(text.rstrip(":"))
    return "*".join(texts).rstrip("*")


@dataclass(frozen=True, slots=True)
class TransactionSet:
    """A kind of transaction: ST01, the functional group that carries it, its guide."""

    kind: str
    functional: str
    guide: str


def interchange(
    envelope: Envelope, what: TransactionSet, transactions: Sequence[Sequence[str]]
) -> bytes:
    """Wrap the segments of transactions in their interchange; the first has the envelope's number.

    Raises `Invalid` for bad numbers, and without a transaction.
    """
    if not 0 < envelope.interchange < 10**9:
        raise Invalid("the interchange's control number has one to nine digits")
    if not transactions:
        raise Invalid("an interchange has a transaction")
    number = f"{envelope.interchange:09}"
    (from_kind, from_id), (to_kind, to_id) = envelope.sender, envelope.receiver
    if max(len(from_id), len(to_id)) > 15 or not from_id or not to_id:
        raise Invalid("sender and receiver have one to fifteen characters")
    isa = "*".join(
        (
            "ISA*00*          *00*          ",
            f"{clean(from_kind):2}*{clean(from_id):15}",
            f"{clean(to_kind):2}*{clean(to_id):15}",
            f"{envelope.day[2:]}*{envelope.time}*^*00501*{number}*0*{envelope.usage}*:",
        )
    )
    group = segment(
        "GS",
        what.functional,
        from_id,
        to_id,
        envelope.day,
        envelope.time,
        envelope.group,
        "X",
        what.guide,
    )
    body: Lines = []
    for at, lines in enumerate(transactions, envelope.transaction):
        body += [segment("ST", what.kind, f"{at:04}", what.guide), *lines]
        body.append(segment("SE", len(lines) + 2, f"{at:04}"))
    end = [segment("GE", len(transactions), envelope.group), segment("IEA", 1, number)]
    return "".join(f"{line}~" for line in (isa, group, *body, *end)).encode()


class Bundled:
    """A Bundle's resources, by type and by what refers to them."""

    def __init__(self, bundle: Json) -> None:
        self.resources: list[Json] = [entry["resource"] for entry in bundle.get("entry", ())]
        self._by_url = {
            entry.get("fullUrl"): entry["resource"] for entry in bundle.get("entry", ())
        }

    def of(self, kind: str) -> list[Json]:
        """List the resources of a type."""
        return [one for one in self.resources if one["resourceType"] == kind]

    def get(self, reference: Json | None) -> Json:
        """Give the resource that is referred to; empty where it is not in the Bundle."""
        found: Json = self._by_url.get((reference or {}).get("reference"), {})
        return found

    def party(self, reference: Json | None) -> Json:
        """Give an organization or person; one made of what the reference itself says of it, where
        it is not in the Bundle."""
        found = self.get(reference)
        told = reference or {}
        if found or not ("display" in told or "identifier" in told):
            return found
        numbers = [told["identifier"]] if "identifier" in told else []
        made = {"name": told.get("display", ""), "identifier": numbers}
        return {"resourceType": "Organization", **made}

    def subscriber(self, coverage: Json, patient: Json) -> Json:
        """Give who holds a Coverage where that is somebody else than ``patient``; else empty."""
        found = self.get(coverage.get("subscriber"))
        return {} if found is patient else found


def codes(concept: Json | None, system: str = "") -> list[str]:
    """List the codes of a CodeableConcept in a code system."""
    return [
        coding["code"]
        for coding in (concept or {}).get("coding", ())
        if "code" in coding and system in ("", coding.get("system"))
    ]


def code(concept: Json | None, system: str = "") -> str:
    """Give the first code of a concept in a system; empty where there is none."""
    return next(iter(codes(concept, system)), "")


def traced(identifier: Json, *, kind: str, more: Any = "") -> str:
    """Write TRN of a trace's identifier; who gave it stands in its system, where X12 says it."""
    system = identifier.get("system", "")
    originator = system.removeprefix(f"{OURS}:trace").lstrip(":") if _is_trace(system) else ""
    return segment("TRN", kind, identifier.get("value"), originator, more)


def _is_trace(system: str) -> bool:
    return system == f"{OURS}:trace" or system.startswith(f"{OURS}:trace:")


def amount(money: Json | None) -> str:
    """Write an amount as it is."""
    return "" if money is None or "value" not in money else f"{money['value']:f}"


def digits(time: str | None) -> str:
    """Write a date as ``YYYYMMDD``."""
    return re.sub(r"\D", "", (time or "")[:10])


def extension(body: Json, name: str) -> Any:
    """Give the value of our extension ``name``; None where there is none."""
    for one in body.get("extension", ()):
        if one.get("url") == f"{OURS}:{name}":
            return next((value for key, value in one.items() if key.startswith("value")), None)
    return None


def numbered(identifiers: Iterable[Json], element: str) -> Iterator[tuple[str, str]]:
    """Yield qualifier and value of identifiers, qualified as X12's data element does."""
    for identifier in identifiers:
        qualifier = code(identifier.get("type"), f"{X12}/{element}")
        if not qualifier and element == "66":
            qualifier = _QUALIFIERS.get(identifier.get("system", ""), "")
        if qualifier and "value" in identifier:
            yield qualifier, identifier["value"]


def level(number: int, above: int | str, code_: str, *lines: str) -> Lines:
    """Write HL of a level with others below it, and what it begins with."""
    return [segment("HL", number, above, code_, 1), *lines]


def references(identifiers: Iterable[Json]) -> Lines:
    """Write identifiers as REF."""
    return [segment("REF", *pair) for pair in numbered(identifiers, "128")]


_OF_ROLE = {"PR": "PI", "1P": "SV", "41": "46"}
"""How a number is qualified that says no more of itself than whose it is."""


def named(role: str, party: Json, *, member: str = "") -> str:
    """Write NM1 of a person or an organization; ``member`` is the number of somebody insured."""
    qualifier, value = _number(role, party, member)
    if party.get("resourceType") in ("Organization", "Location"):
        texts = [party.get("name", ""), "", "", "", ""]
        return segment("NM1", role, "2", *texts, qualifier, value)
    name = (party.get("name") or [{}])[0]
    name = name if "family" in name or "given" in name else {"family": name.get("text", "")}
    given = [*name.get("given", ()), "", ""]
    prefix, suffix = name.get("prefix", [""])[0], name.get("suffix", [""])[0]
    texts = [name.get("family", ""), given[0], given[1], prefix, suffix]
    return segment("NM1", role, "1", *texts, qualifier, value)


def _number(role: str, party: Json, member: str) -> tuple[str, str]:
    """Qualifier and number for NM1: as X12 qualified it, the member's, a known system's."""
    identifiers = party.get("identifier", ())
    for one in identifiers:
        qualifier = code(one.get("type"), f"{X12}/66")
        if qualifier and "value" in one:
            return qualifier, one["value"]
    if member:
        return "MI", member
    found = next(numbered(identifiers, "66"), ("", ""))
    if found[0] or role not in _OF_ROLE:
        return found
    value = next((one["value"] for one in identifiers if "value" in one), "")
    return (_OF_ROLE[role] if value else ""), value


def located(party: Json) -> Lines:
    """Write N3 and N4 of the first address."""
    address = (party.get("address") or [{}])[0]
    lines = [segment("N3", *address["line"][:2])] if address.get("line") else []
    place = [address.get(name) for name in ("city", "state", "postalCode", "country")]
    return [*lines, segment("N4", *place)] if any(place) else lines


def born(person: Json) -> Lines:
    """Write DMG: birth date and gender."""
    gender = {"male": "M", "female": "F", "unknown": "U"}.get(person.get("gender", ""), "")
    day = digits(person.get("birthDate"))
    return [segment("DMG", "D8" if day else "", day, gender)] if day or gender else []


def period(segment_name: str, qualifier: str, span: Json) -> str:
    """Write a span of days as DTP."""
    start, end = digits(span.get("start")), digits(span.get("end"))
    if start and end:
        return segment(segment_name, qualifier, "RD8", f"{start}-{end}")
    return segment(segment_name, qualifier, "D8", start or end)


def service(concept: Json | None, modifiers: Sequence[Json] = ()) -> list[str]:
    """Write a service as a composite: qualifier, code, modifiers, description."""
    coding: Json = next(iter((concept or {}).get("coding", ())), {})
    system = coding.get("system", "")
    qualifier = next((key for key, mark in _SERVICES if mark in system), "HC")
    four = [code(one) for one in modifiers[:4]]
    return [
        qualifier,
        coding.get("code", ""),
        *four,
        *[""] * (4 - len(four)),
        (concept or {}).get("text", ""),
    ]


_SERVICES = (("N4", "sid/ndc"), ("AD", "ada.org"), ("NU", "RevenueCodes"), ("HP", "HIPPS"))
