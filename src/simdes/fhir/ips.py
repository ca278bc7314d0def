"""The International Patient Summary: a patient's record as one document for whoever treats next.

HL7 IPS 1.1 (https://hl7.org/fhir/uv/ips/STU1.1/), Patient/$summary. Problems, allergies and
medications are always there; of what nothing is recorded the summary says so, by an entry with
IPS's own code for "no information", which both of its releases accept, never by silence. Other
sections are there when there is something to say. Where many results share a code, the newest is
shown: a summary is not the record.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from simdes.fhir.ips_sections import SECTIONS, Section, chosen, narrative, placeholder
from simdes.fhir.reference import parse_reference
from simdes.fhir.resource import references

Resource = dict[str, Any]
Ids = Callable[[str], str]
"""A name (``Observation/1``, ``Composition``) to a UUID, always the same for the same name."""

_PROFILE = "http://hl7.org/fhir/uv/ips/StructureDefinition/"
_LOINC = "http://loinc.org"
_SUPPORTING = frozenset(
    ("Device", "Encounter", "Location", "Medication", "Observation", "Organization")
) | {"Practitioner", "PractitionerRole", "RelatedPerson", "Specimen"}
"""Types that come along when something in the summary refers to them."""

_MOST_ENTRIES = 2_000


def summarise(
    patient: Resource,
    resources: Iterable[Resource],
    *,
    organisation: Resource,
    now: str,
    ids: Ids,
) -> Resource:
    """Return the summary of ``patient`` as a document Bundle.

    ``resources`` are all that may be shown, and what they refer to; ``organisation``, an
    Organization, is author and custodian; ``now`` is an instant. Nothing given is changed.
    """
    given = [r for r in resources if r.get("resourceType") != "Patient"]
    known = {_name(r): r for r in (*given, organisation, patient)}
    entries: dict[str, Resource] = {_name(patient): patient}
    sections = []
    for section in SECTIONS:
        found = chosen(section, given)
        if not found and section.is_required:
            found = [placeholder(section, {"reference": _name(patient)})]
            known |= {_name(r): r for r in found}
        if found:
            entries |= {_name(r): r for r in found}
            sections.append(_section(section, found, known))
    composition = _composition(patient, organisation, sections, now)
    entries = {_name(composition): composition, **entries, _name(organisation): organisation}
    _add_supporting(entries, known)
    urls = {name: f"urn:uuid:{ids(name)}" for name in entries}
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [_PROFILE + "Bundle-uv-ips"]},
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{ids('Bundle')}"},
        "type": "document",
        "timestamp": now,
        "entry": [
            {"fullUrl": urls[name], "resource": _resolved(resource, urls)}
            for name, resource in entries.items()
        ],
    }


def _name(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource.get('id', '')}"


def _section(section: Section, found: list[Resource], known: dict[str, Resource]) -> Resource:
    return {
        "title": section.title,
        "code": _coded(section.code, section.display),
        "text": {"status": "generated", "div": narrative(section, found, known)},
        "entry": [{"reference": _name(resource)} for resource in found],
    }


def _coded(code: str, display: str) -> Resource:
    return {"coding": [{"system": _LOINC, "code": code, "display": display}]}


def _composition(
    patient: Resource, organisation: Resource, sections: list[Resource], now: str
) -> Resource:
    author = {"reference": _name(organisation)}
    name = organisation.get("name")
    author |= {"display": name} if isinstance(name, str) else {}
    return {
        "resourceType": "Composition",
        "id": "summary",
        "meta": {"profile": [_PROFILE + "Composition-uv-ips"]},
        "status": "final",
        "type": _coded("60591-5", "Patient summary Document"),
        "subject": {"reference": _name(patient)},
        "date": now,
        "author": [author],
        "title": "International Patient Summary",
        "custodian": author,
        "section": sections,
    }


def _add_supporting(entries: dict[str, Resource], known: dict[str, Resource]) -> None:
    """Add to ``entries`` what they refer to, and what that refers to."""
    waiting = list(entries.values())
    while waiting and len(entries) < _MOST_ENTRIES:
        for found in references(waiting.pop(0)):
            name = _target(found.literal)
            resource = known.get(name)
            is_new = resource is not None and name not in entries
            if resource is not None and is_new and resource["resourceType"] in _SUPPORTING:
                entries[name] = resource
                waiting.append(resource)


def _target(literal: str) -> str:
    """Return ``Type/id`` of a relative reference, "" for any other."""
    parsed = parse_reference(literal)
    return f"{parsed.type}/{parsed.id}" if parsed.kind == "relative" else ""


def _resolved(resource: Resource, urls: dict[str, str]) -> Resource:
    """Return a copy whose references lead inside the Bundle; what is not in it is only named."""
    copied = copy.deepcopy(resource)
    for found in references(copied):
        name = _target(found.literal)
        if name in urls:
            found.reference["reference"] = urls[name]
        elif name:
            del found.reference["reference"]
            found.reference.pop("_reference", None)
            found.reference.setdefault("type", name.partition("/")[0])
            found.reference.setdefault("display", "not part of this summary")
    meta = copied.get("meta")
    if isinstance(meta, dict):
        kept = {k: v for k, v in meta.items() if k not in ("versionId", "lastUpdated")}
        copied["meta"] = kept
        if not kept:
            del copied["meta"]
    return copied
