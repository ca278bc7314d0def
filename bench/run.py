"""`make bench`: run every benchmark and write bench/results/*.json and docs/evaluation.md.

The page is made from the results alone: text that is not measured lives in bench/evaluation.md,
where ``{{name}}`` stands for a table, and says what was measured when and on what. Run it on an
idle machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
BENCHMARKS: dict[str, tuple[str, ...]] = {
    "seal": (),
    "map": (),
    "coverage": (),
    "peers": (),
    "validate": (),
    "extract": (),
    "index": ("--seconds", "2"),
    "ledger": ("--anvil",),
    "exchange": (),
    "network": (),
    "submit": (),
    "listen": (),
    "fhir": (),
    "large": ("--large", "--seconds", "4"),
    "prove": (),
}
SCRIPTS = {"large": "fhir"}
"""Benchmarks that are another's program with other arguments."""


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def seal(found: dict[str, Any]) -> str:
    """Sealing and opening, next to the bare cost of the cryptography."""
    return table(
        ("resources a body", "sealed/s", "share of the bare cost", "opened/s", "share"),
        [
            (
                one["resources_per_body"],
                one["resources_sealed_per_second"],
                f"{one['seal_share_of_limit']:.0%}",
                one["resources_opened_per_second"],
                f"{one['open_share_of_limit']:.0%}",
            )
            for one in found["results"]
        ],
    )


def mapping(found: dict[str, Any]) -> str:
    """Messages a second."""
    rows = [
        (one["name"], one["messages"], one["bytes_each"], one["messages_per_second"])
        for one in found["results"]
    ]
    return table(("messages", "count", "bytes each", "mapped/s"), rows)


def coverage(found: dict[str, Any]) -> str:
    """Shares of the sources' values."""
    shares = ("literal_share", "beside_share", "accounted_share")
    rows = [
        (
            f"{one['format']}/{one['set']}",
            one["sources"],
            one["values"],
            *(f"{one[share]:.1%}" for share in shares),
        )
        for one in found["results"]
    ]
    found_as = ("found literally", "of these beside", "or translated")
    return table(("vectors", "sources", "values", *found_as), rows)


def peers(found: dict[str, Any]) -> str:
    """The mapper next to other libraries."""
    rows = [
        (one["set"], one["library"], f"{one['taken']} of {one['inputs']}", one["per_second"])
        for one in found["results"]
    ]
    return table(("inputs", "library", "taken", "per second"), rows)


def validate(found: dict[str, Any]) -> str:
    """Resources a second."""
    rows = [
        (one["name"], one["bytes_each"], one["structure_per_second"], one["validate_per_second"])
        for one in found["results"]
    ]
    return table(("resources", "bytes each", "structure and bindings/s", "everything/s"), rows)


def extract(found: dict[str, Any]) -> str:
    """Search values of resources."""
    rows = [
        (one["name"], one["resources"], one["values_each"], one["extract_us"])
        for one in found["results"]
        if "extract_us" in one
    ]
    return table(("resources", "count", "values each", "µs each"), rows)


def index(found: dict[str, Any]) -> str:
    """The database."""
    return table(("what", "per second"), [(name, float(value)) for name, value in found.items()])


def ledger(found: dict[str, Any]) -> str:
    """The ledger."""
    rows = [
        (part, name, float(value))
        for part, figures in found.items()
        if isinstance(figures, dict)
        for name, value in figures.items()
    ]
    return table(("part", "what", "figure"), rows)


def listening(found: dict[str, Any]) -> str:
    """Messages over MLLP."""
    names = ("connections", "messages", "acknowledged_per_second", "per_cpu_second")
    rows = [
        (*(one[name] for name in names), one["p50_ms"], one["p99_ms"]) for one in found["results"]
    ]
    columns = ("connections", "messages", "acknowledged/s", "a CPU second", "p50 ms", "p99 ms")
    return table(columns, rows)


def submitting(found: dict[str, Any]) -> str:
    """Messages made durable."""
    names = ("database", "kind", "resources_each", "map_cpu_ms", "check_cpu_ms", "store_cpu_ms")
    rates = ("messages_per_cpu_second", "messages_per_second")
    columns = ("database", "messages", "resources each", "map ms", "check ms", "store ms")
    return table(
        (*columns, "a CPU second", "a second"),
        [tuple(one[name] for name in (*names, *rates)) for one in found["results"]],
    )


_PHASES = {
    "create": "create",
    "bundle": "transaction of 50",
    "read": "read",
    "obs": "Observation by patient and code, sorted",
    "cond": "Condition by code, with subjects",
    "pat": "Patient by name and birth date",
    "everything": "$everything",
    "mixed": "80 % reads, 20 % writes",
}


def fhir(found: dict[str, Any]) -> str:
    """The FHIR surface: a row for each phase and database, then growth."""
    runs = found["results"]
    whole = [one for one in runs if len({phase["concurrency"] for phase in one["phases"]}) > 1]
    rows = []
    for run in whole:
        clients = sorted({one["concurrency"] for one in run["phases"]})
        for phase, name in _PHASES.items():
            its = {one["concurrency"]: one for one in run["phases"] if one["phase"] == phase}
            if not its:
                continue
            rows.append(
                (
                    run["database"],
                    run.get("processes", 1),
                    f"{int(run['load']['resources']):,}",
                    name,
                    *(its[one]["ops_per_s"] for one in clients),
                    its[clients[0]]["latency_ms"]["p50"],
                    its[clients[-1]]["latency_ms"]["p99"],
                    _cpu_ms(its[clients[0]]),
                    max(one["server"]["hwm_mb"] for one in its.values()),
                    sum(one["errors"] for one in its.values()),
                )
            )
    columns = (
        "database",
        "processes",
        "resources",
        "what",
        "1 client",
        "8",
        "32",
        "p50 ms of 1",
        "p99 ms of 32",
    )
    return table((*columns, "CPU ms each", "memory MB", "wrong"), rows) + "\n\n" + _growth(runs)


def _cpu_ms(phase: dict[str, Any]) -> float:
    """CPU time of the server for one operation, with what it puts off until later."""
    after = (phase.get("after") or {}).get("cpu_s", 0)
    return float(round((phase["server"]["cpu_s"] + after) * 1000 / max(1, phase["ops"]), 1))


def scaling(found: dict[str, Any]) -> str:
    """The same requests by one and by several processes: operations and CPU time."""
    runs = found["results"]
    rows = []
    for phase, name in _PHASES.items():
        for clients in (8, 32):
            its = [_phase(run, phase, clients) for run in runs]
            if all(its):
                rows.append(
                    (
                        name,
                        clients,
                        *(one["ops_per_s"] for one in its),
                        *(one["server"]["cpu_ms_per_op"] for one in its),
                    )
                )
    counts = [run["processes"] for run in runs]
    columns = [*(f"{n}: per second" for n in counts), *(f"{n}: CPU ms each" for n in counts)]
    return table(("what", "clients", *columns), rows)


def _phase(run: dict[str, Any], phase: str, clients: int) -> dict[str, Any]:
    found = (p for p in run["phases"] if (p["phase"], p["concurrency"]) == (phase, clients))
    return next(found, {})


def large(found: dict[str, Any]) -> str:
    """Growth: each phase at 1, 8 and 32 clients against the number of resources."""
    runs = sorted(
        found["results"], key=lambda one: (one["database"], int(one["load"]["resources"]))
    )
    rows = []
    for phase, name in _PHASES.items():
        for run in runs:
            its = [_phase(run, phase, clients) for clients in (1, 8, 32)]
            if all(its):
                rows.append(
                    (
                        name,
                        run["database"],
                        f"{int(run['load']['resources']):,}",
                        *(_cpu_ms(one) for one in its),
                        *(one["ops_per_s"] for one in its),
                        max(one["server"]["hwm_mb"] for one in its),
                        sum(one["errors"] for one in its),
                    )
                )
    each = [f"CPU ms each, {clients}" for clients in ("1 client", "8", "32")]
    rates = [f"a second, {clients}" for clients in ("1 client", "8", "32")]
    columns = ("what", "database", "resources", *each, *rates, "memory MB", "wrong")
    loads = [
        (
            run["database"],
            f"{int(run['load']['resources']):,}",
            float(run["load"]["seconds"]),
            run["machine"],
        )
        for run in runs
    ]
    kept = table(("database", "resources", "stored in s", "machine"), loads)
    return table(columns, rows) + "\n\n" + kept


def _growth(runs: Sequence[dict[str, Any]]) -> str:
    """CPU time an operation of one client against the number of resources."""
    most = max(one.get("processes", 1) for one in runs)
    of_sqlite = sorted(
        (one for one in runs if one["database"] == "sqlite" and one.get("processes", 1) == most),
        key=lambda one: int(one["load"]["resources"]),
    )
    each = [
        {
            one["phase"]: one["server"]["cpu_ms_per_op"]
            for one in run["phases"]
            if one["concurrency"] == 1
        }
        for run in of_sqlite
    ]
    columns = [f"{run['load']['resources']:,} resources" for run in of_sqlite]
    rows = [
        (name, *(one.get(phase, "") for one in each))
        for phase, name in _PHASES.items()
        if any(phase in one for one in each)
    ]
    return table(("CPU ms each, one client, SQLite", *columns), rows)


def exchange(found: dict[str, Any]) -> str:
    """The whole path."""
    one = found["open_one"]
    rows = [
        *((name.replace("_", " "), float(value)) for name, value in found["ingest"].items()),
        ("records opened in one call, per second", float(found["open_batch"]["per_second"])),
        (
            "the same by the reader's own CPU time, per second",
            float(found["open_batch"]["reader_cpu_per_second"]),
        ),
        ("one record opened, p50, ms", float(one["p50_ms"])),
        ("one record opened, p99, ms", float(one["p99_ms"])),
        ("revocation to refusal, ms", float(found["revocation_to_refusal_ms"])),
    ]
    return table(("what", "figure"), rows)


def network(found: dict[str, Any]) -> str:
    """What separate programs on a ledger of one block a second do."""
    audited, one, many, gone = (
        found[part] for part in ("audited", "open_one", "open_batch", "revoked")
    )
    rows = [
        (
            "attempts written down, per CPU second of one organisation",
            audited["written_per_cpu_second"],
        ),
        ("the same, a second", audited["written_per_second"]),
        (
            "attempts on chain, a second, one organisation",
            audited["one_organisation_on_chain_per_second"],
        ),
        (
            "the same, per CPU second of it",
            audited["one_organisation_on_chain_per_cpu_second"],
        ),
        (
            "attempts on chain, a second, three organisations at once",
            audited["three_organisations_on_chain_per_second"],
        ),
        ("one record opened, p50, ms", one["p50_ms"]),
        ("one record opened, p99, ms", one["p99_ms"]),
        ("one record opened, CPU time of the reader, ms", one["cpu_ms_each"]),
        ("records opened in one call, a second", many["per_second"]),
        ("the same, per CPU second of the reader", many["reader_cpu_per_second"]),
        ("the same, per CPU second of each custodian", many["custodian_cpu_per_second"]),
        ("revocation to refusal, p50, ms", gone["p50_ms"]),
        ("revocation to refusal, the slowest, ms", gone["most_ms"]),
        ("refusal after the revocation's block, the slowest, ms", gone["after_its_block_most_ms"]),
    ]
    return table(("what", "figure"), [(name, float(value)) for name, value in rows])


_PROVERS = {
    "python": "Python (groth16py, one core)",
    "browser": "Chromium (snarkjs, one thread)",
    "browser_threads": "Chromium (snarkjs, threads)",
}


def proving(found: dict[str, Any]) -> str:
    """A proof, by whom it is made; sizes and gas."""
    rows = [
        (
            name,
            f"{found[part]['seconds']:.2f}",
            f"{found[part]['first_seconds']:.2f}",
            f"{found[part]['cpu_seconds']:.2f}",
            float(found[part]["memory_mib"]),
        )
        for part, name in _PROVERS.items()
    ]
    made = table(("prover", "seconds", "the first", "CPU seconds", "memory MiB"), rows)
    sizes = [(f"{name}, bytes", value) for name, value in found["bytes"].items()]
    sizes += [(f"{name}, gas", value) for name, value in found["gas"].items()]
    sizes.append(("verifying in Python, ms", f"{found['python']['verify_ms']:.1f}"))
    sizes.append(("others' load of the machine at that time", f"{found['load']:.1f}"))
    return made + "\n\n" + table(("what", "figure"), sizes)


TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "seal": seal,
    "map": mapping,
    "coverage": coverage,
    "peers": peers,
    "validate": validate,
    "extract": extract,
    "index": index,
    "ledger": ledger,
    "exchange": exchange,
    "network": network,
    "submit": submitting,
    "listen": listening,
    "fhir": fhir,
    "large": large,
    "scaling": scaling,
    "prove": proving,
}


def measure(names: Sequence[str]) -> None:
    """Run these benchmarks, one after another."""
    RESULTS.mkdir(exist_ok=True)
    for name in names:
        print(f"bench/{name}.py …", flush=True)
        out = RESULTS / f"{name}.json"
        script = SCRIPTS.get(name, name)
        command = [sys.executable, f"bench/{script}.py", *BENCHMARKS[name], "--out", str(out)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def write() -> None:
    """Write docs/evaluation.md from the results that are there."""
    page = (ROOT / "bench" / "evaluation.md").read_text(encoding="utf-8")
    for name, render in TABLES.items():
        path = RESULTS / f"{name}.json"
        made = f"Not measured yet: run `bench/run.py {name}`."
        if path.exists():
            made = render(json.loads(path.read_text(encoding="utf-8")))
        page = page.replace("{{" + name + "}}", made)
    (ROOT / "docs" / "evaluation.md").write_text(page, encoding="utf-8")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="default all")
    parser.add_argument("--write-only", action="store_true", help="make the page from the results")
    chosen = parser.parse_args()
    if not chosen.write_only:
        measure(chosen.names or list(BENCHMARKS))
    write()


if __name__ == "__main__":
    main()
