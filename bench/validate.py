"""How fast FHIR JSON is read, written and validated.

Run `.venv/bin/python bench/validate.py` on an idle core. The resources are the published ones of
tests/vectors/fhir: the entries of a synthetic patient's Bundle and US Core's examples. Measured in
CPU time of one process, so that a neighbour on the machine does not count; the best of several
rounds. "structure" is everything but invariants: elements, types, cardinality, formats, bindings,
references; "cold" is a fresh process from its start to its first answer.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from simdes.fhir import invariants
from simdes.fhir.json import dumps, loads
from simdes.fhir.validate import validate

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT / "tests" / "vectors" / "fhir"
SMALL_BYTES = 2_500
COLD = (
    "from simdes.fhir.validate import validate;"
    "validate({'resourceType': 'Patient', 'name': [{'family': 'x'}]})"
)


def resources() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the synthetic patient's Bundle, and all resources singly."""
    bundle = loads(gzip.decompress((VECTORS / "synthea-patient.json.gz").read_bytes()))
    examples = loads(gzip.decompress((VECTORS / "us-core-examples.json.gz").read_bytes()))
    return bundle, [*(e["resource"] for e in bundle["entry"]), *examples.values()]


def best_seconds(verb: Callable[[], object], rounds: int) -> float:
    """Return the least CPU seconds of this process that one call of `verb` took."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        verb()
        best = min(best, time.process_time() - start)
    return best


def measure(name: str, values: list[dict[str, Any]], rounds: int) -> dict[str, Any]:
    """Measure reading, writing and validating each of `values` once."""
    texts = [dumps(v) for v in values]
    count = len(values)
    read = best_seconds(lambda: [loads(t) for t in texts], rounds)
    write = best_seconds(lambda: [dumps(v) for v in values], rounds)
    whole = best_seconds(lambda: [validate(v) for v in values], rounds)
    with mock.patch.object(invariants, "check", lambda *_: None):
        structure = best_seconds(lambda: [validate(v) for v in values], rounds)
    size = sum(map(len, texts))
    return {
        "name": name,
        "resources": count,
        "bytes_each": round(size / count),
        "read_per_second": round(count / read),
        "read_mb_per_second": round(size / read / 1e6, 1),
        "write_per_second": round(count / write),
        "structure_per_second": round(count / structure),
        "validate_per_second": round(count / whole),
        "validate_us": round(whole / count * 1e6, 1),
    }


def cold_seconds(rounds: int) -> float:
    """Return the least seconds of a fresh process that validates one resource."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", COLD], check=True)  # noqa: S603 our own interpreter
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    """Measure, print a table, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds, of which the best counts")
    parser.add_argument("--out", type=Path, help="write the figures as JSON to this file")
    arguments = parser.parse_args()
    bundle, singly = resources()
    small = [r for r in singly if len(dumps(r)) <= SMALL_BYTES]
    groups = {f"resources to {SMALL_BYTES} bytes": small, "all resources": singly}
    for name in ("Patient", "Observation", "Encounter", "Condition"):
        groups[name] = [r for r in singly if r["resourceType"] == name]
    results = [measure(name, values, arguments.rounds) for name, values in groups.items()]
    results.append(measure(f"Bundle of {len(bundle['entry'])}", [bundle], arguments.rounds))
    cold = round(cold_seconds(arguments.rounds), 3)
    for result in results:
        for name, value in result.items():
            print(f"{name:>22}  {value:>24}")
        print()
    print(f"{'cold_seconds':>22}  {cold:>24}")
    if arguments.out:
        report = {
            "command": "bench/validate.py",
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {sys.version[:6]}",
            "cold_seconds": cold,
            "results": results,
        }
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
