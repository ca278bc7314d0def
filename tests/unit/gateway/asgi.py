"""Talk HTTP to an ASGI application without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import anyio
import httpx
from starlette.applications import Starlette


def send(
    app: Starlette,
    method: str,
    path: str,
    *,
    content: bytes | Iterable[bytes | float] | None = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """One request, read to its end. A number among the pieces of `content` is a pause."""

    async def pieces() -> AsyncIterator[bytes]:
        for piece in content or ():
            if isinstance(piece, float):
                await anyio.sleep(piece)
            else:
                yield piece  # type: ignore[misc]

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            body = content if isinstance(content, bytes) or content is None else pieces()
            return await client.request(method, path, content=body, headers=headers)

    return anyio.run(run)


class AsgiTransport(httpx.BaseTransport):
    """Lets a synchronous client talk to applications by host name."""

    def __init__(self, apps: dict[str, Starlette]) -> None:
        self._apps = apps

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        app = self._apps.get(request.url.host)
        if app is None:
            raise httpx.ConnectError("nobody answers there", request=request)
        answer = send(
            app,
            request.method,
            request.url.path,
            content=request.read(),
            headers=dict(request.headers),
        )
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
