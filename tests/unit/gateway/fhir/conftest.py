"""A network of three whose hospital north is on SQLite and PostgreSQL in turn, and its people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from starlette.applications import Starlette

from support import consortium
from support.consortium import Clock, Consortium
from support.fhir_api import Api, Json, application

_NUMBERS = count(1)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def founded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Consortium, Clock]]:
    """Opened organisations, north's database of the kind in turn."""
    folder, clock = tmp_path_factory.mktemp("fhir") / "network", Clock()
    databases = {}
    if request.param == "postgresql":
        databases["north"] = request.getfixturevalue("postgres_databases").create()
    consortium.found(folder, databases=databases)
    for name in ("north", "south", "east"):
        consortium.let_read(folder / name)
    with consortium.opened(folder, clock=clock) as network:
        yield network, clock


@pytest.fixture
def clock(founded: tuple[Consortium, Clock]) -> Clock:
    """The network's clock, which goes on from wherever a test moves it."""
    return founded[1]


@pytest.fixture(scope="session")
def network(founded: tuple[Consortium, Clock]) -> Consortium:
    """The network."""
    return founded[0]


@pytest.fixture(scope="session")
def north(network: Consortium) -> Starlette:
    """The gateway of hospital north."""
    return application(network["north"])


@pytest.fixture(scope="session")
def doctor(network: Consortium, north: Starlette) -> Api:
    """A doctor of hospital north."""
    return Api.of(network["north"], "dr.north", app=north)


@pytest.fixture
def number() -> str:
    """A patient's record number that no other test has."""
    return f"fhir-{next(_NUMBERS)}"


@pytest.fixture
def patient(doctor: Api, number: str) -> Json:
    """A patient of hospital north, made over the API."""
    return doctor.create(
        {
            "resourceType": "Patient",
            "identifier": [{"system": "urn:oid:2.16.840.1.113883.4.1", "value": number}],
            "name": [{"family": f"Müller-{number}", "given": ["Anna", "Éva"]}],
            "gender": "female",
            "birthDate": "1980-02-03",
        }
    )


@pytest.fixture
def pulse(patient: Json) -> Callable[..., Json]:
    """Makes an Observation of the patient, not sent yet."""

    def make(value: object = 72, **others: object) -> Json:
        return {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "subject": {"reference": f"Patient/{patient['id']}"},
            "effectiveDateTime": "2024-01-02T08:00:00Z",
            "valueQuantity": {
                "value": value,
                "unit": "/min",
                "system": "http://unitsofmeasure.org",
                "code": "/min",
            },
            **others,
        }

    return make
