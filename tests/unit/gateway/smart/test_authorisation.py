"""docs/security/authorisation.md, the authorization server's part, carried out cell by cell."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette

from simdes.exchange.clients import Kind
from simdes.exchange.signin import sign_in
from support.consortium import Consortium, passphrase_of
from support.smart import Asking, allow, assertion, basic, new_key, public_set, redeem, register
from unit.gateway.asgi import send

PAGE = (Path(__file__).parents[4] / "docs/security/authorisation.md").read_text()


def section(heading: str) -> list[list[str]]:
    """The rows of the table below a heading, header first."""
    text = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]


MATRIX = section("The authorization server by caller")
CALLERS = MATRIX[0][1:]
VERBS = {row[0]: dict(zip(CALLERS, row[1:], strict=True)) for row in MATRIX[2:]}


class Callers:
    """One of each kind of caller, with a way to prove itself."""

    def __init__(self, network: Consortium, who: str) -> None:
        node = network["north"].node
        self.node = node
        self.key = new_key()
        self.person = sign_in(node, "dr.north", passphrase_of("dr.north"))
        self.apps: dict[str, Asking] = {
            "public app": register(node, f"public-{who}"),
            "confidential app": register(node, f"confidential-{who}", kind=Kind.CONFIDENTIAL),
            "backend service": register(
                node,
                f"backend-{who}",
                kind=Kind.BACKEND,
                scope="system/*.rs",
                redirects=(),
                keys=public_set(self.key),
            ),
        }

    def proof(self, caller: str) -> tuple[dict[str, str], dict[str, str]]:
        """Form fields and headers by which a caller says who it is."""
        app = self.apps.get(caller)
        if app is None:
            return {}, {}
        if caller == "public app":
            return {"client_id": app.client.id}, {}
        if caller == "confidential app":
            return {}, {"Authorization": basic(app.client.id, app.secret)}
        signed = assertion(app, self.key)
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        return {"client_assertion": signed, "client_assertion_type": kind}, {}

    def own_tokens(self, caller: str) -> dict[str, object]:
        """Tokens that the person allowed this caller, or the public app where it has none."""
        name = caller if caller in ("public app", "confidential app") else "public app"
        app = self.apps[name]
        return redeem(app, allow(app, self.person, "user/*.rs offline_access"))

    def code_of(self, caller: str) -> tuple[Asking, str]:
        """A code of this caller, or of the public app where it has none."""
        name = caller if caller in ("public app", "confidential app") else "public app"
        return self.apps[name], allow(self.apps[name], self.person, "user/*.rs")


def form_of(callers: Callers, verb: str, caller: str) -> dict[str, str]:
    """What a verb is asked with."""

    def by_code() -> dict[str, str]:
        app, code = callers.code_of(caller)
        return {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": app.client.redirect_uris[0],
            "code_verifier": app.verifier,
        }

    # A public app proves nothing but that it has its token, so nobody has the confidential app's.
    holds = "confidential app" if caller == "nobody" else caller
    forms: dict[str, Callable[[], dict[str, str]]] = {
        "authorization_code": by_code,
        "refresh_token": lambda: {
            "grant_type": "refresh_token",
            "refresh_token": str(callers.own_tokens(holds)["refresh_token"]),
        },
        "client_credentials": lambda: {"grant_type": "client_credentials", "scope": "system/*.rs"},
        "revoke": lambda: {"token": str(callers.own_tokens(caller)["access_token"])},
        "introspect": lambda: {"token": callers.person.token},
    }
    return forms[verb]()


def is_allowed(app: Starlette, callers: Callers, verb: str, caller: str) -> bool:
    """Whether a caller gets what it asks for."""
    if verb == "launch":
        return may_launch(app, callers, caller)
    if verb == "authorize":
        client = callers.apps.get(caller, callers.apps["public app"])
        asked = (
            Asking(client.node, client.client).parameters(
                redirect_uri="https://app.example/callback"
            )
            if client.client.redirect_uris
            else {**callers.apps["public app"].parameters(), "client_id": client.client.id}
        )
        if caller not in callers.apps:
            asked = asked | {"client_id": "nobody"}
        answered = send(app, "GET", f"/auth/authorize?{urlencode(asked)}")
        return answered.status_code == 303
    fields, headers = callers.proof(caller)
    if caller in ("person", "app's token"):
        headers = {"Authorization": f"Bearer {token_of(callers, caller)}"}
    path = "/auth/token" if verb not in ("revoke", "introspect") else f"/auth/{verb}"
    content = urlencode(form_of(callers, verb, caller) | fields).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answered = send(app, "POST", path, content=content, headers=form | headers)
    assert answered.status_code in (200, 400, 401)
    return answered.status_code == 200


def token_of(callers: Callers, caller: str) -> str:
    return (
        callers.person.token
        if caller == "person"
        else str(callers.own_tokens("public app")["access_token"])
    )


def may_launch(app: Starlette, callers: Callers, caller: str) -> bool:
    fields, headers = callers.proof(caller)
    body = {"client_id": callers.apps["public app"].client.id}
    if caller in ("person", "app's token"):
        headers = {"Authorization": f"Bearer {token_of(callers, caller)}"}
    elif caller == "backend service":
        form = form_of(callers, "client_credentials", caller) | fields
        token = send(
            app,
            "POST",
            "/auth/token",
            content=urlencode(form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        ).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
    answered = send(app, "POST", "/auth/launch", content=json.dumps(body).encode(), headers=headers)
    assert answered.status_code in (200, 401, 403)
    return answered.status_code == 200


@pytest.mark.parametrize("verb", VERBS)
def test_who_gets_what_is_what_the_page_says(
    app: Starlette, network: Consortium, who: str, verb: str
) -> None:
    callers = Callers(network, who)
    for caller in CALLERS:
        cell = VERBS[verb][caller]
        assert cell in ("yes", "no"), (verb, caller)
        assert is_allowed(app, callers, verb, caller) is (cell == "yes"), (verb, caller)


def test_every_grant_type_has_a_row() -> None:
    from simdes.exchange.token_requests import GRANT_TYPES

    assert set(VERBS) == {"authorize", *GRANT_TYPES, "revoke", "introspect", "launch"}
