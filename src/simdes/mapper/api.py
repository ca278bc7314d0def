"""The mapper's verbs: recognise an input, map it, and report what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from simdes.errors import SimdesError, TooLarge, Unsupported
from simdes.mapper import engine, er7, fhir_input
from simdes.mapper.detection import UTF16_MARKS, detect
from simdes.mapper.model import (
    DEFAULT_SITE,
    LIMITS,
    Json,
    Limits,
    Mapped,
    Mapping,
    Quarantined,
    Site,
)

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
    if len(data) > limits.file_bytes:
        over = f"{len(data)} bytes; the limit is {limits.file_bytes}"
        return _refused(name, found, data, "too-large", over, "Split the input into smaller files.")
    if found == "hl7v2":
        return _map_hl7v2(name, data, site, limits)
    if found == "fhir":
        return _map_fhir(name, data, site, limits)
    code, reason, advice = _REFUSALS.get(found, _REFUSALS["binary"])
    return _refused(name, found, data, code, reason, advice)


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


def _refused(name: str, kind: str, data: bytes, code: str, reason: str, advice: str) -> Mapping:
    item = Quarantined(index=0, reason_code=code, reason=reason, advice=advice, source=data)
    return Mapping(name=name, kind=kind, quarantined=(item,))


def _map_fhir(name: str, data: bytes, site: Site, limits: Limits) -> Mapping:
    try:
        mapped = fhir_input.map_resource(data, site=site, limits=limits)
    except SimdesError as error:
        item = _quarantine(0, data, error, "invalid-fhir")
        return Mapping(name=name, kind="fhir", quarantined=(item,))
    return Mapping(name=name, kind="fhir", messages=(mapped,))


def _map_hl7v2(name: str, data: bytes, site: Site, limits: Limits) -> Mapping:
    if data[:2] in UTF16_MARKS:
        data = data.decode("utf-16", errors="replace").encode()
    messages: list[Mapped] = []
    quarantined: list[Quarantined] = []
    for index, part in enumerate(er7.split(data)):
        if index >= limits.messages:
            over = TooLarge(f"more than {limits.messages} messages in one input")
            quarantined.append(_quarantine(index, part.data, over))
            continue
        try:
            messages.append(_map_part(part, index, site, limits))
        except SimdesError as error:
            quarantined.append(_quarantine(index, part.data, error))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as fault:
            # A fault of ours in one message must not cost the feed its other messages.
            unknown = Unsupported(
                f"the mapper failed on it ({type(fault).__name__})",
                advice="Report this with the message's structure; it can be replayed later.",
            )
            quarantined.append(_quarantine(index, part.data, unknown))
    if not messages and not quarantined:
        code, reason, advice = _REFUSALS["empty"]
        return _refused(name, "hl7v2", data, code, reason, advice)
    return Mapping(
        name=name, kind="hl7v2", messages=tuple(messages), quarantined=tuple(quarantined)
    )


def _map_part(part: er7.Part, index: int, site: Site, limits: Limits) -> Mapped:
    if not part.is_message:
        raise er7.Unreadable(
            "outside-message",
            f"{len(part.data)} bytes that belong to no message",
            "A message begins with MSH at the start of a line; check the sender.",
        )
    return engine.map_message(part.data, index, site=site, limits=limits)


def _quarantine(
    index: int, source: bytes, error: SimdesError, code: str = "mapper-fault"
) -> Quarantined:
    if isinstance(error, er7.Unreadable):
        code = error.code
    elif isinstance(error, TooLarge):
        code = "too-large"
    return Quarantined(
        index=index,
        reason_code=code,
        reason=error.message,
        advice=error.advice,
        source=source,
    )


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
