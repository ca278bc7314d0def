"""From an approved study to opened Parquet in one command, on Synthea's people: 50, and 1,000.

The patients are a hospital's, with accounts of their own, each of whom takes part; the sponsor is
a clinic. Everybody is served by a program of their own, and the run is one more.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from simdes.exchange.research.studies import Asked
from support import consortium, researching
from support.consortium import passphrase_of
from support.fhir_api import Api, application
from support.gateways import serving, variables
from support.synthea_patients import admit, people_in

ROOT = Path(__file__).parents[2]
NAMES = ("north", "south", "east")
SOME = ROOT / "tests/vectors/research/synthea50.ndjson.gz"
MEASURED = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu = round(used.ru_utime + used.ru_stime)
print(json.dumps({"cpu": cpu, "mebibytes": used.ru_maxrss // 1024}), file=sys.stderr)
sys.exit(done.returncode)
"""
"""Runs a command and says what it took: it alone, not Synthea and whatever else the test runs."""
BORN = (("http://loinc.org", "21112-8"), ("", ""))


def network_of(folder: Path, source: Path, people: int) -> int:
    """Found a network whose hospital has these people, all of whom take part in its study.

    Returns how many resources they have.
    """
    consortium.found(folder, names=NAMES)
    for name in NAMES:
        consortium.let_read(folder / name)
    with consortium.opened(folder) as network:
        doctor = Api.of(network["north"], "dr.north", app=application(network["north"]))
        document = researching.running(
            network,
            categories=("demographics", "observations", "conditions", "immunizations"),
            criteria=(Asked(codes=(BORN,)),),
        )
        (folder / "study.json").write_bytes(researching.written(document))
        return admit(network, doctor, people_in(source, people), document)


def ran(folder: Path, out: Path, *words: object, timeout: float) -> dict[str, Any]:
    """The run as a command of the researcher, with what it took."""
    asked = ("study", "run", "--data", folder / "south", "--user", "prof.ray")
    began = time.monotonic()
    done = subprocess.run(
        [
            *(sys.executable, "-c", MEASURED, sys.executable, "-m", "simdes"),
            *map(str, (*asked, "--study", folder / "study.json", "--policy", "hipaa-safe-harbor")),
            *map(str, ("--out", out, "--accept-terms", "--json", *words)),
        ],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=variables({"SIMDES_USER_PASSPHRASE": passphrase_of("prof.ray")}),
        check=False,
    )
    assert done.returncode == 0, (done.stdout, done.stderr[-2000:])
    told: dict[str, Any] = json.loads(done.stdout)
    took = json.loads(done.stderr.splitlines()[-1])
    return told | {"took": {"seconds": round(time.monotonic() - began), **took}}


def opened_tables(told: dict[str, Any]) -> dict[str, int]:
    """The rows of each Parquet table that was opened."""
    paths = [Path(one) for one in told["files"] if one.endswith(".parquet")]
    return {path.stem: parquet.read_table(path).num_rows for path in paths}


def test_fifty_people_of_synthea_from_the_study_to_parquet(tmp_path: Path) -> None:
    resources = network_of(tmp_path / "network", SOME, 50)
    assert resources > 700
    with serving(tmp_path / "network", *NAMES):
        told = ran(tmp_path / "network", tmp_path / "data", timeout=240)
    rows = opened_tables(told)
    assert told["patients"] == rows["patient"] >= 30
    assert told["report"]["people"]["in"] == 50
    assert told["report"]["resources"]["in"] == resources
    assert told["report"]["k"] >= 5
    content = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*.ndjson"))
    assert content
    for who, its in people_in(SOME, 50).items():
        assert who.encode() not in content
        family = re.escape(its[0]["name"][0]["family"].encode())
        assert not re.search(rb"\b" + family + rb"\b", content)  # as a word: ids are drawn
        assert its[0]["birthDate"].encode() not in content


@pytest.mark.accept
def test_a_thousand_people_of_synthea_from_the_study_to_parquet(tmp_path: Path) -> None:
    source = Path(os.environ.get("SIMDES_SYNTHEA", tmp_path / "people.ndjson.gz"))
    if not source.exists():
        kinds = "Patient,Condition,Observation,Immunization"
        generate = [ROOT / "tools/synthea/generate.py", "--people", 1000, "--types", kinds]
        subprocess.run(
            [sys.executable, *map(str, generate), "--into", str(source)],
            check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )
    resources = network_of(tmp_path / "network", source, 1000)
    with serving(tmp_path / "network", *NAMES):
        told = ran(tmp_path / "network", tmp_path / "data", timeout=1800)
    rows = opened_tables(told)
    print(json.dumps({"resources": resources, "rows": rows, **told["took"]}))
    assert told["report"]["people"]["in"] == 1000
    assert told["patients"] == rows["patient"] > 800
    assert told["took"]["mebibytes"] < 1_000
