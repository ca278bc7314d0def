"""The routes of the authorization server.

``/auth/authorize`` checks a request and sends the browser to the page that asks the person; the
rest answers apps in JSON. Handlers run in worker threads; nothing here decides.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from simdes.budget import briefly
from simdes.errors import Invalid, SimdesError, TooLarge, Unauthenticated
from simdes.exchange import authorization, launches, smart, token_requests, token_status
from simdes.exchange.admitting import known
from simdes.exchange.authorization import OAuthRefusal
from simdes.exchange.client_proofs import Call
from simdes.exchange.node import Node
from simdes.exchange.presenting import Presented
from simdes.gateway.limits import GatewayLimits
from simdes.gateway.problems import refused
from simdes.gateway.smart import addresses, answers, discovery, forms
from simdes.gateway.smart.rates import RateLimit

Endpoint = Callable[[Request], Awaitable[Response]]
Trouble = Callable[[Request, SimdesError], Response]

_NAME_CHARACTERS: Final = 64
_TOO_OFTEN: Final = "Too many requests from this address; wait a minute."


def plain_trouble(_: Request, error: SimdesError) -> Response:
    """What a person sees where there is no address to send them back to."""
    status = 429 if isinstance(error, TooLarge) else 400
    return PlainTextResponse(f"{error.message}\n{error.advice}\n", status)


def smart_routes(
    node: Node, limits: GatewayLimits, trouble: Trouble = plain_trouble
) -> list[Route]:
    """Every route. ``trouble`` shows a person an error that no app can be told."""
    calls = RateLimit(limits.tokens_per_minute)
    documents: dict[str, Callable[[], dict[str, Any]]] = {
        **dict.fromkeys(
            addresses.SMART_PATHS, lambda: discovery.smart_configuration(node.issuer.name)
        ),
        addresses.OPENID_PATH: lambda: discovery.openid_configuration(node.issuer.name),
        addresses.METADATA_PATH: lambda: discovery.server_metadata(node.issuer.name),
        addresses.JWKS_PATH: lambda: smart.public_keys(node),
    }
    posts: dict[str, Callable[[Node, Call], Any]] = {
        addresses.TOKEN_PATH: token_requests.redeem,
        addresses.REVOKE_PATH: token_status.revoke,
        addresses.INTROSPECT_PATH: token_status.introspect,
    }
    return [
        *(Route(path, _document(make), methods=["GET"]) for path, make in documents.items()),
        Route(
            addresses.AUTHORIZE_PATH,
            _authorize(node, limits, RateLimit(limits.tokens_per_minute), trouble),
            methods=["GET", "POST"],
        ),
        *(
            Route(path, _post(node, act, limits, calls), methods=["POST"])
            for path, act in posts.items()
        ),
        Route(addresses.LAUNCH_PATH, _launch(node, limits, calls), methods=["POST"]),
    ]


def _document(make: Callable[[], dict[str, Any]]) -> Endpoint:
    async def endpoint(_: Request) -> Response:
        return answers.document(make(), public=True)

    return endpoint


def _authorize(node: Node, limits: GatewayLimits, rate: RateLimit, trouble: Trouble) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            pairs = (
                await forms.read_form(request, limits)
                if request.method == "POST"
                else forms.fields(request.scope["query_string"])
            )
            _require_rate(rate, request, pairs)
            kept = await to_thread.run_sync(briefly, authorization.begin, node, pairs)
        except OAuthRefusal as error:
            if error.redirect is None:
                return trouble(request, error)
            return RedirectResponse(error.redirect, 303)
        except SimdesError as error:
            return trouble(request, error)
        return RedirectResponse(node.issuer.name + addresses.approval_page(kept.id), 303)

    return endpoint


def _post(
    node: Node, act: Callable[[Node, Call], Any], limits: GatewayLimits, rate: RateLimit
) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        basic = request.headers.get("authorization", "").lower().startswith("basic ")
        try:
            form = await forms.read_form(request, limits)
            _require_rate(rate, request, form)
            call = Call(
                form,
                ", ".join(request.headers.getlist("authorization")),
                ", ".join(request.headers.getlist("dpop")),
            )
            answer = await to_thread.run_sync(briefly, act, node, call)
        except SimdesError as error:
            return answers.refusal(error, basic=basic)
        return answers.document(answer or {})

    return endpoint


def _launch(node: Node, limits: GatewayLimits, rate: RateLimit) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            _require_rate(rate, request)
            asked = _launch_asked(await forms.read_body(request, limits))
            made = await to_thread.run_sync(briefly, _make_launch, node, presented(request), asked)
        except SimdesError as error:
            answer = refused(error)
            if isinstance(error, Unauthenticated):
                answer.headers["WWW-Authenticate"] = answers.challenge(error)
            return answer
        return answers.document({"launch": made.handle, "url": made.url})

    return endpoint


def _make_launch(node: Node, token: Presented, asked: dict[str, str]) -> launches.Launch:
    session = known(node, token)
    return launches.launch(
        node,
        session,
        asked.get("client_id", ""),
        patient=asked.get("patient", ""),
        encounter=asked.get("encounter", ""),
    )


def _launch_asked(body: bytes) -> dict[str, str]:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid("Send a JSON object.") from error
    names = {"client_id", "patient", "encounter"}
    if not isinstance(asked, dict) or not all(
        name in names and isinstance(value, str) for name, value in asked.items()
    ):
        raise Invalid("Send client_id, patient and encounter, each a text.")
    return asked


def presented(request: Request) -> Presented:
    """What a request carries to say who asks; for every route that takes an access token.

    Two Authorization or DPoP headers join to what no token or proof is.
    """
    return Presented(
        authorization=", ".join(request.headers.getlist("authorization")),
        method=request.method,
        path=request.scope["path"],
        proof=", ".join(request.headers.getlist("dpop")),
    )


def _require_rate(rate: RateLimit, request: Request, form: Sequence[tuple[str, str]] = ()) -> None:
    """Count by address and app: behind a proxy all addresses are the proxy's."""
    app = dict(form).get("client_id") or request.headers.get("authorization", "")
    address = request.client.host if request.client else ""
    if not rate.passes(f"{address} {app[:_NAME_CHARACTERS]}"):
        raise TooLarge(_TOO_OFTEN)
