"""The ASGI side of the FHIR surface: one endpoint that reads a request and writes a reply.

The body is read up to a limit and within a time; everything else runs in a worker thread. Who asks
is established by the bearer token alone (RFC 6750), so there is nothing a browser would send by
itself; addresses in answers come from the settings, never from a Host header.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import anyio
from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from simdes.budget import briefly
from simdes.errors import SimdesError, TooLarge, Unauthenticated, Unavailable, Unsupported
from simdes.exchange.anomalies import SecondFactorNeeded
from simdes.exchange.attempting import Trying, attempting
from simdes.exchange.node import Node
from simdes.exchange.pace import TooMany
from simdes.exchange.rights import Asking
from simdes.exchange.room import GROWS, PATIENCE_SECONDS, Visit
from simdes.fhir.form import Form
from simdes.fhir.negotiation import query_pairs
from simdes.fhir.outcome import issues_of, outcome_resource
from simdes.gateway.bodies import read_body
from simdes.gateway.fhir import bundles, content, routes
from simdes.gateway.fhir.authenticating import authenticate
from simdes.gateway.fhir.call import Asked, Call, NotAcceptable, Pairs, Reply, WrongBody
from simdes.gateway.fhir.routes import Routed
from simdes.gateway.limits import GatewayLimits
from simdes.gateway.observing import TEMPLATE, identify
from simdes.gateway.problems import RETRY, plain, refused, status_of
from simdes.gateway.smart import answers

PREFIX: Final = "/fhir"
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

_SHORT_BYTES: Final = 64 << 10
_SHORT_DIGITS: Final = 5
_LOOK_SECONDS: Final = 0.05

Public = Mapping[str, Callable[[Asked, Form], Reply]]
"""What may be read without a token: address below the base, and who answers in this form."""


def fhir_routes(node: Node, limits: GatewayLimits, public: Public) -> list[Route]:
    """The route of everything under ``/fhir``."""

    async def short(request: Request, asked: Asked, length: int, visit: Visit) -> Response:
        body = await _body(request, limits) if length else b""
        if isinstance(body, Response):
            return body
        asked = replace(asked, body=body) if body else asked
        with anyio.fail_after(limits.answer_seconds):
            return await to_thread.run_sync(
                _working, visit, answer_all, node, asked, public, abandon_on_cancel=True
            )

    async def long(request: Request, asked: Asked, visit: Visit) -> Response:
        with anyio.fail_after(limits.answer_seconds):
            who = await to_thread.run_sync(
                briefly, admitted, node, asked, public, abandon_on_cancel=True
            )
        if isinstance(who, Response):
            return who
        # Only now: strangers can't fill this server's memory with bodies.
        body = await _body(request, limits, visit)
        if isinstance(body, Response):
            return body
        asked = replace(asked, body=body)
        with anyio.fail_after(limits.answer_seconds):
            return await to_thread.run_sync(
                _working, visit, answer, node, asked, who, abandon_on_cancel=True
            )

    async def endpoint(request: Request) -> Response:
        asked, visit = _asked(request), Visit(node.room)
        response: Response | None = None
        try:
            length = _short(request)
            response = await (
                long(request, asked, visit)
                if length is None
                else short(request, asked, length, visit)
            )
        except TimeoutError:
            return plain(503)
        finally:
            if response is None:
                visit.abandon()
            noted = asked.noted
            identify(request.scope, noted.account, noted.organisation)
            if noted.template:
                request.scope[TEMPLATE] = f"{PREFIX}/{noted.template}"
        return _held(response, visit)

    return [
        Route(PREFIX, endpoint, methods=list(METHODS)),
        Route(PREFIX + "/{address:path}", endpoint, methods=list(METHODS)),
    ]


def _short(request: Request) -> int | None:
    """The length of a body that may be read before it is known who asks; None for any other.

    Such a body costs no more memory than the request's headers may.
    """
    if "transfer-encoding" in request.headers:
        return None
    length = request.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit() and len(length) <= _SHORT_DIGITS):
        return None
    return int(length) if int(length) <= _SHORT_BYTES else None


def _asked(request: Request) -> Asked:
    """The request without its body. Its address is the server's own reading of it, never built
    from a Host header."""
    return Asked(
        method=request.method,
        address=request.path_params.get("address", "").strip("/"),
        query=request.scope["query_string"].decode("latin-1"),
        headers=_headers(request),
        body=b"",
        path=request.scope["path"],
    )


async def _body(
    request: Request, limits: GatewayLimits, visit: Visit | None = None
) -> bytes | Response:
    """The body, or the response where it is too large, does not come, or has no room."""

    async def room(size: int) -> None:
        until = anyio.current_time() + PATIENCE_SECONDS
        while visit is not None and not visit.tries(GROWS * size):
            if anyio.current_time() >= until:
                raise Unavailable("There is no room for a body of this size at present.")
            await anyio.sleep(_LOOK_SECONDS)

    try:
        with anyio.fail_after(limits.body_seconds):
            body = await read_body(request, limits.fhir_body_bytes, room=room)
    except TimeoutError:
        return plain(408)
    except ClientDisconnect:
        return plain(400)
    except Unavailable as error:
        return refused(error)
    return plain(413) if body is None else body


class _Held(Response):
    """A response that counts as held in memory until it is sent."""

    def __init__(self, response: Response, visit: Visit) -> None:
        self._response, self._visit = response, visit
        self.background = None
        self.status_code, self.raw_headers = response.status_code, response.raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._response(scope, receive, send)
        finally:
            self._visit.leave()


def _held(response: Response, visit: Visit) -> Response:
    visit.keep(len(getattr(response, "body", b"")))
    return _Held(response, visit) if visit.held_bytes else response


def _working(visit: Visit, answered: Callable[..., Response], *given: Any) -> Any:
    with visit.working():
        return briefly(answered, *given)


def _headers(request: Request) -> dict[str, str]:
    """Header names in lower case; several of a name joined, as RFC 9110 (5.2) says."""
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def admitted(node: Node, asked: Asked, public: Public) -> Asking | Response:
    """Who asks; a response where that does not matter, or where they are refused."""
    form = Form.JSON
    try:
        pairs = query_pairs(asked.query)
        form = content.form_or_json(asked, pairs)
        if asked.method in ("GET", "HEAD") and asked.address in public:
            content.require_form(asked, pairs)
            return _written(public[asked.address](asked, form), form, pairs, asked)
        asking = authenticate(node, asked, _tried(asked))
    except SimdesError as error:
        return _written(failed(error), form, (), asked)
    actor, noted = asking.session.actor, asked.noted
    noted.account, noted.organisation = actor.account, actor.organisation
    return asking


def answer_all(node: Node, asked: Asked, public: Public) -> Response:
    """The response to a request whose body is at hand: who asks, then the answer."""
    who = admitted(node, asked, public)
    return who if isinstance(who, Response) else answer(node, asked, who)


def answer(node: Node, asked: Asked, asking: Asking) -> Response:
    """The response to a request; never raises for what a request can do."""
    form, noted = Form.JSON, asked.noted
    try:
        pairs = query_pairs(asked.query)
        form = content.form_or_json(asked, pairs)
        routed = None if _is_bundle(asked) else routes.route(asked.method, asked.address)
        noted.template = routed.endpoint.template if routed is not None else ""
        may_hold = routed is not None and content.is_binary_read(routed)
        trying = _trying(routed)
        with attempting(node, asking, trying):
            if not may_hold:
                content.require_form(asked, pairs)
            call = content.with_body(_call(node, asking, asked, pairs), asked, routed)
            if trying is not None:
                trying.sent = call.resource
            if trying is not None and routed is None:
                trying.interaction = bundles.interaction_of(call.resource)
            if not may_hold:
                form = content.form_of(call, asked)
            reply = _answered(call, routed)
        if may_hold:
            reply = content.held(reply, asked, pairs)
        return _written(reply, form, call.pairs, asked)
    except SimdesError as error:
        reply = failed(error)
        if isinstance(error, WrongBody) and asked.method == "PATCH" and error.accepted:
            reply = replace(reply, headers={**reply.headers, "Accept-Patch": _listed(error)})
        return _written(reply, form, (), asked)


def _listed(error: WrongBody) -> str:
    return ", ".join(error.accepted)


def _trying(routed: Routed | None) -> Trying | None:
    """What a request tries; None for what is about no patient."""
    return Trying(bundles.BATCH) if routed is None else routes.trying_of(routed)


def _tried(asked: Asked) -> str:
    """The same in words, of a request whose sender is not known yet."""
    try:
        trying = _trying(None if _is_bundle(asked) else routes.route(asked.method, asked.address))
    except SimdesError:
        return ""
    return trying.asked if trying is not None else ""


def _is_bundle(asked: Asked) -> bool:
    return asked.method == "POST" and not asked.address


def _answered(call: Call, routed: Routed | None) -> Reply:
    if routed is None:
        return bundles.take_bundle(call, routes.dispatch, failed)
    return routed.endpoint.answer(replace(call, path=routed.path))


STATUS: Final[Mapping[type[SimdesError], int]] = {
    routes.NotAllowed: 405,
    NotAcceptable: 406,
    TooMany: 429,
    TooLarge: 413,
    WrongBody: 415,
    Unsupported: 422,
}
"""What only FHIR's addresses can answer; all other failures as everywhere (`problems`)."""


def _call(node: Node, asking: Asking, asked: Asked, pairs: Pairs) -> Call:
    return Call(
        node=node,
        asking=asking,
        base=node.issuer.audience,
        method=asked.method,
        path={},
        pairs=pairs,
        headers=asked.headers,
        body=asked.body,
    )


def failed(error: SimdesError) -> Reply:
    """The reply for a failure: an OperationOutcome with its status."""
    headers = {}
    if isinstance(error, routes.NotAllowed):
        headers["Allow"] = ", ".join(error.methods)
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 0)
    status = status or status_of(error)
    if status in RETRY:
        headers["Retry-After"] = RETRY[status]
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = _challenge(error)
    return Reply(status=status, resource=outcome_resource(issues_of(error)), headers=headers)


def _challenge(error: Unauthenticated) -> str:
    if isinstance(error, SecondFactorNeeded):
        return answers.step_up()
    return answers.challenge(error)


def _written(reply: Reply, form: Form, pairs: Pairs, asked: Asked) -> Response:
    headers = dict(reply.headers)
    if reply.status in (204, 304):
        return Response(None, reply.status, headers)
    if reply.stream is not None:
        if asked.method == "HEAD":
            return Response(b"", reply.status, headers, reply.media_type)
        return StreamingResponse(reply.stream, reply.status, headers, reply.media_type)
    try:
        body = content.body_out(reply, form, dict(pairs))
    except SimdesError as error:
        reply = failed(error)
        headers = dict(reply.headers)
        body = form.write(dict(reply.resource or {}))
    media = reply.media_type or form.content_type
    if not body:
        return Response(b"", reply.status, headers)
    headers |= {"Content-Length": str(len(body)), "Content-Type": media}
    return Response(b"" if asked.method == "HEAD" else body, reply.status, headers)
