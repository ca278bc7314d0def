"""The mapper's verbs: recognise an input, map it, and report what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from typing import Protocol, cast

from simdes.errors import Invalid, SimdesError
from simdes.mapper import unpacking
from simdes.mapper.detection import detect
from simdes.mapper.model import DEFAULT_SITE, LIMITS, Json, Limits, Mapping, Site
from simdes.mapper.refusal import gathered, quarantine, refused

__all__ = ["check_site", "detect", "map_bytes", "report"]


class Format(Protocol):
    """The module of a kind of input."""

    def map_input(
        self, name: str, data: bytes, *, site: Site, limits: Limits, explain: bool = False
    ) -> Mapping:
        """Map ``data``; quarantines what it can't map and never raises on bad data."""

    def maps_of(self, site: Site) -> object:
        """Build the maps as a site changes them. Raises Invalid naming the line at fault."""


FORMATS: dict[str, str] = {
    "cda": "cda.document",
    "csv": "tabular.mapping",
    "dicom": "dicom.mapping",
    "fhir": "fhir_input",
    "fhir-dstu2": "older.dstu2",
    "fhir-stu3": "older.stu3",
    "hl7v2": "hl7v2.feed",
    "x12": "x12.transactions",
}
"""Every kind of input that is mapped (`detection` names the kinds), and the module that does it."""


def _format(kind: str) -> Format | None:
    """Load a kind's module when it is first needed: nobody waits for parsers they do not use."""
    module = FORMATS.get(kind)
    if module is None:
        return None
    return cast(Format, import_module(f"simdes.mapper.{module}"))


def map_bytes(
    name: str,
    data: bytes,
    *,
    kind: str = "auto",
    site: Site = DEFAULT_SITE,
    limits: Limits = LIMITS,
    explain: bool = False,
) -> Mapping:
    """Map one file or feed. ``kind``: ``auto`` or one of `FORMATS`; never raises on bad data.

    A gzip is unpacked first, within the limit. ``explain``: say of each element which part of the
    source and which row made it; slower.
    """
    if data.startswith(unpacking.MARK):
        try:
            inner = unpacking.unpacked(data, limit_bytes=limits.file_bytes)
        except SimdesError as error:
            return gathered(name, "gzip", [quarantine(0, data, error)])
        if not inner.startswith(unpacking.MARK):
            plain = name.removesuffix(".gz")
            made = map_bytes(plain, inner, kind=kind, site=site, limits=limits, explain=explain)
            return replace(made, name=name)
    found = detect(name, data) if kind == "auto" else kind
    if len(data) > limits.file_bytes:
        over = f"{len(data)} bytes; the limit is {limits.file_bytes}"
        return refused(name, found, data, "too-large", over, "Split the input into smaller files.")
    format_ = _format(found)
    if format_ is None:
        code, reason, advice = _REFUSALS.get(found, _REFUSALS["binary"])
        return refused(name, found, data, code, reason, advice)
    mapping = format_.map_input(name, data, site=site, limits=limits, explain=explain)
    if not mapping.messages and not mapping.quarantined:
        return refused(name, found, data, *_REFUSALS["empty"])
    return mapping


def check_site(site: Site) -> None:
    """Read every sheet of a site now, so that a fault in one shows before the first message.

    Raises Invalid naming the line at fault, or a folder that is no kind of input.
    """
    for sheet in site.sheets:
        format_ = _format(sheet.kind)
        if format_ is None:
            raise Invalid(
                f"{sheet.name}: {sheet.kind!r} is no kind of input that sheets change",
                advice=f"Sheets stand in folders named {', '.join(FORMATS)}.",
            )
        format_.maps_of(site)


_ONLY = (
    "Send HL7 v2 messages (ER7), CDA documents, X12 transactions, DICOM studies, tables (CSV) or "
    "FHIR resources (JSON, XML)."
)
_REFUSALS = {
    "empty": ("empty", "the input is empty", "Check the sender's export; nothing was lost here."),
    "binary": ("unknown-format", "the input is in no format known here", _ONLY),
    "text": ("unknown-format", "the input is text in no format known here", _ONLY),
    **{
        kind: ("unsupported-format", f"{kind} input is not supported yet", _ONLY)
        for kind in ("gzip", "json", "pdf", "xml", "zip")
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
