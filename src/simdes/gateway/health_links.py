"""What a SMART Health Link's address answers: a manifest, a file.

https://hl7.org/fhir/uv/smart-health-cards-and-links/STU1/links-specification.html. Whoever has the
link asks without signing in, also from a page elsewhere (CORS). An address that leads nowhere says
404, whatever it was; a wrong passcode 401 with how many tries are left.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Final

import anyio
import msgspec
from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from simdes.budget import briefly
from simdes.decoding import ready
from simdes.errors import Invalid, SimdesError
from simdes.exchange import health_links
from simdes.exchange.health_links import CONTENT_TYPE, PREFIX, File, WrongPasscode
from simdes.exchange.node import Node
from simdes.exchange.provenance import instant
from simdes.gateway.bodies import read_body
from simdes.gateway.problems import plain, refused

MANIFEST: Final = f"{PREFIX}/{{secret}}"
FILE: Final = f"{PREFIX}/file/{{ticket}}"
BODY_BYTES: Final = 4096
BODY_SECONDS: Final = 10.0
AT_ONCE: Final = 4
_OPEN: Final = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest request. Members that are not known are left alone, as the specification says."""

    recipient: str
    passcode: Annotated[str, msgspec.Meta(max_length=200)] = ""
    embedded_length_max: Annotated[int, msgspec.Meta(ge=0)] | None = msgspec.field(
        default=None, name="embeddedLengthMax"
    )


def health_link_routes(node: Node) -> list[Route]:
    """Manifest and file, with their preflights."""
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def manifest(request: Request) -> Response:
        body = await _body(request)
        if isinstance(body, Response):
            return body
        return await _answered(lambda: _manifest(node, request, body), limiter)

    async def direct(request: Request) -> Response:
        return await _answered(lambda: _direct(node, request), limiter)

    async def file(request: Request) -> Response:
        ticket = request.path_params["ticket"]
        return await _answered(lambda: _jose(health_links.file(node, ticket)), limiter)

    return [
        Route(FILE, file, methods=["GET"]),
        Route(FILE, _preflight, methods=["OPTIONS"]),
        Route(MANIFEST, manifest, methods=["POST"]),
        Route(MANIFEST, direct, methods=["GET"]),
        Route(MANIFEST, _preflight, methods=["OPTIONS"]),
    ]


async def _body(request: Request) -> bytes | Response:
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "application/json":
        return _shared(plain(415))
    try:
        with anyio.fail_after(BODY_SECONDS):
            body = await read_body(request, BODY_BYTES)
    except TimeoutError:
        return _shared(plain(408))
    except ClientDisconnect:
        return plain(400)
    return _shared(plain(413)) if body is None else body


async def _answered(answer: Callable[[], Response], limiter: anyio.CapacityLimiter) -> Response:
    def run() -> Response:
        try:
            return answer()
        except WrongPasscode as error:
            told = json.dumps({"remainingAttempts": error.left}).encode()
            return Response(told, 401, media_type="application/json")
        except SimdesError as error:
            return refused(error)

    return _shared(await to_thread.run_sync(briefly, run, limiter=limiter))


def _manifest(node: Node, request: Request, body: bytes) -> Response:
    try:
        asked = msgspec.json.decode(body, type=ready(Asked))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("Send a JSON object with a recipient.") from None
    found = health_links.manifest(
        node, request.path_params["secret"], recipient=asked.recipient, passcode=asked.passcode
    )
    return Response(
        json.dumps({"files": [_file(node, found, asked.embedded_length_max)]}).encode(),
        media_type="application/json",
    )


def _file(node: Node, found: File, most: int | None) -> dict[str, str]:
    """The file, embedded where the caller asked for that and it is short enough."""
    said = {"contentType": CONTENT_TYPE, "lastUpdated": instant(found.changed_ms)}
    if most is not None and len(found.jwe) <= most:
        return said | {"embedded": found.jwe}
    return said | {"location": f"{node.issuer.name}{PREFIX}/file/{found.ticket}"}


def _direct(node: Node, request: Request) -> Response:
    recipient = request.query_params.get("recipient", "")
    return _jose(health_links.direct(node, request.path_params["secret"], recipient=recipient))


def _jose(content: str) -> Response:
    return Response(content, media_type="application/jose")


def _shared(response: Response) -> Response:
    response.headers.update(_OPEN)
    return response


async def _preflight(_: Request) -> Response:
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
            "Access-Control-Allow-Headers": "Content-Type",
            "Access-Control-Max-Age": "600",
        },
    )
