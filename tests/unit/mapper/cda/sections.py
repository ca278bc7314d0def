"""Sections to test with: entries of HL7's C-CDA examples (CC0), one by one, in a small document."""

from typing import Any

from simdes.mapper.model import Mapped
from unit.mapper.cda.samples import document, mapped, resources

TEMPLATE = "2.16.840.1.113883.10.20.22.4."
LOINC = 'codeSystem="2.16.840.1.113883.6.1"'
SNOMED = 'codeSystem="2.16.840.1.113883.6.96"'


def section(code: str, *entries: str) -> Mapped:
    """Map a document of one section with ``entries``; the Bundle is valid."""
    source = document("<!---->".join(entries))
    return mapped(source.replace(b'"11450-4"', f'"{code}"'.encode()))


def template(number: str) -> str:
    """Write a templateId of C-CDA; a number without dots is one of its entry templates."""
    return f'<templateId root="{TEMPLATE}{number}"/>'


def target(found: Mapped, reference: dict[str, Any]) -> dict[str, Any]:
    """Give the resource that a reference leads to."""
    (one,) = [e for e in found.bundle["entry"] if e["fullUrl"] == reference["reference"]]
    resource: dict[str, Any] = one["resource"]
    return resource


def coded(found: Mapped, kind: str, code: str) -> dict[str, Any]:
    """Give the one resource of a type that has ``code``."""
    (one,) = [
        resource
        for resource in resources(found, kind)
        if code in [coding.get("code") for coding in resource.get("code", {}).get("coding", ())]
    ]
    return one
