"""The organisation's gateway over HTTP: custody API and health (paper: "gateway").

HTTP in, HTTP out: routes, limits, headers and status codes; every decision is `exchange`'s. The
routes are ``POST /custody/v1/<verb>`` with ``application/jose`` bodies (docs/formats/
custody-release.md), ``/healthz`` and ``/readyz``. Errors are FHIR ``OperationOutcome`` resources
that hold neither a stack nor anything about a patient.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware

from simdes.exchange.custody import CustodyDesk
from simdes.gateway.custody import custody_routes
from simdes.gateway.headers import SecurityHeaders
from simdes.gateway.health import health_routes
from simdes.gateway.limits import LIMITS, GatewayLimits
from simdes.gateway.problems import EXCEPTION_HANDLERS


def create_gateway(custody: CustodyDesk, limits: GatewayLimits = LIMITS) -> Starlette:
    """The ASGI application of one organisation. Handlers run in Starlette's thread pool."""
    return Starlette(
        routes=[*custody_routes(custody, limits), *health_routes(custody)],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers=EXCEPTION_HANDLERS,
    )
