"""A served gateway with records in it, for FHIR clients that others wrote and we don't change."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from simdes.exchange.signin import sign_in
from support import consortium
from support.consortium import Consortium, passphrase_of
from support.fhir_api import JSON, Json
from support.served import serving

_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Gateway:
    """Hospital north's gateway at ``url``."""

    network: Consortium
    url: str
    folder: Path

    @property
    def base(self) -> str:
        """The FHIR base URL."""
        return f"{self.url}/fhir"

    def token(self, user: str = "dr.north") -> str:
        """An access token of somebody's own session."""
        return sign_in(self.network["north"].node, user, passphrase_of(user)).token

    def create(self, resource: Json) -> Json:
        """Write what the clients find, as the doctor; what the gateway made of it."""
        answer = httpx.post(
            f"{self.base}/{resource['resourceType']}",
            content=json.dumps(resource),
            headers={"Authorization": f"Bearer {self.token()}", "Content-Type": JSON},
        )
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A founded network whose first organisation answers on a socket."""
    folder = tmp_path_factory.mktemp("clients") / "network"
    consortium.found(folder, names=("north", "south"))
    with (
        consortium.cheap_locks(),
        consortium.opened(folder) as network,
        serving(network["north"]) as url,
    ):
        yield Gateway(network, url, folder)


@pytest.fixture
def number() -> str:
    """A record number that no other test has."""
    return f"client-{next(_NUMBERS)}"


def a_patient(number: str) -> Json:
    """A patient with this number, not sent yet."""
    return {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:oid:1.2.36.146", "value": number}],
        "name": [{"family": f"Müller-{number}", "given": ["Anna"]}],
        "gender": "female",
        "birthDate": "1980-02-03",
    }


def a_pulse(patient: str, value: int) -> Json:
    """A heart rate of ``Patient/id``, not sent yet."""
    unit = {"unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"}
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": patient},
        "effectiveDateTime": f"2024-01-02T08:{value % 60:02}:00Z",
        "valueQuantity": {"value": value, **unit},
    }
