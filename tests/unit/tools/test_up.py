"""`make up`: organisations as separate programs, healthy while they run, and gone afterwards."""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from support.gateways import Program, simdes

ROOT = Path(__file__).parents[3]
SECONDS = 240


def up(data: Path, *words: str, **environment: str) -> Program:
    command = (sys.executable, ROOT / "tools" / "up.py", "--data", data, *words)
    return Program.of(*command, **environment)


def wait_for(program: Program, words: str) -> str:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        said = "".join(program.out)
        if words in said:
            return said
        if program.poll() is not None:
            break
        time.sleep(0.1)
    program.kill()
    raise AssertionError(program.communicate())


@pytest.mark.nodes
def test_three_organisations_come_up_work_together_and_go(
    tmp_path: Path, postgres_url: str
) -> None:
    data = tmp_path / "up"
    program = up(data, "--organisations", "3", SIMDES_DATABASE_URL=postgres_url)
    said = wait_for(program, "Ctrl-C stops everything")
    pids = [int(one) for one in re.findall(r"pid (\d+)", said)]
    assert len(pids) == 6, "three gateways, three IPFS nodes"
    children = [psutil.Process(pid) for pid in pids]
    for url in re.findall(r"gateway of .*?(http://\S+)", said):
        assert httpx.get(f"{url}/readyz", timeout=30).json()["ledger"] == "ok"
    done = simdes("doctor", "--data", data / "south", "--json", timeout=SECONDS)
    found = [one for one in json.loads(done.stdout) if one["state"] != "ok"]
    # The tests' own PostgreSQL does not sync, which is just what doctor says of it.
    assert [one["check"] for one in found] == ["database-modes"], found
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=SECONDS)
    assert program.returncode == 0, err
    assert "Everything has stopped." in out
    assert psutil.wait_procs(children, timeout=60)[1] == []
    assert (data / "admin.passphrase").stat().st_mode & 0o077 == 0


def test_it_goes_on_where_it_was_and_ends_with_whoever_ends_it(tmp_path: Path) -> None:
    data = tmp_path / "up"
    first = up(data, "--organisations", "3")
    before = wait_for(first, "Ctrl-C stops everything")
    first.kill()
    first.wait()
    children = [psutil.Process(int(one)) for one in re.findall(r"pid (\d+)", before) if _lives(one)]
    assert psutil.wait_procs(children, timeout=60)[1] == [], "none outlives the first"
    again = up(data, "--organisations", "3")
    after = wait_for(again, "Ctrl-C stops everything")
    assert "Founding" in before and "Founding" not in after
    assert re.findall(r"http://\S+", before) == re.findall(r"http://\S+", after)
    [gateway] = [
        psutil.Process(int(pid)) for pid in re.findall(r"gateway of Insurer.*?pid (\d+)", after)
    ]
    gateway.kill()
    _, err = again.communicate(timeout=SECONDS)
    assert again.returncode == 1
    assert "gateway of Insurer East ended by itself" in err


def _lives(pid: str) -> bool:
    return psutil.pid_exists(int(pid))
