"""A whole `simdes ingest` killed from outside by the clock, then simply run again by a person.

No injected clock here: what the dead process had claimed is free after its lease (15 s), and the
second run waits for it, so that what it prints is so.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from faults import evidence
from faults.cases import CONSISTENT_SECONDS, KILLED
from faults.writer import WRITER
from simdes.demo import SAMPLES
from support import consortium, gateways


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.accept) for seed in range(1, 8))]
)
def test_ingest_killed_at_any_time_and_run_again_has_everything_anchored(
    template: Path, tmp_path: Path, seed: int
) -> None:
    network = consortium.copy(template, tmp_path / "network")
    with gateways.serving(network, "south", "east"):
        _ingest_and_kill(network, seed)
        began = time.monotonic()
        done = subprocess.run(_ingest(network), capture_output=True, text=True, check=True)
        seconds = time.monotonic() - began
    with closing(sqlite3.connect(network / WRITER / "simdes.sqlite")) as database:
        states = database.execute("SELECT DISTINCT state FROM resource").fetchall()
    assert states == [("anchored",)]
    summary = json.loads(done.stdout)
    assert (summary["accepted"], summary["anchoring"]) == (13, "anchored")
    assert seconds < CONSISTENT_SECONDS
    with consortium.opened(network) as restarted:
        restarted.settle()
        assert evidence.wrong(restarted, WRITER, {}) == []


def _ingest_and_kill(network: Path, seed: int) -> None:
    """Kill some time after the first record is durable, or after a worker claimed the first."""
    draw = random.Random(seed)
    sign, most_seconds = _SIGNS[seed % 2]
    with (
        closing(sqlite3.connect(network / WRITER / "simdes.sqlite")) as database,
        subprocess.Popen(_ingest(network), stdout=subprocess.DEVNULL) as program,
    ):
        while program.poll() is None and not database.execute(sign).fetchone():
            time.sleep(0.005)
        time.sleep(draw.uniform(0, most_seconds))
        os.kill(program.pid, signal.SIGKILL)
        assert program.wait() == KILLED


_SIGNS = (
    ("SELECT 1 FROM outbox WHERE claimed_by IS NOT NULL", 0.1),
    ("SELECT 1 FROM outbox", 1.0),
)


def _ingest(network: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "simdes", "ingest", str(SAMPLES)),
        *("--data", str(network / WRITER), "--json"),
    ]
