"""A worker that is killed at any commit of an import: another goes on, nothing lost or twice."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from faults.importer import LEASE_SECONDS
from simdes.exchange.bulk import jobs
from simdes.import_http import HttpFiles
from support import consortium
from support.bulk import Service
from support.consortium import Clock
from support.fhir_api import Api, Json, application
from support.imports import begin, finished, left, manifest, serving_files

KILLED = -9
KILLS = ((1, "after"), (2, "before"), (6, "after"), (3, "after"), (2, "before"))
"""Of workers in turn: at which of its commits each is killed, and on which side of it."""
PROGRAM = Path(__file__).parent / "importer.py"
EVERYTHING = "system/*.cruds"


def observation(number: int) -> Json:
    """One of a chain: each refers to the one behind it, but for the last."""
    made: Json = {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "code": {"text": "pulse"},
        "subject": {"reference": "Patient/p"},
        "valueInteger": number,
    }
    if number < 19:
        made["hasMember"] = [{"reference": f"Observation/o{number + 1}"}]
    return made


def test_an_import_survives_the_kills_of_its_workers(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = consortium.copy(template, tmp_path / "network")
    with serving_files() as server:
        many = server.put("/many", *(observation(number) for number in range(20)), "no line")
        few = server.put("/few", {"resourceType": "Patient", "id": "p"}, {"id": "nothing"})
        with consortium.opened(folder) as network:
            north = network["north"]
            object.__setattr__(north.node, "files", HttpFiles("127.0.0.1"))
            service = Service.of(north, application(north), EVERYTHING)
            name = begin(service.api, manifest(("Observation", many), ("Patient", few)))
        stages = []
        for at, (number, when) in enumerate(KILLS):
            ahead = at * LEASE_SECONDS
            command = [sys.executable, PROGRAM, folder, str(number), when, str(ahead)]
            ended = subprocess.run(command, check=False, timeout=120)
            assert ended.returncode == KILLED, (number, when)
            stages.append(stage(folder))
        assert {"fetch", "read", "write"} <= set(stages), stages
        with consortium.opened(folder, clock=Clock(len(KILLS) * LEASE_SECONDS)) as network:
            north = network["north"]
            object.__setattr__(north.node, "files", HttpFiles("127.0.0.1"))
            while jobs.work(north.node, worker="the last"):
                pass
            api = Api(north, "", application(north))
            again = Service(north, service.asking, service.key, api)
            again.asking = type(service.asking)(north.node, service.asking.client)
            again.renew(EVERYTHING)
            imported = finished(api, name)
            assert imported.good == [20, 1]
            assert imported.bad == 2
            assert imported.lines == [2, 21]
            check(api)


def stage(folder: Path) -> str:
    """How far the job is."""
    with closing(sqlite3.connect(folder / "north" / "simdes.sqlite")) as database:
        [(position,)] = database.execute("SELECT position FROM bulk_job").fetchall()
    return str(json.loads(position)["stage"])


def check(api: Api) -> None:
    """Everything is there once, as it came, and nothing is left of what came in."""
    for number in range(20):
        got = api.get(f"Observation/o{number}").json()
        assert got["meta"]["versionId"] == "1"
        assert {key: got[key] for key in observation(number)} == observation(number)
    assert len(api.found("Observation?subject=Patient/p&_count=100")) == 20
    targets = [
        target["reference"]
        for one in api.found("Provenance?_count=1000")
        for target in one["target"]
    ]
    assert len(targets) == len(set(targets)) == 21
    assert left(api) == []
