"""The organisation's gateway over HTTP: custody API, health, figures, pages (paper: "gateway").

HTTP in, HTTP out: routes, limits, headers and status codes; every decision is `exchange`'s. The
routes are ``POST /custody/v1/<verb>`` with ``application/jose`` bodies (docs/formats/
custody-release.md), ``/healthz``, ``/readyz``, ``/metrics``, ``/facade/notify``,
``/cds-services``, the authorization server (`gateway.smart`) and the pages for people
(`gateway.pages`). Errors are FHIR
``OperationOutcome`` resources, on pages pages, that hold neither a stack nor anything about a
patient.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ExceptionHandler

from simdes.exchange import clients
from simdes.exchange.custody import CustodyDesk
from simdes.exchange.decision_support import CdsClient
from simdes.exchange.node import Node
from simdes.exchange.operations import Operations
from simdes.gateway.cds.routes import cds_routes
from simdes.gateway.custody import custody_routes
from simdes.gateway.facade import Notified, facade_route
from simdes.gateway.fhir.capability import Statement
from simdes.gateway.fhir.server import PREFIX, fhir_routes
from simdes.gateway.fhir.websocket import websocket_route
from simdes.gateway.headers import SecurityHeaders
from simdes.gateway.health import health_routes
from simdes.gateway.health_links import health_link_routes
from simdes.gateway.limits import LIMITS, GatewayLimits
from simdes.gateway.metrics import Meter, metrics_route
from simdes.gateway.observing import Observing
from simdes.gateway.openapi import openapi_route
from simdes.gateway.pages.places import missing_page, page_routes, trouble_page
from simdes.gateway.problems import EXCEPTION_HANDLERS
from simdes.gateway.shared_metrics import SharedMeter
from simdes.gateway.smart.cors import Cors
from simdes.gateway.smart.routes import smart_routes
from simdes.gateway.stopping import Stopping


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What goes with running a gateway, beside what it answers.

    ``metrics_token`` is the operators' for ``/metrics``; "" leaves that to this machine alone.
    ``notified`` is what a FHIR server that we read may set off; None where there is none.
    ``processes`` is how many of them answer on one port together. ``cds_clients`` are the clinical
    systems that may ask for decision support.
    """

    operations: Operations
    stopping: Stopping = field(default_factory=Stopping)
    metrics_token: str = field(default="", repr=False)
    random: Callable[[int], bytes] = secrets.token_bytes
    notified: Notified | None = None
    processes: int = 1
    cds_clients: tuple[CdsClient, ...] = ()


def create_gateway(
    custody: CustodyDesk,
    limits: GatewayLimits = LIMITS,
    *,
    running: Running | None = None,
    node: Node | None = None,
) -> Starlette:
    """The ASGI application of one organisation. Handlers run in Starlette's thread pool.

    Without ``node`` it is a custodian alone, which nobody signs in to.
    """
    running = running or Running(operations=Operations(custody))
    kind = Meter if running.processes == 1 else SharedMeter
    meter = kind(running.operations, running.stopping)
    smart = smart_routes(node, limits, trouble_page(node)) if node is not None else []
    app = Starlette(
        routes=[
            # Below FHIR's address, which takes all that is left there.
            *(one for one in smart if one.path.startswith(PREFIX)),
            # What is asked most comes first: routes are tried one by one.
            *(_fhir(node, limits) if node is not None else ()),
            *custody_routes(custody, limits),
            *health_routes(running.operations, running.stopping),
            metrics_route(meter, running.metrics_token),
            facade_route(running.notified),
            *(cds_routes(node, running.cds_clients, limits) if node is not None else ()),
            *(health_link_routes(node) if node is not None else ()),
            *(page_routes(node) if node is not None else ()),
            *(one for one in smart if not one.path.startswith(PREFIX)),
        ],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(Observing, meter=meter, stopping=running.stopping, random=running.random),
            Middleware(Cors, origins=lambda: clients.origins(node) if node else frozenset()),
        ],
        exception_handlers=_handlers(node),
    )
    # Such a redirect would go to wherever the Host header says.
    app.router.redirect_slashes = False
    return app


def _fhir(node: Node, limits: GatewayLimits) -> list[BaseRoute]:
    public = {"metadata": Statement(node).answer}
    return [
        openapi_route(lambda: node.issuer.name),
        websocket_route(node, limits, PREFIX),
        *fhir_routes(node, limits, public),
    ]


def _handlers(node: Node | None) -> Mapping[Any, ExceptionHandler]:
    if node is None:
        return EXCEPTION_HANDLERS
    missing = missing_page(node, EXCEPTION_HANDLERS[HTTPException])
    return {**EXCEPTION_HANDLERS, HTTPException: missing}
