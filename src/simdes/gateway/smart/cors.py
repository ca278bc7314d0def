"""Which web pages may call us from a browser (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol).

Pages of registered public apps may, at the token and FHIR routes; nobody's cookies are sent along.
What is public (discovery, keys) any page may read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simdes.budget import briefly
from simdes.gateway.smart import addresses

METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
REQUEST_HEADERS: Final = (
    "Accept, Authorization, Content-Type, DPoP, If-Match, If-Modified-Since, If-None-Exist, "
    "If-None-Match, Prefer, X-Correlation-Id, X-Purpose-Of-Use, X-Requested-With, X-Request-Id, "
    "X-Security-Context"
)
EXPOSED: Final = (
    "Content-Disposition, Content-Location, ETag, Last-Modified, Location, Retry-After, "
    "WWW-Authenticate, X-Request-Id, X-Security-Context"
)
_KEPT_SECONDS: Final = 10.0
_PATHS: Final = frozenset({addresses.TOKEN_PATH, addresses.REVOKE_PATH, addresses.FHIR})
_PUBLIC: Final = frozenset(
    {
        *addresses.SMART_PATHS,
        addresses.OPENID_PATH,
        addresses.METADATA_PATH,
        addresses.JWKS_PATH,
        f"{addresses.FHIR}/metadata",
    }
)


class Cors:
    """ASGI middleware: answers preflights, and says which page may read an answer."""

    def __init__(self, app: ASGIApp, *, origins: Callable[[], frozenset[str]]) -> None:
        self._app = app
        self._origins = origins
        self._known: frozenset[str] = frozenset()
        self._until = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; a preflight of a page that may call ends here."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers({})
        origin, path = headers.get("origin", ""), scope.get("path", "")
        if not origin or not _shared(path):
            await self._app(scope, receive, send)
            return
        allowed = "*" if path in _PUBLIC else origin if await self._may(origin) else ""
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _preflight(allowed)(scope, receive, send)
            return

        async def marking(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer.add_vary_header("Origin")
                if allowed:
                    answer["Access-Control-Allow-Origin"] = allowed
                    answer["Access-Control-Expose-Headers"] = EXPOSED
            await send(message)

        await self._app(scope, receive, marking)

    async def _may(self, origin: str) -> bool:
        if origin in self._known and time.monotonic() < self._until:
            return True
        if time.monotonic() >= self._until:
            self._known = await to_thread.run_sync(briefly, self._origins)
            self._until = time.monotonic() + _KEPT_SECONDS
        return origin in self._known


def _shared(path: str) -> bool:
    return path in _PATHS or path in _PUBLIC or path.startswith(f"{addresses.FHIR}/")


def _preflight(allowed: str) -> Response:
    headers = {"Vary": "Origin"}
    if allowed:
        headers |= {
            "Access-Control-Allow-Origin": allowed,
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": REQUEST_HEADERS,
            "Access-Control-Max-Age": "600",
        }
    return Response(status_code=204, headers=headers)
