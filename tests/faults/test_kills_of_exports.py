"""A worker that is killed at any slice of an export: another goes on, nothing lost or twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from faults.exporter import LEASE_SECONDS
from simdes.exchange.bulk import jobs
from support import consortium
from support.bulk import Service, fetch, kick_off
from support.consortium import Clock
from support.fhir_api import Api, Json, application

KILLED = -9
KILLS = ((1, "before"), (1, "after"), (2, "before"), (2, "after"))
"""Of four workers in turn: at which of its slices each is killed, and on which side of its end."""
PROGRAM = Path(__file__).parent / "exporter.py"


def observation(patient: str, value: int) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "pulse"},
        "subject": {"reference": f"Patient/{patient}"},
        "valueInteger": value,
    }


def test_an_export_survives_the_kills_of_its_workers(template: Path, tmp_path: Path) -> None:
    folder = consortium.copy(template, tmp_path / "network")
    with consortium.opened(folder) as network:
        north = network["north"]
        doctor = Api.of(north, "dr.north", app=application(north))
        patient = doctor.create({"resourceType": "Patient", "name": [{"family": "Abel"}]})["id"]
        made = {doctor.create(observation(patient, value))["id"] for value in range(20)}
        service = Service.of(north, doctor.app)
        name = kick_off(service.api, "$export?_type=Observation")
    for at, (number, when) in enumerate(KILLS):
        ahead = at * LEASE_SECONDS
        command = [sys.executable, PROGRAM, folder, str(number), when, str(ahead)]
        ended = subprocess.run(command, check=False, timeout=120)
        assert ended.returncode == KILLED, (number, when)
    with consortium.opened(folder, clock=Clock(len(KILLS) * LEASE_SECONDS)) as network:
        north = network["north"]
        while jobs.work(north.node, worker="the last"):
            pass
        api = Api(north, "", application(north))
        again = Service(north, service.asking, service.key, api)
        again.asking = type(service.asking)(north.node, service.asking.client)
        again.renew("system/*.rs")
        manifest = api.get(f"jobs/{name}").json()
        lines = [one for file in manifest["output"] for one in fetch(api, file["url"])]
        assert sum(file["count"] for file in manifest["output"]) == len(made)
        assert sorted(one["id"] for one in lines) == sorted(made)
