"""Bulk export from token to file: everything that searches find, nothing that they do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.applications import Starlette

from simdes.access.audit_event import Verb
from simdes.exchange.bulk import jobs
from simdes.index.vaults import Identifier, find
from support.bulk import ASYNC, Service, export, fetch, finished, kick_off, parameters, work
from support.consortium import Clock, Consortium
from support.fhir_api import Api, Json

SYSTEM = "urn:oid:2.16.840.1.113883.4.1"


@pytest.fixture
def service(network: Consortium, north: Starlette) -> Service:
    """A backend service of hospital north that may read everything."""
    return Service.of(network["north"], north)


@pytest.fixture
def records(doctor: Api, patient: Json, pulse: Callable[..., Json]) -> list[Json]:
    """A patient with three observations."""
    return [patient, *(doctor.create(pulse(value)) for value in (60, 61, 62))]


@pytest.fixture
def group(doctor: Api, patient: Json, records: list[Json]) -> Json:
    """A Group of the patient alone."""
    return doctor.create(
        {
            "resourceType": "Group",
            "type": "person",
            "actual": True,
            "member": [{"entity": {"reference": f"Patient/{patient['id']}"}}],
        }
    )


def names(resources: list[Json]) -> list[str]:
    return sorted(f"{one['resourceType']}/{one['id']}" for one in resources)


def test_an_export_is_what_searches_find(
    service: Service, records: list[Json], doctor: Api
) -> None:
    exported = export(service.api, "Patient/$export?_type=Patient,Observation")
    found = [one for type_ in ("Patient", "Observation") for one in service.api.found(type_)]
    assert exported.names == names(found)
    assert set(names(records)) <= set(exported.names)
    by_id = {one["id"]: one for one in found}
    for its in exported.files.values():
        assert all(one == by_id[one["id"]] for one in its)


def test_the_manifest_says_what_the_specification_asks(
    service: Service, records: list[Json]
) -> None:
    path = "$export?_type=Observation&_outputFormat=application%2Ffhir%2Bndjson"
    exported = export(service.api, path)
    manifest = exported.manifest
    assert set(manifest) == {
        *("transactionTime", "request", "requiresAccessToken", "output", "deleted", "error")
    }
    assert manifest["requiresAccessToken"] is True
    assert manifest["request"].endswith("/fhir/" + path)
    [file] = manifest["output"]
    assert file["type"] == "Observation"
    assert file["count"] == len(exported.files["Observation"])
    assert (manifest["deleted"], manifest["error"]) == ([], [])


def test_a_group_export_has_its_members_alone(
    service: Service, records: list[Json], group: Json, doctor: Api, number: str
) -> None:
    exported = export(service.api, f"Group/{group['id']}/$export")
    assert set(names(records)) <= set(exported.names)
    assert [one["id"] for one in exported.files["Patient"]] == [records[0]["id"]]
    assert {one["subject"]["reference"] for one in exported.files["Observation"]} == {
        f"Patient/{records[0]['id']}"
    }


def test_patients_can_be_named_in_a_post(service: Service, records: list[Json]) -> None:
    body = parameters(patient=[{"reference": f"Patient/{records[0]['id']}"}], _type="Observation")
    exported = export(service.api, "Patient/$export", method="POST", body=body)
    assert exported.names == names(records[1:])
    unknown = parameters(patient=[{"reference": "Patient/nobody"}])
    answer = service.api.send("POST", "Patient/$export", unknown, headers=ASYNC)
    assert answer.status_code == 404
    answer = service.api.send("POST", "$export", body, headers=ASYNC)
    assert answer.status_code == 400


def test_filters_elements_and_since_narrow(
    service: Service, records: list[Json], group: Json, doctor: Api, clock: Clock
) -> None:
    base = f"Group/{group['id']}/$export?_type=Observation,Patient"
    filters = "&_typeFilter=Observation%3Fvalue-quantity%3D60,Observation%3Fvalue-quantity%3D62"
    exported = export(service.api, base + filters)
    assert [one["valueQuantity"]["value"] for one in exported.files["Observation"]] != []
    assert {one["valueQuantity"]["value"] for one in exported.files["Observation"]} == {60, 62}
    assert len(exported.files["Patient"]) == 1
    cut = export(service.api, base + "&_elements=Patient.name,id")
    [patient] = cut.files["Patient"]
    assert "name" in patient and "birthDate" not in patient
    assert {"code": "SUBSETTED"}.items() <= patient["meta"]["tag"][-1].items()
    since = exported.manifest["transactionTime"].replace("+", "%2B")
    assert export(service.api, f"{base}&_since={since}").names == []
    changed = doctor.send(
        "PUT", f"Observation/{records[1]['id']}", {**records[1], "status": "amended"}
    )
    assert changed.status_code == 200
    assert doctor.send("DELETE", f"Observation/{records[2]['id']}").status_code in (200, 204)
    later = export(service.api, f"{base}&_since={since}")
    assert later.names == [f"Observation/{records[1]['id']}"]
    assert [one["entry"][0]["request"] for one in later.deleted] == [
        {"method": "DELETE", "url": f"Observation/{records[2]['id']}"}
    ]
    assert {one["type"] for one in later.deleted} == {"transaction"}


def test_what_changes_while_an_export_runs_is_exported_as_it_was(
    service: Service, records: list[Json], group: Json, doctor: Api, pulse: Callable[..., Json]
) -> None:
    name = kick_off(service.api, f"Group/{group['id']}/$export?_type=Observation")
    doctor.send("PUT", f"Observation/{records[1]['id']}", {**records[1], "status": "amended"})
    doctor.create(pulse(99))
    exported = finished(service.api, name)
    assert exported.names == names(records[1:])
    assert {one["status"] for one in exported.files["Observation"]} == {"final"}


def test_files_are_split_and_walked_in_slices_without_loss(
    service: Service,
    records: list[Json],
    group: Json,
    doctor: Api,
    pulse: Callable[..., Json],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from simdes.exchange.bulk import delivering, exporting

    monkeypatch.setattr(exporting, "AT_ONCE", 2)
    monkeypatch.setattr(exporting, "MOST_LINES", 3)
    monkeypatch.setattr(delivering, "PAGE", 2)
    made = [doctor.create(pulse(value)) for value in range(5)]
    exported = export(service.api, f"Group/{group['id']}/$export?_type=Observation,Patient")
    assert exported.names == names([*records, *made])
    counts = [one["count"] for one in exported.manifest["output"] if one["type"] == "Observation"]
    assert counts == [3, 3, 2]


# Who gets what --------------------------------------------------------------------------------


def test_a_scope_exports_its_type_alone(
    network: Consortium, north: Starlette, records: list[Json], group: Json
) -> None:
    narrow = Service.of(network["north"], north, "system/Observation.rs")
    exported = export(narrow.api, f"Group/{group['id']}/$export")
    assert exported.names == names(records[1:])
    answer = narrow.api.get(f"Group/{group['id']}/$export?_type=Patient", **ASYNC)
    assert answer.status_code == 403
    lenient = {**ASYNC, "prefer": "respond-async, handling=lenient"}
    answer = narrow.api.get("Patient/$export?_type=Patient,Observation", **lenient)
    assert answer.status_code == 202
    conditional = Service.of(network["north"], north, "system/Observation.rs?value-quantity=60")
    assert export(conditional.api, f"Group/{group['id']}/$export").names == names(records[1:2])


def test_a_person_exports_through_scopes_alone(
    network: Consortium, north: Starlette, doctor: Api, records: list[Json], group: Json
) -> None:
    assert doctor.get("Patient/$export", **ASYNC).status_code == 403
    scoped = Api.of(network["north"], "dr.north", app=north, scope="user/Observation.rs")
    exported = export(scoped, f"Group/{group['id']}/$export")
    assert exported.names == names(records[1:])


def test_a_patient_exports_their_own_records(
    network: Consortium, north: Starlette, records: list[Json], number: str
) -> None:
    node = network["north"].node
    with node.database.read() as tx:
        vault = find(tx, Identifier(SYSTEM, number))
    assert vault is not None
    network.settle()
    network.enrol(vault, f"p.{number}")
    own = Api.of(network["north"], f"p.{number}", app=north)
    exported = export(own, "Patient/$export?_type=Patient,Observation")
    assert exported.names == names(records)


def test_a_job_is_there_for_who_asked_alone(
    network: Consortium, north: Starlette, service: Service, records: list[Json]
) -> None:
    exported = export(service.api, "$export?_type=Observation")
    other = Service.of(network["north"], north)
    path = exported.manifest["output"][0]["url"].partition("/fhir/")[2]
    for method, where in (
        ("GET", f"jobs/{exported.name}"),
        ("DELETE", f"jobs/{exported.name}"),
        ("GET", path),
    ):
        answer = other.api.send(method, where)
        assert answer.status_code == 404, where
        unknown = other.api.send(method, where.replace(exported.name, "A" * 43))
        assert answer.json() == unknown.json()
    assert service.api.get(f"jobs/{exported.name}").status_code == 200
    anonymous = service.api.send("GET", path, headers={"authorization": ""})
    assert anonymous.status_code == 401


def test_a_file_is_decided_again_when_it_is_fetched(
    network: Consortium, north: Starlette, records: list[Json], group: Json
) -> None:
    service = Service.of(network["north"], north, "system/*.rs system/Observation.rs")
    exported = export(service.api, f"Group/{group['id']}/$export?_type=Observation,Patient")
    files = {one["type"]: one["url"] for one in exported.manifest["output"]}
    service.renew("system/Observation.rs")
    assert len(fetch(service.api, files["Observation"])) == 3
    path = files["Patient"].partition("/fhir/")[2]
    assert service.api.get(path).status_code == 403
    service.renew("system/Observation.rs?value-quantity=60")
    assert names(fetch(service.api, files["Observation"])) == names(records[1:2])


def test_a_revoked_token_fetches_nothing(service: Service, records: list[Json]) -> None:
    from simdes.access import tokens

    exported = export(service.api, "$export?_type=Observation")
    path = exported.manifest["output"][0]["url"].partition("/fhir/")[2]
    node = service.one.node
    tokens.revoke(node.issuer, tokens.session_of(service.api.token))
    assert service.api.get(path).status_code == 401
    assert service.api.get(f"jobs/{exported.name}").status_code == 401


def test_a_removed_service_ends_its_job(service: Service, records: list[Json]) -> None:
    from simdes.exchange import clients
    from simdes.index import bulk

    name = kick_off(service.api, "$export?_type=Observation")
    node = service.one.node
    clients.remove(node, None, service.asking.client.id)
    for _ in range(50):
        jobs.work(node, worker="test")
    with node.database.read() as tx:
        rows = tx.all(
            "SELECT state, failure FROM bulk_job WHERE client = :c", c=service.asking.client.id
        )
        parts = tx.all(
            "SELECT 1 FROM bulk_part JOIN bulk_job ON id = job WHERE client = :c",
            c=service.asking.client.id,
        )
    assert rows == [(bulk.FAILED, "forbidden")]
    assert parts == []
    assert name


# The protocol ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("$export", {}, 400),
        ("$export?_outputFormat=text/csv", ASYNC, 400),
        ("$export?_since=yesterday", ASYNC, 400),
        ("$export?_type=Nothing", ASYNC, 400),
        ("$export?includeAssociatedData=LatestProvenanceResources", ASYNC, 400),
        ("$export?_type=Patient&_typeFilter=Observation%3Fstatus%3Dfinal", ASYNC, 400),
        ("$export?_typeFilter=Patient%3F_include%3DPatient:organization", ASYNC, 400),
        ("$export?_typeFilter=Patient%3F_sort%3Dbirthdate", ASYNC, 400),
        ("$export?_typeFilter=Patient%3Fnonsense%3D1", ASYNC, 400),
        ("$export?_type=Patient&_type=Group&_since=2024&_since=2025", ASYNC, 400),
        ("Patient/$export?patient=Patient/1", ASYNC, 400),
        ("Group/nobody/$export", ASYNC, 404),
        ("jobs/short", {}, 404),
        ("jobs/" + "A" * 43, {}, 404),
        ("jobs/" + "A" * 43 + "/1", {}, 404),
    ],
)
def test_what_can_not_be_had_is_refused(
    service: Service, path: str, headers: dict[str, str], status: int
) -> None:
    answer = service.api.get(path, **headers)
    assert answer.status_code == status, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_lenient_handling_passes_over_what_is_not_known(service: Service) -> None:
    lenient = {**ASYNC, "prefer": "respond-async,handling=lenient"}
    path = "$export?_type=Basic,Nothing&includeAssociatedData=X&_typeFilter=Group%3Ftype%3Dperson"
    assert service.api.get(path, **lenient).status_code == 202


def test_polling_waits_and_too_often_is_429(service: Service, clock: Clock) -> None:
    name = kick_off(service.api, "$export?_type=Basic")
    first = service.api.get(f"jobs/{name}")
    assert first.status_code == 202
    assert first.headers["x-progress"] and int(first.headers["retry-after"]) >= 1
    again = service.api.get(f"jobs/{name}")
    assert (again.status_code, "retry-after" in again.headers) == (429, True)
    clock.ahead_seconds += 3
    assert service.api.get(f"jobs/{name}").status_code == 202
    assert work(service.one, service.api, name).status_code == 200


def test_a_cancelled_job_is_gone_with_its_files(service: Service, records: list[Json]) -> None:
    exported = export(service.api, "$export?_type=Observation")
    path = exported.manifest["output"][0]["url"].partition("/fhir/")[2]
    assert service.api.send("DELETE", f"jobs/{exported.name}").status_code == 202
    assert service.api.get(path).status_code == 404
    assert service.api.get(f"jobs/{exported.name}").status_code == 404
    assert service.api.send("DELETE", f"jobs/{exported.name}").status_code == 404
    running = kick_off(service.api, "$export")
    assert service.api.send("DELETE", f"jobs/{running}").status_code == 202
    while jobs.work(service.one.node, worker="test"):
        pass
    assert service.api.get(f"jobs/{running}").status_code == 404
    with service.one.node.database.read() as tx:
        left = tx.all("SELECT 1 FROM bulk_part WHERE job NOT IN (SELECT id FROM bulk_job)")
    assert left == []


def test_files_expire_after_a_day(service: Service, records: list[Json]) -> None:
    exported = export(service.api, "$export?_type=Observation")
    node = service.one.node
    with node.database.read() as tx:
        [(id_, expires_ms)] = tx.all(
            "SELECT id, expires_ms FROM bulk_job WHERE client = :c", c=service.asking.client.id
        )
    assert 23 * 3_600_000 < expires_ms - node.now_ms() <= 24 * 3_600_000
    past = node.now_ms() - 1
    node.database.write(
        lambda tx: tx.run("UPDATE bulk_job SET expires_ms = :p WHERE id = :id", p=past, id=id_)
    )
    assert service.api.get(f"jobs/{exported.name}").status_code == 404
    jobs.work(node, worker="test")
    with node.database.read() as tx:
        assert tx.all("SELECT 1 FROM bulk_part WHERE job = :id", id=id_) == []


def test_jobs_of_a_service_are_bounded(service: Service) -> None:
    made = [
        kick_off(service.api, "$export?_type=Basic") for _ in range(jobs.MOST_RUNNING[jobs.EXPORT])
    ]
    answer = service.api.get("$export?_type=Basic", **ASYNC)
    assert answer.status_code == 429
    for name in made:
        assert service.api.send("DELETE", f"jobs/{name}").status_code == 202


def test_a_batch_starts_no_job(service: Service) -> None:
    for url in ("$export", f"jobs/{'A' * 43}/1"):
        bundle = {
            "resourceType": "Bundle",
            "type": "batch",
            "entry": [{"request": {"method": "GET", "url": url}}],
        }
        answer = service.api.send("POST", "", bundle, headers=ASYNC)
        assert answer.status_code == 400 or answer.json()["entry"][0]["response"][
            "status"
        ].startswith("400")


def test_every_vault_that_was_fetched_is_on_record(
    service: Service, records: list[Json], number: str
) -> None:
    node = service.one.node
    with node.database.read() as tx:
        vault = find(tx, Identifier(SYSTEM, number))
    assert vault is not None

    def reads() -> int:
        noted = node.desk.trail.entries(node.database, vault=vault)
        return sum(entry.attempt.verb is Verb.READ for _, entry in noted)

    before = reads()
    body = parameters(patient=[{"reference": f"Patient/{records[0]['id']}"}], _type="Observation")
    name = kick_off(service.api, "Patient/$export", method="POST", body=body)
    manifest = work(service.one, service.api, name).json()
    assert reads() == before
    fetch(service.api, manifest["output"][0]["url"])
    assert reads() == before + 1


def test_nothing_of_a_patient_lies_open_in_the_jobs(
    service: Service, records: list[Json], number: str
) -> None:
    path = f"Patient/$export?_type=Patient&_typeFilter=Patient%3Fidentifier%3D{number}"
    exported = export(service.api, path)
    assert exported.names == names(records[:1])
    with service.one.node.database.read() as tx:
        rows: list[Any] = [*tx.all("SELECT * FROM bulk_job"), *tx.all("SELECT * FROM bulk_part")]
    told = repr(
        [[bytes(one) if isinstance(one, memoryview) else one for one in row] for row in rows]
    )
    assert number not in told and records[0]["id"] not in told
    assert json.dumps(records[0]["name"][0]["family"]).strip('"') not in told
