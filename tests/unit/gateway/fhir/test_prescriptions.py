"""The journey of a prescription over FHIR, and what happens to everybody who may not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis

from simdes.gateway.fhir import routes
from simdes.gateway.openapi import document
from support import consortium
from support.consortium import Clock
from support.fhir_api import Api, Json, application
from support.prescribing import Ward
from unit.gateway.fhir.test_openapi import CHECKS


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A hospital, two pharmacies, and one patient with an issued prescription."""
    folder, clock = tmp_path_factory.mktemp("prescriptions") / "network", Clock()
    names = ("north", "west", "cove")
    consortium.found(folder, names=names)
    for name in names:
        consortium.let_read(folder / name)
    with consortium.opened(folder, clock=clock) as network:
        apps = {name: application(network[name]) for name in names}
        doctor = Api.of(network["north"], "dr.north", app=apps["north"])
        ward = Ward.of(network, clock, doctor, "town-1")
        request = ward.issued()
        network.enrol(ward.vault, "p.town")
        yield {
            "ward": ward,
            "request": request,
            "doctor": doctor,
            "patient": Api.of(network["north"], "p.town", app=apps["north"]),
            "west": Api.of(network["west"], "ph.west", app=apps["west"]),
            "cove": Api.of(network["cove"], "ph.cove", app=apps["cove"]),
            "admin": Api.of(network["north"], "admin", app=apps["north"]),
        }


def ask(town: dict[str, Any], who: str, operation: str, **named: Json) -> httpx.Response:
    rows = [{"name": name.replace("_", "-"), **value} for name, value in named.items()]
    body = {"resourceType": "Parameters", **({"parameter": rows} if rows else {})}
    address = f"MedicationRequest/{town['request']['id']}/${operation}"
    answer: httpx.Response = town[who].send("POST", address, body)
    return answer


def values(answer: httpx.Response) -> dict[str, Any]:
    """The parameters of an answer by name, each by its one value."""
    assert answer.status_code == 200, answer.text
    return {
        row["name"]: next((value for key, value in row.items() if key != "name"), None)
        for row in answer.json()["parameter"]
    }


WEST = {"valueString": "Pharmacy West"}


def test_from_the_patient_to_the_counter_and_into_the_record(town: dict[str, Any]) -> None:
    town["ward"].network["west"].node.following.catch_up()
    submitted = values(ask(town, "patient", "submit", pharmacy=WEST, days={"valueInteger": 2}))
    assert submitted["payload"].startswith("simdes:rx:1:")
    code = {"valueString": submitted["code"]}
    opened = town["west"].send(
        "POST",
        "MedicationRequest/$open",
        {"resourceType": "Parameters", "parameter": [{"name": "code", **code}]},
    )
    seen = values(opened)
    assert seen["request"]["id"] == town["request"]["id"]
    kinds = {
        row["resource"]["resourceType"]
        for row in opened.json()["parameter"]
        if row["name"] == "record"
    }
    assert {"Patient", "MedicationRequest"} <= kinds

    planned = values(ask(town, "west", "dispense", code=code, dry_run={"valueBoolean": True}))
    assert planned["dispensed"] is False
    quantity = {"valueQuantity": {"value": 10}}
    made = values(ask(town, "west", "dispense", code=code, quantity=quantity))
    assert made["dispensed"] is True
    found = town["west"].get(f"MedicationDispense/{made['dispense']['id']}").json()
    assert (found["status"], found["quantity"]["value"]) == ("completed", 10)
    for who in ("patient", "doctor", "west"):
        told = values(ask(town, who, "prescription-status"))
        assert (told["state"], told["left"]["value"]) == ("partly-dispensed", 80), who
    refused = values(
        ask(
            town,
            "west",
            "refuse-dispense",
            code=code,
            reason={"valueCode": "outofstock"},
        )
    )
    assert refused["dispense"]["status"] == "declined"


@pytest.mark.parametrize("who", ["doctor", "admin", "west"])
@pytest.mark.parametrize("operation", ["submit", "transfer", "withdraw"])
def test_only_the_patient_says_where_it_goes(
    town: dict[str, Any], who: str, operation: str
) -> None:
    assert ask(town, who, operation, pharmacy=WEST).status_code in (403, 404)


@pytest.mark.parametrize("who", ["doctor", "admin", "patient"])
@pytest.mark.parametrize("operation", ["open", "accept", "release", "dispense", "refuse-dispense"])
def test_only_a_pharmacist_opens_and_dispenses(
    town: dict[str, Any], who: str, operation: str
) -> None:
    assert ask(town, who, operation).status_code == 403


@pytest.mark.parametrize(
    "operation", ["open", "accept", "release", "dispense", "refuse-dispense", "prescription-status"]
)
def test_a_pharmacy_that_it_was_not_submitted_to_finds_nothing(
    town: dict[str, Any], operation: str
) -> None:
    assert ask(town, "cove", operation).status_code == 404
    code = {"valueString": "AAAA-BBBB-CCCC-DDDD"}
    assert ask(town, "cove", operation, code=code).status_code == 404


@pytest.mark.parametrize(
    ("who", "operation", "named"),
    [
        ("patient", "submit", {}),
        ("patient", "submit", {"pharmacy": {"valueString": "Nobody"}}),
        (
            "patient",
            "submit",
            {"pharmacy": {"valueString": "Hospital"}, "days": {"valueInteger": 0}},
        ),
        ("patient", "submit", {"pharmacy": {"valueBoolean": True}}),
        ("west", "dispense", {"quantity": {"valueString": "many"}}),
        ("west", "dispense", {"medication": {"valueString": "other"}}),
        ("west", "refuse-dispense", {"reason": {"valueCode": "because"}}),
    ],
)
def test_what_makes_no_sense_is_refused_with_words(
    town: dict[str, Any], who: str, operation: str, named: dict[str, Json]
) -> None:
    answer = ask(town, who, operation, **named)
    assert answer.status_code in (400, 404, 409, 422), answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_a_preference_is_the_patients(town: dict[str, Any]) -> None:
    address = f"Patient/{town['ward'].patient['id']}/$prefer-pharmacy"
    body = {"resourceType": "Parameters", "parameter": [{"name": "pharmacy", **WEST}]}
    assert town["doctor"].send("POST", address, body).status_code in (403, 422, 400)
    assert values(town["patient"].send("POST", address, body))["preferred"] is True
    nowhere = {"resourceType": "Parameters"}
    assert values(town["patient"].send("POST", address, nowhere))["preferred"] is False


def test_every_operation_is_named_in_the_capability_statement(town: dict[str, Any]) -> None:
    stated = town["west"].get("metadata").json()
    named = {
        operation["name"]
        for one in stated["rest"][0]["resource"]
        for operation in one.get("operation", ())
    }
    assert {one.interaction.removeprefix("$") for one in routes.PRESCRIPTIONS} <= named


def test_each_answer_of_a_journey_is_as_the_openapi_document_says(town: dict[str, Any]) -> None:
    """What many random requests can't meet (`test_openapi.py`): all that go well, one by one."""
    schema = schemathesis.openapi.from_dict(document("http://gateway"))
    request = town["ward"].issued()["id"]
    for name in ("west", "cove"):
        town["ward"].network[name].node.following.catch_up()
    well = set()

    def go(who: str, template: str, **named: Json) -> dict[str, Any]:
        rows = [{"name": name.replace("_", "-"), **value} for name, value in named.items()]
        body = {"resourceType": "Parameters", **({"parameter": rows} if rows else {})}
        id_ = request if template.startswith("MedicationRequest") else town["ward"].patient["id"]
        answer = town[who].send("POST", template.replace("{id}", id_), body)
        found = values(answer)
        schema[f"/fhir/{template}"]["POST"].Case(
            path_parameters={"id": id_} if "{id}" in template else {},
            body=body,
            media_type="application/fhir+json",
        ).validate_response(answer, checks=CHECKS)
        well.add(template)
        return found

    order = "MedicationRequest/{id}/$"
    code = {"valueString": go("patient", order + "submit", pharmacy=WEST)["code"]}
    go("west", "MedicationRequest/$queue")
    assert go("west", "MedicationRequest/$open", code=code)["request"]["id"] == request
    go("west", order + "open")
    assert go("west", order + "accept")["state"] == "held"
    assert go("west", order + "release")["state"] == "issued"
    go("patient", order + "transfer", pharmacy={"valueString": "Pharmacy Cove"})
    assert go("cove", order + "dispense")["dispensed"] is True
    assert go("doctor", order + "prescription-status")["state"] == "partly-dispensed"
    go("cove", order + "refuse-dispense", reason={"valueCode": "outofstock"})
    assert go("patient", order + "withdraw")["withdrawn"] == 1
    go("patient", "Patient/{id}/$prefer-pharmacy", pharmacy=WEST)
    assert well == {one.template for one in routes.PRESCRIPTIONS}


def test_the_queue_tells_a_pharmacy_what_was_submitted_and_nothing_of_whom(
    town: dict[str, Any],
) -> None:
    submitted = values(ask(town, "patient", "submit", pharmacy=WEST, days={"valueInteger": 3}))
    answer = town["west"].send("GET", "MedicationRequest/$queue")
    assert answer.status_code == 200, answer.text
    rows = [one["part"] for one in answer.json()["parameter"]]
    named = [{part["name"]: part for part in row} for row in rows]
    [mine] = [one for one in named if one["code"]["valueString"] == submitted["code"]]
    assert mine.keys() == {"code", "consent", "every", "submitted", "until"}
    assert mine["every"]["valueBoolean"] is False
    assert mine["until"]["valueInstant"] == submitted["until"]
    ward = town["ward"]
    assert ward.patient["id"] not in answer.text
    assert ward.vault.hex() not in answer.text
    tomorrow = "2199-01-01"
    later = town["west"].send("GET", f"MedicationRequest/$queue?since={tomorrow}")
    assert later.json() == {"resourceType": "Parameters"}
    assert town["cove"].send("GET", "MedicationRequest/$queue").json().get("parameter", []) == []
    assert town["west"].send("GET", "MedicationRequest/$queue?since=soon").status_code == 400


@pytest.mark.parametrize("who", ["doctor", "admin", "patient"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_only_a_pharmacist_sees_a_queue(town: dict[str, Any], who: str, method: str) -> None:
    assert town[who].send(method, "MedicationRequest/$queue").status_code == 403
