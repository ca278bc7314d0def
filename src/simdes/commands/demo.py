"""`simdes demo`: the main job on shipped sample messages, narrated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simdes import console
from simdes import demo as story
from simdes.commands.common import AsJson


def add_commands(cli: typer.Typer) -> None:
    """Add this module's command."""
    cli.command("demo")(demo)


def demo(
    data: Annotated[
        Path | None, typer.Option("--data", help="An empty folder; default a new one.")
    ] = None,
    separate: Annotated[
        bool,
        typer.Option("--separate", help="Run each custody API as a process of its own."),
    ] = False,
    stay: Annotated[
        bool,
        typer.Option("--serve", help="Open a sample network to look around in, with a browser."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """One record, end to end: three organisations, real sample messages, under a minute."""
    say = (lambda _: None) if as_json else console.say
    if stay:
        story.serve(story.empty_folder(data), console.say)
        return
    facts = story.run(story.empty_folder(data), say, separate=separate)
    if as_json:
        console.print_json(facts)
