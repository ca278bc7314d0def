"""How many HL7 v2 messages a second become durable, and where the time goes: map, check, store.

Run `.venv/bin/python bench/submit.py` on an idle machine. The messages are the published ADT and
ORU of tests/vectors/hl7v2 that are accepted, each sent again and again with a control id and a
patient number of its own. SQLite commits with synchronous FULL, PostgreSQL with fsync; a commit
holds up to 32 messages, as `simdes ingest` and `simdes listen` give them. CPU time of this one
process, and wall-clock time beside it; sealing and anchoring follow in the background and are not
counted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from adapters.postgres import Databases, running_postgres  # noqa: E402
from simdes.exchange.checking import check_message  # noqa: E402
from simdes.exchange.submit import GROUP, Accepted, check, submit_all  # noqa: E402
from simdes.index.migrations import migrate  # noqa: E402
from simdes.mapper import Mapping, map_bytes  # noqa: E402
from support import consortium  # noqa: E402

VECTORS = ROOT / "tests" / "vectors" / "hl7v2"
_CONTROL = re.compile(rb"^((?:[^|\r]*\|){9})[^|\r]*")
_NUMBER = re.compile(rb"(\rPID\|[^|\r]*\|[^|\r]*\|)[^|\r]*")


def messages(event: bytes) -> list[bytes]:
    """The published messages of one kind that are accepted."""
    found = [path.read_bytes().replace(b"\r\n", b"\r").replace(b"\n", b"\r")
             for path in sorted(VECTORS.rglob("*.hl7"))]  # fmt: skip
    of_kind = [data for data in found if b"|" + event + b"^" in data[:400] and b"\rPID|" in data]
    return [data for data in of_kind if _accepted(again(data, 0))]


def again(data: bytes, number: int) -> bytes:
    """The same message about another patient."""
    found = _CONTROL.sub(rb"\g<1>C%d" % number, data, count=1)
    return _NUMBER.sub(rb"\g<1>P%d^^^BENCH^MR" % number, found)


def _accepted(data: bytes) -> bool:
    answers = check(map_bytes("m", data))
    return len(answers) == 1 and isinstance(answers[0], Accepted)


@contextmanager
def founded(database: str) -> Iterator[Any]:
    """A hospital's node on a database of this kind."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        databases = {}
        if database == "postgresql":
            url = stack.enter_context(running_postgres(durable=True))
            databases["north"] = Databases(url, migrate).create()
        consortium.found(folder / "network", databases=databases)
        yield stack.enter_context(consortium.opened(folder / "network"))["north"].node


def timed(verb: Callable[[], Any]) -> tuple[float, float, Any]:
    """CPU seconds, wall-clock seconds, and what came of it."""
    began, cpu_began = time.perf_counter(), time.process_time()
    found = verb()
    return time.process_time() - cpu_began, time.perf_counter() - began, found


def measure(node: Any, inputs: list[bytes]) -> dict[str, Any]:
    """Map, then check (alone, for its share), then submit, which checks and stores."""
    mapped_cpu, mapped_wall, mappings = timed(lambda: [map_bytes("m", one) for one in inputs])
    checked_cpu, _, _ = timed(
        lambda: [check_message(one, message) for one in mappings for message in one.messages]
    )

    def submitted() -> int:
        groups: list[list[Mapping]] = [
            mappings[at : at + GROUP] for at in range(0, len(mappings), GROUP)
        ]
        answers = [one for group in groups for found in submit_all(node, group) for one in found]
        return sum(one.resources for one in answers if isinstance(one, Accepted))

    cpu, wall, resources = timed(submitted)
    count = len(inputs)
    return {
        "messages": count,
        "resources_each": round(resources / count, 1),
        "map_cpu_ms": round(1000 * mapped_cpu / count, 2),
        "check_cpu_ms": round(1000 * checked_cpu / count, 2),
        "store_cpu_ms": round(1000 * (cpu - checked_cpu) / count, 2),
        "messages_per_cpu_second": round(count / (mapped_cpu + cpu)),
        "messages_per_second": round(count / (mapped_wall + wall)),
    }


def main() -> None:
    """Measure, print a table, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000, help="messages of each kind")
    parser.add_argument("--databases", nargs="*", default=["sqlite", "postgresql"])
    parser.add_argument("--out", type=Path, help="write the figures as JSON to this file")
    arguments = parser.parse_args()
    results = []
    for database in arguments.databases:
        with founded(database) as node:
            for event in (b"ADT", b"ORU"):
                found = messages(event)
                inputs = [
                    again(found[number % len(found)], number)
                    for number in range(arguments.count + 2 * GROUP)
                ]
                measure(node, inputs[: 2 * GROUP])  # tables are read, code is warm
                about = {"database": database, "kind": event.decode()}
                results.append(about | measure(node, inputs[2 * GROUP :]))
                print(results[-1])
    if arguments.out:
        report = {
            "command": "bench/submit.py",
            "python": platform.python_version(),
            "machine": platform.platform(),
            "cpus": os.cpu_count(),
            "results": results,
        }
        arguments.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
