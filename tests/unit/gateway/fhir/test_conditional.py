"""Conditions of changes are read as searches are (https://hl7.org/fhir/R4/http.html#ccreate)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.consortium import Consortium
from support.fhir_api import Api, Json

Make = Callable[..., Json]
KEY = "urn:x:conditional"


def _identified(number: str) -> Json:
    return {"identifier": [{"system": KEY, "value": number}]}


@pytest.mark.parametrize("query", ["_count=1", "_sort=-date", "_include=*", "_type=Observation"])
def test_what_only_shapes_an_answer_is_no_condition(doctor: Api, pulse: Make, query: str) -> None:
    made = doctor.create(pulse())
    assert doctor.send("DELETE", f"Observation?{query}").status_code == 400
    again = doctor.send("POST", "Observation", pulse(), headers={"if-none-exist": query})
    assert again.status_code == 400
    assert doctor.get(f"Observation/{made['id']}").status_code == 200


CONDITIONS = [
    "status:not-in=http://hl7.org/fhir/ValueSet/observation-category&identifier={key}",
    "status:in=http://hl7.org/fhir/ValueSet/observation-status&identifier={key}",
    "subject:Patient.identifier=urn:oid:2.16.840.1.113883.4.1|{number}&identifier={key}",
    "_has:Provenance:target:_lastUpdated=gt2000&identifier={key}",
]


@pytest.mark.parametrize("condition", CONDITIONS, ids=["not-in", "in", "chain", "has"])
def test_a_condition_takes_what_a_search_takes(
    doctor: Api, pulse: Make, number: str, condition: str
) -> None:
    made = doctor.create(pulse(**_identified(number)))
    path = f"Observation?{condition}".format(key=f"{KEY}|{number}", number=number)
    assert [one["id"] for one in doctor.found(path)] == [made["id"]]
    query = path.partition("?")[2]
    asked = {"if-none-exist": query}
    existed = doctor.send("POST", "Observation", pulse(99, **_identified(number)), headers=asked)
    assert (existed.status_code, existed.json()["id"]) == (200, made["id"])
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "resource": pulse(99, **_identified(number)),
                "request": {"method": "POST", "url": "Observation", "ifNoneExist": query},
            }
        ],
    }
    (entry,) = doctor.send("POST", "", bundle).json()["entry"]
    assert (entry["response"]["status"], entry["resource"]["id"]) == ("200 OK", made["id"])
    updated = doctor.send("PUT", path, pulse(81, **_identified(number)))
    assert (updated.status_code, updated.json()["id"]) == (200, made["id"])
    patched = doctor.send(
        "PATCH",
        path,
        content=b'[{"op": "replace", "path": "/status", "value": "amended"}]',
        headers={"content-type": "application/json-patch+json"},
    )
    assert patched.json()["status"] == "amended"
    assert doctor.send("DELETE", path).status_code == 204
    assert doctor.get(f"Observation/{made['id']}").status_code == 410


def test_if_none_match_lets_an_update_create_and_never_change(
    doctor: Api, pulse: Make, number: str
) -> None:
    name, only_new = f"Observation/new-{number}", {"if-none-match": "*"}
    made = doctor.send("PUT", name, pulse(1, id=f"new-{number}"), headers=only_new)
    assert made.status_code == 201
    again = doctor.send("PUT", name, pulse(2, id=f"new-{number}"), headers=only_new)
    assert again.status_code == 412
    assert doctor.get(name).json()["valueQuantity"]["value"] == 1
    assert doctor.send("DELETE", name).status_code == 204
    # What was deleted is not there: https://hl7.org/fhir/R4/http.html#upsert
    assert doctor.send("PUT", name, pulse(3, id=f"new-{number}"), headers=only_new).is_success


def test_a_value_set_that_nobody_knows_is_named_and_matches_nothing_by_accident(
    doctor: Api, pulse: Make
) -> None:
    made = doctor.create(pulse())
    refused = doctor.send("DELETE", "Observation?status:not-in=http://x.example/none")
    assert refused.status_code == 400
    assert doctor.get(f"Observation/{made['id']}").status_code == 200


def test_whoever_writes_may_name_themselves_as_their_apps_know_them(
    network: Consortium, doctor: Api, pulse: Make
) -> None:
    """``fhirUser`` (SMART App Launch) is whom apps give as performer or author."""
    account = network.session("north", "dr.north").actor.account.hex()
    for type_ in ("Practitioner", "PractitionerRole"):
        performer = [{"reference": f"{type_}/{account}"}]
        made = doctor.create(pulse(performer=performer))
        query = f"Observation?_id={made['id']}&_include=Observation:performer"
        entries = doctor.get(query).json()["entry"]
        found = [one["resource"] for one in entries if one["search"]["mode"] == "include"]
        assert [(one["resourceType"], one["id"]) for one in found] == [(type_, account)]
    listed = doctor.found(f"Practitioner?_id={account}")
    assert len(listed) == 1
    stranger = "0" * len(account)
    refused = doctor.send(
        "POST", "Observation", pulse(performer=[{"reference": f"Practitioner/{stranger}"}])
    )
    assert refused.status_code == 400
