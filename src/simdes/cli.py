"""The command line: `simdes COMMAND --help`. Exit codes are in `simdes.console`."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

import typer

from simdes import console, logs
from simdes.errors import SimdesError

COMMANDS: Final = {
    "demo": ("demo",),
    "disclose": ("disclose",),
    "network": ("init",),
    "serve": ("serve",),
    "doctor": ("doctor",),
    "organisations": ("organisation",),
    "consortium": ("network",),
    "people": ("account", "token", "enrol"),
    "clients": ("client",),
    "mapping": ("map", "infer"),
    "records": ("ingest", "read"),
    "quarantine": ("quarantine",),
    "feeds": ("listen", "pharmacy-message"),
    "facade": ("facade",),
    "storage": ("storage",),
    "backup": ("backup", "restore"),
    "consent": ("grant", "revoke", "consents"),
    "emergency": ("emergency",),
    "proof": ("log", "verify"),
    "ceremony": ("ceremony",),
    "vaults": ("vault",),
    "guardians": ("guardian", "recovery", "key"),
    "merges": ("merge",),
    "prescriptions": ("prescription",),
    "claims": ("claim",),
    "fingerprints": ("fingerprints",),
    "own_copy": ("own-copy",),
    "study": ("study",),
    "wallet": ("wallet",),
    "audit": ("audit",),
}
"""Modules of `simdes.commands` and what each adds: a command loads its own module alone."""

# Typer brings its own copy of click and exports the leaves of its exceptions alone, not their root.
_WrongCommandLine = next(
    kind
    for kind in typer.BadParameter.__mro__
    if kind.__name__ == "ClickException" and issubclass(kind, Exception)
)


def command_line(name: str | None = None) -> typer.Typer:
    """Put the command line together: the module of the command `name`, or all of them.

    Loading all of them takes a second longer than one.
    """
    cli = typer.Typer(
        name="simdes",
        help="Medical records exchanged under the patient's control.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    cli.callback()(lambda: None)  # a single command stays one with a name
    for module in [one for one, names in COMMANDS.items() if name in names] or COMMANDS:
        import_module(f"simdes.commands.{module}").add_commands(cli)
    return cli


def main() -> None:
    """Run the command line and exit with its code."""
    # What is logged goes to standard error: with --json standard output is one document.
    logs.to_standard_error("warning", "text")
    try:
        code = command_line(next(iter(sys.argv[1:]), None))(standalone_mode=False)
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
