"""One line in the log and one count for each request, and an id that both sides can name.

Written down are time, method, the route's template, status, milliseconds, the request's id, and who
asked: the account's first digits and the organisation. Never the path, a query, a header or a body,
which are the caller's words and may name a patient (https://hl7.org/fhir/R4/security.html#http).

The id is the caller's ``X-Request-Id`` where that is a UUID or 32 hexadecimal digits; anything else
could be a name or a number of somebody, so it gets a new one and its own comes back as
``X-Correlation-Id`` (https://hl7.org/fhir/R4/http.html#custom).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simdes import logs, tracing
from simdes.gateway.metrics import METHODS, OTHER, Meter
from simdes.gateway.problems import outcome
from simdes.gateway.stopping import Stage, Stopping

_log = structlog.get_logger("simdes.request")

_OURS: Final = re.compile(
    r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII
)
_ECHOED: Final = re.compile(r"[\x21-\x7e]{1,128}")
_ALWAYS: Final = frozenset(("/healthz", "/readyz", "/metrics"))
"""What a gateway that is about to end still answers."""

_CALLER: Final = "simdes.caller"
TEMPLATE: Final = "simdes.template"
"""In the scope: the template of what answered, where one route has several endpoints."""


def identify(scope: Scope, account: bytes | None, organisation: bytes | None) -> None:
    """Note who asks, for the log; handlers call it once they know."""
    scope[_CALLER] = (account, organisation)


@dataclass(slots=True)
class _Answer:
    """What is known of a request's answer; ``status`` 499: the caller left before it began."""

    request_id: str
    echoed: str
    began: float
    status: int = 499


class Observing:
    """ASGI middleware around everything that answers."""

    def __init__(
        self, app: ASGIApp, *, meter: Meter, stopping: Stopping, random: Callable[[int], bytes]
    ) -> None:
        self._app = app
        self._meter = meter
        self._stopping = stopping
        self._random = random

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note what came of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in _ALWAYS:  # asked every few seconds, and of no interest
            await self._observe(scope, receive, send, tracing.NOT_TRACED)
            return
        given = Headers(scope=scope).get(tracing.HEADER, "")
        with tracing.Request(_method(scope), given) as traced:
            await self._observe(scope, receive, send, traced)

    async def _observe(
        self, scope: Scope, receive: Receive, send: Send, traced: tracing.Request
    ) -> None:
        answer = self._begun(scope)
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                answer.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = answer.request_id
                if answer.echoed:
                    headers["X-Correlation-Id"] = answer.echoed
                if traced.answer_header:
                    headers[tracing.ANSWER_HEADER] = traced.answer_header
            await send(message)

        self._stopping.begin()
        self._meter.begun()
        try:
            if self._stopping.stage is Stage.CLOSED and scope["path"] not in _ALWAYS:
                await _closed(scope, receive, noting)
            else:
                await self._app(scope, receive, noting)
        except Exception as error:
            answer.status = 500
            _log.error("failed", request=answer.request_id, **logs.described(error))
            if started:
                raise  # so that the server breaks the answer off instead of ending it
            await _failed(scope, receive, noting)
        finally:
            self._stopping.end()
            traced.answered(self._note(scope, answer), answer.status)

    def _begun(self, scope: Scope) -> _Answer:
        given = Headers(scope=scope).get("x-request-id", "")
        if _OURS.fullmatch(given):
            return _Answer(given.lower(), "", time.perf_counter())
        echoed = given if _ECHOED.fullmatch(given) else ""
        return _Answer(self._random(16).hex(), echoed, time.perf_counter())

    def _note(self, scope: MutableMapping[str, Any], answer: _Answer) -> str:
        """Count it and write it down; the route's template."""
        seconds = time.perf_counter() - answer.began
        known = getattr(scope.get("route"), "path_format", OTHER)
        route = str(scope.get(TEMPLATE) or known)
        self._meter.count(
            route=route, method=scope["method"], status=answer.status, seconds=seconds
        )
        account, organisation = scope.get(_CALLER, (None, None))
        _log.info(
            "request",
            method=_method(scope),
            route=route,
            status=answer.status,
            ms=round(seconds * 1000, 1),
            request=answer.request_id,
            account=_short(account),
            organisation=_short(organisation),
        )
        return route


def _method(scope: MutableMapping[str, Any]) -> str:
    return scope["method"] if scope["method"] in METHODS else OTHER


def _short(id_: bytes | None) -> str | None:
    """Enough of an id to find somebody's requests, too little to be one."""
    return None if id_ is None else f"0x{id_.hex()[:8]}"


async def _closed(scope: Scope, receive: Receive, send: Send) -> None:
    response = outcome(
        503,
        code="transient",
        text="This gateway is about to stop.",
        advice="Send the request again; another gateway, or this one once it is back, answers.",
        headers={"Connection": "close"},
    )
    await response(scope, receive, send)


async def _failed(scope: Scope, receive: Receive, send: Send) -> None:
    text = "The request failed here; it is not your mistake."
    await outcome(500, code="exception", text=text)(scope, receive, send)
