"""Operations over HTTP (https://hl7.org/fhir/R4/operations.html)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from starlette.applications import Starlette

from simdes.exchange.interactions import collecting
from simdes.exchange.interactions.search import Page
from simdes.fhir.json import loads
from simdes.fhir.validate import validate
from support.consortium import ADMINISTRATOR, Consortium
from support.fhir_api import JSON, Api, Json
from support.messages import admission

Make = Callable[..., Json]

GENDERS = "http://hl7.org/fhir/administrative-gender"
GENDER_SET = "http://hl7.org/fhir/ValueSet/administrative-gender"


@pytest.fixture(scope="module")
def administrator(network: Consortium, north: Starlette) -> Api:
    return Api.of(network["north"], ADMINISTRATOR, app=north)


def parameters(*rows: Json) -> Json:
    return {"resourceType": "Parameters", "parameter": list(rows)}


def values(answer: Json) -> dict[str, Any]:
    """The parameters of an answer that have a value, by name."""
    return {
        row["name"]: value
        for row in answer["parameter"]
        for key, value in row.items()
        if key.startswith("value")
    }


def texts(outcome: Json) -> list[str]:
    return [one["details"]["text"] for one in outcome["issue"]]


# $validate ------------------------------------------------------------------------------------


def test_a_valid_resource_is_told_to_be_so(doctor: Api, pulse: Make) -> None:
    for body in (pulse(), parameters({"name": "resource", "resource": pulse()})):
        answer = doctor.send("POST", "Observation/$validate", body)
        assert answer.status_code == 200
        assert all(one["severity"] != "error" for one in answer.json()["issue"])


def test_what_is_wrong_is_told_with_its_place_and_200(doctor: Api) -> None:
    answer = doctor.send("POST", "Observation/$validate", {"resourceType": "Observation"})
    assert answer.status_code == 200
    places = [one.get("expression") for one in answer.json()["issue"]]
    assert ["Observation.status"] in places


def test_a_resource_of_another_type_is_told_to_be_so(doctor: Api, pulse: Make) -> None:
    told = doctor.send("POST", "Condition/$validate", pulse()).json()
    assert any("type of this address" in text for text in texts(told))


def test_nothing_is_stored_by_validating(doctor: Api, pulse: Make, patient: Json) -> None:
    doctor.send("POST", "Observation/$validate?mode=create", pulse())
    assert doctor.found(f"Observation?patient={patient['id']}") == []


def test_modes_say_what_the_role_may_not_do(doctor: Api) -> None:
    body = parameters(
        {"name": "mode", "valueCode": "create"},
        {"name": "resource", "resource": {"resourceType": "AuditEvent"}},
    )
    told = doctor.send("POST", "AuditEvent/$validate", body).json()
    assert told["issue"][0]["code"] == "forbidden"


def test_a_stored_resource_is_validated_where_none_is_sent(doctor: Api, pulse: Make) -> None:
    made = doctor.create(pulse())
    for method in ("GET", "POST"):
        answer = doctor.send(method, f"Observation/{made['id']}/$validate")
        assert answer.status_code == 200
        assert all(one["severity"] != "error" for one in answer.json()["issue"])
    assert doctor.get("Observation/nobody/$validate").status_code == 404
    other = doctor.send("POST", f"Observation/{made['id']}/$validate", {**made, "id": "other"})
    assert any("id in the address" in text for text in texts(other.json()))


def test_a_profile_that_is_named_is_checked(doctor: Api, pulse: Make) -> None:
    vital = "http://hl7.org/fhir/StructureDefinition/vitalsigns"
    told = doctor.send("POST", f"Observation/$validate?profile={vital}", pulse()).json()
    assert any("category" in str(one.get("expression")) for one in told["issue"])
    unknown = doctor.send("POST", "Observation/$validate?profile=urn:unknown", pulse())
    assert unknown.status_code == 400


@pytest.mark.parametrize("query", ["mode=odd", "mode=create&mode=update"])
def test_odd_modes_are_refused(doctor: Api, pulse: Make, query: str) -> None:
    assert doctor.send("POST", f"Observation/$validate?{query}", pulse()).status_code == 400


# Terminology ----------------------------------------------------------------------------------


def test_a_code_is_looked_up_by_get_and_post(doctor: Api) -> None:
    got = doctor.get(f"CodeSystem/$lookup?system={GENDERS}&code=female").json()
    assert values(got)["display"] == "Female"
    coding = {"name": "coding", "valueCoding": {"system": GENDERS, "code": "female"}}
    assert doctor.send("POST", "CodeSystem/$lookup", parameters(coding)).json() == got


def test_codes_are_validated_subsumed_and_expanded(doctor: Api) -> None:
    right = doctor.get(f"CodeSystem/$validate-code?url={GENDERS}&code=male").json()
    assert values(right)["result"] is True
    wrong = doctor.get(f"ValueSet/$validate-code?url={GENDER_SET}&system={GENDERS}&code=x").json()
    assert values(wrong)["result"] is False
    system = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    same = doctor.get(f"CodeSystem/$subsumes?system={system}&codeA=IMP&codeB=ACUTE").json()
    assert values(same)["outcome"] == "subsumes"
    expanded = doctor.get(f"ValueSet/$expand?url={GENDER_SET}&filter=fem").json()
    assert {one["code"] for one in expanded["expansion"]["contains"]} == {"female"}
    assert [one for one in validate(expanded) if one.is_error] == []


def test_codes_are_translated(doctor: Api) -> None:
    maps = "http://hl7.org/fhir/ConceptMap/cm-administrative-gender-v2"
    told = doctor.get(
        f"ConceptMap/$translate?url={maps}&system={GENDERS}&code=female"
        "&targetsystem=http://terminology.hl7.org/CodeSystem/v2-0001"
    )
    assert told.status_code == 200
    assert values(told.json())["result"] is True


def test_what_is_not_loaded_is_named_and_not_found(doctor: Api) -> None:
    answer = doctor.get("CodeSystem/$lookup?system=http://loinc.org&code=8867-4")
    assert answer.status_code == 404
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.fixture(scope="module")
def ward_codes(administrator: Api) -> Json:
    """A code system of the hospital's own with a hierarchy."""
    return administrator.create(
        {
            "resourceType": "CodeSystem",
            "url": "http://north.example/wards",
            "status": "active",
            "content": "complete",
            "hierarchyMeaning": "is-a",
            "concept": [
                {
                    "code": "surgery",
                    "display": "Surgery",
                    "concept": [{"code": "heart", "display": "Heart surgery"}],
                },
                {"code": "medicine", "display": "Medicine"},
            ],
        }
    )


@pytest.fixture(scope="module")
def ward_set(administrator: Api, ward_codes: Json) -> Json:
    return administrator.create(
        {
            "resourceType": "ValueSet",
            "url": "http://north.example/wards-that-cut",
            "status": "active",
            "compose": {
                "include": [
                    {
                        "system": ward_codes["url"],
                        "filter": [{"property": "concept", "op": "is-a", "value": "surgery"}],
                    }
                ]
            },
        }
    )


def test_stored_code_systems_and_value_sets_are_asked_too(doctor: Api, ward_set: Json) -> None:
    listed = doctor.get(f"ValueSet/$expand?url={ward_set['url']}").json()
    codes = {one["code"] for one in listed["expansion"]["contains"]}
    assert codes == {"surgery", "heart"}
    by_id = doctor.get(f"ValueSet/{ward_set['id']}/$expand").json()
    assert {one["code"] for one in by_id["expansion"]["contains"]} == codes
    told = doctor.get(f"ValueSet/{ward_set['id']}/$validate-code?code=medicine")
    assert values(told.json())["result"] is False


def test_an_app_that_may_not_see_value_sets_is_told_nothing_of_stored_ones(
    network: Consortium, north: Starlette, ward_set: Json
) -> None:
    narrow = Api.of(network["north"], "dr.north", app=north, scope="user/Observation.rs")
    assert narrow.get(f"ValueSet/$expand?url={ward_set['url']}").status_code == 404
    assert narrow.get(f"ValueSet/$expand?url={GENDER_SET}").status_code == 200
    assert narrow.get(f"ValueSet/{ward_set['id']}/$expand").status_code == 403


def test_searches_by_value_set_and_hierarchy(
    doctor: Api, pulse: Make, patient: Json, ward_codes: Json, ward_set: Json
) -> None:
    system = ward_codes["url"]
    made = {
        code: doctor.create(pulse(code={"coding": [{"system": system, "code": code}]}))["id"]
        for code in ("surgery", "heart", "medicine")
    }

    def found(query: str) -> set[str]:
        path = f"Observation?patient={patient['id']}&{query}"
        ids = {one["id"] for one in doctor.found(path)}
        return {code for code, id_ in made.items() if id_ in ids}

    assert found(f"code:in={ward_set['url']}") == {"surgery", "heart"}
    assert found(f"code:in=ValueSet/{ward_set['id']}") == {"surgery", "heart"}
    assert found(f"code:not-in={ward_set['url']}") == {"medicine"}
    assert found(f"code:below={system}|surgery") == {"surgery", "heart"}
    assert found(f"code:above={system}|heart") == {"surgery", "heart"}
    for query in ("code:in=urn:unknown", "code:below=urn:unknown|x", "code:below=x"):
        assert doctor.get(f"Observation?{query}").status_code == 400


# Patients -------------------------------------------------------------------------------------


def test_a_patient_is_matched_with_score_and_grade(doctor: Api, patient: Json, number: str) -> None:
    asked = {
        "resourceType": "Patient",
        "name": [{"family": f"Muller-{number}", "given": ["Anna"]}],
        "birthDate": "1980-02-03",
        "gender": "female",
    }
    row = {"name": "resource", "resource": asked}
    answer = doctor.send("POST", "Patient/$match", parameters(row))
    assert answer.status_code == 200
    [first, *_] = answer.json()["entry"]
    assert first["resource"]["id"] == patient["id"]
    assert 0 < first["search"]["score"] <= 1
    assert first["search"]["extension"][0]["valueCode"] in ("certain", "probable", "possible")
    assert [one for one in validate(loads(answer.content)) if one.is_error] == []
    alone = doctor.send("POST", "Patient/$match", asked).json()
    assert alone["entry"][0]["resource"]["id"] == patient["id"]
    none = {"name": "onlyCertainMatches", "valueBoolean": True}
    assert doctor.send("POST", "Patient/$match", parameters(row, none)).status_code == 200


def test_a_patient_of_others_is_not_matched(
    network: Consortium, doctor: Api, patient: Json
) -> None:
    stranger = Api.of(network["south"], "dr.lee")
    asked = {key: patient[key] for key in ("resourceType", "identifier", "name", "birthDate")}
    for who, is_known in ((doctor, True), (stranger, False)):
        answer = who.send("POST", "Patient/$match", asked)
        assert answer.status_code == 200
        assert (patient["id"] in answer.text) == is_known


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Patient"},
        {"resourceType": "Observation"},
        {"resourceType": "Parameters"},
        {"resourceType": "Parameters", "parameter": [{"name": "resource"}]},
        {"resourceType": "Patient", "name": "Anna", "birthDate": 3},
        None,
    ],
)
def test_matching_on_too_little_or_on_rubbish_is_refused(doctor: Api, body: Json | None) -> None:
    assert doctor.send("POST", "Patient/$match", body).status_code == 400


def test_a_summary_is_a_valid_document_of_the_patients_records(doctor: Api, patient: Json) -> None:
    doctor.create(
        {
            "resourceType": "AllergyIntolerance",
            "patient": {"reference": f"Patient/{patient['id']}"},
            "code": {"text": "Penicillin"},
            "clinicalStatus": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
                        "code": "active",
                    }
                ]
            },
        }
    )
    for method in ("GET", "POST"):
        answer = doctor.send(method, f"Patient/{patient['id']}/$summary")
        assert answer.status_code == 200
        made = answer.json()
        assert made["type"] == "document"
        composition = made["entry"][0]["resource"]
        assert composition["resourceType"] == "Composition"
        assert "Penicillin" in answer.text
        assert [one for one in validate(made) if one.is_error] == []
    assert doctor.get("Patient/nobody/$summary").status_code == 404
    other = doctor.get(f"Patient/{patient['id']}/$summary?profile=urn:other")
    assert other.status_code == 400


def test_a_summary_that_is_not_whole_says_so(
    doctor: Api, patient: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = collecting.everything

    def reached_in_part(*given: Any, **named: Any) -> Page:
        return replace(real(*given, **named), warnings=("South <did not> answer.",))

    monkeypatch.setattr(collecting, "everything", reached_in_part)
    made = doctor.get(f"Patient/{patient['id']}/$summary").json()
    *_, last = made["entry"][0]["resource"]["section"]
    assert "South &lt;did not&gt; answer." in last["text"]["div"]
    assert [one for one in validate(made) if one.is_error] == []


def test_whoever_is_proposed_or_summarised_is_on_record(
    network: Consortium, doctor: Api, patient: Json
) -> None:
    def entries() -> int:
        with network["north"].node.database.read() as tx:
            return int(tx.all("SELECT count(*) FROM audit_entry")[0][0])

    before = entries()
    assert doctor.send("POST", "Patient/$match", patient).status_code == 200
    matched = entries()
    assert doctor.get(f"Patient/{patient['id']}/$summary").status_code == 200
    assert before < matched < entries()


# $submit-legacy -------------------------------------------------------------------------------

ER7 = "x-application/hl7-v2+er7"


def test_a_message_is_taken_over_and_answered_as_fhir(doctor: Api, number: str) -> None:
    message = admission("A01", sent="20260101090000", number=number, control=number)
    headers = {"content-type": ER7}
    dry = doctor.send("POST", "$submit-legacy?dry-run=true", content=message, headers=headers)
    assert dry.status_code == 200
    assert doctor.found(f"Patient?identifier={number}") == []
    answer = doctor.send("POST", "$submit-legacy", content=message, headers=headers)
    assert answer.status_code == 200, answer.text
    made = {row["name"]: row["resource"] for row in answer.json()["parameter"]}
    assert made["outcome"]["resourceType"] == "OperationOutcome"
    assert "Patient" in {one["resource"]["resourceType"] for one in made["bundle"]["entry"]}
    assert len(doctor.found(f"Patient?identifier={number}")) == 1


def test_what_cannot_be_taken_over_is_answered_with_its_reason(doctor: Api) -> None:
    headers = {"content-type": "application/octet-stream"}
    answer = doctor.send("POST", "$submit-legacy", content=b"\x00rubbish", headers=headers)
    assert answer.status_code == 422
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_an_empty_submission_and_an_odd_parameter_are_refused(doctor: Api) -> None:
    assert doctor.send("POST", "$submit-legacy").status_code == 400
    answer = doctor.send("POST", "$submit-legacy?dry-run=odd", content=b"MSH|")
    assert answer.status_code == 400


def test_an_app_with_less_than_all_may_not_submit(network: Consortium, north: Starlette) -> None:
    scopes = ("user/Patient.cruds", "user/*.rs", "user/*.cruds?_security=x")
    for scope in scopes:
        app = Api.of(network["north"], "dr.north", app=north, scope=scope)
        headers = {"content-type": ER7}
        answer = app.send("POST", "$submit-legacy", content=b"MSH|^~\\&|", headers=headers)
        assert answer.status_code == 403, scope


def test_operations_work_inside_a_batch(doctor: Api, patient: Json) -> None:
    urls = (
        f"CodeSystem/$lookup?system={GENDERS}&code=female",
        f"Patient/{patient['id']}/$summary",
    )
    entries = [{"request": {"method": "GET", "url": url}} for url in urls]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answered = doctor.send("POST", "", bundle).json()["entry"]
    assert [one["response"]["status"] for one in answered] == ["200 OK", "200 OK"]
    assert answered[1]["resource"]["type"] == "document"


def test_operations_need_a_token(north: Starlette, doctor: Api) -> None:
    nobody = Api(doctor.one, "", north, "no-token")
    for method, path in (
        ("GET", "CodeSystem/$lookup"),
        ("POST", "Patient/$match"),
        ("POST", "$submit-legacy"),
        ("GET", "ValueSet/$odd"),
    ):
        sent = nobody.send(method, path, headers={"content-type": JSON})
        assert sent.status_code == 401


# $everything ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["GET", "POST"])
def test_every_page_of_everything_is_of_what_was_asked_for(
    doctor: Api, pulse: Make, patient: Json, how: str
) -> None:
    old = [doctor.create(pulse(effectiveDateTime="2001-01-01"))["id"] for _ in range(3)]
    new = [doctor.create(pulse(effectiveDateTime="2024-01-01"))["id"] for _ in range(3)]
    path = f"Patient/{patient['id']}/$everything"
    asked = {"_type": "Observation", "start": "2020-01-01", "_count": "2"}
    if how == "GET":
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        bundle = doctor.get(f"{path}?{query}").json()
    else:
        rows = [{"name": name, "valueString": value} for name, value in asked.items()]
        bundle = doctor.send("POST", path, parameters(*rows)).json()
    found = [one["resource"]["id"] for one in bundle["entry"]]
    [after] = [one["url"] for one in bundle["link"] if one["relation"] == "next"]
    last = doctor.get(after.partition("/fhir/")[2])
    assert last.status_code == 200, last.text
    found += [one["resource"]["id"] for one in last.json()["entry"]]
    assert sorted(found) == sorted(new)
    assert not set(found) & set(old)
    other = after.replace("start=2020-01-01", "start=2000-01-01")
    assert other != after
    assert doctor.get(other.partition("/fhir/")[2]).status_code == 400
