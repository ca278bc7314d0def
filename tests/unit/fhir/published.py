"""Reads the published resources of tests/vectors/fhir."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import Any

from simdes.fhir.json import loads

FOLDER = Path(__file__).parents[2] / "vectors" / "fhir"


def raw(name: str) -> bytes:
    data = (FOLDER / name).read_bytes()
    return gzip.decompress(data) if name.endswith(".gz") else data


@cache
def published() -> dict[str, Any]:
    """Every published resource by name; those inside the US Core file by their own file name."""
    found: dict[str, Any] = {}
    for path in sorted(FOLDER.glob("*.json*")):
        value = loads(raw(path.name))
        found |= value if path.name.startswith("us-core") else {path.name: value}
    return found
