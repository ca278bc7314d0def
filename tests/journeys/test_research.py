"""A study in processes of its own: registered, approved, taken part in, released, opened, left.

Every member is served by its own program; whoever acts does so by commands, each a process.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from support import consortium, researching
from support.consortium import passphrase_of
from support.fhir_api import Api, application
from support.gateways import serving, simdes
from support.researching import Patient

NAMES = ("north", "south", "east")


@dataclass(frozen=True, slots=True)
class Town:
    """A served network, patients of its hospital, and a study of its clinic."""

    folder: Path
    patients: Sequence[Patient]

    @property
    def study(self) -> Path:
        """The study's document."""
        return self.folder / "study.json"

    def run(self, name: str, verb: str, user: str, *words: object, expect: int = 0) -> Any:
        """A command of somebody, as JSON."""
        asked = ("study", verb, "--data", self.folder / name, "--user", user, *words)
        done = simdes(*asked, "--json", SIMDES_USER_PASSPHRASE=passphrase_of(user))
        assert done.returncode == expect, (done.stdout, done.stderr)
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stderr


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("journey") / "network"
    consortium.found(folder, names=NAMES)
    for name in NAMES:
        consortium.let_read(folder / name)
    with consortium.opened(folder) as network:
        doctor = Api.of(network["north"], "dr.north", app=application(network["north"]))
        patients = [researching.patient(network, doctor, f"walk-{one}") for one in "abc"]
        document = researching.document(network)
        (folder / "study.json").write_bytes(researching.written(document))
    file = resources.files("simdes.research").joinpath("policies/hipaa-safe-harbor.json")
    policy = json.loads(file.read_bytes())
    policy["anonymity"] |= {"k": 2, "l": 1, "class_at_least": 2}
    (folder / "policy.json").write_text(json.dumps(policy))
    with serving(folder, *NAMES):
        yield Town(folder, patients)


def test_from_the_study_to_opened_tables_and_out_again(town: Town, tmp_path: Path) -> None:
    study = ("--study", town.study)
    release = (*study, "--policy", town.folder / "policy.json", "--table", "csv")
    dry = town.run("south", "register", "prof.ray", *study, "--dry-run")
    asked = town.run("south", "feasibility", "prof.ray", *study)
    assert [one["answered"] for one in asked["counted"]] == [True] * 3, "by three programs"
    assert all(one["count"] is None or one["count"] >= 20 for one in asked["counted"])
    assert town.run("south", "feasibility", "prof.ray", *study) == asked, "noise is drawn once"
    town.run("south", "feasibility", "dr.lee", *study, expect=3)
    made = town.run("south", "register", "prof.ray", *study)
    assert made == {"study": dry["study"], "registered": True}
    for one in town.patients:
        [mine] = town.run("north", "opt-in", one.user, *study)
        assert mine["study"] == made["study"]
        assert not mine["open"], "nobody approved it yet"
    early = town.run(
        "south", "release", "prof.ray", *release, "--out", tmp_path / "early.zip", expect=8
    )
    assert "not approved" in early
    assert town.run("north", "approve", "dr.north", *study)["running"]

    first = tmp_path / "first.zip"
    pictures = tmp_path / "pictures.html"
    told = town.run("south", "release", "prof.ray", *release, "--out", first, "--report", pictures)
    assert "<svg" in pictures.read_text(encoding="utf-8")
    assert (told["number"], told["patients"]) == (1, 3)
    out = ("--out", tmp_path / "data")
    town.run("south", "open", "prof.ray", *study, *out, first, expect=3)
    opened = town.run("south", "open", "prof.ray", *study, *out, "--accept-terms", first)
    tables = [Path(one) for one in opened["files"] if one.endswith("patient.csv")]
    with tables[0].open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 3

    leaving = town.patients[0].user
    [left] = town.run("north", "withdraw", leaving, "--study", made["study"])
    assert left["withdrawn"]
    assert left["releases"] == [1], "and says what was released already"
    run = (*study, "--policy", town.folder / "policy.json", "--out", tmp_path / "second")
    plan = town.run("south", "run", "prof.ray", *run, "--dry-run")
    assert (plan["takingPart"], plan["released"]) == (2, False)
    town.run("south", "run", "prof.ray", *run, expect=3)
    told = town.run("south", "run", "prof.ray", *run, "--accept-terms")
    assert (told["number"], told["patients"]) == (2, 2)
    assert {Path(one).suffix for one in told["files"]} == {".ndjson", ".parquet"}
    town.run("south", "run", "prof.ray", *run, "--accept-terms", expect=8)
    other = (*run[:-1], tmp_path / "third", "--report", pictures)
    assert "exists" in town.run("south", "run", "prof.ray", *other, "--accept-terms", expect=8)
