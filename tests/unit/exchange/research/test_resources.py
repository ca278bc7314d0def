"""ResearchStudy and ResearchSubject over FHIR: what stands on chain, to whom it concerns."""

from __future__ import annotations

import pytest

from simdes.app import ADMINISTRATOR
from simdes.exchange.research import studies, taking_part
from support import researching
from support.consortium import Clock, Consortium
from support.fhir_api import Api, Json, application
from support.researching import Patient


@pytest.fixture(scope="module")
def joined(researched: tuple[Consortium, Clock], doctor: Api) -> Patient:
    return researching.patient(researched[0], doctor, "resource")


def api(network: Consortium, member: str, user: str) -> Api:
    return Api.of(network[member], user, app=application(network[member]))


def found(one: Api, query: str) -> list[Json]:
    answer = one.get(query)
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", [])]


def test_a_study_is_shown_as_the_ledger_has_it(network: Consortium, doctor: Api) -> None:
    north = network["north"].node
    document = researching.document(network, title="Shown")
    studies.register(network["south"].node, network.session("south", "prof.ray"), document)
    id_ = studies.id_of(north, document).hex()
    read = doctor.get(f"ResearchStudy/{id_}").json()
    assert read["status"] == "in-review"
    assert read["sponsor"]["display"] == "Clinic South"
    assert read["identifier"] == [{"system": "urn:simdes:study", "value": f"0x{id_}"}]
    approver = network.session("north", "dr.north")
    studies.approve(north, approver, document)
    [named] = found(doctor, f"ResearchStudy?identifier=urn:simdes:study|0x{id_}")
    assert named["status"] == "active"
    assert named["meta"]["versionId"] != read["meta"]["versionId"]
    assert id_ in {one["id"] for one in found(doctor, "ResearchStudy?status=active")}
    studies.retract(north, approver, document)
    assert doctor.get(f"ResearchStudy/{id_}").json()["status"] == "in-review"


def test_who_takes_part_is_shown_to_the_patient_and_to_the_sponsors_researchers_alone(
    network: Consortium, doctor: Api, joined: Patient
) -> None:
    north = network["north"].node
    document = researching.running(network, title="Subjects")
    mine = taking_part.opt_in(north, joined.session, document, vault=joined.vault)
    study = studies.id_of(north, document)
    url = f"ResearchSubject/{mine.tag.hex()}"
    patient, ray = api(network, "north", joined.user), api(network, "south", "prof.ray")

    own = patient.get(url).json()
    assert own["status"] == "on-study"
    assert own["study"]["reference"] == f"ResearchStudy/{study.hex()}"
    assert own["individual"]["reference"].startswith("Patient/")
    assert patient.get(f"{own['consent']['reference']}").status_code == 200
    theirs = ray.get(url).json()
    assert theirs["individual"] == {
        "type": "Patient",
        "identifier": {"system": "urn:simdes:vault", "value": f"0x{joined.vault.hex()}"},
    }
    assert mine.tag.hex() in {one["id"] for one in found(ray, "ResearchSubject")}
    others = (doctor, api(network, "south", "dr.lee"), api(network, "north", ADMINISTRATOR))
    for other in others:
        assert other.get(url).status_code in (403, 404)
        listed = other.get("ResearchSubject")
        assert listed.status_code == 403 or not listed.json().get("entry")
    by_study = f"ResearchSubject?study=ResearchStudy/{study.hex()}"
    assert [one["id"] for one in found(patient, by_study)] == [mine.tag.hex()]
    included = found(patient, f"{by_study}&_include=ResearchSubject:study")
    assert {one["resourceType"] for one in included} == {"ResearchStudy", "ResearchSubject"}

    taking_part.withdraw(north, joined.session, vault=joined.vault, study=study)
    assert patient.get(url).json()["status"] == "withdrawn"


def test_another_patient_sees_nobody_else(
    network: Consortium, doctor: Api, joined: Patient
) -> None:
    other = researching.patient(network, doctor, "resource-other")
    document = researching.running(network, title="Others")
    mine = taking_part.opt_in(network["north"].node, joined.session, document, vault=joined.vault)
    stranger = api(network, "north", other.user)
    assert found(stranger, "ResearchSubject") == []
    assert stranger.get(f"ResearchSubject/{mine.tag.hex()}").status_code == 404
    # Reading is on record in the patient's log.
    ray = api(network, "south", "prof.ray")
    assert ray.get(f"ResearchSubject/{mine.tag.hex()}").status_code == 200
    south = network["south"].node
    seen = south.desk.trail.entries(south.database, vault=joined.vault, limit=1000)
    assert any(one.attempt.account == ray_account(network) for _, one in seen)


def ray_account(network: Consortium) -> bytes:
    return network.session("south", "prof.ray").actor.account


@pytest.mark.parametrize("type_", ["ResearchStudy", "ResearchSubject"])
def test_nobody_writes_what_the_ledger_says(network: Consortium, type_: str) -> None:
    id_ = "ab" * 32
    resource: Json = {"resourceType": type_, "id": id_, "status": "active"}
    if type_ == "ResearchSubject":
        resource |= {
            "status": "on-study",
            "study": {"reference": f"ResearchStudy/{id_}"},
            "individual": {"reference": "Patient/1"},
        }
    for member, user in (("south", "prof.ray"), ("north", "dr.north"), ("north", ADMINISTRATOR)):
        answer = api(network, member, user).send("PUT", f"{type_}/{id_}", resource)
        assert answer.status_code in (400, 403, 404, 422), answer.text


def test_the_capability_statement_says_how_they_are_searched(doctor: Api) -> None:
    told = doctor.get("metadata").json()["rest"][0]["resource"]
    by_type = {one["type"]: one for one in told}
    for type_, name in (("ResearchStudy", "status"), ("ResearchSubject", "study")):
        assert name in {one["name"] for one in by_type[type_]["searchParam"]}
        codes = {one["code"] for one in by_type[type_]["interaction"]}
        assert {"read", "search-type"} <= codes
