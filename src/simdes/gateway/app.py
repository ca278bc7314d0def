"""The organisation's gateway over HTTP: custody API and health (paper: "gateway").

HTTP in, HTTP out: routes, limits, headers and status codes; every decision is `exchange`'s. The
routes are ``POST /custody/v1/<verb>`` with ``application/jose`` bodies (docs/formats/
custody-release.md), ``/healthz`` and ``/readyz``. Errors are FHIR ``OperationOutcome`` resources
that hold neither a stack nor anything about a patient.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.middleware import Middleware

from simdes.exchange.custody import CustodyDesk
from simdes.gateway.custody import custody_routes
from simdes.gateway.headers import SecurityHeaders
from simdes.gateway.health import health_routes
from simdes.gateway.problems import EXCEPTION_HANDLERS


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """How much a request may bring and how long its answer may take."""

    body_bytes: int = 1 << 20
    body_seconds: float = 15.0
    answer_seconds: float = 30.0


def create_gateway(custody: CustodyDesk, limits: GatewayLimits = GatewayLimits()) -> Starlette:
    """The ASGI application of one organisation. Handlers run in Starlette's thread pool."""
    return Starlette(
        routes=[*custody_routes(custody, limits), *health_routes(custody)],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers=EXCEPTION_HANDLERS,
    )
