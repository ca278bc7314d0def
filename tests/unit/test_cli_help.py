"""Every command explains itself; a wrong command line is exit code 2."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from simdes.cli import COMMANDS, command_line
from support.gateways import simdes

PROMISED = {
    *("demo", "init", "ingest", "map", "grant", "revoke", "read", "log", "verify", "token"),
    *("doctor", "serve", "enrol", "quarantine", "listen"),
}
"""Commands with stable names (ARCHITECTURE.md) that this release has."""

PRINTS_DATA = PROMISED - {"serve", "enrol", "revoke"}


def _commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []

    def walk(names: tuple[str, ...], command: Any) -> None:
        found.append(names)
        for name, below in getattr(command, "commands", {}).items():
            walk((*names, name), below)

    walk((), typer.main.get_command(command_line()))
    return found


@pytest.mark.parametrize("names", _commands(), ids=" ".join)
def test_every_command_has_help(names: tuple[str, ...]) -> None:
    done = CliRunner().invoke(command_line(next(iter(names), None)), [*names, "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.output
    assert len(done.output.splitlines()) > 5


def test_the_promised_commands_are_there_and_print_json() -> None:
    root: Any = typer.main.get_command(command_line())
    assert set(root.commands) >= PROMISED
    for name in PRINTS_DATA:
        options = {option for one in root.commands[name].params for option in one.opts}
        assert "--json" in options, name


def test_the_program_prints_its_help() -> None:
    program = [sys.executable, "-m", "simdes", "--help"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert all(name in done.stdout for name in PROMISED)


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("read", "--nonsense"),
        ("read",),
        ("init", "--data", "x", "--name", "X", "--kind", "castle"),
        ("init", "--data", "x", "--name", "X", "--kind", "hospital", "--shares", "3of4"),
    ],
)
def test_a_wrong_command_line_is_exit_code_two(words: tuple[str, ...]) -> None:
    done = simdes(*words)
    assert done.returncode == 2
    assert "Usage:" in done.stderr or "Invalid value" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("module", COMMANDS)
def test_the_table_says_what_each_module_adds(module: str) -> None:
    only = typer.main.get_command(command_line(COMMANDS[module][0]))
    assert set(getattr(only, "commands", ())) == set(COMMANDS[module])
