"""Records of other organisations: found and read like local ones, as far as a consent opens them.

North writes, the patient decides, the doctor at south reads at south's own gateway.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.applications import Starlette

from simdes.access.audit_event import Verb
from simdes.access.consent import Consent, Grantee
from simdes.exchange import consents, opening
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.exchange.subscriptions import arriving, telling
from simdes.hook_http import HttpHooks
from simdes.index import copies
from simdes.index.vaults import Identifier, find
from support.bulk import Service
from support.consortium import Clock, Consortium
from support.fhir_api import Api, Json, application
from support.receivers import receiving, status_of

SYSTEM = "urn:oid:2.16.840.1.113883.4.1"


@pytest.fixture(scope="module")
def south(network: Consortium) -> Starlette:
    """The gateway of clinic south."""
    return application(network["south"])


@dataclass(slots=True)
class Shared:
    """A patient with records at north, and a doctor at south."""

    network: Consortium
    vault: bytes
    patient: Json
    observation: Json
    session: Session
    reader: Api

    def grant(self, *categories: str, valid_seconds: int = 3600) -> Consent:
        node = self.network["south"].node
        granted = consents.grant(
            self.network["north"].node,
            self.session,
            vault=self.vault,
            grantee=Grantee.role_in(node.organisation, "doctor"),
            categories=list(categories),
            purposes=["TREAT"],
            valid_seconds=valid_seconds,
        )
        node.following.catch_up()
        return granted

    def revoke(self, granted: Consent) -> None:
        consents.revoke(
            self.network["north"].node, self.session, vault=self.vault, handle=granted.handle
        )

    @property
    def own(self) -> str:
        """The search for the observation alone: others of the session have consents, too."""
        return f"Observation?_id={self.observation['id']}"

    def codes(self, path: str) -> list[str]:
        return [one["id"] for one in self.reader.found(path)]


@pytest.fixture
def shared(
    network: Consortium,
    doctor: Api,
    patient: Json,
    pulse: Callable[..., Json],
    south: Starlette,
    number: str,
) -> Shared:
    observation = doctor.create(pulse())
    node = network["north"].node
    with node.database.read() as tx:
        vault = find(tx, Identifier(SYSTEM, number))
    assert vault is not None
    network.settle()
    session = network.enrol(vault, f"p.{number}")
    reader = Api.of(network["south"], "dr.lee", app=south)
    return Shared(network, vault, patient, observation, session, reader)


def test_nothing_is_found_before_a_consent(shared: Shared) -> None:
    assert shared.codes(shared.own) == []
    assert shared.reader.get(f"Observation/{shared.observation['id']}").status_code == 404


def test_what_a_consent_opens_is_found_read_and_named_by_its_source(shared: Shared) -> None:
    shared.grant("observations", "demographics")
    assert shared.codes(f"{shared.own}&code=8867-4") == [shared.observation["id"]]
    read = shared.reader.get(f"Observation/{shared.observation['id']}").json()
    assert read["valueQuantity"] == shared.observation["valueQuantity"]
    assert read["meta"]["source"] == shared.network["north"].settings.custody_url
    assert {"system": "urn:simdes:state", "code": "anchored"} in read["meta"]["tag"]


def test_records_are_found_by_whose_they_are_and_by_their_state(shared: Shared) -> None:
    shared.grant("observations", "demographics")
    urls = {name: shared.network[name].settings.custody_url for name in ("north", "south")}
    id_, patient = shared.observation["id"], shared.patient["id"]
    found = [id_]
    for asked in (
        f"_source={urls['north']}",
        f"_source={urls['south']},{urls['north']}",
        f"_source:below={urls['north']}",
        "_source:missing=false",
        "_tag=urn:simdes:state|anchored",
        "_tag=anchored",
        "_tag:not=urn:simdes:state|pending",
        "_tag:missing=false",
        f"patient._source={urls['north']}",
    ):
        assert shared.codes(f"{shared.own}&{asked}") == found, asked
    for asked in (
        f"_source={urls['south']}",
        f"_source={urls['north']}/x",
        "_source:missing=true",
        "_tag=urn:simdes:state|pending",
        "_tag:not=anchored",
        "_tag=urn:simdes:other|anchored",
        f"patient._source={urls['south']}",
    ):
        assert shared.codes(f"{shared.own}&{asked}") == [], asked
    has = f"Patient?_id={patient}&_has:Observation:patient:_tag=anchored"
    assert shared.codes(has) == [patient]


def test_the_state_that_is_searched_is_the_one_that_is_served(
    doctor: Api, pulse: Callable[..., Json], network: Consortium
) -> None:
    own = f"_source={network['north'].settings.custody_url}"
    id_ = doctor.create(pulse(meta={"tag": [{"system": "urn:x", "code": "pending"}]}))["id"]
    here = f"Observation?_id={id_}"

    def ids(asked: str) -> list[str]:
        return [one["id"] for one in doctor.found(f"{here}&{asked}")]

    assert ids(f"{own}&_tag=urn:simdes:state|pending") == [id_]
    assert ids("_tag=urn:simdes:state|sealed,urn:simdes:state|anchored") == []
    network.settle()
    assert ids("_tag=urn:simdes:state|anchored") == [id_]
    assert ids("_tag=urn:simdes:state|pending") == []
    assert ids("_tag=pending") == [id_]  # its own tag of another system
    assert ids("_tag=urn:simdes:state|") == [id_]


def test_search_paths_run_over_own_and_opened_records_alike(shared: Shared, number: str) -> None:
    shared.grant("observations", "demographics")
    id_, patient = shared.observation["id"], shared.patient["id"]
    for path in (
        f"Observation?patient={patient}",
        f"Observation?patient.identifier={SYSTEM}|{number}",
        f"Observation?subject:Patient.family=müller-{number}",
        f"Patient/{patient}/Observation",
    ):
        assert shared.codes(path) == [id_], path
    assert shared.codes(f"Patient?_has:Observation:patient:code=8867-4&_id={patient}") == [patient]
    bundle = shared.reader.get(f"Observation?_id={id_}&_include=Observation:patient").json()
    assert [one["search"]["mode"] for one in bundle["entry"]] == ["match", "include"]
    everything = shared.reader.found(f"Patient/{patient}/$everything")
    kept = {one["id"] for one in everything if one["resourceType"] != "Consent"}
    assert kept == {id_, patient}


def test_categories_that_were_not_granted_stay_closed_on_every_path(shared: Shared) -> None:
    shared.grant("demographics")
    id_, patient = shared.observation["id"], shared.patient["id"]
    assert shared.codes(f"Patient?_id={patient}") == [patient]
    assert shared.codes(f"Observation?patient={patient}") == []
    assert shared.codes(f"Patient?_has:Observation:patient:code=8867-4&_id={patient}") == []
    bundle = shared.reader.get(f"Patient?_id={patient}&_revinclude=Observation:patient").json()
    assert [one["resource"]["resourceType"] for one in bundle["entry"]] == ["Patient"]
    assert shared.reader.get(f"Observation/{id_}").status_code == 404
    everything = shared.reader.found(f"Patient/{patient}/$everything")
    assert {one["resourceType"] for one in everything} == {"Patient", "Consent"}


def test_a_revocation_closes_every_path_at_once_and_leaves_no_copy(shared: Shared) -> None:
    granted = shared.grant("observations", "demographics")
    id_, patient = shared.observation["id"], shared.patient["id"]
    assert shared.codes(f"Observation?patient={patient}") == [id_]
    shared.revoke(granted)
    assert shared.codes(shared.own) == []
    assert shared.codes(f"Patient?_id={patient}") == []
    assert shared.reader.get(f"Observation/{id_}").status_code == 404
    assert shared.reader.get(f"Observation/{id_}/_history").status_code == 404
    node = shared.network["south"].node
    assert opening.copies_held(node, shared.vault) == 0
    with node.database.read() as tx:
        left = tx.all("SELECT type FROM entry WHERE vault = :vault", vault=shared.vault)
    assert left == []


def test_a_consent_that_ran_out_closes_what_it_opened(shared: Shared, clock: Clock) -> None:
    shared.grant("observations", valid_seconds=60)
    assert shared.codes(shared.own) == [shared.observation["id"]]
    clock.ahead_seconds += 61
    assert shared.codes(shared.own) == []


def test_a_copy_that_ends_between_two_searches_takes_nothing_away(
    shared: Shared, clock: Clock
) -> None:
    node = shared.network["south"].node
    shared.grant("observations", valid_seconds=7200)
    for seconds in (0, opening.COPY_MS / 1000 - 10, 12):
        clock.ahead_seconds += seconds
        node.database.write(lambda tx: copies.purge(tx, now_ms=node.now_ms()))
        assert shared.codes(shared.own) == [shared.observation["id"]]


def test_another_role_does_not_see_what_a_colleague_opened(shared: Shared) -> None:
    shared.grant("observations", "demographics")
    assert shared.codes(shared.own) == [shared.observation["id"]]
    nurse = Api.of(shared.network["south"], "nurse.kim", app=shared.reader.app)
    assert nurse.found(shared.own) == []
    assert nurse.get(f"Observation/{shared.observation['id']}").status_code == 404


def test_what_another_organisation_wrote_can_not_be_changed(shared: Shared) -> None:
    shared.grant("observations", "demographics")
    path = f"Observation/{shared.observation['id']}"
    read = shared.reader.get(path).json()
    assert shared.reader.send("PUT", path, {**read, "status": "amended"}).status_code == 403
    assert shared.reader.send("DELETE", path).status_code == 403


def test_a_deletion_reaches_who_reads_elsewhere(shared: Shared, doctor: Api, clock: Clock) -> None:
    shared.grant("observations", "demographics")
    assert shared.codes(shared.own) == [shared.observation["id"]]
    doctor.send("DELETE", f"Observation/{shared.observation['id']}")
    shared.network.settle()
    clock.ahead_seconds += 30
    assert shared.codes(shared.own) == []


def test_the_patient_reads_their_own_records_wherever_they_were_written(
    shared: Shared, north: Starlette, number: str
) -> None:
    own = Api.of(shared.network["north"], f"p.{number}", app=north)
    assert [one["id"] for one in own.found("Observation")] == [shared.observation["id"]]
    assert own.send("PUT", "Observation/chosen", shared.observation).status_code in (400, 404)


def test_every_opening_is_on_record_at_the_reader_and_at_enough_custodians(
    shared: Shared,
) -> None:
    shared.grant("observations", "demographics")
    shared.codes(f"Observation?patient={shared.patient['id']}")
    verbs = {name: _verbs(one.node, shared.vault) for name, one in shared.network.members.items()}
    assert Verb.READ in verbs["south"]
    assert sum(Verb.RELEASE in its for its in verbs.values()) >= 2


def _verbs(node: Node, vault: bytes) -> set[Verb]:
    noted = node.desk.trail.entries(node.database, vault=vault)
    return {entry.attempt.verb for _, entry in noted}


def test_a_subscription_tells_of_what_a_consent_opened_and_of_nothing_once_it_is_revoked(
    shared: Shared,
) -> None:
    node, id_ = shared.network["south"].node, shared.observation["id"]
    with receiving() as receiver:
        hooks = HttpHooks("127.0.0.1")
        object.__setattr__(node, "hooks", hooks)
        asked = {
            "resourceType": "Subscription",
            "status": "requested",
            "reason": "to know",
            "criteria": f"Observation?_id={id_}",
            "channel": {
                "type": "rest-hook",
                "endpoint": receiver.url,
                "payload": "application/fhir+json",
            },
        }
        shared.reader.create(asked)
        granted = shared.grant("observations", "demographics")
        assert shared.codes(shared.own) == [id_]
        _work(node)
        assert [one["id"] for got in receiver.events for one in got.resources] == [id_]
        assert receiver.events[0].resources[0]["meta"]["source"] != node.issuer.name
        later = shared.reader.create(asked)
        _work(node)
        before = len(receiver.got)
        shared.revoke(granted)
        second = shared.grant("observations", "demographics")
        assert shared.codes(shared.own) == [id_]
        shared.revoke(second)  # between the opening and the telling
        _work(node)
        assert len(receiver.got) == before
        status = shared.reader.get(f"Subscription/{later['id']}/$status").json()
        told = status_of(status["entry"][0]["resource"])
        assert told["events-since-subscription-start"] == "0"
        hooks.close()


def _hook(url: str, criteria: str) -> Json:
    channel = {"type": "rest-hook", "endpoint": url, "payload": "application/fhir+json"}
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "to know",
        "criteria": criteria,
        "channel": channel,
    }


@pytest.mark.parametrize("whom", ["organisation", "role"])
def test_a_subscription_tells_of_what_arrives_where_the_organisation_may_open_it(
    shared: Shared,
    doctor: Api,
    pulse: Callable[..., Json],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    whom: str,
) -> None:
    node, patient = shared.network["south"].node, shared.patient["id"]
    grantee = {
        "organisation": Grantee.organisation(node.organisation),
        "role": Grantee.role_in(node.organisation, "doctor"),
    }[whom]
    granted = consents.grant(
        shared.network["north"].node,
        shared.session,
        vault=shared.vault,
        grantee=grantee,
        categories=["observations", "demographics"],
        purposes=["TREAT"],
        valid_seconds=3600,
    )
    opened: list[frozenset[bytes]] = []
    read = arriving.read_under

    def counting(*given: Any, **named: Any) -> Any:
        found = read(*given, **named)
        opened.append(frozenset(one.listed.record_id for one in found.records))
        return found

    monkeypatch.setattr(arriving, "read_under", counting)
    with receiving() as receiver:
        hooks = HttpHooks("127.0.0.1")
        object.__setattr__(node, "hooks", hooks)
        made = shared.reader.create(_hook(receiver.url, f"Observation?patient={patient}"))

        def told() -> list[str]:
            _work(node)
            clock.ahead_seconds += arriving.LOOK_MS / 1000
            _work(node)
            return [one["id"] for got in receiver.events for one in got.resources]

        assert told() == []  # what was there before is nothing that arrives
        condition = {"resourceType": "Condition", "code": {"text": "x"}}
        doctor.create(condition | {"subject": {"reference": f"Patient/{patient}"}})
        new = doctor.create(pulse(81))["id"]
        shared.network.settle()
        if whom == "role":  # not the software's to open: told once somebody reads it
            assert told() == []
            assert opened == []
            assert new in shared.codes(f"Observation?_id={new}")
            assert new in told()
        else:
            assert told() == [new]
            records = [one for its in opened for one in its]
            assert 1 <= len(set(records)) <= 2  # the observation, and who it is about
            verbs = _verbs(node, shared.vault)
            assert Verb.READ in verbs
        shared.revoke(granted)
        looked, events = len(opened), told()
        doctor.create(pulse(82))
        shared.network.settle()
        assert told() == events
        assert len(opened) == looked
        shared.reader.send("DELETE", f"Subscription/{made['id']}")
        hooks.close()


@pytest.mark.parametrize("whom", ["account", "role"])
def test_a_service_is_told_of_what_arrives_under_a_consent_that_names_it(
    shared: Shared,
    doctor: Api,
    pulse: Callable[..., Json],
    clock: Clock,
    south: Starlette,
    whom: str,
) -> None:
    one, patient = shared.network["south"], shared.patient["id"]
    node = one.node
    standing = node.contracts.accounts.standing(node.desk.keystore.lanes[0].address)
    assert standing is not None
    service = Service.of(one, south, "system/*.cruds")
    service.api.headers["x-purpose-of-use"] = "TREAT"
    with receiving() as receiver:
        hooks = HttpHooks("127.0.0.1")
        object.__setattr__(node, "hooks", hooks)
        made = service.api.create(_hook(receiver.url, f"Observation?patient={patient}"))
        granted = consents.grant(
            shared.network["north"].node,
            shared.session,
            vault=shared.vault,
            grantee={
                "account": Grantee.account(standing.account),
                "role": Grantee.role_in(node.organisation, "agent"),
            }[whom],
            categories=["observations", "demographics"],
            purposes=["TREAT"],
            valid_seconds=3600,
        )
        node.following.catch_up()

        def told() -> list[str]:
            _work(node)
            clock.ahead_seconds += arriving.LOOK_MS / 1000
            _work(node)
            return [one["id"] for got in receiver.events for one in got.resources]

        assert told() == []
        new = doctor.create(pulse(81))["id"]
        shared.network.settle()
        assert told() == [new]
        shared.revoke(granted)
        doctor.create(pulse(82))
        shared.network.settle()
        assert told() == [new]
        service.renew("system/*.cruds")
        service.api.send("DELETE", f"Subscription/{made['id']}")
        hooks.close()


def _work(node: Node) -> None:
    while telling.work(node, name="test"):
        continue
