"""`simdes storage status | verify | erase`, as an operator runs them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from simdes import console
from simdes.cli import command_line
from simdes.errors import Conflict, Invalid, NotFound, SimdesError, Tampered
from simdes.own_store import storekeeper
from simdes.storage.cid import parse
from support import consortium
from support.gateways import simdes

NAMES = ("north", "south")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two organisations with stores of their own, a record of north's and its copies at south."""
    folder = tmp_path_factory.mktemp("storage") / "network"
    consortium.found(folder, names=NAMES, stores=dict.fromkeys(NAMES, "file:blocks"))
    with consortium.opened(folder) as network:
        for name, data in consortium.sample_messages("HL7DataExtractorTest_098.hl7"):
            network.submit("north", name, data)
        network.settle()
        keep(network)
    return folder


def keep(network: consortium.Consortium, rounds: int = 3) -> None:
    for _ in range(rounds):
        for name in NAMES:
            storekeeper(network[name]).work()


@pytest.fixture
def north(template: Path, tmp_path: Path) -> Iterator[Path]:
    with consortium.own_settings():
        yield consortium.copy(template, tmp_path / "network") / "north"


def run(*arguments: str) -> tuple[int, Any]:
    """A command's exit code and the JSON that it prints."""
    result = CliRunner().invoke(
        command_line(), ["storage", *arguments, "--json"], standalone_mode=False
    )
    if result.exception is not None:
        raise result.exception
    return result.return_value or 0, json.loads(result.stdout)


def text(*arguments: str) -> str:
    result = CliRunner().invoke(command_line(), ["storage", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def the_record(north: Path) -> str:
    with closing(sqlite3.connect(north / "simdes.sqlite")) as database:
        [row] = database.execute("SELECT record_id FROM record LIMIT 1").fetchall()
    return f"0x{row[0].hex()}"


def files(north: Path, cid: str) -> Path:
    digest = parse(cid)[1].hex()
    return north / "blocks" / digest[:2] / digest


def test_status_counts_what_is_here_and_what_is_kept_for_others(north: Path) -> None:
    code, found = run("status", "--data", str(north))
    assert code == 0
    assert found["contents"] >= 4
    assert found["damaged"] == found["erasing"] == found["fetching"] == 0
    assert {"short", "overdue", "keptForOthers", "keptForOthersBytes"} <= set(found)
    words = text("status", "--data", str(north))
    assert f"{found['contents']:>8} contents of ours are in the store" in words


def test_status_of_a_record_says_who_holds_its_body_and_its_capsule(north: Path) -> None:
    record = the_record(north)
    _, found = run("status", "--data", str(north), "--record", record)
    assert found["record"] == record
    assert {one["kind"] for one in found["contents"]} == {"body", "capsule"}
    with consortium.opened(north.parent) as network:
        south = "0x" + network["south"].node.organisation.hex()
    for one in found["contents"]:
        assert one["state"] == "kept"
        assert [copy["organisation"] for copy in one["copies"]] == [south]
    words = text("status", "--data", str(north), "--record", record)
    assert "body" in words
    assert south in words


@pytest.mark.parametrize("command", ["status", "erase"])
@pytest.mark.parametrize(
    ("record", "error"),
    [
        ("0x" + "ab" * 32, NotFound),
        ("0xab", Invalid),
        ("patient", Invalid),
        ("0X" + "ab" * 32, Invalid),
    ],
    ids=["unknown", "short", "words", "capital"],
)
def test_a_record_that_is_none_is_refused(
    north: Path, command: str, record: str, error: type[SimdesError]
) -> None:
    with pytest.raises(error):
        run(command, "--data", str(north), "--record", record)


def test_verify_reads_everything_and_finds_nothing_wrong(north: Path) -> None:
    code, found = run("verify", "--data", str(north))
    assert code == 0
    assert found["read"] >= found["contents"]
    assert (found["mended"], found["damaged"]) == (0, 0)


def test_verify_says_what_stays_damaged_and_exits_with_seven(north: Path) -> None:
    _, record = run("status", "--data", str(north), "--record", the_record(north))
    path = files(north, record["contents"][0]["cid"])
    path.write_bytes(b"rubbish")  # nobody else is reached from here, so it can't be mended
    result = simdes("storage", "verify", "--data", north, "--json")
    assert result.returncode == console.EXIT_CODES[Tampered] == 7
    assert json.loads(result.stdout)["damaged"] == 1  # what is logged of it goes elsewhere
    assert "contents damaged" in result.stderr
    assert run("status", "--data", str(north))[1]["damaged"] == 1


def test_erase_begins_once_and_the_storekeepers_carry_it_out(north: Path) -> None:
    record = the_record(north)
    _, before = run("status", "--data", str(north), "--record", record)
    assert run("erase", "--data", str(north), "--record", record) == (0, {"contents": 2})
    with pytest.raises(NotFound, match="erased it before"):
        run("erase", "--data", str(north), "--record", record)
    assert run("status", "--data", str(north))[1]["erasing"] == 2
    with consortium.opened(north.parent) as network:
        until = time.monotonic() + 30
        while run("status", "--data", str(north))[1]["erasing"]:  # who is asked comes again
            assert time.monotonic() < until
            keep(network, rounds=1)
            time.sleep(0.1)
    _, after = run("status", "--data", str(north), "--record", record)
    for one in after["contents"]:
        assert one["state"] == "erased"
        assert {copy["state"] for copy in one["copies"]} == {"dropped"}
    for one in before["contents"]:
        assert not files(north, one["cid"]).exists()
        assert not files(north.parent / "south", one["cid"]).exists()
    assert "erased here" in text("status", "--data", str(north), "--record", record)


def test_a_folder_that_holds_nothing_is_refused(tmp_path: Path) -> None:
    with consortium.own_settings():
        for command in ("status", "verify"):
            with pytest.raises((NotFound, Conflict)):
                run(command, "--data", str(tmp_path))
