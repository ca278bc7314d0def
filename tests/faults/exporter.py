"""A process that works on bulk exports and kills itself at its N-th slice.

Arguments: the network's folder, the slice, and ``before`` or ``after`` its commit. Its clock runs
ahead by as many leases as it has predecessors, as in `cases.py`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from simdes.exchange.bulk import exporting, jobs
from support import consortium
from support.consortium import Clock

AT_ONCE = 3
LEASE_SECONDS = 31


def main(folder: Path, number: int, when: str, ahead_seconds: float) -> None:
    """Work until it is killed, or until nothing is left to do."""
    exporting.AT_ONCE = AT_ONCE  # type: ignore[misc]
    done = 0
    finish = exporting.finish
    slice_of = exporting.slice_of

    def at_commit(*given: Any, **named: Any) -> Any:
        nonlocal done
        done += 1
        made = finish(*given, **named)
        if when == "before" and done == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    def at_end(*given: Any, **named: Any) -> Any:
        made = slice_of(*given, **named)
        if when == "after" and done == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    exporting.finish = at_commit  # type: ignore[attr-defined]
    exporting.slice_of = at_end
    with consortium.opened(folder, clock=Clock(ahead_seconds)) as network:
        while jobs.work(network["north"].node, worker=f"process {os.getpid()}"):
            pass


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
