"""An app asks, a person answers: what is kept, described, approved and refused."""

from __future__ import annotations

import dataclasses
from urllib.parse import parse_qs, urlsplit

import pytest

from simdes.errors import Forbidden, Invalid, NotFound, Unauthenticated
from simdes.exchange import authorization, clients
from simdes.exchange.authorization import OAuthRefusal
from simdes.exchange.clients import Kind
from support.consortium import Clock, Consortium
from support.smart import CALLBACK, Asking, a_patient, answer, authorize, register


@pytest.fixture
def asking(network: Consortium, who: str) -> Asking:
    """A public app at north with generous scopes."""
    return register(network["north"].node, f"app-{who}")


def test_a_request_is_described_and_approved(
    network: Consortium, who: str, asking: Asking, clock: Clock
) -> None:
    node, session = network["north"].node, network.session("north", "dr.north")
    vault, patient = a_patient(network, who)
    request = authorize(asking, scope="launch/patient patient/Observation.rs openid fhirUser")
    described = authorization.describe(node, request.id, session)
    assert (described.client_name, described.origin) == ("Growth chart", "https://app.example")
    assert described.choose_patient and not described.sign_in_again
    assert described.scopes.names == {"launch/patient", "openid", "fhirUser"}
    [one] = described.scopes.resources
    assert (one.context, one.type, one.interactions) == ("patient", "Observation", {"r", "s"})
    url = authorization.approve(node, request.id, session, described.scopes, vault)
    assert url.startswith(CALLBACK + "?")
    given = answer(url)
    assert given["state"] == asking.state and given["iss"] == node.issuer.name
    assert len(given["code"]) == 43
    [grant] = authorization.grants(node, session)[:1]
    assert (grant.patient, grant.vault, grant.client_id) == (patient, vault, asking.client.id)
    with pytest.raises(NotFound):
        authorization.approve(node, request.id, session, described.scopes, vault)


def test_a_refusal_goes_back_to_the_app(network: Consortium, asking: Asking) -> None:
    node = network["north"].node
    request = authorize(asking)
    given = answer(authorization.refuse(node, request.id))
    assert (given["error"], given["state"]) == ("access_denied", asking.state)
    assert given["iss"] == node.issuer.name
    for gone in (authorization.refuse, authorization.describe):
        with pytest.raises(NotFound):
            gone(node, request.id)


NOT_SENT_BACK = {
    "no client": {"client_id": None},
    "unknown client": {"client_id": "nobody"},
    "this program itself": {"client_id": "simdes"},
    "no redirect": {"redirect_uri": None},
    "another path": {"redirect_uri": CALLBACK + "/"},
    "a query on top": {"redirect_uri": CALLBACK + "?next=x"},
    "a fragment on top": {"redirect_uri": CALLBACK + "#x"},
    "a subdomain": {"redirect_uri": "https://app.example.evil.example/callback"},
    "a user": {"redirect_uri": "https://app.example@evil.example/callback"},
    "another scheme": {"redirect_uri": CALLBACK.replace("https", "http")},
    "other letters": {"redirect_uri": CALLBACK.replace("callback", "Callback")},
    "a path that climbs": {"redirect_uri": "https://app.example/callback/../evil"},
    "an encoded letter": {"redirect_uri": CALLBACK.replace("callback", "c%61llback")},
    "script": {"redirect_uri": "javascript:alert(1)"},
    "another port": {"redirect_uri": "https://app.example:8443/callback"},
}


@pytest.mark.parametrize("name", NOT_SENT_BACK)
def test_nobody_is_sent_to_an_address_that_is_not_registered(name: str, asking: Asking) -> None:
    with pytest.raises(OAuthRefusal) as refused:
        authorize(asking, **NOT_SENT_BACK[name])  # type: ignore[arg-type]
    assert refused.value.redirect is None


SENT_BACK = {
    "token response": ({"response_type": "token"}, "unsupported_response_type"),
    "no response type": ({"response_type": None}, "unsupported_response_type"),
    "fragment": ({"response_mode": "fragment"}, "invalid_request"),
    "no challenge": ({"code_challenge": None}, "invalid_request"),
    "plain": ({"code_challenge_method": "plain"}, "invalid_request"),
    "no method, which means plain": ({"code_challenge_method": None}, "invalid_request"),
    "short challenge": ({"code_challenge": "abc"}, "invalid_request"),
    "padded challenge": ({"code_challenge": "a" * 42 + "="}, "invalid_request"),
    "no state": ({"state": None}, "invalid_request"),
    "endless state": ({"state": "s" * 1025}, "invalid_request"),
    "no audience": ({"aud": None}, "invalid_request"),
    "another audience": ({"aud": "https://other.example/fhir"}, "invalid_request"),
    "another resource": ({"resource": "https://other.example"}, "invalid_target"),
    "no scope": ({"scope": None}, "invalid_scope"),
    "only unknown scopes": ({"scope": "patient/Nothing.rs root"}, "invalid_scope"),
    "a system scope": ({"scope": "system/*.rs"}, "invalid_scope"),
    "odd characters": ({"scope": 'patient/*.rs "'}, "invalid_scope"),
    "silent": ({"prompt": "none"}, "interaction_required"),
    "silent and not": ({"prompt": "none login"}, "invalid_request"),
    "unknown prompt": ({"prompt": "hurry"}, "invalid_request"),
    "no number": ({"max_age": "soon"}, "invalid_request"),
    "request object": ({"request": "eyJ"}, "request_not_supported"),
    "request by reference": ({"request_uri": "https://x.example"}, "request_uri_not_supported"),
    "unknown launch": ({"scope": "launch", "launch": "x"}, "invalid_request"),
    "odd thumbprint": ({"dpop_jkt": "x"}, "invalid_request"),
}


@pytest.mark.parametrize("name", SENT_BACK)
def test_a_bad_request_goes_back_to_the_app_with_the_reason(name: str, asking: Asking) -> None:
    changes, error = SENT_BACK[name]
    with pytest.raises(OAuthRefusal) as refused:
        authorize(asking, **changes)  # type: ignore[arg-type]
    assert refused.value.error == error
    url = refused.value.redirect
    assert url is not None and url.startswith(CALLBACK + "?")
    given = answer(url)
    assert given["error"] == error and given["iss"] == asking.node.issuer.name
    assert given.get("state", "") in ("", asking.state)


def test_a_parameter_that_comes_twice_is_refused(asking: Asking) -> None:
    pairs = [*asking.parameters().items(), ("scope", "openid")]
    with pytest.raises(OAuthRefusal) as refused:
        authorization.begin(asking.node, pairs)
    assert (refused.value.error, refused.value.redirect) == ("invalid_request", None)


def test_what_an_app_may_not_have_is_left_out(asking: Asking, who: str) -> None:
    narrow = register(asking.node, f"narrow-{who}", scope="patient/Observation.rs openid")
    request = authorize(
        narrow, scope="patient/*.read patient/Observation.cruds openid fhirUser system/*.rs odd"
    )
    described = authorization.describe(asking.node, request.id)
    assert described.scopes.text == "openid patient/Observation.rs"


def test_a_constraint_that_is_not_understood_is_not_passed_over(asking: Asking) -> None:
    kept = "patient/Observation.rs?category=laboratory patient/*.rs?category=laboratory"
    request = authorize(
        asking,
        scope=f"{kept} patient/Observation.rs?nonsense=1 patient/Patient.rs?birthdate=soon"
        " patient/Observation.rs?_source=http://south.example",
    )
    assert authorization.describe(asking.node, request.id).scopes.text == kept
    with pytest.raises(OAuthRefusal) as refused:
        authorize(asking, scope="patient/Observation.rs?nonsense=1")
    assert refused.value.error == "invalid_scope"
    assert refused.value.redirect is not None


def test_no_more_is_granted_than_was_asked(network: Consortium, who: str, asking: Asking) -> None:
    node, session = network["north"].node, network.session("north", "dr.north")
    vault, _ = a_patient(network, who)
    for granted in ("", "patient/*.rs", "patient/Observation.cruds", "openid", "odd"):
        request = authorize(asking, scope="patient/Observation.rs")
        with pytest.raises(Invalid):
            authorization.approve(node, request.id, session, granted, vault)
    with pytest.raises(Invalid, match="Choose"):
        authorization.approve(node, request.id, session, "patient/Observation.r")
    with pytest.raises(NotFound):
        authorization.approve(node, request.id, session, "patient/Observation.r", b"\1" * 32)
    assert authorization.approve(node, request.id, session, "patient/Observation.r", vault)


def test_a_patient_allows_only_their_own_records(
    network: Consortium, who: str, asking: Asking
) -> None:
    node = network["north"].node
    own, patient = a_patient(network, who)
    other, _ = a_patient(network, f"{who}x")
    network.settle("north")
    session = network.enrol(own, f"pat-{who}")
    [record] = authorization.own_records(node, session.actor.account)
    assert (record.vault, record.patient) == (own, patient)
    request = authorize(asking, scope="patient/*.rs fhirUser openid")
    with pytest.raises(Forbidden):
        authorization.approve(node, request.id, session, "patient/*.rs", other)
    assert authorization.approve(node, request.id, session, "patient/*.rs fhirUser openid", own)
    [grant] = authorization.grants(node, session)
    assert grant.fhir_user == f"Patient/{patient}"


def test_an_old_or_weak_sign_in_is_asked_for_again(
    network: Consortium, asking: Asking, clock: Clock
) -> None:
    node, session = network["north"].node, network.session("north", "dr.north")
    two = dataclasses.replace(
        session,
        actor=dataclasses.replace(
            session.actor,
            authentication=dataclasses.replace(
                session.actor.authentication,
                methods=("pwd", "otp"),  # type: ignore[type-var]
            ),
        ),
    )
    strong = authorize(asking, acr_values="urn:simdes:acr:multiple", scope="openid")
    assert authorization.describe(node, strong.id, session).sign_in_again
    assert authorization.describe(node, strong.id, session).two_factors
    assert not authorization.describe(node, strong.id, two).sign_in_again
    with pytest.raises(Unauthenticated):
        authorization.approve(node, strong.id, session, "openid")
    clock.ahead_seconds += 120
    for changes in ({"max_age": "60"}, {"max_age": "0"}, {"prompt": "login"}):
        request = authorize(asking, scope="openid", **changes)
        assert authorization.describe(node, request.id, session).sign_in_again, changes
        with pytest.raises(Unauthenticated):
            authorization.approve(node, request.id, session, "openid")
    relaxed = authorize(asking, scope="openid", max_age="600")
    assert not authorization.describe(node, relaxed.id, session).sign_in_again
    assert authorization.approve(node, relaxed.id, session, "openid")


def test_a_request_waits_ten_minutes(network: Consortium, asking: Asking, clock: Clock) -> None:
    request = authorize(asking)
    clock.ahead_seconds += 599
    assert authorization.describe(asking.node, request.id)
    clock.ahead_seconds += 2
    with pytest.raises(NotFound):
        authorization.describe(asking.node, request.id)
    for rubbish in ("", "x", "é" * 300, "x" * 10_000):
        with pytest.raises(NotFound):
            authorization.describe(asking.node, rubbish)


def test_a_person_takes_back_what_an_app_was_allowed(
    network: Consortium, who: str, asking: Asking
) -> None:
    node, session = network["north"].node, network.session("north", "dr.north")
    request = authorize(asking, scope="openid offline_access")
    authorization.approve(node, request.id, session, "openid offline_access")
    grant = authorization.grants(node, session)[0]
    admin = network.session("north", "admin")
    with pytest.raises(NotFound):
        authorization.end_grant(node, admin, grant.id)
    authorization.end_grant(node, session, grant.id)
    assert grant.id not in {one.id for one in authorization.grants(node, session)}
    with pytest.raises(NotFound):
        authorization.end_grant(node, session, grant.id)


def test_apps_on_the_persons_machine_listen_on_any_port(network: Consortium, who: str) -> None:
    native = register(
        network["north"].node, f"native-{who}", redirects=["http://127.0.0.1/back", "com.app:/x"]
    )
    for fine in ("http://127.0.0.1:49152/back", "http://127.0.0.1/back", "com.app:/x"):
        assert authorize(native, redirect_uri=fine)
    for wrong in ("http://127.0.0.1:49152/other", "http://localhost:49152/back", "com.app:/y"):
        with pytest.raises(OAuthRefusal):
            authorize(native, redirect_uri=wrong)


NOT_REGISTERED = {
    "plain http": {"redirect_uris": ["http://app.example/callback"]},
    "fragment": {"redirect_uris": ["https://app.example/#x"]},
    "script": {"redirect_uris": ["javascript:alert(1)"]},
    "data": {"redirect_uris": ["data:text/html,x"]},
    "a user": {"redirect_uris": ["https://a@app.example/"]},
    "nowhere": {"redirect_uris": []},
    "unknown scope": {"scope": "patient/Nothing.rs"},
    "no scope": {"scope": ""},
    "system scope": {"scope": "system/*.rs"},
    "our own id": {"client_id": "simdes"},
    "odd id": {"client_id": "a b"},
    "odd name": {"name": "a\nb"},
    "a key": {"keys": '{"keys": []}'},
}


@pytest.mark.parametrize("name", NOT_REGISTERED)
def test_an_app_that_can_not_be_is_not_registered(name: str, network: Consortium) -> None:
    usual: dict[str, object] = {
        "name": "App",
        "kind": Kind.PUBLIC,
        "scope": "patient/*.rs",
        "redirect_uris": ["https://app.example/callback"],
    }
    with pytest.raises(Invalid):
        clients.register(network["north"].node, None, **(usual | NOT_REGISTERED[name]))  # type: ignore[arg-type]


def test_only_an_administrator_registers_and_removes(network: Consortium, asking: Asking) -> None:
    doctor = network.session("north", "dr.north")
    with pytest.raises(Forbidden):
        register(asking.node, "other", administrator=doctor)
    with pytest.raises(Forbidden):
        clients.remove(asking.node, doctor, asking.client.id)
    request = authorize(asking)
    clients.remove(asking.node, network.session("north", "admin"), asking.client.id)
    with pytest.raises(NotFound):
        authorization.describe(asking.node, request.id)
    with pytest.raises(NotFound):
        clients.remove(asking.node, None, asking.client.id)


def test_answers_keep_the_query_of_a_redirect_uri(network: Consortium, who: str) -> None:
    one = register(
        network["north"].node, f"query-{who}", redirects=["https://app.example/back?tenant=a%2Fb"]
    )
    request = authorize(one, redirect_uri="https://app.example/back?tenant=a%2Fb")
    url = authorization.refuse(one.node, request.id)
    assert url.startswith("https://app.example/back?tenant=a%2Fb&error=")
    assert parse_qs(urlsplit(url).query)["tenant"] == ["a/b"]
