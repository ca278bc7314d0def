"""The mapper's verbs: recognise an input, map it, and report what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from simdes.mapper import fhir_input
from simdes.mapper.detection import detect
from simdes.mapper.hl7v2 import feed
from simdes.mapper.model import DEFAULT_SITE, LIMITS, Json, Limits, Mapping, Site
from simdes.mapper.refusal import refused

__all__ = ["detect", "map_bytes", "report"]


class Reader(Protocol):
    """Maps an input of one kind; quarantines what it can't map and never raises on bad data."""

    def __call__(self, name: str, data: bytes, *, site: Site, limits: Limits) -> Mapping:
        """Map ``data``."""


READERS: dict[str, Reader] = {
    "fhir": fhir_input.map_input,
    "hl7v2": feed.map_input,
}
"""Every kind of input that is mapped; `detection` names the kinds."""


def map_bytes(
    name: str,
    data: bytes,
    *,
    kind: str = "auto",
    site: Site = DEFAULT_SITE,
    limits: Limits = LIMITS,
) -> Mapping:
    """Map one file or feed. ``kind``: ``auto`` or one of `READERS`; never raises on bad data."""
    found = detect(name, data) if kind == "auto" else kind
    if len(data) > limits.file_bytes:
        over = f"{len(data)} bytes; the limit is {limits.file_bytes}"
        return refused(name, found, data, "too-large", over, "Split the input into smaller files.")
    reader = READERS.get(found)
    if reader is None:
        code, reason, advice = _REFUSALS.get(found, _REFUSALS["binary"])
        return refused(name, found, data, code, reason, advice)
    mapping = reader(name, data, site=site, limits=limits)
    if not mapping.messages and not mapping.quarantined:
        return refused(name, found, data, *_REFUSALS["empty"])
    return mapping


_ONLY = "Send HL7 v2 messages (ER7) or FHIR R4 resources (JSON)."
_REFUSALS = {
    "empty": ("empty", "the input is empty", "Check the sender's export; nothing was lost here."),
    "binary": ("unknown-format", "the input is in no format known here", _ONLY),
    "text": ("unknown-format", "the input is text, but no HL7 v2 message", _ONLY),
    **{
        kind: ("unsupported-format", f"{kind} input is not supported yet", _ONLY)
        for kind in ("cda", "csv", "dicom", "gzip", "json", "pdf", "x12", "xml", "zip")
    },
}


def report(mappings: Iterable[Mapping]) -> Json:
    """Count what came of the inputs: events, resources, dropped fields, quarantine; JSON-ready."""
    events: Counter[str] = Counter()
    resources: Counter[str] = Counter()
    dropped: Counter[tuple[str, str]] = Counter()
    quarantined: list[Json] = []
    inputs = 0
    for mapping in mappings:
        inputs += 1
        for message in mapping.messages:
            events[message.event] += 1
            resources.update(
                entry["resource"]["resourceType"] for entry in message.bundle.get("entry", ())
            )
            dropped.update((item.path, item.reason) for item in message.dropped)
        quarantined += [
            {
                "input": mapping.name,
                "index": item.index,
                "reasonCode": item.reason_code,
                "reason": item.reason,
                "advice": item.advice,
                "bytes": len(item.source),
            }
            for item in mapping.quarantined
        ]
    return {
        "inputs": inputs,
        "messages": sum(events.values()),
        "events": dict(sorted(events.items())),
        "resources": dict(sorted(resources.items())),
        "dropped": [
            {"path": path, "reason": reason, "count": count}
            for (path, reason), count in sorted(dropped.items())
        ],
        "quarantined": quarantined,
    }
