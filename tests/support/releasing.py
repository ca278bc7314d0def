"""Runs one release in a process of its own and says what it took: CPU seconds, most memory.

    python tests/support/releasing.py --people 1000 --policy hipaa-safe-harbor [--from FILE]

``--from``: lines of tools/synthea/generate.py; else invented people.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from simdes.fhir.json import loads
from simdes.research import make_release, policy, views, write_tables
from unit.research.population import people


def read(path: Path) -> Iterator[tuple[str, Any]]:
    with gzip.open(path, "rb") as lines:
        for line in lines:
            row = loads(line)
            yield row["subject"], row["resource"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--policy", default="hipaa-safe-harbor")
    parser.add_argument("--from", dest="source", type=Path)
    parser.add_argument("--tables", action="store_true")
    asked = parser.parse_args()
    source = read(asked.source) if asked.source else people(asked.people, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        work, out = Path(folder, "work"), Path(folder, "out")
        work.mkdir()
        outcome = make_release(
            source,
            policy(asked.policy),
            secret=b"s" * 32,
            today=date(2026, 11, 23),
            work=work,
            into=out,
        )
        released = time.process_time()
        if asked.tables:
            write_tables(out, views().values())
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    report = {**outcome.report(), "mebibytes": most, "releaseSeconds": released}
    print(json.dumps({**report, "seconds": time.process_time()}))


if __name__ == "__main__":
    main()
