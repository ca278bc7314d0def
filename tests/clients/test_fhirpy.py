"""fhirpy, unmodified: https://github.com/beda-software/fhir-py."""

from __future__ import annotations

import asyncio

import pytest
from fhirpy import AsyncFHIRClient, SyncFHIRClient
from fhirpy.base.exceptions import AuthorizationError, OperationOutcome, ResourceNotFound
from fhirpy.base.searchset import Raw

from clients.conftest import Gateway, a_patient, a_pulse


@pytest.fixture
def client(gateway: Gateway) -> SyncFHIRClient:
    return SyncFHIRClient(gateway.base, authorization=f"Bearer {gateway.token()}")


@pytest.fixture
def asynchronous(gateway: Gateway) -> AsyncFHIRClient:
    return AsyncFHIRClient(gateway.base, authorization=f"Bearer {gateway.token()}")


def test_a_resource_is_made_read_changed_patched_and_deleted(
    client: SyncFHIRClient, number: str
) -> None:
    patient = client.resource("Patient", **a_patient(number))
    patient.save()
    assert patient["meta"]["versionId"] == "1"
    read = client.reference("Patient", patient.id).to_resource()
    assert read.serialize() == patient.serialize()
    read["birthDate"] = "1980-02-04"
    read.save()
    assert read["meta"]["versionId"] == "2"
    patient.refresh()
    assert patient["birthDate"] == "1980-02-04"
    observation = client.resource("Observation", **a_pulse(f"Patient/{patient.id}", 70))
    observation.create()
    observation["status"] = "amended"
    observation.save(fields=["status"])
    assert observation["meta"]["versionId"] == "2"
    patched = client.patch("Observation", observation.id, status="corrected", note=None)
    assert (patched["status"], patched["valueQuantity"]["value"]) == ("corrected", 70)
    client.reference("Observation", observation.id).patch(status="final")
    observation.delete()
    with pytest.raises(ResourceNotFound):
        client.reference("Observation", observation.id).to_resource()


def test_searches_page_chain_include_and_count(client: SyncFHIRClient, number: str) -> None:
    patient = client.resource("Patient", **a_patient(number)).create()
    for value in range(60, 72):
        client.resource("Observation", **a_pulse(f"Patient/{patient.id}", value)).create()
    pulses = client.resources("Observation").search(patient=patient.to_reference())
    assert pulses.count() == 12
    assert len(pulses.limit(5).fetch()) == 5
    assert len(pulses.limit(5).fetch_all()) == 12
    assert sorted(one["valueQuantity"]["value"] for one in pulses.limit(5)) == list(range(60, 72))
    newest = pulses.sort("-date").first()
    assert newest is not None and newest["valueQuantity"]["value"] == 71
    chained = client.resources("Observation").search(
        patient__Patient__identifier=f"urn:oid:1.2.36.146|{number}",
        value_quantity__gt="65|http://unitsofmeasure.org|/min",
    )
    assert len(chained.fetch()) == 6
    having = client.resources("Patient").has("Observation", "patient", code="8867-4")
    assert [one.id for one in having.search(family=f"Müller-{number}")] == [patient.id]
    included = pulses.include("Observation", "subject").limit(50).fetch_raw()
    kinds = [one["resource"]["resourceType"] for one in included["entry"]]
    assert (kinds.count("Observation"), kinds.count("Patient")) == (12, 1)
    back = client.resources("Patient").search(_id=patient.id).revinclude("Observation", "patient")
    assert len(back.fetch_raw()["entry"]) == 13
    brief = pulses.elements("status").limit(1).fetch()[0]
    assert "valueQuantity" not in brief
    assert pulses.search(Raw(**{"date": "ge2024-01-02T08:05:00Z"})).count() == 7
    assert client.resources("Patient").search(identifier=f"|{number}").first() is None
    assert client.resources("Patient").search(identifier=number).get().id == patient.id


def test_conditional_requests_find_what_is_there(client: SyncFHIRClient, number: str) -> None:
    found = client.resources("Patient").search(identifier=f"urn:oid:1.2.36.146|{number}")
    first, made = found.get_or_create(client.resource("Patient", **a_patient(number)))
    again, made_again = found.get_or_create(client.resource("Patient", **a_patient(number)))
    assert (made, made_again) == (True, False)
    assert first.id == again.id
    other = client.resource("Patient", **a_patient(number) | {"birthDate": "1981-01-01"})
    updated, created = found.update(other)
    assert (updated.id, updated["meta"]["versionId"], created) == (first.id, "2", False)
    patched = found.patch(birthDate="1982-01-01")
    assert (patched.id, patched["birthDate"]) == (first.id, "1982-01-01")
    assert found.delete()[1] == 204


def test_operations_and_plain_requests(client: SyncFHIRClient, number: str) -> None:
    patient = client.resource("Patient", **a_patient(number)).create()
    client.resource("Observation", **a_pulse(f"Patient/{patient.id}", 70)).create()
    everything = patient.execute("$everything", method="get")
    kinds = {one["resource"]["resourceType"] for one in everything["entry"]}
    assert kinds >= {"Patient", "Observation"}
    assert client.execute("metadata", method="get")["resourceType"] == "CapabilityStatement"
    batch = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"request": {"method": "GET", "url": f"Patient/{patient.id}"}}],
    }
    answered = client.execute("", data=batch)
    assert answered["entry"][0]["resource"]["id"] == patient.id


def test_refusals_arrive_as_what_they_are(client: SyncFHIRClient, gateway: Gateway) -> None:
    with pytest.raises(OperationOutcome) as caught:
        client.resource("Patient", birthDate="yesterday").create()
    assert caught.value.resource["issue"][0]["expression"] == ["Patient.birthDate"]
    with pytest.raises(AuthorizationError):
        SyncFHIRClient(gateway.base).resources("Patient").fetch()


def test_the_asynchronous_client_does_the_same(asynchronous: AsyncFHIRClient, number: str) -> None:
    async def run() -> None:
        patient = asynchronous.resource("Patient", **a_patient(number))
        await patient.save()
        pulses = [
            asynchronous.resource("Observation", **a_pulse(f"Patient/{patient.id}", value))
            for value in range(60, 68)
        ]
        await asyncio.gather(*(one.save() for one in pulses))
        found = asynchronous.resources("Observation").search(subject=patient.to_reference())
        assert await found.count() == 8
        assert len(await found.limit(3).fetch_all()) == 8
        assert len([one async for one in found.limit(3)]) == 8
        first = await found.sort("date").first()
        assert first is not None and first["valueQuantity"]["value"] == 60
        await first.patch(status="amended")
        assert (await asynchronous.get("Observation", first.id))["status"] == "amended"
        who = await first["subject"].to_resource()
        assert who.id == patient.id
        await first.delete()
        assert await found.count() == 7

    asyncio.run(run())
