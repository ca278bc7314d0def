"""fhir-kit-client, unmodified, in Node: https://github.com/Vermonster/fhir-kit-client."""

from __future__ import annotations

import subprocess
from pathlib import Path

from clients.conftest import Gateway

SCRIPT = Path(__file__).with_name("fhir_kit.mjs")


def test_every_interaction_of_fhir_kit_client(gateway: Gateway, number: str) -> None:
    ran = subprocess.run(
        ["node", str(SCRIPT), gateway.base, gateway.token(), number],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
