"""Half an hour of load on real processes: memory stays flat, queues bounded, every record holds.

`SIMDES_SOAK_SECONDS` says how long; 1,800 by default. Three organisations, PostgreSQL and SQLite,
a ledger node with a block every second, as in `support.besieged`, and nothing fails. The figures go
to docs/security/accept.md.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pytest

from faults import evidence
from faults.load import FINE, SYSTEM, Load
from support import consortium
from support.besieged import Siege, besieged, wait_until
from support.fhir_api import Api, application

pytestmark = [pytest.mark.nodes, pytest.mark.accept]

SECONDS = int(os.environ.get("SIMDES_SOAK_SECONDS", "1800"))
LOOK_SECONDS = 5
TOKEN_SECONDS = 120
WARM_SHARE = 1 / 3
"""The first part of a run, in which caches fill: not counted."""
GROWTH_MIB = 24
"""How much a process may grow over the counted part, by the fitted slope."""
WAITING_MOST = 2_000
"""Resources that may wait for their anchor at a time."""
SETTLED_SECONDS = 60
CALL_SECONDS = 10


@dataclass(slots=True)
class Watch:
    """What was seen of a run: memory of each process in MiB, and resources that waited."""

    times: list[float] = field(default_factory=list)
    memory: dict[str, list[float]] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)

    def look(self, siege: Siege) -> None:
        """One more sample."""
        self.times.append(time.monotonic())
        for name, one in siege.members.items():
            assert one.program is not None and one.program.poll() is None, f"{name} ended"
            self.memory.setdefault(name, []).append(_mib(one.program.pid))
        self.waiting.append(sum(siege.waiting().values()))

    def growth(self, name: str) -> float:
        """MiB by which a process grew over the counted part, by the median of all slopes."""
        first = int(len(self.times) * WARM_SHARE)
        times, sizes = self.times[first:], self.memory[name][first:]
        slopes = [
            (sizes[later] - sizes[earlier]) / (times[later] - times[earlier])
            for earlier in range(len(times))
            for later in range(earlier + 1, len(times))
        ]
        return median(slopes) * (times[-1] - times[0])


def _mib(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def test_memory_stays_flat_queues_bounded_and_every_record_holds(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with besieged(tmp_path) as siege:
        load, watch = Load(siege), Watch()
        until = time.monotonic() + SECONDS
        siege.sign_in()
        signed_in = time.monotonic()
        with load.running():
            while time.monotonic() < until:
                if time.monotonic() - signed_in > TOKEN_SECONDS:
                    siege.sign_in()
                    signed_in = time.monotonic()
                time.sleep(LOOK_SECONDS)
                watch.look(siege)
        settled = wait_until(siege.waiting, SETTLED_SECONDS)
        wait_until(siege.copying, SETTLED_SECONDS)
        for name, sizes in watch.memory.items():
            said = f"{sizes[0]:.0f} to {sizes[-1]:.0f} MiB, fitted growth {watch.growth(name):+.1f}"
            record_property("soak", f"{name}: {said} MiB")
        calls = {name: sum(one.outcomes.values()) for name, one in load.seen.items()}
        record_property("soak", f"{SECONDS} s, calls {calls}, most waiting {max(watch.waiting)}")
        record_property("soak", f"all anchored {settled:.0f} s after the end")
        assert load.wrong == []
        assert all(set(one.outcomes) <= {FINE} for one in load.seen.values()), load.seen
        assert max(one.slowest for one in load.seen.values()) < CALL_SECONDS
        assert max(watch.waiting) < WAITING_MOST
        assert {
            name: grew for name in watch.memory if (grew := watch.growth(name)) > GROWTH_MIB
        } == {}
        siege.stop()
        _verify(siege, load)


def _verify(siege: Siege, load: Load) -> None:
    """Every acknowledged observation once, and every record in every store, trail and chain."""
    clock = consortium.Clock(60)
    with consortium.opened(siege.folder, clock=clock) as network:
        api = Api.of(network["north"], "dr.north", app=application(network["north"]))
        found = Counter(
            one["valueString"] for one in api.found(f"Observation?identifier={SYSTEM}|&_count=500")
        )
        assert found == Counter(f"value of {value}" for value in load.acknowledged)
        network.settle()
        assert evidence.wrong(network, "north", {}) == []
