"""The mapper next to the Python libraries that one would otherwise use, on the same inputs.

Run `make peers` once, then `.venv/bin/python bench/peers.py`. HL7 v2: python-hl7 and hl7apy, which
parse and no more; there is no converter of HL7 v2 to FHIR in Python to compare with. C-CDA:
python-fhir-converter, the templates of Microsoft's converter. CPU time of one process, best of
three rounds; a library's rate counts the inputs that it takes.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

from simdes.mapper import map_bytes

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".tools" / "peers" / "bin" / "python"
ROUNDS = 3


def inputs() -> dict[str, list[bytes]]:
    """Return the published inputs that are mapped here, by set."""
    found: dict[str, list[bytes]] = {}
    for kind in ("hl7v2", "cda"):
        for path in sorted((ROOT / "tests" / "vectors" / kind).rglob("*")):
            if not path.is_file() or path.suffix == ".md":
                continue
            data = path.read_bytes()
            data = gzip.decompress(data) if path.suffix == ".gz" else data
            mapping = map_bytes(path.name, data)
            if mapping.kind != kind or not mapping.messages:
                continue
            found.setdefault(f"{kind} all", []).append(data)
            for event in ("ADT", "ORU"):
                if mapping.messages[0].event.startswith(event):
                    found.setdefault(f"{kind} {event}", []).append(data)
    return found


def ours(data: list[bytes]) -> dict[str, Any]:
    """Time the whole mapping."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for one in data:
            map_bytes("bench", one)
        best = min(best, time.process_time() - start)
    return {"inputs": len(data), "taken": len(data), "per_second": round(len(data) / best, 1)}


def main() -> None:
    """Measure, print a table, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="write the figures as JSON to this file")
    arguments = parser.parse_args()
    found = inputs()
    rows = [
        {"set": name, "library": "simdes (whole mapping)", **ours(data)}
        for name, data in found.items()
    ]
    given = {name: [b64encode(one).decode() for one in data] for name, data in found.items()}
    command = [str(PYTHON), str(ROOT / "bench" / "peers_timed.py")]
    done = subprocess.run(  # noqa: S603 our own interpreter
        command, input=json.dumps(given), capture_output=True, text=True, check=True
    )
    rows = sorted([*rows, *json.loads(done.stdout)], key=lambda row: row["set"])
    for row in rows:
        print(f"{row['set']:<12} {row['library']:<40} {row['taken']:>4} {row['per_second']:>10}")
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        report = {"command": "bench/peers.py", "results": rows}
        arguments.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
