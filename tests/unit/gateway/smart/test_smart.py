"""The authorization server over HTTP: found, asked, answered, abused."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from starlette.applications import Starlette

from simdes.errors import Unauthenticated
from simdes.exchange import authorization
from simdes.exchange.clients import Kind
from simdes.exchange.presenting import NoToken
from simdes.exchange.signin import resume, sign_in
from simdes.gateway.app import create_gateway
from simdes.gateway.limits import GatewayLimits
from simdes.gateway.smart import addresses, answers, discovery
from support.consortium import Consortium, passphrase_of
from support.pages import undrawn
from support.smart import (
    Asking,
    a_patient,
    allow,
    answer,
    assertion,
    basic,
    dpop_proof,
    new_key,
    public_set,
    register,
)
from unit.gateway.asgi import send

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def post(app: Starlette, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return send(app, "POST", path, content=urlencode(form).encode(), headers=FORM | named)


def is_refusal(response: httpx.Response, error: str, status: int = 400) -> None:
    """RFC 6749 §5.2, and nothing else."""
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert set(response.json()) == {"error", "error_description"}
    assert response.headers["cache-control"] == "no-store"
    for hidden in ("Traceback", ".py", "sqlite"):
        assert hidden not in response.text


@pytest.mark.parametrize("path", addresses.SMART_PATHS)
def test_apps_find_the_server(app: Starlette, network: Consortium, path: str) -> None:
    response = send(app, "GET", path, headers={"Origin": "https://anybody.example"})
    assert response.headers["content-type"] == "application/json"
    assert response.headers["access-control-allow-origin"] == "*"
    found, issuer = response.json(), network["north"].node.issuer.name
    assert found["issuer"] == issuer and "S256" in found["code_challenge_methods_supported"]
    assert "plain" not in found["code_challenge_methods_supported"]
    assert set(found["capabilities"]) >= {"launch-ehr", "launch-standalone", "permission-v2"}
    served = {f"{issuer}{route.path}" for route in app.routes}  # type: ignore[attr-defined]
    named = {value for name, value in found.items() if name.endswith(("_endpoint", "_uri"))}
    assert named and named <= served


def test_openid_discovery_leads_to_the_keys(app: Starlette, network: Consortium) -> None:
    found = send(app, "GET", "/.well-known/openid-configuration").json()
    issuer = network["north"].node.issuer.name
    keys = send(app, "GET", found["jwks_uri"].removeprefix(issuer)).json()
    [key] = keys["keys"]
    assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("EC", "P-256", "sig", "ES256")
    assert not {"d", "p", "q", "k"} & set(key)
    assert found["subject_types_supported"] == ["public"]
    metadata = send(app, "GET", "/.well-known/oauth-authorization-server").json()
    assert metadata["issuer"] == found["issuer"] == issuer
    assert discovery.server_metadata(issuer).items() <= found.items()


def test_a_whole_standalone_launch(
    app: Starlette, network: Consortium, asking: Asking, who: str
) -> None:
    node = network["north"].node
    vault, patient = a_patient(network, who)
    person = sign_in(node, "dr.north", passphrase_of("dr.north"))
    found = send(app, "GET", "/fhir/.well-known/smart-configuration").json()
    base = node.issuer.name
    scope = "launch/patient openid fhirUser offline_access patient/*.rs"
    query = urlencode(asking.parameters(scope=scope, nonce="n1", aud=f"{base}/fhir"))
    path = found["authorization_endpoint"].removeprefix(base)
    to_page = send(app, "GET", f"{path}?{query}")
    assert to_page.status_code == 303
    page = urlsplit(to_page.headers["location"])
    assert f"{page.scheme}://{page.netloc}" == base and page.path == addresses.APPROVAL_PAGE
    [request_id] = parse_qs(page.query)["request"]
    assert patient not in to_page.headers["location"]

    asked = authorization.describe(node, request_id, person)
    back = authorization.approve(node, request_id, person, asked.scopes, vault)
    given = answer(back)
    assert (given["state"], given["iss"]) == (asking.state, base)

    form = {
        "grant_type": "authorization_code",
        "code": given["code"],
        "redirect_uri": asking.client.redirect_uris[0],
        "code_verifier": asking.verifier,
        "client_id": asking.client.id,
    }
    token_path = found["token_endpoint"].removeprefix(base)
    response = post(app, token_path, form, Origin="https://app.example")
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "https://app.example"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["pragma"] == "no-cache"
    tokens = response.json()
    assert (tokens["patient"], tokens["token_type"]) == (patient, "Bearer")
    keys = KeySet.import_key_set(send(app, "GET", "/auth/jwks").json())
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["ES256"]).claims
    assert (claims["nonce"], claims["aud"]) == ("n1", asking.client.id)
    assert resume(node, tokens["access_token"]).actor.context.vault == vault

    is_refusal(post(app, token_path, form), "invalid_grant")
    with pytest.raises(Exception, match="not valid"):
        resume(node, tokens["access_token"])


def test_a_posted_request_goes_the_same_way(app: Starlette, asking: Asking) -> None:
    response = post(app, "/auth/authorize", asking.parameters())
    assert response.status_code == 303
    assert addresses.APPROVAL_PAGE in response.headers["location"]


def test_errors_go_back_to_the_app_or_stay_with_the_person(app: Starlette, asking: Asking) -> None:
    query = urlencode(asking.parameters(code_challenge_method="plain"))
    back = send(app, "GET", f"/auth/authorize?{query}")
    assert back.status_code == 303
    assert answer(back.headers["location"])["error"] == "invalid_request"
    for changes in ({"redirect_uri": "https://evil.example/"}, {"client_id": "nobody"}):
        query = urlencode(asking.parameters(**changes))  # type: ignore[arg-type]
        stays = send(app, "GET", f"/auth/authorize?{query}")
        assert stays.status_code == 400 and "location" not in stays.headers
        shown = undrawn(stays.text)
        assert "evil" not in shown and "nobody" not in shown


@pytest.mark.parametrize(
    "query",
    ["", "client_id=%FF", "client_id=%00", "&" * 200, "a=1&a=2", "client_id=" + "x" * 9_000],
    ids=["nothing", "no text", "zero", "ampersands", "twice", "endless"],
)
def test_rubbish_is_refused_politely(app: Starlette, query: str) -> None:
    response = send(app, "GET", f"/auth/authorize?{query}")
    assert response.status_code == 400
    for path in ("/auth/token", "/auth/revoke", "/auth/introspect"):
        answered = send(app, "POST", path, content=query.encode(), headers=FORM)
        assert answered.status_code in (400, 401)
        assert set(answered.json()) == {"error", "error_description"}


def test_only_forms_are_taken_and_small_ones(app: Starlette) -> None:
    for path in ("/auth/token", "/auth/revoke", "/auth/introspect"):
        json_body = send(
            app, "POST", path, content=b"{}", headers={"Content-Type": "application/json"}
        )
        is_refusal(json_body, "invalid_request")
        large = send(app, "POST", path, content=b"a=" + b"x" * 70_000, headers=FORM)
        assert large.status_code == 429
        assert send(app, "GET", path).status_code == 405


def test_an_unknown_app_is_told_how_to_prove_itself(app: Starlette, asking: Asking) -> None:
    form = {"grant_type": "authorization_code", "code": "x"}
    tried = post(app, "/auth/token", form, Authorization=basic(asking.client.id, "wrong"))
    is_refusal(tried, "invalid_client", 401)
    assert tried.headers["www-authenticate"].startswith("Basic ")
    is_refusal(post(app, "/auth/token", form | {"client_id": "nobody"}), "invalid_client", 401)


def test_a_backend_service_gets_its_token(app: Starlette, network: Consortium, who: str) -> None:
    key = new_key()
    one = register(
        network["north"].node,
        f"backend-{who}",
        kind=Kind.BACKEND,
        scope="system/*.rs",
        redirects=(),
        keys=public_set(key),
    )
    form = {
        "grant_type": "client_credentials",
        "scope": "system/*.rs",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion(one, key),
    }
    response = post(app, "/auth/token", form)
    assert response.json()["scope"] == "system/*.rs" and response.json()["expires_in"] == 300
    is_refusal(post(app, "/auth/token", form), "invalid_client", 401)


def test_revocation_and_introspection(app: Starlette, network: Consortium, asking: Asking) -> None:
    node = network["north"].node
    person = sign_in(node, "dr.north", passphrase_of("dr.north"))
    form = {
        "grant_type": "authorization_code",
        "code": allow(asking, person, "user/*.rs"),
        "redirect_uri": asking.client.redirect_uris[0],
        "code_verifier": asking.verifier,
        "client_id": asking.client.id,
    }
    token = post(app, "/auth/token", form).json()["access_token"]
    other = register(node, f"rs-{asking.client.id}", kind=Kind.CONFIDENTIAL)
    proof = basic(other.client.id, other.secret)
    look = post(app, "/auth/introspect", {"token": token}, Authorization=proof)
    assert look.json() == {"active": False}
    key = new_key()
    server = register(
        node,
        f"server-{asking.client.id}",
        kind=Kind.BACKEND,
        scope="system/*.rs",
        redirects=(),
        keys=public_set(key),
    )

    def proved() -> dict[str, str]:
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        proof = {"client_assertion_type": kind, "client_assertion": assertion(server, key)}
        return {"token": token, **proof}

    look = post(app, "/auth/introspect", proved())
    assert look.json()["active"] is True and look.headers["cache-control"] == "no-store"
    gone = post(app, "/auth/revoke", {"token": token, "client_id": asking.client.id})
    assert gone.status_code == 200
    look = post(app, "/auth/introspect", proved())
    assert look.json() == {"active": False}


def test_dpop_binds_over_http(app: Starlette, network: Consortium, asking: Asking) -> None:
    node = network["north"].node
    person = sign_in(node, "dr.north", passphrase_of("dr.north"))
    form = {
        "grant_type": "authorization_code",
        "code": allow(asking, person, "user/*.rs"),
        "redirect_uri": asking.client.redirect_uris[0],
        "code_verifier": asking.verifier,
        "client_id": asking.client.id,
    }
    is_refusal(post(app, "/auth/token", form, DPoP="x"), "invalid_dpop_proof")
    key = new_key("P-256")
    given = post(app, "/auth/token", form, DPoP=dpop_proof(node, key)).json()
    assert given["token_type"] == "DPoP"


# Starting an app ---------------------------------------------------------------------------------


def launch(app: Starlette, token: str, body: object) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return send(app, "POST", "/auth/launch", content=json.dumps(body).encode(), headers=headers)


def test_a_person_starts_an_app_with_a_patient_open(
    app: Starlette, network: Consortium, who: str
) -> None:
    node = network["north"].node
    _, patient = a_patient(network, who)
    one = register(node, f"launched-{who}", launch_url="https://app.example/launch")
    token = sign_in(node, "dr.north", passphrase_of("dr.north")).token
    made = launch(app, token, {"client_id": one.client.id, "patient": patient})
    assert made.status_code == 200
    url = urlsplit(made.json()["url"])
    query = parse_qs(url.query)
    assert query["iss"] == [f"{node.issuer.name}/fhir"]
    assert query["launch"] == [made.json()["launch"]]
    assert patient not in made.json()["url"]
    asked = one.parameters(scope="launch patient/*.rs", launch=made.json()["launch"])
    page = send(app, "GET", f"/auth/authorize?{urlencode(asked)}").headers["location"]
    assert addresses.APPROVAL_PAGE in page
    unknown = {"client_id": one.client.id, "patient": "nobody"}
    assert launch(app, token, unknown).status_code == 404
    elsewhere = {"client_id": one.client.id, "patient": patient, "encounter": "none"}
    assert launch(app, token, elsewhere).status_code == 404
    for bad in (
        [],
        {"client_id": 1},
        {"other": "x"},
        {"client_id": one.client.id, "encounter": "x"},
    ):
        assert launch(app, token, bad).status_code == 400
    for wrong in ("", "x", token[:-2]):
        refused = launch(app, wrong, {"client_id": one.client.id})
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer ")


# Browsers, limits --------------------------------------------------------------------------------


PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "dpop"}


@pytest.mark.parametrize("path", ["/auth/token", "/auth/revoke", "/fhir/Patient", "/fhir"])
def test_pages_of_registered_apps_may_call(app: Starlette, asking: Asking, path: str) -> None:
    known = send(app, "OPTIONS", path, headers=PREFLIGHT | {"Origin": "https://app.example"})
    assert known.status_code == 204
    assert known.headers["access-control-allow-origin"] == "https://app.example"
    assert "DPoP" in known.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in known.headers
    for origin in ("https://evil.example", "null", "https://app.example.evil.example"):
        other = send(app, "OPTIONS", path, headers=PREFLIGHT | {"Origin": origin})
        assert "access-control-allow-origin" not in other.headers
        plain = send(app, "GET", path, headers={"Origin": origin})
        assert "access-control-allow-origin" not in plain.headers


@pytest.mark.parametrize("path", ["/auth/authorize", "/auth/launch", "/auth/introspect"])
def test_no_page_may_call_what_is_not_for_pages(app: Starlette, asking: Asking, path: str) -> None:
    answered = send(app, "OPTIONS", path, headers=PREFLIGHT | {"Origin": "https://app.example"})
    assert "access-control-allow-origin" not in answered.headers


def test_an_address_that_calls_too_often_has_to_wait(network: Consortium, asking: Asking) -> None:
    limits = GatewayLimits(tokens_per_minute=3)
    app = create_gateway(network["north"].custody, limits, node=network["north"].node)
    statuses = [post(app, "/auth/token", {"grant_type": "x"}).status_code for _ in range(8)]
    assert statuses[:3] == [400] * 3 and 429 in statuses
    assert post(app, "/auth/token", {"grant_type": "x"}).headers.get("retry-after") == "60"
    assert send(app, "GET", "/auth/authorize").status_code == 400


def test_a_challenge_names_both_schemes_and_a_step_up_what_is_wanted() -> None:
    assert answers.challenge(NoToken("nothing here")) == (
        'Bearer realm="simdes", DPoP realm="simdes", algs="ES256 ES384 RS256 PS256"'
    )
    told = answers.challenge(Unauthenticated('odd "text" é'))
    assert 'error="invalid_token"' in told
    assert '"odd ?text? ?"' in told
    wanted = answers.step_up()
    assert 'error="insufficient_user_authentication"' in wanted
    assert 'acr_values="urn:simdes:acr:multiple"' in wanted
