"""`simdes backup` and `simdes restore` as an operator runs them: what they print and exit with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from simdes import console
from simdes.cli import command_line
from simdes.errors import Conflict, Invalid, NotFound, SimdesError, Tampered
from support import consortium
from support.backups import Stage, found, staged


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli-backup") / "network"
    found(folder, {})
    return folder


@pytest.fixture
def stage(template: Path, tmp_path: Path) -> Stage:
    return staged(template, tmp_path, {})


def run(*words: object, **environment: str) -> Result:
    with consortium.own_settings():
        result = CliRunner().invoke(
            command_line(), [str(word) for word in words], env=environment, standalone_mode=False
        )
    if result.exception is not None:
        raise result.exception
    return result


def document(*words: object, **environment: str) -> Any:
    return json.loads(run(*words, "--json", **environment).stdout)


def test_a_backup_is_made_listed_verified_and_restored(stage: Stage) -> None:
    to = ("--to", stage.backups)
    planned = document("backup", "--data", stage.data, *to, "--dry-run")
    assert planned["dryRun"] and planned["contentsCopied"] == planned["contents"] > 0
    assert not stage.backups.exists()
    made = document("backup", "--data", stage.data, *to)
    assert made["contentsCopied"] == planned["contentsCopied"]
    assert made["positions"]["resources"] > 0
    words = run("backup", "--data", stage.data, *to).stdout
    assert "contents, 0 of them copied now" in words
    listed = document("backup", "list", "--from", stage.backups)
    assert (len(listed), listed[0]["name"]) == (2, made["name"])
    assert "Backups" in run("backup", "list", "--from", stage.backups).stdout
    secret = {"SIMDES_PASSPHRASE": stage.passphrase}
    checked = document("backup", "verify", "--from", stage.backups, "--all", **secret)
    assert [one["sound"] for one in checked] == [True, True]
    assert "Written" not in run("backup", "keys", "--data", stage.data, *to).stdout
    stage.lose()
    words = run("restore", "--data", stage.data, "--from", stage.backups, "--dry-run", **secret)
    assert "nothing was changed" in words.stdout
    assert not stage.data.exists()
    done = run("restore", "--data", stage.data, "--from", stage.backups, **secret)
    assert done.return_value == 0
    assert "0 do not hold" in done.stdout


def test_damage_is_named_and_exits_with_seven(stage: Stage) -> None:
    made = stage.back_up()
    other = stage.back_up()
    file = stage.folder.parent / "passphrase"
    block = max((stage.backups / "blocks").glob("??/*"), key=lambda path: path.stat().st_size)
    block.unlink()
    [archive] = (stage.backups / "archives").glob(f"{made.name}*")
    data = bytearray(archive.read_bytes())
    data[-40] ^= 1
    archive.write_bytes(data)
    asked = ("backup", "verify", "--from", stage.backups, "--passphrase-file", file)
    result = run(*asked, "--all", "--json")
    assert result.return_value == console.EXIT_CODES[Tampered] == 7
    first, second = json.loads(result.stdout)
    assert (first["sound"], second["sound"]) == (False, False)
    assert first["problem"]
    assert (second["name"], second["contentsMissing"]) == (other.name, 1)
    words = run(*asked, "--backup", other.name)
    assert (words.return_value, "FAILED" in words.stdout) == (7, True)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("backup", "--data", "DATA"), Invalid),
        (("backup", "list", "--from", "NOWHERE"), NotFound),
        (("backup", "--data", "DATA", "--to", "FULL"), Conflict),
        (("restore", "--data", "DATA", "--from", "NOWHERE"), NotFound),
        (("restore", "--data", "DATA", "--from", "BACKUPS", "--at", "yesterday"), Invalid),
        (("restore", "--data", "DATA", "--from", "BACKUPS", "--backup", "../x"), NotFound),
        (("restore", "--data", "DATA", "--from", "BACKUPS"), Conflict),
    ],
    ids=["no folder", "no backups", "other things", "nowhere", "no time", "no name", "database"],
)
def test_what_can_t_be_done_is_refused_with_advice(
    stage: Stage, words: tuple[str, ...], error: type[SimdesError]
) -> None:
    stage.back_up()
    full = stage.folder.parent / "full"
    full.mkdir()
    (full / "something").touch()
    places = {
        "DATA": stage.data,
        "NOWHERE": stage.folder.parent / "nowhere",
        "BACKUPS": stage.backups,
        "FULL": full,
    }
    with pytest.raises(error) as refused:
        run(*(places.get(word, word) for word in words))
    assert refused.value.advice


def test_the_folder_and_the_days_may_stand_in_the_settings(stage: Stage) -> None:
    path = stage.data / "simdes.toml"
    others = [line for line in path.read_text().splitlines() if not line.startswith("backup_")]
    path.write_text("\n".join([*others, 'backup_folder = "../../backups"', "backup_days = 1"]))
    first = document("backup", "--data", stage.data)["name"]
    shutil.rmtree(stage.folder / "south")  # nobody else is needed
    assert document("backup", "list", "--from", stage.backups)[0]["name"] == first
