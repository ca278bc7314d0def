"""Releases that are large, on Spark, of Synthea's people; and a peer that measures the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

import simdes.research
from simdes.fhir.json import dumps
from simdes.research import make_release, measure, policy
from unit.research.population import people

ROOT = Path(__file__).parents[3]
SUPPORT = ROOT / "tests" / "support"
POLICIES = Path(simdes.research.__file__).parent / "policies"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
_PYCANON = """
import json, sys
import pandas
from pycanon import anonymity
rows = pandas.DataFrame(json.load(sys.stdin), columns=list("abcds"))
quasi = list("abcd")
print(json.dumps([anonymity.k_anonymity(rows, quasi), anonymity.l_diversity(rows, quasi, ["s"])],
                 default=int))
"""


def run(*command: Any, **more: Any) -> str:
    done = subprocess.run(
        [str(c) for c in command],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
        **more,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()[-1]


def releasing(*options: Any) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(run(sys.executable, SUPPORT / "releasing.py", *options))
    return report


def table(seed: int) -> list[tuple[Any, Any]]:
    rng = Random(seed)
    return [
        (
            [rng.choice("ab"), rng.choice("cd"), rng.choice("ef"), rng.choice("gh")],
            rng.choice("xyz"),
        )
        for _ in range(60 * (seed + 1))
    ]


# What pycanon 1.3.6 says of these tables.
@pytest.mark.parametrize(("seed", "found"), [(0, (1, 1)), (1, (4, 2)), (2, (4, 2))])
def test_anonymity_is_measured_as_pycanon_recorded_it(seed, found):
    measured = measure(table(seed))
    assert (measured.k, measured.l) == found


@pytest.mark.accept
@pytest.mark.parametrize("seed", range(6))
def test_anonymity_is_measured_as_pycanon_does(seed):
    rows = [[*quasi, sensitive] for quasi, sensitive in table(seed)]
    told = run(ROOT / ".tools/pycanon/bin/python", "-c", _PYCANON, input=json.dumps(rows))
    measured = measure(table(seed))
    assert json.loads(told) == [measured.k, measured.l]


@pytest.mark.accept
@pytest.mark.parametrize("name", ["hipaa-safe-harbor", "gdpr-strict"])
def test_spark_releases_the_same_lines(tmp_path, name):
    rows = list(people(300, seed=4))
    source = tmp_path / "source.ndjson"
    lines = [dumps({"subject": subject, "resource": made}) for subject, made in rows]
    source.write_bytes(b"\n".join(lines))
    (tmp_path / "work").mkdir()
    outcome = make_release(
        rows,
        policy(name),
        secret=b"s" * 32,
        today=date(2026, 11, 23),
        work=tmp_path / "work",
        into=tmp_path / "out",
    )
    spark, own = tmp_path / "spark", tmp_path / "out"
    python = ROOT / ".tools/spark/bin/python"
    told = run(python, SUPPORT / "spark_release.py", source, POLICIES / f"{name}.json", spark)
    found = b"".join(p.read_bytes() for p in spark.glob("part-*")).splitlines()
    expected = b"".join(p.read_bytes() for p in own.glob("*.ndjson")).splitlines()
    assert sorted(found) == sorted(expected)
    assert int(told) == outcome.measured.rows > 200


@pytest.mark.accept
def test_a_million_resources_stay_in_bounded_memory():
    small, large = releasing("--people", 6_000), releasing("--people", 60_000)
    assert large["resources"]["in"] > 1_000_000
    assert large["mebibytes"] < 1_000
    assert large["mebibytes"] < 6 * small["mebibytes"]
    assert large["k"] >= 5


@pytest.mark.accept
def test_a_thousand_people_of_synthea_are_released(tmp_path):
    source = tmp_path / "people.ndjson.gz"
    kinds = "Patient,Encounter,Condition,Observation,Procedure,Immunization,MedicationRequest"
    generator = [ROOT / "tools/synthea/generate.py", "--people", 1000, "--types", kinds]
    done = subprocess.run(
        [sys.executable, *map(str, generator), "--into", str(source)], check=False, env=ENVIRONMENT
    )
    assert done.returncode == 0
    report = releasing("--from", source, "--tables")
    assert report["people"]["out"] > 800
    assert report["k"] >= 5
    assert sum(report["resources"]["out"].values()) > 10_000
    assert report["mebibytes"] < 1_000
