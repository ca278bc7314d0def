"""Interchanges to test with: those of LinuxForHealth (NOTICE), and small ones made up here."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from simdes.fhir.validate import validate
from simdes.mapper import map_bytes
from simdes.mapper.model import Mapped, Mapping, Site

FOLDER = Path(__file__).parents[3] / "vectors" / "x12"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())
NAMES = [str(path.relative_to(FOLDER)) for path in FILES]

VERSIONS = {
    "837P": "005010X222A1",
    "837I": "005010X223A2",
    "837D": "005010X224A2",
    "835": "005010X221A1",
    "270": "005010X279A1",
    "271": "005010X279A1",
    "276": "005010X212",
    "277": "005010X212",
    "277CA": "005010X214",
    "834": "005010X220A1",
}


def sample(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def transaction(kind: str, segments: str, *, number: str = "0001") -> str:
    """Write a transaction set of segments, one a line."""
    lines = [line.strip() for line in segments.strip().splitlines() if line.strip()]
    first = f"ST*{kind[:3]}*{number}*{VERSIONS[kind]}"
    return "~".join([first, *lines, f"SE*{len(lines) + 2}*{number}"]) + "~"


def interchange(kind: str, *transactions: str, number: str = "000000001") -> bytes:
    """Write an interchange of transactions of one kind."""
    isa = (
        "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       "
        f"*240102*0304*^*00501*{number}*0*P*:~"
    )
    group = f"GS*HC*SENDER*RECEIVER*20240102*0304*7*X*{VERSIONS[kind]}~"
    end = f"GE*{len(transactions)}*7~IEA*1*{number}~"
    return (isa + group + "".join(transactions) + end).encode()


def one(kind: str, segments: str) -> bytes:
    return interchange(kind, transaction(kind, segments))


def mapped_all(source: bytes, site: Site | None = None) -> Mapping:
    """Map a file and check that its Bundles are valid."""
    mapping = map_bytes("x.x12", source, site=site or Site())
    assert mapping.kind == "x12"
    for message in mapping.messages:
        assert [str(p) for p in validate(message.bundle) if p.severity == "error"] == []
    return mapping


def mapped(source: bytes, site: Site | None = None) -> Mapped:
    mapping = mapped_all(source, site)
    assert mapping.quarantined == ()
    (found,) = mapping.messages
    return found


def resources(found: Mapped, kind: str) -> list[dict[str, Any]]:
    entries = [entry["resource"] for entry in found.bundle["entry"]]
    return [resource for resource in entries if resource["resourceType"] == kind]


def only(found: Mapped, kind: str) -> dict[str, Any]:
    (resource,) = resources(found, kind)
    return resource


def referred(found: Mapped, reference: dict[str, Any]) -> dict[str, Any]:
    """Give the resource that a reference names."""
    by_url = {entry["fullUrl"]: entry["resource"] for entry in found.bundle["entry"]}
    return by_url[reference["reference"]]


def unmapped(found: Mapped) -> list[str]:
    """List the paths of what was kept beside."""
    return [
        part["url"]
        for entry in found.bundle["entry"]
        for extension in entry["resource"].get("extension", ())
        if extension["url"] == "urn:simdes:x12:unmapped"
        for part in extension["extension"]
    ]


def codes(concept: dict[str, Any] | Iterable[dict[str, Any]]) -> list[str]:
    """List the codes of a CodeableConcept, or of several."""
    concepts = [concept] if isinstance(concept, dict) else concept
    return [coding["code"] for one in concepts for coding in one.get("coding", ())]
