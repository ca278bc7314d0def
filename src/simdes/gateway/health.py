"""``/healthz``: the program runs. ``/readyz``: it can do its work now."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simdes.exchange.operations import Operations
from simdes.gateway.stopping import Stage, Stopping


def health_routes(operations: Operations, stopping: Stopping) -> list[Route]:
    """The two routes; neither needs an account nor tells anything about anybody."""

    def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    def readyz(_: Request) -> Response:
        if stopping.stage is not Stage.OPEN:
            return JSONResponse({"serving": "stopping"}, 503)
        parts = operations.ready()
        ready = all(state == "ok" for state in parts.values())
        return JSONResponse(parts, 200 if ready else 503)

    return [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
    ]
