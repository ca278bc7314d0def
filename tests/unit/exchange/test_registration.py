"""Who says who is who: merges and further identifiers, by session, message and REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.applications import Starlette

from simdes.access.categories import Role
from simdes.app import ADMINISTRATOR
from simdes.exchange import enrolment, quarantine, replay
from simdes.exchange.answers import Refused
from simdes.exchange.legacy import submit_legacy
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.fhir.json import dumps
from simdes.index import vaults
from simdes.index.vaults import Identifier
from support import consortium
from support.bundles import SYSTEM
from support.consortium import Consortium, passphrase_of
from support.fhir_api import Api, application
from support.messages import message

CLINICIANS = ["doctor", "nurse", "pharmacist", "insurer"]


@pytest.fixture
def node(network: Consortium) -> Node:
    return network["north"].node


@pytest.fixture
def session(network: Consortium, who: str) -> Callable[[str], Session]:
    """Signs a new person of north in, by their role."""

    def make(role: str) -> Session:
        user = ADMINISTRATOR if role == "administrator" else f"{role}-{who}"
        if role != "administrator":
            with consortium.cheap_locks():
                enrolment.add_person(
                    network["north"].node,
                    network.session("north", ADMINISTRATOR),
                    user,
                    role=Role[role.upper()],
                    passphrase=passphrase_of(user),
                )
        return network.session("north", user)

    return make


def patient(number: str, *others: str, **more: Any) -> dict[str, Any]:
    numbered = [{"system": SYSTEM, "value": one} for one in (number, *others)]
    return {"resourceType": "Patient", "id": number, "identifier": numbered, **more}


def bundle(*resources: dict[str, Any]) -> bytes:
    entries = [
        {"fullUrl": f"https://a.example/fhir/Patient/{one['id']}", "resource": one}
        for one in resources
    ]
    return dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


def linked(survivor: str, prior: str) -> bytes:
    """A FHIR Bundle that says that two patients are one."""
    other = {"reference": f"https://a.example/fhir/Patient/{prior}"}
    link = [{"other": other, "type": "replaces"}]
    return bundle(patient(survivor, link=link), patient(prior, active=False))


def a40(survivor: str, prior: str) -> bytes:
    """The same in HL7 v2."""
    oid = SYSTEM.removeprefix("urn:oid:")
    pid = f"PID|1||{survivor}^^^&{oid}&ISO||A^B"
    mrg = f"MRG|{prior}^^^&{oid}&ISO"
    return message("ADT^A40^ADT_A39", "EVN||20260101", pid, mrg, control=survivor, sent="20260101")


def leads_to(node: Node, number: str) -> bytes | None:
    with node.database.read() as tx:
        return vaults.find(tx, Identifier(SYSTEM, number))


def known(node: Node, session: Session, *numbers: str) -> list[bytes]:
    """Make patients known; the vault of each."""
    for number in numbers:
        submit_legacy(node, session, bundle(patient(number)))
    found = [leads_to(node, one) for one in numbers]
    return [one for one in found if one is not None]


@pytest.mark.parametrize("form", [linked, a40])
@pytest.mark.parametrize("role", CLINICIANS)
def test_a_merge_by_who_registers_nobody_waits_in_quarantine(
    node: Node,
    session: Callable[[str], Session],
    who: str,
    role: str,
    form: Callable[[str, str], bytes],
) -> None:
    person, old, new = session(role), f"{who}-old", f"{who}-new"
    prior, survivor = known(node, person, old, new)
    for dry_run in (True, False):
        [answer] = submit_legacy(node, person, form(new, old), dry_run=dry_run).answers
        assert isinstance(answer, Refused)
        assert answer.code == "merge-needs-registration"
    assert (leads_to(node, old), leads_to(node, new)) == (prior, survivor)
    [waiting] = quarantine.listed(node, None, quarantine.Selection()).entries
    assert waiting.code == "merge-needs-registration"
    admin = session("administrator")
    assert replay.replay(node, admin, waiting.id).outcome == "replayed"
    assert leads_to(node, old) == leads_to(node, new) == survivor


@pytest.mark.parametrize("form", [linked, a40])
def test_an_administrator_merges(
    node: Node, session: Callable[[str], Session], who: str, form: Callable[[str, str], bytes]
) -> None:
    admin, old, new = session("administrator"), f"{who}-old", f"{who}-new"
    _, survivor = known(node, admin, old, new)
    submit_legacy(node, admin, form(new, old))
    assert leads_to(node, old) == leads_to(node, new) == survivor


@pytest.mark.parametrize("role", CLINICIANS)
def test_a_further_identifier_by_who_registers_nobody_waits_in_quarantine(
    node: Node, session: Callable[[str], Session], who: str, role: str
) -> None:
    person, more = session(role), bundle(patient(who, f"{who}-more"))
    [vault] = known(node, person, who)
    [answer] = submit_legacy(node, person, more).answers
    assert isinstance(answer, Refused)
    assert answer.code == "identifiers-need-registration"
    assert leads_to(node, f"{who}-more") is None
    [waiting] = quarantine.listed(node, None, quarantine.Selection()).entries
    assert replay.replay(node, session("administrator"), waiting.id).outcome == "replayed"
    assert leads_to(node, f"{who}-more") == vault


def test_a_new_patient_comes_with_all_their_identifiers(
    node: Node, session: Callable[[str], Session], who: str
) -> None:
    nurse = session("nurse")
    for _ in range(2):
        submit_legacy(node, nurse, bundle(patient(who, f"{who}-b", f"{who}-c")))
    assert leads_to(node, who) == leads_to(node, f"{who}-b") == leads_to(node, f"{who}-c")
    assert leads_to(node, who) is not None


def test_a_service_registers_where_its_app_may_update_every_patient(
    network: Consortium, node: Node, session: Callable[[str], Session], who: str
) -> None:
    app = application(network["north"])
    old, new = f"{who}-old", f"{who}-new"
    prior, survivor = known(node, session("nurse"), old, new)
    creator = Api.of_agent(network["north"], app, scope="system/*.c")
    kind = {"content-type": "application/fhir+json"}
    sent = creator.send("POST", "$submit-legacy", content=linked(new, old), headers=kind)
    assert sent.status_code == 422
    assert "merge-needs-registration" in sent.text
    assert leads_to(node, old) == prior
    engine = Api.of_agent(network["north"], app, scope="system/*.cu")
    # The very bytes are known already: quarantine gave them an entry, which changes nothing.
    sent = engine.send("POST", "$submit-legacy", content=linked(new, old) + b" ", headers=kind)
    assert sent.status_code == 200, sent.text
    assert leads_to(node, old) == survivor


@pytest.fixture
def north(network: Consortium) -> Starlette:
    return application(network["north"])


def test_over_rest_only_registrars_give_a_known_patient_an_identifier(
    network: Consortium, node: Node, north: Starlette, who: str
) -> None:
    doctor = Api.of(network["north"], "dr.north", app=north)
    admin = Api.of(network["north"], ADMINISTRATOR, app=north)
    made = doctor.create({**patient(who, f"{who}-b"), "gender": "female"})
    path, vault = f"Patient/{made['id']}", leads_to(node, who)
    assert leads_to(node, f"{who}-b") == vault
    changed = {**made, "gender": "male"}
    assert doctor.send("PUT", path, changed).status_code == 200
    more = {**changed, "identifier": patient(who, f"{who}-b", f"{who}-c")["identifier"]}
    refused = doctor.send("PUT", path, more)
    assert (refused.status_code, leads_to(node, f"{who}-c")) == (403, None)
    # Nor by another Patient of the same vault, nor by a patch.
    assert doctor.send("POST", "Patient", patient(who, f"{who}-c")).status_code == 403
    patch = [{"op": "add", "path": "/identifier/-", "value": more["identifier"][2]}]
    kind = {"content-type": "application/json-patch+json"}
    assert doctor.send("PATCH", path, content=dumps(patch), headers=kind).status_code == 403
    assert leads_to(node, f"{who}-c") is None
    bare = {**patient(who, f"{who}-c"), "gender": "female"}
    assert admin.send("POST", "Patient", bare).status_code == 201
    assert leads_to(node, f"{who}-c") == vault
