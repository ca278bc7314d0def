"""The project says what it has: commands, settings, import rules, paper sections."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

from simdes.cli import command_line
from simdes.commands.common import identifier, seconds
from simdes.config import Settings
from simdes.errors import Invalid

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")


def commands() -> list[tuple[str, Any]]:
    """Every command with its full name; Typer's classes are its own copies of click's."""
    found: list[tuple[str, Any]] = []

    def walk(prefix: str, group: Any) -> None:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                walk(f"{prefix}{name} ", command)
            else:
                found.append((prefix + name, command))

    walk("", typer.main.get_command(command_line()))
    return found


@pytest.mark.parametrize(("name", "command"), commands(), ids=str)
def test_every_command_and_option_is_explained(name: str, command: Any) -> None:
    assert command.help, name
    options = [one for one in command.params if one.param_type_name == "option"]
    assert options
    for option in options:
        assert option.help, f"{name} {option.name}"


def test_every_command_stands_in_the_guide_or_the_read_me() -> None:
    text = GUIDE + (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [name for name, _ in commands() if f"simdes {name}" not in text]
    assert missing == []


def test_every_setting_stands_in_the_guide() -> None:
    missing = [field.name for field in fields(Settings) if f"`{field.name}`" not in GUIDE]
    assert missing == []


def test_import_rules_hold() -> None:
    result = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-2_000:]


def test_every_folder_the_read_me_names_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text[text.index("| paper | folder |") :]
    named = re.findall(r"`((?:src|tests|contracts|bench|docs)[\w./]*)`", table)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    ("text", "expected"), [("15m", 900), ("12h", 43_200), ("30d", 2_592_000), ("1y", 31_536_000)]
)
def test_durations_are_written_with_a_unit(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5h", "1 month"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        seconds(text)


def test_a_patient_is_named_by_system_and_value() -> None:
    assert identifier("urn:oid:1.2|7|8") == ("urn:oid:1.2", "7|8")
    assert identifier("|7") == ("", "7")
    for text in ("7", "urn:oid:1.2|", ""):
        with pytest.raises(Invalid):
            identifier(text)
