"""What the entries of an answered Bundle say (https://hl7.org/fhir/R4/http.html#transaction)."""

from __future__ import annotations

from collections.abc import Callable

from support.fhir_api import Api, Json


def _sent(api: Api, kind: str, *entries: Json, **headers: str) -> list[Json]:
    bundle = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
    answer = api.send("POST", "", bundle, headers=headers)
    assert answer.status_code == 200, answer.text
    listed: list[Json] = answer.json()["entry"]
    return listed


def _get(url: str) -> Json:
    return {"request": {"method": "GET", "url": url}}


def _post(resource: Json) -> Json:
    return {"resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}


def test_last_modified_is_that_of_the_resource(doctor: Api, pulse: Callable[..., Json]) -> None:
    made = doctor.create(pulse())
    read, written = _sent(doctor, "batch", _get(f"Observation/{made['id']}"), _post(pulse(80)))
    for entry in (read, written):
        assert entry["response"]["lastModified"] == entry["resource"]["meta"]["lastUpdated"]


def test_an_entry_is_answered_in_the_parts_that_it_asks_for(
    doctor: Api, pulse: Callable[..., Json]
) -> None:
    made = doctor.create(pulse())
    for kind in ("batch", "transaction"):
        short, part, whole = _sent(
            doctor,
            kind,
            _get(f"Observation/{made['id']}?_summary=text"),
            _get(f"Observation?_id={made['id']}&_elements=status"),
            _get(f"Observation/{made['id']}"),
        )
        assert "valueQuantity" not in short["resource"]
        assert short["resource"]["meta"]["tag"][-1]["code"] == "SUBSETTED"
        assert "valueQuantity" not in part["resource"]["entry"][0]["resource"]
        assert whole["resource"] == doctor.get(f"Observation/{made['id']}").json()


def test_an_operation_outcome_that_was_preferred_is_the_outcome_of_the_response(
    doctor: Api, pulse: Callable[..., Json]
) -> None:
    for kind in ("batch", "transaction"):
        (entry,) = _sent(doctor, kind, _post(pulse()), prefer="return=OperationOutcome")
        assert entry["response"]["outcome"]["resourceType"] == "OperationOutcome"
        assert entry["response"]["status"] == "201 Created"
        assert "resource" not in entry


def test_changes_that_were_made_are_told_though_a_read_beside_them_fails(
    doctor: Api, pulse: Callable[..., Json]
) -> None:
    read, written = _sent(doctor, "transaction", _get("Observation/nowhere"), _post(pulse()))
    assert read["response"]["status"] == "404 Not Found"
    assert read["response"]["outcome"]["resourceType"] == "OperationOutcome"
    assert written["response"]["status"] == "201 Created"
    assert doctor.get(f"Observation/{written['resource']['id']}").status_code == 200
    alone = {"resourceType": "Bundle", "type": "transaction", "entry": [_get("Observation/none")]}
    assert doctor.send("POST", "", alone).status_code == 404
