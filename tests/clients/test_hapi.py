"""The HAPI FHIR client of the Java world, unmodified (`make hapi-client`: Java 17 and Maven).

https://hapifhir.io/hapi-fhir/docs/client/introduction.html. It speaks JSON and XML in turn.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from clients.conftest import Gateway

HOME = Path(__file__).parents[2] / "tools/hapi_client/target"


@pytest.mark.accept
@pytest.mark.parametrize("encoding", ["json", "xml"])
def test_every_interaction_of_the_hapi_client(gateway: Gateway, number: str, encoding: str) -> None:
    assert (HOME / "hapi-client-1.jar").exists(), "run `make hapi-client`"
    path = os.pathsep.join((str(HOME / "hapi-client-1.jar"), f"{HOME}/lib/*"))
    ran = subprocess.run(
        ["java", "-cp", path, "Client", gateway.base, gateway.token(), number, encoding],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
