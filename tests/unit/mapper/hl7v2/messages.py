"""Messages that the mapper's tests share: the published vectors, and a way to write small ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simdes.mapper import Mapped, map_bytes

VECTORS = Path(__file__).parents[3] / "vectors/hl7v2"
NOT_SUPPORTED_YET = ("linuxforhealth/Hl7CustomMessageTest_042.hl7",)
WITHOUT_PATIENT = (
    "linuxforhealth/HL7EventTypeFHIRConversionTest_123.hl7",
    "linuxforhealth/HL7EventTypeFHIRConversionTest_125.hl7",
)


def vectors() -> Iterator[tuple[str, bytes]]:
    """Every published message that this release maps: (name, bytes)."""
    for path in sorted(VECTORS.rglob("*.hl7")):
        name = path.relative_to(VECTORS).as_posix()
        if name not in NOT_SUPPORTED_YET + WITHOUT_PATIENT:
            yield name, path.read_bytes()


def message(*segments: str, event: str = "ADT^A01", control: str = "1") -> bytes:
    """Write a message of ``segments`` after a plain MSH."""
    header = f"MSH|^~\\&|APP|HOSP|||20240102030405+0100||{event}|{control}|P|2.5.1"
    return "\r".join((header, *segments)).encode()


def segment(name: str, fields: dict[int, str]) -> str:
    """Write a segment from its numbered fields."""
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


def mapped(*segments: str, event: str = "ADT^A01", control: str = "1") -> Mapped:
    """Map a message of ``segments``."""
    mapping = map_bytes("test.hl7", message(*segments, event=event, control=control))
    assert not mapping.quarantined, mapping.quarantined
    return mapping.messages[0]


def resources(one: Mapped, kind: str) -> list[dict[str, Any]]:
    """The resources of type ``kind`` in a mapped message."""
    found = (entry["resource"] for entry in one.bundle["entry"])
    return [resource for resource in found if resource["resourceType"] == kind]


def resource(one: Mapped, kind: str) -> dict[str, Any]:
    """The one resource of type ``kind``."""
    (found,) = resources(one, kind)
    return found


def kept(body: dict[str, Any]) -> dict[str, str]:
    """What a resource keeps of fields that FHIR has no element for."""
    return {
        inner["url"]: inner["valueString"]
        for extension in body.get("extension", ())
        if extension["url"] == "urn:simdes:hl7v2:unmapped"
        for inner in extension["extension"]
    }
