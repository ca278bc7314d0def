"""What a proof costs: time, memory and size, here and in a browser, and gas to verify it.

    .venv/bin/python bench/prove.py --out bench/results/prove.json

The statement is a second fill of three (tools/write_proof_vectors.py); the first proof of a process
reads the key, the others don't. In Chromium snarkjs proves in one thread, and in several.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from tools.write_proof_vectors import dispense_signals  # noqa: E402

from adapters.ledgers import Town  # noqa: E402
from adapters.prescribed import Forests  # noqa: E402
from simdes.ledger.ledger import open_ledger  # noqa: E402
from simdes.proofs import keys, prover  # noqa: E402
from simdes.proofs.prescriptions import Step  # noqa: E402
from simdes.proofs.witness import witness  # noqa: E402
from support.browser_prover import SCRIPT, prove, timed  # noqa: E402
from support.served import a_browser  # noqa: E402

ROUNDS = 5


def here() -> dict[str, float]:
    """Proving in Python, in a process that does nothing else."""
    own = keys.load("dispense", allow_development=True)
    signals, public, _ = dispense_signals()
    _, first, _ = timed(lambda: prover.prove(own, signals, public))
    proofs = [timed(lambda: prover.prove(own, signals, public)) for _ in range(ROUNDS)]
    witnesses = [timed(lambda: witness(own.circuit_code, signals)) for _ in range(ROUNDS)]
    checks = [timed(lambda: prover.holds(own, proofs[0][0], public)) for _ in range(ROUNDS)]
    return {
        "first_seconds": first,
        "seconds": statistics.median(one[1] for one in proofs),
        "cpu_seconds": statistics.median(one[2] for one in proofs),
        "witness_cpu_seconds": statistics.median(one[2] for one in witnesses),
        "verify_ms": 1_000 * statistics.median(one[1] for one in checks),
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024,
    }


def browser(threads: bool) -> dict[str, float]:
    """Proving in Chromium: the page loads circuit and key each time."""
    own = keys.load("dispense", allow_development=True)
    signals, public, _ = dispense_signals()
    with a_browser() as started:
        made = [prove(started, own, signals, threads=threads) for _ in range(3)]
    if not all(one.public == public and prover.holds(own, one.proof, public) for one in made):
        raise RuntimeError("a proof of the browser does not hold")
    return {
        "first_seconds": made[0].seconds,
        "seconds": statistics.median(one.seconds for one in made),
        "cpu_seconds": statistics.median(one.cpu_seconds for one in made),
        "memory_mib": max(one.renderer_mib for one in made),
    }


def transactions() -> dict[str, int]:
    """Gas of whole transactions with real proofs, from receipts of the embedded ledger."""
    with tempfile.TemporaryDirectory() as folder:
        town = Town(open_ledger(f"embedded:{folder}/ledger.db", clock=time.time))
        hospital, pharmacy = town.organisation(), town.organisation(kind=2)
        held = Forests(town, hospital).prescribe()
        prescriptions, lane, today = town.contracts.prescriptions, pharmacy.agent.lane, held.today()
        nothing = Step(before=0, after=0, day=today)
        steps = {
            "bindPharmacy": (prescriptions.bind_pharmacy, nothing),
            "releasePharmacy": (prescriptions.release_pharmacy, replace(nothing, releases=True)),
            "dispense, first of a tag": (prescriptions.dispense, replace(nothing, after=30)),
            "dispense, another": (
                prescriptions.dispense,
                Step(before=30, after=60, day=today, fill_day=today),
            ),
        }
        return {
            f"{name}: whole transaction with its proof": lane.transact(
                verb(held.prove(step, pharmacy))
            ).gas_used
            for name, (verb, step) in steps.items()
        }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--here", action="store_true", help="Python alone, to standard output")
    chosen = parser.parse_args()
    if chosen.here:
        print(json.dumps(here()))
        return
    own = keys.load("dispense", allow_development=True)
    alone = [sys.executable, __file__, "--here"]
    done = subprocess.run(alone, check=True, capture_output=True, text=True)  # noqa: S603
    gas = json.loads((ROOT / "contracts/gas.json").read_bytes())
    found: dict[str, Any] = {
        "cores": os.cpu_count(),
        "python": json.loads(done.stdout),
        "browser": browser(threads=False),
        "browser_threads": browser(threads=True),
        "bytes": {
            "proof": prover.PROOF_BYTES,
            "proving key": own.proving_key.stat().st_size,
            "circuit": own.circuit_code.stat().st_size,
            "snarkjs": SCRIPT.stat().st_size,
        },
        "gas": {
            name: gas[name]
            for name in ("DispenseVerifier.verifyProof", "DisclosureVerifier.verifyProof")
        }
        | transactions(),
        "load": os.getloadavg()[0],
    }
    text = json.dumps(found, indent=1)
    if chosen.out:
        chosen.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
