"""The FHIR surface under load: create, transaction, read, searches, `$everything`, mixed.

Run `.venv/bin/python bench/fhir.py` on an idle machine. It founds a network of three, starts three
`simdes serve` (sealing, audit and anchoring on), and drives hospital north with `bench/fhirload.py`
in a process of its own, which checks every answer. Without ``--database`` it measures both
databases at 1, 8 and 32 clients, then ten times as many resources (`RUNS`); with it one of them.
CPU and memory are those of north's server process, without PostgreSQL's own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import httpx  # noqa: E402

from adapters.postgres import Databases, running_postgres  # noqa: E402
from simdes import app, config  # noqa: E402
from simdes.exchange.signin import sign_in  # noqa: E402
from support import consortium  # noqa: E402

NAMES = ("north", "south", "east")
RUNS = (("sqlite", "1,8,32", 320), ("postgresql", "1,8,32", 320), ("sqlite", "1", 3200))
"""Database, clients, patients (about 34 resources each): what `make bench` measures."""
USER = "dr.north"


def main() -> None:
    """Measure what is asked for, and write down what came of it."""
    asked = _arguments()
    chosen = [(asked.database, asked.concurrency, asked.patients)] if asked.database else RUNS
    found = [measured(asked, *one) for one in chosen]
    asked.out.write_text(json.dumps({"results": found}, indent=2) + "\n")
    print(json.dumps([summary(one) for one in found], indent=2))


def measured(
    asked: argparse.Namespace, database: str, concurrency: str, patients: int
) -> dict[str, object]:
    """Found a network, serve it, load it; what `bench/fhirload.py` found out."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "network"
        databases = {}
        if database == "postgresql":
            server = stack.enter_context(running_postgres(durable=True))
            databases["north"] = Databases(server).create()
        consortium.found(folder, databases=databases)
        consortium.let_read(folder / "north")
        served = [stack.enter_context(serving(folder / name)) for name in reversed(NAMES)]
        base, process = served[-1]
        token, out = folder / "token", folder / "found.json"
        stack.enter_context(tokens(folder / "north", token))
        command = [
            *(sys.executable, str(ROOT / "bench" / "fhirload.py"), "--base", f"{base}/fhir"),
            *("--token-file", str(token), "--pid", str(process.pid), "--out", str(out)),
            *("--seconds", str(asked.seconds), "--concurrency", concurrency),
            *("--patients", str(patients), "--label", f"SIMDES on {database}"),
            *(("--phases", asked.phases) if asked.phases else ()),
        ]
        subprocess.run(command, check=True)  # noqa: S603 (our own words)
        found: dict[str, object] = json.loads(out.read_text())
    return {"database": database, "patients": patients, **found}


def summary(found: dict[str, object]) -> list[dict[str, object]]:
    """What a person looks at first: operations a second of each phase."""
    phases: list[dict[str, object]] = found["phases"]  # type: ignore[assignment]
    names = ("phase", "concurrency", "ops_per_s", "p50_ms", "p99_ms", "errors")
    return [{name: one.get(name) for name in names if name in one} for one in phases]


@contextmanager
def serving(data: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`simdes serve` of an organisation; its address and process."""
    url = config.load(data, {}).custody_url
    port = url.rpartition(":")[2]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SIMDES_")}
    with (data / "serve.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 (our own words)
            [sys.executable, "-m", "simdes", "serve", "--data", str(data), "--port", port],
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            for _ in range(300):
                try:
                    httpx.get(f"{url}/readyz", timeout=2)
                    break
                except httpx.HTTPError:
                    time.sleep(0.1)
            yield url, process
        finally:
            process.terminate()
            process.wait(timeout=60)


@contextmanager
def tokens(data: Path, path: Path) -> Iterator[None]:
    """Keep a fresh access token of the doctor in a file: one is good for five minutes."""
    stop = threading.Event()
    with consortium.own_settings(), app.opened(data) as one:

        def write() -> None:
            token = sign_in(one.node, USER, consortium.passphrase_of(USER)).token
            fresh = path.with_suffix(".new")
            fresh.write_text(token)
            fresh.replace(path)

        def keep() -> None:
            while not stop.wait(120):
                write()

        write()
        keeping = threading.Thread(target=keep)
        keeping.start()
        try:
            yield
        finally:
            stop.set()
            keeping.join()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--concurrency", default="1,8,32")
    parser.add_argument("--patients", type=int, default=400)
    parser.add_argument("--phases", default="")
    parser.add_argument("--out", type=Path, default=Path("fhir.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
