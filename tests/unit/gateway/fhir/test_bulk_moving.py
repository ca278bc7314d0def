"""From one organisation to another: what was exported there is imported here."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from starlette.applications import Starlette

from simdes.gateway.fhir.bulk import NDJSON
from support import consortium
from support.bulk import Service, export
from support.consortium import Consortium
from support.fhir_api import Api, Json, application
from support.imports import load, ndjson

TYPES = "Encounter,Observation,Organization,Patient,Practitioner"
_NUMBERS = count(1)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    """Another network, with its own ledger, keys and databases."""
    folder = tmp_path_factory.mktemp("elsewhere") / "network"
    consortium.found(folder, names=("north", "south"))
    with consortium.opened(folder) as network:
        yield network


def records(api: Api, prefix: str) -> list[Json]:
    """What a patient's visit leaves, under ids that begin so."""
    patient = {"reference": f"Patient/{prefix}-p"}
    doctor = {"reference": f"Practitioner/{prefix}-d"}
    sent: list[Json] = [
        {"resourceType": "Organization", "id": f"{prefix}-g", "name": "General"},
        {"resourceType": "Practitioner", "id": f"{prefix}-d", "name": [{"family": "Éclair"}]},
        {
            "resourceType": "Patient",
            "id": f"{prefix}-p",
            "identifier": [{"system": "urn:oid:1.2.36.146", "value": prefix}],
            "name": [{"family": "Müller", "given": ["Anna"]}],
            "managingOrganization": {"reference": f"Organization/{prefix}-g"},
            "generalPractitioner": [doctor],
        },
        {
            "resourceType": "Encounter",
            "id": f"{prefix}-e",
            "status": "finished",
            "class": {"code": "AMB"},
            "subject": patient,
            "participant": [{"individual": doctor}],
        },
        *(
            {
                "resourceType": "Observation",
                "id": f"{prefix}-o{number}",
                "meta": {
                    "security": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                            "code": "HIV",
                        }
                    ]
                },
                "status": "final",
                "code": {"text": "pulse"},
                "subject": patient,
                "encounter": {"reference": f"Encounter/{prefix}-e"},
                "performer": [doctor],
                "valueQuantity": {"value": number, "unit": "/min"},
            }
            for number in range(3)
        ),
    ]
    for one in sent:
        answer = api.send("PUT", f"{one['resourceType']}/{one['id']}", one)
        assert answer.status_code == 201, answer.text
    return sent


def said(resource: Json) -> Json:
    """A resource as its author wrote it, without what each server says of it."""
    server = ("versionId", "lastUpdated", "source", "tag")
    meta = {key: value for key, value in resource["meta"].items() if key not in server}
    return {key: value for key, value in resource.items() if key != "meta"} | {"meta": meta}


def moved(source: Service, target: Service, prefix: str) -> None:
    """Export there, import here, export here: the same resources under the same ids."""
    sent = records(source.api, prefix)
    exported = export(source.api, f"$export?_type={TYPES}")
    lines = [one for type_ in sorted(exported.files) for one in exported.files[type_]]
    imported = load(target.api, ndjson(lines), **{"content-type": NDJSON})
    assert (imported.good, imported.bad) == ([len(lines)], 0), imported.texts
    again = export(target.api, f"$export?_type={TYPES}")
    came = {(one["resourceType"], one["id"]): one for its in again.files.values() for one in its}
    for one in lines:
        assert said(came[one["resourceType"], one["id"]]) == said(one)
        assert came[one["resourceType"], one["id"]]["meta"]["source"] != one["meta"]["source"]
    assert {(one["resourceType"], one["id"]) for one in sent} <= came.keys()
    found = target.api.found(f"Observation?patient=Patient/{prefix}-p&_sort=value-quantity")
    assert [one["id"] for one in found] == [f"{prefix}-o{number}" for number in range(3)]


def test_an_export_of_another_network_is_imported_whole(
    network: Consortium, north: Starlette, elsewhere: Consortium
) -> None:
    away = elsewhere["north"]
    source = Service.of(away, application(away), "system/*.cruds")
    target = Service.of(network["north"], north, "system/*.cruds")
    moved(source, target, f"away-{next(_NUMBERS)}")


def test_an_export_of_another_organisation_of_the_network_is_imported_whole(
    network: Consortium, north: Starlette
) -> None:
    source = Service.of(network["north"], north, "system/*.cruds")
    south = network["south"]
    target = Service.of(south, application(south), "system/*.cruds")
    moved(source, target, f"near-{next(_NUMBERS)}")
