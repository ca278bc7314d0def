"""Commands for the facade: read an existing FHIR server."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from simdes import app, console, logs
from simdes.app import Opened
from simdes.commands.common import AsJson, Data
from simdes.errors import Conflict
from simdes.exchange.facade import Round, Status, Step, status
from simdes.fhir_http import checked


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(
        help="Read an existing FHIR server as the source of records.", no_args_is_help=True
    )
    group.command("run")(run)
    group.command("once")(once)
    group.command("status")(show)
    cli.add_typer(group, name="facade")


def run(data: Data) -> None:
    """Read changes in rounds until stopped; `simdes serve` does the same beside its other work.

    SIGTERM and Ctrl-C end it after the page that it reads. The log goes to standard error.
    """
    with app.opened(data) as one, app.facade(one) as reader:
        logs.to_standard_error(one.settings.log_level, one.settings.log_format)
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        console.say(f"{one.settings.name} reads {checked(one.settings.facade_url)}")
        sys.stdout.flush()
        reader.run(stop)


def once(
    data: Data,
    again: Annotated[
        bool, typer.Option("--again", help="Read everything from the beginning.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Read what changed since the last round, or everything at first; then stop.

    Broken off, it goes on where it was. What is here already is left alone. `simdes serve` seals
    and anchors. Exit code 5: some of it went to quarantine.
    """
    with app.opened(data) as one, app.facade(one) as reader:
        if again:
            reader.restart()
        with console.progress(as_json) as bar:
            done = reader.once(_Bars(bar).told)
    if done is None:
        raise Conflict(
            "Another program of this organisation reads the FHIR server now.",
            advice="`simdes facade status` shows how far it came.",
        )
    if as_json:
        console.print_json(_counts(done))
    else:
        console.say(
            f"{done.seen} versions read: {done.resources} resources new or changed, "
            f"{done.refused} in quarantine, {done.deleted} deleted there."
        )
    return console.BAD_INPUT if done.refused else 0


class _Bars:
    """A progress bar for each stream, as long as the source says that it is."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}

    def told(self, step: Step) -> None:
        """Move the bar of a stream."""
        if step.stream not in self._tasks:
            self._tasks[step.stream] = self._bar.add_task(step.stream, total=step.total)
        self._bar.update(self._tasks[step.stream], completed=step.taken)


def _counts(done: Round) -> dict[str, int]:
    return {
        "seen": done.seen,
        "resources": done.resources,
        "quarantined": done.refused,
        "deleted": done.deleted,
        "waiting": done.waiting,
    }


def show(data: Data, as_json: AsJson = False) -> None:
    """Show how far the FHIR server was read, and what of it waits."""
    with app.opened(data) as one:
        found = _status(one)
        if as_json:
            console.print_json(_document(one, found))
            return
        _say(one, found)


def _status(one: Opened) -> Status:
    if not one.settings.facade_url:
        raise Conflict(
            "This organisation reads no other FHIR server.", advice="Set facade_url in simdes.toml."
        )
    return status(one.node, checked(one.settings.facade_url))


def _document(one: Opened, found: Status) -> dict[str, object]:
    source = found.source
    return {
        "url": one.settings.facade_url,
        "mode": source.mode if source else None,
        "running": found.held,
        "beganMs": source.begun_ms if source else None,
        "endedMs": source.ended_ms if source else None,
        "failure": source.failure if source else None,
        "streams": [
            {
                "name": each.name,
                "positionMs": each.position_ms,
                "loaded": bool(each.loaded),
                "seen": each.taken,
                "quarantined": each.refused,
            }
            for each in found.streams
        ],
        "deletionsWaiting": found.deletions_waiting,
        "deletionsSeen": source is None or source.mode != "search",
        "deletions": [f"{each.type}/{each.logical_id}" for each in found.deletions],
    }


def _say(one: Opened, found: Status) -> None:
    source = found.source
    if source is None:
        console.say(f"{one.settings.facade_url} was not read yet.")
        return
    console.say(f"{source.url}, by {source.mode or 'nothing yet'}")
    ended = "never" if source.ended_ms is None else console.instant(source.ended_ms / 1000)
    state = "a round is under way" if found.held else "no round is under way"
    console.say(f"Last round that came to its end: {ended}; {state}.")
    if source.failure:
        console.warn(f"The last round was broken off ({source.failure}); it is tried again.")
    console.print_table(
        "Streams",
        ("Stream", "Up to", "Loaded", "Seen", "In quarantine"),
        [
            (
                each.name,
                "-" if each.position_ms is None else console.instant(each.position_ms / 1000),
                "yes" if each.loaded else "no",
                each.taken,
                each.refused,
            )
            for each in found.streams
        ],
    )
    if source.mode == "search":
        console.warn("A server that is read by searches does not show what it deleted.")
    if found.deletions_waiting:
        console.warn(
            f"{found.deletions_waiting} resources were deleted there, and people here wrote to "
            "them: decide, and delete them over the FHIR API. --json lists them."
        )
