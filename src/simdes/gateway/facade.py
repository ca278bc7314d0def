"""``POST /facade/notify``: the FHIR server that we read tells that something changed there.

The target of a rest-hook (https://hl7.org/fhir/R4/subscription.html). Who tells is the bearer of
the secret in the settings. What it tells is not read, neither body nor path: a round reads what
changed from the server itself, so the worst that a stolen secret does is a round more.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simdes.errors import SimdesError
from simdes.gateway.problems import outcome, plain, refused

PATH: Final = "/facade/notify"


@dataclass(frozen=True, slots=True)
class Notified:
    """Whose word is taken, and what it sets off."""

    secret: str = field(repr=False)
    ask: Callable[[], None]


def facade_route(notified: Notified | None) -> Route:
    """The route; nothing is there where no other server is read."""

    def notify(request: Request) -> Response:
        if notified is None:
            return plain(404)
        if not bears(request, notified.secret):
            return outcome(
                401,
                code="login",
                text="This address is for the FHIR server that is read.",
                headers={"WWW-Authenticate": 'Bearer realm="facade"'},
            )
        try:
            notified.ask()
        except SimdesError as error:
            return refused(error)
        return Response(status_code=200)

    return Route(PATH, notify, methods=["POST"])


def bears(request: Request, secret: str) -> bool:
    """Whether a request shows this bearer token (RFC 6750), compared in constant time."""
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(shown.strip().encode(), secret.encode())
    return scheme.lower() == "bearer" and same
