"""The mapper's verbs: recognise an input, map it, and report what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from simdes.errors import Invalid
from simdes.mapper import fhir_input
from simdes.mapper.detection import detect
from simdes.mapper.hl7v2 import feed
from simdes.mapper.hl7v2.tables import tables_of
from simdes.mapper.model import DEFAULT_SITE, LIMITS, Json, Limits, Mapping, Site
from simdes.mapper.refusal import refused

__all__ = ["check_site", "detect", "map_bytes", "report"]


class Reader(Protocol):
    """Maps an input of one kind; quarantines what it can't map and never raises on bad data."""

    def __call__(
        self, name: str, data: bytes, *, site: Site, limits: Limits, explain: bool = False
    ) -> Mapping:
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
    explain: bool = False,
) -> Mapping:
    """Map one file or feed. ``kind``: ``auto`` or one of `READERS`; never raises on bad data.

    ``explain``: say of each element which part of the source and which row made it; slower.
    """
    found = detect(name, data) if kind == "auto" else kind
    if len(data) > limits.file_bytes:
        over = f"{len(data)} bytes; the limit is {limits.file_bytes}"
        return refused(name, found, data, "too-large", over, "Split the input into smaller files.")
    reader = READERS.get(found)
    if reader is None:
        code, reason, advice = _REFUSALS.get(found, _REFUSALS["binary"])
        return refused(name, found, data, code, reason, advice)
    mapping = reader(name, data, site=site, limits=limits, explain=explain)
    if not mapping.messages and not mapping.quarantined:
        return refused(name, found, data, *_REFUSALS["empty"])
    return mapping


def check_site(site: Site) -> None:
    """Read every sheet of a site now, so that a fault in one shows before the first message.

    Raises Invalid naming the line at fault, or a folder that is no kind of input.
    """
    for sheet in site.sheets:
        check = SITE_CHECKS.get(sheet.kind)
        if check is None:
            raise Invalid(
                f"{sheet.name}: {sheet.kind!r} is no kind of input that sheets change",
                advice=f"Sheets stand in folders named {', '.join(sorted(SITE_CHECKS))}.",
            )
        check(site)


SITE_CHECKS: dict[str, Callable[[Site], object]] = {"hl7v2": tables_of}
"""Builds the maps of a kind of input as a site changes them; raises Invalid."""

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
