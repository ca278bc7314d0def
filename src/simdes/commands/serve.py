"""The command that serves an organisation's gateway."""

from __future__ import annotations

import sys
from typing import Annotated
from urllib.parse import urlsplit

import typer

from simdes import app, config, console, processes, serving
from simdes.commands.common import Data


def add_commands(cli: typer.Typer) -> None:
    """Add this module's command."""
    cli.command("serve")(serve)


def serve(
    data: Data,
    port: Annotated[
        int | None, typer.Option("--port", help="Default: the port of the custody URL.")
    ] = None,
    address: Annotated[
        str,
        typer.Option("--address", help="Where to listen; beyond this machine only behind TLS."),
    ] = serving.ADDRESS,
    count: Annotated[
        int,
        typer.Option(
            "--processes",
            min=1,
            max=processes.MOST,
            help="How many answer on the port; from 2 on the worker has one of its own.",
        ),
    ] = 1,
) -> int:
    """Serve the custody API and do the worker's steps until stopped.

    It speaks clear text, to this machine alone by default: TLS is for the balancer in front.
    """
    settings = config.load(data)
    number = port or urlsplit(settings.custody_url).port or 8400

    def ready() -> None:
        console.say(f"{settings.name} answers on http://{address}:{number}")
        sys.stdout.flush()

    if count > 1:
        place = processes.Place(data=data, address=address, port=number, processes=count)
        return processes.serve(place, ready)
    with app.opened(data) as one:
        serving.serve(one, address=address, port=number, ready=ready)
    return 0
