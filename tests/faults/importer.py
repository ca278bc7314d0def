"""A process that works on bulk imports and kills itself at its N-th commit.

Arguments: the network's folder, the commit, and ``before`` or ``after`` it. Its clock runs ahead by
as many leases as it has predecessors, as in `cases.py`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from simdes.exchange.bulk import importing, jobs, lines, loading, staging
from simdes.import_http import HttpFiles
from simdes.index.transaction import Database
from support import consortium
from support.consortium import Clock

AT_ONCE = 4
LEASE_SECONDS = 31


def main(folder: Path, number: int, when: str, ahead_seconds: float) -> None:
    """Work until it is killed, or until nothing is left to do."""
    importing.AT_ONCE = AT_ONCE  # type: ignore[misc]
    importing._READ_SECONDS = 0.0  # type: ignore[misc]
    lines.CHUNK_LINES = 10  # type: ignore[misc]
    staging._COMMIT_SECONDS = 0.0  # type: ignore[misc]
    done = 0
    dying = False
    write = Database.write

    def at_finish(module: Any) -> None:
        finish = module.finish

        def counted(*given: Any, **named: Any) -> Any:
            nonlocal done, dying
            made = finish(*given, **named)
            done += 1
            dying = done == number
            if dying and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            return made

        module.finish = counted

    def at_commit(*given: Any, **named: Any) -> Any:
        made = write(*given, **named)
        if dying:
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    for module in (importing, loading, staging):
        at_finish(module)
    Database.write = at_commit  # type: ignore[method-assign]
    with consortium.opened(folder, clock=Clock(ahead_seconds)) as network:
        node = network["north"].node
        object.__setattr__(node, "files", HttpFiles("127.0.0.1"))
        while jobs.work(node, worker=f"process {os.getpid()}"):
            pass


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
