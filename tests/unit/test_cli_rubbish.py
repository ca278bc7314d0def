"""A folder of mixed rubbish through the real program: no crash, no silent loss, exit code 5."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support import consortium, gateways, rubbish
from support.gateways import simdes

BAD_INPUT = 5


@pytest.fixture(scope="module")
def litter(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Path]]:
    folder = tmp_path_factory.mktemp("litter") / "in"
    return folder, rubbish.litter(folder)


@pytest.fixture(scope="module")
def mapped(
    litter: tuple[Path, dict[str, Path]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any], str]:
    """The Bundles' folder, the report, and what stood on standard error."""
    out = tmp_path_factory.mktemp("mapped")
    report = out.parent / "report.json"
    done = simdes("map", litter[0], "--out", out, "--report", report, "--json")
    assert done.returncode == BAD_INPUT, done.stderr
    document = json.loads(done.stdout)
    assert json.loads(report.read_text()) == document
    return out, document, done.stderr


def test_every_file_is_in_the_report_or_became_bundles(
    litter: tuple[Path, dict[str, Path]], mapped: tuple[Path, dict[str, Any], str]
) -> None:
    out, report, _ = mapped
    names = set(litter[1])
    assert report["inputs"] == len(names)
    refused = {one["input"] for one in report["quarantined"]}
    made = {
        path.relative_to(out).as_posix().rpartition(".json")[0].rpartition(".")[0]
        for path in out.rglob("*.json")
    }
    assert refused | made == names
    assert made >= rubbish.GOOD | rubbish.MIXED
    assert refused & made == rubbish.MIXED
    assert not refused & rubbish.GOOD


def test_every_refusal_says_why_and_what_to_do(
    mapped: tuple[Path, dict[str, Any], str],
) -> None:
    _, report, stderr = mapped
    assert "Traceback" not in stderr
    for one in report["quarantined"]:
        assert one["reasonCode"] not in ("mapper-fault", "not-mapped"), one
        assert len(one["reason"]) > 10
        assert len(one["advice"]) > 10
    codes = {one["reasonCode"] for one in report["quarantined"]}
    assert codes >= {
        "empty",
        "unsupported-format",
        "unknown-format",
        "invalid-fhir",
        "wrong-encoding",
        "wrong-separators",
        "outside-message",
        "unsupported-message",
        "too-large",
        "file-too-large",
        "not-a-file",
    }
    assert ("unreadable" in codes) == (os.geteuid() != 0)


def test_messages_of_good_files_are_counted(mapped: tuple[Path, dict[str, Any], str]) -> None:
    out, report, _ = mapped
    assert len(list(out.glob("feed.hl7.*.json"))) == 2
    assert report["messages"] == len(list(out.rglob("*.json")))


def test_a_zip_entry_leads_nowhere(
    litter: tuple[Path, dict[str, Path]], mapped: tuple[Path, dict[str, Any], str]
) -> None:
    roots = (litter[0].parent, mapped[0].parent)
    assert not [path for root in roots for path in root.rglob("escape*")]


def test_ingest_keeps_the_good_quarantines_the_rest_and_repeats_without_a_change(
    litter: tuple[Path, dict[str, Path]], tmp_path: Path
) -> None:
    consortium.found(tmp_path / "network")
    north = tmp_path / "network" / "north"
    with gateways.serving(tmp_path / "network", "south", "east"):
        first = simdes("ingest", litter[0], "--data", north, "--json")
        kept = _contents(north)
        second = simdes("ingest", litter[0], "--data", north, "--json")
    assert (first.returncode, second.returncode) == (BAD_INPUT, BAD_INPUT), first.stderr
    one, two = json.loads(first.stdout), json.loads(second.stdout)
    assert one["inputs"] == len(litter[1])
    assert one["anchoring"] == two["anchoring"] == "anchored"
    assert one["resources"] > 0
    assert (two["resources"], two["accepted"]) == (0, one["accepted"])
    assert _without_times(two["quarantined"]) == _without_times(one["quarantined"])
    assert _contents(north) == kept
    listed = simdes("quarantine", "--data", north, "--json")
    assert listed.returncode == 0
    assert len(json.loads(listed.stdout)) == kept["quarantine"] > 25
    told = simdes("quarantine", "--data", north)
    assert "in quarantine" in told.stdout
    doctor = simdes("doctor", "--data", north, "--json")
    work = next(part for part in json.loads(doctor.stdout) if part["part"] == "work")
    assert work["state"] == "warning"


def _contents(north: Path) -> dict[str, int]:
    with closing(sqlite3.connect(north / "simdes.sqlite")) as database:
        return {
            table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("resource", "source", "quarantine", "leaf", "record", "vault")
        }


def _without_times(listed: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    return sorted((one["input"], one["index"], one["reasonCode"]) for one in listed)


def test_a_path_that_does_not_exist_is_said_and_nothing_is_done(tmp_path: Path) -> None:
    done = simdes("map", tmp_path / "nothing", "--out", tmp_path / "out")
    assert done.returncode == 4
    assert "does not exist" in done.stderr
    assert not (tmp_path / "out").exists()


def test_good_input_alone_exits_with_zero(
    litter: tuple[Path, dict[str, Path]], tmp_path: Path
) -> None:
    shutil.copy(litter[0] / "good.hl7", tmp_path / "good.hl7")
    done = simdes("map", tmp_path / "good.hl7", "--out", tmp_path / "out", "--from", "hl7v2")
    assert done.returncode == 0, done.stderr
    assert "1 messages mapped" in done.stdout
    assert (tmp_path / "out" / "good.hl7.1.json").exists()
