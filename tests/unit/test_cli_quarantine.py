"""`simdes quarantine` as an integration engineer types it: the guide's "a feed stopped mapping"."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import stat
import sys
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from unittest import mock

import pytest

from simdes.cli import main
from support import consortium, gateways
from support.consortium import passphrase_of
from support.gateways import simdes

REFUSED, NO_SUCH_THING, BAD_INPUT, CONFLICT, WRONG = 3, 4, 5, 8, 2
STEERING = "\x1b]0;owned\x07\x9b2J\u202e"


def message(control: str, *lines: str) -> bytes:
    header = rf"MSH|^~\&|REG|SITE|||20260101120000||ADT^A01|{control}|P|2.5.1"
    return "\r".join([header, "EVN||20260101120000", *lines, "PV1|1|I"]).encode()


PID = "PID|1||4711^^^SITE^MR||Featherstonehaugh^Ann||19700101|F"
INPUTS = {
    "nobody.hl7": message("1"),
    "test.hl7": message("2"),
    f"steering{STEERING[:4]}.hl7": message("3", f"NTE|1||{STEERING}"),
    "..hl7": b"%PDF-1.7",
}


def command(data: Path, *words: object, user: str = "", expect: int = 0) -> CompletedProcess[str]:
    """Run `simdes quarantine` in this process; ``user`` acts with their passphrase."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SIMDES_")}
    if user:
        words = (*words, "--user", user)
        kept["SIMDES_USER_PASSPHRASE"] = passphrase_of(user)
    line = ["simdes", "quarantine", *map(str, words), "--data", str(data)]
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, kept, clear=True),
        mock.patch.object(sys, "argv", line),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    done = CompletedProcess(line, int(ended.value.code or 0), out.getvalue(), err.getvalue())
    assert done.returncode == expect, (words, done.stdout, done.stderr)
    return done


def answer(data: Path, *words: object, **more: Any) -> Any:
    return json.loads(command(data, *words, "--json", **more).stdout)


def numbers(data: Path) -> dict[str, int]:
    return {one["name"]: one["id"] for one in answer(data, "list", "--state", "all")["entries"]}


@pytest.fixture(scope="module")
def north(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A hospital whose feed was refused, its custodians served."""
    folder = tmp_path_factory.mktemp("feeds")
    network, feed = folder / "network", folder / "feed"
    consortium.found(network)
    feed.mkdir()
    for name, data in INPUTS.items():
        (feed / name).write_bytes(data)
    with gateways.serving(network, "south", "east"):
        done = simdes("ingest", feed, "--data", network / "north", "--json")
        assert done.returncode == BAD_INPUT, done.stderr
        yield network / "north"


def test_the_list_without_a_command_is_everything_open(north: Path) -> None:
    listed = answer(north)
    assert {one["name"] for one in listed} == set(INPUTS)
    assert "in quarantine" in command(north).stdout
    bare = simdes("quarantine")
    assert (bare.returncode, "--data" in bare.stderr) == (WRONG, True)


def test_the_summary_counts_and_says_what_to_type(north: Path) -> None:
    groups = answer(north, "summary")
    assert [(one["reasonCode"], one["count"], one["step"]) for one in groups] == [
        ("no-patient", 3, "correct"),
        ("unsupported-format", 1, "upgrade"),
    ]
    assert groups[0]["sender"] == "REG|SITE"
    told = command(north, "summary").stdout
    assert "simdes quarantine replay --reason unsupported-format --dry-run" in told


def test_lists_come_in_pages_and_by_filters(north: Path) -> None:
    first = answer(north, "list", "--reason", "no-patient", "--limit", "2")
    rest = answer(north, "list", "--reason", "no-patient", "--after", first["after"])
    assert len(first["entries"]) == 2
    assert (len(rest["entries"]), rest["after"]) == (1, None)
    assert answer(north, "list", "--older", "1h")["entries"] == []
    assert len(answer(north, "list", "--newer", "1h", "--sender", "REG|SITE")["entries"]) == 3
    assert "There are more: --after " in command(north, "list", "--limit", "2").stdout
    for words in (("--limit", "0"), ("--limit", "1001"), ("--state", "lost")):
        command(north, "list", *words, expect=WRONG)
    command(north, "list", "--older", "soon", expect=BAD_INPUT)


def test_show_says_why_and_keeps_the_content_to_administrators(north: Path) -> None:
    number = numbers(north)["nobody.hl7"]
    shown = command(north, "show", number).stdout
    assert "no-patient" in shown
    assert "A replay takes" in shown
    assert "REG" in shown
    assert "EVN" not in shown
    done = command(north, "show", number, "--content", expect=REFUSED)
    assert "--user" in done.stderr
    done = command(north, "show", number, "--content", user="dr.north", expect=REFUSED)
    assert "WRONG_ROLE" in done.stderr
    assert "EVN" not in done.stdout
    content = answer(north, "show", number, "--content", user="admin")["content"]
    assert content.encode() == INPUTS["nobody.hl7"]
    command(north, "show", 999, expect=NO_SUCH_THING)


def test_names_and_content_can_t_steer_a_terminal(north: Path) -> None:
    [number] = [one for name, one in numbers(north).items() if name.startswith("steering")]
    for words in (
        ("show", number, "--content"),
        ("show", number, "--content", "--json"),
    ):
        done = command(north, *words, user="admin")
        assert not set("\x1b\x07\x9b\u202e") & set(done.stdout + done.stderr)
    for words in (("list",), ("list", "--json"), (), ("--json",), ("summary",)):
        done = command(north, *words)
        assert not set("\x1b\x07\x9b\u202e") & set(done.stdout + done.stderr)


def test_content_is_written_to_a_new_file_of_its_own_only(north: Path, tmp_path: Path) -> None:
    number = numbers(north)["..hl7"]
    out = tmp_path / "content"
    command(north, "show", number, "--out", out, user="admin")
    assert out.read_bytes() == b"%PDF-1.7"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    command(north, "show", number, "--out", out, user="admin", expect=CONFLICT)
    link, elsewhere = tmp_path / "link", tmp_path / "elsewhere"
    link.symlink_to(elsewhere)
    command(north, "show", number, "--out", link, user="admin", expect=CONFLICT)
    command(north, "show", number, "--out", tmp_path, user="admin", expect=CONFLICT)
    command(north, "show", number, "--out", out / "x", user="admin", expect=NO_SUCH_THING)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["content", "link"]


def test_correct_and_replay(north: Path, tmp_path: Path) -> None:
    number = numbers(north)["nobody.hl7"]
    wrong, right = tmp_path / "wrong.hl7", tmp_path / "right.hl7"
    wrong.write_bytes(message("1", "PID|1"))
    right.write_bytes(message("1", PID))
    command(north, "fix", number, right, expect=WRONG)
    command(north, "fix", number, right, "--why", "x", user="dr.north", expect=REFUSED)
    missing = tmp_path / "missing"
    command(north, "fix", number, missing, "--why", "x", user="admin", expect=NO_SUCH_THING)
    told = command(north, "fix", number, wrong, "--why", "x", user="admin", expect=BAD_INPUT)
    assert "would refuse it" in told.stdout
    told = command(north, "fix", number, right, "--why", "PID was missing", user="admin")
    assert f"simdes quarantine replay {number}" in told.stdout
    before = _counts(north)
    told = answer(north, "replay", number, "--dry-run")
    assert (told["replayed"], told["dryRun"]) == (1, True)
    assert _counts(north) == before
    done = answer(north, "replay", number)
    assert (done["replayed"], done["messages"], done["anchoring"]) == (1, 1, "anchored")
    assert _counts(north)["source"] == before["source"] + 1
    again = answer(north, "replay", number)
    assert (again["settledBefore"], again["resources"]) == (1, 0)
    shown = answer(north, "show", number)
    assert shown["state"] == "replayed"
    assert [one["action"] for one in shown["history"]] == ["corrected", "corrected", "replayed"]
    assert shown["history"][1] | {"time_ms": 0} == {
        "action": "corrected",
        "by": "admin",
        "why": "PID was missing",
        "time_ms": 0,
        "source_id": None,
    }


def test_a_bulk_replay_says_what_is_still_refused(north: Path) -> None:
    done = answer(north, "replay", "--reason", "unsupported-format", expect=BAD_INPUT)
    assert (done["documents"], done["refused"]) == (1, 1)
    [still] = done["stillRefused"]
    assert still["advice"]
    told = command(north, "replay", "--all", "--dry-run", expect=BAD_INPUT)
    assert "still refused" in told.stdout
    assert answer(north, "replay", "--reason", "unheard-of")["documents"] == 0
    for words in ((), ("1", "--all"), ("--all", "--reason", "x"), ("1", "--reason", "x")):
        command(north, "replay", *words, expect=WRONG)


def test_dismiss_reopen_and_expire(north: Path) -> None:
    number = numbers(north)["test.hl7"]
    command(north, "dismiss", number, user="admin", expect=WRONG)
    command(north, "dismiss", number, "--why", "test", user="dr.north", expect=REFUSED)
    gone = answer(north, "dismiss", number, "--why", "a test patient", user="admin")
    assert gone["state"] == "dismissed"
    assert number not in [one["id"] for one in answer(north)]
    shown = command(north, "show", number).stdout
    assert "a test patient" in shown
    assert "A replay takes" not in shown
    back = command(north, "reopen", number, "--why", "it was real", user="admin")
    assert "is open" in back.stdout
    done = answer(north, "expire", "--settled", "90d", "--dry-run", user="admin")
    assert done == {"removed": 0, "dryRun": True}
    command(north, "expire", "--settled", "90d", expect=REFUSED)


def _counts(north: Path) -> dict[str, int]:
    with closing(sqlite3.connect(north / "simdes.sqlite")) as database:
        return {
            table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("source", "resource", "quarantine", "quarantine_action")
        }
