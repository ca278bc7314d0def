"""The command line: `simdes COMMAND --help`. Exit codes are in `simdes.console`."""

from __future__ import annotations

import sys

import click
import typer

from simdes import console
from simdes.commands import consent, demo, network, people, proof, records
from simdes.errors import SimdesError

cli = typer.Typer(
    name="simdes",
    help="Medical records exchanged under the patient's control.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (demo, network, people, records, consent, proof):
    module.add_commands(cli)


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        code = cli(standalone_mode=False)
    except SimdesError as error:
        console.show_error(error)
        sys.exit(console.exit_code(error))
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        console.warn("Stopped.")
        sys.exit(130)
    sys.exit(code or 0)
