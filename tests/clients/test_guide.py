"""The guide's curl recipes, run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from clients.conftest import Gateway
from support.consortium import passphrase_of

GUIDE = (Path(__file__).parents[2] / "docs/guide.md").read_text()


def test_the_recipes_of_the_guide_do_what_they_say(gateway: Gateway) -> None:
    section = GUIDE.split("## Use the FHIR API\n", 1)[1].split("\n## ", 1)[0]
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
    said = re.sub(r"\s+", "", ran.stdout)
    assert '["Observation","Patient"]["201Created","200OK"]' in said
    assert int(ran.stdout.split()[-1]) >= 2
