"""Take FHIR R4 JSON as it is: a resource or a Bundle becomes a Bundle whose references resolve.

Nothing of a resource is changed but references, where an entry had no ``fullUrl`` and gets one
(https://hl7.org/fhir/R4/bundle.html#references). What told a server what to do (``request``) or
what it did (``response``, ``search``, ``total``) is no content and is reported as dropped.
"""

from __future__ import annotations

from typing import Any

from simdes.errors import Invalid, TooLarge, Unsupported
from simdes.fhir.definitions import resource_types
from simdes.fhir.json import dumps, loads
from simdes.mapper.identity import uuid
from simdes.mapper.model import Dropped, Json, Limits, Mapped, Mapping, Site
from simdes.mapper.refusal import attempt, gathered

_KEPT_TYPES = frozenset(("message", "document", "collection"))
_NO_CONTENT = "tells a server what to do or what it did; it is no content"
_FORM = "Send one FHIR R4 resource or Bundle as JSON in UTF-8."


def maps_of(site: Site) -> object:
    """Refuse sheets: FHIR R4 is taken as it is, so there are no maps to change."""
    raise Invalid(
        f"{site.sheets_of('fhir')[0].name}: FHIR R4 input has no maps",
        advice="Leave the sheet out; ConceptMaps hold for FHIR input, too.",
    )


def map_input(
    name: str, data: bytes, *, site: Site, limits: Limits, explain: bool = False
) -> Mapping:
    """Take one resource or Bundle; never raises on bad data. Nothing has to be explained."""
    del explain
    mapped = attempt(
        0, data, lambda: map_resource(data, site=site, limits=limits), code="invalid-fhir"
    )
    return gathered(name, "fhir", [mapped])


def map_resource(source: bytes, *, site: Site, limits: Limits) -> Mapped:
    """Wrap one resource, or tidy one Bundle. Raises errors of `simdes.errors`."""
    value = loads(source, max_bytes=limits.file_bytes)
    kind = value.get("resourceType") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(kind, str):
        raise Invalid("this JSON is no FHIR resource: it has no resourceType", advice=_FORM)
    if kind not in resource_types():
        raise Unsupported("its resourceType is not one of FHIR R4", advice=_FORM)
    dropped: list[Dropped] = []
    if kind == "Bundle":
        bundle = _tidy(value, dropped)
    else:
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": value}]}
    entries = bundle.get("entry", [])
    if len(entries) > limits.resources:
        raise TooLarge(f"more than {limits.resources} resources in one Bundle")
    _name_entries(entries, site)
    return Mapped(
        index=0,
        bundle=bundle,
        source=source,
        event=f"FHIR {kind}",
        dropped=tuple(dropped),
        patient_identifiers=_identifiers(entries),
    )


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


def _name_entries(entries: list[Json], site: Site) -> None:
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
    if renamed:
        for entry in entries:
            _repoint(entry["resource"], renamed)


def _repoint(value: Any, renamed: dict[str, str]) -> None:
    if isinstance(value, dict):
        for name, part in value.items():
            if name == "reference" and isinstance(part, str):
                value[name] = renamed.get(part, part)
            else:
                _repoint(part, renamed)
    elif isinstance(value, list):
        for part in value:
            _repoint(part, renamed)


def _identifiers(entries: list[Json]) -> tuple[tuple[str, str], ...]:
    found: dict[tuple[str, str], None] = {}
    for entry in entries:
        resource = entry["resource"]
        identifiers = resource.get("identifier") if resource["resourceType"] == "Patient" else None
        for identifier in identifiers if isinstance(identifiers, list) else ():
            if isinstance(identifier, dict) and isinstance(identifier.get("value"), str):
                found[(str(identifier.get("system") or ""), identifier["value"])] = None
    return tuple(found)
