"""From a mapped Bundle to the resources that are stored: one patient, local references.

The bytes made here are the author's bytes: digests, signatures and seals are over them and they
are never serialised again. References inside the Bundle (``urn:uuid:…`` or absolute, by
``fullUrl``) become relative ones (https://hl7.org/fhir/R4/bundle.html#references).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from simdes.access.categories import classify
from simdes.errors import Invalid
from simdes.fhir.json import dumps

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """One resource ready to be stored. ``content`` is its JSON, ``labels`` a bit mask."""

    type: str
    logical_id: str
    category: int
    labels: int
    content: bytes


def resources_of(bundle: Mapping[str, Any]) -> tuple[Submitted, ...]:
    """Return the Bundle's resources in its order, references made local.

    Raises Invalid for an entry without a usable id and for two different resources of one id.
    """
    entries = [
        (str(entry.get("fullUrl", "")), entry["resource"])
        for entry in bundle.get("entry", [])
        if "resource" in entry
    ]
    names = {
        full_url: f"{resource['resourceType']}/{_logical_id(full_url, resource)}"
        for full_url, resource in entries
        if full_url
    }
    found: dict[tuple[str, str], Submitted] = {}
    for full_url, resource in entries:
        submitted = _submitted(_logical_id(full_url, resource), resource, names)
        key = (submitted.type, submitted.logical_id)
        if found.setdefault(key, submitted) != submitted:
            raise Invalid(
                f"Two different {submitted.type} resources share one id in the same Bundle.",
                advice="Give each its own id, or send versions in Bundles of their own.",
            )
    return tuple(found.values())


def identifiers_of(bundle: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the (system, value) identifiers of the Bundle's one Patient.

    Raises Invalid where there are several patients, since one message feeds one vault.
    """
    patients = [
        entry["resource"]
        for entry in bundle.get("entry", [])
        if entry.get("resource", {}).get("resourceType") == "Patient"
    ]
    if len(patients) > 1:
        raise Invalid(
            "The Bundle holds several patients.", advice="Send one Bundle for each patient."
        )
    pairs = (
        (str(identifier.get("system", "")), str(identifier["value"]))
        for patient in patients
        for identifier in patient.get("identifier", [])
        if identifier.get("value")
    )
    return tuple(dict.fromkeys(pairs))


def _logical_id(full_url: str, resource: Mapping[str, Any]) -> str:
    logical_id = str(resource.get("id") or full_url.rpartition(":")[2].rpartition("/")[2])
    if not _ID.fullmatch(logical_id):
        raise Invalid(
            f"A {resource.get('resourceType', 'resource')} has neither an id nor a fullUrl to "
            "take one from."
        )
    return logical_id


def _submitted(logical_id: str, resource: Mapping[str, Any], names: Mapping[str, str]) -> Submitted:
    local = {"resourceType": resource["resourceType"], "id": logical_id}
    local |= {key: _localised(value, names) for key, value in resource.items()} | {"id": logical_id}
    category, labels = classify(local)
    return Submitted(
        type=str(resource["resourceType"]),
        logical_id=logical_id,
        category=category,
        labels=labels,
        content=dumps(local),
    )


def _localised(value: Any, names: Mapping[str, str]) -> Any:
    """Copy a JSON value with every ``reference`` (and ``urn:uuid`` uri) made local."""
    if isinstance(value, dict):
        return dict(_localised_members(value, names))
    if isinstance(value, list):
        return [_localised(member, names) for member in value]
    return value


def _localised_members(
    value: Mapping[str, Any], names: Mapping[str, str]
) -> Iterator[tuple[str, Any]]:
    for key, member in value.items():
        if key == "reference" and isinstance(member, str):
            yield key, names.get(member, member)
        else:
            yield key, _localised(member, names)
