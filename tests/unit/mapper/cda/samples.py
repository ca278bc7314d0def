"""Documents to test with: HL7's C-CDA examples and others (NOTICE), and small ones made up here."""

import gzip
from pathlib import Path
from typing import Any

from simdes.fhir.validate import validate
from simdes.mapper.cda.document import map_document
from simdes.mapper.model import LIMITS, Mapped, Site

FOLDER = Path(__file__).parents[3] / "vectors" / "cda"
NAMES = sorted(path.name.removesuffix(".xml.gz") for path in FOLDER.glob("*.xml.gz"))


def sample(name: str) -> bytes:
    return gzip.decompress((FOLDER / f"{name}.xml.gz").read_bytes())


def document(
    entries: str = "", *, header: str = "", patient: str = "", text: str = "<text>x</text>"
) -> bytes:
    """Write a small document: its header, and one section with ``entries``."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
    <ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:sdtc="urn:hl7-org:sdtc"
        xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
      <id root="1.2.36.1" extension="d1"/>
      <code code="34133-9" codeSystem="2.16.840.1.113883.6.1"/>
      <effectiveTime value="20240102030405+0100"/>
      <recordTarget><patientRole><id root="1.2.36.4" extension="p1"/>
        <patient><name><given>Ann</given><family>Example</family></name>{patient}</patient>
      </patientRole></recordTarget>{header}
      <component><structuredBody><component><section>
        <code code="11450-4" codeSystem="2.16.840.1.113883.6.1"/><title>Part</title>{text}
        {"".join(f"<entry>{entry}</entry>" for entry in entries.split("<!---->") if entry)}
      </section></component></structuredBody></component>
    </ClinicalDocument>""".encode()


def mapped(source: bytes, site: Site | None = None) -> Mapped:
    """Map a document and check that the Bundle is valid."""
    found = map_document(source, site=site or Site(), limits=LIMITS)
    assert [str(p) for p in validate(found.bundle) if p.severity == "error"] == []
    return found


def resources(found: Mapped, kind: str) -> list[dict[str, Any]]:
    entries = [entry["resource"] for entry in found.bundle["entry"]]
    return [one for one in entries if one["resourceType"] == kind]


def only(found: Mapped, kind: str) -> dict[str, Any]:
    (one,) = resources(found, kind)
    return one


def unmapped(found: Mapped) -> list[str]:
    """List the paths of what was kept beside."""
    return [
        part["url"]
        for entry in found.bundle["entry"]
        for extension in entry["resource"].get("extension", ())
        if extension["url"] == "urn:simdes:cda:unmapped"
        for part in extension["extension"]
    ]
