"""From a mapped Bundle to the resources that are stored: ids of their own, local references.

The bytes made here are the author's bytes: digests, signatures and seals are over them and they
are never serialised again. References inside the Bundle (``urn:uuid:…`` or absolute, by
``fullUrl``) become relative ones (https://hl7.org/fhir/R4/bundle.html#references).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simdes.access.categories import classify
from simdes.errors import Invalid
from simdes.fhir.json import dumps

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """One resource ready to be stored. ``content`` is its JSON, ``labels`` a bit mask.

    ``updated`` is its own ``meta.lastUpdated``, "" without one; ``resource`` what ``content`` says.
    """

    type: str
    logical_id: str
    category: int
    labels: int
    content: bytes
    resource: Mapping[str, Any] = field(compare=False, repr=False)
    updated: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A resource of a Bundle as it stands there, and the id that it gets."""

    full_url: str
    logical_id: str
    resource: Mapping[str, Any]

    @property
    def type(self) -> str:
        """Its resource type."""
        return str(self.resource["resourceType"])

    @property
    def name(self) -> str:
        """What refers to it once it is stored."""
        return f"{self.type}/{self.logical_id}"


def entries_of(bundle: Mapping[str, Any]) -> tuple[Entry, ...]:
    """Return the Bundle's entries in its order. Raises Invalid for one without a usable id."""
    return tuple(
        Entry(
            str(entry.get("fullUrl", "")),
            _logical_id(str(entry.get("fullUrl", "")), entry["resource"]),
            entry["resource"],
        )
        for entry in bundle.get("entry", [])
        if "resource" in entry
    )


def resources_of(bundle: Mapping[str, Any]) -> tuple[Submitted, ...]:
    """Return the Bundle's resources in its order, references made local.

    Raises Invalid for an entry without a usable id and for two different resources of one id.
    """
    entries = entries_of(bundle)
    return submitted(entries, entries)


def submitted(chosen: Sequence[Entry], entries: Sequence[Entry]) -> tuple[Submitted, ...]:
    """Make the ``chosen`` ones of a Bundle's entries ready to be stored.

    Raises Invalid for two different resources of one id.
    """
    names = {one.full_url: one.name for one in entries if one.full_url}
    found: dict[tuple[str, str], Submitted] = {}
    for entry in chosen:
        one = _submitted(entry.logical_id, entry.resource, names)
        key = (one.type, one.logical_id)
        if found.setdefault(key, one) != one:
            raise Invalid(
                f"Two different {one.type} resources share one id in the same Bundle.",
                advice="Give each its own id, or send versions in Bundles of their own.",
            )
    return tuple(found.values())


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
        resource=local,
        updated=_updated(resource),
    )


def _localised(value: Any, names: Mapping[str, str]) -> Any:
    """Copy a JSON value with every ``reference`` made local; texts are not worth a call each."""
    if type(value) is dict:
        return {
            key: (names.get(member, member) if key == "reference" else member)
            if type(member) is str
            else _localised(member, names)
            for key, member in value.items()
        }
    if type(value) is list:
        return [member if type(member) is str else _localised(member, names) for member in value]
    return value


def _updated(resource: Mapping[str, Any]) -> str:
    meta = resource.get("meta")
    found = meta.get("lastUpdated") if isinstance(meta, Mapping) else None
    return found if isinstance(found, str) else ""
