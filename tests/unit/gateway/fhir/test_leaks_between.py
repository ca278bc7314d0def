"""What who sees some records reaches from there: nothing of others, of labels, of other scopes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from unittest import mock

import pytest
from starlette.applications import Starlette

from simdes.access.consent import Grantee
from simdes.app import ADMINISTRATOR
from simdes.exchange import consents
from simdes.index.predicates import Predicates
from simdes.index.vaults import ORGANISATION
from support.consortium import Consortium
from support.fhir_api import Api, Json, application
from support.two_patients import World, observation_of, seed

DEVICE = {"resourceType": "Device", "serialNumber": "nobodys"}


@pytest.fixture(scope="module")
def world(network: Consortium, north: Starlette) -> World:
    """Anna lets the doctors of south read observations and who she is, without labels."""
    apps = {"north": north, "south": application(network["south"])}
    doctor = Api.of(network["north"], "dr.north", app=north)
    made = seed(network, apps, doctor, "two")
    grant(made, ["observations", "demographics"])
    return made


def grant(world: World, categories: list[str], **others: Any) -> bytes:
    node = world.network["south"].node
    given = consents.grant(
        world.network["north"].node,
        world.network.session("north", world.anna.user),
        vault=world.anna.vault,
        grantee=Grantee.role_in(node.organisation, others.pop("role", "doctor")),
        categories=categories,
        purposes=others.pop("purposes", ["TREAT"]),
        valid_seconds=3600,
        **others,
    )
    return given.handle


def lee(world: World) -> Api:
    return world.api("south", "dr.lee")


def ids(api: Api, path: str) -> set[str]:
    return {one["id"] for one in api.found(path)}


# Labels and categories ------------------------------------------------------------------------


LABELLED = (
    "Observation?_id={0}&_total=accurate",
    "Observation?code={1}-hiv",
    "Observation?_security=HIV",
    "Patient?_has:Observation:patient:code={1}-hiv",
    "Observation?patient:Patient._has:Observation:patient:code={1}-hiv",
)


@pytest.mark.parametrize("path", LABELLED)
def test_a_label_that_was_not_granted_stays_closed_within_a_granted_category(
    world: World, path: str
) -> None:
    api, anna = lee(world), world.anna
    assert anna["observation"] in ids(api, f"Observation?patient={anna['patient']}")
    found = api.get(path.format(anna["labelled"], anna["code"])).json()
    assert found.get("entry", []) == []
    assert found.get("total", 0) == 0


def test_no_way_leads_from_what_is_seen_to_what_is_not(world: World) -> None:
    api, anna = lee(world), world.anna
    hidden = [anna[name] for name in ("labelled", "condition", "encounter", "list", "device")]
    for path in (
        f"Patient?_id={anna['patient']}&_revinclude=Observation:*",
        f"Patient?_id={anna['patient']}&_revinclude=Observation:patient&_include:iterate=*",
        f"Observation?_id={anna['observation']}&_include=Observation:encounter&_include:iterate=*",
        f"Patient/{anna['patient']}/$everything?_count=1000",
        f"Patient/{anna['patient']}/*",
        "?_type=Observation,Condition,Encounter,List,Device,Provenance,Patient&_count=1000",
    ):
        entries = api.get(path).json().get("entry", [])
        assert anna["observation"] in {one["resource"]["id"] for one in entries}, path
        assert not {one["resource"]["id"] for one in entries} & set(hidden), path


def test_a_purpose_that_was_not_granted_opens_nothing(world: World) -> None:
    api, anna = lee(world), world.anna
    path = f"Observation?_id={anna['observation']}&_total=accurate"
    assert api.get(path).json()["total"] == 1
    for purpose in ("HPAYMT", "HOPERAT", "ETREAT"):
        answer = api.get(path, **{"x-purpose-of-use": purpose})
        assert answer.json().get("total") == 0, purpose
    for purpose in ("HRESCH", "PATRQT"):
        assert api.get(path, **{"x-purpose-of-use": purpose}).status_code == 403


def test_another_role_sees_nothing_of_a_consent_for_doctors(world: World) -> None:
    anna = world.anna
    lee(world).found(f"Observation?_id={anna['observation']}")
    for user in ("nurse.kim", "prof.ray"):
        api = world.api("south", user)
        assert api.found(f"Observation?_id={anna['observation']}") == []
        # Others of the session's network let these roles in, too: whom they named is theirs to see.
        shown = json.dumps(api.found("Consent"))
        assert anna["patient"] not in shown, user
        assert anna.vault.hex() not in shown, user


# Consents as resources ------------------------------------------------------------------------


def test_patients_of_an_organisation_are_not_who_a_consent_for_it_names(world: World) -> None:
    north = world.network["north"].node
    consents.grant(
        north,
        world.network.session("north", world.bert.user),
        vault=world.bert.vault,
        grantee=Grantee.organisation(north.organisation),
        categories=["observations"],
        purposes=["TREAT", "PATRQT"],
        labels=["HIV"],
        valid_seconds=3600,
    )
    doctor = world.api("north", "dr.north")
    assert len(doctor.found("Consent")) == 1
    anna = world.api("north", world.anna.user)
    text = anna.get("Consent?_count=1000").text
    assert world.bert.vault.hex() not in text
    assert world.bert["patient"] not in text
    assert '"HIV"' not in text  # a code: the same letters may stand in what is drawn


# Others' words --------------------------------------------------------------------------------


def test_a_patient_changes_nothing_that_somebody_else_wrote(world: World) -> None:
    api, anna = world.api("north", world.anna.user), world.anna
    path = f"Observation/{anna['observation']}"
    found = api.get(path).json()
    assert api.send("PUT", path, {**found, "status": "amended"}).status_code == 403
    patch = json.dumps([{"op": "replace", "path": "/status", "value": "amended"}]).encode()
    kind = {"content-type": "application/json-patch+json"}
    assert api.send("PATCH", path, content=patch, headers=kind).status_code == 403
    assert api.get(path).json() == found
    told = api.create(observation_of(anna["patient"], code="told"))
    path = f"Observation/{told['id']}"
    assert api.send("PUT", path, {**told, "status": "amended"}).status_code == 200


def test_what_is_about_a_patient_without_a_subject_goes_to_that_patient(world: World) -> None:
    api, bert = world.api("north", "dr.north"), world.bert
    actor = {"actor": {"reference": f"Patient/{bert['patient']}"}, "status": "accepted"}
    made = api.create(
        {"resourceType": "Appointment", "status": "booked", "participant": [actor]}
        | {"start": "2024-01-02T08:00:00Z", "end": "2024-01-02T09:00:00Z"}
    )
    own = world.api("north", bert.user)
    assert ids(own, "Appointment") == {made["id"]}
    assert ids(own, "Device") == {bert["device"]}
    for user in (ADMINISTRATOR, world.anna.user):
        other = world.api("north", user)
        assert not (ids(other, "Appointment") | ids(other, "Device")) & {made["id"], bert["device"]}


def test_what_names_nobody_is_for_staff_and_not_for_research_or_administration(
    world: World,
) -> None:
    sent = {"resourceType": "Observation", "status": "final", "code": {"text": "room 4"}}
    made = lee(world).create(sent)
    assert world.api("south", "nurse.kim").get(f"Observation/{made['id']}").status_code == 200
    for user in ("prof.ray", ADMINISTRATOR):
        assert world.api("south", user).get(f"Observation/{made['id']}").status_code == 404


def test_a_device_in_one_patient_is_not_taken_into_another_ones_record(world: World) -> None:
    api = world.api("north", "dr.north")
    device = {"reference": f"Device/{world.bert['device']}"}
    sent = observation_of(world.anna["patient"], device=device)
    assert api.send("POST", "Observation", sent).status_code == 400
    nobodys = {"reference": f"Device/{api.create(DEVICE)['id']}"}
    api.create(observation_of(world.anna["patient"], device=nobodys))


# Scopes ---------------------------------------------------------------------------------------


def test_an_app_sees_changes_and_searches_only_what_meets_its_scope(world: World) -> None:
    anna = world.anna
    narrow = "user/Observation.cruds?category=vital-signs user/Patient.rs"
    api = world.api("north", "dr.north", scope=narrow)
    path = f"Observation/{anna['observation']}"
    assert api.get(path).status_code == 404
    assert api.get(f"{path}/_history").status_code == 404
    for search in (
        f"Observation?_id={anna['observation']}",
        f"Patient?_has:Observation:patient:code={anna['code']}",
        "Observation/_history?_count=1000",
        f"Patient/{anna['patient']}/$everything",
    ):
        entries = api.get(search).json().get("entry", ())
        assert anna["observation"] not in {one["resource"]["id"] for one in entries}, search
        assert search.startswith("Patient/") or not entries, search
    sent = observation_of(anna["patient"], id=anna["observation"])
    assert api.send("PUT", path, sent).status_code == 404
    assert api.send("DELETE", path).status_code == 204
    assert world.api("north", "dr.north").get(path).json()["meta"]["versionId"] == "1"


def test_a_patch_is_no_way_to_read(world: World) -> None:
    doctor = world.api("north", "dr.north")
    made = doctor.create(observation_of(world.anna["patient"], note="not for this app"))
    api = world.api("north", "dr.north", scope="user/Observation.u")
    patch = json.dumps([{"op": "replace", "path": "/status", "value": "amended"}]).encode()
    kind = {"content-type": "application/json-patch+json"}
    answer = api.send("PATCH", f"Observation/{made['id']}", content=patch, headers=kind)
    assert (answer.status_code, answer.content) == (200, b"")


def test_everything_gives_no_other_types_than_it_was_asked_for(world: World) -> None:
    api = world.api("north", "dr.north", scope="user/Patient.rs user/Observation.rs")
    found = api.get(f"Patient/{world.anna['patient']}/$everything?_type=Condition").json()
    assert "entry" not in found


def test_an_app_for_one_patient_opens_no_other_patients_records_elsewhere(world: World) -> None:
    api = world.api("south", "dr.lee", scope="patient/*.rs", vault=world.bert.vault)
    node = world.network["south"].node
    with mock.patch("simdes.exchange.reach.read_under") as opened:
        assert api.found("Observation") == []
    assert not opened.called
    assert node.recent is not None


# Pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["Observation?_count=1", "Observation/_history?_count=1"])
def test_a_page_is_for_whoever_asked_for_it_and_its_place_unreadable(
    world: World, path: str
) -> None:
    first = world.api("north", "dr.north").get(path).json()
    after = next(one["url"] for one in first["link"] if one["relation"] == "next")
    address = after.partition("/fhir/")[2]
    assert world.api("north", "dr.north").get(address).status_code == 200
    assert world.api("north", world.anna.user).get(address).status_code == 400
    assert len(address.partition("_cursor=")[2]) > 32


# Identifiers of organisations -----------------------------------------------------------------


def reserved(world: World) -> Iterator[Json]:
    for member in ("north", "south"):
        yield {
            "system": ORGANISATION,
            "value": f"0x{world.network[member].node.organisation.hex()}",
        }


def test_nobody_becomes_the_organisation_by_its_identifier(world: World) -> None:
    doctor = world.api("north", "dr.north")
    for identifier in reserved(world):
        patient = {"resourceType": "Patient", "identifier": [identifier]}
        assert doctor.send("POST", "Patient", patient).status_code == 400
        about = observation_of("x", subject={"identifier": identifier})
        assert doctor.send("POST", "Observation", about).status_code == 400
        whole = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient}]}
        data = json.dumps(whole).encode()
        [refused] = world.network.submit("north", "organisation.json", data)
        assert getattr(refused, "code", "") == "reserved-identifier"


# The tests themselves -------------------------------------------------------------------------


def everywhere(*_: Any, **__: Any) -> str:
    return "1 = 1"


def narrow(world: World) -> Api:
    return world.api(
        "north", "dr.north", scope="user/Observation.cruds?category=vital-signs user/Patient.rs"
    )


def patient(world: World) -> Api:
    return world.api("north", world.anna.user)


SEEN = Predicates.seen

BROKEN: dict[str, tuple[Callable[[World], Api], str, dict[str, Any]]] = {
    "grounds": (
        patient,
        "Observation?code=<code>",
        {
            "simdes.index.predicates.grounded": everywhere,
            "simdes.index.search.vaults_of": lambda *_: None,
        },
    ),
    "scopes": (
        narrow,
        "Observation?code=<code>",
        {"simdes.index.predicates.scoped": everywhere},
    ),
    "on each alias": (
        narrow,
        "Patient?_has:Observation:patient:code=<code>",
        {
            "simdes.index.predicates.Predicates.seen": lambda self, on, **how: (
                SEEN(self, on, **how) if on.alias == "e" else "1 = 1"
            )
        },
    ),
    "deleted": (
        lambda world: world.api("north", "dr.north"),
        "",
        {
            "simdes.index.predicates.Predicates.seen": lambda self, on, **how: SEEN(
                self, on, **(how | {"deleted": True})
            ),
        },
    ),
}


@pytest.mark.parametrize("part", BROKEN)
def test_without_a_part_of_the_decision_a_search_would_tell(world: World, part: str) -> None:
    caller, template, parts = BROKEN[part]
    path = template.replace("<code>", world.bert["code"])
    if part == "deleted":
        path = "Observation?_id=" + _deleted(world)
    api = caller(world)
    assert api.found(path) == []
    with ExitStack() as stack:
        for name, instead in parts.items():
            stack.enter_context(mock.patch(name, instead))
        assert api.get(path).json()["total"] == 1


def _deleted(world: World) -> str:
    doctor = world.api("north", "dr.north")
    made = doctor.create(observation_of(world.bert["patient"]))
    doctor.send("DELETE", f"Observation/{made['id']}")
    return str(made["id"])
