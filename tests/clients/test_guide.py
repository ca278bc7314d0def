"""The guide's curl recipes, run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clients.conftest import Gateway
from simdes.exchange import worker
from support.consortium import passphrase_of

GUIDE = (Path(__file__).parents[2] / "docs/guide.md").read_text()


def run(heading: str, gateway: Gateway) -> str:
    """Run the one block of shell below a heading; what it prints."""
    section = GUIDE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    [block] = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    assert "http://127.0.0.1:8401" in block
    simdes = f'simdes() {{ "{sys.executable}" -m simdes "$@"; }}\n'
    ran = subprocess.run(
        [
            "bash",
            "-euo",
            "pipefail",
            "-c",
            simdes + block.replace("http://127.0.0.1:8401", gateway.url),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=gateway.folder,
        env={**os.environ, "SIMDES_USER_PASSPHRASE": passphrase_of("dr.north")},
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@contextmanager
def taking_in(gateway: Gateway) -> Iterator[None]:
    """Work on imports, as `simdes serve` does, until the end."""
    stop = threading.Event()
    node = gateway.network["north"].node
    thread = threading.Thread(target=worker.take_in, args=(node, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_the_recipes_of_the_guide_do_what_they_say(gateway: Gateway) -> None:
    printed = run("Use the FHIR API", gateway)
    said = re.sub(r"\s+", "", printed)
    assert '["Observation","Patient"]["201Created","200OK"]' in said
    assert int(printed.split()[-1]) >= 2


def test_the_recipe_of_an_import_does_what_it_says(gateway: Gateway) -> None:
    with taking_in(gateway):
        printed = run("Import in bulk", gateway)
    count, *told = printed.splitlines()
    assert count == "2"
    assert [line.partition(":")[0] for line in told] == ["Line 3"]
