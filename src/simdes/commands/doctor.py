"""The command that checks a set-up."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from simdes import console, doctor
from simdes.commands.common import AsJson


def add_commands(cli: typer.Typer) -> None:
    """Add this module's command."""
    cli.command("doctor")(check)


def check(
    data: Annotated[
        Path | None, typer.Option("--data", help="The organisation's folder; not for --list.")
    ] = None,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Accept the network's contracts as they are now."),
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--check", help="Run this check alone; may be given several times."),
    ] = None,
    list_checks: Annotated[
        bool, typer.Option("--list", help="Say what is looked at, and look at nothing.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Check the set-up: keys, address, machine, ledger, storage, database, custodians, clocks."""
    if list_checks:
        _list_checks(as_json)
        return 0
    if data is None:
        raise typer.BadParameter("is missing", param_hint="--data")
    unknown = sorted(set(only or ()) - set(doctor.CHECKS))
    if unknown:
        raise typer.BadParameter(f"no such check: {', '.join(unknown)}", param_hint="--check")
    findings = doctor.examine(data, accept=accept, only=only or ())
    if as_json:
        console.print_json([asdict(one) for one in findings])
    else:
        _tell(findings)
    return 1 if any(one.state in ("failed", "unknown") for one in findings) else 0


_MARKS = {
    "ok": ("ok     ", "green"),
    "warning": ("warning", "yellow"),
    "failed": ("FAILED ", "bold red"),
    "unknown": ("unknown", "yellow"),
}


def _tell(findings: list[doctor.Finding]) -> None:
    for one in findings:
        mark, style = _MARKS[one.state]
        console.say(f"{mark} {one.check}: {one.message}", style=style)
        if one.advice:
            console.say(f"        {one.advice}")


def _list_checks(as_json: bool) -> None:
    checks = doctor.CHECKS.values()
    if as_json:
        rows = [{"check": c.name, "part": c.part, "means": c.means, "do": c.advice} for c in checks]
        console.print_json(rows)
        return
    console.print_table(
        "Checks",
        ("Name", "What it means", "What to do"),
        [(c.name, c.means, c.advice) for c in checks],
    )
