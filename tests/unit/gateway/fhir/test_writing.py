"""Create, update, patch and delete over HTTP (https://hl7.org/fhir/R4/http.html)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from support.fhir_api import Api, Json

Make = Callable[..., Json]


def test_a_created_resource_has_an_id_a_version_and_an_address(doctor: Api, pulse: Make) -> None:
    answer = doctor.send("POST", "Observation", pulse())
    made = answer.json()
    assert answer.status_code == 201
    assert made["meta"]["versionId"] == "1"
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["location"].endswith(f"/fhir/Observation/{made['id']}/_history/1")
    assert doctor.get(f"Observation/{made['id']}").json() == made


def test_the_client_does_not_choose_id_version_or_time_of_a_create(
    doctor: Api, pulse: Make
) -> None:
    sent = pulse(id="mine", meta={"versionId": "9", "lastUpdated": "2001-01-01T00:00:00Z"})
    made = doctor.create(sent)
    assert made["id"] != "mine"
    assert made["meta"]["versionId"] == "1"
    assert made["meta"]["lastUpdated"] > "2020"


def test_decimals_come_back_as_they_were_written(doctor: Api, patient: Json, pulse: Make) -> None:
    text = json.dumps(pulse()).replace('"value": 72', '"value": 4.00')
    answer = doctor.send(
        "POST",
        "Observation",
        content=text.encode(),
        headers={"content-type": "application/fhir+json"},
    )
    assert '"value":4.00' in answer.text
    assert '"value":4.00' in doctor.get(f"Observation/{answer.json()['id']}").text


def test_an_invalid_resource_is_refused_with_the_places_of_what_is_wrong(doctor: Api) -> None:
    answer = doctor.send("POST", "Observation", {"resourceType": "Observation"})
    assert answer.status_code == 422
    expressions = [one["expression"] for one in answer.json()["issue"]]
    assert ["Observation.status"] in expressions
    assert ["Observation.code"] in expressions


def test_a_resource_sent_to_another_types_address_is_refused(doctor: Api, pulse: Make) -> None:
    assert doctor.send("POST", "Condition", pulse()).status_code == 400


def test_a_resource_about_a_patient_nobody_knows_is_refused(doctor: Api, pulse: Make) -> None:
    answer = doctor.send(
        "POST", "Observation", pulse(subject={"reference": "Patient/nobody-knows-me"})
    )
    assert answer.status_code == 400
    assert "nobody-knows-me" not in answer.text


def test_an_update_makes_a_new_version_and_the_same_again_does_not(
    doctor: Api, pulse: Make
) -> None:
    made = doctor.create(pulse())
    changed = {**made, "status": "amended"}
    first = doctor.send("PUT", f"Observation/{made['id']}", changed)
    assert (first.status_code, first.json()["meta"]["versionId"]) == (200, "2")
    again = doctor.send("PUT", f"Observation/{made['id']}", changed)
    assert again.json()["meta"]["versionId"] == "2"


def test_what_the_server_added_does_not_come_back_as_the_authors_words(
    doctor: Api, pulse: Make
) -> None:
    made = doctor.create(pulse())
    for status in ("amended", "corrected"):
        made = doctor.send("PUT", f"Observation/{made['id']}", {**made, "status": status}).json()
    states = [one for one in made["meta"]["tag"] if one["system"] == "urn:simdes:state"]
    assert len(states) == 1


def test_an_update_under_an_old_version_is_refused(doctor: Api, pulse: Make) -> None:
    made = doctor.create(pulse())
    path = f"Observation/{made['id']}"
    old = {"if-match": 'W/"1"'}
    assert doctor.send("PUT", path, {**made, "status": "amended"}, headers=old).status_code == 200
    answer = doctor.send("PUT", path, {**made, "status": "corrected"}, headers=old)
    assert answer.status_code == 412
    assert doctor.get(path).json()["status"] == "amended"


def test_an_update_can_create_under_an_id_that_is_free(
    doctor: Api, pulse: Make, number: str
) -> None:
    answer = doctor.send("PUT", f"Observation/own-{number}", pulse(id=f"own-{number}"))
    assert (answer.status_code, answer.json()["id"]) == (201, f"own-{number}")


def test_the_id_in_the_resource_must_be_that_of_the_address(doctor: Api, pulse: Make) -> None:
    assert doctor.send("PUT", "Observation/one", pulse(id="other")).status_code == 400


def test_a_resource_does_not_move_to_another_patient(doctor: Api, pulse: Make, number: str) -> None:
    made = doctor.create(pulse())
    other = doctor.create({"resourceType": "Patient", "name": [{"family": number}]})
    moved = {**made, "subject": {"reference": f"Patient/{other['id']}"}}
    assert doctor.send("PUT", f"Observation/{made['id']}", moved).status_code == 409


def test_a_reference_that_leads_nowhere_or_to_another_patients_record_is_refused(
    doctor: Api, pulse: Make, number: str
) -> None:
    other = doctor.create({"resourceType": "Patient", "name": [{"family": number}]})
    encounter = doctor.create(
        {
            "resourceType": "Encounter",
            "status": "finished",
            "class": {
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                "code": "AMB",
            },
            "subject": {"reference": f"Patient/{other['id']}"},
        }
    )
    for target in ("Encounter/not-there", f"Encounter/{encounter['id']}"):
        answer = doctor.send("POST", "Observation", pulse(encounter={"reference": target}))
        assert answer.status_code == 400, answer.text


def test_a_deleted_resource_is_gone_and_keeps_its_history(doctor: Api, pulse: Make) -> None:
    made = doctor.create(pulse())
    path = f"Observation/{made['id']}"
    assert doctor.send("DELETE", path).status_code == 204
    assert doctor.get(path).status_code == 410
    assert doctor.get(f"{path}/_history/1").status_code == 200
    assert doctor.get(f"{path}/_history/2").status_code == 410
    methods = [one["request"]["method"] for one in doctor.get(f"{path}/_history").json()["entry"]]
    assert methods == ["DELETE", "POST"]
    assert doctor.found(f"Observation?_id={made['id']}") == []
    assert doctor.send("DELETE", path).status_code == 204


def test_a_deleted_resource_can_be_brought_back_by_an_update(doctor: Api, pulse: Make) -> None:
    made = doctor.create(pulse())
    path = f"Observation/{made['id']}"
    doctor.send("DELETE", path)
    answer = doctor.send("PUT", path, made)
    assert (answer.status_code, answer.json()["meta"]["versionId"]) == (201, "3")


def test_a_json_patch_changes_what_it_names(doctor: Api, pulse: Make) -> None:
    made = doctor.create(pulse())
    operations = [{"op": "replace", "path": "/status", "value": "amended"}]
    answer = doctor.send(
        "PATCH",
        f"Observation/{made['id']}",
        content=json.dumps(operations).encode(),
        headers={"content-type": "application/json-patch+json"},
    )
    assert (answer.status_code, answer.json()["status"]) == (200, "amended")


def test_a_fhirpath_patch_changes_what_it_names(doctor: Api, pulse: Make) -> None:
    made = doctor.create(pulse())
    parts: list[Json] = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": "Observation.status"},
        {"name": "value", "valueCode": "amended"},
    ]
    parameters = {
        "resourceType": "Parameters",
        "parameter": [{"name": "operation", "part": parts}],
    }
    answer = doctor.send("PATCH", f"Observation/{made['id']}", parameters)
    assert (answer.status_code, answer.json()["status"]) == (200, "amended"), answer.text


def test_a_patch_can_not_make_a_resource_invalid_or_another_one(doctor: Api, pulse: Make) -> None:
    made = doctor.create(pulse())
    for operation, status in (
        ({"op": "remove", "path": "/status"}, 422),
        ({"op": "replace", "path": "/id", "value": "other"}, 400),
    ):
        answer = doctor.send(
            "PATCH",
            f"Observation/{made['id']}",
            content=json.dumps([operation]).encode(),
            headers={"content-type": "application/json-patch+json"},
        )
        assert answer.status_code == status, answer.text
    assert doctor.get(f"Observation/{made['id']}").json()["meta"]["versionId"] == "1"


# Conditional interactions ---------------------------------------------------------------------


def test_a_conditional_create_creates_once(doctor: Api, pulse: Make, number: str) -> None:
    sent = pulse(identifier=[{"system": "urn:x:obs", "value": number}])
    condition = {"if-none-exist": f"identifier=urn:x:obs|{number}"}
    first = doctor.send("POST", "Observation", sent, headers=condition)
    second = doctor.send("POST", "Observation", sent, headers=condition)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]


def test_a_conditional_update_creates_then_updates_and_refuses_several(
    doctor: Api, pulse: Make, number: str
) -> None:
    path = f"Observation?identifier=urn:x:obs|{number}"
    sent = pulse(identifier=[{"system": "urn:x:obs", "value": number}])
    assert doctor.send("PUT", path, sent).status_code == 201
    assert doctor.send("PUT", path, {**sent, "status": "amended"}).status_code == 200
    doctor.create(sent)
    assert doctor.send("PUT", path, sent).status_code == 412
    assert doctor.send("DELETE", path).status_code == 412


def test_a_conditional_delete_deletes_the_one_it_finds(
    doctor: Api, pulse: Make, number: str
) -> None:
    made = doctor.create(pulse(identifier=[{"system": "urn:x:obs", "value": number}]))
    path = f"Observation?identifier=urn:x:obs|{number}"
    assert doctor.send("DELETE", path).status_code == 204
    assert doctor.get(f"Observation/{made['id']}").status_code == 410
    assert doctor.send("DELETE", path).status_code == 204


@pytest.mark.parametrize("query", ["", "?", "?_format=json", "?identifer=1"])
def test_a_condition_that_could_mean_everything_is_refused(doctor: Api, query: str) -> None:
    assert doctor.send("DELETE", f"Observation{query}").status_code == 400


# Transactions ---------------------------------------------------------------------------------


def entry(method: str, url: str, resource: Json | None = None, **others: Any) -> Json:
    made: Json = {"request": {"method": method, "url": url}, **others}
    return made | ({"resource": resource} if resource is not None else {})


def bundle(kind: str, *entries: Json) -> Json:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def test_a_transaction_resolves_what_its_entries_call_each_other(doctor: Api, number: str) -> None:
    sent = bundle(
        "transaction",
        entry(
            "POST",
            "Condition",
            {
                "resourceType": "Condition",
                "subject": {"reference": "urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059"},
                "code": {"text": "Asthma"},
            },
        ),
        entry(
            "POST",
            "Patient",
            {"resourceType": "Patient", "name": [{"family": number}]},
            fullUrl="urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059",
        ),
        entry("GET", f"Patient?family={number}"),
    )
    answer = doctor.send("POST", "", sent)
    assert answer.status_code == 200, answer.text
    condition, patient, found = answer.json()["entry"]
    assert condition["resource"]["subject"]["reference"] == f"Patient/{patient['resource']['id']}"
    assert condition["response"]["status"].startswith("201")
    assert found["resource"]["total"] == 1


def test_a_transaction_is_all_or_nothing(doctor: Api, pulse: Make, number: str) -> None:
    good = pulse(identifier=[{"system": "urn:x:obs", "value": number}])
    sent = bundle(
        "transaction",
        entry("POST", "Observation", good),
        entry("POST", "Observation", pulse(subject={"reference": "Patient/nobody"})),
    )
    assert doctor.send("POST", "", sent).status_code == 400
    assert doctor.found(f"Observation?identifier=urn:x:obs|{number}") == []


def test_a_batch_answers_each_entry_alone(doctor: Api, pulse: Make) -> None:
    sent = bundle(
        "batch",
        entry("POST", "Observation", pulse()),
        entry("POST", "Observation", {"resourceType": "Observation"}),
        entry("GET", "Observation/not-there"),
        entry("GET", "Nonsense/1"),
    )
    answer = doctor.send("POST", "", sent)
    statuses = [one["response"]["status"][:3] for one in answer.json()["entry"]]
    assert (answer.status_code, statuses) == (200, ["201", "422", "404", "404"])
    assert answer.json()["entry"][1]["response"]["outcome"]["resourceType"] == "OperationOutcome"


def test_one_resource_twice_in_a_transaction_is_refused(doctor: Api, pulse: Make) -> None:
    made = doctor.create(pulse())
    path = f"Observation/{made['id']}"
    sent = bundle("transaction", entry("PUT", path, made), entry("DELETE", path))
    assert doctor.send("POST", "", sent).status_code == 400


def test_nobodys_resources_come_along_into_the_patients_vault(
    doctor: Api, pulse: Make, patient: Json, number: str
) -> None:
    practitioner = doctor.create({"resourceType": "Practitioner", "name": [{"family": number}]})
    reference = {"reference": f"Practitioner/{practitioner['id']}"}
    doctor.create(pulse(performer=[reference]))
    everything = doctor.found(f"Patient/{patient['id']}/$everything?_count=100")
    assert [one["id"] for one in everything if one["resourceType"] == "Practitioner"] == [
        practitioner["id"]
    ]
    assert len(doctor.found(f"Practitioner?family={number}")) == 1


def test_every_write_leaves_a_provenance(doctor: Api, pulse: Make) -> None:
    made = doctor.create(pulse())
    doctor.send("PUT", f"Observation/{made['id']}", {**made, "status": "amended"})
    doctor.send("DELETE", f"Observation/{made['id']}")
    codes = [
        one["activity"]["coding"][0]["code"]
        for one in doctor.found(f"Provenance?target=Observation/{made['id']}&_sort=recorded")
    ]
    assert sorted(codes) == ["CREATE", "DELETE", "UPDATE"]


def test_what_only_the_system_writes_nobody_may_write(doctor: Api, patient: Json) -> None:
    sent = {
        "resourceType": "Provenance",
        "target": [{"reference": f"Patient/{patient['id']}"}],
        "recorded": "2024-01-01T00:00:00Z",
        "agent": [{"who": {"display": "me"}}],
    }
    assert doctor.send("POST", "Provenance", sent).status_code == 403


def test_an_app_with_a_constraint_sees_no_older_version_that_it_could_not_have_found(
    doctor: Api, pulse: Make
) -> None:
    def category(code: str) -> list[Json]:
        system = "http://terminology.hl7.org/CodeSystem/observation-category"
        return [{"coding": [{"system": system, "code": code}]}]

    made = doctor.create(pulse(category=category("survey")))
    path = f"Observation/{made['id']}"
    doctor.send("PUT", path, {**made, "category": category("laboratory")})
    app = Api.of(
        doctor.one, doctor.user, app=doctor.app, scope="user/Observation.rs?category=laboratory"
    )
    assert app.get(path).status_code == 200
    versions = [
        one["resource"]["meta"]["versionId"] for one in app.get(f"{path}/_history").json()["entry"]
    ]
    assert versions == ["2"]
    assert app.get(f"{path}/_history/1").status_code == 404
    assert len(doctor.get(f"{path}/_history").json()["entry"]) == 2
