"""Where a message's resources come from: the sealed source document and the Provenance of mapping.

Each mapped message leaves, besides its resources, a DocumentReference with the message itself as
attachment and a Provenance that says when which mapper made the resources of it
(https://hl7.org/fhir/R4/provenance.html, https://hl7.org/fhir/R4/documentreference.html). The
document is of a category of its own, ``sources``, and carries the labels of all resources of the
message, because it holds everything that they hold (docs/decisions/0014-sealed-source.md).
"""

from __future__ import annotations

import base64
import hashlib
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from typing import Any

from simdes.access.categories import (
    ACT_CODE,
    CONFIDENTIALITY,
    SOURCE_CODE,
    SOURCE_SYSTEM,
    Label,
    classify,
    members,
)
from simdes.crypto.digest import sha256
from simdes.exchange.bundle import Submitted
from simdes.fhir.json import dumps
from simdes.index.vaults import ORGANISATION
from simdes.mapper.identity import uuid

OLDER = "urn:simdes:provenance:older"
"""Extension of a Provenance: a resource that the message told of, but that was said later here."""

UNMAPPED_KINDS = frozenset(("fhir",))
"""Kinds of input that are stored as they are: nothing was mapped, so nothing is documented."""

_CONTENT_TYPES: Mapping[str, str] = {
    "hl7v2": "x-application/hl7-v2+er7",
    "cda": "text/xml",
    "x12": "application/EDI-X12",
    "csv": "text/csv",
}
_BY_FIRST_BYTE: Mapping[bytes, str] = {b"{": "json", b"[": "json", b"<": "xml"}
_SYNTAX_TYPES: Mapping[tuple[str, str], str] = {
    ("dicom", "json"): "application/dicom+json",
    ("dicom", ""): "application/dicom",
    ("fhir", "json"): "application/fhir+json",
    ("fhir", "xml"): "application/fhir+xml",
}
_PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapper:
    """Who mapped: this organisation's software, by name and id of the organisation."""

    organisation: bytes
    name: str
    recorded_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A message as it came: its bytes, what it is, and the labels of all that was made of it.

    ``control`` names it where its bytes can't be sealed with one patient's records.
    """

    kind: str
    event: str
    source: bytes
    labels: int
    subject: str


def source_document(origin: Origin, mapper: Mapper) -> Submitted:
    """The message itself as a DocumentReference; the same bytes give the same id."""
    name = uuid("source", sha256(origin.source).hex())
    document: dict[str, Any] = {
        "resourceType": "DocumentReference",
        "id": name,
        **security_of(origin.labels),
        "status": "current",
        "type": {"text": f"{origin.kind} {origin.event}"},
        "category": [
            {
                "coding": [
                    {"system": SOURCE_SYSTEM, "code": SOURCE_CODE, "display": "Source document"}
                ]
            }
        ],
        **({"subject": {"reference": origin.subject}} if origin.subject else {}),
        "date": instant(mapper.recorded_ms),
        "content": [{"attachment": _attachment(origin)}],
    }
    return _submitted(document)


def mapping_provenance(
    origin: Origin,
    mapper: Mapper,
    *,
    targets: Sequence[str],
    older: Iterable[str],
    document: Submitted | None,
) -> Submitted:
    """What made ``targets`` (references, versions named) of the message, when, and from what.

    ``document`` None: the bytes are of several patients and stay with the organisation.
    """
    stand = [{"url": OLDER, "valueReference": {"reference": one}} for one in older]
    what: dict[str, Any] = (
        {"display": "A message about several patients, kept by the organisation that received it"}
        if document is None
        else {"reference": f"{document.type}/{document.logical_id}"}
    )
    provenance: dict[str, Any] = {
        "resourceType": "Provenance",
        "id": uuid("mapping", sha256(origin.source).hex(), origin.subject),
        **security_of(origin.labels),
        **({"extension": stand} if stand else {}),
        "target": [{"reference": one} for one in targets],
        "recorded": instant(mapper.recorded_ms),
        "activity": {
            "coding": [{"system": _LIFECYCLE, "code": "transform"}],
            "text": f"{origin.kind} {origin.event} to FHIR R4",
        },
        "agent": [_agent(mapper)],
        "entity": [{"role": "source", "what": what}],
    }
    return _submitted(provenance)


def _agent(mapper: Mapper) -> dict[str, Any]:
    organisation = {
        "type": "Organization",
        "identifier": {
            "system": ORGANISATION,
            "value": f"0x{mapper.organisation.hex()}",
        },
        "display": mapper.name,
    }
    return {
        "type": {"coding": [{"system": _PARTICIPANT, "code": "assembler"}]},
        "who": {
            "type": "Device",
            "identifier": {"system": "urn:simdes:mapper", "value": version()},
            "display": f"SIMDES FHIR Data Mapper {version()}",
        },
        "onBehalfOf": organisation,
    }


def _attachment(origin: Origin) -> dict[str, Any]:
    source = origin.source
    return {
        "contentType": content_type(origin.kind, source),
        "data": base64.b64encode(source).decode(),
        "size": len(source),
        # FHIR fixes SHA-1 here; what protects the content are the record's own digests.
        "hash": base64.b64encode(hashlib.sha1(source, usedforsecurity=False).digest()).decode(),
        "title": f"{origin.kind} {origin.event}",
    }


def content_type(kind: str, source: bytes) -> str:
    """The media type of a source document of a kind of input."""
    if kind in _CONTENT_TYPES:
        return _CONTENT_TYPES[kind]
    syntax = _BY_FIRST_BYTE.get(source.removeprefix(BOM_UTF8).lstrip()[:1], "")
    family = "fhir" if kind.startswith("fhir") or kind == "older" else kind
    return _SYNTAX_TYPES.get((family, syntax), "application/octet-stream")


@cache
def version() -> str:
    """The mapper's version, which is the program's."""
    try:
        return metadata.version("simdes")
    except metadata.PackageNotFoundError:
        return "0"


def security_of(labels: int) -> dict[str, Any]:
    """The ``meta`` that bears a label mask; nothing for none."""
    if not labels:
        return {}
    codings = [
        {
            "system": CONFIDENTIALITY if label in (Label.R, Label.V) else ACT_CODE,
            "code": label.name,
        }
        for label in members(labels, Label)
    ]
    return {"meta": {"security": codings}}


def _submitted(resource: Mapping[str, Any]) -> Submitted:
    category, labels = classify(resource)
    return Submitted(
        type=resource["resourceType"],
        logical_id=resource["id"],
        category=category,
        labels=labels,
        content=dumps(resource),
        resource=resource,
    )


def instant(at_ms: int) -> str:
    """Unix milliseconds as a FHIR instant in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
