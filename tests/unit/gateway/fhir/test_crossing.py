"""Chains, ``_has`` and includes across what is kept and what is made when asked for.

https://hl7.org/fhir/R4/search.html#chaining, #revinclude: a Consent of the chain, an AuditEvent of
the trail and the caller as a Practitioner are found as if they were kept.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.applications import Starlette

from simdes.access.consent import Grantee
from simdes.exchange import consents
from simdes.index.vaults import Identifier, find
from support.consortium import Consortium
from support.fhir_api import Api, Json

Make = Callable[..., Json]
SYSTEM = "urn:oid:2.16.840.1.113883.4.1"


@pytest.fixture
def own(
    network: Consortium, doctor: Api, patient: Json, pulse: Make, north: Starlette, number: str
) -> Api:
    """The patient, signed in at north, with an observation and a consent for south."""
    doctor.create(pulse())
    with network["north"].node.database.read() as tx:
        vault = find(tx, Identifier(SYSTEM, number))
    assert vault is not None
    network.settle()
    network.enrol(vault, f"p.{number}")
    api = Api.of(network["north"], f"p.{number}", app=north)
    node = network["north"].node
    session = network.session("north", f"p.{number}")
    consents.grant(
        node,
        session,
        vault=vault,
        grantee=Grantee.role_in(network["south"].node.organisation, "doctor"),
        categories=["observations"],
        purposes=["TREAT"],
        valid_seconds=86_400,
    )
    node.following.catch_up()
    return api


def _modes(api: Api, path: str, mode: str) -> list[tuple[str, str]]:
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    listed = [one for one in answer.json().get("entry", []) if one["search"]["mode"] == mode]
    return [(one["resource"]["resourceType"], one["resource"]["id"]) for one in listed]


def test_a_consent_is_included_and_leads_to_its_patient(own: Api, patient: Json) -> None:
    who = ("Patient", patient["id"])
    ((_, consent),) = _modes(own, "Consent", "match")
    assert _modes(own, "Consent?_include=Consent:patient", "include") == [who]
    assert _modes(own, "Consent?_include=*", "include")[0] == who
    assert _modes(own, "Patient?_revinclude=Consent:patient", "include") == [("Consent", consent)]
    assert ("Consent", consent) in _modes(own, "Patient?_revinclude=*:*", "include")
    assert ("Observation", "") not in _modes(own, "Consent?_include=Consent:patient", "include")
    more = "Consent?_include=Consent:patient&_revinclude:iterate=Observation:patient"
    assert {type_ for type_, _ in _modes(own, more, "include")} == {"Patient", "Observation"}


def test_chains_lead_to_and_from_a_consent(own: Api, patient: Json, number: str) -> None:
    ((_, consent),) = _modes(own, "Consent", "match")
    name = patient["name"][0]["family"]
    hits = [
        f"Consent?patient.family={name}",
        f"Consent?patient.identifier={SYSTEM}|{number}",
        f"Consent?patient._has:Observation:patient:code=8867-4&_id={consent}",
    ]
    for path in hits:
        assert _modes(own, path, "match") == [("Consent", consent)], path
    assert _modes(own, "Consent?patient.family=nobody", "match") == []
    assert _modes(own, "Consent?_has:Provenance:target:recorded=gt2000", "match") == []
    who = [("Patient", patient["id"])]
    assert _modes(own, "Patient?_has:Consent:patient:status=active", "match") == who
    assert _modes(own, "Patient?_has:Consent:patient:status=rejected", "match") == []
    of = "Observation?patient._has:Consent:patient:status"
    assert len(_modes(own, f"{of}=active", "match")) == 1
    assert _modes(own, f"{of}=rejected", "match") == []


def test_audit_entries_name_records_by_identifier_and_come_along_with_nothing(own: Api) -> None:
    own.get("Observation")
    assert _modes(own, "AuditEvent?_include=*", "match")
    assert _modes(own, "AuditEvent?_include=*", "include") == []
    every = _modes(own, "Patient?_revinclude=*", "include")
    assert "AuditEvent" not in {type_ for type_, _ in every}
    assert "Provenance" in {type_ for type_, _ in every}


def test_the_caller_as_practitioner_is_found_by_way_of_their_role(
    network: Consortium, doctor: Api
) -> None:
    account = network.session("north", "dr.north").actor.account.hex()
    role = f"PractitionerRole?_id={account}"
    here = [("Practitioner", account)]
    assert _modes(doctor, f"{role}&_include=PractitionerRole:practitioner", "include") == here
    chained = f"{role}&practitioner.identifier=urn:simdes:account|0x{account}"
    assert _modes(doctor, chained, "match") == [("PractitionerRole", account)]
    assert _modes(doctor, f"{role}&practitioner.identifier=nobody", "match") == []


def test_others_find_a_consent_by_no_way_round(own: Api, doctor: Api, patient: Json) -> None:
    """A doctor of north is not whom the consent for south names."""
    id_ = patient["id"]
    assert _modes(doctor, f"Patient?_id={id_}&_revinclude=Consent:patient", "include") == []
    assert _modes(doctor, f"Patient?_id={id_}&_has:Consent:patient:status=active", "match") == []
    every = _modes(doctor, f"Patient?_id={id_}&_revinclude=*", "include")
    assert "Consent" not in {type_ for type_, _ in every}
    assert "Observation" in {type_ for type_, _ in every}
