"""``POST /custody/v1/<verb>``: a signed question in, a signed answer out.

Who asks is proven by the message itself, so there is no session, cookie or token here. The body is
read up to a limit and within a time; the verb runs in a worker thread.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from simdes.budget import briefly
from simdes.errors import SimdesError
from simdes.exchange.custody import METHODS, CustodyDesk
from simdes.gateway.bodies import read_body
from simdes.gateway.limits import GatewayLimits
from simdes.gateway.observing import identify
from simdes.gateway.problems import plain, refused

PREFIX: Final = "/custody/v1"
MEDIA_TYPE: Final = "application/jose"


def custody_routes(custody: CustodyDesk, limits: GatewayLimits) -> list[Route]:
    """One POST route for each verb."""
    return [
        Route(f"{PREFIX}/{method}", _endpoint(custody, method, limits), methods=["POST"])
        for method in METHODS
    ]


def _endpoint(
    custody: CustodyDesk, method: str, limits: GatewayLimits
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if declared != MEDIA_TYPE:
            return plain(415)
        try:
            with anyio.fail_after(limits.body_seconds):
                body = await read_body(request, limits.body_bytes)
        except TimeoutError:
            return plain(408)
        except ClientDisconnect:
            return plain(400)
        if body is None:
            return plain(413)
        heard = functools.partial(identify, request.scope)
        asked = functools.partial(briefly, custody.answer, method, body, heard=heard)
        return await _answer(asked, limits.answer_seconds)

    return endpoint


async def _answer(asked: Callable[[], bytes], answer_seconds: float) -> Response:
    try:
        with anyio.fail_after(answer_seconds):
            answer = await to_thread.run_sync(asked, abandon_on_cancel=True)
    except TimeoutError:
        return plain(503)
    except SimdesError as error:
        return refused(error)
    return Response(answer, media_type=MEDIA_TYPE)
