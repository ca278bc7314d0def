"""How fast the search values of a resource are extracted, searches read, and conditions matched.

Run `.venv/bin/python bench/extract.py` on an idle core. The resources are those of the synthetic
patient's Bundle of tests/vectors/fhir. Measured in CPU time of one process, so that a neighbour on
the machine does not count; the best of several rounds. "cold" is the first resource of each type
in a fresh process, tables and plans included.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simdes.fhir.json import loads
from simdes.fhir.search.extract import extract
from simdes.fhir.search.match import matches
from simdes.fhir.search.parse import parse

VECTORS = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "fhir"
SEARCHES = (
    ("Observation", [("code", "http://loinc.org|8302-2"), ("date", "ge2020-01-01")]),
    ("Observation", [("code-value-quantity", "8302-2$gt160|http://unitsofmeasure.org|cm")]),
    ("Patient", [("name", "smith"), ("_has:Observation:subject:code", "8302-2")]),
    ("Encounter", [("subject:Patient.family", "smith"), ("_include", "Encounter:subject")]),
)
NOW_MS = 1_700_000_000_000


def best_us(verb: Callable[[], object], count: int, rounds: int) -> float:
    """Return the least CPU microseconds that one of the `count` steps of `verb` took."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        verb()
        best = min(best, time.process_time() - start)
    return round(best / count * 1e6, 1)


def resources() -> dict[str, list[dict[str, Any]]]:
    """Return the synthetic patient's resources by type, Observations of one quantity beside."""
    bundle = loads(gzip.decompress((VECTORS / "synthea-patient.json.gz").read_bytes()))
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in bundle["entry"]:
        resource = entry["resource"]
        found.setdefault(resource["resourceType"], []).append(resource)
        if "valueQuantity" in resource:
            found.setdefault("Observation of a quantity", []).append(resource)
    return found


def measure(name: str, values: list[dict[str, Any]], rounds: int) -> dict[str, Any]:
    """Measure the extraction of each of `values`."""
    start = time.process_time()
    extract(values[0])
    cold = time.process_time() - start
    return {
        "name": name,
        "resources": len(values),
        "values_each": round(sum(len(extract(v)) for v in values) / len(values), 1),
        "extract_us": best_us(lambda: [extract(v) for v in values * 5], len(values) * 5, rounds),
        "cold_ms": round(cold * 1e3, 2),
    }


def searches(observations: list[dict[str, Any]], rounds: int) -> dict[str, Any]:
    """Measure reading the searches, and matching the first one with `observations`."""
    (type_, pairs), *_ = SEARCHES
    where = parse((type_,), pairs, now_ms=NOW_MS).where
    extracted = [extract(o) for o in observations]

    def match() -> None:
        for values in extracted:
            matches(where, type=type_, id="1", updated_ms=0, values=values)

    def read() -> None:
        for one, asked in SEARCHES * 20:
            parse((one,), asked, now_ms=NOW_MS)

    return {
        "name": "searches",
        "parse_us": best_us(read, len(SEARCHES) * 20, rounds),
        "match_us": best_us(match, len(extracted), rounds),
    }


def main() -> None:
    """Measure, print a table, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="rounds, of which the best counts")
    parser.add_argument("--out", type=Path, help="write the figures as JSON to this file")
    arguments = parser.parse_args()
    groups = resources()
    results = [measure(name, values, arguments.rounds) for name, values in groups.items()]
    results.append(searches(groups["Observation"], arguments.rounds))
    for result in results:
        print("  ".join(f"{key} {value}" for key, value in result.items()))
    if arguments.out:
        report = {
            "command": "bench/extract.py",
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {sys.version[:6]}",
            "results": results,
        }
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
