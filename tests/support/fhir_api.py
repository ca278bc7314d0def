"""A FHIR client for tests: one person of one organisation, talking HTTP to its gateway.

The application is the real one, called without a socket; tokens are real and minted anew where a
test lets minutes pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
from starlette.applications import Starlette

from simdes.access.app_context import Context
from simdes.access.tokens import MAX_VALID_SECONDS, mint_agent
from simdes.app import Opened
from simdes.exchange.signin import sign_in
from simdes.gateway.app import create_gateway
from support.consortium import passphrase_of

JSON = "application/fhir+json"
Json = dict[str, Any]


def application(one: Opened) -> Starlette:
    """The gateway of an opened organisation."""
    return create_gateway(one.custody, node=one.node)


@dataclass(slots=True)
class Api:
    """Requests in one person's name; paths are below ``/fhir/``.

    ``renew`` gets a new token once the time of the present one is over: nobody works for longer
    than five minutes with one, and a test may let them pass. None: this token and no other.
    """

    one: Opened
    user: str
    app: Starlette
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    renew: Callable[[], str] | None = None
    until: float = 0.0

    @classmethod
    def of(cls, one: Opened, user: str, *, app: Starlette | None = None, scope: str = "") -> Api:
        """Sign a user of the consortium in."""

        def renew() -> str:
            return sign_in(one.node, user, passphrase_of(user), scope=scope).token

        return cls(one, user, app or application(one), renew=renew).renewed()

    @classmethod
    def of_agent(cls, one: Opened, app: Starlette, *, scope: str = "system/*.cruds") -> Api:
        """A backend service of the organisation."""
        node = one.node
        standing = node.contracts.accounts.standing(node.desk.keystore.lanes[0].address)
        assert standing is not None
        account, context = standing.account, Context(client="backend", scope=scope)

        def renew() -> str:
            return mint_agent(node.issuer, account, context=context)

        return cls(one, "", app, renew=renew).renewed()

    def renewed(self) -> Api:
        """The same with a token whose time is not over."""
        now = self.one.node.now_seconds()
        if self.renew is not None and now >= self.until:
            self.token, self.until = self.renew(), now + MAX_VALID_SECONDS - 5
        return self

    def send(
        self,
        method: str,
        path: str,
        resource: Mapping[str, Any] | None = None,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One request."""
        sent = (
            {"authorization": f"Bearer {self.renewed().token}"} | self.headers | dict(headers or {})
        )
        if resource is not None:
            content = json.dumps(resource).encode()
            sent.setdefault("content-type", JSON)
        return request(self.app, method, f"/fhir/{path}", content=content, headers=sent)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """A GET."""
        return self.send("GET", path, headers=headers)

    def create(self, resource: Mapping[str, Any]) -> Json:
        """Create a resource; what the server made of it."""
        answer = self.send("POST", str(resource["resourceType"]), resource)
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made

    def update(self, resource: Mapping[str, Any]) -> Json:
        """Update a resource; what the server made of it."""
        answer = self.send("PUT", f"{resource['resourceType']}/{resource['id']}", resource)
        assert answer.status_code == 200, answer.text
        made: Json = answer.json()
        return made

    def found(self, path: str) -> list[Json]:
        """The matches of a search, all pages."""
        found: list[Json] = []
        while path:
            answer = self.get(path)
            assert answer.status_code == 200, answer.text
            bundle = answer.json()
            found += [
                one["resource"]
                for one in bundle.get("entry", ())
                if one["search"]["mode"] == "match"
            ]
            after = [one["url"] for one in bundle["link"] if one["relation"] == "next"]
            path = after[0].partition("/fhir/")[2] if after else ""
        return found


def request(
    app: Starlette,
    method: str,
    path: str,
    *,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """One request to an application, read to its end."""

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.request(method, path, content=content, headers=dict(headers or {}))

    return anyio.run(run)
