"""Take FHIR, JSON or XML: a resource or a Bundle becomes a Bundle whose references resolve.

Resources of DSTU2 and STU3 are told by `older.telling` and converted first (`older.converting`).
Nothing of an R4 resource is changed but references, where an entry had no ``fullUrl`` and gets one
(https://hl7.org/fhir/R4/bundle.html#references). What told a server what to do (``request``) or
what it did (``response``, ``search``, ``total``) is no content and is reported as dropped.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from simdes.errors import Invalid, TooLarge, Unsupported
from simdes.fhir.definitions import resource_types
from simdes.fhir.json import dumps, loads
from simdes.mapper.identity import patient_identifiers, uuid
from simdes.mapper.model import UTF16_MARKS, Dropped, Json, Limits, Mapped, Mapping, Site
from simdes.mapper.older import xml
from simdes.mapper.older.converting import Converter
from simdes.mapper.older.shapes import R4, VERSIONS
from simdes.mapper.older.telling import version_of
from simdes.mapper.refusal import attempt, gathered

_KEPT_TYPES = frozenset(("message", "document", "collection"))
_TRANSACTIONS = ("transaction", "batch")
_SEARCHED = re.compile(r"(?P<type>[A-Z][A-Za-z]+)\?identifier=(?P<token>(?:[^&|]*\|)?[^&|]+)")
_NO_CONTENT = "tells a server what to do or what it did; it is no content"
_FORM = "Send one FHIR resource or Bundle (R4, STU3 or DSTU2) as JSON or XML in UTF-8."


def maps_of(site: Site) -> object:
    """Refuse sheets: FHIR R4 is taken as it is, so there are no maps to change."""
    raise Invalid(
        f"{site.sheets_of('fhir')[0].name}: FHIR R4 input has no maps",
        advice="Sheets for older versions stand in fhir-dstu2 and fhir-stu3.",
    )


def map_input(
    name: str, data: bytes, *, site: Site, limits: Limits, explain: bool = False
) -> Mapping:
    """Take one resource or Bundle of any version; never raises on bad data."""
    return map_version(name, data, site=site, limits=limits, kind="fhir", explain=explain)


def map_version(
    name: str, data: bytes, *, site: Site, limits: Limits, kind: str, explain: bool = False
) -> Mapping:
    """Take one resource or Bundle; ``kind`` is ``fhir``, or names the version it is of."""
    del explain  # each element stands where its path says, or under the same name
    version = kind.partition("-")[2]
    mapped = attempt(
        0,
        data,
        lambda: map_resource(data, site=site, limits=limits, version=version),
        code="invalid-fhir",
    )
    return gathered(name, kind, [mapped])


def map_resource(source: bytes, *, site: Site, limits: Limits, version: str = "") -> Mapped:
    """Wrap one resource, or tidy one Bundle, as R4. Raises errors of `simdes.errors`."""
    value, version = _read(source, site=site, limits=limits, version=version)
    kind = value["resourceType"]
    listed = value.get("entry") if kind == "Bundle" else None
    if isinstance(listed, list) and len(listed) > limits.resources:
        raise TooLarge(f"more than {limits.resources} resources in one Bundle")
    dropped: list[Dropped] = []
    if version != R4:
        value = Converter(version, site, dropped).resource(value)
    elif kind not in resource_types():
        raise Unsupported("its resourceType is not one of FHIR R4", advice=_FORM)
    if kind == "Bundle":
        bundle = _tidy(value, dropped)
    else:
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": value}]}
    entries = bundle.get("entry", [])
    _name_entries(entries, site, is_transaction=value.get("type") in _TRANSACTIONS)
    return Mapped(
        index=0,
        bundle=bundle,
        source=source,
        event=f"FHIR {kind}" if version == R4 else f"FHIR {version.upper()} {kind}",
        dropped=tuple(dropped),
        patient_identifiers=patient_identifiers(entries),
    )


def _read(source: bytes, *, site: Site, limits: Limits, version: str) -> tuple[Json, str]:
    """Read a resource, and say which version it is of: ``version`` if that is given."""
    values: dict[str, Any]
    if source.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" or source[:2] in UTF16_MARKS:
        top = xml.parse(source, limits=limits)
        values = {one: xml.read(top, one) for one in ([version] if version else VERSIONS)}
    else:
        read: Any = loads(source, max_bytes=limits.file_bytes)
        values = dict.fromkeys(VERSIONS, read)
    for value in values.values():
        if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
            raise Invalid("this is no FHIR resource: it has no resourceType", advice=_FORM)
    found = version or version_of(values, site.fhir_version)
    return values[found], found


def _tidy(bundle: Json, dropped: list[Dropped]) -> Json:
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and _is_resource(entry.get("resource", {})) for entry in entries
    ):
        raise Invalid("an entry of this Bundle holds no resource", advice=_FORM)
    made = dict(bundle)
    if bundle.get("type") not in _KEPT_TYPES:
        made["type"] = "collection"
        for name in ("total", "link"):
            if made.pop(name, None) is not None:
                dropped.append(Dropped(f"Bundle.{name}", _NO_CONTENT))
    kept = []
    for number, entry in enumerate(entries):
        for name in ("request", "response", "search"):
            if name in entry:
                dropped.append(Dropped(f"Bundle.entry[{number}].{name}", _NO_CONTENT))
        left_out = ("request", "response", "search")
        if "resource" in entry:
            kept.append({key: part for key, part in entry.items() if key not in left_out})
    if kept:
        made["entry"] = kept
    else:
        made.pop("entry", None)
    return made


def _is_resource(value: Any) -> bool:
    return isinstance(value, dict) and (not value or isinstance(value.get("resourceType"), str))


def _name_entries(entries: list[Json], site: Site, *, is_transaction: bool) -> None:
    """Give every entry a fullUrl and an id, and point relative references at the new ones."""
    renamed: dict[str, str] = {}
    for entry in entries:
        resource = entry["resource"]
        if "fullUrl" in entry:
            continue
        kind, given = resource["resourceType"], resource.get("id")
        if isinstance(given, str):
            url = f"urn:uuid:{uuid(site.identity, kind, given)}"
            renamed[f"{kind}/{given}"] = url
        else:
            made = uuid(site.identity, kind, dumps(resource).decode())
            entry["resource"] = {"resourceType": kind, "id": made, **resource}
            url = f"urn:uuid:{made}"
        entry["fullUrl"] = url
    if renamed or is_transaction:
        for entry in entries:
            _repoint(entry["resource"], renamed)


def _repoint(value: Any, renamed: dict[str, str]) -> None:
    if isinstance(value, dict):
        for name, part in list(value.items()):
            if name == "reference" and isinstance(part, str):
                _point(value, renamed.get(part, part))
            else:
                _repoint(part, renamed)
    elif isinstance(value, list):
        for part in value:
            _repoint(part, renamed)


def _point(reference: Json, text: str) -> None:
    """Write a reference; one to be searched for (``Patient?identifier=…``) by identifier.

    Such references live in transactions alone (https://hl7.org/fhir/R4/http.html#trules); what they
    name outside of one is what R4's logical references name.
    """
    match = _SEARCHED.fullmatch(text)
    if match is None or "identifier" in reference:
        reference["reference"] = text
        return
    del reference["reference"]
    system, _, value = unquote(match["token"]).rpartition("|")
    reference["type"] = match["type"]
    reference["identifier"] = {"system": system, "value": value} if system else {"value": value}
