"""How fast HL7 v2 is mapped to FHIR: messages a second on one core, validation not included.

Run `.venv/bin/python bench/map.py` on an idle core. The messages are the published ones of
tests/vectors/hl7v2, so that other converters can be timed on the same; "full" are those with every
field filled (7 to 9 kB), "usual" those of 500 to 2,500 bytes. Measured in CPU time of one process,
so that a neighbour on the machine does not count; the best of several rounds. "cold" is a fresh
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simdes.fhir.json import dumps
from simdes.mapper import map_bytes

VECTORS = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "hl7v2"
COLD = (
    "from simdes.mapper import map_bytes;"
    r"map_bytes('x', b'MSH|^~\\&|A|B|||20240101||ADT^A01|1|P|2.5\rPID|1||7')"
)


def messages() -> dict[str, bytes]:
    """Return the published messages that this release maps."""
    found = {path.name: path.read_bytes() for path in sorted(VECTORS.rglob("*.hl7"))}
    return {name: data for name, data in found.items() if map_bytes(name, data).messages}


def best_seconds(verb: Callable[[], object], rounds: int) -> float:
    """Return the least CPU seconds of this process that one call of `verb` took."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        verb()
        best = min(best, time.process_time() - start)
    return best


def measure(name: str, inputs: list[bytes], rounds: int) -> dict[str, Any]:
    """Measure mapping each of `inputs` once, and writing the Bundles as JSON."""
    bundles = [map_bytes(name, data).messages[0].bundle for data in inputs]
    seconds = best_seconds(lambda: [map_bytes("bench.hl7", data) for data in inputs], rounds)
    written = best_seconds(lambda: [dumps(bundle) for bundle in bundles], rounds)
    size = sum(map(len, inputs))
    return {
        "name": name,
        "messages": len(inputs),
        "bytes_each": round(size / len(inputs)),
        "resources_each": round(sum(len(b["entry"]) for b in bundles) / len(inputs), 1),
        "messages_per_second": round(len(inputs) / seconds),
        "mb_per_second": round(size / seconds / 1e6, 2),
        "us_each": round(seconds / len(inputs) * 1e6),
        "json_us_each": round(written / len(inputs) * 1e6),
    }


def cold_seconds(rounds: int) -> float:
    """Return the least seconds of a fresh process that maps one message."""
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
    found = messages()
    everything = list(found.values())
    usual = [data for data in everything if 500 <= len(data) <= 2_500]
    groups = {
        "all": everything,
        "ADT": [data for data in everything if b"|ADT^" in data[:400]],
        "ORU": [data for data in everything if b"|ORU^" in data[:400]],
        "usual": usual,
        "usual ADT": [data for data in usual if b"|ADT^" in data[:400]],
        "full": [data for data in everything if len(data) > 5_000],
    }
    results = [measure(name, inputs, arguments.rounds) for name, inputs in groups.items()]
    cold = round(cold_seconds(arguments.rounds), 3)
    for result in results:
        for name, value in result.items():
            print(f"{name:>22}  {value:>12}")
        print()
    print(f"{'cold_seconds':>22}  {cold:>12}")
    if arguments.out:
        report = {
            "command": "bench/map.py",
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {sys.version[:6]}",
            "cold_seconds": cold,
            "results": results,
        }
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
