"""FHIR `Consent` and the chain, both ways; `AuditEvent` of the trail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from starlette.applications import Starlette

from simdes.access import tokens
from simdes.access.app_context import Context
from simdes.errors import Invalid
from simdes.exchange import consents
from simdes.exchange.interactions import writing
from simdes.exchange.interactions.changes import Change, Method
from simdes.exchange.rights import ask
from simdes.index.vaults import Identifier, find
from support.consortium import Consortium
from support.fhir_api import Api, Json, application
from support.trail import Watched

SYSTEM = "urn:oid:2.16.840.1.113883.4.1"


@pytest.fixture(scope="module")
def south(network: Consortium) -> Starlette:
    """The gateway of clinic south."""
    return application(network["south"])


@pytest.fixture
def reader(network: Consortium, south: Starlette) -> Api:
    """A doctor of clinic south."""
    return Api.of(network["south"], "dr.lee", app=south)


@pytest.fixture
def own(
    network: Consortium,
    doctor: Api,
    patient: Json,
    pulse: Callable[..., Json],
    north: Starlette,
    number: str,
) -> Api:
    """The patient, signed in at north, with an observation there."""
    doctor.create(pulse())
    with network["north"].node.database.read() as tx:
        vault = find(tx, Identifier(SYSTEM, number))
    assert vault is not None
    network.settle()
    network.enrol(vault, f"p.{number}")
    return Api.of(network["north"], f"p.{number}", app=north)


def later(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")


@pytest.fixture
def consent(network: Consortium, patient: Json) -> Callable[..., Json]:
    """Makes a Consent for the doctors of south, not sent yet."""
    organisation = f"0x{network['south'].node.organisation.hex()}"

    def make(**provision: object) -> Json:
        return {
            "resourceType": "Consent",
            "status": "active",
            "scope": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/consentscope",
                        "code": "patient-privacy",
                    }
                ]
            },
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": {"reference": f"Patient/{patient['id']}"},
            "policyRule": {"coding": [{"code": "OPTIN"}]},
            "provision": {
                "type": "permit",
                "period": {"end": later(30)},
                "actor": [
                    {
                        "role": {"coding": [{"system": "urn:simdes:role", "code": "doctor"}]},
                        "reference": {
                            "identifier": {
                                "system": "urn:simdes:organisation",
                                "value": organisation,
                            }
                        },
                    }
                ],
                "purpose": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
                        "code": "TREAT",
                    }
                ],
                "class": [
                    {"system": "http://hl7.org/fhir/resource-types", "code": "Observation"},
                    {"system": "urn:simdes:category", "code": "demographics"},
                ],
                **provision,
            },
        }

    return make


def test_nothing_is_to_be_written_in_one_commit_with_a_consent(
    network: Consortium, own: Api, consent: Callable[..., Json], number: str
) -> None:
    node, then = network["north"].node, mock.Mock()
    asking = ask(node, network.session("north", f"p.{number}"))
    change = Change(method=Method.CREATE, type="Consent", id="", resource=consent())
    with pytest.raises(Invalid, match="can't be part of a transaction"):
        writing.apply(node, asking, [change], base=node.issuer.audience, then=then)
    then.assert_not_called()
    assert own.found("Consent") == []


def test_a_consent_sent_as_a_resource_opens_and_its_end_closes(
    own: Api, consent: Callable[..., Json], reader: Api, network: Consortium, patient: Json
) -> None:
    made = own.create(consent())
    network["south"].node.following.catch_up()
    path = f"Observation?patient={patient['id']}"
    assert len(reader.found(path)) == 1
    seen = reader.found(f"Consent?_id={made['id']}")
    assert [one["provision"]["class"] for one in seen] == [made["provision"]["class"]]
    ended = own.send("PUT", f"Consent/{made['id']}", {**made, "status": "inactive"})
    assert (ended.status_code, ended.json()["status"]) == (200, "inactive")
    assert reader.found(path) == []


def test_a_consent_of_the_chain_is_found_by_its_own_search_parameters(
    own: Api, consent: Callable[..., Json], network: Consortium, patient: Json
) -> None:
    made = own.create(consent())
    for query in (
        f"patient=Patient/{patient['id']}",
        "status=active",
        f"actor:identifier=urn:simdes:organisation|0x{network['south'].node.organisation.hex()}",
        "purpose=TREAT",
        "_sort=-date",
    ):
        found = own.found(f"Consent?{query}&_id={made['id']}")
        assert [one["id"] for one in found] == [made["id"]], query
    assert own.found(f"Consent?status=inactive&_id={made['id']}") == []
    assert own.get(f"Consent/{made['id']}").json() == made


def test_a_deleted_consent_is_withdrawn_on_chain(
    own: Api, consent: Callable[..., Json], network: Consortium
) -> None:
    made = own.create(consent())
    assert own.send("DELETE", f"Consent/{made['id']}").status_code == 204
    assert own.get(f"Consent/{made['id']}").json()["status"] == "inactive"
    node = network["north"].node
    states = [
        one.state
        for vault in consents.vaults_of(node, network.session("north", own.user))
        for one in consents.listed(node, vault)
    ]
    assert states == ["withdrawn"]


def test_nobody_but_the_patient_gives_or_ends_a_consent(
    own: Api, consent: Callable[..., Json], doctor: Api
) -> None:
    assert doctor.send("POST", "Consent", consent()).status_code == 403
    made = own.create(consent())
    assert doctor.send("DELETE", f"Consent/{made['id']}").status_code == 403


def app_of(network: Consortium, own: Api, vault: bytes) -> Api:
    """An app that this person let at one of their vaults."""
    node = network["north"].node
    token = tokens.mint(
        node.issuer,
        node.desk.keystore.person(own.user),
        network.session("north", own.user).key,
        context=Context(client="app", scope="patient/*.cruds", vault=vault),
    )
    return Api(own.one, own.user, own.app, token)


def test_an_app_authorised_for_one_vault_cannot_end_consents_of_another_vault(
    own: Api,
    consent: Callable[..., Json],
    network: Consortium,
    doctor: Api,
    number: str,
) -> None:
    """Somebody with two vaults, a parent say, lets an app at one of them."""
    node = network["north"].node
    other = doctor.create(
        {
            "resourceType": "Patient",
            "identifier": [{"system": SYSTEM, "value": f"{number}-child"}],
        }
    )
    with node.database.read() as tx:
        mine = find(tx, Identifier(SYSTEM, number))
        theirs = find(tx, Identifier(SYSTEM, f"{number}-child"))
    assert mine is not None and theirs is not None
    network.settle()
    network.enrol(theirs, own.user)
    made = {
        mine: own.create(consent()),
        theirs: own.create({**consent(), "patient": {"reference": f"Patient/{other['id']}"}}),
    }
    for vault, foreign in ((mine, theirs), (theirs, mine)):
        app, kept = app_of(network, own, vault), made[foreign]
        ended = {**kept, "status": "inactive"}
        sent = {**consent(), "patient": kept["patient"]}
        watched = Watched(node)
        for answer in (
            app.get(f"Consent/{kept['id']}"),
            app.send("DELETE", f"Consent/{kept['id']}"),
            app.send("PUT", f"Consent/{kept['id']}", ended),
            app.send("POST", "Consent", sent),
        ):
            assert answer.status_code in (400, 404), answer.text
        refused = [one.attempt for one in watched.entries() if not one.attempt.granted]
        assert {one.vault for one in refused} == {vault}
        assert [one.state for one in consents.listed(node, foreign)] == ["active"]
    for vault, kept in made.items():
        app = app_of(network, own, vault)
        assert app.send("DELETE", f"Consent/{kept['id']}").status_code == 204
        assert [one.state for one in consents.listed(node, vault)] == ["withdrawn"]


def test_a_consent_is_seen_by_whom_it_concerns_alone(
    own: Api, consent: Callable[..., Json], doctor: Api, reader: Api
) -> None:
    made = own.create(consent())
    assert doctor.found(f"Consent?_id={made['id']}") == []
    assert doctor.get(f"Consent/{made['id']}").status_code == 404
    assert reader.get(f"Consent/{made['id']}").status_code == 200


@pytest.mark.parametrize(
    "provision",
    [
        {"type": "deny"},
        {"provision": [{"type": "deny"}]},
        {"class": []},
        {"class": [{"system": "urn:simdes:category", "code": "everything"}]},
        {"period": {}},
        {"period": {"end": "2001-01-01"}},
        {"period": {"start": later(3), "end": later(5)}},
        {"actor": []},
        {"purpose": [{"system": "urn:x", "code": "TREAT"}]},
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else None,
)
def test_what_the_chain_can_not_express_is_refused_and_grants_nothing(
    own: Api, consent: Callable[..., Json], provision: Json
) -> None:
    sent = consent()
    sent["provision"] = {**sent["provision"], **provision}
    answer = own.send("POST", "Consent", sent)
    assert answer.status_code in (400, 422, 501), answer.text
    assert own.found("Consent") == []


def test_a_consent_in_a_transaction_is_refused(own: Api, consent: Callable[..., Json]) -> None:
    entry = {"resource": consent(), "request": {"method": "POST", "url": "Consent"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry, entry]}
    assert own.send("POST", "", bundle).status_code == 400


def test_patients_see_who_looked_and_staff_do_not(own: Api, doctor: Api, patient: Json) -> None:
    doctor.get(f"Patient/{patient['id']}")
    reads = own.found("AuditEvent?subtype=read&_count=3")
    assert len(reads) > 0
    assert all(one["resourceType"] == "AuditEvent" for one in reads)
    assert own.get(f"AuditEvent/{reads[0]['id']}").status_code == 200
    assert doctor.found("AuditEvent") == []
    assert doctor.get(f"AuditEvent/{reads[0]['id']}").status_code == 404
    assert own.send("DELETE", f"AuditEvent/{reads[0]['id']}").status_code == 403
