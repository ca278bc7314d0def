"""What an app's token opens on the FHIR side: what was allowed, while it is, and nothing else."""

from __future__ import annotations

import dataclasses
from urllib.parse import urlencode

import httpx
import pytest
from starlette.applications import Starlette

from simdes.access.anomaly import rules
from simdes.access.authentication import Authentication
from simdes.app import ADMINISTRATOR
from simdes.exchange import authorization
from simdes.exchange.node import Node
from simdes.exchange.signin import Session, sign_in
from simdes.gateway.app import create_gateway
from support.consortium import Consortium, passphrase_of
from support.smart import Asking, a_patient, allow, dpop_proof, new_key, redeem
from unit.gateway.asgi import send


@pytest.fixture
def doctor(network: Consortium) -> Session:
    return sign_in(network["north"].node, "dr.north", passphrase_of("dr.north"))


def read(app: Starlette, path: str, authorization_: str, **headers: str) -> httpx.Response:
    given = {"Authorization": authorization_} if authorization_ else {}
    return send(app, "GET", path, headers=given | headers)


def test_a_token_opens_the_patient_it_was_given_for_and_no_other(
    app: Starlette, network: Consortium, asking: Asking, doctor: Session, who: str
) -> None:
    vault, patient = a_patient(network, who)
    _, other = a_patient(network, f"{who}o")
    given = redeem(asking, allow(asking, doctor, "launch/patient patient/Patient.rs", vault))
    bearer = f"Bearer {given['access_token']}"
    assert read(app, f"/fhir/Patient/{patient}", bearer).status_code == 200
    assert read(app, f"/fhir/Patient/{other}", bearer).status_code == 404
    assert read(app, "/fhir/Observation", bearer).status_code == 403
    found = read(app, "/fhir/Patient", bearer).json()
    assert {one["resource"]["id"] for one in found["entry"]} == {patient}
    grant = authorization.grants(asking.node, doctor)[0]
    authorization.end_grant(asking.node, doctor, grant.id)
    gone = read(app, f"/fhir/Patient/{patient}", bearer)
    assert gone.status_code == 401
    assert 'error="invalid_token"' in gone.headers["www-authenticate"]


def test_identity_alone_opens_no_record(
    app: Starlette, network: Consortium, asking: Asking, doctor: Session, who: str
) -> None:
    _, patient = a_patient(network, who)
    given = redeem(asking, allow(asking, doctor, "openid fhirUser"))
    for path in (f"/fhir/Patient/{patient}", "/fhir/Patient", "/fhir/Observation"):
        assert read(app, path, f"Bearer {given['access_token']}").status_code in (403, 404)
    for wrong in ("", "Bearer", f"Bearer {given['id_token']}", f"DPoP {given['access_token']}"):
        assert read(app, "/fhir/Patient", wrong).status_code == 401


def test_a_request_without_a_token_is_no_faulty_one(app: Starlette) -> None:
    # RFC 6750 §3.1: no error code where there was no authentication information.
    for given in ("", "Basic YTpi", "Bearer"):
        answer = read(app, "/fhir/Patient", given)
        assert answer.status_code == 401
        assert "error" not in answer.headers["www-authenticate"]
    answer = read(app, "/fhir/Patient", "Bearer none")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_an_app_that_may_know_who_signed_in_reads_them_and_nobody_else(
    app: Starlette, network: Consortium, asking: Asking, doctor: Session, who: str
) -> None:
    given = redeem(asking, allow(asking, doctor, "openid fhirUser"))
    own = doctor.actor.account.hex()
    answer = read(app, f"/fhir/Practitioner/{own}", f"Bearer {given['access_token']}")
    assert answer.status_code == 200
    assert answer.json()["identifier"][0]["value"] == f"0x{own}"
    without = redeem(asking, allow(asking, doctor, "openid user/Observation.rs"))
    for token, path in (
        (given, "Practitioner"),
        (given, f"PractitionerRole/{own}"),
        (given, f"Practitioner/{'0' * 64}"),
        (without, f"Practitioner/{own}"),
    ):
        answer = read(app, f"/fhir/{path}", f"Bearer {token['access_token']}")
        assert answer.status_code in (403, 404), path
    whole = redeem(asking, allow(asking, doctor, "user/*.rs"))
    bearer = f"Bearer {whole['access_token']}"
    role = read(app, f"/fhir/PractitionerRole?practitioner=Practitioner/{own}", bearer).json()
    [entry] = role["entry"]
    assert entry["resource"]["code"][0]["coding"][0]["code"] == "doctor"
    assert entry["resource"]["organization"]["display"] == "Hospital North"
    administrator = sign_in(network["north"].node, ADMINISTRATOR, passphrase_of(ADMINISTRATOR))
    given = redeem(asking, allow(asking, administrator, "openid fhirUser"))
    own = administrator.actor.account.hex()
    answer = read(app, f"/fhir/Person/{own}", f"Bearer {given['access_token']}")
    assert answer.json()["managingOrganization"]["display"] == "Hospital North"


def test_a_bound_token_needs_a_proof_for_each_request(
    app: Starlette, network: Consortium, asking: Asking, doctor: Session, who: str
) -> None:
    node, key = asking.node, new_key("P-256")
    _, patient = a_patient(network, who)
    code = allow(asking, doctor, "user/*.rs")
    token = redeem(asking, code, proof=dpop_proof(node, key))["access_token"]
    path = f"/fhir/Patient/{patient}"
    proof = dpop_proof(node, key, method="GET", path=path, token=token)
    assert read(app, path, f"DPoP {token}", DPoP=proof).status_code == 200
    assert read(app, path, f"DPoP {token}", DPoP=proof).status_code == 401
    assert read(app, path, f"DPoP {token}").status_code == 401
    assert read(app, path, f"Bearer {token}").status_code == 401
    search = dpop_proof(node, key, method="GET", path="/fhir/Patient", token=token)
    query = urlencode({"_id": patient})
    assert read(app, f"/fhir/Patient?{query}", f"DPoP {token}", DPoP=search).status_code == 200


def cautious(node: Node) -> Node:
    """The same organisation, which asks for a second factor after two patients."""
    reading = rules(strangers_per_hour=0, patients_per_hour=2, patients_per_day=0)
    limits = dataclasses.replace(node.desk.limits, reading=reading)
    return dataclasses.replace(node, desk=dataclasses.replace(node.desk, limits=limits))


def test_unusual_reading_asks_for_a_second_factor_and_goes_on_with_one(
    network: Consortium, asking: Asking, doctor: Session, who: str
) -> None:
    node = cautious(network["north"].node)
    app = create_gateway(network["north"].custody, node=node)
    patients = [a_patient(network, f"{who}s{at}")[1] for at in range(4)]
    with node.database.transaction() as tx:
        tx.run("DELETE FROM recent_reading")
    bearer = f"Bearer {redeem(asking, allow(asking, doctor, 'user/*.rs'))['access_token']}"
    answers = [read(app, f"/fhir/Patient/{one}", bearer) for one in patients]
    assert [one.status_code for one in answers] == [200, 200, 401, 401]
    challenge = answers[-1].headers["www-authenticate"]
    assert 'error="insufficient_user_authentication"' in challenge
    assert 'acr_values="urn:simdes:acr:multiple"' in challenge
    now = node.now_seconds()
    proven = dataclasses.replace(doctor.actor, authentication=Authentication(("pwd", "otp"), now))
    strong = dataclasses.replace(doctor, actor=proven)
    again = f"Bearer {redeem(asking, allow(asking, strong, 'user/*.rs'))['access_token']}"
    assert read(app, f"/fhir/Patient/{patients[-1]}", again).status_code == 200
