"""The command line: `simdes COMMAND --help`. Exit codes are in `simdes.console`."""

from __future__ import annotations

import sys

import typer

from simdes import console, logs
from simdes.commands import (
    audit,
    backup,
    ceremony,
    clients,
    consent,
    consortium,
    demo,
    disclose,
    facade,
    feeds,
    mapping,
    network,
    people,
    prescriptions,
    proof,
    quarantine,
    records,
    storage,
    vaults,
)
from simdes.errors import SimdesError

cli = typer.Typer(
    name="simdes",
    help="Medical records exchanged under the patient's control.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
# Typer brings its own copy of click and exports the leaves of its exceptions alone, not their root.
_WrongCommandLine = next(
    kind
    for kind in typer.BadParameter.__mro__
    if kind.__name__ == "ClickException" and issubclass(kind, Exception)
)

for module in (
    demo,
    disclose,
    network,
    consortium,
    people,
    clients,
    mapping,
    records,
    quarantine,
    feeds,
    facade,
    storage,
    backup,
    consent,
    proof,
    ceremony,
    vaults,
    prescriptions,
    audit,
):
    module.add_commands(cli)


def main() -> None:
    """Run the command line and exit with its code."""
    # What is logged goes to standard error: with --json standard output is one document.
    logs.to_standard_error("warning", "text")
    try:
        code = cli(standalone_mode=False)
    except SimdesError as error:
        console.show_error(error)
        sys.exit(console.exit_code(error))
    except _WrongCommandLine as error:
        error.show()  # type: ignore[attr-defined]  # known to be click's or its copy
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        console.warn("Stopped.")
        sys.exit(130)
    sys.exit(code or 0)
