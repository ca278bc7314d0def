"""`simdes doctor`: is this organisation set up to work, and if not, what to do.

One table (`table.CHECKS`) says what is looked at, what it means and what to do about it. The checks
run side by side, each with a limit to its time, and one that fails does not stop the others.
Nothing is changed, except that ``accept`` writes down the network's contracts as they are now.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import Path

from simdes import app, config
from simdes.app import Opened
from simdes.doctor.check import Check, Finding, Task, failed, start, unknown
from simdes.doctor.place import Place
from simdes.doctor.table import CHECKS, OPENED, PLACED
from simdes.errors import SimdesError, Unavailable

__all__ = ["CHECKS", "Check", "Finding", "examine"]

SECONDS = 9.0
"""For everything; a check that is not done by then is said not to have answered."""
OPEN_SECONDS = 7.0


def examine(
    data: Path,
    *,
    accept: bool = False,
    only: Collection[str] = (),
    clock: Callable[[], float] = time.time,
) -> list[Finding]:
    """Check an organisation's folder and everything it depends on.

    ``only`` names the checks to run; none runs all. The findings come in the order of the table.
    """
    try:
        settings = config.load(data)
    except SimdesError as error:
        return [failed(CHECKS["settings"], error)]
    chosen = [one for one in CHECKS.values() if not only or one.name in only]
    place = Place(data, settings, clock)
    deadline = time.monotonic() + SECONDS
    with ExitStack() as stack:
        stack.callback(place.close)
        tasks = {one.name: start(one, place, settings) for one in chosen if one.name in PLACED}
        if any(one.name in OPENED for one in chosen):
            wanted = [one for one in chosen if one.name in OPENED]
            tasks |= _within(data, wanted, accept=accept, clock=clock, stack=stack)
        for one in chosen:
            tasks[one.name].wait(deadline)
        if not all(task.done for task in tasks.values()):
            stack.pop_all()  # what still asks goes on using it; the end of the program closes it
    return [finding for one in chosen for finding in tasks[one.name].findings()]


def _within(
    data: Path,
    wanted: list[Check],
    *,
    accept: bool,
    clock: Callable[[], float],
    stack: ExitStack,
) -> dict[str, Task]:
    """Open the organisation, which takes no ledger lane, and start what looks at it from inside."""

    def open_it() -> Opened:
        inside = ExitStack()
        one = inside.enter_context(app.opened(data, clock=clock, processes=2, upgrade=False))
        if accept:
            app.accept_pins(data, one)
        stack.push(inside)
        return one

    opening = Task.of("start", open_it)
    opening.wait(time.monotonic() + OPEN_SECONDS)
    if not isinstance(opening.result, Opened):
        error = opening.error or Unavailable("The organisation could not be opened in time.")
        return _not_examined(wanted, error)
    one = opening.result
    return {check.name: start(check, one, one.settings) for check in wanted}


def _not_examined(wanted: list[Check], error: SimdesError) -> dict[str, Task]:
    """The first check says why none of them could look; it is the one of the opening itself."""
    tasks = {}
    for check in wanted:
        found = (
            failed(check, error)
            if check.name == "start"
            else check.finding(unknown("it could not be opened"))
        )
        tasks[check.name] = Task.ended(found)
    return tasks
