"""HL7's own R4 validator (`make validator`), asked about many resources at once.

What it can't know without a network (LOINC, SNOMED CT, a hospital's own codes) it reports as
warnings; only errors count here, and none of them is left out.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from simdes.fhir.json import dumps

HOME = Path(__file__).parents[2] / "tools/validator/target"


def errors(
    resources: Iterable[tuple[str, Any]], *, packages: Iterable[Path] = ()
) -> dict[str, list[str]]:
    """Return what the validator calls an error or fatal, by the name the resource is given with.

    Every name is in the answer; ``[]`` is valid. ``packages`` are FHIR packages (.tgz) to load.
    """
    lines = [
        json.dumps({"name": name, "resource": bytes(dumps(resource)).decode()})
        for name, resource in resources
    ]
    assert (HOME / "validator-1.jar").exists(), "run `make validator`"
    done = subprocess.run(
        [
            "java",
            "-cp",
            os.pathsep.join((str(HOME / "validator-1.jar"), f"{HOME}/lib/*")),
            "Validate",
            *map(str, packages),
        ],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    judged = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(judged) == len(lines)
    return {
        one["name"]: [
            f"{issue['at']}: {issue['id']}: {issue['text']}"
            for issue in one["issues"]
            if issue["severity"] in ("error", "fatal")
        ]
        for one in judged
    }
