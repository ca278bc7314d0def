"""The token endpoint's rules: what redeems, what is refused, what a theft ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from joserfc import jwt

from simdes.access import accounts
from simdes.access.categories import Role
from simdes.access.requests import hexed, unb64
from simdes.errors import Forbidden, Invalid, NotFound, Unauthenticated, Unavailable
from simdes.exchange import authorization, clients, launches, smart, token_status
from simdes.exchange.authorization import OAuthRefusal
from simdes.exchange.clients import Kind
from simdes.exchange.presenting import Presented, present
from simdes.exchange.signin import Session, resume, sign_in
from simdes.exchange.token_requests import issue
from support.consortium import Clock, Consortium, passphrase_of
from support.key_sites import key_site
from support.smart import (
    Asking,
    a_patient,
    allow,
    answer,
    assertion,
    authorize,
    basic,
    call,
    credentials,
    dpop_proof,
    new_key,
    public_set,
    redeem,
    refresh,
    register,
)
from support.trail import Watched

SCOPE = "launch/patient openid fhirUser offline_access patient/*.rs"


@pytest.fixture
def asking(network: Consortium, who: str) -> Asking:
    return register(network["north"].node, f"app-{who}")


@pytest.fixture
def doctor(network: Consortium) -> Session:
    # Not the shared session: tests here let weeks pass, in which expired sessions are cleared.
    return sign_in(network["north"].node, "dr.north", passphrase_of("dr.north"))


@pytest.fixture
def code(network: Consortium, asking: Asking, doctor: Session, who: str) -> str:
    vault, _ = a_patient(network, who)
    return allow(asking, doctor, SCOPE, vault)


def refused(error: str, act: Any, *args: Any, **more: Any) -> None:
    with pytest.raises(OAuthRefusal) as caught:
        act(*args, **more)
    assert caught.value.error == error


def claims_of(token: str) -> dict[str, Any]:
    return dict(json.loads(unb64(token.split(".")[1])))


def test_a_code_becomes_tokens_with_the_launch_context(
    network: Consortium, asking: Asking, doctor: Session, who: str
) -> None:
    node = asking.node
    vault, patient = a_patient(network, who)
    given = redeem(asking, allow(asking, doctor, SCOPE, vault))
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 300)
    assert given["patient"] == patient
    assert given["scope"] == "launch/patient openid fhirUser offline_access patient/*.rs"
    session = resume(node, given["access_token"])
    actor, context = session.actor, session.actor.context
    assert (actor.account, actor.user) == (doctor.actor.account, "dr.north")
    assert session.key.to_bytes() == doctor.key.to_bytes()
    assert (context.client, context.vault, context.patient) == (asking.client.id, vault, patient)
    assert context.scope == given["scope"] and not context.unrestricted
    assert actor.authentication == doctor.actor.authentication
    claims = claims_of(given["access_token"])
    assert claims["sub"] == hexed(actor.account) and claims["aud"].endswith("/fhir")
    assert (claims["amr"], claims["acr"]) == (["pwd"], "urn:simdes:acr:single")
    assert vault.hex() not in json.dumps(claims)


def test_an_id_token_says_who_signed_in(
    network: Consortium, asking: Asking, doctor: Session
) -> None:
    request = authorize(asking, scope="openid fhirUser user/*.rs", nonce="n-0S6")
    url = authorization.approve(asking.node, request.id, doctor, "openid fhirUser user/*.rs")
    given = redeem(asking, answer(url)["code"])
    from joserfc.jwk import KeySet

    keys = KeySet.import_key_set(smart.public_keys(asking.node))  # type: ignore[arg-type]
    token = jwt.decode(given["id_token"], keys, algorithms=["ES256"])
    assert not {"d"} & set(smart.public_keys(asking.node)["keys"][0])
    claims = token.claims
    assert (claims["iss"], claims["aud"]) == (asking.node.issuer.name, asking.client.id)
    assert (claims["nonce"], claims["sub"]) == ("n-0S6", hexed(doctor.actor.account))
    account = doctor.actor.account.hex()
    assert claims["fhirUser"] == f"{asking.node.issuer.audience}/Practitioner/{account}"
    assert claims["auth_time"] <= claims["iat"] < claims["exp"]
    for other in (given["id_token"],):
        with pytest.raises(Unauthenticated):
            resume(asking.node, other)
    without = redeem(asking, allow(asking, doctor, "openid user/*.rs"))
    assert "fhirUser" not in claims_of(without["id_token"])
    assert "refresh_token" not in without and "patient" not in without
    assert "id_token" not in redeem(asking, allow(asking, doctor, "user/*.rs"))


ABUSED_CODES: dict[str, tuple[dict[str, str | None], str]] = {
    "no verifier": ({"code_verifier": None}, "invalid_grant"),
    "another verifier": ({"code_verifier": "v" * 43}, "invalid_grant"),
    "short verifier": ({"code_verifier": "v" * 42}, "invalid_grant"),
    "odd verifier": ({"code_verifier": "é" * 43}, "invalid_grant"),
    "no redirect": ({"redirect_uri": None}, "invalid_grant"),
    "another redirect": ({"redirect_uri": "https://app.example/other"}, "invalid_grant"),
    "no code": ({"code": None}, "invalid_grant"),
    "another code": ({"code": "c" * 43}, "invalid_grant"),
    "endless code": ({"code": "c" * 5000}, "invalid_grant"),
    "no client": ({"client_id": None}, "invalid_client"),
    "unknown client": ({"client_id": "nobody"}, "invalid_client"),
    "a secret from a public app": ({"client_secret": "s"}, "invalid_client"),
    "no grant type": ({"grant_type": None}, "unsupported_grant_type"),
    "password": ({"grant_type": "password"}, "unsupported_grant_type"),
    "credentials": ({"grant_type": "client_credentials"}, "unauthorized_client"),
    "the code as refresh token": ({"grant_type": "refresh_token"}, "invalid_grant"),
}


@pytest.mark.parametrize("name", ABUSED_CODES)
def test_a_code_is_good_only_as_it_was_given(name: str, asking: Asking, code: str) -> None:
    changes, error = ABUSED_CODES[name]
    refused(error, redeem, asking, code, **changes)
    assert redeem(asking, code)["access_token"]


def test_another_app_can_not_use_a_code(
    network: Consortium, asking: Asking, code: str, who: str
) -> None:
    thief = register(asking.node, f"thief-{who}")
    refused("invalid_grant", redeem, asking, code, client_id=thief.client.id)
    assert redeem(asking, code)["access_token"]


def test_a_code_is_good_for_a_minute(asking: Asking, code: str, clock: Clock) -> None:
    clock.ahead_seconds += 61
    refused("invalid_grant", redeem, asking, code)


def test_what_apps_are_allowed_and_thefts_are_on_record(
    asking: Asking, code: str, doctor: Session
) -> None:
    node = asking.node

    def written() -> list[tuple[str, str]]:
        found = node.desk.trail.entries(node.database, limit=100_000)
        return [(one.attempt.verb.value, one.attempt.reason) for _, one in found]

    assert written()[-1] == ("apps", "")
    redeem(asking, code)
    refused("invalid_grant", redeem, asking, code)
    refused("invalid_grant", redeem, asking, code)
    assert written()[-2:] == [("apps", ""), ("apps", "REUSED_SECRET")]
    allow(asking, doctor, "user/*.rs")
    grant = authorization.grants(node, doctor)[0]
    authorization.end_grant(node, doctor, grant.id)
    assert written()[-2:] == [("apps", ""), ("apps", "")]


def reasons(watched: Watched) -> list[tuple[str, str]]:
    return [(one.attempt.verb.value, one.attempt.reason) for one in watched.entries()]


def test_a_code_that_is_refused_is_on_record(
    network: Consortium, asking: Asking, doctor: Session, who: str
) -> None:
    vault, _ = a_patient(network, who)
    code = allow(asking, doctor, "launch/patient patient/*.rs offline_access", vault)
    watched = Watched(asking.node)
    refused("invalid_grant", redeem, asking, code, code_verifier="v" * 43)
    kept = watched.refusal().attempt
    assert (kept.account, kept.vault) == (doctor.actor.account, vault)
    assert (kept.verb.value, kept.reason) == ("apps", "APP_REFUSED")
    refresh_token = redeem(asking, code)["refresh_token"]
    refused("invalid_scope", refresh, asking, refresh_token, scope="user/*.rs")
    thief = register(asking.node, f"thief-{who}")
    refused("invalid_grant", refresh, thief, refresh_token)  # counted with the first
    assert reasons(watched) == [("apps", "APP_REFUSED"), ("apps", "SCOPE")]


def test_a_suspended_persons_app_is_refused_on_record(
    asking: Asking, code: str, network: Consortium
) -> None:
    watched = Watched(asking.node)
    with mock.patch.object(accounts, "why_inactive", return_value="SUSPENDED_ACTOR"):
        refused("invalid_grant", redeem, asking, code)
    assert reasons(watched) == [("apps", "SUSPENDED_ACTOR")]


def test_strangers_at_the_token_endpoint_leave_no_entry(asking: Asking) -> None:
    watched = Watched(asking.node)
    refused("invalid_grant", redeem, asking, "c" * 43)
    refused("invalid_grant", refresh, asking, "r" * 43)
    refused("invalid_client", redeem, asking, "c" * 43, client_id="nobody")
    assert watched.entries() == []


def test_what_a_person_may_not_allow_is_on_record(
    network: Consortium, asking: Asking, doctor: Session, who: str
) -> None:
    node = asking.node
    _, patient = a_patient(network, who)
    watched = Watched(node)
    with pytest.raises(NotFound):
        launches.launch(node, doctor, asking.client.id, patient=f"{patient}-not")
    kept = watched.refusal().attempt
    assert (kept.account, kept.reason, kept.vault) == (doctor.actor.account, "NOT_FOUND", None)
    made = launches.launch(node, doctor, asking.client.id, patient=patient)
    request = authorize(asking, scope="launch patient/*.rs", launch=made.handle)
    admin = network.session("north", "admin")
    with pytest.raises(Forbidden):
        authorization.approve(node, request.id, admin, "launch patient/*.rs")
    assert reasons(watched) == [("apps", "NOT_FOUND"), ("apps", "FORBIDDEN")]


def test_a_code_used_twice_ends_what_came_of_it(asking: Asking, code: str) -> None:
    given = redeem(asking, code)
    assert resume(asking.node, given["access_token"])
    refused("invalid_grant", redeem, asking, code)
    with pytest.raises(Unauthenticated):
        resume(asking.node, given["access_token"])
    refused("invalid_grant", refresh, asking, given["refresh_token"])


def test_of_two_who_redeem_a_code_at_once_nobody_keeps_it(asking: Asking, code: str) -> None:
    done: list[str] = []

    def run() -> None:
        try:
            done.append(redeem(asking, code)["access_token"])
        except OAuthRefusal as error:
            done.append(error.error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert done.count("invalid_grant") >= 3
    for token in set(done) - {"invalid_grant"}:
        with pytest.raises(Unauthenticated):
            resume(asking.node, token)


def test_refreshing_rotates_and_reuse_kills_the_family(
    asking: Asking, code: str, doctor: Session
) -> None:
    first = redeem(asking, code)
    second = refresh(asking, first["refresh_token"])
    third = refresh(asking, second["refresh_token"])
    assert len({one["refresh_token"] for one in (first, second, third)}) == 3
    assert third["patient"] == first["patient"]
    assert resume(asking.node, third["access_token"]).key.to_bytes() == doctor.key.to_bytes()
    refused("invalid_grant", refresh, asking, first["refresh_token"])
    refused("invalid_grant", refresh, asking, third["refresh_token"])
    for one in (first, second, third):
        with pytest.raises(Unauthenticated):
            resume(asking.node, one["access_token"])


def test_a_public_app_may_send_its_refresh_token_alone(
    asking: Asking, code: str, doctor: Session
) -> None:
    # RFC 6749 §6, and SMART's JavaScript client.
    first = redeem(asking, code)
    second = refresh(asking, first["refresh_token"], client_id=None)
    assert second["patient"] == first["patient"]
    refused("invalid_grant", refresh, asking, first["refresh_token"], client_id=None)
    with pytest.raises(Unauthenticated):
        resume(asking.node, second["access_token"])
    refused("invalid_client", refresh, asking, "nothing", client_id=None)
    secret = register(asking.node, f"{asking.client.id}-secret", kind=Kind.CONFIDENTIAL)
    given = redeem(secret, allow(secret, doctor, "offline_access user/*.rs"))["refresh_token"]
    alone = Asking(asking.node, secret.client)
    refused("invalid_client", refresh, alone, given, client_id=None)
    assert refresh(secret, given)["access_token"]


def test_a_refresh_may_narrow_and_never_widen(asking: Asking, code: str) -> None:
    first = redeem(asking, code)
    narrow = refresh(asking, first["refresh_token"], scope="patient/Observation.s?code=x")
    assert narrow["scope"] == "patient/Observation.s?code=x"
    assert resume(asking.node, narrow["access_token"]).actor.context.scope == narrow["scope"]
    again = refresh(asking, narrow["refresh_token"])
    assert again["scope"] == first["scope"]
    for wide in ("patient/*.cruds", "user/*.rs", "system/*.rs", "online_access", "odd", "é"):
        refused("invalid_scope", refresh, asking, again["refresh_token"], scope=wide)
    assert refresh(asking, again["refresh_token"])


def test_refresh_tokens_end(asking: Asking, code: str, clock: Clock, doctor: Session) -> None:
    first = redeem(asking, code)
    clock.ahead_seconds += 29 * 86_400
    second = refresh(asking, first["refresh_token"])
    clock.ahead_seconds += 31 * 86_400
    refused("invalid_grant", refresh, asking, second["refresh_token"])


def test_online_access_ends_with_the_sign_out(asking: Asking, doctor: Session) -> None:
    online = redeem(asking, allow(asking, doctor, "user/*.rs online_access"))
    offline = redeem(asking, allow(asking, doctor, "user/*.rs offline_access"))
    assert authorization.end_online(asking.node, doctor.actor.account) >= 1
    refused("invalid_grant", refresh, asking, online["refresh_token"])
    with pytest.raises(Unauthenticated):
        resume(asking.node, online["access_token"])
    assert refresh(asking, offline["refresh_token"])


def test_a_database_holds_no_token(asking: Asking, code: str) -> None:
    given = redeem(asking, code)
    with asking.node.database.read() as tx:
        rows = [
            *tx.all("SELECT * FROM refresh_token"),
            *tx.all("SELECT * FROM authorization_code"),
            *tx.all("SELECT * FROM authorization_grant"),
            *tx.all("SELECT * FROM session"),
        ]
    kept = repr(rows)
    for secret in (code, given["refresh_token"], given["access_token"]):
        assert secret not in kept and repr(unb64(secret.rsplit(".")[-1]))[2:-1] not in kept


# Apps that prove themselves ----------------------------------------------------------------------


def test_a_confidential_app_needs_its_secret(
    network: Consortium, doctor: Session, who: str
) -> None:
    one = register(network["north"].node, f"server-{who}", kind=Kind.CONFIDENTIAL)
    assert len(one.secret) == 43
    code = allow(one, doctor, "user/*.rs offline_access")
    for wrong in (
        basic(one.client.id, "wrong"),
        basic(one.client.id, ""),
        basic("nobody", one.secret),
        "Basic !",
        "Basic " + "eA==",
        "Bearer x",
    ):
        refused("invalid_client", redeem, one, code, authorization=wrong)
    refused("invalid_client", redeem, one, code, client_id="another")
    bare = Asking(one.node, one.client, "", one.verifier, one.state)
    refused("invalid_client", redeem, bare, code)
    refused("invalid_client", redeem, bare, code, client_secret=one.secret)
    given = redeem(one, code, client_id=None)
    refused("invalid_client", refresh, bare, given["refresh_token"])
    rotated = clients.rotate(one.node, None, one.client.id)
    refused("invalid_client", refresh, one, given["refresh_token"])
    fresh = Asking(one.node, one.client, rotated.secret)
    assert refresh(fresh, given["refresh_token"])


@pytest.fixture
def backend(network: Consortium, who: str) -> tuple[Asking, Any]:
    key = new_key()
    one = register(
        network["north"].node,
        f"backend-{who}",
        kind=Kind.BACKEND,
        scope="system/*.rs",
        redirects=(),
        keys=public_set(key),
    )
    return one, key


def test_a_backend_service_acts_as_the_organisations_agent(backend: tuple[Asking, Any]) -> None:
    one, key = backend
    given = credentials(one, assertion(one, key), scope="system/Patient.rs system/Patient.cruds")
    assert given["scope"] == "system/Patient.rs"
    assert set(given) == {"access_token", "token_type", "expires_in", "scope"}
    session = resume(one.node, given["access_token"])
    lane = one.node.desk.keystore.lanes[0]
    assert (session.actor.user, session.actor.address) == (one.client.id, lane.address)
    assert session.actor.role == 8 and session.key.address == lane.address
    assert claims_of(given["access_token"])["sub"] == one.client.id


ASSERTIONS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "nobody"},
    "another subject": {"sub": "nobody"},
    "no subject": {"sub": None},
    "another audience": {"aud": "https://elsewhere.example/auth/token"},
    "two audiences": {"aud": ["https://elsewhere.example", "x"]},
    "no audience": {"aud": None},
    "expired": {"exp": 1_000},
    "no end": {"exp": None},
    "an hour": {"exp": 4_000_000_000},
    "text as end": {"exp": "4000000000"},
    "no jti": {"jti": None},
    "endless jti": {"jti": "j" * 300},
    "a number as jti": {"jti": 7},
    "from the future": {"iat": 4_000_000_000},
    "not yet": {"nbf": 4_000_000_000},
    "another type": {"header": {"typ": "dpop+jwt"}},
    "an access token": {"header": {"typ": "at+jwt"}},
    "no kid": {"header": {"kid": None}},
    "another kid": {"header": {"kid": "other"}},
    "keys elsewhere": {"header": {"jku": "https://elsewhere.example/jwks"}},
}


@pytest.mark.parametrize("name", ASSERTIONS)
def test_an_assertion_that_does_not_hold_is_refused(name: str, backend: tuple[Asking, Any]) -> None:
    one, key = backend
    refused("invalid_client", credentials, one, assertion(one, key, **ASSERTIONS[name]))


def test_forged_assertions_are_refused(backend: tuple[Asking, Any]) -> None:
    one, key = backend
    good = assertion(one, key)
    head, payload, signature = good.split(".")
    other = new_key()
    other_with_kid = type(key).import_key({**other.as_dict(private=True), "kid": key.kid})
    import base64 as b

    def header(**changes: Any) -> str:
        text = json.dumps(json.loads(unb64(head)) | changes).encode()
        return b.urlsafe_b64encode(text).rstrip(b"=").decode()

    forged = [
        "",
        "a.b.c",
        good[:-1],
        f"{head}.{payload}.",
        f"{head}.{payload}.{'A' * len(signature)}",
        f"{header(alg='none')}.{payload}.",
        f"{header(alg='HS256')}.{payload}.{signature}",
        f"{header(alg='ES256')}.{payload}.{signature}",
        f"{header(crit=['x'])}.{payload}.{signature}",
        assertion(one, other_with_kid),
        assertion(one, new_key("P-256"), header={"alg": "ES256"}),
        "x" * 8_192,
    ]
    for one_forged in forged:
        refused("invalid_client", credentials, one, one_forged)
    refused("invalid_client", credentials, one, good, client_assertion_type="urn:x")
    refused("invalid_client", credentials, one, good, client_id="another")
    assert credentials(one, good)


def test_an_assertion_is_good_once(backend: tuple[Asking, Any]) -> None:
    one, key = backend
    signed = assertion(one, key)
    assert credentials(one, signed)
    refused("invalid_client", credentials, one, signed)


def test_scopes_of_a_backend_service_are_bounded(backend: tuple[Asking, Any]) -> None:
    one, key = backend
    for scope in (None, "", "patient/*.rs", "user/*.rs", "system/*.cud", "openid", "odd", "é"):
        refused("invalid_scope", credentials, one, assertion(one, key), scope=scope)


def test_a_scope_refused_to_a_service_is_on_record(backend: tuple[Asking, Any]) -> None:
    one, key = backend
    watched = Watched(one.node)
    refused("invalid_scope", credentials, one, assertion(one, key), scope="user/*.rs")
    kept = watched.refusal().attempt
    assert (Role(kept.role), kept.reason) == (Role.AGENT, "SCOPE")
    refused("invalid_client", credentials, one, assertion(one, key)[:-4] + "AAAA")
    assert len(watched.entries()) == 1


def test_an_rsa_key_of_2048_bits_will_do_and_a_shorter_one_not(
    network: Consortium, who: str
) -> None:
    from joserfc.jwk import RSAKey

    key = RSAKey.generate_key(2048, {"kid": "r"}, private=True)
    one = register(
        network["north"].node,
        f"rsa-{who}",
        kind=Kind.BACKEND,
        scope="system/*.rs",
        redirects=(),
        keys=public_set(key),
    )
    assert credentials(one, assertion(one, key, header={"alg": "RS384"}))
    for algorithm in ("RS256", "RS512"):
        refused("invalid_client", credentials, one, assertion(one, key, header={"alg": algorithm}))


def test_a_service_may_publish_its_keys_and_change_them(
    network: Consortium, who: str, clock: Clock
) -> None:
    first, second = new_key(), new_key()
    with key_site() as site:
        site.body = public_set(first).encode()
        one = register(
            network["north"].node,
            f"published-{who}",
            kind=Kind.BACKEND,
            scope="system/*.rs",
            redirects=(),
            keys_url=site.url,
        )
        jku = {"jku": site.url}
        assert credentials(one, assertion(one, first, header=jku))
        refused("invalid_client", credentials, one, assertion(one, second))
        elsewhere = {"jku": "https://elsewhere.example/jwks"}
        refused("invalid_client", credentials, one, assertion(one, first, header=elsewhere))
        site.body = public_set(second).encode()
        clock.ahead_seconds += 31
        assert credentials(one, assertion(one, second))
        refused("invalid_client", credentials, one, assertion(one, first))
        assert site.asked == 2
        clock.ahead_seconds += 301
        site.status = 500
        with pytest.raises(Unavailable):
            credentials(one, assertion(one, second))


def test_the_operators_scripts_get_a_services_token(backend: tuple[Asking, Any]) -> None:
    one, _ = backend
    token = issue(one.node, one.client.id, "system/Patient.rs")
    assert resume(one.node, token).actor.context.scope == "system/Patient.rs"
    refused("invalid_scope", issue, one.node, one.client.id, "system/*.cud")
    person_app = register(one.node, f"{one.client.id}-app")
    refused("unauthorized_client", issue, one.node, person_app.client.id, "system/*.rs")
    with pytest.raises(NotFound):
        issue(one.node, "nobody", "system/*.rs")


def test_a_people_app_with_a_key_redeems_with_it(
    network: Consortium, doctor: Session, who: str
) -> None:
    key = new_key()
    one = register(
        network["north"].node, f"keyed-{who}", kind=Kind.CONFIDENTIAL, keys=public_set(key)
    )
    code = allow(one, doctor, "user/*.rs")
    proof = {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion(one, key),
    }
    refused("invalid_client", redeem, one, code)
    assert redeem(one, code, **proof)["access_token"]
    refused("invalid_request", redeem, one, code, authorization=basic("a", "b"), **proof)
    refused("unauthorized_client", credentials, one, assertion(one, key))


# Proof of possession -----------------------------------------------------------------------------


def test_a_token_bound_to_a_key_needs_it_at_every_request(asking: Asking, code: str) -> None:
    node, key, other = asking.node, new_key("P-256"), new_key("P-256")
    given = redeem(asking, code, proof=dpop_proof(node, key))
    assert given["token_type"] == "DPoP"
    token = given["access_token"]
    path = "/fhir/Patient/1"
    fresh = {"method": "GET", "path": path, "token": token}

    def ask(authorization: str, proof: str = "", method: str = "GET") -> Session:
        return present(
            node, Presented(authorization=authorization, method=method, path=path, proof=proof)
        )

    signed = dpop_proof(node, key, **fresh)  # type: ignore[arg-type]
    assert ask(f"DPoP {token}", signed).actor.context.thumbprint == key.thumbprint()
    bad = {
        "used before": signed,
        "none": "",
        "another key": dpop_proof(node, other, **fresh),  # type: ignore[arg-type]
        "another method": dpop_proof(node, key, **(fresh | {"method": "PUT"})),  # type: ignore[arg-type]
        "another path": dpop_proof(node, key, **(fresh | {"path": "/fhir/Patient/2"})),  # type: ignore[arg-type]
        "another token": dpop_proof(node, key, **(fresh | {"token": token + "x"})),  # type: ignore[arg-type]
        "no token": dpop_proof(node, key, **(fresh | {"token": ""})),  # type: ignore[arg-type]
    }
    for name, proof in bad.items():
        with pytest.raises(Unauthenticated):
            ask(f"DPoP {token}", proof)
            pytest.fail(name)
    for scheme in ("Bearer", "bearer", "Basic"):
        with pytest.raises(Unauthenticated):
            ask(f"{scheme} {token}", dpop_proof(node, key, **fresh))  # type: ignore[arg-type]
    with pytest.raises(Unauthenticated):
        resume(node, token)
    unbound = sign_in(node, "dr.north", passphrase_of("dr.north")).token
    assert ask(f"Bearer {unbound}").actor.user == "dr.north"
    with pytest.raises(Unauthenticated):
        ask(f"DPoP {unbound}", dpop_proof(node, key, **(fresh | {"token": unbound})))  # type: ignore[arg-type]
    for rubbish in ("", "Bearer", "Bearer ", "DPoP", token, f"Bearer {token}, Bearer {token}"):
        with pytest.raises(Unauthenticated):
            ask(rubbish)


PROOFS: dict[str, dict[str, Any]] = {
    "another method": {"htm": "GET"},
    "another address": {"htu": "https://elsewhere.example/auth/token"},
    "no address": {"htu": None},
    "too old": {"iat": 1_000},
    "from the future": {"iat": 4_000_000_000},
    "no time": {"iat": None},
    "no number": {"jti": None},
    "endless number": {"jti": "j" * 300},
    "another type": {"header": {"typ": "JWT"}},
    "no key": {"header": {"jwk": None}},
    "key by reference": {"header": {"jwk": None, "jku": "https://elsewhere.example"}},
    "symmetric key": {"header": {"jwk": {"kty": "oct", "k": "AAAA"}}},
    "extension": {"header": {"crit": ["exp"], "exp": 1}},
}


@pytest.mark.parametrize("name", PROOFS)
def test_a_proof_that_does_not_hold_is_refused(name: str, asking: Asking, code: str) -> None:
    key = new_key("P-256")
    try:
        proof = dpop_proof(asking.node, key, **PROOFS[name])
    except Exception:  # what the library won't even write is written by hand
        proof = "a.b.c"
    refused("invalid_dpop_proof", redeem, asking, code, proof=proof)
    good = dpop_proof(asking.node, key)
    assert redeem(asking, code, proof=good)["token_type"] == "DPoP"


def test_a_proof_with_its_private_key_or_with_none_is_refused(asking: Asking, code: str) -> None:
    key = new_key("P-256")
    private = {n: v for n, v in key.as_dict(private=True).items() if n != "kid"}
    leaked = dpop_proof(asking.node, key, header={"jwk": private})
    head, payload, _ = dpop_proof(asking.node, key).split(".")
    for proof in (leaked, f"{head}.{payload}.", f"{leaked}, {leaked}", "x"):
        refused("invalid_dpop_proof", redeem, asking, code, proof=proof)


def test_a_proof_is_good_once_and_an_address_may_be_spelled_otherwise(
    asking: Asking, code: str
) -> None:
    key = new_key("P-256")
    url = asking.node.issuer.name.replace("http://", "HTTP://") + "/auth/token?x=1#y"
    proof = dpop_proof(asking.node, key, htu=url)
    refused("invalid_grant", redeem, asking, "wrong", proof=proof)
    refused("invalid_dpop_proof", redeem, asking, code, proof=proof)


def test_a_public_apps_refresh_token_is_its_keys(asking: Asking, code: str) -> None:
    node, key = asking.node, new_key("P-256")
    given = redeem(asking, code, proof=dpop_proof(node, key))
    token = given["refresh_token"]
    refused("invalid_grant", refresh, asking, token)
    refused("invalid_grant", refresh, asking, token, proof=dpop_proof(node, new_key("P-256")))
    again = refresh(asking, token, proof=dpop_proof(node, key))
    assert again["token_type"] == "DPoP"


def test_a_code_may_be_asked_for_by_a_key(asking: Asking, doctor: Session) -> None:
    key = new_key("P-256")
    request = authorize(asking, scope="user/*.rs", dpop_jkt=key.thumbprint())
    url = authorization.approve(asking.node, request.id, doctor, "user/*.rs")
    code = answer(url)["code"]
    refused("invalid_grant", redeem, asking, code)
    other = dpop_proof(asking.node, new_key("P-256"))
    refused("invalid_grant", redeem, asking, code, proof=other)
    assert redeem(asking, code, proof=dpop_proof(asking.node, key))


# Taking back, looking at -------------------------------------------------------------------------


def test_a_revoked_token_is_inactive_at_once(asking: Asking, code: str) -> None:
    node, given = asking.node, redeem(asking, code)

    def revoke(token: str | None, who: Asking = asking) -> None:
        token_status.revoke(node, call(who, {"token": token, "client_id": who.client.id}))

    revoke(given["access_token"])
    with pytest.raises(Unauthenticated):
        resume(node, given["access_token"])
    again = refresh(asking, given["refresh_token"])
    assert resume(node, again["access_token"])
    revoke(again["refresh_token"])
    with pytest.raises(Unauthenticated):
        resume(node, again["access_token"])
    refused("invalid_grant", refresh, asking, again["refresh_token"])
    for rubbish in ("x", "a.b.c", "é", "x" * 8_000, again["access_token"]):
        revoke(rubbish)
    refused("invalid_request", revoke, None)


def test_nobody_revokes_another_apps_token(asking: Asking, code: str, who: str) -> None:
    node, given = asking.node, redeem(asking, code)
    thief = register(node, f"thief-{who}")
    for token in (given["access_token"], given["refresh_token"]):
        request = call(thief, {"token": token, "client_id": thief.client.id})
        refused("unauthorized_client", token_status.revoke, node, request)
    assert resume(node, given["access_token"])


def test_introspection_tells_services_that_prove_themselves(
    network: Consortium, asking: Asking, code: str, backend: tuple[Asking, Any], clock: Clock
) -> None:
    node, given = asking.node, redeem(asking, code)
    server, key = backend

    def look(token: str | None) -> dict[str, Any]:
        proof = {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion(server, key),
        }
        return token_status.introspect(node, call(server, {"token": token, **proof}))

    found = look(given["access_token"])
    account = sign_in(network["north"].node, "dr.north", passphrase_of("dr.north")).actor.account
    assert found["active"] is True
    assert (found["client_id"], found["scope"]) == (asking.client.id, given["scope"])
    assert (found["patient"], found["sub"]) == (given["patient"], hexed(account))
    assert found["fhirUser"].endswith(f"/fhir/Practitioner/{account.hex()}")
    assert found["exp"] - found["iat"] == 300 and found["acr"] == "urn:simdes:acr:single"
    for other in (given["refresh_token"], given["id_token"], "x", "a.b.c"):
        assert look(other) == {"active": False}
    refused("invalid_request", look, None)
    public = call(asking, {"token": given["access_token"], "client_id": asking.client.id})
    refused("invalid_client", token_status.introspect, node, public)
    anybody = call(asking, {"token": given["access_token"]})
    refused("invalid_client", token_status.introspect, node, anybody)
    clock.ahead_seconds += 301
    assert look(given["access_token"]) == {"active": False}


def test_an_app_learns_nothing_of_another_apps_tokens(
    network: Consortium, asking: Asking, code: str, who: str
) -> None:
    node, token = asking.node, redeem(asking, code)["access_token"]
    other = register(node, f"rs-{who}", kind=Kind.CONFIDENTIAL)
    look = token_status.introspect(node, call(other, {"token": token, "client_id": None}))
    assert look == {"active": False}
    doctor = sign_in(network["north"].node, "dr.north", passphrase_of("dr.north"))
    own = redeem(other, allow(other, doctor, "user/*.rs"))["access_token"]
    look = token_status.introspect(node, call(other, {"token": own, "client_id": None}))
    assert look["active"] is True and look["client_id"] == other.client.id


def test_a_removed_app_and_a_withdrawn_grant_end_at_once(
    asking: Asking, code: str, doctor: Session
) -> None:
    given = redeem(asking, code)
    other = redeem(asking, allow(asking, doctor, "user/*.rs"))
    grant = resume(asking.node, given["access_token"]).actor.context.grant
    assert grant is not None
    authorization.end_grant(asking.node, doctor, grant)
    with pytest.raises(Unauthenticated):
        resume(asking.node, given["access_token"])
    assert resume(asking.node, other["access_token"])
    clients.remove(asking.node, None, asking.client.id)
    with pytest.raises(Unauthenticated):
        resume(asking.node, other["access_token"])


def test_tokens_of_one_organisation_are_refused_at_another(
    network: Consortium, asking: Asking, code: str, who: str
) -> None:
    given = redeem(asking, code)
    south = network["south"].node
    with pytest.raises(Unauthenticated):
        resume(south, given["access_token"])
    twin = register(south, asking.client.id)
    refused("invalid_grant", refresh, twin, given["refresh_token"])


def test_an_app_can_not_allow_another_app(asking: Asking, code: str) -> None:
    session = resume(asking.node, redeem(asking, code)["access_token"])
    request = authorize(asking, scope="user/*.rs")
    with pytest.raises(Forbidden):
        authorization.approve(asking.node, request.id, session, "user/*.rs")
    with pytest.raises(Forbidden):
        launches.launch(asking.node, session, asking.client.id)


def test_an_app_started_with_a_patient_open_gets_that_patient(
    network: Consortium, asking: Asking, doctor: Session, who: str
) -> None:
    node = asking.node
    vault, patient = a_patient(network, who)
    made = launches.launch(node, doctor, asking.client.id, patient=patient)
    request = authorize(asking, scope="launch patient/*.rs", launch=made.handle)
    described = authorization.describe(node, request.id)
    assert (described.vault, described.choose_patient) == (vault, False)
    admin = network.session("north", "admin")
    with pytest.raises(Forbidden):
        authorization.approve(node, request.id, admin, "launch patient/*.rs")
    url = authorization.approve(node, request.id, doctor, "launch patient/*.rs")
    given = redeem(asking, answer(url)["code"])
    assert (given["patient"], given["scope"]) == (patient, "launch patient/*.rs")
    with pytest.raises(OAuthRefusal):
        authorize(asking, scope="launch patient/*.rs", launch=made.handle)


ODD = ["zero", "letter", "surrogate", "endless"]


@pytest.mark.parametrize("odd", ["a\0b", "é", "\ud800", "x" * 5_000], ids=ODD)
def test_names_that_no_database_keeps_are_unknown(
    backend: tuple[Asking, Any], doctor: Session, odd: str
) -> None:
    one, key = backend
    public = register(one.node, f"{one.client.id}-odd")
    tries: list[Callable[[], object]] = [
        lambda: authorize(public, client_id=odd),
        lambda: redeem(public, "x", client_id=odd),
        lambda: redeem(public, odd),
        lambda: refresh(public, odd),
    ]
    if odd != "\ud800":  # which no JSON writer writes
        tries.append(lambda: credentials(one, assertion(one, key, iss=odd)))
    for attempt in tries:
        with pytest.raises(OAuthRefusal):
            attempt()
    for names in ({"client_id": odd}, {"client_id": one.client.id, "patient": odd}):
        with pytest.raises(NotFound):
            launches.launch(one.node, doctor, **names)
    for names in ({"patient": odd}, {"patient": "p", "encounter": odd}):
        with pytest.raises(NotFound):
            launches.launch(one.node, doctor, public.client.id, **names)


def test_a_launch_is_for_one_app_and_five_minutes(
    asking: Asking, doctor: Session, who: str, clock: Clock
) -> None:
    other = register(asking.node, f"other-{who}", launch_url="https://app.example/launch?x=1")
    made = launches.launch(asking.node, doctor, other.client.id)
    assert made.url.startswith("https://app.example/launch?x=1&iss=http")
    refused("invalid_request", authorize, asking, scope="launch", launch=made.handle)
    clock.ahead_seconds += 301
    refused("invalid_request", authorize, other, scope="launch", launch=made.handle)


def test_a_persons_own_token_is_narrowed_by_scopes(
    network: Consortium, who: str, clock: Clock
) -> None:
    node = network["north"].node
    whole = sign_in(node, "dr.north", passphrase_of("dr.north"))
    assert whole.actor.context.unrestricted
    narrow = sign_in(node, "dr.north", passphrase_of("dr.north"), scope="user/Observation.rs")
    assert narrow.actor.context.scope == "user/Observation.rs"
    assert not narrow.actor.context.unrestricted
    for scope in ("system/*.rs", "odd", "openid", "patient/*.rs", "user/*.rs odd"):
        with pytest.raises(Invalid):
            sign_in(node, "dr.north", passphrase_of("dr.north"), scope=scope)
    vault, patient = a_patient(network, who)
    network.settle("north")
    network.enrol(vault, f"pat-{who}")
    own = sign_in(node, f"pat-{who}", passphrase_of(f"pat-{who}"), scope="patient/*.rs")
    assert (own.actor.context.vault, own.actor.context.patient) == (vault, patient)
