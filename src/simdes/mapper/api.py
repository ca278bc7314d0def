"""The mapper's verbs: recognise an input, map it, and report what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from simdes.mapper.detection import detect
from simdes.mapper.model import DEFAULT_SITE, LIMITS, Json, Limits, Mapping, Quarantined, Site

__all__ = ["detect", "map_bytes", "report"]


def map_bytes(
    name: str,
    data: bytes,
    *,
    kind: str = "auto",
    site: Site = DEFAULT_SITE,
    limits: Limits = LIMITS,
) -> Mapping:
    """Map one file or feed. ``kind``: ``auto``, ``hl7v2`` or ``fhir``; never raises on bad data."""
    found = detect(name, data) if kind == "auto" else kind
    refused = Quarantined(
        index=0,
        reason_code="unsupported-format",
        reason=f"{found} input is not supported yet",
        advice="Send HL7 v2 messages (ER7) or FHIR R4 resources (JSON).",
        source=data,
    )
    return Mapping(name=name, kind=found, quarantined=(refused,))


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
