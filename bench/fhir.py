"""The FHIR surface under load: create, transaction, read, searches, `$everything`, mixed.

Run `.venv/bin/python bench/fhir.py` on an idle machine. It founds a network of three, starts three
`simdes serve` (sealing, audit and anchoring on), and drives hospital north with `bench/fhirload.py`
in a process of its own, which checks every answer. It measures each of `RUNS` (or of `LARGE`, whose
populations are stored without HTTP, unsealed: `bench/preload.py`) and writes its row as soon as it
is done; what stands in the file already is not measured again, so that it goes on where
it was stopped (``--again`` forgets). Between phases it waits until what was put off is done
(sealing and anchoring above all), whose CPU time counts to the phase that caused it.
``--database`` and its companions measure one row instead.
CPU and memory are those of north's processes together, without PostgreSQL's own. ``--server-cpus``,
``--client-cpus`` and ``--others-cpus`` keep the three apart on a machine that has more than two.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import httpx  # noqa: E402

from adapters.postgres import Databases, running_postgres  # noqa: E402
from simdes import app, config  # noqa: E402
from simdes.exchange.signin import sign_in  # noqa: E402
from simdes.index.migrations import migrate  # noqa: E402
from support import consortium  # noqa: E402

NAMES = ("north", "south", "east")
USER = "dr.north"


@dataclass(frozen=True, slots=True)
class Run:
    """One row: ``patients`` have about 34 resources each; ``clients`` as `fhirload` takes them.

    ``preloaded``: all but the last 640 patients are stored without HTTP (`bench/preload.py`).
    """

    database: str
    patients: int
    processes: int
    clients: str
    preloaded: bool = False

    @property
    def name(self) -> str:
        """What tells it from the others."""
        return f"{self.database}, {self.patients} patients, {self.processes} processes"


RUNS = (
    Run("sqlite", 320, 1, "1,8,32"),
    Run("sqlite", 320, 2, "1,8,32"),
    Run("postgresql", 320, 1, "1,8,32"),
    Run("postgresql", 320, 2, "1,8,32"),
)
LARGE = tuple(
    Run(database, patients, 1, "1,8,32", preloaded=True)
    for patients in (320, 3_000, 24_150)
    for database in ("sqlite", "postgresql")
)
"""Some 10,000, 100,000 and 1,000,000 resources."""


def main() -> None:
    """Measure what is asked for and not known yet, and write down what came of it."""
    asked = _arguments()
    found = [] if asked.again or not asked.out.exists() else _read(asked.out)
    for run in _chosen(asked):
        if any(one["name"] == run.name for one in found):
            continue
        print(run.name, "…", flush=True)
        one = {**measured(asked, run), "name": run.name, "machine": machine()}
        found.append(one)
        asked.out.write_text(json.dumps({"results": found}, indent=2) + "\n")
        print(json.dumps(summary(one), indent=2), flush=True)


def _read(path: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(path.read_text())["results"]
    return found


def _chosen(asked: argparse.Namespace) -> Sequence[Run]:
    if asked.database:
        words = (asked.database, asked.patients, asked.processes, asked.concurrency)
        return [Run(*words, preloaded=asked.preloaded)]
    return LARGE if asked.large else RUNS


def machine() -> str:
    """The machine in a few words."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((one.partition(":")[2].strip() for one in lines if "model name" in one), "")
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def measured(asked: argparse.Namespace, run: Run) -> dict[str, object]:
    """Found a network, serve it, load it; what `bench/fhirload.py` found out."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "network"
        databases = {}
        if run.database == "postgresql":
            server = stack.enter_context(running_postgres(durable=True))
            databases["north"] = Databases(server, migrate).create()
        consortium.found(folder, databases=databases)
        consortium.let_read(folder / "north")
        for name in NAMES[1:]:
            stack.enter_context(serving(folder / name, 1, asked.others_cpus))
        north = folder / "north"
        base, process = stack.enter_context(serving(north, run.processes, asked.server_cpus))
        token, out = folder / "token", folder / "found.json"
        stack.enter_context(tokens(north, token))
        command = [
            *pinned(asked.client_cpus),
            *(sys.executable, str(ROOT / "bench" / "fhirload.py"), "--base", f"{base}/fhir"),
            *("--token-file", str(token), "--pid", str(process.pid), "--out", str(out)),
            *("--seconds", str(asked.seconds), "--concurrency", run.clients),
            *("--patients", str(run.patients), "--label", f"SIMDES on {run.database}"),
            *("--settle", str(max(60, min(run.patients, 640) // 8))),
            *("--procs", str(asked.client_processes)),
            *(("--phases", asked.phases) if asked.phases else ()),
            *(("--preload", str(north)) if run.preloaded else ()),
        ]
        if subprocess.run(command, check=False).returncode:  # noqa: S603 (our own words)
            log = (north / "serve.log").read_text(errors="replace")
            sys.exit(f"The load stopped; what the server said last:\n{log[-4_000:]}")
        found: dict[str, object] = json.loads(out.read_text())
    return {
        "database": run.database,
        "patients": run.patients,
        "processes": run.processes,
        "preloaded": run.preloaded,
        "server_cpus": asked.server_cpus,
        **found,
    }


def pinned(cpus: str) -> list[str]:
    """What keeps a command on some processors."""
    return ["taskset", "-c", cpus] if cpus else []


def summary(found: dict[str, object]) -> list[dict[str, object]]:
    """What a person looks at first: operations a second of each phase."""
    phases: list[dict[str, object]] = found["phases"]  # type: ignore[assignment]
    names = ("phase", "concurrency", "ops_per_s", "p50_ms", "p99_ms", "errors")
    return [{name: one.get(name) for name in names if name in one} for one in phases]


@contextmanager
def serving(data: Path, processes: int, cpus: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`simdes serve` of an organisation; its address and process."""
    url = config.load(data, {}).custody_url
    port = url.rpartition(":")[2]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SIMDES_")}
    words = ["serve", "--data", str(data), "--port", port, "--processes", str(processes)]
    with (data / "serve.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 (our own words)
            [*pinned(cpus), sys.executable, "-m", "simdes", *words],
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            for _ in range(1_200):
                try:
                    httpx.get(f"{url}/readyz", timeout=2)
                    break
                except httpx.HTTPError:
                    time.sleep(0.1)
            yield url, process
        finally:
            process.terminate()
            process.wait(timeout=120)


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
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--client-processes", type=int, default=1)
    parser.add_argument("--phases", default="")
    parser.add_argument("--preloaded", action="store_true", help="store without HTTP, unsealed")
    for whose in ("server", "client", "others"):
        parser.add_argument(f"--{whose}-cpus", default="", help="as `taskset -c` takes them")
    parser.add_argument("--large", action="store_true", help="measure `LARGE` in place of `RUNS`")
    parser.add_argument("--again", action="store_true", help="forget what was measured before")
    parser.add_argument("--out", type=Path, default=Path("fhir.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
