"""What DICOM's value representations need beyond plain conversions (PS3.5 section 6.2)."""

from __future__ import annotations

import re

from simdes.mapper.making import Function
from simdes.mapper.model import Json
from simdes.mapper.primitives import OID
from simdes.mapper.tree import Branch
from simdes.mapper.work import Work

_PARTS = ("family", "given", "middle", "prefix", "suffix")
_WRITINGS = ("ABC", "IDE", "SYL")
_WRITING = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"


def person_name(work: Work, branch: Branch, text: str) -> Json | None:
    """Make a HumanName of a PN: ``Doe^Ann^M^Dr^Jr``; other writings follow after ``=``."""
    del work, branch
    writings = [part for part in text.split("=") if part.strip("^ ")]
    if not writings:
        return None
    name = _name(writings[0])
    if len(text.split("=")) > 1:
        name["extension"] = [{"url": _WRITING, "valueCode": _WRITINGS[0]}]
    return name


def other_names(work: Work, branch: Branch, text: str) -> Json | None:
    """Make a HumanName of the ideographic writing of a PN, where there is one."""
    del work, branch
    return _written(text, 1)


def phonetic_names(work: Work, branch: Branch, text: str) -> Json | None:
    """Make a HumanName of the phonetic writing of a PN, where there is one."""
    del work, branch
    return _written(text, 2)


def _written(text: str, at: int) -> Json | None:
    parts = text.split("=")
    if len(parts) <= at or not parts[at].strip("^ "):
        return None
    return {**_name(parts[at]), "extension": [{"url": _WRITING, "valueCode": _WRITINGS[at]}]}


def _name(text: str) -> Json:
    """Take a name apart; without any separator it is kept as it is written, too."""
    parts = dict(zip(_PARTS, [part.strip() for part in text.split("^")], strict=False))
    made: Json = {}
    if parts.get("family"):
        made["family"] = parts["family"]
    given = [parts[one] for one in ("given", "middle") if parts.get(one)]
    if given:
        made["given"] = given
    for one in ("prefix", "suffix"):
        if parts.get(one):
            made[one] = [parts[one]]
    return made


def moment(work: Work, branch: Branch, day: str, time: str, offset: str) -> str | None:
    """Join a DA, a TM and the time zone offset to the form of a DTM."""
    del work, branch
    day = day.replace(".", "")
    digits = re.sub(r"[:\s]", "", time)
    if not re.fullmatch(r"\d{8}", day):
        return None
    if not re.fullmatch(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?", digits):
        return day
    zone = offset if re.fullmatch(r"[+-]\d{4}", offset) else ""
    return f"{day}{digits}{zone}"


def uid(work: Work, branch: Branch, text: str) -> str | None:
    """Write a UID as a URI."""
    del work, branch
    return f"urn:oid:{text}" if re.fullmatch(r"[0-2](\.(0|[1-9]\d*))+", text) else None


def issuer(work: Work, branch: Branch, name: str, universal: str, kind: str) -> str | None:
    """Name the identifier system of an issuer by the site, its universal id, or its name."""
    del branch
    known = work.site.systems.get(name)
    if known:
        return known
    if OID.fullmatch(universal) and kind in ("ISO", ""):
        return f"urn:oid:{universal}"
    if ":" in universal:
        return universal
    local = re.sub(r"[^A-Za-z0-9.-]+", "-", universal or name)
    return f"urn:id:{local}" if local else None


FUNCTIONS: dict[str, Function] = {
    "issuer": issuer,
    "moment": moment,
    "other_names": other_names,
    "person_name": person_name,
    "phonetic_names": phonetic_names,
    "uid": uid,
}
