"""How many claims a second are opened, adjudicated and settled, with proofs, records and a ledger.

Run `.venv/bin/python bench/claim_journey.py --visits 20`. A hospital, an
insurer and a third custodian in one process, on the embedded ledger and SQLite; patients let their
insurer see claims by preference, so that nobody is waited for. CPU seconds, all three together, so
that a busy machine counts for nothing; beside it how many of them proving took.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from simdes.exchange.claims import (  # noqa: E402
    arriving,
    billing_desk,
    cases,
    deciding,
    disclosing,
    opening,
    paying,
)
from simdes.ledger.contracts import ClaimState  # noqa: E402
from simdes.proofs import prover  # noqa: E402
from support import consortium  # noqa: E402
from support.claim_scene import Visit, declare  # noqa: E402
from support.consortium import Clock  # noqa: E402
from support.fhir_api import Api, application  # noqa: E402

NAMES = ("north", "south", "east")


def main() -> None:
    """Print the rates as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visits", type=int, default=20)
    visits = parser.parse_args().visits
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(Path(folder) / "network", visits), indent=2))


def measured(folder: Path, count: int) -> dict[str, object]:
    """Seconds of CPU for each claim and phase."""
    clock = Clock()
    consortium.found(folder, names=NAMES)
    for name in NAMES:
        consortium.let_read(folder / name)
    declare(folder)
    with consortium.opened(folder, clock=clock) as network:
        doctor = Api.of(network["north"], "dr.north", app=application(network["north"]))
        _through([_visit(network, clock, doctor, 0)])  # loads keys and code
        waiting = [_visit(network, clock, doctor, number) for number in range(1, count + 1)]
        for one in waiting:
            _prefer(one)
        phases = {
            "opened": _timed(lambda: _open(waiting)),
            "adjudicated": _timed(lambda: _decide(waiting)),
            "settled": _timed(lambda: _settle(waiting)),
        }
    return {"claims": count} | {
        name: {
            "cpu_seconds_each": round(cpu / count, 3),
            "of_it_proving": round(proving / count, 3),
            "each_cpu_second": round(count / cpu, 2),
        }
        for name, (cpu, proving) in phases.items()
    }


def _visit(network: consortium.Consortium, clock: Clock, doctor: Api, number: int) -> Visit:
    made = Visit.of(network, clock, doctor, f"bench-{number}")
    made.enrol()
    return made


def _prefer(visit: Visit) -> None:
    east = visit.node("east").organisation
    disclosing.prefer(visit.node("north"), visit.patient, visit.vault, east)


def _through(visits: list[Visit]) -> None:
    for one in visits:
        _prefer(one)
    _open(visits)
    _decide(visits)
    _settle(visits)


def _open(visits: list[Visit]) -> None:
    """State costs, open, offer and disclose."""
    north = visits[0].node("north")
    vaults = {one.vault for one in visits}
    while True:
        visits[0].clock.ahead_seconds += north.rules.batch_seconds
        opening.work(north)
        visits[0].network.settle()
        mine = [x for x in billing_desk.mine(north, visits[0].biller) if x.vault in vaults]
        if len(mine) == len(visits) and all(x.state is ClaimState.DISCLOSED for x in mine):
            break
    arriving.collect(visits[0].node("east"))


def _decide(visits: list[Visit]) -> None:
    """Read what was disclosed and decide as proposed; the hospital accepts."""
    for one in visits:
        east, clerk = one.node("east"), one.clerk()
        [row] = one.inbox()
        deciding.decide(east, clerk, cases.case(east, clerk, row.claim))
        billing_desk.accept(one.node("north"), one.biller, row.claim)


def _settle(visits: list[Visit]) -> None:
    for one in visits:
        claim = next(x.claim for x in one.mine())
        paying.settle(one.node("east"), one.clerk(), claim)


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    """CPU seconds of some work, and how many of them proving took."""
    proving = 0.0
    prove = prover.prove

    def timed(*given: object) -> bytes:
        nonlocal proving
        began = time.process_time()
        try:
            return prove(*given)  # type: ignore[arg-type]
        finally:
            proving += time.process_time() - began

    prover.prove = timed  # type: ignore[assignment]
    try:
        began = time.process_time()
        work()
        return time.process_time() - began, proving
    finally:
        prover.prove = prove


if __name__ == "__main__":
    main()
