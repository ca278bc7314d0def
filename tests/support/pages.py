"""A browser without a window: keeps cookies, reads a form's token, sends forms as browsers do."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
from starlette.applications import Starlette

from support.consortium import passphrase_of

ORIGIN = "http://127.0.0.1"


def undrawn(text: str) -> str:
    """A text without its tokens and ids: among their drawn digits a short word stands by chance."""
    return re.sub(r"[A-Za-z0-9_-]{32,}", "", text)


@dataclass(slots=True)
class Visitor:
    """One browser at one gateway."""

    app: Starlette
    origin: str = ORIGIN
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        transport = httpx.ASGITransport(
            self.app, client=("127.0.0.1", 50_000), raise_app_exceptions=False
        )
        self.client = httpx.AsyncClient(transport=transport, base_url=self.origin)

    def plant(self, name: str, value: str) -> None:
        """Put a cookie into the browser."""
        self.client.cookies.set(f"simdes-{name}", value, domain="127.0.0.1", path="/")

    def send(self, method: str, path: str, **others: Any) -> httpx.Response:
        """One request; redirects are left to the test."""

        async def run() -> httpx.Response:
            return await self.client.request(method, path, **others)

        return anyio.run(run)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Load a page."""
        return self.send("GET", path, headers=headers)

    def token(self, path: str = "/sign-in") -> str:
        """The token of the forms on a page."""
        text = self.get(path).text
        found = re.search(r'name="token" value="([^"]+)"', text)
        assert found, text
        return html.unescape(found.group(1))

    def post(
        self, path: str, fields: dict[str, str], *, token: str | None = None, **headers: str
    ) -> httpx.Response:
        """Send a form with the token of this browser, or another."""
        given = self.token("/sign-in/second") if token is None and self._half() else token
        given = self._own_token() if given is None else given
        return self.send("POST", path, data=fields | {"token": given}, headers=headers)

    def sign_in(self, user: str, passphrase: str = "", **fields: str) -> httpx.Response:
        """Send the sign-in form."""
        given = {"user": user, "passphrase": passphrase or passphrase_of(user)} | fields
        return self.post("/sign-in", given)

    def cookie(self, name: str) -> str:
        """A cookie of the gateway."""
        return str(self.client.cookies.get(f"simdes-{name}", ""))

    def _half(self) -> bool:
        return bool(self.cookie("session")) and self.get("/account").headers.get(
            "location", ""
        ).startswith("/sign-in/second")

    def _own_token(self) -> str:
        signed_in = self.get("/account").status_code == 200
        return self.token("/account" if signed_in else "/sign-in")
