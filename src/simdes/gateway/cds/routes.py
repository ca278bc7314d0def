"""``GET /cds-services``, ``POST /cds-services/<id>`` and ``POST /cds-services/<id>/feedback``.

Who asks is proven before anything of a body is taken. Nothing is fetched from anywhere, whatever a
call says of FHIR servers and tokens.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import anyio
from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from simdes.errors import SimdesError, TooLarge, Unauthenticated
from simdes.exchange import decision_support
from simdes.exchange.decision_support import CdsClient
from simdes.exchange.node import Node
from simdes.gateway.bodies import read_body
from simdes.gateway.cds import feedback
from simdes.gateway.cds.asked import read_call
from simdes.gateway.cds.cards import cards
from simdes.gateway.cds.services import PREFIX, SERVICES, Service, discovery
from simdes.gateway.limits import GatewayLimits
from simdes.gateway.problems import plain, refused
from simdes.gateway.smart.rates import RateLimit

Endpoint = Callable[[Request], Awaitable[Response]]
Answer = Callable[[bytes, str], dict[str, Any] | None]
_PUBLIC: Final = {"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"}


def cds_routes(node: Node, clients: Sequence[CdsClient], limits: GatewayLimits) -> list[Route]:
    """Every route; ``clients`` are the clinical systems that may call."""
    rate = RateLimit(limits.cds_per_minute)

    async def discover(_: Request) -> Response:
        return Response(json.dumps(discovery()), 200, _PUBLIC, "application/json")

    routes = [Route(PREFIX, discover, methods=["GET"])]
    for service in SERVICES:
        for path, answer in (
            (service.path, _cards(node, service)),
            (f"{service.path}/feedback", _feedback(service)),
        ):
            endpoint = _endpoint(node, clients, limits, rate, path, answer)
            routes.append(Route(path, endpoint, methods=["POST"]))
    return routes


def _cards(node: Node, service: Service) -> Answer:
    def answer(body: bytes, language: str) -> dict[str, Any]:
        today = datetime.fromtimestamp(node.now_seconds(), UTC).date()
        asked = read_call(service, body)
        return {"cards": cards(asked, today=today, language=language, random=node.random)}

    return answer


def _feedback(service: Service) -> Answer:
    return lambda body, _: feedback.take(service, body)


def _endpoint(
    node: Node,
    clients: Sequence[CdsClient],
    limits: GatewayLimits,
    rate: RateLimit,
    path: str,
    answer: Answer,
) -> Endpoint:
    def known(shown: str) -> None:
        client = decision_support.prove(node, clients, shown, path=path)
        if not rate.passes(client.issuer):
            raise TooLarge("Too many requests of this clinical system; wait a minute.")

    async def endpoint(request: Request) -> Response:
        declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if declared != "application/json":
            return plain(415)
        shown = ", ".join(request.headers.getlist("authorization"))
        language = request.headers.get("accept-language", "")
        try:
            await to_thread.run_sync(known, shown)
            with anyio.fail_after(limits.body_seconds):
                body = await read_body(request, limits.cds_body_bytes)
            if body is None:
                return plain(413)
            made = await to_thread.run_sync(answer, body, language)
        except TimeoutError:
            return plain(408)
        except ClientDisconnect:
            return plain(400)
        except SimdesError as error:
            return _refused(error)
        return Response(status_code=200) if made is None else _json(made)

    return endpoint


def _json(made: dict[str, Any]) -> Response:
    return Response(json.dumps(made, ensure_ascii=False), 200, media_type="application/json")


def _refused(error: SimdesError) -> Response:
    answer = refused(error)
    if isinstance(error, Unauthenticated):
        answer.headers["WWW-Authenticate"] = 'Bearer realm="cds-services"'
    return answer
