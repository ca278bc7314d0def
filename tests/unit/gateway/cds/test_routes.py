"""The services over HTTP: who may call, what a call may bring, and that nothing is fetched."""

from __future__ import annotations

import json
import secrets
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.applications import Starlette

from simdes.exchange.decision_support import CdsClient, read_clients
from simdes.exchange.node import Node
from simdes.exchange.operations import Operations
from simdes.gateway.app import Running, create_gateway
from simdes.gateway.cds.services import SERVICES, discovery
from simdes.gateway.limits import GatewayLimits
from support.consortium import Consortium
from support.smart import new_key, public_set
from unit.gateway.asgi import send
from unit.gateway.cds.test_cards import ALLERGY, EXAMPLES, bundle, call

ISSUER = "https://ehr.example/"
PATH = SERVICES[0].path
KEY = new_key()


def client(key: ECKey = KEY, issuer: str = ISSUER) -> CdsClient:
    return CdsClient(issuer, "Example EHR", public_set(key))


def gateway(
    network: Consortium, *clients: CdsClient, limits: GatewayLimits | None = None
) -> Starlette:
    north = network["north"]
    running = Running(
        operations=Operations(north.custody),
        cds_clients=clients or (client(),),
        random=north.node.random,
    )
    return create_gateway(
        north.custody, limits or GatewayLimits(), running=running, node=north.node
    )


def token(
    node: Node,
    key: ECKey = KEY,
    *,
    path: str = PATH,
    header: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    now = node.now_seconds()
    claims = {
        "iss": ISSUER,
        "aud": node.issuer.name + path,
        "exp": now + 240,
        "iat": now,
        "jti": secrets.token_hex(16),
    } | changes
    head = {"alg": "ES384", "typ": "JWT", "kid": key.kid} | (header or {})
    said = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(
        {k: v for k, v in head.items() if v is not None}, said, key, algorithms=["ES384"]
    )


def post(
    app: Starlette, shown: str, body: Any = None, *, path: str = PATH, **headers: str
) -> httpx.Response:
    content = (
        body if isinstance(body, bytes) else json.dumps(call() if body is None else body).encode()
    )
    usual = {"Authorization": f"Bearer {shown}", "Content-Type": "application/json"}
    return send(app, "POST", path, content=content, headers=usual | headers)


def test_anybody_may_discover_from_anywhere(network: Consortium) -> None:
    answer = send(gateway(network), "GET", "/cds-services")
    assert answer.json() == discovery()
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("service", SERVICES, ids=lambda one: one.id)
def test_a_clinical_system_on_the_list_gets_cards(network: Consortium, service: Any) -> None:
    shown = token(network["north"].node, path=service.path)
    asked = call(service.hook, prefetch={"allergies": bundle(ALLERGY)})
    answer = post(gateway(network), shown, asked, path=service.path, **{"Accept-Language": "fr"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["cards"][0]["summary"].startswith("Allergie au dossier")


def test_feedback_is_taken_with_a_token_for_its_own_address(network: Consortium) -> None:
    app, node, path = gateway(network), network["north"].node, f"{PATH}/feedback"
    body = {"feedback": EXAMPLES["feedback"]}
    assert post(app, token(node), body, path=path).status_code == 401
    answer = post(app, token(node, path=path), body, path=path)
    assert (answer.status_code, answer.content) == (200, b"")


BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://other.example/"},
    "another address": {"aud": "https://other.example/cds-services/simdes-order-sign"},
    "several addresses": {"aud": ["https://other.example", "x"]},
    "expired": {"exp": 1},
    "for a year": {"exp": 4_000_000_000},
    "from tomorrow": {"iat": 4_000_000_000},
    "not yet": {"nbf": 4_000_000_000},
    "no nonce": {"jti": None},
    "no time": {"iat": None},
    "no end": {"exp": None},
}


@pytest.mark.parametrize("case", BAD_CLAIMS)
def test_a_token_that_says_something_else_is_refused(network: Consortium, case: str) -> None:
    answer = post(gateway(network), token(network["north"].node, **BAD_CLAIMS[case]))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_token_of_another_key_kind_or_shape_is_refused(network: Consortium) -> None:
    app, node = gateway(network), network["north"].node
    stranger = ECKey.generate_key("P-384", {"kid": KEY.kid}, private=True)
    for shown in (
        "",
        "x.y.z",
        token(node, stranger),
        token(node, header={"typ": "at+jwt"}),
        token(node, header={"kid": "another"}),
        token(node, header={"kid": None}),
        token(node).rsplit(".", 1)[0] + ".",
    ):
        assert post(app, shown).status_code == 401, shown
    answer = post(app, token(node), Authorization="Basic eDp5")
    assert answer.status_code == 401


def test_a_token_is_good_once(network: Consortium) -> None:
    app, shown = gateway(network), token(network["north"].node)
    assert post(app, shown).status_code == 200
    again = post(app, shown)
    assert again.status_code == 401
    assert "before" in again.text


def test_without_a_list_nobody_calls(network: Consortium) -> None:
    app = create_gateway(network["north"].custody, node=network["north"].node)
    assert post(app, token(network["north"].node)).status_code == 401


def test_keys_are_fetched_from_the_operators_address_and_from_no_other(network: Consortium) -> None:
    """``jku`` is compared, never followed: no request goes where a token says."""
    asked: list[str] = []

    class Keys:
        def fetch(self, url: str, *, anew: bool = False) -> str:
            asked.append(url)
            return public_set(KEY)

    from simdes.access import cds_clients
    from simdes.errors import Unauthenticated

    node = network["north"].node
    listed = CdsClient(ISSUER, "EHR", None, "https://ehr.example/jwks")
    how: dict[str, Any] = {"audience": node.issuer.name + PATH, "now_seconds": node.now_seconds()}
    for jku in ("http://169.254.169.254/", "https://ehr.example/jwks2"):
        with pytest.raises(Unauthenticated):
            cds_clients.prove(token(node, header={"jku": jku}), [listed], Keys(), **how)
    assert asked == []
    shown = token(node, header={"jku": "https://ehr.example/jwks"})
    assert cds_clients.prove(shown, [listed], Keys(), **how)[0] is listed
    assert set(asked) == {"https://ehr.example/jwks"}


def test_a_server_and_a_token_in_a_call_are_left_alone(
    network: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr("socket.socket.connect", refuse)
    asked = call() | {
        "fhirServer": "http://169.254.169.254/latest/meta-data",
        "fhirAuthorization": {
            "access_token": "secret-token",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "patient/*.read",
            "subject": "cds",
        },
    }
    answer = post(gateway(network), token(network["north"].node), asked)
    assert answer.status_code == 200
    assert "secret-token" not in answer.text
    assert "169.254" not in answer.text


def test_what_was_not_sent_is_412_and_what_is_wrong_400(network: Consortium) -> None:
    app, node = gateway(network), network["north"].node
    assert post(app, token(node), call() | {"prefetch": {}}).status_code == 412
    answer = post(app, token(node), call() | {"hook": "order-dispatch"})
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert post(app, token(node), b"{").status_code == 400


def test_limits_hold(network: Consortium) -> None:
    node = network["north"].node
    app = gateway(network, limits=GatewayLimits(cds_body_bytes=1000))
    assert post(app, token(node)).status_code == 413
    assert post(app, token(node), b"x", **{"Content-Type": "text/plain"}).status_code == 415
    headers = {"Authorization": f"Bearer {token(node)}", "Content-Type": "application/json"}
    app = gateway(network, limits=GatewayLimits(body_seconds=0.2))
    slow = send(app, "POST", PATH, content=[b"{", 1.0, b"}"], headers=headers)
    assert slow.status_code == 408
    rare = gateway(network, limits=GatewayLimits(cds_per_minute=1))
    said = [post(rare, token(node)) for _ in range(3)]  # a minute may end between two of them
    assert said[0].status_code == 200
    late = next(one for one in said if one.status_code != 200)
    assert (late.status_code, late.headers["retry-after"]) == (429, "60")


def test_nothing_of_a_body_is_read_before_who_asks_is_known(network: Consortium) -> None:
    def body() -> Any:
        raise AssertionError("the body was read")
        yield b""

    headers = {"Authorization": "Bearer x.y.z", "Content-Type": "application/json"}
    assert send(gateway(network), "POST", PATH, content=body(), headers=headers).status_code == 401


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_methods_are_refused(network: Consortium, method: str) -> None:
    assert send(gateway(network), method, PATH).status_code == 405


def test_the_published_token_is_verified_with_the_published_key() -> None:
    from simdes.access import cds_clients

    example = EXAMPLES["token"]
    [listed] = read_clients(
        json.dumps([{"issuer": example["issuer"], "name": "EHR", "jwks": example["jwks"]}])
    )

    class NoKeys:
        def fetch(self, url: str, *, anew: bool = False) -> str:
            raise AssertionError("something was fetched")

    found, proof = cds_clients.prove(
        example["jwt"],
        [listed],
        NoKeys(),
        audience=example["audience"],
        now_seconds=example["exp"] - 60,
    )
    assert found.issuer == example["issuer"]
    assert proof.expires_ms == example["exp"] * 1000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '[{"issuer": "x"}]',
        '[{"issuer": "x", "name": "y"}]',
        '[{"issuer": "x", "name": "y", "jwks_url": "http://ehr.example/keys"}]',
        '[{"issuer": "x", "name": "y", "jwks": {"keys": []}}]',
        '[{"issuer": "x", "name": "y", "jwks": {"keys": [{"kty": "oct", "k": "YQ"}]}}]',
        '[{"issuer": "", "name": "y", "jwks_url": "https://ehr.example/keys"}]',
        '[{"issuer": "x", "name": "y", "jwks_url": "https://e/k", "secret": "z"}]',
        '[{"issuer": "x", "name": "y", "jwks_url": "https://e/k"},'
        ' {"issuer": "x", "name": "z", "jwks_url": "https://e/k"}]',
    ],
)
def test_a_list_that_can_not_be_is_refused_when_the_gateway_starts(text: str) -> None:
    from simdes.errors import Invalid

    with pytest.raises(Invalid):
        read_clients(text)
